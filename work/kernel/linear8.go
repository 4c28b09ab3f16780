package kernel

import (
	"fmt"
	"math"
)

// The product of 8-bit codes, for translation: NUMERICS.md, section 7.9. Activations are
// quantised row by row when they are needed, weights once, column by column. Sums of
// products of integers are exact, so a device may add them in any sequence.

const (
	panel8    = 16      // columns of a panel of the weight
	group8    = 4       // rows of a panel whose codes of one column are adjacent
	maxDepth8 = 1 << 17 // 127*127 times this is less than 2^31
)

func shapeQuantizeRows(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix); err != nil {
		return results{}, err
	}
	return outputs(result{t: I8, same: in[0].Shape}, shaped(F32, rows(&in[0])))
}

func shapeLinear8(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, operand{I8, 2}, vector, operand{I8, 3}, vector, vector); err != nil {
		return results{}, err
	}
	q, sx, w, sw, b := &in[0], &in[1], &in[2], &in[3], &in[4]
	k, n := cols(q), rows(sw)
	if k > maxDepth8 {
		return results{}, fmt.Errorf("the depth K is %d, at most %d: a longer sum of products may overflow", k, maxDepth8)
	}
	fits := rows(w) == ceil(n, panel8) && w.Shape[1] == ceil(k, group8) && w.Shape[2] == panel8*group8
	if !fits || rows(sx) != rows(q) || rows(b) != n {
		return broken("Q, its scales, W, its scales and bias do not fit:", q, sx, w, sw, b)
	}
	return outputs(matrixOf(F32, rows(q), n))
}

// ceil is n/d rounded up.
func ceil(n, d int) int { return (n + d - 1) / d }

func flopLinear8(c *Call) uint64 {
	return 2 * uint64(rows(&c.In[0])) * uint64(cols(&c.In[0])) * uint64(rows(&c.In[3]))
}

// partsLinear8 splits a product by its rows, and each row by panels.
func partsLinear8(c *Call) int { return rows(&c.In[0]) * rows(&c.In[2]) }

func refQuantizeRows(c *Call, lo, hi int) {
	k := cols(&c.In[0])
	for t := lo; t < hi; t++ {
		x, q := row(&c.In[0], t), c.Out[0].B[t*k:(t+1)*k]
		var inv float32
		c.Out[1].F[t], inv = rowScale(absMax(x))
		encode8(q, x, inv, 0)
	}
}

// rowScale returns the scale of a row whose largest magnitude is top, and its inverse.
// The inverse is +0 where all codes are 0.
func rowScale(top float32) (s, inv float32) {
	if s, inv = quantScale(top, 127); inv == 0 && !(top <= 1) {
		s = top // infinite or NaN, so that the product is not finite either
	}
	return s, inv
}

// encode8 writes the codes of x from element i on into q.
func encode8(q []int8, x []float32, inv float32, i int) {
	if inv == 0 {
		clear(q[i:])
		return
	}
	for ; i < len(x); i++ {
		q[i] = int8(quantized(x[i], inv, 127))
	}
}

func refLinear8(c *Call, lo, hi int) {
	k, n, panels := cols(&c.In[0]), rows(&c.In[3]), rows(&c.In[2])
	size := ceil(k, group8) * group8 * panel8
	sw, b := c.In[3].F, c.In[4].F
	for i := lo; i < hi; i++ {
		// Piece i is panel p of row t.
		t, p := i/panels, i%panels
		var sum [panel8]int32
		w := c.In[2].B[p*size : (p+1)*size]
		for k, x := range c.In[0].B[t*k : (t+1)*k] {
			at := w[k/group8*group8*panel8+k%group8:]
			for j := range sum {
				sum[j] += int32(x) * int32(at[group8*j])
			}
		}
		for j := range min(panel8, n-p*panel8) {
			at := p*panel8 + j
			c.Out[0].F[t*n+at] = float32(float32(sum[j])*float32(c.In[1].F[t]*sw[at])) + b[at]
		}
	}
}

// Packed8 is the shape of Linear8's weight for a matrix [k,n].
func Packed8(k, n int) []int { return []int{ceil(n, panel8), ceil(k, group8), panel8 * group8} }

// Codes quantises a weight for Linear8: it returns W8 and the scales of QuantizeWeight. dev is
// a device of the processor, or nil: then the reference computes them.
func Codes(dev Device, w Tensor, t Trans) (packed, scales Tensor) {
	c := Call{Op: QuantizeWeight, Attr: Attr{Trans: t}, In: []Tensor{w}}
	k, n := weightDims(t, &w)
	c.Out = []Tensor{New(I8, Packed8(k, n)...), New(F32, n), New(I8, Packed8(n, k)...)}
	if dev != nil {
		dev.Do(&c)
	} else {
		refQuantizeWeight(&c, 0, partsWeight(&c))
	}
	return c.Out[0], c.Out[1]
}

// Columns8 returns the columns ids of w, a weight of Linear8, as a weight of its own. It
// uses the storage of to where that is large enough.
func Columns8(to, w Tensor, ids []int32) Tensor {
	groups := w.Shape[1]
	size := groups * panel8 * group8
	n := ceil(len(ids), panel8) * size
	if cap(to.B) < n {
		to.B = make([]int8, n)
	}
	to = Tensor{Type: I8, Shape: Packed8(groups*group8, len(ids)), B: to.B[:n]}
	clear(to.B[n-size:]) // the last panel may be narrower
	for i, id := range ids {
		from := w.B[int(id)/panel8*size+int(id)%panel8*group8:]
		into := to.B[i/panel8*size+i%panel8*group8:]
		for g := range groups {
			at := g * panel8 * group8
			*(*[group8]int8)(into[at:]) = [group8]int8(from[at:])
		}
	}
	return to
}

// casesQuantizeRows has a row of zeros and rows of subnormal numbers.
func casesQuantizeRows(s *source) []Call {
	tiny := New(F32, 2, 45)
	for i := range tiny.F {
		tiny.F[i] = math.Float32frombits(uint32(i) * 0x01000193 & 0x807fffff)
	}
	return []Call{
		call(Attr{}, s.floats(3, 1)), call(Attr{}, s.smooth(7, 53)), call(Attr{}, s.floats(5, 261)),
		call(Attr{}, New(F32, 2, 40)), call(Attr{}, tiny),
	}
}

func casesLinear8(s *source) []Call {
	var cs []Call
	for _, d := range [][3]int{{1, 1, 1}, {1, 70, 33}, {13, 37, 5}, {6, 160, 19}, {5, 33, 530}, {9, 64, 32}} {
		cs = append(cs, s.linear8(d[0], d[1], d[2]))
	}
	return cs
}

// linear8 is a call of Linear8 with codes of all values.
func (s *source) linear8(t, n, k int) Call {
	q, w := New(I8, t, k), New(I8, ceil(n, panel8), ceil(k, group8), panel8*group8)
	for _, x := range [][]int8{q.B, w.B} {
		for i := range x {
			x[i] = int8(s.word())
		}
	}
	return call(Attr{}, q, s.positive(t), w, s.positive(n), s.smooth(n))
}
