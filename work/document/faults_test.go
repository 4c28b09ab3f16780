package document_test

import (
	"fmt"
	"testing"

	"github.com/alia-network/alia/work/document"
)

func TestFaults(t *testing.T) {
	for _, test := range []struct{ source, translation, want string }{
		{"Hello %s, you have {n} files.", "{n} Dateien für %s.", "[]"},
		{"Hello %s.", "Hallo.", "[codes]"},
		{"Hello %s.", "Hallo %s %s.", "[codes]"},
		{"Press <b>Enter</b>.", "Drücken Sie <b>Enter</b>.", "[]"},
		{"Press Enter.", "Drücken Sie <b>Enter</b>.", "[codes]"},
		{"1,000 euros", "1.000 Euro", "[]"},
		{"1,000 euros", "10.000 Euro", "[numbers]"},
		{"See https://example.org for 3 rules.", "Drei Regeln.", "[codes numbers]"},
		{"", "", "[]"},
	} {
		if got := fmt.Sprint(document.Faults(test.source, test.translation)); got != test.want {
			t.Errorf("%q, %q: %s, want %s", test.source, test.translation, got, test.want)
		}
	}
}
