package model

import (
	"fmt"
	"slices"

	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/text"
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
	out := make([]string, len(in.Segments))
	var tokens uint32
	var cost uint64
	err := eachGroup(tok, in, func(g group) error {
		var targets [][]int32
		var c uint64
		var err error
		if g.terms == nil {
			targets, c, err = e.Decode(params, g.sources, d)
		} else {
			targets, c, err = e.Constrain(params, g.sources, g.terms, g.edges, d)
		}
		if err != nil {
			return err
		}
		for i, ids := range targets {
			out[g.at[i]] = tok.Decode(ids)
			var terms []nmt.Term
			if g.terms != nil {
				terms = g.terms[i]
			}
			source := g.sources[i]
			show(g.at[i], decoded{source, ids, nmt.TermLimit(nmt.TwicePlusTen(len(source)), nmt.TermTokens(terms))})
			tokens += uint32(len(ids))
		}
		cost += c
		return nil
	})
	if err != nil {
		return nil, 0, 0, err
	}
	return out, tokens, cost, nil
}

// group is segments of a text that are decoded together.
type group struct {
	at      []int // by source: its segment
	sources [][]int32
	terms   [][]nmt.Term // by source; nil where none has terms
	edges   nmt.Edges    // where there are terms
}

// eachGroup calls do for all segments of a text that have tokens: the others are not given to
// an engine. Those without terms come first.
func eachGroup(tok Tokenizer, in unit.Text, do func(group) error) error {
	plain, termed, err := divide(tok, in)
	if err != nil {
		return err
	}
	var edges nmt.Edges
	if len(termed.at) > 0 {
		edges.Joins, edges.Opens = tok.Edges()
	}
	for _, w := range []wanted{plain, termed} {
		for from := 0; from < len(w.at); from += together {
			to := min(from+together, len(w.at))
			g := group{at: w.at[from:to], sources: w.sources[from:to]}
			if w.terms != nil {
				g.terms, g.edges = make([][]nmt.Term, to-from), edges // not of all: they take memory
				for i := range g.terms {
					if g.terms[i], err = Spell(tok, w.terms[from+i]); err != nil {
						return err
					}
				}
			}
			if err := do(g); err != nil {
				return err
			}
		}
	}
	return nil
}

// Ranked is one of several translations of a segment.
type Ranked struct {
	Text  string
	Score float32 // see [nmt.Scored]
	Cut   bool    // it is as long as the model may make one, so its end may be missing
}

// Rank gives the n best translations of each segment, the best first, of those that a search
// with the beam of d finds. No two are the same text, so there may be fewer than n. With a
// beam of 2 or more the first is that of [Translator.TranslateText].
//
// Each begins with the beginning of its segment, after [text.Normalize]: any text that the model
// can write, which may end within a word. beginnings may be nil. A segment without tokens has
// one translation, its beginning.
func (t *Translator) Rank(e Engine, in unit.Text, beginnings []string, d unit.Decoding, n int) ([][]Ranked, error) {
	if err := in.Validate(); err != nil {
		return nil, err
	}
	if beginnings != nil && len(beginnings) != len(in.Segments) {
		return nil, fmt.Errorf("%d beginnings of %d segments", len(beginnings), len(in.Segments))
	}
	out := make([][]Ranked, len(in.Segments))
	first := make([][]int32, len(in.Segments))
	for i := range out {
		out[i] = []Ranked{{}}
		if beginnings != nil {
			var err error
			if out[i][0].Text, first[i], err = begin(t.Tokenizer, beginnings[i]); err != nil {
				return nil, err
			}
		}
	}
	err := eachGroup(t.Tokenizer, in, func(g group) error {
		begins := make([][]int32, len(g.at))
		for i, at := range g.at {
			begins[i] = first[at]
		}
		all, err := e.Rank(t.Prepared(), g.sources, begins, g.terms, g.edges, d)
		if err != nil {
			return err
		}
		for i, ranking := range all {
			forced := len(begins[i])
			if g.terms != nil {
				forced += nmt.TermTokens(g.terms[i])
			}
			limit := nmt.TermLimit(nmt.TwicePlusTen(len(g.sources[i])), forced)
			out[g.at[i]] = distinct(t.Tokenizer, ranking, n, limit)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// begin is the beginning of a translation, as a model writes it, and its tokens.
func begin(tok Tokenizer, s string) (string, []int32, error) {
	s = text.Normalize(s)
	if s == "" {
		return "", nil, nil
	}
	spaced, bare := tok.Spell(s)
	for _, tokens := range [][]int32{spaced, bare} {
		if len(tokens) > 0 && tok.Decode(tokens) == s {
			return s, tokens, nil
		}
	}
	return "", nil, fmt.Errorf("the model cannot write the beginning %q: its vocabulary lacks a character of it, or it changes it", s)
}

// distinct is the first n texts of a ranking of translations with at most limit tokens.
func distinct(tok Tokenizer, ranking []nmt.Scored, n, limit int) (out []Ranked) {
	for _, s := range ranking {
		r := Ranked{tok.Decode(s.Tokens), s.Score, len(s.Tokens) >= limit}
		if len(out) < n && !slices.ContainsFunc(out, func(o Ranked) bool { return o.Text == r.Text }) {
			out = append(out, r)
		}
	}
	return out
}
