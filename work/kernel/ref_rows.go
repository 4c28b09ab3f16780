package kernel

import "math"

// row returns row t of a matrix.
func row(x *Tensor, t int) []float32 {
	d := cols(x)
	return x.F[t*d : (t+1)*d]
}

func refLayerNorm(c *Call, lo, hi int) {
	gamma, beta, stats := c.In[1].F, c.In[2].F, c.Out[1].F
	n := float32(len(gamma))
	for t := lo; t < hi; t++ {
		x, y := row(&c.In[0], t), row(&c.Out[0], t)
		mean := laneSum(x) / n
		for i, v := range x {
			y[i] = v - mean
		}
		r := InvSqrt(laneDot(y, y)/n + c.Attr.Eps)
		for i, d := range y {
			y[i] = Fma(float32(d*r), gamma[i], beta[i])
		}
		stats[2*t], stats[2*t+1] = mean, r
	}
}

func refLayerNormGrad(c *Call, lo, hi int) {
	stats, gamma := c.In[1].F, c.In[2].F
	d := len(gamma)
	g, xh := make([]float32, d), make([]float32, d)
	for t := lo; t < hi; t++ {
		x, dy, dx := row(&c.In[0], t), row(&c.In[3], t), row(&c.Out[0], t)
		mean, r := stats[2*t], stats[2*t+1]
		for i, v := range x {
			xh[i] = float32((v - mean) * r)
			g[i] = float32(dy[i] * gamma[i])
		}
		a := laneSum(g) / float32(d)
		b := laneDot(g, xh) / float32(d)
		for i := range dx {
			dx[i] = r * ((g[i] - a) - float32(xh[i]*b))
		}
	}
}

func refGainGrad(c *Call, lo, hi int) {
	stats, sum := c.In[1].F, c.Out[0].F[lo:hi]
	clear(sum)
	for t := range rows(&c.In[0]) {
		x, dy := row(&c.In[0], t)[lo:hi], row(&c.In[2], t)[lo:hi]
		mean, r := stats[2*t], stats[2*t+1]
		for i, v := range x {
			sum[i] = Fma(dy[i], float32((v-mean)*r), sum[i])
		}
	}
}

func refColSum(c *Call, lo, hi int) {
	sum := c.Out[0].F[lo:hi]
	clear(sum)
	for t := range rows(&c.In[0]) {
		for i, v := range row(&c.In[0], t)[lo:hi] {
			sum[i] += v
		}
	}
}

func refEmbed(c *Call, lo, hi int) {
	ids, pos := c.In[1].I, c.In[2].I
	for t := lo; t < hi; t++ {
		e, p, y := row(&c.In[0], int(ids[t])), row(&c.In[3], int(pos[t])), row(&c.Out[0], t)
		for i, v := range e {
			y[i] = Fma(v, c.Attr.Scale, p[i])
		}
	}
}

func refGather(c *Call, lo, hi int) {
	for t := lo; t < hi; t++ {
		copy(row(&c.Out[0], t), row(&c.In[0], int(c.In[1].I[t])))
	}
}

func refScatterAdd(c *Call, lo, hi int) {
	copyColumns(&c.Out[0], &c.In[0], lo, hi)
	for t, id := range c.In[1].I {
		dy, y := row(&c.In[2], t)[lo:hi], row(&c.Out[0], int(id))[lo:hi]
		for i, v := range dy {
			y[i] = Fma(v, c.Attr.Scale, y[i])
		}
	}
}

// copyColumns copies columns lo to hi-1, unless dst is src.
func copyColumns(dst, src *Tensor, lo, hi int) {
	if &dst.F[0] == &src.F[0] {
		return
	}
	for t := range rows(src) {
		copy(row(dst, t)[lo:hi], row(src, t)[lo:hi])
	}
}

// refScatter goes by rows of the base and not by columns, of which there may be
// one. Of a base that is written in place it touches no other row.
func refScatter(c *Call, lo, hi int) {
	base, out, d := &c.In[0], &c.Out[0], cols(&c.In[0])
	if &out.F[0] != &base.F[0] {
		copy(out.F[lo*d:hi*d], base.F[lo*d:hi*d])
	}
	for t, id := range c.In[1].I {
		y := row(out, int(id)) // of any piece, so that a bad id never passes
		if lo <= int(id) && int(id) < hi {
			copy(y, row(&c.In[2], t))
		}
	}
}

func refRowMax(c *Call, lo, hi int) {
	for t := lo; t < hi; t++ {
		c.Out[0].F[t] = laneMax(row(&c.In[0], t))
	}
}

func refRowSum(c *Call, lo, hi int) {
	for t := lo; t < hi; t++ {
		c.Out[0].F[t] = laneSum(row(&c.In[0], t))
	}
}

func refRowSumSquares(c *Call, lo, hi int) {
	for t := lo; t < hi; t++ {
		x := row(&c.In[0], t)
		c.Out[0].F[t] = laneDot(x, x)
	}
}

func refSum(c *Call, _, _ int) { c.Out[0].F[0] = laneSum(c.In[0].F) }

func refRowSumExp(c *Call, lo, hi int) {
	for t := lo; t < hi; t++ {
		m := c.In[1].F[t]
		var a laneArray
		for i, v := range row(&c.In[0], t) {
			a[i%lanes] += Exp(v - m)
		}
		c.Out[0].F[t] = a.foldSum()
	}
}

func refArgMax(c *Call, lo, hi int) {
	for t := lo; t < hi; t++ {
		best, at := math.Float32frombits(0xff800000), 0
		for i, v := range row(&c.In[0], t) {
			if v > best {
				best, at = v, i
			}
		}
		c.Out[0].I[t] = int32(at)
	}
}

// refTopK puts each element into a sorted list of the largest before it. It
// goes behind its equals, which have lower indexes.
func refTopK(c *Call, lo, hi int) {
	k := c.Attr.Rows
	for t := lo; t < hi; t++ {
		values, ids := row(&c.Out[0], t), c.Out[1].I[t*k:(t+1)*k]
		for i, v := range row(&c.In[0], t) {
			if v != v {
				v = math.Float32frombits(0xff800000)
			}
			at := min(i, k)
			for at > 0 && v > values[at-1] {
				at--
			}
			if at < k {
				copy(values[at+1:], values[at:])
				copy(ids[at+1:], ids[at:])
				values[at], ids[at] = v, int32(i)
			}
		}
	}
}

func refCrossEntropy(c *Call, lo, hi int) {
	m, s, sum, y := c.In[1].F, c.In[2].F, c.In[3].F, c.In[4].I
	eps, v := c.Attr.Eps, float32(cols(&c.In[0]))
	for t := lo; t < hi; t++ {
		lse := m[t] + Log(s[t])
		nll := lse - row(&c.In[0], t)[y[t]]
		c.Out[0].F[t] = float32((1-eps)*nll) + float32(eps*(lse-sum[t]/v))
		c.Out[1].F[t] = nll
	}
}

func refCrossEntropyGrad(c *Call, lo, hi int) {
	m, s, y, scale := c.In[1].F, c.In[2].F, c.In[3].I, c.In[4].F[0]
	eps := c.Attr.Eps / float32(cols(&c.In[0]))
	for t := lo; t < hi; t++ {
		x, dx := row(&c.In[0], t), row(&c.Out[0], t)
		inv, label := 1/s[t], int(y[t])
		_ = x[label]
		for i, v := range x {
			g := float32(Exp(v-m[t])*inv) - eps
			if i == label {
				g = g - (1 - c.Attr.Eps)
			}
			dx[i] = g * scale
		}
	}
}
