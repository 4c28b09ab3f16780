package run

import (
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/corpus"
)

// TestSequences: the tokens of a pair are the same wherever they lie, in memory or in the file.
func TestSequences(t *testing.T) {
	for _, most := range []int{1, 10, 64, 1 << 20} {
		s := &sequences{most: most}
		pair := func(i int) (source, target []int32) {
			for k := range i % 7 {
				source = append(source, int32(i+k))
			}
			for k := range i % 5 {
				target = append(target, int32(1<<17+i*k))
			}
			return source, target
		}
		for i := range 100 {
			if err := s.add(pair(i)); err != nil {
				t.Fatal(err)
			}
		}
		if inFile := s.file != nil; inFile != (most < 1000) || s.len() != 100 {
			t.Errorf("most %d: in a file %v, %d pairs", most, inFile, s.len())
		}
		for i := range 100 {
			a, b := pair(i)
			source, target, err := s.at(i)
			if err != nil || !slices.Equal(source, unsigned(a)) || !slices.Equal(target, unsigned(b)) ||
				s.lengths[i] != (corpus.Length{Source: len(a) + 1, Target: len(b) + 1}) {
				t.Fatalf("most %d: pair %d is %v and %v, %v", most, i, source, target, err)
			}
		}
	}
}

// TestStoredCorpus: a corpus that is read from elsewhere has the CID of the same corpus in
// memory, over several leaves, and comes back as it was.
func TestStoredCorpus(t *testing.T) {
	var store block.MemoryStore
	memory := &corpus.Corpus{Source: "en", Target: "de", Valid: []corpus.Pair{{Source: "a\tb", Target: "c"}}, Tests: []corpus.Split{{Name: "test"}}}
	for i := range 60_000 {
		memory.Train = append(memory.Train, corpus.Pair{Source: fmt.Sprintf("source of the pair %d", i), Target: fmt.Sprintf("Ziel %d\\", i)})
	}
	streamed := corpus.Streamed("en", "de", len(memory.Train), func() iter.Seq2[corpus.Pair, error] { return memory.Pairs() })
	streamed.Valid, streamed.Tests = memory.Valid, memory.Tests
	a, err := PutCorpus(t.Context(), &store, memory)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := PutCorpus(t.Context(), &store, streamed); err != nil || a != b {
		t.Errorf("streamed %s, %v, want %s", b, err, a)
	}
	var rec CorpusRecord
	if err := block.GetNode(t.Context(), &store, a, &rec); err != nil || rec.Version != corpus.Rules || len(rec.Train.Leaves) < 2 {
		t.Errorf("record %+v, %v", rec, err)
	}
	back, err := GetCorpus(t.Context(), &store, a)
	if err != nil || back.Len() != len(memory.Train) {
		t.Fatal(err)
	}
	if err := back.Load(); err != nil || !slices.Equal(back.Train, memory.Train) || !slices.Equal(back.Valid, memory.Valid) || len(back.Tests) != 1 {
		t.Errorf("it comes back otherwise: %v", err)
	}
	// Text that was cleaned by the rules before is read all the same, and by those to come not.
	for version, want := range map[uint16]bool{0: false, 1: true, corpus.Rules + 1: false} {
		rec.Version = version
		l, err := block.PutNode(t.Context(), &store, rec)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := GetCorpus(t.Context(), &store, l); (err == nil) != want {
			t.Errorf("version %d: %v", version, err)
		}
	}
}
