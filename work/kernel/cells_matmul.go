//go:build (amd64 || arm64) && !purego

package kernel

const (
	// maxDepth is the largest number of steps of k that a tile computes before it stores
	// its sums. A tile's rows of A, cut to this depth, stay in the first level cache while
	// the panels of B pass by.
	maxDepth = 256
	// blockSize is the number of elements of B that are packed at a time. They stay in
	// the second level cache for all rows of A.
	blockSize = 1 << 17
	// packFrom is the number of rows of A from which packing B is faster than reading it
	// in place.
	packFrom = 64
	// tallRows is the number of rows of A that stay in the second level cache beside a panel.
	tallRows = 256
	// aliased is a distance, in elements, at which addresses share a set of a cache.
	aliased = 1024
)

const wordSize = 4 // bytes of a binary32 number

func (p *primitives) matMul(s *scratch, c *Call, lo, hi int) {
	x := matMulProduct(c, lo, hi)
	p.product(s, &x)
}

// product computes x in blocks that fit the caches. A chain whose k is divided continues
// from the sum that the part before stored in C, so the bits are those of one chain. A is
// read in place: a tile reads few rows of it.
func (p *primitives) product(s *scratch, x *product) {
	if x.m == 1 && p.rowProduct != nil {
		if p.singleRow(x); x.n == 0 {
			return
		}
	}
	if x.panels.width > 0 {
		p.packed(s, x)
		return
	}
	if x.m < packFrom && x.n <= p.cols && x.k <= maxDepth {
		p.panel(s, x, 0) // attention has many products that fit one panel
		return
	}
	depth := even(x.k, maxDepth)
	for k := 0; k < x.k; k += depth {
		if x.m < packFrom { // few rows: panel by panel, packed only where it must be
			for j := 0; j < x.n; j += p.cols {
				y := x.part(j, p.cols, k, depth)
				p.panel(s, &y, k)
			}
			continue
		}
		// Many rows: as many panels at a time as the second level cache holds.
		width := even((x.n+p.cols-1)/p.cols, max(blockSize/(depth*p.cols), 1)) * p.cols
		for j := 0; j < x.n; j += width {
			y := x.part(j, width, k, depth)
			p.block(s, &y, k)
		}
	}
}

// singleRow computes most columns of x, which has one row, as in decoding, and leaves x the other
// columns. B is read once, in place.
func (p *primitives) singleRow(x *product) {
	blocks := x.n / p.rowCols
	// What is prefetched is the same rows of the next block, or the panels' next rows.
	rowB, panel, ahead := x.rowB, p.cols, p.rowCols
	if w := &x.panels; w.width > 0 {
		if w.width != p.cols || w.col%p.cols != 0 {
			return
		}
		rowB, panel, ahead = p.cols, p.cols*w.rows, 1024
	}
	if blocks == 0 || x.colA != 1 || x.colB != 1 {
		return
	}
	b, _, _ := x.columns(0)
	p.rowProduct(&x.c[0], &x.a[0], &b[0], wordSize*rowB, wordSize*panel, wordSize*ahead, x.k, blocks)
	*x = x.cols(blocks*p.rowCols, x.n)
}

// packed computes x, whose B is in panels. B is read once from one end to the other: a part of a
// panel is multiplied with all rows of A while the next part is prefetched. So a weight that no
// cache holds costs little more time than one that is in a cache.
func (p *primitives) packed(s *scratch, x *product) {
	if x.m > tallRows {
		p.tall(x)
	}
	depth := even(x.k, maxDepth)
	for j := 0; j < x.n; {
		// Panels of another width than this device's are computed by narrower tiles.
		_, _, n := x.columns(j)
		n = min(n, p.cols)
		for k := 0; k < x.k; k += depth {
			y := x.part(j, n, k, depth)
			y.b, y.rowB, _ = y.columns(0)
			y.colB, y.panels = 1, part{}
			y.next = y.b[min(y.k*y.rowB, len(y.b)):]
			p.panel(s, &y, k)
		}
		j += n
	}
}

// tall computes the whole panels of x, which has many rows, and leaves x the other columns. It is
// block with a B that is packed already.
func (p *primitives) tall(x *product) {
	w, whole := x.panels, x.n/p.cols
	if w.width != p.cols || w.col%p.cols != 0 || whole == 0 {
		return
	}
	depth := even(x.k, maxDepth)
	width := even(whole, max(blockSize/(depth*p.cols), 1)) * p.cols
	for k := 0; k < x.k; k += depth {
		for j := 0; j < whole*p.cols; j += width {
			y := x.part(j, min(width, whole*p.cols-j), k, depth)
			b, _, _ := y.columns(0)
			p.tiles(&y, b, w.rows, k)
		}
	}
	*x = x.cols(whole*p.cols, x.n)
}

// even returns the size of the parts when n is divided into the fewest parts of at most
// limit, all of about the same size.
func even(n, limit int) int {
	parts := (n + limit - 1) / limit
	return (n + parts - 1) / parts
}

