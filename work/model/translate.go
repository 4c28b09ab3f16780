package model

import (
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/unit"
)

// together is the sentences that are decoded together. It changes the speed,
// never a translation.
const together = 64

// TranslateSegments translates each segment of a text by itself: its translation is a
// function of model, decoding, segment and the segment's terms. An empty segment stays
// empty. It returns the translations, the number of tokens in them and the canonical cost
// in FLOP. It refuses a text that is not valid, and terms that the model cannot write,
// before the work.
func TranslateSegments(e Engine, tok Tokenizer, params *tensor.Set, in unit.Text, d unit.Decoding) ([]string, uint32, uint64, error) {
	return translateSegments(e, tok, params, in, d, func(int, decoded) {})
}

// decoded is the tokens of a segment and of its translation, which has at most limit.
type decoded struct {
	source, target []int32
	limit          int
}

// translateSegments is TranslateSegments, and shows the tokens of each segment that has any.
func translateSegments(
	e Engine, tok Tokenizer, params *tensor.Set, in unit.Text, d unit.Decoding, show func(segment int, x decoded),
) ([]string, uint32, uint64, error) {
	if err := in.Validate(); err != nil {
		return nil, 0, 0, err
	}
	// Segments without tokens are not given to the engine; the others are, those
	// without terms first.
	plain, termed, err := divide(tok, in)
	if err != nil {
		return nil, 0, 0, err
	}
	out := make([]string, len(in.Segments))
	var tokens uint32
	var cost uint64
	var edges nmt.Edges
	if len(termed.at) > 0 {
		edges.Joins, edges.Opens = tok.Edges()
	}
	for _, w := range []wanted{plain, termed} {
		for from := 0; from < len(w.at); from += together {
			to := min(from+together, len(w.at))
			var targets [][]int32
			var c uint64
			terms := make([][]nmt.Term, to-from) // not of all: they take memory
			if w.terms == nil {
				targets, c, err = e.Decode(params, w.sources[from:to], d)
			} else {
				for i := range terms {
					if terms[i], err = Spell(tok, w.terms[from+i]); err != nil {
						return nil, 0, 0, err
					}
				}
				targets, c, err = e.Constrain(params, w.sources[from:to], terms, edges, d)
			}
			if err != nil {
				return nil, 0, 0, err
			}
			for i, ids := range targets {
				out[w.at[from+i]] = tok.Decode(ids)
				source := w.sources[from+i]
				show(w.at[from+i], decoded{source, ids, nmt.TermLimit(nmt.TwicePlusTen(len(source)), nmt.TermTokens(terms[i]))})
				tokens += uint32(len(ids))
			}
			cost += c
		}
	}
	return out, tokens, cost, nil
}
