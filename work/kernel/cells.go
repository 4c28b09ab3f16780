//go:build (amd64 || arm64) && !purego

package kernel

import "math"

// cells returns a cell for each operation that has an assembly form. The reference serves
// the others.
func (p *primitives) cells() [numOps]cell {
	cs := [numOps]cell{
		MatMul:            p.matMul,
		AddBias:           p.doAddBias,
		Add:               p.doAdd,
		Relu:              p.doRelu,
		ReluGrad:          p.doReluGrad,
		LayerNorm:         p.doLayerNorm,
		LayerNormGrad:     p.doLayerNormGrad,
		LayerNormGainGrad: p.doGainGrad,
		ColSum:            p.doColSum,
		Embed:             p.doEmbed,
		ScatterAdd:        p.doScatterAdd,
		Dropout:           p.doDropout,
		AttnScores:        p.doScores,
		AttnSoftmax:       p.doSoftmax,
		AttnSoftmaxGrad:   p.doSoftmaxGrad,
		AttnMix:           p.doMix,
		AttnMixT:          p.doMixT,
		RowMax:            p.doRowMax,
		RowSumExp:         p.doRowSumExp,
		RowSum:            p.doRowSum,
		RowSumSquares:     p.doRowSumSquares,
		CrossEntropyGrad:  p.doCrossEntropyGrad,
		Sum:               p.doSum,
		ArgMax:            p.doArgMax,
		Quantize:          p.doQuantize,
		AddQuantized:      p.doAddQuantized,
		Scale:             p.doScale,
		Adam:              p.doAdam,
		Swish:             p.doSwish,
	}
	// Not every instruction set has the operations on codes.
	if p.quantize4 != nil {
		cs[Quantize4], cs[AddQuantized4] = p.doQuantize4, p.doAddQuantized4
		cs[Quantize2], cs[AddQuantized2] = p.doQuantize2, p.doAddQuantized2
	}
	cs[QuantizeRows], cs[Attend] = p.doQuantizeRows, p.doAttend
	if p.rows8 != nil {
		cs[Linear8] = p.doLinear8
	}
	return cs
}

// native is what else of p a device has.
func (p *primitives) native() native { return native{panel: p.cols, largest: p.largest} }

var ones = [1]float32{1}

// rowAt is a pointer to the first element of row t of a matrix.
func rowAt(x *Tensor, t int) *float32 { return &row(x, t)[0] }

// doAddBias adds the bias to several short rows at once, because a call of assembly costs
// as much as a short row. The bias is repeated for that.
func (p *primitives) doAddBias(s *scratch, c *Call, lo, hi int) {
	// About 1024 elements for each call of assembly.
	bias, few := c.In[1].F, max(min(1024/len(c.In[1].F), hi-lo), 1)
	if few > 1 {
		repeated := s.panel(few * len(bias))
		for t := range few {
			copy(repeated[t*len(bias):], bias)
		}
		bias = repeated
	}
	for t := lo; t < hi; t += few {
		p.add(rowAt(&c.Out[0], t), rowAt(&c.In[0], t), &bias[0], min(few, hi-t)*cols(&c.In[0]))
	}
}

func (p *primitives) doAdd(_ *scratch, c *Call, lo, hi int) {
	p.add(&c.Out[0].F[lo], &c.In[0].F[lo], &c.In[1].F[lo], hi-lo)
}

func (p *primitives) doScale(_ *scratch, c *Call, lo, hi int) {
	p.scale(&c.Out[0].F[lo], &c.In[0].F[lo], c.Attr.Scale, hi-lo)
}

func (p *primitives) doRelu(_ *scratch, c *Call, lo, hi int) {
	p.relu(&c.Out[0].F[lo], &c.In[0].F[lo], hi-lo)
}

func (p *primitives) doSwish(_ *scratch, c *Call, lo, hi int) {
	p.swish(&c.Out[0].F[lo], &c.In[0].F[lo], hi-lo)
}

