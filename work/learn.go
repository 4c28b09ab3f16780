package work

import (
	"context"
	"fmt"
	"math"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// lesson is what a unit learns from: its run, its place there, the parameters,
// the second moment where it takes several steps, and the batches.
type lesson struct {
	unit    unit.Unit
	run     run.Record
	params  *tensor.Set
	v       *tensor.Set // factored; nil for a Gradient
	batches []nmt.Batch
}

func (w *Worker) lesson(ctx context.Context, b block.Blocks, u unit.Unit) (lesson, error) {
	record, err := run.Read(ctx, b, u.Work)
	if err != nil {
		return lesson{}, err
	}
	l := lesson{unit: u, run: record}
	if l.params, err = w.params(ctx, b, u, record.Model()); err != nil {
		return lesson{}, err
	}
	batches := u.Inputs[1:]
	if u.Kind == unit.LocalSteps {
		if l.v, err = w.moment(ctx, b, u.Inputs[1], record, l.params, int(u.Round)); err != nil {
			return lesson{}, err
		}
		batches = u.Inputs[2:]
	}
	for _, in := range batches {
		batch, err := run.ReadBatch(ctx, b, in, int(record.Vocab))
		if err != nil {
			return lesson{}, err
		}
		l.batches = append(l.batches, batch)
	}
	return l, nil
}

// key is what the dropout masks of the lesson's batches, from the one at, are
// drawn by: the run's seed, and the batch's place in the run.
func (l lesson) key(at int) nmt.Key {
	first := l.run.Config.Batch(int(l.unit.Round), int(l.unit.Index))
	return nmt.Key{Seed: l.run.Config.Seed, Step: uint32(first + at)}
}

// learn does a Gradient or Steps unit.
func (w *Worker) learn(ctx context.Context, b block.Blocks, u unit.Unit) (unit.Result, error) {
	l, err := w.lesson(ctx, b, u)
	if err != nil {
		return unit.Result{}, err
	}
	engine := w.engine(l.run.Model())
	var sum nmt.LossSums
	gradient := func(at int, params *tensor.Set, batches []nmt.Batch) (*tensor.Set, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		g, err := engine.Gradient(params, batches, l.key(at))
		if err != nil {
			return nil, err
		}
		sum.Loss, sum.NLL = sum.Loss+g.Loss, sum.NLL+g.NLL
		sum.Tokens, sum.Cost = sum.Tokens+g.Tokens, sum.Cost+g.Cost
		return g.Grads, nil
	}
	if u.Kind == unit.Gradient {
		g, err := gradient(0, l.params, l.batches)
		if err != nil {
			return unit.Result{}, err
		}
		out, err := run.PutDelta(ctx, b, train.Quantize(w.dev, g, l.run.Config.DeltaBits))
		r := sums(sum)
		r.Cost += train.QuantizeCost(l.params)
		r.Outputs = []block.Link{out}
		return r, err
	}
	steps := 0
	given, err := w.walk(l, func(at int, params *tensor.Set, batches []nmt.Batch) (*tensor.Set, error) {
		steps++
		return gradient(at, params, batches)
	})
	if err != nil {
		return unit.Result{}, err
	}
	if !given.V.Finite() || !given.Scales.Finite() {
		return unit.Result{}, fmt.Errorf("%w: after %d steps", nmt.ErrNonFinite, steps)
	}
	delta, err := run.PutDelta(ctx, b, given.Delta)
	if err != nil {
		return unit.Result{}, err
	}
	v, err := state.PutSet(ctx, b, given.V)
	r := sums(sum)
	r.Cost += train.LocalStepsCost(l.params, steps)
	r.Outputs = []block.Link{delta, v}
	return r, err
}

// walk takes the steps of a lesson, with the gradients that the function gives
// of the batches from the one at.
func (w *Worker) walk(l lesson, gradient func(at int, params *tensor.Set, batches []nmt.Batch) (*tensor.Set, error)) (train.Contribution, error) {
	c := l.run.Config
	walk, err := train.NewLocalOptimizer(w.dev, c, c.Position(int(l.unit.Round), int(l.run.Steps)), l.params, l.v)
	if err != nil {
		return train.Contribution{}, err
	}
	for at := 0; at < len(l.batches); at += int(c.Accumulate) {
		g, err := gradient(at, walk.Params(), l.batches[at:min(at+int(c.Accumulate), len(l.batches))])
		if err != nil {
			return train.Contribution{}, fmt.Errorf("step %d: %w", at/int(c.Accumulate), err)
		}
		walk.Step(g)
	}
	return walk.Finish(), nil
}

func (w *Worker) evaluate(ctx context.Context, b block.Blocks, u unit.Unit) (unit.Result, error) {
	l, err := w.lesson(ctx, b, u)
	if err != nil {
		return unit.Result{}, err
	}
	s, err := w.engine(l.run.Model()).Loss(l.params, l.batches[0])
	return sums(s), err
}

func sums(s nmt.LossSums) unit.Result {
	return unit.Result{Loss: math.Float32bits(s.Loss), NLL: math.Float32bits(s.NLL), Tokens: uint32(s.Tokens), Cost: s.Cost}
}
