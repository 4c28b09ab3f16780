// Package score is BLEU, chrF and TER.
//
// A [Metric] compares a list of translations with a list of references, one
// for each, and gives the figure that sacreBLEU (Post, 2018) gives, with its
// signature:
//
//	m := score.NewBLEU(score.Cased, score.Mteval13a)
//	x, err := m.Score(hypotheses, references)
//	fmt.Printf("%.2f %s\n", x, m.Signature) // 41.03 nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:alia-1
//
// Scores are the same bits on every machine, since a run may be ended by them:
// counts are integers, and the rest is sums, rounded products and divisions of
// float64, with a logarithm and an exponential of its own.
package score

import (
	"fmt"
	"strings"
)

// Case says whether BLEU tells capitals from small letters.
type Case bool

const (
	Cased   Case = false
	Uncased Case = true
)

// WordSplitter is what cuts a segment into BLEU's tokens.
type WordSplitter bool

const (
	Mteval13a WordSplitter = false // [Tokens]
	Spaces    WordSplitter = true  // white space alone: for text that is cut into tokens already
)

const version = "alia-1"

// Metric is a way to score translations. Its counts of a corpus are the sums
// of its segments' counts, so that a part of a corpus is scored without
// counting anew: see [Compare].
type Metric struct {
	Name      string
	Signature string // in sacreBLEU's notation
	Lower     bool   // less is better
	count     func(hypothesis, reference string) []int
	score     func(counts []int) float64
}

// NewBLEU is corpus BLEU-4 with exponential smoothing and one reference
// (Papineni et al., 2002).
func NewBLEU(c Case, t WordSplitter) Metric {
	caseOf, tok := "mixed", "13a"
	if c == Uncased {
		caseOf = "lc"
	}
	if t == Spaces {
		tok = "none"
	}
	return Metric{
		Name:      "BLEU",
		Signature: "nrefs:1|case:" + caseOf + "|eff:no|tok:" + tok + "|smooth:exp|version:" + version,
		count:     func(h, r string) []int { return bleuCounts(h, r, c, t) },
		score:     func(counts []int) float64 { return bleuOf(counts).Score },
	}
}

// ChrF is chrF2: the F-score, recall twice as important as precision, of
// character n-grams up to 6 without white space (Popović, 2015).
var ChrF = Metric{
	Name:      "chrF2",
	Signature: "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:" + version,
	count:     chrfCounts,
	score:     chrfOf,
}

// TER is the translation edit rate: the edits that make a translation its
// reference, an insertion, a deletion, a substitution or the shift of a phrase
// each, for each hundred words of the references (Snover et al., 2006). Words
// are separated by white space and compared in small letters. The greedy
// search for shifts, its limits and its ties are sacreBLEU's, which are
// Tercom's.
var TER = Metric{
	Name:      "TER",
	Signature: "nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:" + version,
	Lower:     true,
	count:     terCounts,
	score:     terOf,
}

// Score compares hypotheses with references, one for each. An error means that
// the lists differ in length or are empty.
func (m Metric) Score(hypotheses, references []string) (float64, error) {
	if err := check(hypotheses, references); err != nil {
		return 0, fmt.Errorf("score %s: %w", m.Name, err)
	}
	return m.score(sum(m.counts(hypotheses, references), nil)), nil
}

// counts is the counts of each segment.
func (m Metric) counts(hypotheses, references []string) [][]int {
	counts := make([][]int, len(hypotheses))
	for i, h := range hypotheses {
		counts[i] = m.count(h, references[i])
	}
	return counts
}

// sum adds the counts of the segments at the places given, or of all.
func sum(counts [][]int, places []int) []int {
	total := make([]int, len(counts[0]))
	add := func(segment []int) {
		for i, n := range segment {
			total[i] += n
		}
	}
	if places == nil {
		for _, segment := range counts {
			add(segment)
		}
	}
	for _, i := range places {
		add(counts[i])
	}
	return total
}

// Bleu is what a BLEU score is made of.
type Bleu struct {
	Score      float64    // 0 to 100
	Precisions [4]float64 // of 1- to 4-grams, smoothed, 0 to 100
	Brevity    float64    // the brevity penalty, 0 to 1
	Hypothesis int        // tokens translated
	Reference  int        // tokens in the references
}

// BLEU is the score of [NewBLEU] and what it is made of. Errors are Score's.
func BLEU(hypotheses, references []string, c Case, t WordSplitter) (Bleu, error) {
	if err := check(hypotheses, references); err != nil {
		return Bleu{}, fmt.Errorf("score BLEU: %w", err)
	}
	return bleuOf(sum(NewBLEU(c, t).counts(hypotheses, references), nil)), nil
}

// bleuCounts is the matched n-grams of four orders, all n-grams of four
// orders, the tokens of the hypothesis and those of the reference.
func bleuCounts(h, r string, c Case, t WordSplitter) []int {
	if c == Uncased {
		h, r = strings.ToLower(h), strings.ToLower(r)
	}
	hyp, ref := t.cut(h), t.cut(r)
	counts := make([]int, 10)
	for n := 1; n <= 4; n++ {
		counts[n-1] = overlap(grams(hyp, n), grams(ref, n))
		counts[n+3] = max(len(hyp)-n+1, 0)
	}
	counts[8], counts[9] = len(hyp), len(ref)
	return counts
}

