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
