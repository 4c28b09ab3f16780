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

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/train"
)

// Worker does units on one device. What it keeps from one unit to the next
// (buffers, the last parameters) changes how long a unit takes, never its
// result. One goroutine at a time may use it.
type Worker struct {
	dev     kernel.Device
	engines []held[*nmt.Engine] // by shape
	sets    []held[*tensor.Set] // by CID
	texts   []held[*text.Tokenizer]
}

// held is a value kept for the next unit, and what it is known by.
type held[T any] struct {
	key   any
	value T
}

// keep is how many sets a worker holds: the parameters of this round and of
// the last, and a model to translate with.
const keep = 3

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

// NewWorker returns a worker on dev.
func NewWorker(dev kernel.Device) *Worker { return &Worker{dev: dev} }

// Device is what the worker computes on.
func (w *Worker) Device() kernel.Device { return w.dev }

// Do runs one unit of work. It is a pure function of the unit: same unit,
// same result, on any device. Inputs are read from b and outputs put there.
// A fault of the arithmetic is in the result; an error means that the unit
// could not be tried: an input is missing or is not what the unit says.
func (w *Worker) Do(ctx context.Context, b block.Blocks, u Unit) (Result, error) {
	if err := u.validate(); err != nil {
		return Result{}, err
	}
	var r Result
	var err error
	switch u.Kind {
	case Gradient:
		r, err = w.gradient(ctx, b, u)
	case Combine:
		r, err = w.combine(ctx, b, u)
	case Evaluate:
		r, err = w.evaluate(ctx, b, u)
	case Translate:
		r, err = w.translate(ctx, b, u)
	}
	if errors.Is(err, nmt.ErrNonFinite) {
		r, err = Result{Fault: NonFinite}, nil
	}
	if err != nil {
		return Result{}, fmt.Errorf("%s unit %s: %w", u.Kind, u.ID(), err)
	}
	r.Version, r.Unit = 1, u.ID()
	return r, nil
}

func (w *Worker) gradient(ctx context.Context, b block.Blocks, u Unit) (Result, error) {
	run, params, batch, err := w.lesson(ctx, b, u)
	if err != nil {
		return Result{}, err
	}
	g, err := w.engine(run.Model()).Gradient(params, []nmt.Batch{batch}, run.dropout(u))
	if err != nil {
		return Result{}, err
	}
	d := train.Quantize(w.dev, g.Grads)
	out, err := putDelta(ctx, b, d)
	if err != nil {
		return Result{}, err
	}
	r := sums(g.Loss, g.NLL, g.Tokens, g.Cost+train.QuantizeCost(g.Grads))
	r.Outputs = []block.Link{out}
	return r, nil
}

// dropout is what a gradient unit's dropout masks are drawn by: the run's
// seed, and the unit's place in the run.
func (r Run) dropout(u Unit) nmt.Key {
	return nmt.Key{Seed: r.Config.Seed, Step: u.Round*r.Config.Workers + u.Index}
}

func (w *Worker) evaluate(ctx context.Context, b block.Blocks, u Unit) (Result, error) {
	run, params, batch, err := w.lesson(ctx, b, u)
	if err != nil {
		return Result{}, err
	}
	l, err := w.engine(run.Model()).Loss(params, batch)
	if err != nil {
		return Result{}, err
	}
	return sums(l.Loss, l.NLL, l.Tokens, l.Cost), nil
}

func sums(loss, nll float32, tokens int, cost uint64) Result {
	return Result{Loss: math.Float32bits(loss), NLL: math.Float32bits(nll), Tokens: uint32(tokens), Cost: cost}
}

// lesson reads what Gradient and Evaluate have in common: the run, the
// parameters and the batch.
func (w *Worker) lesson(ctx context.Context, b block.Blocks, u Unit) (Run, *tensor.Set, nmt.Batch, error) {
	run, err := ReadRun(ctx, b, u.Work)
	if err != nil {
		return Run{}, nil, nmt.Batch{}, err
	}
	params, err := w.params(ctx, b, u, run.Model())
	if err != nil {
		return Run{}, nil, nmt.Batch{}, err
	}
	batch, err := readBatch(ctx, b, u.Inputs[1], int(run.Vocab))
	return run, params, batch, err
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
	for i, at := range []**tensor.Set{&s.Params, &s.M, &s.V} {
		if *at, err = w.set(ctx, b, u.Inputs[i], run.Model()); err != nil {
			return Result{}, err
		}
	}
	var deltas []train.Delta
	for _, l := range u.Inputs[3:] {
		d, err := getDelta(ctx, b, l)
		if err != nil {
			return Result{}, err
		}
		deltas = append(deltas, d)
	}
	next, step, err := train.Combine(w.dev, run.Config, s, deltas, int(u.Round))
	if err != nil {
		return Result{}, err
	}
	if !next.Params.Finite() || !next.M.Finite() || !next.V.Finite() {
		return Result{}, nmt.ErrNonFinite
	}
	r := Result{Cost: train.CombineCost(s.Params, len(deltas))}
	for _, set := range []*tensor.Set{next.Params, next.M, next.V} {
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

func (w *Worker) translate(ctx context.Context, b block.Blocks, u Unit) (Result, error) {
	m, err := ReadModel(ctx, b, u.Inputs[0])
	if err != nil {
		return Result{}, err
	}
	tok, ok := recall(w.texts, m.Tokenizer)
	if !ok {
		if tok, err = readTokenizer(ctx, b, m.Tokenizer, int(m.Vocab)); err != nil {
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
func TranslateSegments(e *nmt.Engine, tok *text.Tokenizer, params *tensor.Set, segments []string, d Decoding) ([]string, uint32, uint64, error) {
	out := make([]string, len(segments))
	var sources [][]int32
	var at []int
	for i, s := range segments {
		if ids := tok.Encode(text.Normalize(s)); len(ids) > 0 {
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

func decode(e *nmt.Engine, params *tensor.Set, sources [][]int32, d Decoding) ([][]int32, uint64, error) {
	if d.Beam == 1 {
		return e.Greedy(params, sources, nmt.TwicePlusTen)
	}
	penalty := float32(float64(d.LengthPPM) / 1e6)
	return e.Beam(params, sources, nmt.TwicePlusTen, int(d.Beam), penalty)
}
