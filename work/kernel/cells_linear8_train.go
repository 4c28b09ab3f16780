//go:build (amd64 || arm64) && !purego

package kernel

import "math"

const (
	// tilesFrom is the number of rows from which a product of codes is computed in tiles.
	// A copy of its rows with flipped sign bits is repaid then.
	tilesFrom = 16
	// flipped8 is the number of codes of such a copy. It stays in the second level cache.
	flipped8 = 1 << 18
	// gradCodes is the number of codes of a gradient that are read for all columns of X
	// before the next ones. They stay in the second level cache.
	gradCodes = 1 << 20
)

// columns8 is the number of copies of columns that are made at a time.
const columns8 = 4

// The heights of tiles of codes, and the bytes that a group has in a copy of columns.
var tileRows8 = [...]int{12, 4, 1}

const flippedGroup = 48

// dots are the primitives that multiply flipped codes by codes.
type dots struct {
	linear8     [len(tileRows8)][2]linear8Tile // by height, for one and two panels
	grad        [len(tileRows8)][2]gradTile
	starts      func(start *int32, w *int8, groups int)
	flip        func(dst *uint8, q *int8, n int)
	flipColumns func(dst *uint8, q *int8, ldq, groups, n int)
}

type (
	linear8Tile func(y *float32, ldy int, a *uint8, rowA, colA int, w *int8, stride, groups int, start *int32, n int,
		sx, sw, b *float32)
	gradTile func(y *float32, ldy int, a *uint8, rowA, colA int, w *int8, stride, groups int, start *int32, n int,
		scales *float32, resume int)
	quantizePanelOf func(q *int8, scales, x *float32, ldx int, f *float32, stepF, rows, n int)
)

// tiles8 computes x in tiles. All panels are multiplied with the rows of a copy before the
// next rows are copied.
func (p *primitives) tiles8(s *scratch, x *product8) {
	n, groups := rows(&x.c.In[3]), x.ldq/group8
	stride := groups * panel8 * group8
	w, sx, sw, b := x.c.In[2].B[x.p*stride:], x.c.In[1].F, x.c.In[3].F, x.c.In[4].F
	starts := s.integers(x.panels * panel8)
	for j := range x.panels {
		p.dots.starts(&starts[j*panel8], &w[j*stride], groups)
	}
	most := max(flipped8/x.ldq/tileRows8[0], 1) * tileRows8[0]
	for from := 0; from < x.rows; from += most {
		count := min(most, x.rows-from)
		a := s.bytes(count * x.ldq)
		p.dots.flip(&a[0], &x.q[from*x.ldq], count*x.ldq)
		for j := 0; j < x.panels; j += 2 {
			at := (x.p + j) * panel8
			width := min(2*panel8, n-at, (x.panels-j)*panel8)
			for i, h := 0, 0; i < count; i += tileRows8[h] {
				for tileRows8[h] > count-i {
					h++
				}
				t := x.t + from + i
				p.dots.linear8[h][(width-1)/panel8](&x.c.Out[0].F[t*n+at], wordSize*n, &a[i*x.ldq], x.ldq, group8,
					&w[j*stride], stride, groups, &starts[j*panel8], width, &sx[t], &sw[at], &b[at])
			}
		}
	}
}

func (p *primitives) doQuantizeScaledRows(_ *scratch, c *Call, lo, hi int) {
	k, f := cols(&c.In[0]), c.In[1].F
	if p.codeScaledRows != nil {
		p.codeScaledRows(&c.Out[0].B[lo*k], &c.Out[1].F[lo], &c.In[0].F[lo*k], &f[0], k, hi-lo)
		return
	}
	whole := k / lanes * lanes
	for t := lo; t < hi; t++ {
		x, q := row(&c.In[0], t), c.Out[0].B[t*k:(t+1)*k]
		s, inv := rowScale(p.absMaxScaled(&x[0], &f[0], k))
		c.Out[1].F[t] = s
		if inv == 0 {
			clear(q)
			continue
		}
		if whole > 0 {
			p.quantizeScaled(&q[0], &x[0], &f[0], inv, whole)
		}
		for i := whole; i < k; i++ {
			q[i] = code8(float32(x[i]*f[i]), inv)
		}
	}
}

