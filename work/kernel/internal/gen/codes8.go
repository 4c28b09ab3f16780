package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The codes of training: quantisers for AVX-512, and the primitives of AVX2.

// quantizePanel emits the codes and scales of 16 columns.
func (m *machine) quantizePanel() {
	m.text("quantizePanel", "(q *int8, scales, x *float32, ldx int, f *float32, stepF, rows, n int)",
		"quantises n of 16 columns of x times f, an f for each row; rows are ldx bytes apart, elements of f stepF bytes. "+
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
	// The scale and its inverse. Where the inverse is not a normal number, the inverse becomes 0. The scale is 0 then if
	// the largest magnitude is at most 1; else the magnitude is infinite or NaN, and the scale is the magnitude.
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
		PREFETCHT0(Mem{Base: x, Disp: 4 * panel8}) // of the next panel
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

// The functions below are AVX2 only, and AVX-512 uses them too.

// turnCodes emits the transposition of 16 rows of a panel, whose columns become the rows of another panel: four by
// four codes in each register, which is then stored at its transposed place.
func (m *machine) turnCodes() {
	m.text("turnCodes", "(dst, src *[256]int8)", "transposes the packed codes of 16 rows and columns.")
	dst, src := arg("dst"), arg("src")
	order := GLOBL("turnOrder", RODATA|NOPTR)
	for i, w := range []uint32{0x0c080400, 0x0d090501, 0x0e0a0602, 0x0f0b0703} {
		DATA(4*i, U32(w))
	}
	bytes, v := XMM(), XMM()
	VMOVDQU(order, bytes)
	for g := range 4 {
		for h := range 4 {
			VMOVDQU(Mem{Base: src, Disp: 64*g + 16*h}, v)
			VPSHUFB(bytes, v, v)
			VMOVDQU(v, Mem{Base: dst, Disp: 64*h + 16*g})
		}
	}
	m.end()
}

// packCodes emits the copy of rows of codes to a panel.
func (m *machine) packCodes() {
	m.text("packCodes", "(dst, q *int8, ldq, groups int)", "packs groups times 4 rows of 16 codes, ldq bytes apart.")
	dst, q, ldq, groups := arg("dst"), arg("q"), arg("ldq"), arg("groups")
	Label("group")
	bases := everyThird(q, ldq, 4)
	var r [4]VecVirtual
	for i := range r {
		r[i] = XMM()
		VMOVDQU(rowAt(bases, ldq, i), r[i])
	}
	// Pairs of rows, then pairs of pairs.
	for half := range 2 {
		a, b, v := XMM(), XMM(), XMM()
		unpack := VPUNPCKLBW
		if half == 1 {
			unpack = VPUNPCKHBW
		}
		unpack(r[1], r[0], a)
		unpack(r[3], r[2], b)
		VPUNPCKLWD(b, a, v)
		VMOVDQU(v, Mem{Base: dst, Disp: 32 * half})
		VPUNPCKHWD(b, a, v)
		VMOVDQU(v, Mem{Base: dst, Disp: 32*half + 16})
	}
	LEAQ(Mem{Base: q, Index: ldq, Scale: 4}, q)
	ADDQ(Imm(groupBytes8), dst)
	DECQ(groups)
	JNZ(LabelRef("group"))
	m.end()
}

// columnMax emits the largest magnitudes of columns, compared as integers, so that a NaN is the largest.
func (m *machine) columnMax() {
	m.text("columnMax", "(top, x *float32, ldx int, f *float32, ldf, n int)",
		"sets the 16 elements of top to the largest magnitudes of x*f over n rows of 16 columns; rows of x are ldx "+
			"bytes apart, factors of rows ldf bytes.")
	x, ldx, f, ldf, n := arg("x"), arg("ldx"), arg("f"), arg("ldf"), arg("n")
	abs, acc := m.constant(cAbs), []VecVirtual{m.zero(), m.zero()}
	factor, v := YMM(), YMM()
	Label("row")
	VBROADCASTSS(Mem{Base: f}, factor)
	for i := range acc {
		VMULPS(Mem{Base: x, Disp: 32 * i}, factor, v)
		VPAND(abs, v, v)
		VPMAXUD(v, acc[i], acc[i])
	}
	ADDQ(ldx, x)
	ADDQ(ldf, f)
	DECQ(n)
	JNZ(LabelRef("row"))
	top := arg("top")
	for i := range acc {
		VMOVUPS(acc[i], Mem{Base: top, Disp: 32 * i})
	}
	m.end()
}

// quantizeColumns emits the codes of a panel, one of four rows in each byte of an element.
func (m *machine) quantizeColumns() {
	m.text("quantizeColumns", "(q *int8, x *float32, ldx int, f *float32, ldf int, inv *float32, groups int)",
		"sets q to the packed codes of x*f*inv of groups times 4 rows of 16 columns; rows of x are ldx bytes apart, "+
			"factors of rows ldf bytes; inv is of columns.")
	q, x, ldx, f, ldf, inv, groups := arg("q"), arg("x"), arg("ldx"), arg("f"), arg("ldf"), arg("inv"), arg("groups")
	scales := []VecVirtual{YMM(), YMM()}
	for i := range scales {
		VMOVUPS(Mem{Base: inv, Disp: 32 * i}, scales[i])
	}
	low, bytes := GP32(), YMM()
	MOVL(U32(0xff), low)
	VMOVD(low, bytes.AsX())
	VPBROADCASTD(bytes.AsX(), bytes)
	factor, v := YMM(), YMM()
	Label("group")
	codes := []VecVirtual{YMM(), YMM()}
	for r := range 4 {
		VBROADCASTSS(Mem{Base: f}, factor)
		for i, c := range codes {
			VMULPS(Mem{Base: x, Disp: 32 * i}, factor, v)
			VMULPS(scales[i], v, v)
			VCVTPS2DQ(v, v)
			VPAND(bytes, v, v)
			if r == 0 {
				VMOVDQA(v, c)
				continue
			}
			VPSLLD(Imm(uint64(8*r)), v, v)
			VPOR(v, c, c)
		}
		ADDQ(ldx, x)
		ADDQ(ldf, f)
	}
	for i, c := range codes {
		VMOVDQU(c, Mem{Base: q, Disp: 32 * i})
	}
	ADDQ(Imm(groupBytes8), q)
	DECQ(groups)
	JNZ(LabelRef("group"))
	m.end()
}

// weightGrad8 emits a block of kernel.Linear8WeightGrad for two columns of X, which are rows of the result, as
// linear8Words emits kernel.Linear8. The codes of X are packed as those of dY are.
func (m *machine) weightGrad8() {
	const rows = 2
	m.text("weightGrad8x2", "(y *float32, ldy int, q *int8, groups int, z *int8, ldz, panels int, scales *float32)",
		"adds a block of kernel.Linear8WeightGrad to 2 rows of y, ldy bytes apart: the products of packed codes of X and "+
			"of whole panels of dY, ldz bytes apart, of groups times 4 tokens.")
	y, ldy, q, z, ldz, panels, scales := arg("y"), arg("ldy"), arg("q"), arg("z"), arg("ldz"), arg("panels"), arg("scales")
	Label("panel")
	acc := make([][4]VecVirtual, rows)
	for i := range acc {
		for j := range acc[i] {
			acc[i][j] = m.zero()
		}
	}
	at, from, groups := GP64(), GP64(), arg("groups")
	MOVQ(q, at)
	MOVQ(z, from)
	Label("product")
	x := make([]VecVirtual, rows)
	for i := range x {
		x[i] = YMM()
		VPBROADCASTD(Mem{Base: at, Disp: group8 * i}, x[i].AsX())
		VPMOVSXBW(x[i].AsX(), x[i])
	}
	wide, t := YMM(), YMM()
	for j := range 4 {
		VPMOVSXBW(Mem{Base: from, Disp: 16 * j}, wide)
		for i := range x {
			VPMADDWD(x[i], wide, t)
			VPADDD(t, acc[i][j], acc[i][j])
		}
	}
	ADDQ(Imm(groupBytes8), at)
	ADDQ(Imm(groupBytes8), from)
	DECQ(groups)
	JNZ(LabelRef("product"))
	// y = fma(float(sum), scales, y). Each sum is in two adjacent halves.
	to := GP64()
	MOVQ(y, to)
	for i := range acc {
		for j := 0; j < 4; j += 2 {
			sum, c := acc[i][j], YMM()
			VPHADDD(acc[i][j+1], sum, sum)
			VPERMQ(Imm(0xd8), sum, sum)
			VCVTDQ2PS(sum, sum)
			VMOVUPS(Mem{Base: to, Disp: 16 * j}, c)
			VFMADD231PS(Mem{Base: scales, Disp: 16 * j}, sum, c)
			VMOVUPS(c, Mem{Base: to, Disp: 16 * j})
		}
		ADDQ(ldy, to)
	}
	ADDQ(Imm(4*panel8), y)
	ADDQ(Imm(4*panel8), scales)
	ADDQ(ldz, z)
	DECQ(panels)
	JNZ(LabelRef("panel"))
	m.end()
}
