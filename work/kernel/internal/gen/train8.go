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

const dotParams = "(y *float32, ldy int, a *uint8, rowA, colA int, w *int8, stride, groups int, start *int32, n int, "

// linear8Tile emits a tile of kernel.Linear8 of many rows.
func (m *machine) linear8Tile(rows, vecs int) {
	m.text(fmt.Sprintf("linear8Tile%dx%d", rows, vecs*panel8), dotParams+"sx, sw, b *float32)",
		fmt.Sprintf("is kernel.Linear8 of %d rows and n of %d columns, whose panels are stride bytes apart. Group g of "+
			"row i of the flipped codes is at a+i*rowA+g*colA. start is -128 times the sums of the columns of w.",
			rows, vecs*panel8))
	acc := m.dots(rows, vecs)
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
		for v, a := range acc[i] {
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
	acc := m.dots(rows, vecs)
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
		for v, a := range acc[i] {
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

// dots emits the sums of a tile, by row and panel.
func (m *machine) dots(rows, vecs int) [][]VecVirtual {
	acc := make([][]VecVirtual, rows)
	start := arg("start")
	for i := range rows {
		for v := range vecs {
			a := ZMM()
			if i == 0 {
				VMOVDQU32(Mem{Base: start, Disp: 64 * v}, a)
			} else {
				VMOVDQA64(acc[0][v], a)
			}
			acc[i] = append(acc[i], a)
		}
	}
	m.prefetchTile(rows, 4*panel8*vecs, arg("y"), arg("ldy"), arg("groups"), 16)
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
			dot(panel[v], x, acc[i][v])
		}
	}
	for _, p := range bases {
		ADDQ(colA, p)
	}
	ADDQ(Imm(groupBytes8), w)
	DECQ(groups)
	JNZ(LabelRef("product"))
	return acc
}

// dotsAlone emits fmas for codes.
func (m *machine) dotsAlone() {
	m.alone("dotsAlone", 2*dotRows[0], "times %d products of codes", groupBytes8, func(x, acc VecVirtual) { dot(x, x, acc) })
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
