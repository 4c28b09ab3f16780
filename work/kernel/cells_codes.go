//go:build (amd64 || arm64) && !purego

package kernel

// Cells for training with products of 8-bit codes: the rows of linear8_train.go.

// codes8 are the functions of an instruction set for these rows, beside those of other
// rows. A panel is 16 columns; the codes of four rows and one column are adjacent.
type codes8 struct {
	primitives
	// The first two may be nil: then the others serve. quantizePanel quantises n of 16
	// columns of x times f, with rows ldx and factors ldf bytes apart.
	codeScaledRows func(q *int8, scales, x, f *float32, k, rows int)
	quantizePanel  func(q *int8, scales, x *float32, ldx int, f *float32, ldf, rows, n int)

	gradRows     int // rows of the result that gradBlock computes, a divisor of 16
	gradBlock    func(y *float32, ldy int, q *int8, groups int, z *int8, ldz, panels int, scales *float32)
	multiply     func(dst, x, y *float32, n int)
	columnMax    func(top, x *float32, ldx int, f *float32, ldf, n int)
	quantColumns func(q *int8, x *float32, ldx int, f *float32, ldf int, inv *float32, groups int)
	packCodes    func(dst, q *int8, ldq, groups int)
	turnCodes    func(dst, src *[turned8]int8)
}

const (
	groupBytes8 = panel8 * group8
	turned8     = panel8 * panel8 // codes that turnCodes transposes

	// gradCols is the number of columns of X, and of dY, that are multiplied at a time. The
	// sums stay in the first level cache for all blocks of tokens.
	gradCols = 4 * panel8
)

// cells adds the rows of training to those of all instruction sets.
func (p *codes8) cells() [numOps]cell {
	cs := p.primitives.cells()
	cs[QuantizeScaledRows] = p.doQuantizeScaledRows
	cs[QuantizeScaledColumns] = p.doQuantizeScaledColumns
	cs[QuantizeWeight] = p.doQuantizeWeight
	cs[Linear8WeightGrad] = p.doLinear8WeightGrad
	return cs
}

func (p *codes8) doQuantizeScaledRows(s *scratch, c *Call, lo, hi int) {
	k := cols(&c.In[0])
	if p.codeScaledRows != nil {
		p.codeScaledRows(&c.Out[0].B[lo*k], &c.Out[1].F[lo], &c.In[0].F[lo*k], &c.In[1].F[0], k, hi-lo)
		return
	}
	z := s.panel(k)
	for t := lo; t < hi; t++ {
		p.multiply(&z[0], rowAt(&c.In[0], t), &c.In[1].F[0], k)
		c.Out[1].F[t] = p.quantizeRow(c.Out[0].B[t*k:(t+1)*k], z)
	}
}

// columns8 is up to 16 columns that become a panel of codes.
type columns8 struct {
	x           []float32
	ldx         int       // elements from row to row
	f           []float32 // factors of the rows
	ldf         int       // elements from factor to factor
	rows, width int
}

// whole returns x with 16 columns and whole groups of four rows. Where x has fewer, they
// are copied, with zeros behind them.
func (p *codes8) whole(s *scratch, x columns8) columns8 {
	if x.width == panel8 && x.rows%group8 == 0 {
		return x
	}
	n := ceil(x.rows, group8) * group8
	buf := s.panel(n * (panel8 + 1))
	y := columns8{x: buf[:n*panel8], ldx: panel8, f: buf[n*panel8:], ldf: x.ldf, rows: n, width: x.width}
	clear(y.x)
	for i := range x.rows {
		copy(y.x[i*panel8:], x.x[i*x.ldx:i*x.ldx+x.width])
	}
	clear(y.f[copy(y.f, x.f[:min(len(x.f), n)]):])
	return y
}

