package nmt

import (
	"math"
	"slices"
	"strings"
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
		all, err := e.ConstrainedRanked(p, sources, nil, terms, edges, limit, beam, 0.75)
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

// TestBeginnings: a search that begins with given tokens is the slow search behind them, on every
// device, with repetitions banned or not, whatever the shortlist. Terms stand too.
func TestBeginnings(t *testing.T) {
	all := devices(t)
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		r := drawRepeats(t)
		p := steep(Init(c, rapid.Uint64().Draw(t, "seed")), 2)
		sources, first := drawSentences(t, c, 3, 4), drawSentences(t, c, 3, 3)
		width := rapid.IntRange(1, 4).Draw(t, "width")
		most := rapid.IntRange(1, 6).Draw(t, "limit")
		limit := func(int) int { return most }
		edges := drawEdges(t, c.Vocab)
		terms := make([][]Term, len(sources))
		for i := range terms {
			terms[i] = drawTerms(t, c.Vocab, edges)
		}
		var want, termed [][]Scored
		for i, dev := range all {
			e := NewEngine(dev, c)
			if c.Vocab > 4 && c.SourceVocab == 0 {
				e.Shortlist = some(c.Vocab)
			}
			if i == 0 {
				for j, s := range sources {
					slow := NewEngine(dev, c)
					if e.Shortlist != nil {
						slow.Shortlist = with(e.Shortlist, first[j])
					}
					ranking, _ := slowRepeats(slow, p, s, first[j], r, width, most+len(first[j]), 0.75)
					want = append(want, ranking)
				}
			}
			e.Repeats = r
			got, err := e.Ranked(p, sources, first, limit, width, 0.75)
			if err != nil || !slices.EqualFunc(got, want, sameRanking) {
				t.Fatalf("%s: behind %v: %v (%v), the slow search %v", dev.Name(), first, got, err, want)
			}
			got, err = e.ConstrainedRanked(p, sources, first, terms, edges, limit, width, 0.75)
			if err != nil {
				t.Fatal(err)
			}
			if termed == nil {
				termed = got
			}
			if !slices.EqualFunc(got, termed, sameRanking) {
				t.Fatalf("%s: %v, want %v", dev.Name(), got, termed)
			}
			for j, ranking := range got {
				for _, s := range ranking {
					if n := len(first[j]); len(s.Tokens) < n || !equal(s.Tokens[:n], first[j]) {
						t.Fatalf("%v does not begin with %v", s.Tokens, first[j])
					}
					if slices.ContainsFunc(terms[j], func(x Term) bool { return !stands(x, terms[j], edges, s.Tokens) }) {
						t.Fatalf("%v is without a term", s.Tokens)
					}
				}
			}
		}
	})
}

// with is a shortlist with more tokens.
func with(s *Shortlist, tokens []int32) *Shortlist {
	more := *s
	more.always = append(slices.Clone(s.always), tokens...)
	slices.Sort(more.always)
	more.always = slices.Compact(more.always)
	return &more
}

// TestBeginningsRefused: beginnings that no translation has.
func TestBeginningsRefused(t *testing.T) {
	e := NewEngine(open(t, ""), toy)
	long := slices.Repeat([]int32{4}, MaxLength)
	for want, first := range map[string][][]int32{
		"a beginning of 1024 tokens": {long},
		"with the token 11":          {{4, 11}},
		"with the token 2":           {{int32(EOS)}},
		"with the token -1":          {{-1}},
		"beginnings for 2 of 1":      {nil, nil},
	} {
		if _, err := e.Ranked(sharp(), [][]int32{{3}}, first, TwicePlusTen, 2, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}