func (p *primitives) doQuantizeScaledColumns(s *scratch, c *Call, lo, hi int) {
	n, panels := cols(&c.In[0]), rows(&c.Out[0])
	for i := lo; i < hi; i++ {
		from, at := i/panels*block8, i%panels*panel8
		to := c.Out[0].B[(i%panels*c.Out[0].Shape[1]+from/group8)*panel8*group8:]
		p.codePanel(s, to, c.Out[1].F[from/block8*n+at:], c.In[0].F[from*n+at:], n,
			c.In[1].F[from:], 1, min(block8, rows(&c.In[0])-from), min(panel8, n-at))
	}
}

// codePanel quantises n columns of some rows of x, ldx elements apart, times f, whose
// elements are stepF apart.
func (p *primitives) codePanel(
	s *scratch, q []int8, scales, x []float32, ldx int, f []float32, stepF, rows, n int,
) {
	p.quantizePanel(&q[0], &s.scales[0], &x[0], wordSize*ldx, &f[0], wordSize*stepF, rows, n)
	copy(scales[:n], s.scales[:])
	whole := rows / group8 * group8
	if whole == rows {
		return
	}
	// The rows that are no group.
	q = q[whole*panel8 : (whole+group8)*panel8]
	clear(q)
	for j, scale := range s.scales[:n] {
		inv := inverse8(scale)
		for t := whole; t < rows; t++ {
			q[j*group8+t-whole] = code8(float32(x[t*ldx+j]*f[t*stepF]), inv)
		}
	}
}

// inverse8 is the inverse of a scale that rowScale returned, as rowScale returned it.
func inverse8(s float32) float32 {
	if e := math.Float32bits(1/s) >> 23 & 0xff; e == 0 || e == 0xff {
		return 0
	}
	return 1 / s
}

func (p *primitives) doQuantizeWeight(s *scratch, c *Call, lo, hi int) {
	if c.Attr.Trans == NT {
		refQuantizeWeight(c, lo, hi)
		return
	}
	k, n := rows(&c.In[0]), cols(&c.In[0])
	size := c.Out[0].Shape[1] * panel8 * group8
	for i := lo; i < hi; i++ {
		at := i * panel8
		codes := c.Out[0].B[i*size : (i+1)*size]
		p.codePanel(s, codes, c.Out[1].F[at:], c.In[0].F[at:], n, ones[:], 0, k, min(panel8, n-at))
		p.turnPanel(&c.Out[2], codes, i)
	}
}

// turnPanel copies panel j of a weight's codes to the codes of the transposed weight.
func (p *primitives) turnPanel(turned *Tensor, codes []int8, j int) {
	groups := turned.Shape[1]
	// Whole blocks of 16 by 16 codes, where the transposed weight has them.
	const block = panel8 * panel8
	whole := 0
	if (j+1)*group8 <= groups {
		whole = len(codes) / block
	}
	if whole > 0 {
		p.turnCodes(&turned.B[j*block], groups*panel8*group8, &codes[0], whole)
	}
	// The rest, four by four codes at a time.
	for i := whole; i < rows(turned); i++ {
		for h := j * group8; h < min((j+1)*group8, groups); h++ {
			to := turned.B[(i*groups+h)*panel8*group8:][:panel8*group8]
			for g := range group8 {
				at := (i*group8+g)*panel8*group8 + (h-j*group8)*group8*group8
				into := (*[group8 * group8]int8)(to[g*group8*group8:])
				if at >= len(codes) { // beyond the weight's depth
					*into = [group8 * group8]int8{}
					continue
				}
				from := (*[group8 * group8]int8)(codes[at:])
				transpose8(into, from)
			}
		}
	}
}

