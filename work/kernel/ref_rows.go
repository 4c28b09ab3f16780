package kernel

import "math"

// The references of the operations on rows: NUMERICS.md, sections 7.2, 7.4 and 7.5.

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
		// y holds the deviations until they are normalised. The variance is their mean
		// square: subtracting the squared mean instead would cancel.
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
		// xh is the normalised input again, g the gradient after the gain. The means of
		// g and of g*xh are the parts that mean and variance took (Ba et al. 2016).
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
	// A piece is columns, because one chain over all rows makes each element.
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
	// A piece is columns, because several tokens may add to the same row, and they must
	// do so in sequence.
	copyColumns(&c.Out[0], &c.In[0], lo, hi)
	for t, id := range c.In[1].I {
		dy, y := row(&c.In[2], t)[lo:hi], row(&c.Out[0], int(id))[lo:hi]
		for i, v := range dy {
			y[i] = Fma(v, c.Attr.Scale, y[i])
		}
	}
}

// copyColumns copies columns lo to hi-1 of src to dst, unless dst has src's storage.
func copyColumns(dst, src *Tensor, lo, hi int) {
	if &dst.F[0] == &src.F[0] {
		return
	}
	for t := range rows(src) {
		copy(row(dst, t)[lo:hi], row(src, t)[lo:hi])
	}
}

// refScatter divides the base by rows and not by columns, since it may have only one
// column. Where the base is written in place, a piece touches no other rows.
func refScatter(c *Call, lo, hi int) {
	base, out, d := &c.In[0], &c.Out[0], cols(&c.In[0])
	if &out.F[0] != &base.F[0] {
		copy(out.F[lo*d:hi*d], base.F[lo*d:hi*d])
	}
	for t, id := range c.In[1].I {
		y := row(out, int(id)) // for ids of other pieces too, so that a bad id always panics
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
		// laneSum without storage for the exponentials.
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
		// From -Inf, and only a larger element wins: so equal elements keep the lowest
		// index, and NaN, which compares false, is never chosen.
		best, at := math.Float32frombits(0xff800000), 0
		for i, v := range row(&c.In[0], t) {
			if v > best {
				best, at = v, i
			}
		}
		c.Out[0].I[t] = int32(at)
	}
}

// refTopK inserts each element into the sorted list of the K largest before it, behind
// elements that are equal, because those have lower indexes.
func refTopK(c *Call, lo, hi int) {
	k := c.Attr.Rows
	for t := lo; t < hi; t++ {
		values, ids := row(&c.Out[0], t), c.Out[1].I[t*k:(t+1)*k]
		for i, v := range row(&c.In[0], t) {
			if v != v {
				v = math.Float32frombits(0xff800000)
			}
			// The list has min(i, k) elements; at is where v belongs in it.
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
		// lse is the logarithm of the sum of exponentials, nll the negative
		// log-likelihood of the label. Label smoothing (Szegedy et al. 2016) adds eps
		// times the mean negative log-likelihood of all V labels.
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
		_ = x[label] // a bad label panics even where no element equals it
		for i, v := range x {
			g := float32(Exp(v-m[t])*inv) - eps
			if i == label {
				g = g - (1 - c.Attr.Eps)
			}
			dx[i] = g * scale
		}
	}
}
