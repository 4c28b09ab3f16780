package kernel

import (
	"math"
	"slices"
	"testing"
)

// TestPieces8 computes the rows of training with codes in pieces of random sizes, with storage
// around the outputs that no piece may write to. All shapes are awkward.
func TestPieces8(t *testing.T) {
	s := &source{key: [2]uint32{17}}
	below := func(n int) int { return int(uint32(s.word())) % n }
	devices := opened(t, 1)
	for range 15 {
		m, k, n := 1+below(300), 1+below(90), 1+below(90)
		calls := map[Op][]Call{
			QuantizeScaledRows:    {call(Attr{}, s.smooth(m, k), s.positive(k)), call(Attr{}, s.floats(m, k), s.floats(k))},
			QuantizeScaledColumns: {call(Attr{}, s.smooth(m, n), s.positive(m)), call(Attr{}, s.floats(m, n), s.floats(m))},
			QuantizeWeight:        {call(Attr{}, s.smooth(k, n)), call(Attr{Trans: NT}, s.floats(k, n))},
			Linear8WeightGrad:     {s.weightGrad(Attr{}, m, k, n), s.weightGrad(Attr{Trans: NT}, m, k, n)},
		}
		for op, cs := range calls {
			for _, c := range cs {
				c.Op = op
				shapes, err := Infer(op, c.Attr, c.In)
				if err != nil {
					t.Fatal(err)
				}
				outputs := func() (all, parts []Tensor) {
					for _, o := range shapes {
						const margin = 80
						size := o.Len()
						whole := New(o.Type, size+2*margin)
						for i := range whole.F {
							whole.F[i] = 12345
						}
						for i := range whole.B {
							whole.B[i] = 77
						}
						all, parts = append(all, whole), append(parts, whole.Part(margin, margin+size, o.Shape...))
					}
					return all, parts
				}
				var want []Tensor
				want, c.Out = outputs()
				pieces := Ops[op].parts(&c)
				Ops[op].ref(&c, 0, pieces)
				for _, dev := range devices {
					d := dev.(*device)
					var got []Tensor
					got, c.Out = outputs()
					for lo := 0; lo < pieces; {
						hi := min(pieces, lo+1+below(pieces))
						d.compute(0, &c, lo, hi)
						lo = hi
					}
					for i := range want {
						if !slices.EqualFunc(got[i].F, want[i].F, sameBits8) || !slices.Equal(got[i].B, want[i].B) {
							t.Fatalf("%s: %v of %d, %d, %d: output %d differs", dev.Name(), op, m, k, n, i)
						}
					}
				}
			}
		}
	}
}

// sameBits8 is equality of bits, or of two NaNs.
func sameBits8(x, y float32) bool {
	return math.Float32bits(x) == math.Float32bits(y) || x != x && y != y
}
