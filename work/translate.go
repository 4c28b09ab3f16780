package work

import (
	"context"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/unit"
)

// translate computes a [unit.Translate] unit.
func (w *Worker) translate(ctx context.Context, b block.Blocks, u unit.Unit) (unit.Result, error) {
	m, err := model.Read(ctx, b, u.Inputs[0])
	if err != nil {
		return unit.Result{}, err
	}
	tok, err := w.tokenizer(ctx, b, m)
	if err != nil {
		return unit.Result{}, err
	}
	params, err := w.set(ctx, b, m.Params, m.Config())
	if err != nil {
		return unit.Result{}, err
	}
	var in unit.Text
	if err := block.GetNode(ctx, b, u.Inputs[1], &in); err != nil {
		return unit.Result{}, fmt.Errorf("text: %w", err)
	}
	if err := in.Validate(); err != nil {
		return unit.Result{}, fmt.Errorf("text %s: %w", u.Inputs[1], err)
	}
	out := in.Translation(nil)
	var r unit.Result
	out.Segments, r.Tokens, r.Cost, err = model.TranslateSegments(&stepwise{Engine: w.decoder(m), step: func(done int) error {
		w.progress(done, len(in.Segments))
		return ctx.Err()
	}}, tok, params, in, u.Decoding)
	if err != nil {
		return unit.Result{}, err
	}
	l, err := block.PutNode(ctx, b, out)
	r.Outputs = []block.Link{l}
	return r, err
}

// stepwise is an engine that calls step after each group of sentences, with the
// number of sentences decoded so far. An error of step ends the translation.
type stepwise struct {
	model.Engine
	done int
	step func(done int) error
}

// Decode decodes one group of sentences.
func (s *stepwise) Decode(params *tensor.Set, sources [][]int32, d unit.Decoding) ([][]int32, uint64, error) {
	targets, cost, err := s.Engine.Decode(params, sources, d)
	if err != nil {
		return nil, 0, err
	}
	s.done += len(sources)
	return targets, cost, s.step(s.done)
}

// Constrain decodes one group of sentences with terms.
func (s *stepwise) Constrain(
	params *tensor.Set, sources [][]int32, terms [][]nmt.Term, edges nmt.Edges, d unit.Decoding,
) ([][]int32, uint64, error) {
	targets, cost, err := s.Engine.Constrain(params, sources, terms, edges, d)
	if err != nil {
		return nil, 0, err
	}
	s.done += len(sources)
	return targets, cost, s.step(s.done)
}

// tokenizer reads the tokenizer of m.
func (w *Worker) tokenizer(ctx context.Context, b block.Blocks, m model.Model) (model.Tokenizer, error) {
	if tok, ok := recall(w.tokenizers, m.Tokenizer); ok {
		return tok, nil
	}
	tok, err := m.ReadTokenizer(ctx, b)
	if err != nil {
		return nil, err
	}
	w.tokenizers = remember(w.tokenizers, any(m.Tokenizer), tok)
	return tok, nil
}

// decoderKey says which models one engine translates with.
type decoderKey struct {
	version uint16
	config  nmt.Config
}

// decoder returns an engine that translates with models of the shape of m.
func (w *Worker) decoder(m model.Model) model.Engine {
	key := decoderKey{m.Version, m.Config()}
	if e, ok := recall(w.decoders, key); ok {
		return e
	}
	e := m.NewEngine(w.dev)
	w.decoders = remember(w.decoders, any(key), e)
	return e
}
