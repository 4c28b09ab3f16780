// Package work computes units and verifies the results of others.
//
// A [Worker] computes a unit on one device, and gives a result whose CID every
// other machine would give too. [Local] is a crew of one worker. A [Verifier]
// computes again the units that the log of a run claims to be done, and names
// the first difference.
//
// The table tasks has the function that computes each kind of unit. The table of
// package unit has the properties of each kind, such as its number of inputs.
//
//	w := work.NewWorker(device)
//	result, err := w.Do(ctx, blocks, u) // a miner, an auditor, a test
//
//	v := &work.Verifier{Worker: w, Claims: claims, Report: report}
//	err = v.Rounds(ctx, history, 0, len(history)-1) // ErrDiffers: a claim is false
package work

import (
	"context"
	"errors"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/unit"
)

// tasks is the table of kinds: the function that computes a valid unit of each.
// A new kind is a row here, a row in the table of package unit, and a file with
// the function. It is no variable, so that programs without a worker are linked without
// what computes.
func tasks() map[unit.Kind]func(w *Worker, ctx context.Context, b block.Blocks, u unit.Unit) (unit.Result, error) {
	return map[unit.Kind]func(w *Worker, ctx context.Context, b block.Blocks, u unit.Unit) (unit.Result, error){
		unit.Gradient:   (*Worker).gradient,
		unit.Combine:    (*Worker).combine,
		unit.Evaluate:   (*Worker).evaluate,
		unit.Translate:  (*Worker).translate,
		unit.LocalSteps: (*Worker).localSteps,
		unit.Average:    (*Worker).average,
	}
}

// Worker computes units on one device. It keeps buffers and the last parameters
// from one unit to the next, which makes the next one faster and never changes
// its result. One goroutine at a time may use it.
type Worker struct {
	// Progress, unless nil, is called with the part of a unit computed by Do, from 0
	// to 1, after each local step and after each group of sentences.
	Progress func(done float64)

	dev        kernel.Device
	sets       []kept[*tensor.Set]     // by CID
	merged     kept[*tensor.Set]       // storage for merged parameters, by the CID of those without adapters
	engines    []kept[*nmt.Engine]     // to train with, by configuration
	decoders   []kept[model.Engine]    // to translate with, by version and configuration
	tokenizers []kept[model.Tokenizer] // by CID
}

// NewWorker returns a worker on dev.
func NewWorker(dev kernel.Device) *Worker { return &Worker{dev: dev} }

// Device is the device that the worker computes on.
func (w *Worker) Device() kernel.Device { return w.dev }

// progress reports that done of all parts of a unit are computed.
func (w *Worker) progress(done, all int) {
	if w.Progress != nil {
		w.Progress(float64(done) / float64(all))
	}
}

// Do computes one unit. The result is a function of the unit alone: every
// device gives the same bits. Do reads inputs from b and puts outputs there.
//
// A NaN or an infinity is a defect in the result, not an error. An error means
// that Do could not compute the unit: an input is missing or is not what the
// unit says, or the device broke down ([kernel.ErrDevice]).
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

// do looks the task up; a device that breaks down panics, which do makes an error.
func (w *Worker) do(ctx context.Context, b block.Blocks, u unit.Unit) (r unit.Result, err error) {
	defer kernel.Recover(&err)
	return tasks()[u.Kind](w, ctx, b, u)
}
