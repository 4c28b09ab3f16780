package train

import (
	"math"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
)

var little = nmt.Config{Vocab: 21, Dim: 12, FFN: 10, Heads: 2, Encoder: 1, Decoder: 1, Dropout: 0.25, Smoothing: 0.1}

func devices(t *testing.T) (all []kernel.Device) {
	t.Helper()
	for _, name := range kernel.Names() {
		dev, err := kernel.Open(name, 1)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, dev)
	}
	return all
}

// random is a set of the form of s whose elements are about the size of trained ones.
func random(s *tensor.Set, seed uint32) *tensor.Set {
	s = s.Zeros()
	for i := range s.Len() {
		for j := range s.At(i).F {
			w := kernel.Philox([4]uint32{uint32(j), uint32(i)}, [2]uint32{seed})
			s.At(i).F[j] = float32(int32(w[0])>>8) / (1 << 25)
		}
	}
	return s
}

// TestMergeBegins: with the adapters that training starts with, a model is what it was. The
// adapters depend on the seed, and every weight but the embedding has some.
func TestMergeBegins(t *testing.T) {
	params, of := nmt.Init(little, 3), nmt.Adapters{Model: little, Rank: 4}
	start := of.Init(3)
	if err := of.Check(start); err != nil {
		t.Fatal(err)
	}
	if err := (nmt.Adapters{Model: little, Rank: 3}).Check(start); err == nil || !strings.Contains(err.Error(), "rank 3") {
		t.Errorf("adapters of another rank: %v", err)
	}
	for _, dev := range devices(t) {
		if name, differs := Merge(dev, params, start, nil).Difference(params); differs {
			t.Errorf("%s: %s changed", dev.Name(), name)
		}
	}
	if _, differs := start.Difference(of.Init(3)); differs {
		t.Error("two starts of one seed differ")
	}
	if _, differs := start.Difference(of.Init(4)); !differs {
		t.Error("the starts of two seeds are the same")
	}
	matrices := 0
	for i := range params.Len() {
		if len(params.At(i).Shape) == 2 {
			matrices++
		}
	}
	if start.Len() != 2*(matrices-1) {
		t.Errorf("%d adapters for %d matrices, one of them the embedding", start.Len(), matrices)
	}
	for i := range start.Len() {
		x := start.At(i)
		zero := true
		for _, e := range x.F {
			zero = zero && math.Float32bits(e) == 0
			if bound := 1 / math.Sqrt(float64(x.Shape[1])); math.Abs(float64(e)) > bound {
				t.Fatalf("%s has %v, which is beyond %v", x.Name, e, bound)
			}
		}
		if zero != strings.HasSuffix(x.Name, "_b") {
			t.Errorf("%s is zero: %v", x.Name, zero)
		}
	}
}

// product is element i, j of x·y, each read by a function, with k factors: NUMERICS.md,
// section 2.
func product(k int, x, y func(k int) float32) float32 {
	var acc float32
	for i := range k {
		acc = kernel.Fma(x(i), y(i), acc)
	}
	return acc
}

// TestAdaptersReference: merged parameters and projected gradients have the bits of loops over
// their elements, on every device.
func TestAdaptersReference(t *testing.T) {
	const rank = 3
	of := nmt.Adapters{Model: little, Rank: rank}
	params, grads, adapters := random(little.Skeleton(), 1), random(little.Skeleton(), 2), random(of.Skeleton(), 3)
	merged, projected := params.Clone(), adapters.Zeros()
	for i := range params.Len() {
		w := params.At(i)
		name := strings.TrimSuffix(w.Name, ".weight")
		a, ok := adapters.Get(name + ".lora_a")
		b, both := adapters.Get(name + ".lora_b")
		if ok != both || ok != (len(w.Shape) == 2 && w.Name != "embedding.weight") {
			t.Fatalf("%s has A: %v, and B: %v", w.Name, ok, both)
		}
		if !ok {
			continue
		}
		in, out := w.Shape[0], w.Shape[1]
		y, dw := merged.At(i).F, grads.At(i).F
		da, _ := projected.Get(name + ".lora_a")
		db, _ := projected.Get(name + ".lora_b")
		for r := range rank {
			for j := range in {
				da.F[r*in+j] = product(out, func(k int) float32 { return dw[j*out+k] }, func(k int) float32 { return b.F[r*out+k] })
			}
			for j := range out {
				db.F[r*out+j] = product(in, func(k int) float32 { return a.F[r*in+k] }, func(k int) float32 { return dw[k*out+j] })
			}
		}
		for j := range in {
			for k := range out {
				y[j*out+k] += product(rank, func(r int) float32 { return a.F[r*in+j] }, func(r int) float32 { return b.F[r*out+k] })
			}
		}
	}
	for _, dev := range devices(t) {
		into := Merge(dev, params, random(of.Skeleton(), 4), nil) // whose storage is used again
		for _, got := range []*tensor.Set{Merge(dev, params, adapters, nil), Merge(dev, params, adapters, into)} {
			if name, differs := got.Difference(merged); differs {
				t.Errorf("%s: merged %s differs", dev.Name(), name)
			}
		}
		if name, differs := params.Difference(random(little.Skeleton(), 1)); differs {
			t.Errorf("%s: a merge changed parameter %s", dev.Name(), name)
		}
		if name, differs := Project(dev, grads, adapters).Difference(projected); differs {
			t.Errorf("%s: the gradient of %s differs", dev.Name(), name)
		}
	}
}

