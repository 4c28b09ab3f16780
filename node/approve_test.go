package node_test

import (
	"strings"
	"testing"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/run"
)

// TestApproveLarge: a validator computes the first parameters of a run, so a record of a few
// bytes must not make it compute gigabytes of them.
func TestApproveLarge(t *testing.T) {
	c, cfg := tiny(t)
	store := &block.MemoryStore{}
	plan, err := run.New(t.Context(), store, c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Computable(t.Context(), store, plan.Link); err != nil {
		t.Fatal(err)
	}
	large := plan.Run
	large.Config.Dim, large.Config.FFN, large.Config.Encoder, large.Config.Decoder = 8192, 32768, 64, 64
	link, err := block.PutNode(t.Context(), store, large)
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Computable(t.Context(), store, link); err == nil || !strings.Contains(err.Error(), "a validator computes at most 134217728") {
		t.Errorf("a run of a large model: %v", err)
	}
	// Its coordinator is told before it proposes the run, and before it computes them itself.
	if _, err := node.NewTraining(t.Context(), &node.Peer{}, &run.Plan{Run: large, Link: link}, nil, nil); err == nil || !strings.Contains(err.Error(), "alia train --local") {
		t.Errorf("the coordinator of a run of a large model: %v", err)
	}
}
