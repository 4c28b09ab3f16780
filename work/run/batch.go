package run

import (
	"context"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/nmt"
)

// BatchRecord is the sentence pairs of a batch, as tokens without the marks for
// beginning and end.
type BatchRecord struct {
	_              struct{} `cbor:",toarray"`
	Version        uint16
	Source, Target [][]uint32
}

// ReadBatch reads a batch of a run. It checks that the tokens are in the run's vocabulary,
// and that the batch has no more of them than the run's batches: the memory that a unit
// takes grows with both.
func ReadBatch(ctx context.Context, b block.Blocks, l block.Link, r Record) (nmt.Batch, error) {
	var rec BatchRecord
	if err := block.GetNode(ctx, b, l, &rec); err != nil {
		return nmt.Batch{}, fmt.Errorf("batch: %w", err)
	}
	batch, err := rec.Batch(r)
	if err != nil {
		return nmt.Batch{}, fmt.Errorf("batch %s: %w", l, err)
	}
	return batch, nil
}

// Batch is the batch for a model, checked as by [ReadBatch].
func (rec BatchRecord) Batch(r Record) (nmt.Batch, error) {
	if rec.Version != 1 || len(rec.Source) == 0 || len(rec.Source) != len(rec.Target) {
		return nmt.Batch{}, fmt.Errorf("version %d, %d sources, %d targets", rec.Version, len(rec.Source), len(rec.Target))
	}
	var out nmt.Batch
	vocab, sources, targets := int(r.Vocab), 0, 0
	for i := range rec.Source {
		s, err := signed(rec.Source[i], vocab)
		if err != nil {
			return nmt.Batch{}, fmt.Errorf("source %d: %w", i, err)
		}
		t, err := signed(rec.Target[i], vocab)
		if err != nil {
			return nmt.Batch{}, fmt.Errorf("target %d: %w", i, err)
		}
		out.Source, out.Target = append(out.Source, s), append(out.Target, t)
		sources, targets = sources+len(s)+1, targets+len(t)+1 // with EOS
	}
	if n := max(sources, targets); n > int(r.Config.BatchTokens) {
		return nmt.Batch{}, fmt.Errorf("%d tokens, the run's batches have at most %d", n, r.Config.BatchTokens)
	}
	return out, nil
}

// signed converts tokens from a record, and checks that they are below vocab.
func signed(ids []uint32, vocab int) ([]int32, error) {
	out := make([]int32, len(ids))
	for i, id := range ids {
		if id >= uint32(vocab) {
			return nil, fmt.Errorf("token %d is outside the vocabulary of %d", id, vocab)
		}
		out[i] = int32(id)
	}
	return out, nil
}

// unsigned converts tokens for a record.
func unsigned(ids []int32) []uint32 {
	out := make([]uint32, len(ids))
	for i, id := range ids {
		out[i] = uint32(id)
	}
	return out
}
