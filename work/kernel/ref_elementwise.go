package kernel

import "math"

// The references of the operations on elements, of the optimiser, of dropout and of the
// quantisers: NUMERICS.md, sections 7.1 and 7.6 to 7.8. float32(x*y) rounds the product,
// which the compiler may otherwise fuse with the sum that follows.

func refAddBias(c *Call, lo, hi int) {
	d := cols(&c.In[0])
	bias := c.In[1].F
	for t := lo; t < hi; t++ {
		x, y := c.In[0].F[t*d:(t+1)*d], c.Out[0].F[t*d:(t+1)*d]
		for i, b := range bias {
			y[i] = x[i] + b
		}
	}
}

func refAdd(c *Call, lo, hi int) {
	x, y, out := c.In[0].F, c.In[1].F, c.Out[0].F
	for i := lo; i < hi; i++ {
		out[i] = x[i] + y[i]
	}
}

func refScale(c *Call, lo, hi int) {
	x, out := c.In[0].F, c.Out[0].F
	for i := lo; i < hi; i++ {
		out[i] = x[i] * c.Attr.Scale
	}
}

func refRelu(c *Call, lo, hi int) {
	x, out := c.In[0].F, c.Out[0].F
	for i := lo; i < hi; i++ {
		v := x[i]
		if !(v > 0) { // also NaN and -0
			v = 0
		}
		out[i] = v
	}
}

func refReluGrad(c *Call, lo, hi int) {
	y, dy, out := c.In[0].F, c.In[1].F, c.Out[0].F
	for i := lo; i < hi; i++ {
		v := dy[i]
		if !(y[i] > 0) {
			v = 0
		}
		out[i] = v
	}
}

func refSwish(c *Call, lo, hi int) {
	x, out := c.In[0].F, c.Out[0].F
	for i := lo; i < hi; i++ {
		out[i] = x[i] / (1 + Exp(-x[i]))
	}
}

func refSwishGrad(c *Call, lo, hi int) {
	x, dy, out := c.In[0].F, c.In[1].F, c.Out[0].F
	for i := lo; i < hi; i++ {
		s := 1 / (1 + Exp(-x[i]))
		out[i] = float32(float32(dy[i]*s) * (1 + float32(x[i]*(1-s))))
	}
}

// dropThreshold is the number of the 2^32 random words that drop an element.
func dropThreshold(rate float32) uint32 { return uint32(float64(rate) * (1 << 32)) }

// dropKey returns the generator's key, and the counter of the first four elements.
func dropKey(c *Call) (key [2]uint32, counter [4]uint32) {
	k := c.In[1].I
	return [2]uint32{uint32(k[0]), uint32(k[1])}, [4]uint32{0, 0, c.Attr.Site, uint32(k[2])}
}

func refDropout(c *Call, lo, hi int) {
	x, out := c.In[0].F, c.Out[0].F
	key, counter := dropKey(c)
	drop := dropThreshold(c.Attr.Rate)
	for q := lo; q < hi; q++ {
		// A counter gives four words, for four adjacent elements.
		counter[0], counter[1] = uint32(q), uint32(uint64(q)>>32)
		for l, word := range Philox(counter, key) {
			i := 4*q + l
			if i >= len(x) {
				break
			}
			v := float32(0)
			if word >= drop {
				v = x[i] * c.Attr.Scale
			}
			out[i] = v
		}
	}
}

func refAdam(c *Call, lo, hi int) {
	grad, m, v := c.In[0].F, c.In[1].F, c.In[2].F
	step, fix1, fix2 := c.In[3].F[0], c.In[3].F[1], c.In[3].F[2]
	u, m1, v1 := c.Out[0].F, c.Out[1].F, c.Out[2].F
	a := &c.Attr
	for i := lo; i < hi; i++ {
		// The moments, and the step from both without bias (Kingma and Ba 2015).
		d := grad[i]
		mean := Fma(1-a.Beta1, d, float32(a.Beta1*m[i]))
		square := Fma(1-a.Beta2, float32(d*d), float32(a.Beta2*v[i]))
		m1[i], v1[i] = mean, square
		u[i] = float32(step*float32(mean*fix1)) / (sqrt(float32(square*fix2)) + a.Eps)
	}
}

func refQuantize(c *Call, lo, hi int) {
	x, q, scales := c.In[0].F, c.Out[0].B, c.Out[1].F
	for b := lo; b < hi; b++ {
		i, end := b*quantum, min((b+1)*quantum, len(x))
		s, inv := quantScale(absMax(x[i:end]), 127)
		scales[b] = s
		if s == 0 {
			clear(q[i:end])
			continue
		}
		for ; i < end; i++ {
			q[i] = int8(quantized(x[i], inv, 127))
		}
	}
}

// absMax is the largest magnitude of x. A NaN is larger than any number: without their
// sign, bits are in the sequence of numbers, and those of NaN come last.
func absMax(x []float32) float32 {
	top := uint32(0)
	for _, v := range x {
		top = max(top, math.Float32bits(v)&0x7fffffff)
	}
	return math.Float32frombits(top)
}

// quantScale returns the scale of a block whose largest magnitude, top, gets the code
// most, and the inverse of the scale. Both are +0 when the inverse is not a normal
// number.
func quantScale(top, most float32) (s, inv float32) {
	s = top / most
	inv = 1 / s
	if e := math.Float32bits(inv) >> 23 & 0xff; e == 0 || e == 0xff {
		return 0, 0
	}
	return s, inv
}

