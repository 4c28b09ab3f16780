// Package work does units and checks those who did them.
//
// A [Worker] computes a unit on one device and gives a result whose CID every
// other machine would give too. [Local] is a crew of one worker. A [Verifier]
// computes again what a log claims.
//
//	w := work.NewWorker(device)
//	result, err := w.Do(ctx, blocks, u) // a miner, an auditor, a test
package work

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// Worker does units on one device. What it keeps from one unit to the next
// (buffers, the last parameters) changes how long a unit takes, never its
// result. One goroutine at a time may use it.
type Worker struct {
	dev     kernel.Device
	engines []held[*nmt.Engine] // by shape
	sets    []held[*tensor.Set] // by CID
	texts   []held[model.Tokenizer]
}

// held is a value kept for the next unit, and what it is known by.
type held[T any] struct {
	key   any
	value T
}

// keep is how many sets a worker holds: the parameters of this round and of
// the last, the moments, and a model to translate with.
const keep = 4

// recall returns the value known by key, moved to the end of the list.
func recall[T any](list []held[T], key any) (T, bool) {
	for i, h := range list {
		if h.key == key {
			copy(list[i:], list[i+1:])
			list[len(list)-1] = h
			return h.value, true
		}
	}
	var none T
	return none, false
}

// remember appends a value and lets go of the one not used for longest.
func remember[T any](list []held[T], key any, value T) []held[T] {
	if len(list) == keep {
		list = append(list[:0], list[1:]...)
	}
	return append(list, held[T]{key, value})
}

// forget lets go of a value.
func forget[T any](list []held[T], key any) []held[T] {
	return slices.DeleteFunc(list, func(h held[T]) bool { return h.key == key })
}

// NewWorker returns a worker on dev.
func NewWorker(dev kernel.Device) *Worker { return &Worker{dev: dev} }

// Device is what the worker computes on.
func (w *Worker) Device() kernel.Device { return w.dev }

// Do runs one unit of work. It is a pure function of the unit: same unit,
// same result, on any device. Inputs are read from b and outputs put there.
// A fault of the arithmetic is in the result; an error means that the unit
// could not be tried: an input is missing or is not what the unit says, or, a
// [kernel.ErrDevice], the device broke down.
func (w *Worker) Do(ctx context.Context, b block.Blocks, u unit.Unit) (unit.Result, error) {
	if err := u.Validate(); err != nil {
		return unit.Result{}, err
	}
	r, err := w.do(ctx, b, u)
	if errors.Is(err, nmt.ErrNonFinite) {
		detail := err.Error()
		r, err = unit.Result{Defect: unit.NonFinite, Detail: detail[:min(len(detail), unit.MaxDetail)]}, nil
	}
	if err != nil {
		return unit.Result{}, fmt.Errorf("%s unit %s: %w", u.Kind, u.ID(), err)
	}
	r.Version, r.Unit = 1, u.ID()
	return r, nil
}

// do does a valid unit.
func (w *Worker) do(ctx context.Context, b block.Blocks, u unit.Unit) (r unit.Result, err error) {
	defer kernel.Recover(&err)
	switch u.Kind {
	case unit.Gradient, unit.LocalSteps:
		r, err = w.learn(ctx, b, u)
	case unit.Combine:
		r, err = w.combine(ctx, b, u)
	case unit.Evaluate:
		r, err = w.evaluate(ctx, b, u)
	case unit.Translate:
		r, err = w.translate(ctx, b, u)
	case unit.Average:
		r, err = w.average(ctx, b, u)
	}
	return r, err
}

// params returns the unit's parameters: from memory, or one step on from
// those of the round before, or read whole.
func (w *Worker) params(ctx context.Context, b block.Blocks, u unit.Unit, shape nmt.Config) (*tensor.Set, error) {
	if s, ok := recall(w.sets, u.Inputs[0]); ok {
		return s, nil
	}
	if base, ok := recall(w.sets, u.Base); ok && u.Base.Defined() {
		step, err := run.GetDelta(ctx, b, u.Update)
		if err != nil {
			return nil, err
		}
		next, err := train.Advance(w.dev, base, step)
		if err != nil {
			return nil, err
		}
		if got := state.SumSet(next); got != u.Inputs[0] {
			return nil, fmt.Errorf("parameters: %s and update %s give %s, the unit says %s", u.Base, u.Update, got, u.Inputs[0])
		}
		w.sets = remember(w.sets, any(u.Inputs[0]), next)
		return next, nil
	}
	return w.set(ctx, b, u.Inputs[0], shape)
}

// moment reads the second moment that round r of a run begins with.
func (w *Worker) moment(ctx context.Context, b block.Blocks, l block.Link, run run.Record, params *tensor.Set, r int) (*tensor.Set, error) {
	if !run.Config.Local(r) {
		return w.set(ctx, b, l, run.Model())
	}
	if s, ok := recall(w.sets, l); ok {
		return s, nil
	}
	s, err := state.GetSet(ctx, b, l)
	if err != nil {
		return nil, fmt.Errorf("second moment: %w", err)
	}
	if err := train.FactorsFit(params, s); err != nil {
		return nil, fmt.Errorf("set %s: %w", l, err)
	}
	w.sets = remember(w.sets, any(l), s)
	return s, nil
}

// set reads the parameters of a Transformer of the given shape.
func (w *Worker) set(ctx context.Context, b block.Blocks, l block.Link, shape nmt.Config) (*tensor.Set, error) {
	if s, ok := recall(w.sets, l); ok {
		return s, nil
	}
	s, err := state.GetSet(ctx, b, l)
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	if err := shape.Check(s); err != nil {
		return nil, fmt.Errorf("parameters %s: %w", l, err)
	}
	s = s.On(w.dev)
	w.sets = remember(w.sets, any(l), s)
	return s, nil
}

func (w *Worker) engine(shape nmt.Config) *nmt.Engine {
	if e, ok := recall(w.engines, shape); ok {
		return e
	}
	e := nmt.NewEngine(w.dev, shape)
	w.engines = remember(w.engines, any(shape), e)
	return e
}
