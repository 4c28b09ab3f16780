package work

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// kept is a value that a worker keeps for the next unit, and its key.
type kept[T any] struct {
	key   any
	value T
}

// most is how many values of one type a worker keeps. For sets of tensors these
// are the parameters of this round and of the last, and the moments.
const most = 4

// recall returns the value with a key, and moves it to the end of the list.
func recall[T any](list []kept[T], key any) (T, bool) {
	for i, k := range list {
		if k.key == key {
			copy(list[i:], list[i+1:])
			list[len(list)-1] = k
			return k.value, true
		}
	}
	var none T
	return none, false
}

// holds reports whether a value with a key is in the list.
func holds[T any](list []kept[T], key any) bool {
	return slices.ContainsFunc(list, func(k kept[T]) bool { return k.key == key })
}

// remember appends a value. Of a full list the least recently used value goes.
func remember[T any](list []kept[T], key any, value T) []kept[T] {
	if len(list) == most {
		list = append(list[:0], list[1:]...)
	}
	return append(list, kept[T]{key, value})
}

// forget removes the value with a key.
func forget[T any](list []kept[T], key any) []kept[T] {
	return slices.DeleteFunc(list, func(k kept[T]) bool { return k.key == key })
}

// set reads the set l of the form c: parameters, adapters or moments. A set that the worker
// keeps is checked too: a unit may name what another model left here.
func (w *Worker) set(ctx context.Context, b block.Blocks, l block.Link, c run.SetForm) (*tensor.Set, error) {
	s, kept := recall(w.sets, l)
	if !kept {
		var err error
		if s, err = state.GetSet(ctx, b, l); err != nil {
			return nil, fmt.Errorf("parameters: %w", err)
		}
	}
	if err := c.Check(s); err != nil {
		return nil, fmt.Errorf("parameters %s: %w", l, err)
	}
	if !kept {
		s = s.On(w.dev)
		w.sets = remember(w.sets, any(l), s)
	}
	return s, nil
}

// params returns the parameters or adapters of a unit, its first input. A worker that has
// those of the round before reads only the update from them.
func (w *Worker) params(ctx context.Context, b block.Blocks, u unit.Unit, c run.SetForm) (*tensor.Set, error) {
	_, here := recall(w.sets, u.Inputs[0])
	base, ok := recall(w.sets, u.Base)
	if here || !ok || !u.Base.Defined() {
		return w.set(ctx, b, u.Inputs[0], c)
	}
	update, err := run.GetDelta(ctx, b, u.Update)
	if errors.Is(err, block.ErrNotFound) { // a checkpoint is kept without its update
		return w.set(ctx, b, u.Inputs[0], c)
	} else if err != nil {
		return nil, err
	}
	next, err := train.Advance(w.dev, base, update)
	if err != nil {
		return nil, err
	}
	// The publisher wrote Base and Update: that they lead to the input is a claim.
	if got := state.SumSet(next); got != u.Inputs[0] {
		return nil, fmt.Errorf("parameters: %s and update %s give %s, the unit says %s", u.Base, u.Update, got, u.Inputs[0])
	}
	w.sets = remember(w.sets, any(u.Inputs[0]), next)
	return w.set(ctx, b, u.Inputs[0], c)
}

// moment reads the second moment l that round r of a run begins with. Where the
// round's units take local steps the moment is factored.
func (w *Worker) moment(ctx context.Context, b block.Blocks, l block.Link, rec run.Record, params *tensor.Set, r int) (*tensor.Set, error) {
	if !rec.Config.Local(r) {
		return w.set(ctx, b, l, rec.Trained())
	}
	s, kept := recall(w.sets, l)
	if !kept {
		var err error
		if s, err = state.GetSet(ctx, b, l); err != nil {
			return nil, fmt.Errorf("second moment: %w", err)
		}
	}
	if err := train.FactorsFit(params, s); err != nil {
		return nil, fmt.Errorf("set %s: %w", l, err)
	}
	if !kept {
		w.sets = remember(w.sets, any(l), s)
	}
	return s, nil
}

// engine returns an engine that trains models of configuration c.
func (w *Worker) engine(c nmt.Config) *nmt.Engine {
	if e, ok := recall(w.engines, c); ok {
		return e
	}
	e := nmt.NewEngine(w.dev, c)
	w.engines = remember(w.engines, any(c), e)
	return e
}
