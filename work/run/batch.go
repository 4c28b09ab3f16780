package run

import (
	"context"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/nmt"
)

// Batch is the sentence pairs of one gradient or evaluation, as tokens
// without marks.
type BatchRecord struct {
	_              struct{} `cbor:",toarray"`
	Version        uint16
	Source, Target [][]uint32
}

func ReadBatch(ctx context.Context, b block.Blocks, l block.Link, vocab int) (nmt.Batch, error) {
	var rec BatchRecord
	if err := block.GetNode(ctx, b, l, &rec); err != nil {
		return nmt.Batch{}, fmt.Errorf("batch: %w", err)
	}
	if rec.Version != 1 || len(rec.Source) == 0 || len(rec.Source) != len(rec.Target) {
		return nmt.Batch{}, fmt.Errorf("batch %s: version %d, %d sources, %d targets", l, rec.Version, len(rec.Source), len(rec.Target))
	}
	var out nmt.Batch
	for i := range rec.Source {
		s, err := signed(rec.Source[i], vocab)
		if err != nil {
			return nmt.Batch{}, fmt.Errorf("batch %s: source %d: %w", l, i, err)
		}
		t, err := signed(rec.Target[i], vocab)
		if err != nil {
			return nmt.Batch{}, fmt.Errorf("batch %s: target %d: %w", l, i, err)
		}
		out.Source, out.Target = append(out.Source, s), append(out.Target, t)
	}
	return out, nil
}

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

func unsigned(ids []int32) []uint32 {
	out := make([]uint32, len(ids))
	for i, id := range ids {
		out[i] = uint32(id)
	}
	return out
}
