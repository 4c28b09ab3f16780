package nmt

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/alia-network/alia/work/kernel"
)

// TestConstrainedRanked: the first of the translations is that of Constrained, all have the
// terms, none comes twice, and each score is that of its tokens one by one, the best first.
func TestConstrainedRanked(t *testing.T) {
	dev := open(t, "")
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		p := steep(Init(c, rapid.Uint64().Draw(t, "seed")), 2)
		sources := drawSentences(t, c, 2, 4)
		edges := drawEdges(t, c.Vocab)
		terms := make([][]Term, len(sources))
		for i := range terms {
			terms[i] = drawTerms(t, c.Vocab, edges)
		}
		beam := rapid.IntRange(1, 4).Draw(t, "beam")
		limit := func(n int) int { return n/2 + 3 }
		e := NewEngine(dev, c)
		best, _, err := e.Constrained(p, sources, terms, edges, limit, beam, 0.75)
		if err != nil {
			t.Fatal(err)
		}
		all, err := e.ConstrainedRanked(p, sources, terms, edges, limit, beam, 0.75)
		if err != nil {
			t.Fatal(err)
		}
		for i, ranking := range all {
			if len(ranking) == 0 || !equal(ranking[0].Tokens, best[i]) {
				t.Fatalf("%v, the best is %v", ranking, best[i])
			}
			most := TermLimit(limit(len(sources[i])), TermTokens(terms[i]))
			for j, s := range ranking {
				if j > 0 && s.Score > ranking[j-1].Score {
					t.Fatalf("%v is no ranking", ranking)
				}
				if slices.ContainsFunc(ranking[:j], func(o Scored) bool { return equal(o.Tokens, s.Tokens) }) {
					t.Fatalf("%v comes twice in %v", s.Tokens, ranking)
				}
				if slices.ContainsFunc(terms[i], func(x Term) bool { return !stands(x, terms[i], edges, s.Tokens) }) {
					t.Fatalf("%v is without a term", s.Tokens)
				}
				sum, length := float32(0), len(s.Tokens)
				for k, id := range s.Tokens {
					row, _ := slowRow(e, p, sources[i], s.Tokens[:k])
					sum += row[id] - logSum(dev, row)
				}
				if length < most {
					row, _ := slowRow(e, p, sources[i], s.Tokens)
					sum, length = sum+(row[EOS]-logSum(dev, row)), length+1
				}
				if want := sum / kernel.Exp(float32(0.75*kernel.Log(float32(length)))); math.Float32bits(s.Score) != math.Float32bits(want) {
					t.Fatalf("%v scores %v, want %v", s.Tokens, s.Score, want)
				}
			}
		}
	})
}
