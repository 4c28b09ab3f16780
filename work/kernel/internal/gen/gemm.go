package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// tileRows is the heights of the micro-kernels. The tallest keeps its sums, two vectors of B and an element of
// A in registers. Shorter ones compute the remaining rows, so that no row is padded.
func (m *machine) tileRows() []int {
	if m.wide {
		return []int{12, 8, 4, 2, 1}
	}
	return []int{6, 4, 2, 1}
}

// tile emits a micro-kernel, which computes a tile of C in registers over a range of k. Element (i,k) of A is at
// a+i*rowA+k*colA, row k of B at b+k*rowB. n of the tile's columns are stored. Strides are in bytes.
func (m *machine) tile(rows, vecs int) {
	name := fmt.Sprintf("tile%dx%d", rows, vecs*m.width)
	m.text(name, "(c *float32, ldc int, a *float32, rowA, colA int, b *float32, rowB, k, n, resume int, next *float32, step int)",
		fmt.Sprintf("adds k products to n of %d columns of %d rows of C, from +0 unless resume is not 0. "+
			"It prefetches what begins at next, step bytes for each of k.",
			vecs*m.width, rows))
	// The sums begin at +0, or at C's present elements to resume a chain.
	acc := make([][]VecVirtual, rows)
	for i := range acc {
		for range vecs {
			acc[i] = append(acc[i], m.zero())
		}
	}
	n, c, ldc := arg("n"), arg("c"), arg("ldc")
	m.prefetchTile(rows, 4*m.width*vecs, c, ldc, arg("k"), 64)
	if m.wide {
		m.mask(n)
	}
	resume := arg("resume")
	TESTQ(resume, resume)
	JZ(LabelRef("start"))
	m.eachRow(n, vecs, c, ldc, acc, false)
	Label("start")
	m.products(rows, vecs, acc)
	c = arg("c")
	if !m.wide {
		n = arg("n")
	}
	m.eachRow(n, vecs, c, ldc, acc, true)
	m.end()
}

// prefetchTile prefetches the cache lines of C, rows of some bytes, which are stored after the products. It does so
// only if there are enough steps for the lines to arrive in time.
func (m *machine) prefetchTile(rows, bytes int, c, ldc, steps GPVirtual, enough uint64) {
	p := GP64()
	CMPQ(steps, Imm(enough))
	JLT(LabelRef("near"))
	MOVQ(c, p)
	for range rows {
		for line := 0; line < bytes; line += 64 {
			PREFETCHT0(Mem{Base: p, Disp: line})
		}
		ADDQ(ldc, p)
	}
	Label("near")
}

// products emits the loop over k.
func (m *machine) products(rows, vecs int, acc [][]VecVirtual) {
	rowA, colA, rowB := arg("rowA"), arg("colA"), arg("rowB")
	bases := everyThird(arg("a"), rowA, rows)
	b, k, next, step := arg("b"), arg("k"), arg("next"), arg("step")
	Label("product")
	PREFETCHT1(Mem{Base: next})
	ADDQ(step, next)
	// A row of B stays in registers while each element of a column of A multiplies it.
	row := make([]VecVirtual, vecs)
	for v := range row {
		row[v] = m.vec()
		VMOVUPS(Mem{Base: b, Disp: 4 * m.width * v}, row[v])
	}
	for i := range rows {
		x := m.vec()
		VBROADCASTSS(rowAt(bases, rowA, i), x)
		for v := range row {
			VFMADD231PS(row[v], x, acc[i][v])
		}
	}
	for _, p := range bases {
		ADDQ(colA, p)
	}
	ADDQ(rowB, b)
	DECQ(k)
	JNZ(LabelRef("product"))
}

// everyThird returns pointers to every third of n rows that are stride bytes apart. rowAt addresses all rows by
// them, since an x86 address can add a register times 1 or 2. That saves registers.
func everyThird(first, stride GPVirtual, n int) []GPVirtual {
	bases := []GPVirtual{first}
	for i := 3; i < n; i += 3 {
		p := GP64()
		LEAQ(Mem{Base: bases[len(bases)-1], Index: stride, Scale: 2}, p)
		ADDQ(stride, p)
		bases = append(bases, p)
	}
	return bases
}

// rowAt is the address of row i, by the pointers of everyThird.
func rowAt(bases []GPVirtual, stride GPVirtual, i int) Mem {
	at := Mem{Base: bases[i/3]}
	if i%3 > 0 {
		at.Index, at.Scale = stride, uint8(i%3)
	}
	return at
}

