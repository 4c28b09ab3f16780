package score

import (
	"fmt"
	"slices"
)

// Comparison is of two translations of one text, by a metric.
type Comparison struct {
	A, B float64 // their scores
	// Low and High bound 95 % of the differences B-A that samples show.
	Low, High float64
	// P is the chance to see so large a difference between equals: below 0.05
	// it is usually called significant.
	P float64
}

// Compare scores two lists of translations against the same references, and by
// paired bootstrap resampling (Koehn, 2004) how sure their difference is: each
// of so many samples draws as many segments as there are, with repetition, and
// scores both on them. P is the share of samples, plus one, whose difference is
// as far from the mean difference as the true one from zero, or further; so it
// is 1 for a translation and itself.
// The same seed gives the same samples on every machine. Errors are Score's.
func Compare(m Metric, a, b, references []string, samples int, seed uint64) (Comparison, error) {
	for _, list := range [][]string{a, b} {
		if err := check(list, references); err != nil {
			return Comparison{}, fmt.Errorf("compare by %s: %w", m.Name, err)
		}
	}
	x, y := m.counts(a, references), m.counts(b, references)
	c := Comparison{A: m.score(sum(x, nil)), B: m.score(sum(y, nil))}
	differences := make([]float64, samples)
	places := make([]int, len(references))
	mean, state := 0.0, seed
	for i := range differences {
		for j := range places {
			places[j] = int(draw(&state) % uint64(len(places)))
		}
		differences[i] = m.score(sum(y, places)) - m.score(sum(x, places))
		mean += differences[i] / float64(samples)
	}
	further := 1
	for _, d := range differences {
		if abs(d-mean) >= abs(c.B-c.A) {
			further++
		}
	}
	c.P = float64(further) / float64(samples+1)
	slices.Sort(differences)
	if samples > 0 {
		c.Low, c.High = differences[samples/40], differences[samples-1-samples/40]
	}
	return c, nil
}

// draw is SplitMix64 (Steele, Lea and Flood, 2014).
func draw(state *uint64) uint64 {
	*state += 0x9E3779B97F4A7C15
	z := *state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

func abs(x float64) float64 { return max(x, -x) }
