//go:build (amd64 || arm64) && !purego

package kernel

const (
	// maxDepth is how many products of a chain are done at most before its
	// sum is put back: a tile's rows of A, so deep, stay in the first level
	// cache while panels of B pass by.
	maxDepth = 256
	// blockSize is the number of elements of B that are packed at a time, to
	// be used again from the second level cache for every row of A.
	blockSize = 1 << 17
	// packFrom is the number of rows of A that pays for packing B where its
	// rows could be read in place.
	packFrom = 64
	// aliased is the distance, in elements, at which addresses share a set of
	// a cache.
	aliased = 1024
)

const wordSize = 4 // bytes of a binary32 number

func (p *primitives) matMul(s *scratch, c *Call, lo, hi int) {
	x := matMulProduct(c, lo, hi)
	p.product(s, &x)
}

func (p *primitives) doScores(s *scratch, c *Call, lo, hi int) {
	eachSegment(c, lo, hi, func(sg segment, at int) {
		if sg.nq == 1 && p.queryScores != nil && cols(&c.In[0])/c.Attr.Heads%4 == 0 {
			p.scoreQuery(s, c, sg, at)
			return
		}
		for h := range c.Attr.Heads {
			x := scoresProduct(c, sg, h, at+h*sg.nq*sg.nk)
			p.product(s, &x)
		}
	})
}

func (p *primitives) doMix(s *scratch, c *Call, lo, hi int) {
	clearGaps(c, lo, hi, segment.queries)
	eachSegment(c, lo, hi, func(sg segment, at int) {
		if x := mixProduct(c, sg, 0, at); sg.nq == 1 && p.queryMix != nil {
			p.queryMix(&x.c[0], &x.a[0], &x.b[0], wordSize*x.rowB, x.n, c.Attr.Heads, x.k)
			return
		}
		for h := range c.Attr.Heads {
			x := mixProduct(c, sg, h, at+h*sg.nq*sg.nk)
			p.product(s, &x)
		}
	})
}

// scoreQuery scores a segment's only query, 16 keys at a time. Where fewer are
// there to be read, they are copied.
func (p *primitives) scoreQuery(s *scratch, c *Call, sg segment, at int) {
	const keys = 16
	x := scoresProduct(c, sg, 0, at)
	for j := 0; j < x.n; j += keys {
		k := x.b[j*x.colB:]
		if len(k) < keys*x.colB {
			short := s.panel(keys * x.colB)
			copy(short, k)
			k = short
		}
		p.queryScores(&x.c[j], wordSize*x.ldc, &x.a[0], &k[0], wordSize*x.colB, x.k, c.Attr.Heads, min(keys, x.n-j))
	}
}

func (p *primitives) doMixT(s *scratch, c *Call, lo, hi int) {
	clearGaps(c, lo, hi, segment.keys)
	eachBlock(c, lo, hi, func(sg segment, h, at int) {
		x := mixTProduct(c, sg, h, at)
		p.product(s, &x)
	})
}

// product computes x. Chains go on from C where the last part of k left them,
// and A is read in place: a tile's rows of it are near enough to one another,
// whatever their distance.
func (p *primitives) product(s *scratch, x *product) {
	if x.m == 1 && p.rowProduct != nil && x.n >= p.rowCols && x.colA == 1 && x.colB == 1 {
		blocks := x.n / p.rowCols
		p.rowProduct(&x.c[0], &x.a[0], &x.b[0], wordSize*x.rowB, x.k, blocks)
		if x.n%p.rowCols == 0 {
			return
		}
		*x = x.cols(blocks*p.rowCols, x.n)
	}
	if x.m < packFrom && x.n <= p.cols && x.k <= maxDepth {
		p.panel(s, x, 0) // attention's products are many
		return
	}
	depth := even(x.k, maxDepth)
	for k := 0; k < x.k; k += depth {
		if x.m < packFrom {
			for j := 0; j < x.n; j += p.cols {
				y := x.part(j, p.cols, k, depth)
				p.panel(s, &y, k)
			}
			continue
		}
		width := even((x.n+p.cols-1)/p.cols, max(blockSize/(depth*p.cols), 1)) * p.cols
		for j := 0; j < x.n; j += width {
			y := x.part(j, width, k, depth)
			p.block(s, &y, k)
		}
	}
}

// even returns the size of the fewest equal parts of n that are at most limit.
func even(n, limit int) int {
	parts := (n + limit - 1) / limit
	return (n + parts - 1) / parts
}

// part is up to n columns of x from j, and up to depth products of their
// chains from k.
func (x *product) part(j, n, k, depth int) product {
	y := *x
	y.n, y.k = min(n, x.n-j), min(depth, x.k-k)
	y.a, y.b, y.c = x.a[k*x.colA:], x.b[k*x.rowB+j*x.colB:], x.c[j:]
	return y
}

// block computes x, whose B fits the second level cache: a tile's rows of A
// meet every panel of B before the next rows come. It is the loop of Goto and
// van de Geijn ("Anatomy of high-performance matrix multiplication", 2008)
// with A and B exchanged, as rows of C are adjacent here and not columns.
func (p *primitives) block(s *scratch, x *product, resume int) {
	panels := (x.n + p.cols - 1) / p.cols
	b := s.panel((panels + 1) * p.cols * x.k)
	for j := 0; j < x.n; j += p.cols {
		p.pack(b[j*x.k:], x, j)
	}
	group := x.m
	if p.copies(x) {
		group = p.cols / p.rows[0] * p.rows[0]
	}
	for i := 0; i < x.m; i += group {
		y := x.rows(i, min(i+group, x.m))
		if group < x.m {
			a := b[panels*p.cols*x.k:]
			p.packRows(&a[0], &y.a[0], wordSize*x.colA, x.k, min(p.cols, x.m-i))
			y.a, y.rowA, y.colA = a, 1, p.cols
		}
		p.tiles(&y, b, resume)
	}
}