// part is columns j to j+n-1 of x, limited to steps k to k+depth-1 of their chains.
func (x *product) part(j, n, k, depth int) product {
	y := *x
	y.n, y.k = min(n, x.n-j), min(depth, x.k-k)
	y.a, y.c = x.a[k*x.colA:], x.c[j:]
	if x.panels.width > 0 {
		y.panels.row, y.panels.col = x.panels.row+k, x.panels.col+j
	} else {
		y.b = x.b[k*x.rowB+j*x.colB:]
	}
	return y
}

// block computes x, whose packed B fits the second level cache: a tile's rows of A are
// multiplied with every panel of B before the next rows. It is the loop of Goto and van de
// Geijn ("Anatomy of high-performance matrix multiplication", 2008) with A and B
// exchanged, because rows of C are adjacent here, not columns. resume is 0 where chains
// begin at +0, and not 0 where they continue from C.
func (p *primitives) block(s *scratch, x *product, resume int) {
	panels := (x.n + p.cols - 1) / p.cols
	b := s.panel((panels + 1) * p.cols * x.k)
	for j := 0; j < x.n; j += p.cols {
		p.pack(b[j*x.k:], x, j)
	}
	// A is read in place, or else copied a few rows at a time behind the panels of B.
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
		p.tiles(&y, b, x.k, resume)
	}
}

// copies reports whether copying A is faster. Where the elements of a row of A are not
// adjacent, a tile uses only a part of each cache line that it reads. The next tile uses
// the rest, unless the lines have left the cache: because their addresses share a set, or
// because a tile is short. B must be wide enough to repay the copy.
func (p *primitives) copies(x *product) bool {
	const line = 16 // elements
	tall := p.rows[0]
	return x.colA != 1 && (x.colA%aliased == 0 || tall <= line/2) && x.n >= p.cols*tall
}

// tiles computes x from the packed panels b of its B, of deep rows each, with the tallest tiles first.
func (p *primitives) tiles(x *product, b []float32, deep, resume int) {
	for i, h := 0, 0; i < x.m; i += p.rows[h] {
		for p.rows[h] > x.m-i { // the last rows need shorter tiles
			h++
		}
		for j := 0; j < x.n; j += p.cols {
			p.tile(x, h, i, j, b[j*deep:], p.cols, resume, &b[0], 0)
		}
	}
}

// panel computes x, which has at most the columns of one tile and few rows.
func (p *primitives) panel(s *scratch, x *product, resume int) {
	b, rowB, width := x.b, x.rowB, p.cols
	if x.n <= p.cols/2 {
		width = p.cols / 2
	}
	// Tiles read whole vectors. B is packed where its rows are not adjacent, or where the
	// vectors of its last row would end behind the tensor.
	if x.colB != 1 || (x.k-1)*rowB+width > len(b) {
		b, rowB = s.panel(p.cols*x.k), p.cols
		p.pack(b, x, 0)
	}
	// Each tile prefetches its share of what is read next, a little at each step of k.
	next, share := &b[0], 0
	if len(x.next) > 0 {
		next, share = &x.next[0], (rowB+x.m/p.rows[0])/(x.m/p.rows[0]+1)
	}
	for i, h, at := 0, 0, 0; i < x.m; i += p.rows[h] {
		for p.rows[h] > x.m-i {
			h++
		}
		p.tile(x, h, i, 0, b, rowB, resume, next, wordSize*share)
		if at += share * x.k; at < len(x.next) {
			next = &x.next[at]
		}
	}
}

// tile computes the tile of the h-th height at row i and column j of x. b is its columns
// of B, whose rows are rowB elements apart. From next on, step bytes are prefetched for each step of k.
func (p *primitives) tile(x *product, h, i, j int, b []float32, rowB, resume int, next *float32, step int) {
	// A narrow tile does half the work where the columns left fit it.
	f, n := p.wide[h], min(p.cols, x.n-j)
	if n <= p.cols/2 {
		f = p.narrow[h]
	}
	f(&x.c[i*x.ldc+j], wordSize*x.ldc, &x.a[i*x.rowA], wordSize*x.rowA, wordSize*x.colA,
		&b[0], wordSize*rowB, x.k, n, resume, next, step)
}

// pack copies one panel, the columns of B from j on, to dst, with its rows adjacent.
func (p *primitives) pack(dst []float32, x *product, j int) {
	b, n := x.b[j*x.colB:], min(p.cols, x.n-j)
	if x.colB == 1 {
		p.packRows(&dst[0], &b[0], wordSize*x.rowB, x.k, n)
		return
	}
	if x.k < 8 { // the assembly transposes at least 8 rows
		for k := range x.k {
			for j := range n {
				dst[k*p.cols+j] = b[k*x.rowB+j*x.colB]
			}
		}
		return
	}
	// B is transposed: its columns become the adjacent rows of the panel, 16 or 8 at once.
	from := 0
	if p.packColumns16 != nil && x.k >= 16 {
		// It always reads 16 columns. Those behind x's last column may be any columns of
		// B, if the tensor has them: their sums are not stored.
		for ; from < n && (from+15)*x.colB+x.k <= len(b); from += 16 {
			p.packColumns16(&dst[from], wordSize*p.cols, &b[from*x.colB], wordSize*x.colB, x.k)
		}
	}
	for j := from; j < n; j += 8 {
		p.packColumns(&dst[j], wordSize*p.cols, &b[j*x.colB], wordSize*x.colB, min(8, n-j), x.k)
	}
}
