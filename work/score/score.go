// Package score measures translations against references: BLEU, chrF and TER.
//
// A [Metric] compares a list of translations with a list of references, one for each, and
// returns the same figure as sacreBLEU (Post, 2018), with a signature that says how it was
// computed. [Compare] says whether the difference of two systems is significant. [BLEU]
// returns the parts of a BLEU score too.
//
//	m := score.NewBLEU(score.Cased, score.Mteval13a)
//	x, err := m.Score(hypotheses, references)
//	if err != nil {
//		return err
//	}
//	fmt.Printf("%.2f %s\n", x, m.Signature)
//	// 41.03 nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:alia-1
//
// Scores have the same bits on every machine, because a score may decide when training
// stops. Counts are integers; the rest is sums, rounded products and divisions of float64,
// with a logarithm and an exponential of the package's own.
package score

import (
	"fmt"
	"strings"
)

// Case says whether BLEU distinguishes upper and lower case.
type Case bool

const (
	Cased   Case = false // upper and lower case differ
	Uncased Case = true  // texts are compared in lower case
)

// WordSplitter divides a segment into the words that BLEU compares.
type WordSplitter bool

const (
	Mteval13a WordSplitter = false // by [Tokens]
	Spaces    WordSplitter = true  // by white space only, for text that is already tokenised
)

const version = "alia-1"

// Metric is a way to score translations. The counts of a corpus are the sums of its segments'
// counts, so a sample of a corpus is scored without counting again: see [Compare].
type Metric struct {
	Name      string
	Signature string // in sacreBLEU's notation
	Lower     bool   // a lower score is better
	count     func(hypothesis, reference string) []int
	score     func(counts []int) float64
}

// NewBLEU returns corpus BLEU with n-grams up to 4, exponential smoothing and one reference
// (Papineni et al., 2002). Its scores are 0 to 100.
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

// ChrF is chrF2: the F-score of character n-grams up to 6 without white space, in which recall
// is twice as important as precision (Popović, 2015). Its scores are 0 to 100.
var ChrF = Metric{
	Name:      "chrF2",
	Signature: "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:" + version,
	count:     chrfCounts,
	score:     chrfOf,
}

// TER is the translation edit rate (Snover et al., 2006): the number of edits that turn a
// translation into its reference, for each hundred words of the references. An edit inserts,
// deletes or replaces a word, or shifts a phrase. Words are separated by white space and
// compared in lower case. The greedy search for shifts, its limits and its ties are those of
// sacreBLEU, which are those of Tercom.
var TER = Metric{
	Name:      "TER",
	Signature: "nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:" + version,
	Lower:     true,
	count:     terCounts,
	score:     terOf,
}

// Score compares hypotheses with references, one for each. It returns an error when the lists
// differ in length or are empty.
func (m Metric) Score(hypotheses, references []string) (float64, error) {
	if err := check(hypotheses, references); err != nil {
		return 0, fmt.Errorf("score %s: %w", m.Name, err)
	}
	return m.score(sum(m.counts(hypotheses, references), nil)), nil
}

// counts returns the counts of each segment.
func (m Metric) counts(hypotheses, references []string) [][]int {
	counts := make([][]int, len(hypotheses))
	for i, h := range hypotheses {
		counts[i] = m.count(h, references[i])
	}
	return counts
}

// sum adds the counts of the segments with the given indexes, which may repeat. With nil it adds
// the counts of all segments.
func sum(counts [][]int, indexes []int) []int {
	total := make([]int, len(counts[0]))
	add := func(segment []int) {
		for i, n := range segment {
			total[i] += n
		}
	}
	if indexes == nil {
		for _, segment := range counts {
			add(segment)
		}
	}
	for _, i := range indexes {
		add(counts[i])
	}
	return total
}

// Bleu is a BLEU score and its parts.
type Bleu struct {
	Score      float64    // 0 to 100
	Precisions [4]float64 // of 1- to 4-grams, smoothed, 0 to 100
	Brevity    float64    // the brevity penalty, 0 to 1
	Hypothesis int        // number of tokens in the translations
	Reference  int        // number of tokens in the references
}

// BLEU returns the score of [NewBLEU] with its parts, and the same errors as [Metric.Score].
func BLEU(hypotheses, references []string, c Case, t WordSplitter) (Bleu, error) {
	if err := check(hypotheses, references); err != nil {
		return Bleu{}, fmt.Errorf("score BLEU: %w", err)
	}
	return bleuOf(sum(NewBLEU(c, t).counts(hypotheses, references), nil)), nil
}

