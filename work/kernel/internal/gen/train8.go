package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Products of 8-bit codes of many rows, for AVX-512 with VNNI: tiles as in gemm.go, with four codes in the place
// of a binary32 number. The instruction multiplies unsigned by signed bytes, so the codes of A come with their
// sign bits flipped, which adds 128 to each. The sums begin at -128 times the sums of the columns of W.

// dotRows is the heights of the tiles.
var dotRows = []int{12, 4, 1}

// dotTile is the state of a tile: its size, and its sums.
type dotTile struct {
	rows, vecs int
	acc        [][]VecVirtual // by row and panel
}

const dotParams = "(y *float32, ldy int, a *uint8, rowA, colA int, w *int8, stride, groups int, start *int32, n int, "

// linear8Tile emits a tile of kernel.Linear8 of many rows.
func (m *machine) linear8Tile(rows, vecs int) {
	m.text(fmt.Sprintf("linear8Tile%dx%d", rows, vecs*panel8), dotParams+"sx, sw, b *float32)",
		fmt.Sprintf("is kernel.Linear8 of %d rows and n of %d columns, whose panels are stride bytes apart. Group g of "+
			"row i of the flipped codes is at a+i*rowA+g*colA. start is -128 times the sums of the columns of w.",
			rows, vecs*panel8))
	t := m.dots(rows, vecs)
	m.mask(arg("n"))
	y, ldy, sx, sw, b := arg("y"), arg("ldy"), arg("sx"), arg("sw"), arg("b")
	scale, bias := make([]VecVirtual, vecs), make([]VecVirtual, vecs)
	for v := range vecs {
		scale[v], bias[v] = ZMM(), ZMM()
		VMOVUPS_Z(Mem{Base: sw, Disp: 64 * v}, m.tail[v], scale[v])
		VMOVUPS_Z(Mem{Base: b, Disp: 64 * v}, m.tail[v], bias[v])
	}
	for i := range rows {
		x, z := ZMM(), ZMM()
		VBROADCASTSS(Mem{Base: sx, Disp: 4 * i}, x)
		for v, a := range t.acc[i] {
			VMULPS(scale[v], x, z)
			VCVTDQ2PS(a, a)
			VMULPS(z, a, a)
			VADDPS(bias[v], a, a)
			VMOVUPS(a, m.tail[v], Mem{Base: y, Disp: 64 * v})
		}
		ADDQ(ldy, y)
	}
	m.end()
}

// gradTile emits a tile of one block of kernel.Linear8WeightGrad.
func (m *machine) gradTile(rows, vecs int) {
	m.text(fmt.Sprintf("gradTile%dx%d", rows, vecs*panel8), dotParams+"scales *float32, resume int)",
		fmt.Sprintf("is a block of kernel.Linear8WeightGrad of %d rows and n of %d columns, laid out as for linear8Tile. "+
			"Chains begin at +0 unless resume is not 0.", rows, vecs*panel8))
	t := m.dots(rows, vecs)
	m.mask(arg("n"))
	y, ldy, scales, resume := arg("y"), arg("ldy"), arg("scales"), arg("resume")
	scale := make([]VecVirtual, vecs)
	for v := range vecs {
		scale[v] = ZMM()
		VMOVUPS_Z(Mem{Base: scales, Disp: 64 * v}, m.tail[v], scale[v])
	}
	// Masks without elements load the +0 at which chains begin.
	from := make([]Op, vecs)
	for v := range from {
		k := K()
		KXORW(k, k, k)
		from[v] = k
	}
	TESTQ(resume, resume)
	JZ(LabelRef("finish"))
	for v := range from {
		KMOVW(m.tail[v], from[v])
	}
	Label("finish")
	for i := range rows {
		for v, a := range t.acc[i] {
			c := ZMM()
			VMOVUPS_Z(Mem{Base: y, Disp: 64 * v}, from[v], c)
			VCVTDQ2PS(a, a)
			VFMADD231PS(scale[v], a, c)
			VMOVUPS(c, m.tail[v], Mem{Base: y, Disp: 64 * v})
		}
		ADDQ(ldy, y)
	}
	m.end()
}

