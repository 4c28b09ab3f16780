package nmt

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/tensor"
)

// toy is a model small enough for the portable kernels.
var toy = Config{Vocab: 11, Dim: 8, FFN: 12, Heads: 2, Encoder: 2, Decoder: 2, Dropout: 0.25, Smoothing: 0.1}

func TestValidate(t *testing.T) {
	if err := toy.Validate(); err != nil {
		t.Error(err)
	}
	for what, change := range map[string]func(*Config){
		"vocab":     func(c *Config) { c.Vocab = 3 },
		"odd dim":   func(c *Config) { c.Dim, c.Heads = 9, 3 },
		"heads":     func(c *Config) { c.Heads = 3 },
		"layers":    func(c *Config) { c.Encoder = 0 },
		"huge":      func(c *Config) { c.FFN = 1 << 20 },
		"dropout":   func(c *Config) { c.Dropout = 1 },
		"NaN":       func(c *Config) { c.Dropout = float32(math.NaN()) },
		"smoothing": func(c *Config) { c.Smoothing = -0.1 },
	} {
		c := toy
		if change(&c); c.Validate() == nil {
			t.Errorf("%s: %+v passes", what, c)
		}
	}
}

// TestShapes counts the parameters of the peer's tiny preset.
func TestShapes(t *testing.T) {
	c := Config{Vocab: 6000, Dim: 128, FFN: 256, Heads: 4, Encoder: 4, Decoder: 4}
	shapes, n := c.Shapes(), 0
	for _, s := range shapes {
		size := 1
		for _, d := range s.Dims {
			size *= d
		}
		n += size
	}
	if n != 2093568 {
		t.Errorf("%d elements, want 2093568", n)
	}
	if !slices.IsSortedFunc(shapes, func(a, b ParamShape) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the names are not sorted")
	}
}

func TestInit(t *testing.T) {
	c := Config{Vocab: 300, Dim: 32, FFN: 48, Heads: 2, Encoder: 1, Decoder: 1}
	p := Init(c, 1)
	if err := c.Check(p); err != nil {
		t.Fatal(err)
	}
	if err := toy.Check(p); err == nil {
		t.Error("another configuration's parameters pass")
	}
	e, _ := p.Get("embedding.weight")
	if m, d := moments(e.F[32:]); math.Abs(m) > 0.01 || math.Abs(d-1/math.Sqrt(32)) > 0.01 {
		t.Errorf("embedding has mean %v, deviation %v, want 0, %v", m, d, 1/math.Sqrt(32))
	}
	for _, x := range e.F[:32] {
		if x != 0 {
			t.Errorf("the embedding of Pad holds %v", x)
		}
	}
	q, _ := p.Get("decoder.0.cross.q.weight")
	bound := math.Sqrt(6.0 / (32 + 3*32))
	if m, d := moments(q.F); math.Abs(m) > 0.02 || math.Abs(d-bound/math.Sqrt(3)) > 0.02 {
		t.Errorf("a query's weight has mean %v, deviation %v, want 0, %v", m, d, bound/math.Sqrt(3))
	}
	if x := slices.Max(q.F); float64(x) > bound {
		t.Errorf("a query's weight holds %v, over the bound %v", x, bound)
	}
	if name, _ := p.Difference(Init(c, 2)); name == "" {
		t.Error("two seeds give the same parameters")
	}
	const want = "e4f9a18dfb158931"
	if got := digest(p); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

// moments is the mean and the deviation of x.
func moments(x []float32) (mean, deviation float64) {
	for _, v := range x {
		mean += float64(v)
		deviation += float64(v) * float64(v)
	}
	n := float64(len(x))
	return mean / n, math.Sqrt(deviation / n)
}

// digest is the digests of a set's tensors, folded.
func digest(s *tensor.Set) string {
	var fold [8]byte
	for i := range s.Len() {
		d := tensor.Digest(s.At(i).Tensor)
		for j := range fold {
			fold[j] = fold[j]*31 + d[j]
		}
	}
	return fmt.Sprintf("%x", fold)
}
