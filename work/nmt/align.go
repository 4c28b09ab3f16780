package nmt

import (
	"cmp"
	"slices"
)

// LearnShortlist makes a shortlist from sentences and their translations, which are tokens of
// c's vocabulary. The candidates of a source token are the token itself, because names are
// copied, and at most each of the target tokens that are most likely aligned with it. The
// frequent most frequent target tokens are always candidates. Of equally good tokens the
// lower ones are taken.
//
// Alignments come from IBM Model 1 (Brown et al., "The mathematics of statistical machine
// translation", 1993) after five rounds of expectation maximisation. EOS is the empty
// word, which aligns with anything. Sums and quotients are in binary64, in a sequence that
// the sentences fix, so a shortlist is the same on every machine.
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

// frequentTokens returns the n most frequent tokens, ascending.
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
	// The stable sort leaves equal counts ascending by token.
	slices.SortStableFunc(ids, func(x, y int32) int { return cmp.Compare(counts[y], counts[x]) })
	ids = slices.DeleteFunc(ids, func(id int32) bool { return counts[id] == 0 })
	ids = ids[:min(n, len(ids))]
	slices.Sort(ids)
	return ids
}

// aligner has, for each source token, the target tokens that occur with it, ascending, and
// the probability that each is its translation.
type aligner struct {
	null    int32     // the empty word, in every source
	starts  []int     // by source token, and one more: the index in targets of its first
	targets []int32   // the target tokens of each source token
	share   []float64 // by target: its probability; those of one source token sum to 1
	count   []float64 // by target: its expected count in this round
	at      []int     // scratch of round: by word of a source, the index of a target token
}

func newAligner(c Config, source, target [][]int32) *aligner {
	a := &aligner{null: c.Tokens().EOS, starts: []int{0}}
	within := make([][]int32, c.Vocab) // by source token: the sentences that contain it
	for i := range source {
		for _, id := range a.words(source[i]) {
			if w := within[id]; len(w) == 0 || w[len(w)-1] != int32(i) {
				within[id] = append(w, int32(i))
			}
		}
	}
	// seen has for each target token the last source token, plus 1, that collected it. So no
	// target is collected twice for one source token.
	seen := make([]int32, c.Vocab)
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
	// All shares begin equal. Only their ratios count in the first round.
	a.share, a.count = make([]float64, len(a.targets)), make([]float64, len(a.targets))
	for i := range a.share {
		a.share[i] = 1
	}
	return a
}

// words is a source followed by the empty word.
func (a *aligner) words(source []int32) []int32 {
	return append(slices.Clip(source), a.null)
}

// round is one round of expectation maximisation: it divides each target token among the
// words of its source in the ratio of their shares, and makes new shares from the sums.
func (a *aligner) round(source, target [][]int32) {
	clear(a.count)
	for i := range source {
		words := a.words(source[i])
		for _, t := range target[i] {
			// Expectation: where the target is in the list of each word, and the sum of its
			// shares there.
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
	// Maximisation: the shares of each source token, in proportion to the counts.
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

// likely returns a source token and the n target tokens most likely aligned with it,
// ascending. Target tokens with a share below 1/4096 are left out.
func (a *aligner) likely(id int32, n int) []int32 {
	const least = 1.0 / 4096
	// The best first; the stable sort leaves equal shares ascending by token.
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
