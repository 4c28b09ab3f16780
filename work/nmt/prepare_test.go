package nmt

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// prepared is p in a layout.
func prepared(t testing.TB, c Config, p *tensor.Set, l layout) *tensor.Set {
	t.Helper()
	if l == trained {
		return p
	}
	q, err := Prepare(c, p, l == coded)
	if err != nil {
		t.Fatal(err)
	}
	if got := layoutOf(q); got != l {
		t.Fatalf("prepared parameters are of layout %d, not %d", got, l)
	}
	return q
}

// layouts is p in every layout.
func layouts(t testing.TB, c Config, p *tensor.Set) []*tensor.Set {
	return []*tensor.Set{p, prepared(t, c, p, transposed), prepared(t, c, p, coded), preparedOn(t, open(t, ""), c, p, transposed)}
}

// preparedOn is p in a layout, for dev.
func preparedOn(t testing.TB, dev kernel.Device, c Config, p *tensor.Set, l layout) *tensor.Set {
	t.Helper()
	own := p.Clone()
	if l == trained {
		return own.On(dev)
	}
	q, err := PrepareOn(dev, c, own, l == coded)
	if err != nil {
		t.Fatal(err)
	}
	// The set that was taken over has the same elements, row by row.
	if name, differ := own.Difference(p); differ {
		t.Fatalf("%s: parameter %s has other elements after it was prepared", dev.Name(), name)
	}
	return q
}

// TestTranslationGolden holds what a small model makes of sentences, the
// likelihood of each output included: one digest for binary32 and one for int8,
// whatever the device, the threads, the batch and the layout of the parameters.
func TestTranslationGolden(t *testing.T) {
	c := Config{Vocab: 70, Dim: 24, FFN: 37, Heads: 3, Encoder: 2, Decoder: 2, Smoothing: 0.1}
	p := Init(c, 5)
	for i := range p.Len() {
		if x := p.At(i); len(x.Shape) == 2 && x.Name != "embedding.weight" {
			for j := range x.F {
				x.F[j] *= 4
			}
		}
	}
	src := sentences(9, c.Vocab, 64, 8)
	for l, want := range map[layout]string{ // order-free: independent cases
		trained:    "342844865271a193",
		transposed: "342844865271a193",
		coded:      "918fc5b16488ae89",
	} {
		raw, p := p, prepared(t, c, p, l)
		for _, name := range kernel.Names() {
			for _, threads := range []int{1, 2} {
				dev, err := kernel.Open(name, threads)
				if err != nil {
					t.Fatal(err)
				}
				batches := []int{1, 7, 64}
				if name == "portable" { // which is slow: one thread takes 64, two take 7
					batches = batches[3-threads:][:1]
				}
				for i, batch := range batches {
					q := p
					if i%2 == 1 || len(batches) == 1 {
						q = preparedOn(t, dev, c, raw, l)
					}
					if got := translationDigest(t, NewEngine(dev, c), q, src, batch); got != want {
						t.Errorf("layout %d, %s, %d threads, batches of %d: %s, want %s", l, name, threads, batch,
							got, want)
					}
				}
			}
		}
	}
}

// translationDigest is of the greedy and the beam translations of src and of
// the log-probabilities of their tokens.
func translationDigest(t *testing.T, e *Engine, p *tensor.Set, src [][]int32, batch int) string {
	t.Helper()
	h := sha256.New()
	for _, width := range []int{1, 3} {
		for part := range slices.Chunk(src, batch) {
			out, _, err := e.Greedy(p, part, TwicePlusTen)
			if width > 1 {
				out, _, err = e.Beam(p, part, TwicePlusTen, width, 0.75)
			}
			if err != nil {
				t.Fatal(err)
			}
			logs, err := e.LogProbs(p, Batch{Source: part, Target: out})
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range out {
				binary.Write(h, binary.LittleEndian, s)
				binary.Write(h, binary.LittleEndian, logs[i])
			}
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// TestPrepareCodes checks that each code is the nearest to its element and
// that one engine goes from layout to layout.
func TestPrepareCodes(t *testing.T) {
	p := sharp()
	q := prepared(t, toy, p, coded)
	w, _ := p.Get("decoder.1.ffn.up.weight")
	codes, _ := q.Get("decoder.1.ffn.up.weight")
	scales, _ := q.Get("decoder.1.ffn.up.scale")
	k, n := w.Shape[0], w.Shape[1]
	for i := range k {
		for j := range n {
			code := codes.B[(j/16*codes.Shape[1]+i/4)*64+j%16*4+i%4]
			x, s := float64(w.F[i*n+j]), float64(scales.F[j])
			if math.Abs(x-float64(code)*s) > s*0.5001 {
				t.Errorf("row %d column %d: %v has code %d at scale %v", i, j, x, code, s)
			}
		}
	}
	e, b := NewEngine(open(t, ""), toy), Batch{Source: [][]int32{{5, 6}}, Target: [][]int32{{7}}}
	want, err := e.Loss(p, b)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []layout{coded, transposed, trained} {
		got, err := e.Loss(prepared(t, toy, p, l), b)
		if err != nil || (got.NLL == want.NLL) != (l != coded) || math.Abs(float64(got.NLL-want.NLL)) > 0.2 {
			t.Errorf("layout %d: loss %v, %v; as trained %v", l, got.NLL, err, want.NLL)
		}
	}
}

// TestPrepareRejects: what cannot be coded, and gradients of what is.
func TestPrepareRejects(t *testing.T) {
	p := sharp()
	b := []Batch{{Source: [][]int32{{5}}, Target: [][]int32{{7}}}}
	for _, l := range []layout{transposed, coded} {
		if _, err := NewEngine(open(t, ""), toy).Gradient(prepared(t, toy, p, l), b, DropoutKey{}); err == nil {
			t.Errorf("layout %d has a gradient", l)
		}
	}
	if _, err := Prepare(toy, prepared(t, toy, p, coded), true); err == nil {
		t.Error("codes were coded")
	}
	w, _ := p.Get("encoder.0.self.q.weight")
	w.F[3] = float32(math.NaN())
	if _, err := Prepare(toy, p, true); !errors.Is(err, ErrNonFinite) {
		t.Errorf("a NaN was coded: %v", err)
	}
}