// dots emits the sums of a tile.
func (m *machine) dots(rows, vecs int) dotTile {
	t := dotTile{rows: rows, vecs: vecs, acc: make([][]VecVirtual, rows)}
	start := arg("start")
	for i := range rows {
		for v := range vecs {
			a := ZMM()
			if i == 0 {
				VMOVDQU32(Mem{Base: start, Disp: 64 * v}, a)
			} else {
				VMOVDQA64(t.acc[0][v], a)
			}
			t.acc[i] = append(t.acc[i], a)
		}
	}
	rowA, colA := arg("rowA"), arg("colA")
	bases := everyThird(arg("a"), rowA, rows)
	w, stride, groups := arg("w"), arg("stride"), arg("groups")
	Label("product")
	panel := make([]VecVirtual, vecs)
	for v := range panel {
		panel[v] = ZMM()
		at := Mem{Base: w}
		if v > 0 {
			at.Index, at.Scale = stride, 1
		}
		VMOVDQU32(at, panel[v])
	}
	for i := range rows {
		x := ZMM()
		VPBROADCASTD(rowAt(bases, rowA, i), x)
		for v := range panel {
			dot(panel[v], x, t.acc[i][v])
		}
	}
	for _, p := range bases {
		ADDQ(colA, p)
	}
	ADDQ(Imm(groupBytes8), w)
	DECQ(groups)
	JNZ(LabelRef("product"))
	return t
}

// dotStarts emits the starts of the sums: -128 times the sums of columns.
func (m *machine) dotStarts() {
	m.text("dotStarts", "(start *int32, w *int8, groups int)",
		"sets start to -128 times the sums of the 16 columns of a panel.")
	start, w, groups := arg("start"), arg("w"), arg("groups")
	bits, flipped, sum := GP32(), ZMM(), m.zero()
	MOVL(U32(0x80808080), bits)
	VPBROADCASTD(bits, flipped)
	Label("group")
	x := ZMM()
	VMOVDQU32(Mem{Base: w}, x)
	dot(x, flipped, sum)
	ADDQ(Imm(groupBytes8), w)
	DECQ(groups)
	JNZ(LabelRef("group"))
	zero := m.zero()
	VPSUBD(sum, zero, sum)
	VMOVDQU32(sum, Mem{Base: start})
	m.end()
}

// flipCodes emits the copy of codes with their sign bits flipped.
func (m *machine) flipCodes() {
	m.text("flipCodes", "(dst *uint8, q *int8, n int)", "sets dst to n codes with their sign bits flipped.")
	dst, q, n := arg("dst"), arg("q"), arg("n")
	bits, signs := GP32(), ZMM()
	MOVL(U32(0x80808080), bits)
	VPBROADCASTD(bits, signs)
	Label("block")
	CMPQ(n, Imm(64))
	JL(LabelRef("tail"))
	x := ZMM()
	VPXORD(Mem{Base: q}, signs, x)
	VMOVDQU32(x, Mem{Base: dst})
	ADDQ(Imm(64), q)
	ADDQ(Imm(64), dst)
	SUBQ(Imm(64), n)
	JMP(LabelRef("block"))
	Label("tail")
	ones, mask := GP64(), K()
	MOVQ(I64(-1), ones)
	BZHIQ(n, ones, ones)
	KMOVQ(ones, mask)
	VMOVDQU8_Z(Mem{Base: q}, mask, x)
	VPXORD(x, signs, x)
	VMOVDQU8(x, mask, Mem{Base: dst})
	m.end()
}

// flipColumns emits the copy of columns of codes, four rows at a time, for gradTile.
func (m *machine) flipColumns() {
	m.text("flipColumns", "(dst *uint8, q *int8, ldq, groups, n int)",
		"sets dst to the flipped codes of n of 16 columns of groups of four rows, ldq bytes apart: "+
			"four adjacent codes for each column, and 48 bytes for each group. It writes 64 bytes for the last one.")
	dst, q, ldq, groups, n := arg("dst"), arg("q"), arg("ldq"), arg("groups"), arg("n")
	bits, signs := GP32(), ZMM()
	MOVL(U32(0x80808080), bits)
	VPBROADCASTD(bits, signs)
	m.mask(n)
	Label("group")
	bases := everyThird(q, ldq, 4)
	var x [4]VecVirtual
	for i := range x {
		x[i] = ZMM()
		VPMOVZXBD_Z(rowAt(bases, ldq, i), m.tail[0], x[i])
		if i > 0 {
			VPSLLD(Imm(uint64(8*i)), x[i], x[i])
		}
	}
	VPORD(x[1], x[0], x[0])
	VPTERNLOGD(Imm(0xfe), x[3], x[2], x[0]) // or of three
	VPXORD(x[0], signs, x[0])
	VMOVDQU32(x[0], Mem{Base: dst})
	LEAQ(Mem{Base: q, Index: ldq, Scale: 4}, q)
	ADDQ(Imm(48), dst)
	DECQ(groups)
	JNZ(LabelRef("group"))
	m.end()
}