// TestAdaptersGradient compares with central differences of the loss, with the same dropout
// masks; the tolerance is the rounding of a binary32 loss.
func TestAdaptersGradient(t *testing.T) {
	const h = 1.0 / 1024
	dev := devices(t)[0]
	engine, params := nmt.NewEngine(dev, little), nmt.Init(little, 1)
	of := nmt.Adapters{Model: little, Rank: 2}
	adapters := random(of.Skeleton(), 5)
	batch := nmt.Batch{Source: [][]int32{{4, 9, 17}, {20, 3}}, Target: [][]int32{{5, 6}, {12, 7, 8, 19}}}
	gradient := func() nmt.Gradient {
		g, err := engine.Gradient(Merge(dev, params, adapters, nil), []nmt.Batch{batch}, nmt.DropoutKey{Seed: 1, Step: 2})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	loss := func() float64 { g := gradient(); return float64(g.Loss) / float64(g.Tokens) }
	grads := Project(dev, gradient().Grads, adapters)
	moved := 0
	for i := range adapters.Len() {
		x, dx := adapters.At(i), grads.At(i)
		for j := 0; j < len(x.F); j += max(1, len(x.F)/5) {
			was := x.F[j]
			x.F[j] = was + h
			above := loss()
			x.F[j] = was - h
			below := loss()
			x.F[j] = was
			got, want := float64(dx.F[j]), (above-below)/(2*h)
			if math.Abs(got-want) > 2e-3+0.02*math.Abs(want) {
				t.Errorf("%s[%d]: gradient %v, the loss says %v", x.Name, j, got, want)
			}
			if math.Abs(want) > 0.01 {
				moved++
			}
		}
	}
	if moved < 10 {
		t.Errorf("only %d elements change the loss: the test compares nothing", moved)
	}
}

// TestLoRABounds: adapters that are no smaller than a weight are refused.
func TestLoRABounds(t *testing.T) {
	c := demo(t)
	for _, x := range []struct{ dim, ffn, most uint32 }{{96, 192, 47}, {16, 24, 7}, {16, 8, 5}, {512, 2048, 255}, {2, 1, 0}} {
		c.Dim, c.FFN, c.Heads = x.dim, x.ffn, 1
		for rank := range uint32(300) {
			c.LoRA = rank
			smaller := rank*2*x.dim < x.dim*x.dim && rank*(x.dim+x.ffn) < x.dim*x.ffn
			if rank == 0 {
				smaller = true // none
			}
			if smaller != (rank <= x.most) {
				t.Fatalf("rank %d of %d and %d: the test is wrong", rank, x.dim, x.ffn)
			}
			err := c.Validate()
			if (err == nil) != smaller || err != nil && !strings.Contains(err.Error(), "no smaller than the weight") {
				t.Errorf("rank %d for widths %d and %d: %v", rank, x.dim, x.ffn, err)
			}
		}
	}
	c.Dim, c.FFN, c.LoRA = 512, 2048, 1<<32-1
	if err := c.Validate(); err == nil {
		t.Error("the largest rank is taken")
	}
}
