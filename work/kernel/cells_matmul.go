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
	p.product(s, matMulProduct(c, lo, hi))
}

func (p *primitives) doScores(s *scratch, c *Call, lo, hi int) {
	eachBlock(c, lo, hi, func(sg segment, h, at int) { p.product(s, scoresProduct(c, sg, h, at)) })
}

func (p *primitives) doMix(s *scratch, c *Call, lo, hi int) {
	clearGaps(c, lo, hi, segment.queries)
	eachBlock(c, lo, hi, func(sg segment, h, at int) { p.product(s, mixProduct(c, sg, h, at)) })
}

func (p *primitives) doMixT(s *scratch, c *Call, lo, hi int) {
	clearGaps(c, lo, hi, segment.keys)
	eachBlock(c, lo, hi, func(sg segment, h, at int) { p.product(s, mixTProduct(c, sg, h, at)) })
}

// product computes x as Goto and van de Geijn do ("Anatomy of high-performance
// matrix multiplication", 2008): over blocks of k, then of rows of A, then
// panels of B, then tiles. Chains go on from C where the last block of k left
// them, and A is read in place.
func (p *primitives) product(s *scratch, x product) {
	block := max(blockSize/min(x.k, depth)/p.rows[0], 1) * p.rows[0]
	for k := 0; k < x.k; k += depth {
		for i := 0; i < x.m; i += block {
			y := x.rows(i, min(i+block, x.m))
			y.a, y.b, y.k = y.a[k*x.colA:], x.b[k*x.rowB:], min(depth, x.k-k)
			for j := 0; j < x.n; j += p.cols {
				p.panel(s, y.cols(j, min(j+p.cols, x.n)), k)
			}
		}
	}
}

// panel computes a product of at most one tile's columns.
func (p *primitives) panel(s *scratch, x product, resume int) {
	tiles, width := p.wide, p.cols
	if x.n <= p.cols/2 {
		tiles, width = p.narrow, p.cols/2
	}
	if x.m >= packRowsFrom || x.colB != 1 || (x.k-1)*x.rowB+width > len(x.b) {
		x.b, x.rowB = p.pack(s, &x), p.cols
	}
	b, h := &x.b[0], 0
	for i := 0; i < x.m; i += p.rows[h] {
		for p.rows[h] > x.m-i {
			h++
		}
		tiles[h](&x.c[i*x.ldc], wordSize*x.ldc, &x.a[i*x.rowA], wordSize*x.rowA, wordSize*x.colA,
			b, wordSize*x.rowB, x.k, x.n, resume)
	}
}

// pack copies the panel of B to where its rows are adjacent.
func (p *primitives) pack(s *scratch, x *product) []float32 {
	dst := s.panel(depth * p.cols)
	if x.colB == 1 {
		p.packRows(&dst[0], &x.b[0], wordSize*x.rowB, x.k, x.n)
		return dst
	}
	if x.k < 8 {
		for k := range x.k {
			for j := range x.n {
				dst[k*p.cols+j] = x.b[k*x.rowB+j*x.colB]
			}
		}
		return dst
	}
	for j := 0; j < x.n; j += 8 {
		p.packColumns(&dst[j], wordSize*p.cols, &x.b[j*x.colB], wordSize*x.colB, min(8, x.n-j), x.k)
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