// bleuCounts returns ten counts: for each n from 1 to 4 the n-grams that match; for each n all
// n-grams of the hypothesis; the tokens of the hypothesis; and those of the reference.
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

// cut divides a segment into words.
func (t WordSplitter) cut(s string) []string {
	if t == Spaces {
		return strings.FieldsFunc(s, white)
	}
	return Tokens(s)
}

// bleuOf computes the score from a corpus's counts. The k-th order without a match counts as
// 1/2^k matches (exponential smoothing).
func bleuOf(counts []int) Bleu {
	matched, total := counts[:4], counts[4:8]
	b := Bleu{Hypothesis: counts[8], Reference: counts[9], Brevity: 1}
	smooth, logs, none := 1.0, 0.0, false
	for n := range 4 {
		// The precision of each order, with smoothing where nothing matches.
		switch {
		case total[n] == 0: // all hypotheses are shorter than n
		case matched[n] == 0:
			smooth *= 2
			b.Precisions[n] = 100 / float64(smooth*float64(total[n]))
		default:
			b.Precisions[n] = float64(100*float64(matched[n])) / float64(total[n])
		}
		if b.Precisions[n] > 0 {
			logs += ln(b.Precisions[n])
		} else {
			none = true // an order without n-grams makes the score 0
		}
	}
	if b.Hypothesis < b.Reference {
		b.Brevity = exp(1 - float64(b.Reference)/float64(max(b.Hypothesis, 1)))
	}
	// The geometric mean of the precisions, times the brevity penalty.
	if matched[0] > 0 && !none {
		b.Score = float64(b.Brevity * exp(logs/4))
	}
	return b
}

// orders is the length of chrF's longest n-grams.
const orders = 6

// chrfCounts returns, for each order, the n-grams that match, then for each order those of the
// hypothesis, then those of the reference.
func chrfCounts(h, r string) []int {
	hyp, ref := characters(h), characters(r) // characters are the tokens here
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

// chrfOf computes the score from a corpus's counts: the F-score of the mean precision and the
// mean recall over the orders that both sides have.
func chrfOf(counts []int) float64 {
	const beta2 = 4 // the square of the weight of recall
	matched, inHyp, inRef := counts[:orders], counts[orders:2*orders], counts[2*orders:]
	precision, recall, effective := 0.0, 0.0, 0 // effective is the number of orders that count
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

// ln is the natural logarithm of x > 0, with an error of a few units in the last place. It writes
// x as m*2^k with m in [1,2), and sums the series of ln m = 2*artanh((m-1)/(m+1)).
func ln(x float64) float64 {
	const ln2 = 0.693147180559945309417232121458
	k := 0.0
	for ; x >= 2; x /= 2 {
		k++
	}
	for ; x < 1; x *= 2 {
		k--
	}
	// artanh t = t + t^3/3 + t^5/5 + ..., by Horner's scheme in t^2.
	t := (x - 1) / (x + 1)
	q, sum := float64(t*t), 0.0
	for n := 41.0; n >= 1; n -= 2 {
		sum = 1/n + float64(q*sum)
	}
	return float64(k*ln2) + float64(2*float64(t*sum))
}

// exp is e^x, by the series for x/1024, squared ten times. It returns 0 for x below -700, and
// e^700 for x above 700, so that nothing overflows.
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

// check returns an error for lists that cannot be compared.
func check(hypotheses, references []string) error {
	switch {
	case len(hypotheses) != len(references):
		return fmt.Errorf("there are %d translations for %d references", len(hypotheses), len(references))
	case len(hypotheses) == 0:
		return fmt.Errorf("there are no translations")
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

// grams counts the n-grams of tokens. Tokens contain no spaces, so joining them with spaces is
// unambiguous.
func grams(tokens []string, n int) map[string]int {
	counts := make(map[string]int, len(tokens))
	for i := range len(tokens) - n + 1 {
		counts[strings.Join(tokens[i:i+n], " ")]++
	}
	return counts
}

// overlap returns the number of n-grams that a and b share, counted with repetition.
func overlap(a, b map[string]int) int {
	shared := 0
	for g, n := range a { // order-free: an integer sum
		shared += min(n, b[g])
	}
	return shared
}
