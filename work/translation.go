package work

import (
	"context"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
)

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
