package run

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/state"
)

// CorpusRecord is a cleaned corpus. Its files are pairs as [corpus.Marshal] writes
// them.
type CorpusRecord struct {
	_ struct{} `cbor:",toarray"`
	// Version is that of the rules by which the text was cleaned, [corpus.Rules]. The form
	// of the record is the same in all versions.
	Version        uint16
	Source, Target string
	Train, Valid   state.File
	Tests          []TestRecord
}

// TestRecord is a test set: a named split that no unit trains on.
type TestRecord struct {
	_     struct{} `cbor:",toarray"`
	Name  string
	Pairs state.File
}

// PutCorpus stores a corpus and gives its CID.
func PutCorpus(ctx context.Context, b block.Blocks, c *corpus.Corpus) (block.Link, error) {
	rec := CorpusRecord{Version: corpus.Rules, Source: c.Source, Target: c.Target}
	var err error
	if rec.Train, err = putPairs(ctx, b, c.Pairs()); err != nil {
		return block.Link{}, fmt.Errorf("store corpus: %w", err)
	}
	if rec.Valid, err = state.PutFile(ctx, b, corpus.Marshal(c.Valid)); err != nil {
		return block.Link{}, fmt.Errorf("store corpus: %w", err)
	}
	for _, t := range c.Tests {
		f, err := state.PutFile(ctx, b, corpus.Marshal(t.Pairs))
		if err != nil {
			return block.Link{}, fmt.Errorf("store corpus: %w", err)
		}
		rec.Tests = append(rec.Tests, TestRecord{Name: t.Name, Pairs: f})
	}
	return block.PutNode(ctx, b, rec)
}

// putPairs stores the encoding of pairs, leaf by leaf.
func putPairs(ctx context.Context, b block.Blocks, pairs iter.Seq2[corpus.Pair, error]) (f state.File, err error) {
	f.Leaves = []block.Link{} // an empty list, where there are none
	var data []byte
	put := func(n int) error {
		leaves, err := block.PutBytes(ctx, b, data[:n])
		f.Size += uint64(n)
		f.Leaves = append(f.Leaves, leaves...)
		data = append(data[:0], data[n:]...)
		return err
	}
	for p, err := range pairs {
		if err != nil {
			return f, err
		}
		for data = p.Append(data); len(data) >= block.LeafSize; {
			if err := put(block.LeafSize); err != nil {
				return f, err
			}
		}
	}
	return f, put(len(data))
}

// leaves reads the leaves of a file one by one.
func leaves(ctx context.Context, b block.Blocks, f state.File) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if n := (f.Size + block.LeafSize - 1) / block.LeafSize; n != uint64(len(f.Leaves)) {
			yield(nil, fmt.Errorf("%d leaves for %d bytes", len(f.Leaves), f.Size))
			return
		}
		left := f.Size
		for _, l := range f.Leaves {
			n := min(left, block.LeafSize)
			data, err := block.GetBytes(ctx, b, []block.Link{l}, n)
			if !yield(data, err) || err != nil {
				return
			}
			left -= n
		}
	}
}

// maxPairs bounds the pairs of a corpus: a plan holds some bytes of each in memory. A record
// can name one leaf many times, so its bytes do not bound them.
const maxPairs = 1 << 25

// GetCorpus is the inverse of [PutCorpus]. The training pairs stay in their blocks:
// [corpus.Corpus.Pairs] reads them again each time.
func GetCorpus(ctx context.Context, b block.Blocks, l block.Link) (*corpus.Corpus, error) {
	var rec CorpusRecord
	if err := block.GetNode(ctx, b, l, &rec); err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	if rec.Version < 1 || rec.Version > corpus.Rules {
		return nil, fmt.Errorf("corpus %s: it was cleaned by rules of version %d, this program knows versions 1 to %d", l, rec.Version, corpus.Rules)
	}
	// Each split is a file of its own. Its lines are counted before any pair is held.
	all := 0
	count := func(f state.File) (n int, err error) {
		for data, err := range leaves(ctx, b, f) {
			if err != nil {
				return 0, fmt.Errorf("corpus %s: %w", l, err)
			}
			k := bytes.Count(data, []byte{'\n'})
			n += k
			if all += k; all > maxPairs {
				return 0, fmt.Errorf("corpus %s: more than %d pairs", l, maxPairs)
			}
		}
		return n, nil
	}
	pairs := func(f state.File) (out []corpus.Pair, err error) {
		n, err := count(f)
		if err != nil {
			return nil, err
		}
		out = make([]corpus.Pair, 0, n)
		for p, err := range corpus.Decode(leaves(ctx, b, f)) {
			if err != nil {
				return nil, fmt.Errorf("corpus %s: %w", l, err)
			}
			out = append(out, p)
		}
		return out, nil
	}
	n, err := count(rec.Train)
	if err != nil {
		return nil, err
	}
	c := corpus.Streamed(rec.Source, rec.Target, n, func() iter.Seq2[corpus.Pair, error] {
		return corpus.Decode(leaves(ctx, b, rec.Train))
	})
	if c.Valid, err = pairs(rec.Valid); err != nil {
		return nil, err
	}
	for _, t := range rec.Tests {
		ps, err := pairs(t.Pairs)
		if err != nil {
			return nil, err
		}
		c.Tests = append(c.Tests, corpus.Split{Name: t.Name, Pairs: ps})
	}
	return c, nil
}
