package kernel

import "slices"

// The references of the attention operations: NUMERICS.md, section 7.3. A block is the
// scores of one head of one segment, [queries, keys].

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
		// The same three references in sequence, on scores that nobody keeps.
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

// eachBlock calls f for every head h of segments lo to hi-1; at is the offset of its
// block of scores.
func eachBlock(c *Call, lo, hi int, f func(s segment, h, at int)) {
	eachSegment(c, lo, hi, func(s segment, at int) {
		for h := range c.Attr.Heads {
			f(s, h, at+h*s.nq*s.nk)
		}
	})
}

// eachSegment calls f for segments lo to hi-1; at is the offset of the segment's
// scores.
func eachSegment(c *Call, lo, hi int, f func(s segment, at int)) {
	seg := &c.In[len(c.In)-1]
	at := scoresBefore(seg, c.Attr.Heads, lo)
	for i := lo; i < hi; i++ {
		s := segmentAt(seg, i)
		f(s, at)
		at += c.Attr.Heads * s.nq * s.nk
	}
}

// clearGaps sets the output's rows that no segment covers to +0: those in front of
// segments lo to hi-1, and those behind the last segment of all. span returns the rows
// that a segment covers.
func clearGaps(c *Call, lo, hi int, span func(segment) (int, int)) {
	seg, out := &c.In[len(c.In)-1], &c.Out[0]
	// The gap in front of segment lo begins where the segment before it ends.
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

// scoresProduct is the product Q*K^T of head h, which writes scores [nq,nk]. A head is
// d/heads columns of Q and K, whose rows are d elements apart.
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

// mixProduct is the product P*V of head h, which writes the head's columns of y.
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

// mixTProduct is the product P^T*X of head h, whose scores begin at offset at. It
// writes the head's columns of the output.
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

// keysSeen is the number of keys, of n, that query i attends to.
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

// softmaxRow sets y to the softmax of the first n elements of x*scale, and the rest of
// y to +0. y may be x.
func softmaxRow(y, x []float32, n int, scale float32) {
	for i, v := range x[:n] {
		y[i] = v * scale
	}
	// The largest element is subtracted first, so that no exponential overflows.
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
			// ds = p * (dp - sum(p*dp)) * scale, for the keys that were seen.
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