func (p *primitives) doReluGrad(_ *scratch, c *Call, lo, hi int) {
	p.reluGrad(&c.Out[0].F[lo], &c.In[0].F[lo], &c.In[1].F[lo], hi-lo)
}

func (p *primitives) doLayerNorm(_ *scratch, c *Call, lo, hi int) {
	d := cols(&c.In[0])
	for t := lo; t < hi; t++ {
		p.layerNorm(rowAt(&c.Out[0], t), rowAt(&c.In[0], t), &c.In[1].F[0], &c.In[2].F[0],
			rowAt(&c.Out[1], t), float32(d), c.Attr.Eps, d)
	}
}

func (p *primitives) doLayerNormGrad(_ *scratch, c *Call, lo, hi int) {
	d := cols(&c.In[0])
	for t := lo; t < hi; t++ {
		stats := row(&c.In[1], t)
		p.layerNormGrad(rowAt(&c.Out[0], t), rowAt(&c.In[0], t), &c.In[2].F[0], rowAt(&c.In[3], t),
			stats[0], stats[1], float32(d), d)
	}
}

func (p *primitives) doGainGrad(_ *scratch, c *Call, lo, hi int) {
	sum := c.Out[0].F[lo:hi]
	clear(sum)
	for t := range rows(&c.In[0]) {
		x, stats, dy := row(&c.In[0], t), row(&c.In[1], t), row(&c.In[2], t)
		p.gainGrad(&sum[0], &dy[lo], &x[lo], stats[0], stats[1], hi-lo)
	}
}

// doColSum computes short rows as a product with ones, which sums in registers: an fma
// with 1 rounds as an addition does. Elements of one column of long rows lie too far from
// one another for that, so long rows are added one by one.
func (p *primitives) doColSum(s *scratch, c *Call, lo, hi int) {
	// A product over the rows, with a row of ones of stride 0.
	sum := c.Out[0].F[lo:hi]
	if d := cols(&c.In[0]); d <= 1024 {
		p.product(s, &product{
			c: sum, ldc: d,
			a: ones[:], rowA: 0, colA: 0,
			b: c.In[0].F[lo:], rowB: d, colB: 1,
			m: 1, n: hi - lo, k: rows(&c.In[0]),
		})
		return
	}
	clear(sum)
	for t := range rows(&c.In[0]) {
		p.add(&sum[0], &sum[0], &row(&c.In[0], t)[lo], hi-lo)
	}
}

func (p *primitives) doEmbed(_ *scratch, c *Call, lo, hi int) {
	ids, pos := c.In[1].I, c.In[2].I
	for t := lo; t < hi; t++ {
		p.scaleAdd(rowAt(&c.Out[0], t), rowAt(&c.In[0], int(ids[t])), rowAt(&c.In[3], int(pos[t])),
			c.Attr.Scale, cols(&c.Out[0]))
	}
}

func (p *primitives) doScatterAdd(_ *scratch, c *Call, lo, hi int) {
	copyColumns(&c.Out[0], &c.In[0], lo, hi)
	for t, id := range c.In[1].I {
		y := &row(&c.Out[0], int(id))[lo]
		p.scaleAdd(y, &row(&c.In[2], t)[lo], y, c.Attr.Scale, hi-lo)
	}
}

func (p *primitives) doDropout(s *scratch, c *Call, lo, hi int) {
	// Assembly computes whole blocks of 32 elements, which are 8 counters; the reference
	// computes the rest.
	whole := min(hi, c.In[0].Len()/4)
	whole = lo + (whole-lo)/8*8
	if whole > lo {
		key, counter := dropKey(c)
		counter[0], counter[1] = uint32(lo), uint32(uint64(lo)>>32)
		// The multipliers, the first counter and the key of each round, as the assembly
		// takes them.
		s.keys[0], s.keys[1] = [4]uint32{philoxM0, 0, philoxM1, 0}, counter
		for r := range philoxRounds {
			s.keys[2+r] = [4]uint32{key[0], 0, key[1], 0}
			key[0] += philoxW0
			key[1] += philoxW1
		}
		p.dropout(&c.Out[0].F[4*lo], &c.In[0].F[4*lo], &s.keys, dropThreshold(c.Attr.Rate), c.Attr.Scale, 4*(whole-lo))
	}
	refDropout(c, whole, hi)
}