// eachRow loads or stores the tile, row after row. c then points behind the last row.
func (m *machine) eachRow(n GPVirtual, vecs int, c, ldc GPVirtual, acc [][]VecVirtual, store bool) {
	kind := "load"
	if store {
		kind = "store"
	}
	// AVX2: whole rows need no mask, whose instructions are slower.
	if !m.wide {
		CMPQ(n, U32(uint32(vecs*m.width)))
		JL(LabelRef(kind + "Part"))
		for i := range acc {
			for v, x := range acc[i] {
				at := Mem{Base: c, Disp: 4 * m.width * v}
				if store {
					VMOVUPS(x, at)
				} else {
					VMOVUPS(at, x)
				}
			}
			ADDQ(ldc, c)
		}
		JMP(LabelRef(kind + "Done"))
		Label(kind + "Part")
		m.mask(n)
	}
	// Rows with a mask.
	masks := make([]VecVirtual, vecs)
	for v := range masks {
		if !m.wide {
			masks[v] = m.maskVec(v)
		}
	}
	for i := range acc {
		for v, x := range acc[i] {
			at := Mem{Base: c, Disp: 4 * m.width * v}
			switch {
			case m.wide && store:
				VMOVUPS(x, m.tail[v], at)
			case m.wide:
				VMOVUPS_Z(at, m.tail[v], x)
			case store:
				VMASKMOVPS(x, masks[v], at)
			default:
				VMASKMOVPS(at, masks[v], x)
			}
		}
		ADDQ(ldc, c)
	}
	Label(kind + "Done")
}

// fmas emits the arithmetic of the tallest tile without its loads, to measure the peak speed.
func (m *machine) fmas() {
	m.alone("fmas", 2*m.tileRows()[0], "fma of %d elements", m.width, func(x, acc VecVirtual) { VFMADD231PS(x, x, acc) })
}

// alone emits a loop of independent operations on sums, on registers alone. what says what one operation does, with
// its number of elements.
func (m *machine) alone(name string, sums int, what string, elements int, op func(x, acc VecVirtual)) {
	const each = 4 // operations for each sum in a round, so that the loop itself costs little
	m.text(name, "(rounds int)",
		fmt.Sprintf("does %d "+what+" a round, on registers alone.", each*sums, elements))
	rounds, x := arg("rounds"), m.zero()
	var acc []VecVirtual
	for range sums {
		acc = append(acc, m.zero())
	}
	Label("round")
	for range each {
		for _, a := range acc {
			op(x, a)
		}
	}
	DECQ(rounds)
	JNZ(LabelRef("round"))
	m.end()
}

// packRows emits the copy of n columns of k rows of B to a panel, whose rows are adjacent.
func (m *machine) packRows() {
	m.text("packRows", "(dst, b *float32, rowB, k, n int)",
		fmt.Sprintf("copies n of %d columns of k rows, rowB bytes apart, to adjacent rows; the rest is +0.", 2*m.width))
	dst, b, rowB, k, n := arg("dst"), arg("b"), arg("rowB"), arg("k"), arg("n")
	m.mask(n)
	masks := make([]VecVirtual, 2)
	for v := range masks {
		if !m.wide {
			masks[v] = m.maskVec(v)
		}
	}
	// A row of B. The columns that are missing become +0.
	Label("row")
	for v := range masks {
		x, at := m.vec(), Mem{Base: b, Disp: 4 * m.width * v}
		if m.wide {
			VMOVUPS_Z(at, m.tail[v], x)
		} else {
			VMASKMOVPS(at, masks[v], x)
		}
		VMOVUPS(x, Mem{Base: dst, Disp: 4 * m.width * v})
	}
	// Prefetch the next panel, which is packed after this one was used.
	for line := 0; line < 8*m.width; line += 64 {
		PREFETCHT1(Mem{Base: b, Disp: 8*m.width + line})
	}
	ADDQ(rowB, b)
	ADDQ(U32(uint32(8*m.width)), dst)
	DECQ(k)
	JNZ(LabelRef("row"))
	m.end()
}