func (t WordSplitter) cut(s string) []string {
	if t == Spaces {
		return strings.FieldsFunc(s, white)
	}
	return Tokens(s)
}

// bleuOf computes the figures from a corpus's counts. The k-th order without a
// match counts as 1/2^k matches.
func bleuOf(counts []int) Bleu {
	matched, total := counts[:4], counts[4:8]
	b := Bleu{Hypothesis: counts[8], Reference: counts[9], Brevity: 1}
	smooth, logs, none := 1.0, 0.0, false
	for n := range 4 {
		switch {
		case total[n] == 0:
		case matched[n] == 0:
			smooth *= 2
			b.Precisions[n] = 100 / float64(smooth*float64(total[n]))
		default:
			b.Precisions[n] = float64(100*float64(matched[n])) / float64(total[n])
		}
		if b.Precisions[n] > 0 { // otherwise an order without n-grams: the score is 0
			logs += ln(b.Precisions[n])
		} else {
			none = true
		}
	}
	if b.Hypothesis < b.Reference {
		b.Brevity = exp(1 - float64(b.Reference)/float64(max(b.Hypothesis, 1)))
	}
	if matched[0] > 0 && !none {
		b.Score = float64(b.Brevity * exp(logs/4))
	}
	return b
}

// orders is the longest n-grams of chrF.
const orders = 6

// chrfCounts is for each order the n-grams matched, those of the hypothesis
// and those of the reference.
func chrfCounts(h, r string) []int {
	hyp, ref := characters(h), characters(r)
	counts := make([]int, 3*orders)
	for n := 1; n <= orders; n++ {
		counts[n-1] = overlap(grams(hyp, n), grams(ref, n))
		if len(ref) >= n { // sacreBLEU leaves out orders the reference does not reach
			counts[orders+n-1] = max(len(hyp)-n+1, 0)
		}
		counts[2*orders+n-1] = max(len(ref)-n+1, 0)
	}
	return counts
}

func chrfOf(counts []int) float64 {
	const beta2 = 4
	matched, inHyp, inRef := counts[:orders], counts[orders:2*orders], counts[2*orders:]
	precision, recall, effective := 0.0, 0.0, 0
	for n := range orders {
		if inHyp[n] > 0 && inRef[n] > 0 {
			precision += float64(matched[n]) / float64(inHyp[n])
			recall += float64(matched[n]) / float64(inRef[n])
			effective++
		}
	}
	if matched[0] == 0 {
		return 0
	}
	precision /= float64(effective)
	recall /= float64(effective)
	both := float64(float64(100*(1+beta2)*precision) * recall)
	return both / (float64(beta2*precision) + recall)
}

// ln is the natural logarithm of x > 0: x = m*2^k with m in [1,2), and ln m by
// the series of 2*artanh((m-1)/(m+1)), within some units of the last place.
func ln(x float64) float64 {
	const ln2 = 0.693147180559945309417232121458
	k := 0.0
	for ; x >= 2; x /= 2 {
		k++
	}
	for ; x < 1; x *= 2 {
		k--
	}
	t := (x - 1) / (x + 1)
	q, sum := float64(t*t), 0.0
	for n := 41.0; n >= 1; n -= 2 {
		sum = 1/n + float64(q*sum)
	}
	return float64(k*ln2) + float64(2*float64(t*sum))
}

// exp is e^x by its series for x/1024, squared ten times; where that would
// leave the range of float64 it is 0 or the largest number.
func exp(x float64) float64 {
	if x < -700 {
		return 0
	}
	x = min(x, 700) / 1024
	y := 1.0
	for n := 14.0; n >= 1; n-- {
		y = 1 + float64(y*(x/n))
	}
	for range 10 {
		y = float64(y * y)
	}
	return y
}

// check reports lists that cannot be compared.
func check(hypotheses, references []string) error {
	switch {
	case len(hypotheses) != len(references):
		return fmt.Errorf("%d translations for %d references", len(hypotheses), len(references))
	case len(hypotheses) == 0:
		return fmt.Errorf("no translations")
	}
	return nil
}

// characters returns the characters of s, one string each, without white space.
func characters(s string) []string {
	var out []string
	for _, r := range s {
		if !white(r) {
			out = append(out, string(r))
		}
	}
	return out
}

// grams counts the n-grams of tokens. No token has a space in it.
func grams(tokens []string, n int) map[string]int {
	counts := make(map[string]int, len(tokens))
	for i := range len(tokens) - n + 1 {
		counts[strings.Join(tokens[i:i+n], " ")]++
	}
	return counts
}

// overlap returns the number of n-grams that a and b share.
func overlap(a, b map[string]int) int {
	shared := 0
	for g, n := range a { // order-free: an integer sum
		shared += min(n, b[g])
	}
	return shared
}