// quantized returns x*inv rounded to the nearest even integer within ±most.
func quantized(x, inv, most float32) int32 {
	// The comparisons also send NaN to -most, on every processor.
	x = float32(x * inv)
	if !(x > -most) {
		x = -most
	}
	if !(x < most) {
		x = most
	}
	// Adding the bias rounds to an integer; its low bits are the result.
	bias := math.Float32frombits(roundBias)
	return int32(math.Float32bits(x+bias)) - roundBias
}

func refAddQuantized(c *Call, lo, hi int) {
	x, q, scales, out := c.In[0].F, c.In[1].B, c.In[2].F, c.Out[0].F
	for b := lo; b < hi; b++ {
		s := scales[b]
		for i := b * quantum; i < min((b+1)*quantum, len(x)); i++ {
			out[i] = Fma(float32(float32(q[i])*c.Attr.Scale), s, x[i])
		}
	}
}

func refQuantize4(c *Call, lo, hi int) {
	x, q, scales := c.In[0].F, c.Out[0].I, c.Out[1].F
	for b := lo; b < hi; b++ {
		block := x[b*quantum4 : min((b+1)*quantum4, len(x))]
		s, inv := quantScale(absMax(block), 7)
		scales[b] = s
		// Eight codes in a word; the clear words are the codes of a block without scale.
		words := q[b*quantum4/8 : (b+1)*quantum4/8]
		clear(words)
		if s == 0 {
			continue
		}
		encode4(words, block, inv, 0)
	}
}

// encode4 writes the 4-bit codes of x from element i on into words, which are zero there.
func encode4(words []int32, x []float32, inv float32, i int) {
	for ; i < len(x); i++ {
		words[i/8] |= int32(uint32(quantized(x[i], inv, 7)) & 15 << (4 * (i % 8)))
	}
}

func refAddQuantized4(c *Call, lo, hi int) {
	x, q, scales, out := c.In[0].F, c.In[1].I, c.In[2].F, c.Out[0].F
	for b := lo; b < hi; b++ {
		add4(out, x, q, c.Attr.Scale, scales[b], b*quantum4, min((b+1)*quantum4, len(x)))
	}
}

// add4 sets out to x plus the values of the 4-bit codes, for elements i to end-1.
func add4(out, x []float32, q []int32, sign, s float32, i, end int) {
	for ; i < end; i++ {
		code := q[i/8] << (28 - 4*(i%8)) >> 28 // shifted to the top, and back with its sign
		out[i] = Fma(float32(float32(code)*sign), s, x[i])
	}
}

// block2 returns the range of elements of Quantize2's block b. Blocks do not go across
// rows.
func block2(t *Tensor, b int) (lo, hi int) {
	length, blocks := lastDims(t)
	row, at := b/blocks*length, b%blocks*quantum2
	return row + at, row + min(at+quantum2, length)
}

func refQuantize2(c *Call, lo, hi int) {
	const words = quantum2 / 16
	for b := lo; b < hi; b++ {
		from, until := block2(&c.In[0], b)
		x, q := c.In[0].F[from:until], c.Out[0].I[b*words:(b+1)*words]
		clear(q)
		s, high := quantScale2(laneDot(x, x), len(x))
		c.Out[1].F[b] = s
		if s == 0 {
			continue
		}
		encode2(q, x, high, 0)
	}
}

// quantScale2 returns the scale of n elements, +0 when it is not a normal number, and the
// magnitude above which an element gets the larger code. squares is their sum of squares.
func quantScale2(squares float32, n int) (s, high float32) {
	r := sqrt(squares / float32(n))
	s, high = float32(r*0.151), float32(r*0.98)
	if e := math.Float32bits(s) >> 23 & 0xff; e == 0 || e == 0xff {
		s = 0
	}
	return s, high
}

// encode2 writes the 2-bit codes of x from element j on into q, which is zero there.
func encode2(q []int32, x []float32, high float32, j int) {
	for ; j < len(x); j++ {
		// The high bit is the sign, the low bit the magnitude.
		v := x[j]
		code := math.Float32bits(v) >> 31 << 1
		if v < 0 {
			v = -v
		}
		if v > high {
			code |= 1
		}
		q[j/16] |= int32(code << (2 * (j % 16)))
	}
}

// levels2 is the integer that each of Quantize2's codes means.
var levels2 = [4]float32{3, 10, -3, -10}

func refAddQuantized2(c *Call, lo, hi int) {
	const words = quantum2 / 16
	for b := lo; b < hi; b++ {
		from, until := block2(&c.In[0], b)
		x, out, q, s := c.In[0].F[from:until], c.Out[0].F[from:until], c.In[1].I[b*words:], c.In[2].F[b]
		add2(out, x, q, c.Attr.Scale, s, 0)
	}
}

// add2 sets out to x plus the values of the 2-bit codes, from element j on.
func add2(out, x []float32, q []int32, sign, s float32, j int) {
	for ; j < len(x); j++ {
		level := levels2[uint32(q[j/16])>>(2*(j%16))&3]
		out[j] = Fma(float32(level*sign), s, x[j])
	}
}
