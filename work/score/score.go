// Package score is BLEU, chrF and TER.
//
// [BLEU], [ChrF] and [TER] compare a list of translations with a list of references,
// one for each, and give the figures that sacreBLEU (Post, 2018) gives with
// its default settings, with its signatures:
//
//	b, err := score.BLEU(hypotheses, references, score.Cased)
//	fmt.Printf("%.2f %s\n", b.Score, score.Cased) // 41.03 nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:alia-1
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

// String returns the signature of BLEU scored so, in sacreBLEU's notation.
func (c Case) String() string {
	name := "mixed"
	if c == Uncased {
		name = "lc"
	}
	return "nrefs:1|case:" + name + "|eff:no|tok:13a|smooth:exp|version:" + version
}

const (
	// ChrFSignature is the signature of ChrF, in sacreBLEU's notation.
	ChrFSignature = "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:" + version

	version = "alia-1"
)

// Bleu is a corpus BLEU-4.
type Bleu struct {
	Score      float64    // 0 to 100
	Precisions [4]float64 // of 1- to 4-grams, smoothed, 0 to 100
	Brevity    float64    // the brevity penalty, 0 to 1
	Hypothesis int        // tokens translated
	Reference  int        // tokens in the references
}

// BLEU scores hypotheses against references: 13a tokens, exponential
// smoothing, one reference each (Papineni et al., 2002). An error means that
// the lists differ in length or are empty.
func BLEU(hypotheses, references []string, c Case) (Bleu, error) {
	if err := check(hypotheses, references); err != nil {
		return Bleu{}, fmt.Errorf("score BLEU: %w", err)
	}
	var b Bleu
	var matched, total [4]int
	for i, h := range hypotheses {
		r := references[i]
		if c == Uncased {
			h, r = strings.ToLower(h), strings.ToLower(r)
		}
		hyp, ref := Tokens(h), Tokens(r)
		b.Hypothesis += len(hyp)
		b.Reference += len(ref)
		for n := 1; n <= 4; n++ {
			matched[n-1] += overlap(grams(hyp, n), grams(ref, n))
			total[n-1] += max(len(hyp)-n+1, 0)
		}
	}
	b.finish(matched, total)
	return b, nil
}

// finish computes the figures from the counts of matched and of all n-grams.
// The k-th order without a match counts as 1/2^k matches.
func (b *Bleu) finish(matched, total [4]int) {
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
	b.Brevity = 1
	if b.Hypothesis < b.Reference {
		b.Brevity = exp(1 - float64(b.Reference)/float64(max(b.Hypothesis, 1)))
	}
	if matched[0] > 0 && !none {
		b.Score = float64(b.Brevity * exp(logs/4))
	}
}

// ChrF returns the chrF2 of hypotheses against references, 0 to 100: the
// F-score, recall twice as important as precision, of character n-grams up to
// 6 without white space (Popović, 2015). Errors are BLEU's.
func ChrF(hypotheses, references []string) (float64, error) {
	if err := check(hypotheses, references); err != nil {
		return 0, fmt.Errorf("score chrF: %w", err)
	}
	const orders, beta2 = 6, 4
	var matched, inHyp, inRef [orders]int
	for i, h := range hypotheses {
		hyp, ref := characters(h), characters(references[i])
		for n := 1; n <= orders; n++ {
			matched[n-1] += overlap(grams(hyp, n), grams(ref, n))
			inRef[n-1] += max(len(ref)-n+1, 0)
			if len(ref) >= n { // sacreBLEU leaves out orders the reference does not reach
				inHyp[n-1] += max(len(hyp)-n+1, 0)
			}
		}
	}
	precision, recall, effective := 0.0, 0.0, 0
	for n := range orders {
		if inHyp[n] > 0 && inRef[n] > 0 {
			precision += float64(matched[n]) / float64(inHyp[n])
			recall += float64(matched[n]) / float64(inRef[n])
			effective++
		}
	}
	if matched[0] == 0 {
		return 0, nil
	}
	precision /= float64(effective)
	recall /= float64(effective)
	both := float64(float64(100*(1+beta2)*precision) * recall)
	return both / (float64(beta2*precision) + recall), nil
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
