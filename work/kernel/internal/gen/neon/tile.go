package main

import (
	"fmt"
	"strings"
)

// list is n registers from v, in the form for a load or store of several.
func list(v vec, n int) string {
	var s []string
	for i := range vec(n) {
		s = append(s, (v + i).s4())
	}
	return "[" + strings.Join(s, ", ") + "]"
}

// bytes16 is list for registers of 16 bytes.
func bytes16(v vec, n int) string { return strings.ReplaceAll(list(v, n), ".S4", ".B16") }

// tile emits a micro-kernel, which computes a tile of C in registers over a range of k. The 24 sums of 6 rows,
// four vectors of B and four elements of A fill the registers. Element (i,k) of A is at a+i*rowA+k*colA, row k of
// B at b+k*rowB. n of the tile's columns are stored. Strides are in bytes.
func (m *machine) tile(rows, width int) {
	cols := 4 * width
	m.function(fmt.Sprintf("tile%dx%d", rows, cols),
		"(c *float32, ldc int, a *float32, rowA, colA int, b *float32, rowB, k, n, resume int, next *float32, step int)",
		fmt.Sprintf("adds k products to n of %d columns of %d rows of C, from +0 unless resume is not 0. The rest of the arguments is not used.", cols, rows),
		vectorSize*width)
	// The sums begin at +0, or at C's present elements to resume a chain.
	c, ldc, n, resume := m.arg("c"), m.arg("ldc"), m.arg("n"), m.arg("resume")
	for i := range vec(rows * width) {
		m.zero(i)
	}
	m.emit("CBZ %v, start", resume)
	m.tileRows(rows, width, n, c, ldc, false)
	m.label("start")
	m.products(rows, width)
	m.emit("MOVD c+%d(FP), %v", m.offset["c"], c)
	m.tileRows(rows, width, n, c, ldc, true)
	m.end()
}

// products emits the loop over k.
func (m *machine) products(rows, width int) {
	free := m.next
	rowA, colA, b, rowB, k := m.arg("rowA"), m.arg("colA"), m.arg("b"), m.arg("rowB"), m.arg("k")
	a := []gp{m.arg("a")}
	for i := 1; i < rows; i++ {
		a = append(a, m.reg())
		m.emit("ADD %v, %v, %v", rowA, a[i-1], a[i])
	}
	// A row of B stays in four registers while each element of a column of A multiplies it.
	const panel, element = vec(24), vec(28)
	m.label("product")
	m.emit("VLD1.P (%v)(%v), %s", b, rowB, list(panel, width))
	for i := range rows {
		x := element + vec(i%4)
		m.emit("VLD1R.P (%v)(%v), [%s]", a[i], colA, x.s4())
		for v := range width {
			m.fma(panel+vec(v), x, vec(i*width+v))
		}
	}
	m.emit("SUB $1, %v", k)
	m.emit("CBNZ %v, product", k)
	m.next = free
}

// tileRows loads or stores the tile, row after row. c then points behind the last row. A row with fewer columns
// is copied through the frame, because NEON has no masks.
func (m *machine) tileRows(rows, width int, n, c, ldc gp, store bool) {
	free := m.next
	part, done := m.name("part"), m.name("done")
	m.emit("CMP $%d, %v", 4*width, n)
	m.emit("BLT %s", part)
	for i := range rows {
		m.rowOf(vec(i*width), width, c, ldc, store)
	}
	m.emit("B %s", done)
	m.label(part)
	// Fewer columns: word by word to or from the frame, whole vectors between frame and registers.
	frame := m.reg()
	m.emit("MOVD $row-%d(SP), %v", vectorSize*width, frame)
	for i := range rows {
		regs := list(vec(i*width), width)
		if store {
			m.emit("VST1 %s, (%v)", regs, frame)
			m.words(n, frame, c)
		} else {
			m.words(n, c, frame)
			m.emit("VLD1 (%v), %s", frame, regs)
		}
		m.emit("ADD %v, %v", ldc, c)
	}
	m.label(done)
	m.next = free
}

// rowOf loads or stores a row of all columns.
func (m *machine) rowOf(v vec, width int, c, ldc gp, store bool) {
	if store {
		m.emit("VST1.P %s, (%v)(%v)", list(v, width), c, ldc)
	} else {
		m.emit("VLD1.P (%v)(%v), %s", c, ldc, list(v, width))
	}
}

// words copies n elements from src to dst. The registers keep their values.
func (m *machine) words(n, src, dst gp) {
	free, loop := m.next, m.name("word")
	s, d, left, x := m.reg(), m.reg(), m.reg(), m.reg()
	m.emit("MOVD %v, %v", src, s)
	m.emit("MOVD %v, %v", dst, d)
	m.emit("MOVD %v, %v", n, left)
	m.label(loop)
	m.emit("MOVWU.P 4(%v), %v", s, x)
	m.emit("MOVW.P %v, 4(%v)", x, d)
	m.emit("SUB $1, %v", left)
	m.emit("CBNZ %v, %s", left, loop)
	m.next = free
}

