package score

import (
	"fmt"
	"slices"
)

// Comparison compares two translations A and B of one text by a metric.
type Comparison struct {
	A, B float64 // the scores
	// Low and High are the bounds of the middle 95 % of the differences B-A in the samples.
	Low, High float64
	// P is the probability of at least this difference between equally good translations.
	// A difference with P below 0.05 is usually called significant.
	P float64
}

// Compare scores two lists of translations against the same references. It also estimates how
// certain the difference is, by paired bootstrap resampling (Koehn, 2004): each sample draws
// as many segments as there are, with repetition, and scores both translations on them.
//
// P is (1+n)/(1+samples), where n samples have a difference at least as far from the mean
// difference as the true difference is from zero. So P is 1 for a translation and itself. The
// same seed gives the same samples on every machine. Compare returns the same errors as
// [Metric.Score].
func Compare(m Metric, a, b []string, references [][]string, samples int, seed uint64) (Comparison, error) {
	for _, list := range [][]string{a, b} {
		if err := check(list, references); err != nil {
			return Comparison{}, fmt.Errorf("compare by %s: %w", m.Name, err)
		}
	}
	// Each segment is counted once; a sample only adds counts.
	x, y := m.counts(a, references), m.counts(b, references)
	c := Comparison{A: m.score(sum(x, nil)), B: m.score(sum(y, nil))}
	differences := make([]float64, samples)
	indexes := make([]int, len(references))
	mean, state := 0.0, seed
	for i := range differences {
		for j := range indexes {
			indexes[j] = int(draw(&state) % uint64(len(indexes)))
		}
		differences[i] = m.score(sum(y, indexes)) - m.score(sum(x, indexes))
		mean += differences[i] / float64(samples)
	}
	// How often chance alone gives so large a difference.
	further := 1
	for _, d := range differences {
		if abs(d-mean) >= abs(c.B-c.A) {
			further++
		}
	}
	c.P = float64(further) / float64(samples+1)
	// Leave out 2.5 % of the samples at each end.
	slices.Sort(differences)
	if samples > 0 {
		c.Low, c.High = differences[samples/40], differences[samples-1-samples/40]
	}
	return c, nil
}

// draw returns the next number of the generator SplitMix64 (Steele, Lea and Flood, 2014).
func draw(state *uint64) uint64 {
	*state += 0x9E3779B97F4A7C15
	z := *state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

func abs(x float64) float64 { return max(x, -x) }
