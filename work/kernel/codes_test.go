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
			for _, b := range usable() {
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

// TestDeepestProduct sums codes of the largest magnitude at the largest depth that the shape
// rule allows. The sums come within 2 per cent of the largest int32.
func TestDeepestProduct(t *testing.T) {
	const rows, columns = 17, 19
	c := (&source{}).linear8(rows, columns, maxDepth8)
	for i := range c.In[0].B {
		c.In[0].B[i] = 127
		if i/maxDepth8%2 == 1 {
			c.In[0].B[i] = -127
		}
	}
	for i := range c.In[2].B {
		c.In[2].B[i] = 127
	}
	for i := range c.In[3].F {
		c.In[3].F[i], c.In[4].F[i] = 1, 0
	}
	for i := range c.In[1].F {
		c.In[1].F[i] = 1
	}
	c.Op = Linear8
	for _, b := range usable() {
		allocate(&c)
		newDevice(b.name, 1, b.cells()).Do(&c)
		for i, y := range c.Out[0].F {
			want := float32(127 * 127 * maxDepth8)
			if i/columns%2 == 1 {
				want = -want
			}
			if y != want {
				t.Fatalf("%s: element %d is %v, want %v", b.name, i, y, want)
			}
		}
	}
}

// TestOutlier quantises a row, a column and a weight with one element that is a million times
// as large as the others. It gets the code 127, and they get 0, or the least codes of their own
// row or column.
func TestOutlier(t *testing.T) {
	const size = 40
	x, ones := New(F32, size, size), New(F32, size)
	for i := range x.F {
		x.F[i] = 1
	}
	for i := range ones.F {
		ones.F[i] = 1
	}
	x.F[3*size+5] = 1e6
	for _, c := range []Call{
		withOp(QuantizeRows, call(Attr{}, x)),
		withOp(QuantizeScaledRows, call(Attr{}, x, ones)),
		withOp(QuantizeScaledColumns, call(Attr{}, x, ones)),
		withOp(QuantizeWeight, call(Attr{}, x)),
		withOp(QuantizeWeight, call(Attr{Trans: NT}, x)),
	} {
		for _, b := range usable() {
			allocate(&c)
			newDevice(b.name, 1, b.cells()).Do(&c)
			zeros, most := 0, 0
			for _, q := range c.Out[0].B {
				switch q {
				case 0:
					zeros++
				case 127:
					most++
				default:
					t.Fatalf("%s, %v: a code is %d", b.name, c.Op, q)
				}
			}
			padding := len(c.Out[0].B) - size*size
			if zeros != padding+size-1 || most != size*size-size+1 {
				t.Errorf("%s, %v: %d codes of 0 and %d of 127", b.name, c.Op, zeros, most)
			}
		}
	}
}
