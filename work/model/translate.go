package model

import (
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/unit"
)

// maxSource is the most tokens of a segment that are translated; what lies
// beyond is left out, so that one line cannot take all of a machine's memory.
const maxSource = 512

// TranslateSegments translates each segment by itself: its output is a
// function of model, decoding and segment. It returns the segments, the
// tokens written and the cost in FLOP. An empty segment stays empty.
func TranslateSegments(e *nmt.Engine, tok Tokenizer, params *tensor.Set, segments []string, d unit.Decoding) ([]string, uint32, uint64, error) {
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
	const together = 64 // sentences decoded side by side
	for len(sources) > 0 {
		n := min(together, len(sources))
		targets, c, err := decode(e, params, sources[:n], d)
		if err != nil {
			return nil, 0, 0, err
		}
		for j, ids := range targets {
			out[at[j]] = tok.Decode(ids)
			tokens += uint32(len(ids))
		}
		cost += c
		sources, at = sources[n:], at[n:]
	}
	return out, tokens, cost, nil
}

// Decode translates sentences that are tokens, all side by side.
func Decode(e *nmt.Engine, params *tensor.Set, sources [][]int32, d unit.Decoding) ([][]int32, error) {
	targets, _, err := decode(e, params, sources, d)
	return targets, err
}

func decode(e *nmt.Engine, params *tensor.Set, sources [][]int32, d unit.Decoding) ([][]int32, uint64, error) {
	if d.Beam == 1 {
		return e.Greedy(params, sources, nmt.TwicePlusTen)
	}
	penalty := float32(float64(d.LengthPPM) / 1e6)
	return e.Beam(params, sources, nmt.TwicePlusTen, int(d.Beam), penalty)
}