// quantizePanel emits the codes and scales of 16 columns.
func (m *machine) quantizePanel() {
	m.text("quantizePanel", "(q *int8, scales, x *float32, ldx int, f *float32, stepF, rows, n int)",
		"quantises n of 16 columns of rows of x times f, whose elements are stepF bytes apart. "+
			"It stores the codes of whole groups of four rows, and all 16 scales.")
	x, ldx, f, stepF, rows := arg("x"), arg("ldx"), arg("f"), arg("stepF"), arg("rows")
	m.mask(arg("n"))
	mask := m.tail[0]
	abs := m.constant(cAbs)
	// The largest magnitude, as bits, which are in the sequence of magnitudes.
	top, v := m.zero(), ZMM()
	left, at, factor := GP64(), GP64(), GP64()
	MOVQ(rows, left)
	MOVQ(x, at)
	MOVQ(f, factor)
	Label("top")
	VMOVUPS_Z(Mem{Base: at}, mask, v)
	VMULPS_BCST(Mem{Base: factor}, v, v)
	VPANDD(abs, v, v)
	VPMAXUD(v, top, top)
	ADDQ(ldx, at)
	ADDQ(stepF, factor)
	DECQ(left)
	JNZ(LabelRef("top"))
	// The scale and its inverse. Where the inverse is not a normal number, it is 0, and the scale is 0 up to 1 and
	// the largest magnitude above, which is infinite or NaN then.
	one := m.constant(cOne)
	scale, inv, not, small := ZMM(), ZMM(), K(), K()
	VDIVPS(m.c(c127), top, scale)
	VDIVPS(scale, one, inv)
	VFPCLASSPSZ(Imm(0xbf), inv, not)
	VCMPPS(Imm(2), one, top, not, small) // less or equal, where it is not normal
	VMOVAPS(top, not, scale)
	VPXORD(scale, scale, small, scale)
	VPXORD(inv, inv, not, inv)
	VMOVUPS(scale, Mem{Base: arg("scales")})
	// The codes of four rows, one in each byte of an element.
	q := arg("q")
	SHRQ(Imm(2), rows)
	JZ(LabelRef("done"))
	low, half := GP32(), GP32()
	bytes, words := ZMM(), ZMM()
	MOVL(U32(0xff), low)
	VPBROADCASTD(low, bytes)
	MOVL(U32(0xffff), half)
	VPBROADCASTD(half, words)
	Label("group")
	var c [4]VecVirtual
	for i := range c {
		c[i] = ZMM()
		VMOVUPS_Z(Mem{Base: x}, mask, c[i])
		VMULPS_BCST(Mem{Base: f}, c[i], c[i])
		VMULPS(inv, c[i], c[i])
		VCVTPS2DQ(c[i], c[i])
		ADDQ(ldx, x)
		ADDQ(stepF, f)
	}
	// merge sets a to its own bits under the mask, and b's bits elsewhere.
	merge := func(b, mask, a VecVirtual) { VPTERNLOGD(Imm(0xe4), mask, b, a) }
	for i := 0; i < 4; i += 2 {
		VPSLLD(Imm(8), c[i+1], c[i+1])
		merge(c[i+1], bytes, c[i])
	}
	VPSLLD(Imm(16), c[2], c[2])
	merge(c[2], words, c[0])
	VMOVDQU32(c[0], Mem{Base: q})
	ADDQ(Imm(groupBytes8), q)
	DECQ(rows)
	JNZ(LabelRef("group"))
	Label("done")
	m.end()
}

// scaledRows emits kernel.QuantizeScaledRows for AVX2 in two steps: the largest magnitude of a row, and its codes.
func (m *machine) scaledRows() {
	m.text("absMaxScaled", "(x, f *float32, n int) float32", "is the largest magnitude of x*f, a NaN if there is one.")
	x, f, n := arg("x"), arg("f"), arg("n")
	acc := m.accumulators(m.zero)
	m.blocks("block", n, func() {
		for i := range acc {
			v := m.load(x, i)
			VMULPS(m.load(f, i), v, v)
			m.and(m.c(cAbs), v, v)
			m.accumulate(acc, i, largestBits, v)
		}
	})
	Store(m.fold(acc, largestBits).AsX(), ReturnIndex(0))
	m.end()

	m.text("quantizeScaled", "(q *int8, x, f *float32, inv float32, n int)",
		"sets q = (x*f)*inv, rounded to even; n is a multiple of 32. No product is above 127 before it is rounded to 127.")
	q, x, f := arg("q"), arg("x"), arg("f")
	inv := m.spread("inv")
	m.wholeBlocks(func(index GPVirtual) {
		v := make([]VecVirtual, m.vecs)
		for i := range v {
			v[i] = m.vec()
			VMOVUPS(m.floatsAt(x, index, i), v[i])
			VMULPS(m.floatsAt(f, index, i), v[i], v[i])
			VMULPS(inv, v[i], v[i])
			VCVTPS2DQ(v[i], v[i])
		}
		m.packBytes(v)
		VMOVDQU(v[0], Mem{Base: q, Index: index, Scale: 1})
	})
}