// copies reports whether copying A pays: where elements of its rows are apart,
// a tile takes a part of each cache line, if those lines are not all in the
// cache until the next tile takes the rest, and B is wide enough.
func (p *primitives) copies(x *product) bool {
	const line = 16 // elements
	tall := p.rows[0]
	return x.colA != 1 && (x.colA%aliased == 0 || tall <= line/2) && x.n >= p.cols*tall
}

// tiles computes x with the packed panels b.
func (p *primitives) tiles(x *product, b []float32, resume int) {
	for i, h := 0, 0; i < x.m; i += p.rows[h] {
		for p.rows[h] > x.m-i {
			h++
		}
		for j := 0; j < x.n; j += p.cols {
			p.tile(x, h, i, j, b[j*x.k:], p.cols, resume)
		}
	}
}

// panel computes x, of one tile's columns and few rows.
func (p *primitives) panel(s *scratch, x *product, resume int) {
	b, rowB, width := x.b, x.rowB, p.cols
	if x.n <= p.cols/2 {
		width = p.cols / 2
	}
	if x.colB != 1 || (x.k-1)*rowB+width > len(b) {
		b, rowB = s.panel(p.cols*x.k), p.cols
		p.pack(b, x, 0)
	}
	for i, h := 0, 0; i < x.m; i += p.rows[h] {
		for p.rows[h] > x.m-i {
			h++
		}
		p.tile(x, h, i, 0, b, rowB, resume)
	}
}

// tile computes the tile of height h at row i and column j of x. Its columns
// of B are at b, rows of them rowB apart.
func (p *primitives) tile(x *product, h, i, j int, b []float32, rowB, resume int) {
	f, n := p.wide[h], min(p.cols, x.n-j)
	if n <= p.cols/2 {
		f = p.narrow[h]
	}
	f(&x.c[i*x.ldc+j], wordSize*x.ldc, &x.a[i*x.rowA], wordSize*x.rowA, wordSize*x.colA, &b[0], wordSize*rowB, x.k, n, resume)
}

// pack copies the tile's columns of x's B from j on to where its rows are
// adjacent.
func (p *primitives) pack(dst []float32, x *product, j int) {
	b, n := x.b[j*x.colB:], min(p.cols, x.n-j)
	if x.colB == 1 {
		p.packRows(&dst[0], &b[0], wordSize*x.rowB, x.k, n)
		return
	}
	if x.k < 8 {
		for k := range x.k {
			for j := range n {
				dst[k*p.cols+j] = b[k*x.rowB+j*x.colB]
			}
		}
		return
	}
	from := 0
	if p.packColumns16 != nil && x.k >= 16 {
		// The last columns may be others than x's, if they are there.
		for ; from < n && (from+15)*x.colB+x.k <= len(b); from += 16 {
			p.packColumns16(&dst[from], wordSize*p.cols, &b[from*x.colB], wordSize*x.colB, x.k)
		}
	}
	for j := from; j < n; j += 8 {
		p.packColumns(&dst[j], wordSize*p.cols, &b[j*x.colB], wordSize*x.colB, min(8, n-j), x.k)
	}
}

func (p *primitives) doSoftmax(sc *scratch, c *Call, lo, hi int) {
	if !c.Attr.Causal {
		p.softmaxWhole(sc, c, lo, hi)
		return
	}
	eachBlock(c, lo, hi, func(s segment, _, at int) {
		first, step := s.seen(&c.Attr)
		y := c.Out[0].F[at : at+s.nq*s.nk]
		x := sc.apart(c.In[0].F[at:at+len(y)], y)
		p.softmax(&y[0], &x[0], c.Attr.Scale, first, step, s.nk, s.nq)
		s.clearUnseen(&c.Attr, y)
	})
}

// softmaxWhole takes together the segments that follow one another and have as
// many keys, which are all seen, as long as their scores stay in a cache.
func (p *primitives) softmaxWhole(sc *scratch, c *Call, lo, hi int) {
	seg := &c.In[1]
	at := scoresBefore(seg, c.Attr.Heads, lo)
	for i := lo; i < hi; {
		keys, rows := segmentAt(seg, i).nk, 0
		for ; i < hi && segmentAt(seg, i).nk == keys && rows*keys < 4096; i++ {
			rows += c.Attr.Heads * segmentAt(seg, i).nq
		}
		y := c.Out[0].F[at : at+rows*keys]
		x := sc.apart(c.In[0].F[at:at+len(y)], y)
		p.softmax(&y[0], &x[0], c.Attr.Scale, keys, 0, keys, rows)
		at += len(y)
	}
}

func (p *primitives) doSoftmaxGrad(sc *scratch, c *Call, lo, hi int) {
	eachBlock(c, lo, hi, func(s segment, _, at int) {
		first, step := s.seen(&c.Attr)
		ds := c.Out[0].F[at : at+s.nq*s.nk]
		x, dp := sc.apart(c.In[0].F[at:at+len(ds)], ds), sc.apart(c.In[1].F[at:at+len(ds)], ds)
		p.softmaxGrad(&ds[0], &x[0], &dp[0], c.Attr.Scale, first, step, s.nk, s.nq)
		s.clearUnseen(&c.Attr, ds)
	})
}

// apart returns x, or a copy of it where y has its storage. Rows are no whole
// vectors, so that a row's store would hold up the load of the next row, which
// it runs into.
func (s *scratch) apart(x, y []float32) []float32 {
	if &x[0] != &y[0] {
		return x
	}
	dst := s.panel(len(x))
	copy(dst, x)
	return dst
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
