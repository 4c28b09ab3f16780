package node

import (
	"context"
	"slices"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/unit"
)

// Sample is a validation pair as a model in training translates it.
type Sample struct {
	Source      string `json:"source"`
	Reference   string `json:"reference"`
	Translation string `json:"translation"`
}

const (
	samples    = 4   // of a validation: enough to see a model learn
	sampleSize = 300 // characters of each text
)

// Samples are some validation pairs as the model of a round translates them, always the
// same pairs; none for a round without a validation. The store keeps the translations only
// for a while after the round.
func Samples(ctx context.Context, b block.Blocks, p *run.Plan, r run.Round) ([]Sample, error) {
	pairs := p.Corpus.Valid
	if len(r.Translated) == 0 || len(pairs) == 0 {
		return nil, nil
	}
	var out []Sample
	want := func(at int) int { return at * len(pairs) / samples }
	first := 0 // pair of the unit
	for _, l := range r.Translated {
		var result unit.Result
		var text unit.Text
		if err := block.GetNode(ctx, b, l.Result, &result); err != nil {
			return nil, err
		}
		if len(result.Outputs) != 1 {
			return nil, nil // the round is void, and is done again
		}
		if err := block.GetNode(ctx, b, result.Outputs[0], &text); err != nil {
			return nil, err
		}
		for i := want(len(out)); len(out) < samples && i < min(len(pairs), first+len(text.Segments)); i = want(len(out)) {
			out = append(out, Sample{cut(pairs[i].Source), cut(pairs[i].Target), cut(text.Segments[i-first])})
		}
		first += len(text.Segments)
	}
	return slices.Compact(out), nil // a corpus may have fewer pairs than samples
}

// cut is the beginning of a text.
func cut(text string) string {
	if r := []rune(text); len(r) > sampleSize {
		return string(r[:sampleSize-1]) + "…"
	}
	return text
}
