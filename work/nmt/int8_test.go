package nmt

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/alia-network/alia/work/tensor"
)

// TestLossInt8: the loss of a validation has the forward products of training, whatever the
// layout of the parameters. Translations do not depend on the arithmetic of training.
func TestLossInt8(t *testing.T) {
	c := toy
	c.Dropout, c.Int8 = 0, true
	p := Init(c, 1)
	b := Batch{Source: sentences(1, c.Vocab, 3, 4), Target: sentences(2, c.Vocab, 3, 4)}
	e := NewEngine(open(t, ""), c)
	g, err := e.Gradient(p, []Batch{b}, DropoutKey{})
	if err != nil {
		t.Fatal(err)
	}
	trained := g.Loss
	ready, err := Prepare(c, p, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*tensor.Set{p, ready} {
		if l, err := e.Loss(p, b); err != nil || l.Loss != trained {
			t.Errorf("the loss is %v, %v; in training %v", l.Loss, err, trained)
		}
	}
	plain := NewEngine(open(t, ""), toy)
	if l, err := plain.Loss(p, b); err != nil || l.Loss == trained {
		t.Errorf("the loss in binary32 is %v, %v, the same", l.Loss, err)
	}
	got, cost, err := e.Greedy(p, b.Source, TwicePlusTen)
	if err != nil {
		t.Fatal(err)
	}
	want, plainCost, err := plain.Greedy(p, b.Source, TwicePlusTen)
	if err != nil || !slices.EqualFunc(got, want, slices.Equal) || cost != plainCost {
		t.Errorf("translated as %v for %d, in binary32 as %v for %d: %v", got, cost, want, plainCost, err)
	}
}

// TestNonFiniteInt8: codes hide no NaN and no infinity, neither in the forward pass nor in the
// backward pass.
func TestNonFiniteInt8(t *testing.T) {
	c := toy
	c.Dropout, c.Int8 = 0, true
	inf, most := float32(math.Inf(1)), float32(math.MaxFloat32)
	b := Batch{Source: [][]int32{{3, 4}}, Target: [][]int32{{5}}}
	for what, x := range map[string]struct {
		spoil func(p *tensor.Set)
		want  NonFiniteError
	}{
		"a weight": {func(p *tensor.Set) { fill(p, "decoder.0.cross.k.weight", 2, inf) },
			NonFiniteError{0, "parameter", "decoder.0.cross.k.weight"}},
		"an input": {func(p *tensor.Set) {
			fill(p, "encoder.0.ffn.norm.weight", 0, most)
			fill(p, "encoder.0.ffn.norm.bias", 0, most)
		}, NonFiniteError{0, "LayerNorm", "encoder.0.ffn.norm"}},
		"a product": {func(p *tensor.Set) {
			fill(p, "encoder.0.ffn.up.bias", 0, most)
			fill(p, "encoder.0.ffn.down.weight", 0, 2)
		}, NonFiniteError{0, "Linear8", "encoder.0.ffn.down"}},
		"a gradient": {func(p *tensor.Set) {
			// The output is finite, because the layer's input is zeros.
			for name, x := range map[string]float32{"decoder.1.cross.v.weight": 0, "decoder.1.cross.out.weight": most, "decoder.norm.weight": 1e4} {
				w, _ := p.Get(name)
				for i := range w.F {
					w.F[i] = x
				}
			}
		}, NonFiniteError{0, "QuantizeScaledRows", "the gradient of decoder.1.cross.out"}},
	} {
		p, e := Init(c, 1), NewEngine(open(t, ""), c)
		x.spoil(p)
		_, err := e.Gradient(p, []Batch{b}, DropoutKey{})
		var got *NonFiniteError
		if !errors.As(err, &got) || *got != x.want || !errors.Is(err, ErrNonFinite) {
			t.Errorf("%s: %v, want %v", what, err, &x.want)
		}
	}
}

// TestPacked: losses and gradients have the same bits with parameters that are packed for the
// device, in both arithmetics. The weights have more than one panel.
func TestPacked(t *testing.T) {
	dev := open(t, "")
	for _, int8 := range []bool{false, true} {
		c := toy
		c.Dim, c.FFN, c.Vocab, c.Dropout, c.Int8 = 72, 100, 70, 0, int8
		b := Batch{Source: sentences(1, c.Vocab, 3, 4), Target: sentences(2, c.Vocab, 3, 4)}
		e := NewEngine(dev, c)
		want, err := e.Loss(Init(c, 1), b)
		if err != nil {
			t.Fatal(err)
		}
		p := Init(c, 1)
		packed, err := PrepareOn(dev, c, p, false)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.Loss(packed, b); err != nil || got.Loss != want.Loss {
			t.Errorf("int8 %v: the loss is %v, %v; with rows %v", int8, got.Loss, err, want.Loss)
		}
		ref, err := e.Gradient(Init(c, 1), []Batch{b}, DropoutKey{})
		if err != nil {
			t.Fatal(err)
		}
		grads := ref.Grads.Clone()
		got, err := e.Gradient(p, []Batch{b}, DropoutKey{})
		if err != nil {
			t.Fatal(err)
		}
		if name, ok := got.Grads.Difference(grads); ok {
			t.Errorf("int8 %v: another gradient of %s with packed parameters", int8, name)
		}
	}
}
