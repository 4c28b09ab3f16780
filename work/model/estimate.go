package model

import (
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/unit"
)

// What is known of a cost before the work is done. Schedules and budgets are
// made of these numbers; what is paid is the exact cost in a unit's result.

// Estimate is the approximate cost, in MFLOP, of a unit of kind k that computes
// tokens with a model of elements parameters. It is at least 1.
func Estimate(k unit.Kind, elements, tokens uint64) uint64 {
	return max(1, k.FLOP()*elements*tokens/1_000_000)
}

// Elements is the number of elements of the model's parameters.
func (h *Head) Elements() uint64 { return h.Model.Config().Elements() }

// Estimate is the approximate cost of a translation of segments, in MFLOP.
func (h *Head) Estimate(segments []string, d unit.Decoding) uint64 {
	var tokens uint64
	for _, s := range segments {
		tokens += uint64(len(h.Tokenizer.Source(s)) + 1)
	}
	return Estimate(unit.Translate, h.Elements(), tokens*uint64(max(1, d.Beam)))
}

// Most is the most that the translation of segments can cost, in MFLOP, however
// they are cut into units: each translation has the greatest length, and each
// segment is a unit whose cost is rounded up.
func (h *Head) Most(segments []string, d unit.Decoding) uint64 {
	cost := h.Model.family().most(h.Model, d)
	var flop uint64
	for _, s := range segments {
		if n := SourceTokens(h.Tokenizer, s); n > 0 {
			flop += cost(n)
		}
	}
	return (flop+999_999)/1_000_000 + uint64(len(segments))
}

// mostTransformer returns a function from the number of source tokens to the
// greatest cost, in FLOP, of decoding such a source with the engine of m.
func mostTransformer(m Model, d unit.Decoding) func(source int) uint64 {
	meter, width := nmt.NewMeter(m.Config()), int(d.Beam)
	if d.Beam == 1 {
		width = 0 // greedily
	}
	return func(source int) uint64 { return meter.Translation(source+1, MostTokens(source), width) }
}

// SourceTokens is the number of tokens of a segment that are translated. A segment without tokens
// stays empty.
func SourceTokens(tok Tokenizer, segment string) int {
	return min(len(tok.Source(segment)), maxSource)
}

// MostTokens is the most tokens of a translation of source tokens.
func MostTokens(source int) int { return min(nmt.TwicePlusTen(source), nmt.MaxLength-1) }
