//go:build (amd64 || arm64) && !purego

package kernel

const (
	// depth is how many products of a chain are done before its sum is put
	// back: a panel of B, depth rows of a tile's columns, stays in the first
	// level cache with room for the rest.
	depth = 256
	// blockSize is the number of elements of A that are used again from the
	// second level cache for every panel of B.
	blockSize = 1 << 17
	// packRowsFrom is the number of rows of A that pays for copying a panel
	// of B whose rows could be read in place.
	packRowsFrom = 64
)

const wordSize = 4 // bytes of a binary32 number

func (p *primitives) matMul(s *scratch, c *Call, lo, hi int) {
	x := matMulProduct(c, lo, hi)
	p.product(s, &x)
}

func (p *primitives) doScores(s *scratch, c *Call, lo, hi int) {
	eachBlock(c, lo, hi, func(sg segment, h, at int) {
		x := scoresProduct(c, sg, h, at)
		p.product(s, &x)
	})
}

func (p *primitives) doMix(s *scratch, c *Call, lo, hi int) {
	clearGaps(c, lo, hi, segment.queries)
	eachBlock(c, lo, hi, func(sg segment, h, at int) {
		x := mixProduct(c, sg, h, at)
		p.product(s, &x)
	})
}

func (p *primitives) doMixT(s *scratch, c *Call, lo, hi int) {
	clearGaps(c, lo, hi, segment.keys)
	eachBlock(c, lo, hi, func(sg segment, h, at int) {
		x := mixTProduct(c, sg, h, at)
		p.product(s, &x)
	})
}

// product computes x as Goto and van de Geijn do ("Anatomy of high-performance
// matrix multiplication", 2008): over blocks of k, then of rows of A, then
// panels of B, then tiles. Chains go on from C where the last block of k left
// them, and A is read in place.
func (p *primitives) product(s *scratch, x *product) {
	block := x.m
	if block > p.rows[0] {
		block = max(blockSize/min(x.k, depth)/p.rows[0], 1) * p.rows[0]
	}
	for k := 0; k < x.k; k += depth {
		for i := 0; i < x.m; i += block {
			for j := 0; j < x.n; j += p.cols {
				p.panel(s, x, span{i, min(i+block, x.m)}, span{j, min(j+p.cols, x.n)}, span{k, min(k+depth, x.k)})
			}
		}
	}
}

// span is a range of rows, of columns or of a chain.
type span struct{ from, to int }

// panel computes rows i and columns j of x, at most one tile's, over k.
func (p *primitives) panel(s *scratch, x *product, i, j, k span) {
	n, steps := j.to-j.from, k.to-k.from
	tiles, width := p.wide, p.cols
	if n <= p.cols/2 {
		tiles, width = p.narrow, p.cols/2
	}
	b, rowB := x.b[k.from*x.rowB+j.from*x.colB:], x.rowB
	if i.to-i.from >= packRowsFrom || x.colB != 1 || (steps-1)*rowB+width > len(b) {
		b, rowB = p.pack(s, b, x, n, steps), p.cols
	}
	ldc, rowA, colA := wordSize*x.ldc, wordSize*x.rowA, wordSize*x.colA
	a := x.a[k.from*x.colA:]
	for at, h := i.from, 0; at < i.to; at += p.rows[h] {
		for p.rows[h] > i.to-at {
			h++
		}
		tiles[h](&x.c[at*x.ldc+j.from], ldc, &a[at*x.rowA], rowA, colA, &b[0], wordSize*rowB, steps, n, k.from)
	}
}

// pack copies n columns and k rows of x's B, from b on, to where rows are
// adjacent.
func (p *primitives) pack(s *scratch, b []float32, x *product, n, k int) []float32 {
	dst := s.panel(depth * p.cols)
	if x.colB == 1 {
		p.packRows(&dst[0], &b[0], wordSize*x.rowB, k, n)
		return dst
	}
	if k < 8 {
		for i := range k {
			for j := range n {
				dst[i*p.cols+j] = b[i*x.rowB+j*x.colB]
			}
		}
		return dst
	}
	for j := 0; j < n; j += 8 {
		p.packColumns(&dst[j], wordSize*p.cols, &b[j*x.colB], wordSize*x.colB, min(8, n-j), k)
	}
	return dst
}

func (p *primitives) doSoftmax(_ *scratch, c *Call, lo, hi int) {
	eachBlock(c, lo, hi, func(s segment, _, at int) {
		first, step := s.seen(&c.Attr)
		y := c.Out[0].F[at : at+s.nq*s.nk]
		p.softmax(&y[0], &c.In[0].F[at], c.Attr.Scale, first, step, s.nk, s.nq)
		s.clearUnseen(&c.Attr, y)
	})
}

func (p *primitives) doSoftmaxGrad(_ *scratch, c *Call, lo, hi int) {
	eachBlock(c, lo, hi, func(s segment, _, at int) {
		first, step := s.seen(&c.Attr)
		ds := c.Out[0].F[at : at+s.nq*s.nk]
		p.softmaxGrad(&ds[0], &c.In[0].F[at], &c.In[1].F[at], c.Attr.Scale, first, step, s.nk, s.nq)
		s.clearUnseen(&c.Attr, ds)
	})
}

// seen is how many keys the first query sees, and how many more each further
// one.
func (s segment) seen(a *Attr) (first, step int) {
	if a.Causal {
		return 1, 1
	}
	return s.nk, 0
}

// clearUnseen sets the scores of keys after the query's own to +0.
func (s segment) clearUnseen(a *Attr, y []float32) {
	if !a.Causal {
		return
	}
	for i := range min(s.nq, s.nk-1) {
		clear(y[i*s.nk+i+1 : (i+1)*s.nk])
	}
}
