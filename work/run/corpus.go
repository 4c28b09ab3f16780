package run

import (
	"context"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/unit"
)

// CorpusRecord is a cleaned corpus. Its files are pairs as [corpus.Marshal] writes
// them.
type CorpusRecord struct {
	_              struct{} `cbor:",toarray"`
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
	rec := CorpusRecord{Version: 1, Source: c.Source, Target: c.Target}
	var err error
	if rec.Train, err = state.PutFile(ctx, b, corpus.Marshal(c.Train)); err != nil {
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

// GetCorpus is the inverse of [PutCorpus].
func GetCorpus(ctx context.Context, b block.Blocks, l block.Link) (*corpus.Corpus, error) {
	var rec CorpusRecord
	if err := block.GetNode(ctx, b, l, &rec); err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	if err := unit.CheckVersion(fmt.Sprintf("corpus %s", l), rec.Version); err != nil {
		return nil, err
	}
	// Each split is a file of its own.
	pairs := func(f state.File) ([]corpus.Pair, error) {
		data, err := f.Read(ctx, b)
		if err != nil {
			return nil, fmt.Errorf("corpus %s: %w", l, err)
		}
		return corpus.Unmarshal(data)
	}
	c := &corpus.Corpus{Source: rec.Source, Target: rec.Target}
	var err error
	if c.Train, err = pairs(rec.Train); err != nil {
		return nil, err
	}
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
