package work

import (
	"testing"

	"github.com/alia-network/alia/work/unit"
)

// TestTasks: the table of tasks has a function for each kind of package unit's
// table, and for no other.
func TestTasks(t *testing.T) {
	for _, k := range unit.Kinds() {
		if tasks()[k] == nil {
			t.Errorf("no function computes the kind %q: add its row to tasks in worker.go", k)
		}
	}
	if extra := len(tasks()) - len(unit.Kinds()); extra > 0 {
		t.Errorf("%d rows of tasks are for kinds without a row in work/unit/kind.go", extra)
	}
}
