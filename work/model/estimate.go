package model

import (
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/unit"
)

// What is known of a cost before the work is done. Schedules are
// made of these numbers. What is paid follows from results; package check has its bounds.

// Estimate is the approximate cost, in MFLOP, of a unit of kind k that computes
// tokens with a model of elements parameters. It is at least 1.
func Estimate(k unit.Kind, elements, tokens uint64) uint64 {
	return max(1, k.FLOP()*elements*tokens/1_000_000)
}

// Elements is the number of elements of the model's parameters.
func (h *Head) Elements() uint64 { return h.Model.Config().Elements() }

// Estimate is the approximate cost of the translation of a text, in MFLOP. Terms that the
// model cannot write count nothing: nobody translates them.
func (h *Head) Estimate(in unit.Text, d unit.Decoding) uint64 {
	var tokens uint64
	beam := int(max(1, d.Beam))
	for i, s := range in.Segments {
		width := beam
		if terms, err := Spell(h.Tokenizer, in.TermsOf(i)); err == nil {
			width = nmt.TermWidth(beam, nmt.TermTokens(terms))
		}
		tokens += uint64(len(h.Tokenizer.Source(s))+1) * uint64(width)
	}
	return Estimate(unit.Translate, h.Elements(), tokens)
}

// SourceTokens is the number of tokens of a segment that are translated. A segment without tokens
// stays empty.
func SourceTokens(tok Tokenizer, segment string) int {
	return min(len(tok.Source(segment)), maxSource)
}

// MostTokens is the most tokens of a translation of source tokens, without terms.
func MostTokens(source int) int { return min(nmt.TwicePlusTen(source), nmt.MaxLength-1) }

// Search is what the search for the translation of a segment may take.
type Search struct {
	Width  int // the most live hypotheses; 0 is greedy search
	Terms  int // tokens of the terms
	Most   int // tokens of the translation
	Banned int // tokens that a step may ban at most, as repetitions
}

// SearchOf is the search for the translation of a segment of source tokens with terms, which [Spell]
// may refuse.
func SearchOf(tok Tokenizer, source int, terms []string, d unit.Decoding) (Search, error) {
	s := Search{Most: MostTokens(source)}
	if len(terms) == 0 {
		if d.Beam > 1 {
			s.Width = int(d.Beam)
		}
		s.Banned = repeats(d).Most(s.Most)
		return s, nil
	}
	spelt, err := Spell(tok, terms)
	if err != nil {
		return Search{}, err
	}
	s.Terms = nmt.TermTokens(spelt)
	s.Width, s.Most = nmt.TermWidth(int(d.Beam), s.Terms), nmt.TermLimit(nmt.TwicePlusTen(source), s.Terms)
	return s, nil
}