// quantizeColumns writes the codes of the columns of x, and their scales. It reports
// whether all scales are finite: if not, the codes are wrong.
func (p *codes8) quantizeColumns(s *scratch, q []int8, scales []float32, x columns8) bool {
	x = p.whole(s, x)
	if p.quantizePanel != nil {
		p.quantizePanel(&q[0], &s.scales[0], &x.x[0], wordSize*x.ldx, &x.f[0], wordSize*x.ldf, x.rows, x.width)
		copy(scales[:x.width], s.scales[:])
		return true
	}
	top, inv := &s.scales, &s.inverse
	p.columnMax(&top[0], &x.x[0], wordSize*x.ldx, &x.f[0], wordSize*x.ldf, x.rows)
	for j := range x.width {
		scales[j], inv[j] = rowScale(top[j])
		if inv[j] == 0 && scales[j] != 0 {
			return false
		}
	}
	p.quantColumns(&q[0], &x.x[0], wordSize*x.ldx, &x.f[0], wordSize*x.ldf, &inv[0], x.rows/group8)
	return true
}

func (p *codes8) doQuantizeScaledColumns(s *scratch, c *Call, lo, hi int) {
	t, n, panels := rows(&c.In[0]), cols(&c.In[0]), rows(&c.Out[0])
	for i := lo; i < hi; i++ {
		b, panel := i/panels, i%panels
		from, j := b*block8, panel*panel8
		x := columns8{x: c.In[0].F[from*n+j:], ldx: n, f: c.In[1].F[from:], ldf: 1}
		x.rows, x.width = min(block8, t-from), min(panel8, n-j)
		q := c.Out[0].B[(panel*c.Out[0].Shape[1]+from/group8)*groupBytes8:]
		if !p.quantizeColumns(s, q, c.Out[1].F[b*n+j:], x) {
			refQuantizePanel(c, b, panel)
		}
	}
}

func (p *codes8) doQuantizeWeight(s *scratch, c *Call, lo, hi int) {
	f := p.weightColumns
	if c.Attr.Trans == NT {
		f = p.weightRows
	}
	for i := lo; i < hi; i++ {
		if !f(s, c, i) {
			refQuantizeWeight(c, i, i+1)
		}
	}
}

// blockOf returns the packed codes of 16 rows and 16 columns, those of panel i and
// of rows 16j to 16j+15. They are fewer at the end of the panel.
func blockOf(q *Tensor, i, j int) []int8 {
	groups := q.Shape[1]
	from := (i*groups + j*panel8/group8) * groupBytes8
	return q.B[from:min(from+turned8, (i+1)*groups*groupBytes8)]
}

// turn writes the transposed codes of one block to another.
func (p *codes8) turn(s *scratch, dst, src []int8) {
	if len(dst) == turned8 && len(src) == turned8 {
		p.turnCodes((*[turned8]int8)(dst), (*[turned8]int8)(src))
		return
	}
	from, to := &s.turned[0], &s.turned[1]
	clear(from[copy(from[:], src):])
	p.turnCodes(to, from)
	copy(dst, to[:])
}

// weightColumns quantises panel i of a weight [K,N], into W8 and from there into V8. It
// reports whether all scales are finite: if not, the codes are wrong.
func (p *codes8) weightColumns(s *scratch, c *Call, i int) bool {
	k, n, j := rows(&c.In[0]), cols(&c.In[0]), i*panel8
	x := columns8{x: c.In[0].F[j:], ldx: n, f: ones[:], rows: k, width: min(panel8, n-j)}
	q := c.Out[0].B[i*c.Out[0].Shape[1]*groupBytes8:]
	if !p.quantizeColumns(s, q, c.Out[1].F[j:], x) {
		return false
	}
	for at := range rows(&c.Out[2]) {
		p.turn(s, blockOf(&c.Out[2], at, i), blockOf(&c.Out[0], i, at))
	}
	return true
}