// transpose8 transposes four by four codes.
func transpose8(to, from *[group8 * group8]int8) {
	for r := range group8 {
		for c := range group8 {
			to[r*group8+c] = from[c*group8+r]
		}
	}
}

func (p *primitives) doLinear8WeightGrad(s *scratch, c *Call, lo, hi int) {
	if c.Attr.Trans == NT {
		refLinear8WeightGrad(c, lo, hi)
		return
	}
	q, panels := &c.In[0], rows(&c.In[1])
	groups := c.In[1].Shape[1]
	step := max(gradCodes/(groups*group8*panel8), 2)
	size := (groups + 1) * flippedGroup
	a := s.bytes(columns8 * size)
	for from := 0; from < panels; from += step {
		x := grad8{c: c, from: from, panels: min(step, panels-from)}
		p.startGrad(s, &x)
		// Some columns of X are copied at a time, while their lines are in a cache, and
		// multiplied by as many as a tile has rows.
		for i := lo; i < hi; i += columns8 * tileRows8[0] {
			end := min(i+columns8*tileRows8[0], hi)
			for r := i; r < end; r += tileRows8[0] {
				p.flipped(s, a[(r-i)/tileRows8[0]*size:], q, r, min(tileRows8[0], end-r))
			}
			for r := i; r < end; r += tileRows8[0] {
				for j := 0; j < x.panels; j += 2 {
					p.gradTiles(&x, a[(r-i)/tileRows8[0]*size:], r, min(tileRows8[0], end-r), j)
				}
			}
		}
	}
}

// grad8 is some panels of a Linear8WeightGrad.
type grad8 struct {
	c            *Call
	from, panels int
	starts       []int32 // by block and panel
}

// startGrad computes the starts of the sums of every block.
func (p *primitives) startGrad(s *scratch, x *grad8) {
	z := &x.c.In[1]
	groups := z.Shape[1]
	x.starts = s.integers(rows(&x.c.In[2]) * x.panels * panel8)
	for b := range rows(&x.c.In[2]) {
		g := b * block8 / group8
		for j := range x.panels {
			p.dots.starts(&x.starts[(b*x.panels+j)*panel8], &z.B[((x.from+j)*groups+g)*panel8*group8],
				min(block8/group8, groups-g))
		}
	}
}

// flipped copies n columns of codes to a, from column i on, in groups of four rows. Codes
// beyond the last row are 0.
func (p *primitives) flipped(s *scratch, a []uint8, q *Tensor, i, n int) {
	k, whole := cols(q), rows(q)/group8
	if whole > 0 {
		p.dots.flipColumns(&a[0], &q.B[i], k, whole, n)
	}
	if left := rows(q) % group8; left > 0 {
		s.last = [group8][panel8]int8{}
		for r := range left {
			copy(s.last[r][:n], q.B[(whole*group8+r)*k+i:])
		}
		p.dots.flipColumns(&a[whole*flippedGroup], &s.last[0][0], panel8, 1, n)
	}
}

// gradTiles computes rows i to i+height-1 of panels j and j+1, one block after the other,
// so that the chains stay in the first level cache.
func (p *primitives) gradTiles(x *grad8, a []uint8, i, height, j int) {
	z, scales := &x.c.In[1], &x.c.In[2]
	n, groups := cols(scales), z.Shape[1]
	at := (x.from + j) * panel8
	width := min(2*panel8, n-at, (x.panels-j)*panel8)
	for b := range rows(scales) {
		g := b * block8 / group8
		for r, h := 0, 0; r < height; r += tileRows8[h] {
			for tileRows8[h] > height-r {
				h++
			}
			p.dots.grad[h][(width-1)/panel8](&x.c.Out[0].F[(i+r)*n+at], wordSize*n,
				&a[g*flippedGroup+r*group8], group8, flippedGroup,
				&z.B[((x.from+j)*groups+g)*panel8*group8], groups*panel8*group8, min(block8/group8, groups-g),
				&x.starts[(b*x.panels+j)*panel8], width, &scales.F[b*n+at], b)
		}
	}
}
