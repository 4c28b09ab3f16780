package nmt

import (
	"math"
	"slices"
	"testing"
)

// TestLogProbs: those of a batch are those of each pair alone, their sum is
// the batch's, and the tokens greedy decoding writes are the likeliest.
func TestLogProbs(t *testing.T) {
	c := Config{Vocab: 40, Dim: 16, FFN: 32, Heads: 2, Encoder: 1, Decoder: 2}
	p := Init(c, 3)
	e := NewEngine(open(t, ""), c)
	sources := [][]int32{{5, 6, 7}, {8}, {9, 10, 11, 12, 13}}
	b := Batch{Source: sources, Target: [][]int32{{20, 21}, {}, {22, 23, 24}}}
	all, err := e.LogProbs(p, b)
	if err != nil {
		t.Fatal(err)
	}
	stats, err := e.Loss(p, b)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for i, s := range all {
		if len(s) != len(b.Target[i])+1 {
			t.Fatalf("target %d has %d log-probabilities", i, len(s))
		}
		for _, x := range s {
			sum += float64(x)
			if !(x < 0) {
				t.Errorf("target %d: log-probability %v", i, x)
			}
		}
		alone, err := e.LogProbs(p, Batch{Source: b.Source[i : i+1], Target: b.Target[i : i+1]})
		if err != nil || !slices.Equal(alone[0], s) {
			t.Errorf("target %d alone: %v, %v; in the batch %v", i, alone, err, s)
		}
	}
	if math.Abs(sum+float64(stats.NLL)) > 1e-3 {
		t.Errorf("they sum to %v, the loss is %v", sum, stats.NLL)
	}
	written, _, err := e.Greedy(p, sources, TwicePlusTen)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range written {
		if len(s) == 0 {
			continue
		}
		best, err := e.LogProbs(p, Batch{Source: sources[i : i+1], Target: [][]int32{s}})
		if err != nil {
			t.Fatal(err)
		}
		for id := int32(EOS + 1); id < int32(c.Vocab); id++ {
			other := slices.Clone(s)
			other[0] = id
			if got, err := e.LogProbs(p, Batch{Source: sources[i : i+1], Target: [][]int32{other}}); err != nil ||
				got[0][0] > best[0][0] {
				t.Errorf("source %d: first token %d has %v, %v, the one written, %d, %v", i, id, got, err, s[0],
					best[0][0])
			}
		}
	}
	if _, err := e.LogProbs(p, Batch{Source: sources, Target: nil}); err == nil {
		t.Error("a batch without targets was scored")
	}
}
