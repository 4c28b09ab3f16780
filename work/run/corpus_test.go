package run_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/state"
)

// TestManyPairs: a record that names one leaf of empty pairs again and again, in one file
// or in many, is refused before memory is taken for the pairs. The record and the leaf
// have a megabyte, and the pairs would take gigabytes.
func TestManyPairs(t *testing.T) {
	var store block.MemoryStore
	leaf, err := store.Put(t.Context(), block.Raw, bytes.Repeat([]byte("\t\n"), block.LeafSize/2))
	if err != nil {
		t.Fatal(err)
	}
	file := func(leaves int) state.File {
		return state.File{Size: uint64(leaves) * block.LeafSize, Leaves: slices.Repeat([]block.Link{{Cid: leaf}}, leaves)}
	}
	for name, rec := range map[string]run.CorpusRecord{
		"one file":   {Version: 1, Train: file(65)},
		"many files": {Version: 1, Tests: slices.Repeat([]run.TestRecord{{Name: "test", Pairs: file(1)}}, 65)},
	} {
		l, err := block.PutNode(t.Context(), &store, rec)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := run.GetCorpus(t.Context(), &store, l); err == nil || !strings.Contains(err.Error(), "pairs") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
