// Package work is the unit of work: input CIDs to output CIDs, the same on
// every machine.
//
// A [Unit] names what is to be computed by the CIDs of its inputs; [Worker.Do]
// computes it and gives a [Result] whose CID every other machine would give
// too. A training run is the loop of [Train]: plan a round, have its units
// done, do its combine. A crew of one process and a swarm differ only in who
// does the units.
//
//	w := work.NewWorker(device)
//	result, err := w.Do(ctx, blocks, unit) // a miner, an auditor, a test
package work

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/train"
)

// Worker does units on one device. What it keeps from one unit to the next
// (buffers, the last parameters) changes how long a unit takes, never its
// result. One goroutine at a time may use it.
type Worker struct {
	dev     kernel.Device
	engines []held[*nmt.Engine] // by shape
	sets    []held[*tensor.Set] // by CID
	texts   []held[Tokenizer]
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
func (w *Worker) Do(ctx context.Context, b block.Blocks, u Unit) (Result, error) {
	if err := u.validate(); err != nil {
		return Result{}, err
	}
	r, err := w.do(ctx, b, u)
	if errors.Is(err, nmt.ErrNonFinite) {
		detail := err.Error()
		r, err = Result{Fault: NonFinite, Detail: detail[:min(len(detail), maxDetail)]}, nil
	}
	if err != nil {
		return Result{}, fmt.Errorf("%s unit %s: %w", u.Kind, u.ID(), err)
	}
	r.Version, r.Unit = 1, u.ID()
	return r, nil
}

// do does a valid unit.
func (w *Worker) do(ctx context.Context, b block.Blocks, u Unit) (r Result, err error) {
	defer kernel.Recover(&err)
	switch u.Kind {
	case Gradient, Steps:
		r, err = w.learn(ctx, b, u)
	case Combine:
		r, err = w.combine(ctx, b, u)
	case Evaluate:
		r, err = w.evaluate(ctx, b, u)
	case Translate:
		r, err = w.translate(ctx, b, u)
	case Average:
		r, err = w.average(ctx, b, u)
	}
	return r, err
}

// lesson is what a unit learns from: its run, its place there, the parameters,
// the second moment where it takes several steps, and the batches.
type lesson struct {
	unit    Unit
	run     Run
	params  *tensor.Set
	v       *tensor.Set // factored; nil for a Gradient
	batches []nmt.Batch
}

func (w *Worker) lesson(ctx context.Context, b block.Blocks, u Unit) (lesson, error) {
	run, err := ReadRun(ctx, b, u.Work)
	if err != nil {
		return lesson{}, err
	}
	l := lesson{unit: u, run: run}
	if l.params, err = w.params(ctx, b, u, run.Model()); err != nil {
		return lesson{}, err
	}
	batches := u.Inputs[1:]
	if u.Kind == Steps {
		if l.v, err = w.moment(ctx, b, u.Inputs[1], run, l.params, int(u.Round)); err != nil {
			return lesson{}, err
		}
		batches = u.Inputs[2:]
	}
	for _, in := range batches {
		batch, err := readBatch(ctx, b, in, int(run.Vocab))
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
func (w *Worker) learn(ctx context.Context, b block.Blocks, u Unit) (Result, error) {
	l, err := w.lesson(ctx, b, u)
	if err != nil {
		return Result{}, err
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
	if u.Kind == Gradient {
		g, err := gradient(0, l.params, l.batches)
		if err != nil {
			return Result{}, err
		}
		out, err := putDelta(ctx, b, train.Quantize(w.dev, g, l.run.Config.DeltaBits))
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
		return Result{}, err
	}
	if !given.V.Finite() || !given.Scales.Finite() {
		return Result{}, fmt.Errorf("%w: after %d steps", nmt.ErrNonFinite, steps)
	}
	delta, err := putDelta(ctx, b, given.Delta)
	if err != nil {
		return Result{}, err
	}
	v, err := PutSet(ctx, b, given.V)
	r := sums(sum)
	r.Cost += train.WalkCost(l.params, steps)
	r.Outputs = []block.Link{delta, v}
	return r, err
}

// walk takes the steps of a lesson, with the gradients that the function gives
// of the batches from the one at.
func (w *Worker) walk(l lesson, gradient func(at int, params *tensor.Set, batches []nmt.Batch) (*tensor.Set, error)) (train.Contribution, error) {
	c := l.run.Config
	walk, err := train.NewWalk(w.dev, c, c.Place(int(l.unit.Round), int(l.run.Steps)), l.params, l.v)
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

func (w *Worker) evaluate(ctx context.Context, b block.Blocks, u Unit) (Result, error) {
	l, err := w.lesson(ctx, b, u)
	if err != nil {
		return Result{}, err
	}
	s, err := w.engine(l.run.Model()).Loss(l.params, l.batches[0])
	return sums(s), err
}

func sums(s nmt.LossSums) Result {
	return Result{Loss: math.Float32bits(s.Loss), NLL: math.Float32bits(s.NLL), Tokens: uint32(s.Tokens), Cost: s.Cost}
}

// average does an Average unit.
func (w *Worker) average(ctx context.Context, b block.Blocks, u Unit) (Result, error) {
	run, err := ReadRun(ctx, b, u.Work)
	if err != nil {
		return Result{}, err
	}
	sets := make([]*tensor.Set, len(u.Inputs))
	for i, in := range u.Inputs {
		if sets[i], err = w.set(ctx, b, in, run.Model()); err != nil {
			return Result{}, err
		}
	}
	mean, err := train.Mean(w.dev, sets)
	if err != nil {
		return Result{}, err
	}
	out, err := PutSet(ctx, b, mean)
	return Result{Outputs: []block.Link{out}, Cost: uint64(len(sets)+1) * uint64(mean.Elements())}, err
}

// params returns the unit's parameters: from memory, or one step on from
// those of the round before, or read whole.
func (w *Worker) params(ctx context.Context, b block.Blocks, u Unit, shape nmt.Config) (*tensor.Set, error) {
	if s, ok := recall(w.sets, u.Inputs[0]); ok {
		return s, nil
	}
	if base, ok := recall(w.sets, u.Base); ok && u.Base.Defined() {
		step, err := getDelta(ctx, b, u.Update)
		if err != nil {
			return nil, err
		}
		next, err := train.Advance(w.dev, base, step)
		if err != nil {
			return nil, err
		}
		if got := SumSet(next); got != u.Inputs[0] {
			return nil, fmt.Errorf("parameters: %s and update %s give %s, the unit says %s", u.Base, u.Update, got, u.Inputs[0])
		}
		w.sets = remember(w.sets, any(u.Inputs[0]), next)
		return next, nil
	}
	return w.set(ctx, b, u.Inputs[0], shape)
}

// moment reads the second moment that round r of a run begins with.
func (w *Worker) moment(ctx context.Context, b block.Blocks, l block.Link, run Run, params *tensor.Set, r int) (*tensor.Set, error) {
	if run.Config.Inner(r) == 1 {
		return w.set(ctx, b, l, run.Model())
	}
	if s, ok := recall(w.sets, l); ok {
		return s, nil
	}
	s, err := GetSet(ctx, b, l)
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
	s, err := GetSet(ctx, b, l)
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

func (w *Worker) combine(ctx context.Context, b block.Blocks, u Unit) (Result, error) {
	run, err := ReadRun(ctx, b, u.Work)
	if err != nil {
		return Result{}, err
	}
	var s train.State
	for i, at := range []**tensor.Set{&s.Params, &s.M} {
		if *at, err = w.set(ctx, b, u.Inputs[i], run.Model()); err != nil {
			return Result{}, err
		}
	}
	round := int(u.Round)
	if s.V, err = w.moment(ctx, b, u.Inputs[2], run, s.Params, round); err != nil {
		return Result{}, err
	}
	from, err := contributions(ctx, b, u.Inputs[3:], run.Config.Inner(round) > 1)
	if err != nil {
		return Result{}, err
	}
	for _, in := range u.Inputs[:3] { // what was the state is no longer
		w.sets = forget(w.sets, any(in))
	}
	if s.M == s.Params { // one set under two names, which are written to
		s.M = s.M.Clone()
	}
	if s.V == s.Params || s.V == s.M { // as both moments are at the beginning
		s.V = s.V.Clone()
	}
	cost := train.CombineCost(s.Params, len(from))
	step, err := train.Combine(w.dev, run.Config, run.Config.Place(round, int(run.Steps)), &s, from, round)
	if err != nil {
		return Result{}, err
	}
	for _, set := range []*tensor.Set{s.Params, s.M, s.V} {
		if !set.Finite() {
			return Result{}, fmt.Errorf("%w: the state after the round", nmt.ErrNonFinite)
		}
	}
	r := Result{Cost: cost}
	for _, set := range []*tensor.Set{s.Params, s.M, s.V} {
		l, err := PutSet(ctx, b, set)
		if err != nil {
			return Result{}, err
		}
		w.sets = remember(w.sets, any(l), set)
		r.Outputs = append(r.Outputs, l)
	}
	update, err := putDelta(ctx, b, step)
	r.Outputs = append(r.Outputs, update)
	return r, err
}

// contributions reads the outputs of a round's units: of each a delta, and
// when they walked a second moment.
func contributions(ctx context.Context, b block.Blocks, outputs []block.Link, walked bool) ([]train.Contribution, error) {
	each := 1
	if walked {
		each = 2
	}
	if len(outputs)%each != 0 {
		return nil, fmt.Errorf("%d outputs of units that give %d each", len(outputs), each)
	}
	var from []train.Contribution
	for out := range slices.Chunk(outputs, each) {
		var c train.Contribution
		var err error
		if c.Delta, err = getDelta(ctx, b, out[0]); err != nil {
			return nil, err
		}
		if walked {
			if c.V, err = GetSet(ctx, b, out[1]); err != nil {
				return nil, fmt.Errorf("second moment: %w", err)
			}
		}
		from = append(from, c)
	}
	return from, nil
}

func (w *Worker) translate(ctx context.Context, b block.Blocks, u Unit) (Result, error) {
	m, err := ReadModel(ctx, b, u.Inputs[0])
	if err != nil {
		return Result{}, err
	}
	tok, ok := recall(w.texts, m.Tokenizer)
	if !ok {
		if tok, err = m.tokenizer(ctx, b); err != nil {
			return Result{}, err
		}
		w.texts = remember(w.texts, any(m.Tokenizer), tok)
	}
	params, err := w.set(ctx, b, m.Params, m.Shape())
	if err != nil {
		return Result{}, err
	}
	var in Text
	if err := block.GetNode(ctx, b, u.Inputs[1], &in); err != nil {
		return Result{}, fmt.Errorf("text: %w", err)
	}
	if in.Version != 1 {
		return Result{}, fmt.Errorf("text %s: version %d, this program knows 1", u.Inputs[1], in.Version)
	}
	out := Text{Version: 1}
	var r Result
	out.Segments, r.Tokens, r.Cost, err = TranslateSegments(w.engine(m.Shape()), tok, params, in.Segments, u.Decoding)
	if err != nil {
		return Result{}, err
	}
	l, err := block.PutNode(ctx, b, out)
	r.Outputs = []block.Link{l}
	return r, err
}

// maxSource is the most tokens of a segment that are translated; what lies
// beyond is left out, so that one line cannot take all of a machine's memory.
const maxSource = 512

// TranslateSegments translates each segment by itself: its output is a
// function of model, decoding and segment. It returns the segments, the
// tokens written and the cost in FLOP. An empty segment stays empty.
func TranslateSegments(e *nmt.Engine, tok Tokenizer, params *tensor.Set, segments []string, d Decoding) ([]string, uint32, uint64, error) {
	out := make([]string, len(segments))
	var sources [][]int32
	var at []int
	for i, s := range segments {
		if ids := tok.Source(s); len(ids) > 0 {
			sources = append(sources, ids[:min(len(ids), maxSource)])
			at = append(at, i)
		}
	}
	var tokens uint32
	var cost uint64
	const together = 64 // sentences decoded side by side
	for len(sources) > 0 {
		n := min(together, len(sources))
		targets, c, err := decode(e, params, sources[:n], d)
		if err != nil {
			return nil, 0, 0, err
		}
		for j, ids := range targets {
			out[at[j]] = tok.Decode(ids)
			tokens += uint32(len(ids))
		}
		cost += c
		sources, at = sources[n:], at[n:]
	}
	return out, tokens, cost, nil
}

// Decode translates sentences that are tokens, all side by side.
func Decode(e *nmt.Engine, params *tensor.Set, sources [][]int32, d Decoding) ([][]int32, error) {
	targets, _, err := decode(e, params, sources, d)
	return targets, err
}

func decode(e *nmt.Engine, params *tensor.Set, sources [][]int32, d Decoding) ([][]int32, uint64, error) {
	if d.Beam == 1 {
		return e.Greedy(params, sources, nmt.TwicePlusTen)
	}
	penalty := float32(float64(d.LengthPPM) / 1e6)
	return e.Beam(params, sources, nmt.TwicePlusTen, int(d.Beam), penalty)
}
