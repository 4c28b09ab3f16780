package nmt

import (
	"fmt"
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"pgregory.net/rapid"
)

// drawConfig draws a little model of any form.
func drawConfig(t *rapid.T) Config {
	heads := rapid.SampledFrom([]int{1, 2, 3}).Draw(t, "heads")
	c := Config{
		Vocab: rapid.IntRange(4, 40).Draw(t, "vocab"), Dim: 4 * heads, FFN: rapid.IntRange(1, 20).Draw(t, "ffn"),
		Heads:   heads,
		Encoder: rapid.IntRange(1, 3).Draw(t, "encoder"), Decoder: rapid.IntRange(1, 3).Draw(t, "decoder"),
		Dropout:   rapid.SampledFrom([]float32{0, 0.3}).Draw(t, "dropout"),
		Smoothing: rapid.SampledFrom([]float32{0, 0.1}).Draw(t, "smoothing"),
		Int8:      rapid.Bool().Draw(t, "int8"),
		Form: Form{
			PostNorm:   rapid.Bool().Draw(t, "post norm"),
			Activation: Activation(rapid.IntRange(0, 1).Draw(t, "activation")),
			OutputBias: rapid.Bool().Draw(t, "output bias"), Unscaled: rapid.Bool().Draw(t, "unscaled"),
			Start:      rapid.SampledFrom([]int32{0, EOS}).Draw(t, "start"),
			BareSource: rapid.Bool().Draw(t, "bare source"), OwnOutput: rapid.Bool().Draw(t, "own output"),
		},
	}
	if rapid.Bool().Draw(t, "two vocabularies") {
		c.SourceVocab, c.SourceEOS = c.Vocab+1, int32(c.Vocab)
	}
	return c
}

// drawSentences draws n sentences of c's vocabulary.
func drawSentences(t *rapid.T, c Config, n, longest int) [][]int32 {
	sentence := rapid.SliceOfN(rapid.Int32Range(EOS+1, int32(c.Vocab)-1), 0, longest)
	return rapid.SliceOfN(sentence, n, n).Draw(t, "sentences")
}

// TestMeter: the costs of random batches and translations are those that the
// engine finds while it computes them.
func TestMeter(t *testing.T) {
	dev := open(t, "")
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		e, p, m := NewEngine(dev, c), Init(c, 1), NewMeter(c)
		var batches []Batch
		var sizes []Sizes
		for range rapid.IntRange(1, 3).Draw(t, "batches") {
			n := rapid.IntRange(1, 5).Draw(t, "pairs")
			b := Batch{Source: drawSentences(t, c, n, 9), Target: drawSentences(t, c, n, 9)}
			s, err := SizesOf(c, b)
			if err != nil {
				t.Fatal(err)
			}
			batches, sizes = append(batches, b), append(sizes, s)
		}
		g, err := e.Gradient(p, batches, DropoutKey{})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Gradient(sizes...); got != g.Cost {
			t.Errorf("gradient: cost %d, want %d", got, g.Cost)
		}
		l, err := e.Loss(p, batches[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Loss(sizes[0]); got != l.Cost {
			t.Errorf("loss: cost %d, want %d", got, l.Cost)
		}
		checkTranslationCost(t, e, m, batches[0].Source)
	})
}

func checkTranslationCost(t *rapid.T, e *Engine, m *Meter, sources [][]int32) {
	p := Init(e.config, rapid.Uint64().Draw(t, "seed"))
	limit := func(n int) int { return n/2 + 3 }
	e.Repeats = drawRepeats(t)
	outputs, got, err := e.Greedy(p, sources, limit)
	if err != nil {
		t.Fatal(err)
	}
	var cost uint64
	for i, s := range sources {
		steps, same := Steps(len(outputs[i]), limit(len(s)), 0)
		if steps != same {
			t.Errorf("greedy: %d to %d steps", steps, same)
		}
		cost += m.Translation(len(s)+1, steps, 0)
	}
	if cost != got {
		t.Errorf("greedy: cost %d, want %d", cost, got)
	}
	width := rapid.IntRange(1, 8).Draw(t, "width")
	outputs, got, err = e.Beam(p, sources, limit, width, 1)
	if err != nil {
		t.Fatal(err)
	}
	var least, most uint64
	for i, s := range sources {
		from, to := Steps(len(outputs[i]), limit(len(s)), width)
		least += m.Translation(len(s)+1, from, m.Width(width, e.Repeats.Most(limit(len(s)))))
		most += m.Translation(len(s)+1, to, width)
	}
	if got < least || got > most {
		t.Errorf("beam of %d: cost %d, want %d to %d", width, got, least, most)
	}
}

// TestMeterBeamSteps: with the steps of each sentence's search known, the cost of a
// beam search is exact.
func TestMeterBeamSteps(t *testing.T) {
	dev := open(t, "")
	p := Init(toy, 1)
	m := NewMeter(toy)
	for width := 1; width <= 8; width++ {
		for limit := 1; limit < 9; limit++ {
			src := sentences(uint32(limit), toy.Vocab, 1, 7)
			counted := &stepCounter{Device: dev}
			_, cost, err := NewEngine(counted, toy).Beam(p, src, func(int) int { return limit }, width, 1)
			if err != nil {
				t.Fatal(err)
			}
			if want := m.Translation(len(src[0])+1, counted.steps, width); cost != want {
				t.Errorf("width %d, %d steps: cost %d, want %d", width, counted.steps, want, cost)
			}
		}
	}
}

// stepCounter counts the steps of a beam search.
type stepCounter struct {
	kernel.Device
	steps int
}

func (s *stepCounter) Do(c *kernel.Call) {
	if c.Op == kernel.RowSumExp {
		s.steps++
	}
	s.Device.Do(c)
}

// BenchmarkMeter is what a meter takes to make, and to ask for one batch.
func BenchmarkMeter(b *testing.B) {
	base := Config{Vocab: 16000, Dim: 512, FFN: 2048, Heads: 8, Encoder: 6, Decoder: 6, Dropout: 0.1, Smoothing: 0.1}
	for _, c := range []Config{tiny, base} {
		b.Run(fmt.Sprintf("new/%d", c.Dim), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				NewMeter(c)
			}
		})
	}
	m := NewMeter(base)
	batch := Batch{Source: fixed(1, base.Vocab, 73, 13), Target: fixed(2, base.Vocab, 73, 13)}
	b.Run("gradient", func(b *testing.B) {
		for b.Loop() {
			s, err := SizesOf(base, batch)
			if err != nil {
				b.Fatal(err)
			}
			m.Gradient(s)
		}
	})
}
