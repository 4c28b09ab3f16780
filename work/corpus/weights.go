package corpus

import (
	"iter"
	"unicode/utf8"
)

// Weights is how many characters of each language say the same: Source characters of the source
// language as much as Target of the target language. The smaller number is 8.
//
// A Chinese text has about a third of the characters of its English translation, so lengths
// are compared after they were multiplied with the weight of the other language. A pair is
// lopsided where one side is longer than MaxRatio times the other and 20 characters (of the
// language that needs more).
type Weights struct{ Source, Target int }

// The weights are multiples of an eighth, so that a few pairs more hardly ever change them.
const (
	weightUnit = 8
	maxWeight  = 8 * weightUnit
)

// lopsided reports whether a pair of a and b characters is.
func (w Weights) lopsided(a, b int) bool {
	x, y := a*max(w.Target, weightUnit), b*max(w.Source, weightUnit)
	return max(x, y) > MaxRatio*min(x, y)+ratioSlack*weightUnit
}

// Drops returns the rule by which cleaning drops a normalised pair whatever else the corpus
// has, or 0.
func (w Weights) Drops(p Pair) Rule {
	a, b := utf8.RuneCountInString(p.Source), utf8.RuneCountInString(p.Target)
	if rule := badLength(a, b); rule != 0 {
		return rule
	}
	if w.lopsided(a, b) {
		return Lopsided
	}
	return 0
}

// badLength is the rule by which a pair of a and b characters is dropped, whatever the
// languages.
func badLength(a, b int) Rule {
	switch {
	case a == 0 || b == 0:
		return Empty
	case max(a, b) > MaxSentence:
		return Long
	}
	return 0
}

// ratios is a histogram of the ratios of lengths, to learn weights from: how many characters
// the pairs of each ratio have. The weights are the median, which pairs that are no
// translations hardly move. All is in integers.
type ratios [2*(maxWeight-weightUnit) + 1]uint64

// fewChars stand for two languages that need the same: a few pairs say little.
const fewChars = 1000

func (h *ratios) add(a, b, times int) {
	q := (2*weightUnit*max(a, b) + min(a, b)) / (2 * min(a, b)) // rounded
	at := min(q, maxWeight) - weightUnit
	if b < a {
		at = -at
	}
	h[len(h)/2+at] += uint64((a + b) * times) // negative times take away
}

func (h *ratios) weights() Weights {
	all := uint64(fewChars)
	for _, n := range h {
		all += n
	}
	sum := uint64(0)
	for i, n := range h {
		if i == len(h)/2 {
			n += fewChars
		}
		if sum += n; 2*sum >= all {
			at := i - len(h)/2
			return Weights{weightUnit + max(-at, 0), weightUnit + max(at, 0)}
		}
	}
	return Weights{weightUnit, weightUnit} // not reached: the sum is all in the end
}

// Learn learns weights from normalised pairs.
func Learn(pairs iter.Seq[Pair]) Weights {
	var h ratios
	for p := range pairs {
		if a, b := utf8.RuneCountInString(p.Source), utf8.RuneCountInString(p.Target); badLength(a, b) == 0 {
			h.add(a, b, 1)
		}
	}
	return h.weights()
}
