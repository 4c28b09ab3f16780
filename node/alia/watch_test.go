package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/alia-network/alia/node"
)

// TestWaitsOnce: a reason to wait that stays the same is told once, and again after
// anything has changed.
func TestWaitsOnce(t *testing.T) {
	var out bytes.Buffer
	w := newWatch(t.Context(), &app{stderr: &out}, "portable")
	waits := node.Waiting{Why: node.Why{Code: "no-miner", Text: "no miner is connected"}, Units: 2}
	for _, n := range []node.Notice{waits, waits, node.MinerJoined{Text: "portable", Miners: 1}, waits, waits, node.MinerLeft{Why: waits.Why}, waits} {
		w.report(n)
	}
	if got := strings.Count(out.String(), waits.String()+"\n"); got != 3 {
		t.Errorf("told %d times that work waits, want 3:\n%s", got, &out)
	}
}
