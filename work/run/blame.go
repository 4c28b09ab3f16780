package run

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/unit"
)

// blame finds the unit whose output a combine of their outputs failed on, and
// makes of err a [unit.OutputError] that names the unit. It gives err where there
// is none. A combine that was stopped is nobody's fault.
func blame(ctx context.Context, b block.Blocks, units []unit.Unit, outputs [][]block.Link, err error) error {
	if stopped := ctx.Err(); stopped != nil {
		return err
	}
	var in *unit.InputError
	if errors.As(err, &in) {
		// The outputs are the combine's inputs after the three of the state.
		output := in.Input - 3
		for i := 0; i < len(outputs) && output >= 0; i++ {
			if output < len(outputs[i]) {
				return &unit.OutputError{Unit: units[i], Output: output, Proven: unit.Proven(ctx, b, outputs[i][output], err), Err: err}
			}
			output -= len(outputs[i])
		}
	}
	if errors.Is(err, unit.ErrDefect) {
		// Each output was finite by itself.
		if i, output, ok := largest(ctx, b, outputs); ok {
			return &unit.OutputError{Unit: units[i], Output: output, Err: fmt.Errorf("the largest of the outputs that were combined: %w", err)}
		}
	}
	return err
}

// largest finds the unit, and which of its outputs, that is the likeliest cause of
// an overflow: a second moment that would overflow if all were like it, or else the
// delta with the largest scale.
func largest(ctx context.Context, b block.Blocks, outputs [][]block.Link) (at, output int, ok bool) {
	var scale float32
	for i, out := range outputs {
		d, err := GetDelta(ctx, b, out[0])
		if err != nil {
			return 0, 0, false
		}
		if x := maximum(d.Scales); !ok || x > scale {
			at, scale, ok = i, x, true
		}
	}
	var moment float32
	for i, out := range outputs {
		if len(out) < 2 {
			continue
		}
		v, err := state.GetSet(ctx, b, out[1])
		if err != nil {
			return 0, 0, false
		}
		if x := maximum(v); x > math.MaxFloat32/float32(len(outputs)) && x > moment {
			at, output, moment = i, 1, x
		}
	}
	return at, output, ok
}

// maximum is the largest element of a set of binary32.
func maximum(s *tensor.Set) (most float32) {
	for i := range s.Len() {
		for _, x := range s.At(i).F {
			most = max(most, x)
		}
	}
	return most
}
