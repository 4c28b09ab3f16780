package nmt

import (
	"cmp"
	"slices"

	"github.com/alia-network/alia/work/tensor"
)

// Scored is a translation that a search found.
type Scored struct {
	Tokens []int32
	// Score is the sum of the tokens' log-probabilities in nats, that of EOS included, divided
	// by the number of tokens, EOS included, to the power of the length penalty. A translation
	// that was cut at the limit has no EOS.
	Score float32
}

// Ranked is [Engine.Beam] with all the translations that the search for each source found, the
// best first: the prefixes that ended, or where none did, those that were live at the limit.
// The first is the translation of Beam.
//
// Each of them begins with the first tokens of its source, which may be none, and first may be
// nil. These count nothing in the score but their number, may have n-grams that [Repeats] bans,
// and make the limit higher.
func (e *Engine) Ranked(
	p *tensor.Set, sources, first [][]int32, limit func(source int) int, width int, penalty float32,
) ([][]Scored, error) {
	ranked := make([][]Scored, len(sources))
	_, err := e.beams(p, sources, first, limit, width, penalty, func(i int, m *beam) { ranked[i] = m.ranking() })
	return ranked, err
}

// ConstrainedRanked is [Engine.Constrained] with all the translations that the search for each
// source found, as in Ranked.
func (e *Engine) ConstrainedRanked(
	p *tensor.Set, sources, first [][]int32, terms [][]Term, edges Edges, limit func(source int) int, beam int, penalty float32,
) ([][]Scored, error) {
	ranked := make([][]Scored, len(sources))
	_, err := e.constrain(p, sources, first, terms, edges, limit, beam, penalty, func(i int, m *constrainedBeam) { ranked[i] = m.ranking() })
	return ranked, err
}

// ranking is the prefixes that ended, the best first. Of equals the one that ended first wins.
func (m *beam) ranking() (all []Scored) {
	for _, h := range m.ended {
		all = append(all, Scored{h.tokens, h.score})
	}
	slices.SortStableFunc(all, func(a, b Scored) int { return cmp.Compare(b.Score, a.Score) })
	return all
}
