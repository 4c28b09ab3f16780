package score

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// ChrF is the settings of chrF, the F-score of character n-grams (Popović, 2015), and of chrF++,
// which counts n-grams of words too (Popović, 2017). Its scores are 0 to 100. Of several references
// the one with the best score of the segment counts. [NewChrF] and [NewChrFPlus] have the usual
// settings.
type ChrF struct {
	Characters int  // the longest n-grams of characters, usually 6
	Words      int  // the longest n-grams of words: 0 for chrF, 2 for chrF++
	Beta       int  // recall is so many times as important as precision, usually 2
	Lowercase  bool // compare in small letters, as Python's str.lower
	Whitespace bool // white space is characters too
	// Epsilon takes the mean of the F-scores of all orders, with 1e-16 for an order without
	// n-grams, as chrF++.py does. Without, orders that one side does not reach are left out.
	Epsilon bool
}

// NewChrF returns the settings of chrF2.
func NewChrF() ChrF { return ChrF{Characters: 6, Beta: 2} }

// NewChrFPlus returns the settings of chrF2++.
func NewChrFPlus() ChrF { return ChrF{Characters: 6, Words: 2, Beta: 2} }

// Metric is chrF with these settings.
func (o ChrF) Metric() Metric {
	return Metric{
		Name: "chrF" + strconv.Itoa(o.Beta) + strings.Repeat("+", o.Words),
		settings: "case:" + caseOf(o.Lowercase) + "|eff:" + yes(!o.Epsilon) + "|nc:" + strconv.Itoa(o.Characters) +
			"|nw:" + strconv.Itoa(o.Words) + "|space:" + yes(o.Whitespace),
		count: o.count,
		score: o.of,
	}
}

// orders is the number of lengths of n-grams.
func (o ChrF) orders() int { return o.Characters + o.Words }

// count returns the counts against the reference with the best score; of equals, the first.
func (o ChrF) count(h string, references []string) []float64 {
	hyp := o.grams(h)
	var best []float64
	top := -1.0
	for _, r := range references {
		counts := o.compare(hyp, o.grams(r))
		f := top
		if len(references) > 1 { // else there is nothing to choose
			f = o.of(counts)
		}
		if best == nil || f > top {
			best, top = counts, f
		}
	}
	return best
}

// grams counts the n-grams of a segment, by order: of characters first, then of words.
func (o ChrF) grams(s string) []map[string]int {
	if o.Lowercase {
		s = lower(s)
	}
	var tokens []string
	if o.Whitespace {
		for _, r := range s {
			tokens = append(tokens, string(r))
		}
	} else {
		tokens = characters(s)
	}
	all := make([]map[string]int, 0, o.orders())
	for n := 1; n <= o.Characters; n++ {
		all = append(all, grams(tokens, n))
	}
	if o.Words > 0 {
		tokens = bareWords(s)
	}
	for n := 1; n <= o.Words; n++ {
		all = append(all, grams(tokens, n))
	}
	return all
}

// bareWords are the words of a segment, and a punctuation mark at the end of a word, or else at
// its beginning, as a word of its own.
func bareWords(s string) []string {
	var out []string
	for _, w := range fields(s) {
		last, first := w[len(w)-1], w[0]
		switch {
		case utf8.RuneCountInString(w) == 1:
			out = append(out, w)
		case punctuation(last):
			out = append(out, w[:len(w)-1], w[len(w)-1:])
		case punctuation(first):
			out = append(out, w[:1], w[1:])
		default:
			out = append(out, w)
		}
	}
	return out
}

// punctuation reports whether b is punctuation of ASCII.
func punctuation(b byte) bool {
	return '!' <= b && b <= '/' || ':' <= b && b <= '@' || '[' <= b && b <= '`' || '{' <= b && b <= '~'
}

// compare returns, for each order, the n-grams that match, then for each order those of the
// hypothesis, then those of the reference.
func (o ChrF) compare(hyp, ref []map[string]int) []float64 {
	all := o.orders()
	counts := make([]float64, 3*all)
	for n := range all {
		counts[n] = overlap(hyp[n], ref[n])
		if len(ref[n]) > 0 { // sacreBLEU leaves out orders the reference does not reach
			counts[all+n] = total(hyp[n])
		}
		counts[2*all+n] = total(ref[n])
	}
	return counts
}

// of computes the score from a corpus's counts: the F-score of the mean precision and the
// mean recall over the orders that both sides have.
func (o ChrF) of(counts []float64) float64 {
	beta2 := float64(o.Beta * o.Beta) // the weight of recall
	all := o.orders()
	matched, inHyp, inRef := counts[:all], counts[all:2*all], counts[2*all:]
	if o.Epsilon {
		return epsilonMean(matched, inHyp, inRef, beta2)
	}
	precision, recall, effective := 0.0, 0.0, 0 // effective is the number of orders that count
	for n := range all {
		if inHyp[n] > 0 && inRef[n] > 0 {
			precision += matched[n] / inHyp[n]
			recall += matched[n] / inRef[n]
			effective++
		}
	}
	if precision+recall == 0 {
		return 0
	}
	precision /= float64(effective)
	recall /= float64(effective)
	both := float64(float64(float64(100*(1+beta2))*precision) * recall)
	return both / (float64(beta2*precision) + recall)
}

// epsilonMean is the mean of the F-scores of the orders.
func epsilonMean(matched, inHyp, inRef []float64, beta2 float64) float64 {
	const epsilon = 1e-16
	total := 0.0
	for n, m := range matched {
		precision, recall := epsilon, epsilon
		if inHyp[n] > 0 {
			precision = m / inHyp[n]
		}
		if inRef[n] > 0 {
			recall = m / inRef[n]
		}
		if below := float64(beta2*precision) + recall; below > 0 {
			total += float64(float64((1+beta2)*precision)*recall) / below
		} else {
			total += epsilon
		}
	}
	return float64(100*total) / float64(len(matched))
}