// fmas emits the arithmetic of the tallest tile without its loads, to measure the peak speed.
func (m *machine) fmas() {
	m.function("fmas", "(rounds int)", "does 24 fma of 4 elements a round, on registers alone.", 0)
	rounds := m.arg("rounds")
	for i := range vec(25) {
		m.zero(i)
	}
	m.label("round")
	for i := range vec(24) {
		m.fma(24, 24, i)
	}
	m.emit("SUB $1, %v", rounds)
	m.emit("CBNZ %v, round", rounds)
	m.end()
}

// packRows emits the copy of n columns of k rows of B to a panel, whose rows are adjacent.
func (m *machine) packRows() {
	const width = 4
	m.function("packRows", "(dst, b *float32, rowB, k, n int)",
		"copies n of 16 columns of k rows, rowB bytes apart, to adjacent rows; the rest is +0.", 0)
	dst, b, rowB, k, n := m.arg("dst"), m.arg("b"), m.arg("rowB"), m.arg("k"), m.arg("n")
	m.emit("CMP $16, %v", n)
	m.emit("BLT part")
	m.label("row")
	m.emit("VLD1.P (%v)(%v), %s", b, rowB, list(0, width))
	m.emit("VST1.P %s, %d(%v)", list(0, width), vectorSize*width, dst)
	m.emit("SUB $1, %v", k)
	m.emit("CBNZ %v, row", k)
	m.end()
	// Fewer columns: zeros first, then the columns over them.
	m.label("part")
	for i := range vec(width) {
		m.zero(i)
	}
	m.label("partRow")
	m.emit("VST1 %s, (%v)", list(0, width), dst)
	m.words(n, b, dst)
	m.emit("ADD %v, %v", rowB, b)
	m.emit("ADD $%d, %v", vectorSize*width, dst)
	m.emit("SUB $1, %v", k)
	m.emit("CBNZ %v, partRow", k)
	m.end()
}

// packColumns emits the transposition of 8 rows of k elements, 4 columns at a time. If k is not a multiple of 4,
// the last step overlaps the one before. So k must be at least 4.
func (m *machine) packColumns() {
	m.function("packColumns", "(dst *float32, ld int, src *float32, rowSrc, rows, k int)",
		"transposes up to 8 rows of k >= 8 elements, rowSrc bytes apart, to 8 columns of rows ld bytes apart; "+
			"the last row is repeated.", 0)
	// Pointers to the rows. A row that is missing is the last one again.
	dst, ld, rowSrc, rows, k := m.arg("dst"), m.arg("ld"), m.arg("rowSrc"), m.arg("rows"), m.arg("k")
	p := []gp{m.arg("src")}
	for i := 1; i < 8; i++ {
		q := m.reg()
		m.emit("ADD %v, %v, %v", rowSrc, p[i-1], q)
		m.emit("CMP $%d, %v", i, rows)
		m.emit("CSEL GT, %v, %v, %v", q, p[i-1], q)
		p = append(p, q)
	}
	step, at := m.reg(), m.reg()
	m.label("block")
	for i, q := range p {
		m.emit("VLD1 (%v), %s", q, list(vec(i), 1))
	}
	// The columns of rows 0 to 3 go to the even registers from 16 on, those of rows 4 to 7 to
	// the odd ones.
	for half := range vec(2) {
		r, t := 4*half, 8+4*half
		m.op3("TRN1", r, r+1, t)
		m.op3("TRN2", r, r+1, t+1)
		m.op3("TRN1", r+2, r+3, t+2)
		m.op3("TRN2", r+2, r+3, t+3)
		m.op3("TRN1 .2D", t, t+2, 16+half)
		m.op3("TRN1 .2D", t+1, t+3, 18+half)
		m.op3("TRN2 .2D", t, t+2, 20+half)
		m.op3("TRN2 .2D", t+1, t+3, 22+half)
	}
	m.emit("MOVD %v, %v", dst, at)
	for i := range vec(4) {
		m.emit("VST1.P %s, (%v)(%v)", list(16+2*i, 2), at, ld)
	}
	// The next step goes on by 4, or to the last 4 columns.
	m.emit("SUB $4, %v", k)
	m.emit("CBZ %v, packed", k)
	m.emit("MOVD $4, %v", step)
	m.emit("CMP $4, %v", k)
	m.emit("CSEL LT, %v, %v, %v", k, step, step)
	m.emit("MOVD $4, %v", at)
	m.emit("CSEL LT, %v, %v, %v", at, k, k)
	for _, q := range p {
		m.emit("ADD %v<<2, %v", step, q)
	}
	m.emit("MUL %v, %v, %v", ld, step, step)
	m.emit("ADD %v, %v", step, dst)
	m.emit("B block")
	m.label("packed")
	m.end()
}
