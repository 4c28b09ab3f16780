package work

import (
	"testing"

	"github.com/alia-network/alia/work/unit"
)

// TestTasks: the table of tasks has a function for each kind of package unit's
// table, and for no other.
func TestTasks(t *testing.T) {
	for _, k := range unit.Kinds() {
		if tasks[k] == nil {
			t.Errorf("no function computes a %s unit", k)
		}
	}
	if len(tasks) != len(unit.Kinds()) {
		t.Errorf("%d tasks for %d kinds", len(tasks), len(unit.Kinds()))
	}
}