// packColumns emits the transposition of 8 rows of k elements, 8 by 8. If k is not a multiple of 8, the last
// step overlaps the one before. So k must be at least 8.
func (m *machine) packColumns() {
	m.text("packColumns", "(dst *float32, ld int, src *float32, rowSrc, rows, k int)",
		"transposes up to 8 rows of k >= 8 elements, rowSrc bytes apart, to 8 columns of rows ld bytes apart; "+
			"the last row is repeated.")
	dst, ld, rowSrc, k := arg("dst"), arg("ld"), arg("rowSrc"), arg("k")
	// Pointers to the rows. A row that is missing is the last one again.
	rows := arg("rows")
	p := []GPVirtual{arg("src")}
	for i := 1; i < 8; i++ {
		q := GP64()
		MOVQ(p[i-1], q)
		ADDQ(rowSrc, q)
		CMPQ(rows, Imm(uint64(i)))
		CMOVQLE(p[i-1], q)
		p = append(p, q)
	}
	// Eight columns at a time. The next step goes on by 8, or to the last 8 columns.
	Label("block")
	m.transpose8(p, dst, ld)
	SUBQ(Imm(8), k)
	JZ(LabelRef("done"))
	step := GP64()
	MOVQ(U32(8), step)
	CMPQ(k, step)
	CMOVQLT(k, step)
	CMPQ(k, Imm(8))
	JGE(LabelRef("whole"))
	MOVQ(U32(8), k)
	Label("whole")
	for _, q := range p {
		LEAQ(Mem{Base: q, Index: step, Scale: 4}, q)
	}
	IMULQ(ld, step)
	ADDQ(step, dst)
	JMP(LabelRef("block"))
	Label("done")
	m.end()
}

// transpose8 emits the transposition of the 8 by 8 block at the rows p, to rows at dst.
func (m *machine) transpose8(p []GPVirtual, dst, ld GPVirtual) {
	var r, s [8]VecVirtual
	for i := range r {
		r[i], s[i] = YMM(), nil
		VMOVUPS(Mem{Base: p[i]}, r[i])
	}
	// Interleave pairs of rows, then pairs of pairs, then exchange the halves of registers.
	for i := 0; i < 8; i += 2 {
		s[i], s[i+1] = YMM(), YMM()
		VUNPCKLPS(r[i+1], r[i], s[i])
		VUNPCKHPS(r[i+1], r[i], s[i+1])
	}
	for i := 0; i < 8; i += 4 {
		for j := range 2 {
			r[i+2*j], r[i+2*j+1] = YMM(), YMM()
			VSHUFPS(Imm(0x44), s[i+j+2], s[i+j], r[i+2*j])
			VSHUFPS(Imm(0xee), s[i+j+2], s[i+j], r[i+2*j+1])
		}
	}
	at := GP64()
	MOVQ(dst, at)
	for half := range 2 {
		for i := range 4 {
			y := YMM()
			VPERM2F128(Imm(uint64(0x20+0x11*half)), r[i+4], r[i], y)
			VMOVUPS(y, Mem{Base: at})
			ADDQ(ld, at)
		}
	}
}

// packColumns16 emits packColumns for 16 rows at once, 16 by 16. k must be at least 16.
func (m *machine) packColumns16() {
	m.text("packColumns16", "(dst *float32, ld int, src *float32, rowSrc, k int)",
		"transposes 16 rows of k >= 16 elements, rowSrc bytes apart, to 16 columns of rows ld bytes apart.")
	dst, ld, rowSrc, k := arg("dst"), arg("ld"), arg("rowSrc"), arg("k")
	bases := everyThird(arg("src"), rowSrc, 16)
	// Sixteen columns at a time, four of them in registers.
	Label("block")
	at := GP64()
	MOVQ(dst, at)
	for column := 0; column < 16; column += 4 {
		c := m.transpose4(bases, rowSrc, 0, column)
		for i := 0; i < 4; i += 2 {
			VMOVUPS(c[i], Mem{Base: at})
			VMOVUPS(c[i+1], Mem{Base: at, Index: ld, Scale: 1})
			LEAQ(Mem{Base: at, Index: ld, Scale: 2}, at)
		}
	}
	// The next step goes on by 16, or to the last 16 columns.
	SUBQ(Imm(16), k)
	JZ(LabelRef("done"))
	step := GP64()
	MOVQ(U32(16), step)
	CMPQ(k, step)
	CMOVQLT(k, step)
	CMPQ(k, Imm(16))
	JGE(LabelRef("whole"))
	MOVQ(U32(16), k)
	Label("whole")
	for _, q := range bases {
		LEAQ(Mem{Base: q, Index: step, Scale: 4}, q)
	}
	IMULQ(ld, step)
	ADDQ(step, dst)
	JMP(LabelRef("block"))
	Label("done")
	m.end()
}
