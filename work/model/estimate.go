package model

import (
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/unit"
)

// What is known of a cost before the work is done. Schedules and budgets are
// made of these numbers; what is paid is the exact cost in a unit's result.

// Elements is the number of elements of the model's parameters.
func (h *Head) Elements() uint64 { return h.Model.Config().Elements() }

// Estimate is about what the translation of segments costs, in MFLOP.
func (h *Head) Estimate(segments []string, d unit.Decoding) uint64 {
	var tokens uint64
	for _, s := range segments {
		tokens += uint64(len(h.Tokenizer.Source(s)) + 1)
	}
	return Estimate(unit.Translate, h.Elements(), tokens*uint64(max(1, d.Beam)))
}

// Most is the most that the translation of segments can cost, in MFLOP: each
// translation has the greatest length, attention takes a quarter on top, and
// each segment is a unit whose cost is rounded up.
func (h *Head) Most(segments []string, d unit.Decoding) uint64 {
	var tokens uint64
	for _, s := range segments {
		source := len(h.Tokenizer.Source(s)) + 1
		tokens += uint64(source + nmt.TwicePlusTen(source) + 1)
	}
	const perToken = 2 // operations for each element
	flop := tokens * perToken * h.Elements() * uint64(max(1, d.Beam)) / 4 * 5
	return flop/1_000_000 + uint64(len(segments))
}

// Estimate is about what a unit of kind k costs, in MFLOP, that puts tokens
// through a model whose parameters have so many elements. It is at least 1.
func Estimate(k unit.Kind, elements, tokens uint64) uint64 {
	return max(1, k.FLOP()*elements*tokens/1_000_000)
}
