package score

import (
	"fmt"
	"slices"
)

// BLEU is the settings of corpus BLEU with n-grams up to 4 (Papineni et al., 2002). Its scores are
// 0 to 100. With several references an n-gram counts as often as in the reference that has it most
// often, and the reference closest in length counts for the brevity penalty.
type BLEU struct {
	WordSplitter
	Lowercase bool      // compare in small letters, as Python's str.lower
	Smoothing Smoothing // "" is exponential
	// Value is the number that [Floor] or [AddK] takes; 0 is their usual one, 0.1 or 1.
	Value float64
	// EffectiveOrder leaves out the orders of which a text has no n-grams. It is for texts of one
	// sentence or a few words, whose score would be 0.
	EffectiveOrder bool
}

// Smoothing is what BLEU takes for the precision of an order without a match (Chen and Cherry, 2014).
type Smoothing string

const (
	Exponential Smoothing = "exp"   // half a match, a quarter for the next such order, and so on: method 3
	Floor       Smoothing = "floor" // a small number of matches: method 1
	AddK        Smoothing = "add-k" // a number is added to matches and n-grams of the orders from 2: method 2
	NoSmoothing Smoothing = "none"  // nothing: the score is 0
)

// Smoothings lists the kinds of smoothing.
func Smoothings() []Smoothing { return []Smoothing{Exponential, Floor, AddK, NoSmoothing} }

// complete fills in the usual values.
func (o BLEU) complete() BLEU {
	if o.Smoothing == "" {
		o.Smoothing = Exponential
	}
	if o.Value == 0 {
		switch o.Smoothing {
		case Floor:
			o.Value = 0.1
		case AddK:
			o.Value = 1
		}
	}
	return o
}

// Metric is BLEU with these settings.
func (o BLEU) Metric() Metric {
	o = o.complete()
	smooth := string(o.Smoothing)
	if o.Smoothing == Floor || o.Smoothing == AddK {
		smooth += fmt.Sprintf("[%.2f]", o.Value)
	}
	return Metric{
		Name:     "BLEU",
		settings: "case:" + caseOf(o.Lowercase) + "|eff:" + yes(o.EffectiveOrder) + "|tok:" + o.Name + "|smooth:" + smooth,
		count:    o.count,
		score:    func(counts []float64) float64 { return o.of(counts).Score },
	}
}

// BLEUParts is a BLEU score and its parts.
type BLEUParts struct {
	Score      float64    // 0 to 100
	Precisions [4]float64 // of 1- to 4-grams, smoothed, 0 to 100
	Brevity    float64    // the brevity penalty, 0 to 1
	Hypothesis int        // number of tokens in the translations
	Reference  int        // number of tokens in the references
}

// Parts returns the score of [BLEU.Metric] with its parts, and the same errors as [Metric.Score].
func (o BLEU) Parts(hypotheses []string, references [][]string) (BLEUParts, error) {
	if err := check(hypotheses, references); err != nil {
		return BLEUParts{}, fmt.Errorf("score BLEU: %w", err)
	}
	return o.complete().of(sum(o.Metric().counts(hypotheses, references), nil)), nil
}

// cut divides a segment into words.
func (o BLEU) cut(s string) []string {
	if o.Lowercase {
		s = lower(s)
	}
	return o.words(s)
}

// count returns ten counts: for each n from 1 to 4 the n-grams that match; for each n all
// n-grams of the hypothesis; the tokens of the hypothesis; and those of the closest reference.
func (o BLEU) count(h string, references []string) []float64 {
	hyp, refs := o.cut(h), make([][]string, len(references))
	closest := -1 // the length of the reference closest in length; of two the shorter
	for i, r := range references {
		refs[i] = o.cut(r)
		n, now, best := len(refs[i]), distance(len(refs[i]), len(hyp)), distance(closest, len(hyp))
		if closest < 0 || now < best || now == best && n < closest {
			closest = n
		}
	}
	counts := make([]float64, 10)
	for n := 1; n <= 4; n++ {
		most := grams(refs[0], n)
		for _, r := range refs[1:] {
			for g, times := range grams(r, n) { // order-free: a maximum for each n-gram
				most[g] = max(most[g], times)
			}
		}
		counts[n-1] = overlap(grams(hyp, n), most)
		counts[n+3] = float64(max(len(hyp)-n+1, 0))
	}
	counts[8], counts[9] = float64(len(hyp)), float64(closest)
	return counts
}

func distance(a, b int) int { return max(a-b, b-a) }

// of computes the score from a corpus's counts.
func (o BLEU) of(counts []float64) BLEUParts {
	matched, total := slices.Clone(counts[:4]), slices.Clone(counts[4:8])
	b := BLEUParts{Hypothesis: int(counts[8]), Reference: int(counts[9]), Brevity: 1}
	if b.Hypothesis < b.Reference {
		b.Brevity = exp(1 - float64(b.Reference)/float64(max(b.Hypothesis, 1)))
	}
	if matched[0] == 0 { // so no longer n-gram matches
		return b
	}
	smooth, logs, orders, none := 1.0, 0.0, 4, false
	for n := range 4 {
		if o.Smoothing == AddK && n > 0 {
			matched[n], total[n] = matched[n]+o.Value, total[n]+o.Value
		}
		// The precision of each order, with smoothing where nothing matches.
		switch {
		case total[n] == 0: // all hypotheses are shorter than n
			if o.EffectiveOrder {
				orders = min(orders, n)
			}
		case matched[n] > 0:
			b.Precisions[n] = float64(100*matched[n]) / total[n]
		case o.Smoothing == Exponential:
			smooth *= 2
			b.Precisions[n] = 100 / float64(smooth*total[n])
		case o.Smoothing == Floor:
			b.Precisions[n] = float64(100*o.Value) / total[n]
		}
		if b.Precisions[n] > 0 {
			logs += ln(b.Precisions[n])
		} else if n < orders {
			none = true // an order without a precision makes the score 0
		}
	}
	// The geometric mean of the precisions, times the brevity penalty.
	if !none {
		b.Score = float64(b.Brevity * exp(logs/float64(orders)))
	}
	return b
}
