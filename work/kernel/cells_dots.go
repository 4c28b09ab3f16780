//go:build (amd64 || arm64) && !purego

package kernel

const (
	// tilesFrom is the number of rows from which a product of codes is computed in tiles.
	// A copy of its rows with flipped sign bits is repaid then.
	tilesFrom = 16
	// flipped8 is the number of codes of such a copy. It stays in the second level cache.
	flipped8 = 1 << 18
	// gradBlocks is the number of blocks of tokens that a gradient is computed of before
	// the next ones. A tile's codes of X and of dY stay in the first level cache.
	gradBlocks = 4
	// gradCodes is the number of codes of dY that are multiplied with all columns of X
	// before the next ones. They stay in the second level cache.
	gradCodes = 1 << 20
	// gradCopies is the number of copies of columns of X that are made at a time, while
	// the cache lines that they share are in a cache.
	gradCopies = 4
)

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

// gradTiles computes rows lo to hi-1 of a Linear8WeightGrad, or columns with NT.
func (p *primitives) gradTiles(s *scratch, c *Call, lo, hi int) {
	const step = gradCodes / (gradBlocks * block8 * panel8)
	panels, n := rows(&c.In[1]), cols(&c.In[2])
	x := grad8{c: c, y: c.Out[0].F[lo*n:], ldy: n}
	if c.Attr.Trans == NT { // rows are computed in scratch, and then transposed
		x.ldy = min(step, panels) * panel8
		x.y = s.panel((hi - lo) * x.ldy)
	}
	for x.panel = 0; x.panel < panels; x.panel += step {
		x.panels = min(step, panels-x.panel)
		for x.block = 0; x.block < rows(&c.In[2]); x.block += gradBlocks {
			x.blocks = min(gradBlocks, rows(&c.In[2])-x.block)
			x.groups = min(gradBlocks*block8/group8, c.In[1].Shape[1]-x.block*block8/group8)
			p.startGrad(s, &x)
			for i := lo; i < hi; i += gradCopies * tileRows8[0] {
				p.gradColumns(s, &x, i, min(i+gradCopies*tileRows8[0], hi), lo)
			}
		}
		if c.Attr.Trans == NT {
			at := x.panel * panel8
			p.transposed(c.Out[0].F[at*cols(&c.In[0])+lo:], cols(&c.In[0]), x.y, x.ldy, hi-lo, min(x.panels*panel8, n-at))
		} else {
			x.y = x.y[min(len(x.y), step*panel8):]
		}
	}
}

// transposed copies m rows of n elements of x, ldx apart, to the columns of y.
func (p *primitives) transposed(y []float32, ldy int, x []float32, ldx, m, n int) {
	whole := 0
	if n >= 16 {
		whole = m / 16 * 16
	}
	for i := 0; i < whole; i += 16 {
		p.packColumns16(&y[i], wordSize*ldy, &x[i*ldx], wordSize*ldx, n)
	}
	for i := whole; i < m; i++ {
		for j, v := range x[i*ldx : i*ldx+n] {
			y[j*ldy+i] = v
		}
	}
}

// grad8 is the part of a Linear8WeightGrad that some blocks of tokens add to some panels.
type grad8 struct {
	c             *Call
	y             []float32 // the first row, at the first panel; rows are ldy apart
	ldy           int
	block, blocks int
	groups        int // of the blocks
	panel, panels int
	starts        []int32 // of the sums, by block and panel
}

// codes is the codes of panel j of dY, from block b on.
func (x *grad8) codes(b, j int) *int8 {
	z := &x.c.In[1]
	return &z.B[((x.panel+j)*z.Shape[1]+(x.block+b)*block8/group8)*panel8*group8]
}

// depth is the number of groups of block b.
func (x *grad8) depth(b int) int { return min(block8/group8, x.groups-b*block8/group8) }

func (p *primitives) startGrad(s *scratch, x *grad8) {
	x.starts = s.integers(x.blocks * x.panels * panel8)
	for b := range x.blocks {
		for j := range x.panels {
			p.dots.starts(&x.starts[(b*x.panels+j)*panel8], x.codes(b, j), x.depth(b))
		}
	}
}

// gradColumns adds the products of columns lo to hi-1 of X, as many at a time as a tile has
// rows. Column first of X gives the first row of x.y.
func (p *primitives) gradColumns(s *scratch, x *grad8, lo, hi, first int) {
	size := (x.groups + 1) * flippedGroup
	a := s.bytes(gradCopies * size)
	for i := lo; i < hi; i += tileRows8[0] {
		p.copyColumns(s, x, a[(i-lo)/tileRows8[0]*size:], i, min(tileRows8[0], hi-i))
	}
	for i := lo; i < hi; i += tileRows8[0] {
		for j := 0; j < x.panels; j += 2 {
			p.gradTile(x, a[(i-lo)/tileRows8[0]*size:], i-first, min(tileRows8[0], hi-i), j)
		}
	}
}

// copyColumns copies n columns of codes of X to a, from column i on, in groups of four
// rows. Codes beyond the last row are 0.
func (p *primitives) copyColumns(s *scratch, x *grad8, a []uint8, i, n int) {
	q := &x.c.In[0]
	k, from := cols(q), x.block*block8
	count := min(x.groups*group8, rows(q)-from)
	whole := count / group8
	if whole > 0 {
		p.dots.flipColumns(&a[0], &q.B[from*k+i], k, whole, n)
	}
	if left := count % group8; left > 0 {
		s.last = [group8][panel8]int8{}
		for r := range left {
			copy(s.last[r][:n], q.B[(from+whole*group8+r)*k+i:])
		}
		p.dots.flipColumns(&a[whole*flippedGroup], &s.last[0][0], panel8, 1, n)
	}
}

// gradTile computes rows i to i+height-1 of x.y in panels j and j+1, one block after the other,
// so that the chains stay in the first level cache.
func (p *primitives) gradTile(x *grad8, a []uint8, i, height, j int) {
	scales := &x.c.In[2]
	n, stride := cols(scales), x.c.In[1].Shape[1]*panel8*group8
	at := (x.panel + j) * panel8
	width := min(2*panel8, n-at, (x.panels-j)*panel8)
	for b := range x.blocks {
		for r, h := 0, 0; r < height; r += tileRows8[h] {
			for tileRows8[h] > height-r {
				h++
			}
			p.dots.grad[h][(width-1)/panel8](&x.y[(i+r)*x.ldy+j*panel8], wordSize*x.ldy,
				&a[b*block8/group8*flippedGroup+r*group8], group8, flippedGroup, x.codes(b, j), stride, x.depth(b),
				&x.starts[(b*x.panels+j)*panel8], width, &scales.F[(x.block+b)*n+at], x.block+b)
		}
	}
}
