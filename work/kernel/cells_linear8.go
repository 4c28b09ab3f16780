//go:build (amd64 || arm64) && !purego

package kernel

// cached8 is the number of bytes of a weight's panels that are multiplied with all rows
// before the next panels. They stay in the first level cache.
const cached8 = 24 << 10

func (p *primitives) doQuantizeRows(_ *scratch, c *Call, lo, hi int) {
	k := cols(&c.In[0])
	if p.codeRows != nil {
		p.codeRows(&c.Out[0].B[lo*k], &c.Out[1].F[lo], &c.In[0].F[lo*k], k, hi-lo)
		return
	}
	for t := lo; t < hi; t++ {
		c.Out[1].F[t] = p.quantizeRow(c.Out[0].B[t*k:(t+1)*k], row(&c.In[0], t))
	}
}

// quantizeRow writes the codes of a row x and returns their scale.
func (p *primitives) quantizeRow(q []int8, x []float32) float32 {
	s, inv := rowScale(p.absMax(&x[0], len(x)))
	from := 0 // the first element that Go must encode
	if whole := len(x) / lanes * lanes; inv != 0 && whole > 0 {
		p.quantize(&q[0], &x[0], inv, whole)
		from = whole
	}
	encode8(q, x, inv, from)
	return s
}

// product8 is a part of a Linear8: rows t to t+rows-1 and panels p to p+panels-1.
type product8 struct {
	c         *Call
	q         []int8  // codes of the rows, which are ldq apart
	wide      []int16 // the same, if the device takes 16 bits
	ldq       int
	t, rows   int
	p, panels int
}

func (p *primitives) doLinear8(s *scratch, c *Call, lo, hi int) {
	// Pieces are panels, row by row. They are taken as whole rows where possible, with the
	// ends of the first and last row as parts of one row.
	panels := rows(&c.In[2])
	for lo < hi {
		x := product8{c: c, t: lo / panels, rows: 1, p: lo % panels}
		x.panels = min(panels-x.p, hi-lo)
		if whole := (hi - lo) / panels; x.p == 0 && whole > 0 {
			x.rows = whole
		}
		x.align(s)
		if p.linear16 != nil {
			x.widen(s, p)
		}
		p.product8(s, &x)
		lo += x.rows * x.panels
	}
}

// align sets x.q to the rows' codes in whole groups of four. Rows whose length is not a
// multiple of four are copied, with zeros at their ends.
func (x *product8) align(s *scratch) {
	k := cols(&x.c.In[0])
	x.q, x.ldq = x.c.In[0].B[x.t*k:(x.t+x.rows)*k], k
	if k%group8 == 0 {
		return
	}
	x.ldq = ceil(k, group8) * group8
	if n := x.rows * x.ldq; len(s.codes) < n {
		s.codes = make([]int8, n)
	}
	for i := range x.rows {
		to := s.codes[i*x.ldq : (i+1)*x.ldq]
		clear(to[copy(to, x.q[i*k:(i+1)*k]):])
	}
	x.q = s.codes
}

// widen sets x.wide.
func (x *product8) widen(s *scratch, p *primitives) {
	n := x.rows * x.ldq
	if len(s.wide) < n {
		s.wide = make([]int16, n)
	}
	x.wide = s.wide[:n]
	p.widen(&x.wide[0], &x.q[0], n)
}

// product8 multiplies some panels at a time with all rows, and the last panel by itself
// where it has fewer columns than the others.
func (p *primitives) product8(s *scratch, x *product8) {
	if p.dots != nil && x.rows >= tilesFrom {
		p.tiles8(s, x)
		return
	}
	n := rows(&x.c.In[3])
	end := min(x.p+x.panels, n/panel8)
	step := end - x.p
	if x.rows > 4 { // with few rows the weight is read once or twice anyway
		step = max(cached8/(x.ldq*panel8), 1)
	}
	y, sw, b := x.c.Out[0].F[x.t*n:], x.c.In[3].F, x.c.In[4].F
	for at := x.p; at < end; at += step {
		p.panels8(x, y[at*panel8:], n, at, min(step, end-at), &sw[at*panel8], &b[at*panel8])
	}
	if end == x.p+x.panels {
		return
	}
	// The narrow panel gets its scales, bias and output in scratch, all of full width.
	from := end * panel8
	part := s.panel((x.rows + 2) * panel8)
	copy(part, sw[from:])
	copy(part[panel8:], b[from:])
	p.panels8(x, part[2*panel8:], panel8, end, 1, &part[0], &part[panel8])
	for i := range x.rows {
		copy(y[i*n+from:(i+1)*n], part[(i+2)*panel8:])
	}
}

// panels8 computes all rows of x for count panels of full width, from panel at on, with
// the tallest tiles first. Row i of the result begins at y[i*ldy].
func (p *primitives) panels8(x *product8, y []float32, ldy, at, count int, sw, b *float32) {
	w := &x.c.In[2].B[at*x.ldq*panel8]
	for i, h := 0, 0; i < x.rows; i += p.rows8[h] {
		for p.rows8[h] > x.rows-i {
			h++
		}
		if sx := &x.c.In[1].F[x.t+i]; p.linear16 != nil {
			p.linear16[h](&y[i*ldy], wordSize*ldy, &x.wide[i*x.ldq], 2*x.ldq, x.ldq/group8, w, count, sx, sw, b)
		} else {
			p.linear8[h](&y[i*ldy], wordSize*ldy, &x.q[i*x.ldq], x.ldq, x.ldq/group8, w, count, sx, sw, b)
		}
	}
}