func (p *primitives) doRowMax(_ *scratch, c *Call, lo, hi int) {
	for t := lo; t < hi; t++ {
		c.Out[0].F[t] = p.laneMax(rowAt(&c.In[0], t), cols(&c.In[0]))
	}
}

func (p *primitives) doRowSum(_ *scratch, c *Call, lo, hi int) {
	for t := lo; t < hi; t++ {
		c.Out[0].F[t] = p.laneSum(rowAt(&c.In[0], t), cols(&c.In[0]))
	}
}

func (p *primitives) doRowSumSquares(_ *scratch, c *Call, lo, hi int) {
	for t := lo; t < hi; t++ {
		c.Out[0].F[t] = p.laneSumSquares(rowAt(&c.In[0], t), cols(&c.In[0]))
	}
}

func (p *primitives) doRowSumExp(_ *scratch, c *Call, lo, hi int) {
	for t := lo; t < hi; t++ {
		c.Out[0].F[t] = p.laneSumExp(rowAt(&c.In[0], t), c.In[1].F[t], cols(&c.In[0]))
	}
}

func (p *primitives) doSum(_ *scratch, c *Call, _, _ int) {
	c.Out[0].F[0] = p.laneSum(&c.In[0].F[0], c.In[0].Len())
}

func (p *primitives) doArgMax(_ *scratch, c *Call, lo, hi int) {
	for t := lo; t < hi; t++ {
		// The largest value first, then its first place: both are fast over vectors.
		c.Out[0].I[t] = 0
		x := row(&c.In[0], t)
		best := p.largest(&x[0], len(x))
		if best == math.Float32frombits(0xff800000) {
			continue // no element is larger than -Inf: the answer is 0
		}
		i := p.indexOf(&x[0], best, len(x))
		for x[i] != best { // indexOf may return the vector's start, or the rest behind whole vectors
			i++
		}
		c.Out[0].I[t] = int32(i)
	}
}

func (p *primitives) doCrossEntropyGrad(_ *scratch, c *Call, lo, hi int) {
	m, s, y, scale := c.In[1].F, c.In[2].F, c.In[3].I, c.In[4].F[0]
	v := cols(&c.In[0])
	eps := c.Attr.Eps / float32(v)
	for t := lo; t < hi; t++ {
		x, dx := row(&c.In[0], t), row(&c.Out[0], t)
		inv, label := 1/s[t], int(y[t])
		// The label's element differs from the others. It is read before dx is written,
		// because dx may have x's storage.
		g := float32(Exp(x[label]-m[t])*inv) - eps
		p.entropy(&dx[0], &x[0], m[t], inv, eps, scale, v)
		dx[label] = (g - (1 - c.Attr.Eps)) * scale
	}
}

func (p *primitives) doQuantize(_ *scratch, c *Call, lo, hi int) {
	x, q, scales := c.In[0].F, c.Out[0].B, c.Out[1].F
	for b := lo; b < hi; b++ {
		i, end := b*quantum, min((b+1)*quantum, len(x))
		s, inv := quantScale(p.absMax(&x[i], end-i), 127)
		scales[b] = s
		if s == 0 {
			clear(q[i:end])
			continue
		}
		// Assembly takes multiples of 32 elements, Go the rest.
		if n := (end - i) / lanes * lanes; n > 0 {
			p.quantize(&q[i], &x[i], inv, n)
			i += n
		}
		for ; i < end; i++ {
			q[i] = int8(quantized(x[i], inv, 127))
		}
	}
}