// weightRows quantises panel i of a weight that is stored as [N,K]: 16 rows. The rows'
// inverse scales are factors of rows, and the codes are made in V8 and turned into W8.
func (p *codes8) weightRows(s *scratch, c *Call, i int) bool {
	n, k := rows(&c.In[0]), cols(&c.In[0])
	from, until := i*panel8, min((i+1)*panel8, n)
	inv, unit := &s.inverse, &s.scales
	clear(inv[:])
	for t := from; t < until; t++ {
		scale, factor := rowScale(p.absMax(rowAt(&c.In[0], t), k))
		if factor == 0 && scale != 0 {
			return false
		}
		c.Out[1].F[t], inv[t-from] = scale, factor
	}
	for j := range unit {
		unit[j] = 1
	}
	for at := range rows(&c.Out[2]) {
		j := at * panel8
		x := columns8{x: c.In[0].F[from*k+j:], ldx: k, f: inv[:], ldf: 1, rows: until - from, width: min(panel8, k-j)}
		x = p.whole(s, x)
		codes := blockOf(&c.Out[2], at, i)
		p.quantColumns(&codes[0], &x.x[0], wordSize*x.ldx, &x.f[0], wordSize, &unit[0], x.rows/group8)
		p.turn(s, blockOf(&c.Out[0], i, at), codes)
	}
	return true
}

func (p *codes8) doLinear8WeightGrad(s *scratch, c *Call, lo, hi int) {
	if p.dots != nil {
		p.gradTiles(s, c, lo, hi)
		return
	}
	for i := lo; i < hi; i += gradCols {
		p.weightGrad(s, c, i, min(i+gradCols, hi))
	}
}

// weightGrad computes the gradient for columns lo to hi-1 of X, up to 64 of them. Their
// codes are packed first, in panels as those of dY are.
func (p *codes8) weightGrad(s *scratch, c *Call, lo, hi int) {
	z, scales := &c.In[1], &c.In[2]
	n, size := cols(scales), z.Shape[1]*groupBytes8
	q := p.packTokens(s, &c.In[0], lo, hi)
	buf := s.panel(gradCols * (gradCols + 1))
	y, part := buf[:gradCols*gradCols], buf[gradCols*gradCols:]
	for j := 0; j < n; j += gradCols {
		width := min(gradCols, n-j)
		clear(y)
		for b := range rows(scales) {
			// The scales of a narrow panel are copied, because tiles read whole panels.
			sz := scales.F[b*n+j : b*n+j+width]
			if width < gradCols {
				copy(part, sz)
				sz = part
			}
			at := b * block8 * panel8 // in a panel
			groups := min(block8/group8, z.Shape[1]-b*block8/group8)
			for i := 0; i < hi-lo; i += p.gradRows {
				p.gradBlock(&y[i*gradCols], wordSize*gradCols, &q[i/panel8*size+at+i%panel8*group8], groups,
					&z.B[j/panel8*size+at], size, ceil(width, panel8), &sz[0])
			}
		}
		storeGrad(c, y, lo, hi, j, width)
	}
}

// storeGrad copies rows lo to hi-1 of the gradient, and width columns from j on.
func storeGrad(c *Call, y []float32, lo, hi, j, width int) {
	n, k, out := cols(&c.In[2]), cols(&c.In[0]), c.Out[0].F
	for i := lo; i < hi; i++ {
		from := y[(i-lo)*gradCols:][:width]
		if c.Attr.Trans != NT {
			copy(out[i*n+j:], from)
			continue
		}
		for at, v := range from {
			out[(j+at)*k+i] = v
		}
	}
}

// packTokens packs columns lo to hi-1 of codes [T,K] in panels. Behind column hi-1 the last
// panel has arbitrary codes.
func (p *codes8) packTokens(s *scratch, x *Tensor, lo, hi int) []int8 {
	t, k := rows(x), cols(x)
	groups := ceil(t, group8)
	size := groups * groupBytes8
	if n := ceil(hi-lo, panel8) * size; len(s.codes) < n {
		s.codes = make([]int8, n)
	}
	for i := lo; i < hi; i += panel8 {
		q, from := s.codes[(i-lo)/panel8*size:][:size], 0
		// Assembly packs whole groups of 16 columns, Go the rest.
		if whole := t / group8; i+panel8 <= k && whole > 0 {
			p.packCodes(&q[0], &x.B[i], k, whole)
			from = whole * group8
		}
		clear(q[from*panel8:])
		for r := from; r < t; r++ {
			for j, code := range x.B[r*k+i : r*k+min(i+panel8, hi)] {
				q[packedAt(r, j, groups)] = code
			}
		}
	}
	return s.codes
}
