package work

import (
	"context"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/unit"
)

func (w *Worker) translate(ctx context.Context, b block.Blocks, u unit.Unit) (unit.Result, error) {
	m, err := model.Read(ctx, b, u.Inputs[0])
	if err != nil {
		return unit.Result{}, err
	}
	tok, ok := recall(w.texts, m.Tokenizer)
	if !ok {
		if tok, err = m.ReadTokenizer(ctx, b); err != nil {
			return unit.Result{}, err
		}
		w.texts = remember(w.texts, any(m.Tokenizer), tok)
	}
	params, err := w.set(ctx, b, m.Params, m.Config())
	if err != nil {
		return unit.Result{}, err
	}
	var in unit.Text
	if err := block.GetNode(ctx, b, u.Inputs[1], &in); err != nil {
		return unit.Result{}, fmt.Errorf("text: %w", err)
	}
	if in.Version != 1 {
		return unit.Result{}, fmt.Errorf("text %s: version %d, this program knows 1", u.Inputs[1], in.Version)
	}
	out := unit.Text{Version: 1}
	var r unit.Result
	out.Segments, r.Tokens, r.Cost, err = model.TranslateSegments(w.engine(m.Config()), tok, params, in.Segments, u.Decoding)
	if err != nil {
		return unit.Result{}, err
	}
	l, err := block.PutNode(ctx, b, out)
	r.Outputs = []block.Link{l}
	return r, err
}
