package train

import (
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
	"pgregory.net/rapid"
)

// TestMaxScale: no gradients, however chosen, give a delta with larger scales, and
// some come within a factor of four.
func TestMaxScale(t *testing.T) {
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	nearest := float32(0)
	rapid.Check(t, func(t *rapid.T) {
		c, err := Preset("demo")
		if err != nil {
			t.Fatal(err)
		}
		c.LocalSteps = 4
		c.DeltaBits = rapid.SampledFrom([]uint32{8, 4, 2}).Draw(t, "bits")
		c.Beta2PPM = rapid.SampledFrom([]uint32{0, 500_000, 980_000, 999_999}).Draw(t, "beta2")
		c.RatePPM = rapid.SampledFrom([]uint32{1, 1000, 1_000_000}).Draw(t, "rate")
		c.WarmUp = rapid.Uint32Range(1, 5).Draw(t, "warm-up")
		c.Decay = rapid.SampledFrom(Decays()).Draw(t, "decay")
		c.ClipPPM = rapid.SampledFrom([]uint32{0, 1_000_000}).Draw(t, "clip")
		at := Position{Step: rapid.SampledFrom([]int{0, 1, 7, 1000}).Draw(t, "step"), Steps: 2000}
		steps := rapid.IntRange(1, 4).Draw(t, "steps")
		number := rapid.SampledFrom([]float32{0, 1, -1, 1e-3, 1e5, -1e15, 1e-15, 1e-20, 1e-23, 1e-30, 1e-40, 3})
		draw := func(name string, n int) *tensor.Set {
			s, err := tensor.NewSet([]tensor.Named{{Name: "w", Tensor: kernel.Tensor{Type: kernel.F32, Shape: []int{n}, F: rapid.SliceOfN(number, n, n).Draw(t, name)}}})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		params := draw("params", 3)
		v := params.Zeros()
		if rapid.Bool().Draw(t, "old moment") {
			v.At(0).F[0] = 1e-6
		}
		o, err := NewLocalOptimizer(dev, c, at, params, v)
		if err != nil {
			t.Fatal(err)
		}
		same := draw("gradient", 3)
		for i := range steps {
			g := same.Clone()
			if rapid.Bool().Draw(t, "another") {
				g = draw("gradient "+string(rune('1'+i)), 3)
			}
			o.Step(g)
		}
		got := o.Finish()
		if !got.Scales.Finite() || !got.V.Finite() {
			return
		}
		most, ok := c.MaxScale(at, steps)
		scale := got.Scales.At(0).F[0]
		if !ok || scale > most {
			t.Fatalf("a scale of %v, the bound is %v, %v", scale, most, ok)
		}
		nearest = max(nearest, scale/most)
	})
	if nearest < 0.25 {
		t.Errorf("no delta comes nearer to the bound than %v of it", nearest)
	}
	c := demo(t)
	c.WeightDecayPPM = 1
	if most, ok := c.MaxScale(Position{}, 1); ok {
		t.Errorf("a bound of %v with weight decay", most)
	}
}
