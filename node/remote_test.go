package node

import (
	"path/filepath"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// TestMemoryGrowsWithInputs: a hostile unit that combines or averages thousands of sets
// takes memory for all of them, and the miner knows before it fetches one.
func TestMemoryGrowsWithInputs(t *testing.T) {
	store, err := block.Open(filepath.Join(t.TempDir(), "blocks"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	cfg, err := train.Preset("demo")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Pieces, cfg.DeltaBits, cfg.LocalSteps = 300, 8, 1
	pair := corpus.Pair{Source: "one two three", Target: "eins zwei drei"}
	plan, err := run.New(t.Context(), store, &corpus.Corpus{
		Source: "en", Target: "de", Train: []corpus.Pair{pair}, Valid: []corpus.Pair{pair},
		Tests: []corpus.Split{{Name: "test", Pairs: []corpus.Pair{pair}}},
	}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	const many = 1000
	elements := plan.Run.Model().Elements()
	for kind, each := range map[unit.Kind]uint64{unit.Combine: elements, unit.Average: 4 * elements} {
		u := unit.Unit{Version: 1, Kind: kind, Work: plan.Link, Inputs: make([]block.Link, 3+many)}
		memory, err := (&remote{store: store, owner: "task"}).bound(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		if memory < many*each {
			t.Errorf("%s of %d sets takes %d bytes, want at least %d", kind, many, memory, many*each)
		}
	}
}