func (p *primitives) doAddQuantized(_ *scratch, c *Call, lo, hi int) {
	x, q, scales, out := c.In[0].F, c.In[1].B, c.In[2].F, c.Out[0].F
	for b := lo; b < hi; b++ {
		i, end := b*quantum, min((b+1)*quantum, len(x))
		if n := (end - i) / lanes * lanes; n > 0 {
			p.addQuantized(&out[i], &x[i], &q[i], c.Attr.Scale, scales[b], n)
			i += n
		}
		for ; i < end; i++ {
			out[i] = Fma(float32(float32(q[i])*c.Attr.Scale), scales[b], x[i])
		}
	}
}

func (p *primitives) doQuantize4(_ *scratch, c *Call, lo, hi int) {
	const words = quantum4 / 8
	for b := lo; b < hi; b++ {
		x, q := c.In[0].F[b*quantum4:min((b+1)*quantum4, len(c.In[0].F))], c.Out[0].I[b*words:(b+1)*words]
		s, inv := quantScale(p.absMax(&x[0], len(x)), 7)
		c.Out[1].F[b] = s
		clear(q)
		if s == 0 {
			continue
		}
		n := len(x) / lanes * lanes
		if n > 0 {
			p.quantize4(&q[0], &x[0], inv, n)
		}
		encode4(q, x, inv, n)
	}
}

func (p *primitives) doAddQuantized4(_ *scratch, c *Call, lo, hi int) {
	x, q, scales, out := c.In[0].F, c.In[1].I, c.In[2].F, c.Out[0].F
	for b := lo; b < hi; b++ {
		i, end := b*quantum4, min((b+1)*quantum4, len(x))
		if n := (end - i) / lanes * lanes; n > 0 {
			p.addQuantized4(&out[i], &x[i], &q[i/8], c.Attr.Scale, scales[b], n)
			i += n
		}
		add4(out, x, q, c.Attr.Scale, scales[b], i, end)
	}
}

func (p *primitives) doQuantize2(_ *scratch, c *Call, lo, hi int) {
	const words = quantum2 / 16
	for b := lo; b < hi; b++ {
		from, until := block2(&c.In[0], b)
		x, q := c.In[0].F[from:until], c.Out[0].I[b*words:(b+1)*words]
		s, high := quantScale2(p.laneSumSquares(&x[0], len(x)), len(x))
		c.Out[1].F[b] = s
		clear(q)
		if s == 0 {
			continue
		}
		n := len(x) / lanes * lanes
		if n > 0 {
			p.quantize2(&q[0], &x[0], high, n)
		}
		encode2(q, x, high, n)
	}
}

func (p *primitives) doAddQuantized2(_ *scratch, c *Call, lo, hi int) {
	const words = quantum2 / 16
	for b := lo; b < hi; b++ {
		from, until := block2(&c.In[0], b)
		x, out, q, s := c.In[0].F[from:until], c.Out[0].F[from:until], c.In[1].I[b*words:(b+1)*words], c.In[2].F[b]
		n := len(x) / lanes * lanes
		if n > 0 {
			p.addQuantized2(&out[0], &x[0], &q[0], c.Attr.Scale, s, n)
		}
		add2(out, x, q, c.Attr.Scale, s, n)
	}
}

func (p *primitives) doAdam(s *scratch, c *Call, lo, hi int) {
	a, hyper := &c.Attr, c.In[3].F
	// What all elements share, computed once and in the layout of the assembly.
	s.factors = [8]float32{a.Beta1, 1 - a.Beta1, a.Beta2, 1 - a.Beta2, hyper[1], hyper[0], hyper[2], a.Eps}
	p.adam(&c.Out[0].F[lo], &c.Out[1].F[lo], &c.Out[2].F[lo],
		&c.In[0].F[lo], &c.In[1].F[lo], &c.In[2].F[lo], &s.factors, hi-lo)
}
