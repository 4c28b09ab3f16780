//go:build (amd64 || arm64) && !purego

package kernel

func (p *primitives) doScores(s *scratch, c *Call, lo, hi int) {
	eachSegment(c, lo, hi, func(sg segment, at int) {
		p.scores(s, &c.In[0], &c.In[1], c.Attr.Heads, sg, c.Out[0].F[at:])
	})
}

func (p *primitives) doMix(s *scratch, c *Call, lo, hi int) {
	clearGaps(c, lo, hi, segment.queries)
	eachSegment(c, lo, hi, func(sg segment, at int) {
		p.mix(s, c.In[0].F[at:], &c.In[1], c.Attr.Heads, sg, &c.Out[0])
	})
}

// doAttend computes scores, softmax and mix for a few segments at a time, so that scores
// stay in the first level cache. It groups the segments by wholeRows.
func (p *primitives) doAttend(s *scratch, c *Call, lo, hi int) {
	clearGaps(c, lo, hi, segment.queries)
	seg, heads := &c.In[3], c.Attr.Heads
	for i := lo; i < hi; {
		end, rows, keys := wholeRows(seg, heads, i, hi)
		n := rows * keys
		if len(s.scores) < 2*n {
			s.scores = make([]float32, 2*n)
		}
		scores, shares := s.scores[:n], s.scores[n:2*n]
		// All scores of the group, then one softmax over all their rows, then the outputs.
		for j, at := i, 0; j < end; j++ {
			sg := segmentAt(seg, j)
			p.scores(s, &c.In[0], &c.In[1], heads, sg, scores[at:])
			at += heads * sg.nq * keys
		}
		p.softmax(&shares[0], &scores[0], c.Attr.Scale, keys, 0, keys, rows)
		for at := 0; i < end; i++ {
			sg := segmentAt(seg, i)
			p.mix(s, shares[at:], &c.In[2], heads, sg, &c.Out[0])
			at += heads * sg.nq * keys
		}
	}
}

// wholeRows groups segments from i on, before hi, that have the same number of keys, so
// that all their scores are rows of one length. A group ends where its scores would leave
// the first level cache. wholeRows returns the segment after the group, the number of rows
// and their length.
func wholeRows(seg *Tensor, heads, i, hi int) (end, rows, keys int) {
	const most = 4096 // scores
	keys = segmentAt(seg, i).nk
	for ; i < hi && rows*keys < most; i++ {
		s := segmentAt(seg, i)
		if s.nk != keys {
			break
		}
		rows += heads * s.nq
	}
	return i, rows, keys
}

// scores computes the scores of one segment, for all heads.
func (p *primitives) scores(s *scratch, q, k *Tensor, heads int, sg segment, scores []float32) {
	// A decoder's segments have one query: then one call computes all heads.
	if sg.nq == 1 && p.queryScores != nil && cols(q)/heads%4 == 0 {
		x := scoresProduct(q, k, heads, sg, 0, scores)
		p.scoreQuery(s, &x, heads)
		return
	}
	for h := range heads {
		x := scoresProduct(q, k, heads, sg, h, scores[h*sg.nq*sg.nk:])
		p.product(s, &x)
	}
}

// scoreQuery computes the scores of a segment's only query, 16 keys at a time. x is the
// product of the first head. The assembly always reads 16 rows of K; where the tensor has
// fewer left, they are copied first.
func (p *primitives) scoreQuery(s *scratch, x *product, heads int) {
	const keys = 16
	for j := 0; j < x.n; j += keys {
		k := x.b[j*x.colB:]
		if len(k) < keys*x.colB {
			short := s.panel(keys * x.colB)
			copy(short, k)
			k = short
		}
		p.queryScores(&x.c[j], wordSize*x.ldc, &x.a[0], &k[0], wordSize*x.colB, x.k, heads, min(keys, x.n-j))
	}
}

// mix computes the output of one segment's queries from the softmax of their scores, for
// all heads.
func (p *primitives) mix(s *scratch, shares []float32, v *Tensor, heads int, sg segment, y *Tensor) {
	// As in scores: one call for a single query.
	if x := mixProduct(shares, v, heads, sg, 0, y); sg.nq == 1 && p.queryMix != nil {
		p.queryMix(&x.c[0], &x.a[0], &x.b[0], wordSize*x.rowB, x.n, heads, x.k)
		return
	}
	for h := range heads {
		x := mixProduct(shares[h*sg.nq*sg.nk:], v, heads, sg, h, y)
		p.product(s, &x)
	}
}

func (p *primitives) doMixT(s *scratch, c *Call, lo, hi int) {
	clearGaps(c, lo, hi, segment.keys)
	eachBlock(c, lo, hi, func(sg segment, h, at int) {
		x := mixTProduct(c, sg, h, at)
		p.product(s, &x)
	})
}

func (p *primitives) doSoftmax(sc *scratch, c *Call, lo, hi int) {
	if !c.Attr.Causal {
		p.softmaxWhole(sc, c, lo, hi)
		return
	}
	eachBlock(c, lo, hi, func(s segment, _, at int) {
		first, step := s.seen(&c.Attr)
		y := c.Out[0].F[at : at+s.nq*s.nk]
		x := sc.notOver(c.In[0].F[at:at+len(y)], y)
		p.softmax(&y[0], &x[0], c.Attr.Scale, first, step, s.nk, s.nq)
		s.clearUnseen(&c.Attr, y)
	})
}

// softmaxWhole is doSoftmax where every query attends to all keys.
func (p *primitives) softmaxWhole(sc *scratch, c *Call, lo, hi int) {
	// Segments with the same number of keys form rows of one length: one call for all.
	seg := &c.In[1]
	at := scoresBefore(seg, c.Attr.Heads, lo)
	for lo < hi {
		end, rows, keys := wholeRows(seg, c.Attr.Heads, lo, hi)
		y := c.Out[0].F[at : at+rows*keys]
		x := sc.notOver(c.In[0].F[at:at+len(y)], y)
		p.softmax(&y[0], &x[0], c.Attr.Scale, keys, 0, keys, rows)
		at += len(y)
		lo = end
	}
}

func (p *primitives) doSoftmaxGrad(sc *scratch, c *Call, lo, hi int) {
	eachBlock(c, lo, hi, func(s segment, _, at int) {
		first, step := s.seen(&c.Attr)
		ds := c.Out[0].F[at : at+s.nq*s.nk]
		x, dp := sc.notOver(c.In[0].F[at:at+len(ds)], ds), sc.notOver(c.In[1].F[at:at+len(ds)], ds)
		p.softmaxGrad(&ds[0], &x[0], &dp[0], c.Attr.Scale, first, step, s.nk, s.nq)
		s.clearUnseen(&c.Attr, ds)
	})
}

// notOver returns x, or a copy of x where y has its storage. A row is not a whole number of
// vectors, so the last store of a row overlaps the first load of the next row, which would
// have to wait for it.
func (s *scratch) notOver(x, y []float32) []float32 {
	if &x[0] != &y[0] {
		return x
	}
	dst := s.panel(len(x))
	copy(dst, x)
	return dst
}

// seen is the number of keys that the first query attends to, and how many more each
// further query does.
func (s segment) seen(a *Attr) (first, step int) {
	if a.Causal {
		return 1, 1
	}
	return s.nk, 0
}

// clearUnseen sets the scores of keys after the query's own to +0 where attention is
// causal.
func (s segment) clearUnseen(a *Attr, y []float32) {
	if !a.Causal {
		return
	}
	for i := range min(s.nq, s.nk-1) {
		clear(y[i*s.nk+i+1 : (i+1)*s.nk])
	}
}
