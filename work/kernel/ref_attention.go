package kernel

import "slices"

func refScores(c *Call, lo, hi int) {
	eachBlock(c, lo, hi, func(s segment, h, at int) {
		scoresProduct(&c.In[0], &c.In[1], c.Attr.Heads, s, h, c.Out[0].F[at:]).reference()
	})
}

func refMix(c *Call, lo, hi int) {
	clearGaps(c, lo, hi, segment.queries)
	eachBlock(c, lo, hi, func(s segment, h, at int) {
		mixProduct(c.In[0].F[at:], &c.In[1], c.Attr.Heads, s, h, &c.Out[0]).reference()
	})
}

func refAttend(c *Call, lo, hi int) {
	clearGaps(c, lo, hi, segment.queries)
	eachBlock(c, lo, hi, func(s segment, h, _ int) {
		scores := make([]float32, s.nq*s.nk)
		scoresProduct(&c.In[0], &c.In[1], c.Attr.Heads, s, h, scores).reference()
		for row := range slices.Chunk(scores, s.nk) {
			softmaxRow(row, row, s.nk, c.Attr.Scale)
		}
		mixProduct(scores, &c.In[2], c.Attr.Heads, s, h, &c.Out[0]).reference()
	})
}

func refMixT(c *Call, lo, hi int) {
	clearGaps(c, lo, hi, segment.keys)
	eachBlock(c, lo, hi, func(s segment, h, at int) {
		mixTProduct(c, s, h, at).reference()
	})
}

// eachBlock calls f for every head of segments lo to hi-1 with where its
// block of scores begins.
func eachBlock(c *Call, lo, hi int, f func(s segment, h, at int)) {
	eachSegment(c, lo, hi, func(s segment, at int) {
		for h := range c.Attr.Heads {
			f(s, h, at+h*s.nq*s.nk)
		}
	})
}

// eachSegment calls f for segments lo to hi-1 with where the scores of each
// begin.
func eachSegment(c *Call, lo, hi int, f func(s segment, at int)) {
	seg := &c.In[len(c.In)-1]
	at := scoresBefore(seg, c.Attr.Heads, lo)
	for i := lo; i < hi; i++ {
		s := segmentAt(seg, i)
		f(s, at)
		at += c.Attr.Heads * s.nq * s.nk
	}
}

// clearGaps sets to +0 the output's rows before segments lo to hi-1 that no
// segment covers, and those after the last segment. span gives the rows a
// segment covers.
func clearGaps(c *Call, lo, hi int, span func(segment) (int, int)) {
	seg, out := &c.In[len(c.In)-1], &c.Out[0]
	end := 0
	if lo > 0 {
		from, n := span(segmentAt(seg, lo-1))
		end = from + n
	}
	d := cols(out)
	for i := lo; i < hi; i++ {
		from, n := span(segmentAt(seg, i))
		clear(out.F[end*d : from*d])
		end = from + n
	}
	if hi == rows(seg) {
		clear(out.F[end*d:])
	}
}

// scoresProduct is Q*K^T of head h, to scores: both read with the width of the
// whole.
func scoresProduct(q, k *Tensor, heads int, s segment, h int, scores []float32) product {
	d := cols(q)
	w := d / heads
	return product{
		c: scores, ldc: s.nk,
		a: q.F[s.q*d+h*w:], rowA: d, colA: 1,
		b: k.F[s.k*d+h*w:], rowB: 1, colB: d,
		m: s.nq, n: s.nk, k: w,
	}
}

// mixProduct is P*V of head h, to its columns of y.
func mixProduct(p []float32, v *Tensor, heads int, s segment, h int, y *Tensor) product {
	d := cols(v)
	w := d / heads
	return product{
		c: y.F[s.q*d+h*w:], ldc: d,
		a: p, rowA: s.nk, colA: 1,
		b: v.F[s.k*d+h*w:], rowB: d, colB: 1,
		m: s.nq, n: w, k: s.nk,
	}
}

// mixTProduct is P^T*X of head h.
func mixTProduct(c *Call, s segment, h, at int) product {
	d := cols(&c.In[1])
	w := d / c.Attr.Heads
	return product{
		c: c.Out[0].F[s.k*d+h*w:], ldc: d,
		a: c.In[0].F[at:], rowA: 1, colA: s.nk,
		b: c.In[1].F[s.q*d+h*w:], rowB: d, colB: 1,
		m: s.nk, n: w, k: s.nq,
	}
}

// keysSeen is how many of n keys query i sees.
func keysSeen(c *Call, i, n int) int {
	if c.Attr.Causal {
		return min(i+1, n)
	}
	return n
}

func refSoftmax(c *Call, lo, hi int) {
	eachBlock(c, lo, hi, func(s segment, _, at int) {
		for i := range s.nq {
			x, y := c.In[0].F[at:at+s.nk], c.Out[0].F[at:at+s.nk]
			softmaxRow(y, x, keysSeen(c, i, s.nk), c.Attr.Scale)
			at += s.nk
		}
	})
}

// softmaxRow sets y to the softmax of the first n of x*scale, the rest to +0.
func softmaxRow(y, x []float32, n int, scale float32) {
	for i, v := range x[:n] {
		y[i] = v * scale
	}
	m := laneMax(y[:n])
	for i, z := range y[:n] {
		y[i] = Exp(z - m)
	}
	inv := 1 / laneSum(y[:n])
	for i, e := range y[:n] {
		y[i] = e * inv
	}
	clear(y[n:])
}

func refSoftmaxGrad(c *Call, lo, hi int) {
	eachBlock(c, lo, hi, func(s segment, _, at int) {
		for i := range s.nq {
			n := keysSeen(c, i, s.nk)
			p, dp, ds := c.In[0].F[at:at+n], c.In[1].F[at:at+n], c.Out[0].F[at:at+s.nk]
			t := laneDot(p, dp)
			for j, v := range dp {
				ds[j] = float32(p[j]*(v-t)) * c.Attr.Scale
			}
			clear(ds[n:])
			at += s.nk
		}
	})
}
