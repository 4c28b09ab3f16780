package model

import (
	"slices"

	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/unit"
)

// together is the sentences that are decoded together. It changes the speed,
// never a translation.
const together = 64

// TranslateSegments translates each segment by itself: its translation is a
// function of model, decoding and segment. An empty segment stays empty. It
// returns the translations, the number of tokens in them and the canonical cost
// in FLOP.
func TranslateSegments(e Engine, tok Tokenizer, params *tensor.Set, segments []string, d unit.Decoding) ([]string, uint32, uint64, error) {
	// Segments without tokens are not given to the engine; at says where the
	// others belong.
	out := make([]string, len(segments))
	var sources [][]int32
	var at []int
	for i, s := range segments {
		if ids := tok.Source(s); len(ids) > 0 {
			sources = append(sources, ids[:min(len(ids), maxSource)])
			at = append(at, i)
		}
	}
	var tokens uint32
	var cost uint64
	for part := range slices.Chunk(sources, together) {
		targets, c, err := e.Decode(params, part, d)
		if err != nil {
			return nil, 0, 0, err
		}
		for _, ids := range targets {
			out[at[0]] = tok.Decode(ids)
			tokens += uint32(len(ids))
			at = at[1:]
		}
		cost += c
	}
	return out, tokens, cost, nil
}
