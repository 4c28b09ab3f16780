package nmt

import (
	"cmp"
	"slices"
)

// LearnShortlist makes a shortlist from sentences and their translations,
// tokens of c's vocabulary: for each source token itself, as names are copied,
// and up to each of the target tokens most likely aligned with it; and always
// the most frequent tokens of the targets, as many as frequent says. Equals are
// taken from the lowest token up.
//
// Alignments are those of IBM Model 1 (Brown et al., "The mathematics of
// statistical machine translation", 1993) after a few rounds of expectation
// maximisation, with the end mark as the word that aligns with anything. They
// take sums and quotients of binary64 in an order that the sentences fix, so a
// shortlist is the same on every machine.
func LearnShortlist(c Config, source, target [][]int32, each, frequent int) *Shortlist {
	const rounds = 5
	a := newAligner(c, source, target)
	for range rounds {
		a.round(source, target)
	}
	s := &Shortlist{always: frequentTokens(c.Vocab, target, frequent), starts: []int32{0}}
	for id := range int32(c.Vocab) {
		s.each = append(s.each, a.likely(id, each)...)
		s.starts = append(s.starts, int32(len(s.each)))
	}
	return s
}

// frequentTokens are the n most frequent ones, ascending.
func frequentTokens(vocab int, sentences [][]int32, n int) []int32 {
	counts, ids := make([]int, vocab), make([]int32, vocab)
	for i := range ids {
		ids[i] = int32(i)
	}
	for _, s := range sentences {
		for _, id := range s {
			counts[id]++
		}
	}
	slices.SortStableFunc(ids, func(x, y int32) int { return cmp.Compare(counts[y], counts[x]) })
	ids = slices.DeleteFunc(ids, func(id int32) bool { return counts[id] == 0 })
	ids = ids[:min(n, len(ids))]
	slices.Sort(ids)
	return ids
}

// aligner has, for each source token, the target tokens it was ever seen with,
// ascending, and how likely each is its translation.
type aligner struct {
	null    int32 // the source token of every sentence
	starts  []int // by source token, and one more
	targets []int32
	share   []float64 // of each target; of one source token they sum to 1
	count   []float64 // of this round
	at      []int     // of a target token: where it is among each source token's targets
}

func newAligner(c Config, source, target [][]int32) *aligner {
	a := &aligner{null: c.Tokens().EOS, starts: []int{0}}
	within := make([][]int32, c.Vocab) // by source token: the sentences it is in
	for i := range source {
		for _, id := range a.words(source[i]) {
			if w := within[id]; len(w) == 0 || w[len(w)-1] != int32(i) {
				within[id] = append(w, int32(i))
			}
		}
	}
	seen := make([]int32, c.Vocab) // the last source token, plus 1, that a target token was met with
	for id, w := range within {
		from := len(a.targets)
		for _, i := range w {
			for _, t := range target[i] {
				if seen[t] != int32(id)+1 {
					seen[t] = int32(id) + 1
					a.targets = append(a.targets, t)
				}
			}
		}
		slices.Sort(a.targets[from:])
		a.starts = append(a.starts, len(a.targets))
	}
	a.share, a.count = make([]float64, len(a.targets)), make([]float64, len(a.targets))
	for i := range a.share {
		a.share[i] = 1
	}
	return a
}

// words is a source with the token that aligns with anything.
func (a *aligner) words(source []int32) []int32 {
	return append(slices.Clip(source), a.null)
}

// round shares each target token among its source's tokens as the shares are,
// and makes of the sums the next shares.
func (a *aligner) round(source, target [][]int32) {
	clear(a.count)
	for i := range source {
		words := a.words(source[i])
		for _, t := range target[i] {
			a.at = a.at[:0]
			sum := 0.0
			for _, id := range words {
				from := a.starts[id]
				j, _ := slices.BinarySearch(a.targets[from:a.starts[id+1]], t)
				a.at = append(a.at, from+j)
				sum += a.share[from+j]
			}
			for _, j := range a.at {
				if sum > 0 {
					a.count[j] += a.share[j] / sum
				}
			}
		}
	}
	for id := range len(a.starts) - 1 {
		from, to := a.starts[id], a.starts[id+1]
		sum := 0.0
		for _, n := range a.count[from:to] {
			sum += n
		}
		for j := from; j < to && sum > 0; j++ {
			a.share[j] = a.count[j] / sum
		}
	}
}

// likely is a source token and the n targets most likely aligned with it,
// ascending, but for those that hardly are.
func (a *aligner) likely(id int32, n int) []int32 {
	const least = 1.0 / 4096
	var order []int
	for j := a.starts[id]; j < a.starts[id+1]; j++ {
		if a.share[j] >= least {
			order = append(order, j)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(a.share[j], a.share[i]) })
	all := []int32{id}
	for _, j := range order[:min(n, len(order))] {
		all = append(all, a.targets[j])
	}
	slices.Sort(all)
	return slices.Compact(all)
}