// codeRows emits kernel.QuantizeRows, or kernel.QuantizeScaledRows, of whole rows.
func (m *machine) codeRows(name string, scaled bool) {
	if scaled {
		m.text(name, "(q *int8, scales, x, f *float32, k, rows int)", "quantises rows of k elements, times f.")
	} else {
		m.text(name, "(q *int8, scales, x *float32, k, rows int)", "quantises rows of k elements.")
	}
	q, scales, x, k, rows := arg("q"), arg("scales"), arg("x"), arg("k"), arg("rows")
	load := m.load
	if scaled {
		f := arg("f")
		load = func(p GPVirtual, i int) VecVirtual {
			v := m.load(p, i)
			VMULPS(m.load(f, i), v, v)
			return v
		}
	}
	abs, most, one := m.constant(cAbs), m.constant(c127), m.constant(cOne)
	Label("row")
	acc := m.accumulators(m.zero)
	m.blocks("top", k, func() {
		for i := range acc {
			v := load(x, i)
			VPANDD(abs, v, v)
			VPMAXUD(v, acc[i], acc[i]) // masked elements are +0
		}
	})
	// As in quantizePanel.
	top := m.fold(acc, largestBits).AsX()
	scale, inv, not, small := XMM(), XMM(), K(), K()
	VDIVSS(most.AsX(), top, scale)
	VDIVSS(scale, one.AsX(), inv)
	VFPCLASSSS(Imm(0xbf), inv, not)
	VCMPSS(Imm(2), one.AsX(), top, not, small)
	VMOVSS(top, top, not, scale)
	VPXORD(scale, scale, small, scale)
	VPXORD(inv, inv, not, inv)
	VMOVSS(scale, Mem{Base: scales})
	inverse := ZMM()
	VBROADCASTSS(inv, inverse)
	m.blocks("code", k, func() {
		for i := range m.vecs {
			v := load(x, i)
			VMULPS(inverse, v, v)
			VCVTPS2DQ(v, v)
			to, index := Mem{Base: q}, GP64()
			MOVQ(m.index, index)
			SHRQ(Imm(2), index)
			to.Index, to.Scale, to.Disp = index, 1, m.width*i
			if m.masked {
				VPMOVDB(v, m.tail[i], to)
			} else {
				VPMOVDB(v, to)
			}
		}
	})
	ADDQ(k, q)
	LEAQ(Mem{Base: x, Index: k, Scale: 4}, x)
	ADDQ(Imm(4), scales)
	DECQ(rows)
	JNZ(LabelRef("row"))
	m.end()
}

// turnCodes emits the transposition of blocks of 16 by 16 codes.
func (m *machine) turnCodes() {
	m.text("turnCodes", "(dst *int8, stride int, src *int8, blocks int)",
		"transposes blocks of 16 by 16 codes, adjacent in src and stride bytes apart in dst.")
	dst, stride, src, blocks := arg("dst"), arg("stride"), arg("src"), arg("blocks")
	// Four by four codes in each quarter of a register.
	order := GLOBL("turnOrder"+m.suffix, RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, U32([4]uint32{0x0c080400, 0x0d090501, 0x0e0a0602, 0x0f0b0703}[i%4]))
	}
	bytes := ZMM()
	VMOVDQU32(order, bytes)
	Label("block")
	var r, s [4]VecVirtual
	for i := range r {
		r[i], s[i] = ZMM(), ZMM()
		VMOVDQU32(Mem{Base: src, Disp: 64 * i}, r[i])
		VPSHUFB(bytes, r[i], r[i])
	}
	// Then the quarters.
	for i := range 2 {
		VSHUFI32X4(Imm(0x44), r[2*i+1], r[2*i], s[2*i])
		VSHUFI32X4(Imm(0xee), r[2*i+1], r[2*i], s[2*i+1])
	}
	for i := range r {
		VSHUFI32X4(Imm(uint64(0x88+0x55*(i%2))), s[i/2+2], s[i/2], r[i])
		VMOVDQU32(r[i], Mem{Base: dst, Disp: 64 * i})
	}
	ADDQ(U32(256), src)
	ADDQ(stride, dst)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	m.end()
}
