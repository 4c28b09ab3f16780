package check

import (
	"context"
	"fmt"
	"slices"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// training is what all units of a run have in common.
type training struct {
	run      run.Record
	meter    *nmt.Meter
	params   *tensor.Set // names, types and shapes alone, of what the run trains
	elements uint64      // of the model's parameters

	// Costs that depend on the parameters alone: to quantise a delta, of each
	// local step beside its gradient, and of a combine and of each delta in it; with
	// adapters, to merge them into the parameters and to project a gradient.
	quantize, step, combine, each uint64
	merge, project                uint64

	model                               Output // parameters of the whole model
	parameters, momentum, delta, update Output
	second, factored                    Output // second moments: of the parameters' form, and in factors
}

// training reads the record of the run that a unit belongs to.
func (c *Checker) training(ctx context.Context, b block.Blocks, work block.Link) (*training, error) {
	return recall(c, &c.runs, work, func() (*training, error) {
		record, err := run.Read(ctx, b, work)
		if err != nil {
			return nil, err
		}
		t := &training{run: record, meter: c.meter(record.Model()), params: record.Trained().Skeleton(), elements: record.Model().Elements()}
		t.quantize = train.QuantizeCost(t.params)
		t.step = train.LocalStepsCost(t.params, 1) - train.LocalStepsCost(t.params, 0)
		t.combine = train.CombineCost(t.params, 0)
		t.each = train.CombineCost(t.params, 1) - t.combine
		if record.Config.LoRA > 0 {
			t.merge, t.project = train.MergeCost(t.params), train.ProjectCost(t.params)
		}
		return t, t.forms()
	})
}

// forms finds the forms of all outputs that the run's units have.
func (t *training) forms() error {
	scales := func(tensor string) rule {
		if run.IsScale(tensor) {
			return nonNegative // the quotient of a largest magnitude
		}
		return any32
	}
	delta, err := run.DeltaForm(t.params, t.run.Config.DeltaBits)
	if err != nil {
		return err
	}
	update, err := run.DeltaForm(t.params, t.run.Config.UpdateBits)
	if err != nil {
		return err
	}
	for _, o := range []struct {
		to   *Output
		name string
		set  *tensor.Set
		rule func(string) rule
	}{
		{&t.model, "parameters", t.run.Model().Skeleton(), each(finite)},
		{&t.parameters, "parameters", t.params, each(finite)},
		{&t.momentum, "first moment", t.params, each(finite)},
		{&t.second, "second moment", t.params, each(nonNegative)}, // a mean of squares
		{&t.factored, "second moment", train.FactorsForm(t.params), each(nonNegative)},
		{&t.delta, "delta", delta, scales},
		{&t.update, "update", update, scales},
	} {
		if *o.to, err = newOutput(o.name, o.set, o.rule); err != nil {
			return err
		}
	}
	return nil
}

// gradient expects a Gradient's or a LocalSteps' result.
func (c *Checker) gradient(ctx context.Context, b block.Blocks, u unit.Unit, e *Expectation) error {
	t, err := c.training(ctx, b, u.Work)
	if err != nil {
		return err
	}
	first := 1
	if u.Kind == unit.LocalSteps {
		first = 2
	}
	sizes, err := t.batches(ctx, b, u.Inputs[first:], e)
	if err != nil {
		return err
	}
	e.Cost = exactly(t.learning(u.Kind, sizes))
	if u.Kind == unit.Gradient {
		e.Outputs = []Output{t.delta}
		return nil
	}
	delta := t.delta
	cfg := t.run.Config
	steps := (len(sizes) + int(cfg.Accumulate) - 1) / int(cfg.Accumulate)
	if most, ok := cfg.MaxScale(cfg.Position(int(u.Round), int(t.run.Steps)), steps); ok {
		delta.rules = slices.Clone(delta.rules)
		for i, r := range delta.rules {
			if r == nonNegative { // scales
				delta.rules[i] = within(most)
			}
		}
	}
	e.Outputs = []Output{delta, t.factored}
	return nil
}

// learning is the cost, in FLOP, of a Gradient or a LocalSteps of batches of these sizes.
func (t *training) learning(k unit.Kind, batches []nmt.Sizes) uint64 {
	if k == unit.Gradient {
		return t.merge + t.meter.Gradient(batches...) + t.project + t.quantize
	}
	cost := t.quantize
	for step := range slices.Chunk(batches, int(t.run.Config.Accumulate)) {
		cost += t.merge + t.meter.Gradient(step...) + t.project + t.step
	}
	return cost
}

// evaluating is the cost, in FLOP, of an Evaluate of a batch of this size.
func (t *training) evaluating(batch nmt.Sizes) uint64 { return t.merge + t.meter.Loss(batch) }

// combining is the cost, in FLOP, of a Combine of the outputs of units units.
func (t *training) combining(units int) uint64 { return t.combine + uint64(units)*t.each }

// averaging is the cost, in FLOP, of an Average of sets sets.
func (t *training) averaging(sets int) uint64 { return uint64(sets+1) * t.elements }

// evaluate expects an Evaluate's result.
func (c *Checker) evaluate(ctx context.Context, b block.Blocks, u unit.Unit, e *Expectation) error {
	t, err := c.training(ctx, b, u.Work)
	if err != nil {
		return err
	}
	sizes, err := t.batches(ctx, b, u.Inputs[1:], e)
	if err != nil {
		return err
	}
	e.Cost = exactly(t.evaluating(sizes[0]))
	return nil
}

// batches measures batches, and expects their tokens and losses.
func (t *training) batches(ctx context.Context, b block.Blocks, links []block.Link, e *Expectation) ([]nmt.Sizes, error) {
	sizes := make([]nmt.Sizes, len(links))
	for i, l := range links {
		batch, err := run.ReadBatch(ctx, b, l, t.run)
		if err != nil {
			return nil, err
		}
		if sizes[i], err = t.sizes(batch); err != nil {
			return nil, fmt.Errorf("batch %s: %w", l, err)
		}
		e.Read += sizes[i].Target
	}
	e.Tokens = exactly(uint64(uint32(e.Read))) // as a result has them
	e.measures, e.smooths = true, t.run.Config.SmoothingPPM > 0
	return sizes, nil
}

// sizes measures a batch.
func (t *training) sizes(batch nmt.Batch) (nmt.Sizes, error) {
	return nmt.SizesOf(t.run.Model(), batch)
}

// combine expects a Combine's result.
func (c *Checker) combine(ctx context.Context, b block.Blocks, u unit.Unit, e *Expectation) error {
	t, err := c.training(ctx, b, u.Work)
	if err != nil {
		return err
	}
	cfg, round, each := t.run.Config, int(u.Round), 1
	if cfg.Local(round) {
		each = 2
	}
	given := len(u.Inputs) - 3
	if given%each != 0 {
		return fmt.Errorf("%d outputs, want a multiple of %d, the outputs of each unit", given, each)
	}
	second := t.second
	if cfg.Local(round) || cfg.Local(round+1) { // or the next round's units take several steps
		second = t.factored
	}
	e.Cost = exactly(t.combining(given / each))
	e.Outputs = []Output{t.parameters, t.momentum, second, t.update}
	return nil
}

// average expects an Average's result.
func (c *Checker) average(ctx context.Context, b block.Blocks, u unit.Unit, e *Expectation) error {
	t, err := c.training(ctx, b, u.Work)
	if err != nil {
		return err
	}
	e.Cost = exactly(t.averaging(len(u.Inputs)))
	e.Outputs = []Output{t.model}
	return nil
}
