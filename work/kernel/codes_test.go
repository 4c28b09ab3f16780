package kernel

import (
	"math"
	"testing"
)

// TestCodesOfExtremes compares the quantisers of rows and columns on numbers of all
// magnitudes, and on inputs with numbers that are not finite. A NaN only has to be a NaN:
// its payload differs between processors.
func TestCodesOfExtremes(t *testing.T) {
	odd := []uint32{0x7f800000, 0xff800000, 0x7fc00000, 0xffffffff, 0xff800001, 0x7f7fffff, 1, 0x80000000}
	for _, op := range []Op{Quantize, QuantizeRows, QuantizeScaledRows, QuantizeScaledColumns, QuantizeWeight} {
		for trial := range 256 {
			// Every exponent once, and odd numbers in three of four trials.
			s := &source{key: [2]uint32{uint32(op), uint32(trial)}}
			c := s.random(op)
			c.Op = op
			x, scale := c.In[0].F, math.Float32frombits(uint32(trial)<<23|s.word()>>9)
			for i := range x {
				x[i] = float32(x[i] * scale)
			}
			for range trial % 4 * 2 {
				x[s.below(len(x))] = math.Float32frombits(odd[s.below(len(odd))])
			}
			allocate(&c)
			reference().Do(&c)
			want := c.Out
			for _, b := range backends() {
				if !b.usable() {
					continue
				}
				c.Out = nil
				allocate(&c)
				poison(c.Out)
				newDevice(b.name, 1, b.cells()).Do(&c)
				if d := diff(sameNaN(c.Out), sameNaN(want)); d != "" {
					t.Fatalf("%v on %s, inputs %v, trial %d: %s", op, b.name, inputShapes(&c), trial, d)
				}
			}
		}
	}
}

// sameNaN gives all NaN one payload.
func sameNaN(ts []Tensor) []Tensor {
	for _, t := range ts {
		for i, v := range t.F {
			if v != v {
				t.F[i] = float32(math.NaN())
			}
		}
	}
	return ts
}
