package kernel

// refMatMul computes every element as one chain of fma in ascending k: NUMERICS.md,
// section 2.
func refMatMul(c *Call, lo, hi int) { matMulProduct(c, lo, hi).reference() }

// matMulProduct is pieces lo to hi-1 of a MatMul: rows of C, or columns where C has more
// columns than rows.
func matMulProduct(c *Call, lo, hi int) product {
	m, n, k, _ := productDims(c.Attr.Trans, &c.In[0], &c.In[1])
	w := c.In[1]
	p := product{
		c: c.Out[0].F, ldc: n,
		a: c.In[0].F, rowA: k, colA: 1,
		rowB: n, colB: 1,
		m: m, n: n, k: k,
	}
	if h, ok := w.Home.(panels); ok && c.Attr.Trans != NT {
		p.panels = part{width: h.width, rows: k, cols: n}
	} else if ok {
		w = Local(w) // the panels are of B's rows
	}
	p.b = w.F
	// A transposed operand is the same storage with its strides exchanged.
	switch c.Attr.Trans {
	case NT:
		p.rowB, p.colB = 1, k
	case TN:
		p.rowA, p.colA = 1, m
	}
	if m >= n {
		return p.rows(lo, hi)
	}
	return p.cols(lo, hi)
}

// product is C [m,n] = A [m,k] * B [k,n]. Each is a strided view: element (i,j) of A is
// a[i*rowA+j*colA]. Elements of a row of C are adjacent.
type product struct {
	c, a, b    []float32
	ldc        int
	rowA, colA int
	rowB, colB int
	m, n, k    int
	panels     part      // of B, if it is packed; then rowB and colB mean nothing
	next       []float32 // what is read behind B, if that is known
}

// part is the part of a matrix in panels that is a product's B.
type part struct {
	width      int // of the panels; 0 where B is not packed
	rows, cols int // of the whole matrix
	row, col   int // where the part begins
}

// columns returns B from column j on: element (k,i) of the adjacent columns is b[k*row+i]. n is how
// many columns are adjacent. colB is 1.
func (p *product) columns(j int) (b []float32, row, n int) {
	w := &p.panels
	if w.width == 0 {
		return p.b[j:], p.rowB, p.n - j
	}
	in := (w.col + j) % w.width // the panel
	at := w.col + j - in
	row = min(w.width, w.cols-at)
	return p.b[at*w.rows+w.row*row+in:], row, min(row-in, p.n-j)
}

// rows is the product of rows lo to hi-1 of C.
func (p product) rows(lo, hi int) product {
	p.a, p.c, p.m = p.a[lo*p.rowA:], p.c[lo*p.ldc:], hi-lo
	return p
}

// cols is the product of columns lo to hi-1 of C.
func (p product) cols(lo, hi int) product {
	if p.panels.width > 0 {
		p.panels.col += lo
	} else {
		p.b = p.b[lo*p.colB:]
	}
	p.c, p.n = p.c[lo:], hi-lo
	return p
}

// column returns column j of B: its element k is b[k*row].
func (p *product) column(j int) (b []float32, row int) {
	if p.panels.width == 0 {
		return p.b[j*p.colB:], p.rowB
	}
	b, row, _ = p.columns(j)
	return b, row
}

// reference computes the product four columns at a time, so that the processor overlaps
// four chains. It copies those columns of B to adjacent memory first.
func (p product) reference() {
	panel := make([][4]float64, p.k)
	for j := 0; j < p.n; j += 4 {
		w := min(4, p.n-j)
		for l := range w {
			b, row := p.column(j + l)
			for k := range panel {
				panel[k][l] = float64(b[k*row])
			}
		}
		for i := range p.m {
			acc := chains(p.a[i*p.rowA:], p.colA, panel)
			copy(p.c[i*p.ldc+j:], acc[:w])
		}
	}
}

// chains computes four chains over one row of A. It repeats the common case of [Fma],
// because the compiler does not inline a function of that size.
func chains(a []float32, stride int, panel [][4]float64) [4]float32 {
	var c0, c1, c2, c3 float32
	at := 0
	for k := range panel {
		x, b := float64(a[at]), &panel[k]
		at += stride
		p0, p1, p2, p3 := float64(x*b[0]), float64(x*b[1]), float64(x*b[2]), float64(x*b[3])
		s0, s1, s2, s3 := p0+float64(c0), p1+float64(c1), p2+float64(c2), p3+float64(c3)
		// Only where a rounding to binary64 could show is the slow way taken, for all
		// four: that is rare.
		if roundsOnce(s0) && roundsOnce(s1) && roundsOnce(s2) && roundsOnce(s3) {
			c0, c1, c2, c3 = float32(s0), float32(s1), float32(s2), float32(s3)
			continue
		}
		c0 = roundSum(p0, float64(c0), s0)
		c1 = roundSum(p1, float64(c1), s1)
		c2 = roundSum(p2, float64(c2), s2)
		c3 = roundSum(p3, float64(c3), s3)
	}
	return [4]float32{c0, c1, c2, c3}
}
