package run

import (
	"context"
	"fmt"
	"strings"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/train"
)

// A delta is stored as one set: the integers under their tensors' names, the
// scales under the same names with this suffix.
const scaleSuffix = "#scale"

// PutDelta stores a delta and gives the CID of its set.
func PutDelta(ctx context.Context, b block.Blocks, d train.Delta) (block.Link, error) {
	set, err := deltaSet(d)
	if err != nil {
		return block.Link{}, fmt.Errorf("store delta: %w", err)
	}
	return state.PutSet(ctx, b, set)
}

// deltaSet is the one set that a delta is stored as.
func deltaSet(d train.Delta) (*tensor.Set, error) {
	var items []tensor.Named
	for i := range d.Q.Len() {
		q, s := d.Q.At(i), d.Scales.At(i)
		items = append(items, q, tensor.Named{Name: s.Name + scaleSuffix, Tensor: s.Tensor})
	}
	return tensor.NewSet(items)
}

// DeltaForm is the names, types and shapes of a stored delta, whose codes have the
// given number of bits, for parameters of params' form. The tensors may have no storage.
func DeltaForm(params *tensor.Set, bits uint32) (*tensor.Set, error) {
	return deltaSet(train.DeltaForm(params, bits))
}

// IsScale reports whether a tensor of a stored delta is scales, not codes.
func IsScale(name string) bool { return strings.HasSuffix(name, scaleSuffix) }

// GetDelta is the inverse of [PutDelta].
func GetDelta(ctx context.Context, b block.Blocks, l block.Link) (train.Delta, error) {
	s, err := state.GetSet(ctx, b, l)
	if err != nil {
		return train.Delta{}, fmt.Errorf("delta: %w", err)
	}
	var q, scales []tensor.Named
	for i := range s.Len() {
		t := s.At(i)
		if name, ok := strings.CutSuffix(t.Name, scaleSuffix); ok {
			scales = append(scales, tensor.Named{Name: name, Tensor: t.Tensor})
		} else {
			q = append(q, t)
		}
	}
	qs, err := tensor.NewSet(q)
	if err != nil {
		return train.Delta{}, err
	}
	ss, err := tensor.NewSet(scales)
	return train.Delta{Q: qs, Scales: ss}, err
}
