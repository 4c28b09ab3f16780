package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const (
	panel8      = 16 // columns of a panel of Linear8's weight
	group8      = 4  // adjacent codes of a column
	groupBytes8 = panel8 * group8
)

const linear8Signature = "(y *float32, ldy int, q *int8, ldq, groups int, w *int8, panels int, sx, sw, b *float32)"

func linear8Doc(rows int) string {
	return fmt.Sprintf("is kernel.Linear8 of %d rows, ldq bytes apart, of groups times 4 codes, and whole panels; "+
		"rows of y are ldy bytes apart.", rows)
}

// linear8 emits kernel.Linear8 for AVX-512 with VNNI, whose instruction multiplies unsigned by signed bytes.
// Flipping the sign bits of the weight adds 128 to each code. To balance that, a sum starts at -128 times the
// sum of its row's codes.
func (m *machine) linear8(rows int) {
	m.text(fmt.Sprintf("linear8x%d", rows), linear8Signature, linear8Doc(rows))
	l := &linear8Loop{ldq: arg("ldq"), signs: ZMM()}
	l.q = everyThird(arg("q"), l.ldq, rows)
	bits := GP32()
	MOVL(U32(0x80808080), bits)
	VPBROADCASTD(bits, l.signs)
	m.rowSums(l, rows)
	l.y, l.w, l.sw, l.b, l.panels = arg("y"), arg("w"), arg("sw"), arg("b"), arg("panels")
	l.stride = arg("groups")
	SHLQ(Imm(6), l.stride)
	// Several panels at a time, as many as there are registers for, then fewer for the rest.
	wide := 8
	if rows > 2 {
		wide = 4
	}
	for ; wide > 0; wide /= 2 {
		name := fmt.Sprintf("wide%d", wide)
		Label(name)
		CMPQ(l.panels, Imm(uint64(wide)))
		JL(LabelRef(name + "Done"))
		m.linear8Panels(l, name+"Product", wide)
		SUBQ(Imm(uint64(wide)), l.panels)
		JMP(LabelRef(name))
		Label(name + "Done")
	}
	m.end()
}

// linear8Loop is the registers of linear8.
type linear8Loop struct {
	q                   []GPVirtual  // pointers to every third row of codes
	ldq, stride         GPVirtual    // bytes of a row of codes, and of a panel
	y, w, sw, b, panels GPVirtual    // the next panel, and the number of panels left
	signs               VecVirtual   // the sign bit of every byte
	start               []VecVirtual // by row: the start of its sums
}

// rowSums computes the start of each row's sums: -128 times the sum of its codes, in all elements of a vector.
func (m *machine) rowSums(l *linear8Loop, rows int) {
	for range rows {
		l.start = append(l.start, m.zero())
	}
	at, left, p := GP64(), arg("groups"), GP64()
	XORQ(at, at)
	each := func(load func(from Mem, v VecVirtual)) {
		for i, sum := range l.start {
			LEAQ(rowAt(l.q, l.ldq, i), p)
			v := ZMM()
			load(Mem{Base: p, Index: at, Scale: 1}, v)
			dot(v, l.signs, sum)
		}
	}
	// 64 codes at a time, times 128, which is the sign bit read as an unsigned byte.
	Label("sums")
	CMPQ(left, Imm(16))
	JL(LabelRef("sumsTail"))
	each(func(from Mem, v VecVirtual) { VMOVDQU32(from, v) })
	ADDQ(Imm(groupBytes8), at)
	SUBQ(Imm(16), left)
	JMP(LabelRef("sums"))
	// The remaining groups, under a mask.
	Label("sumsTail")
	bits, mask := GP32(), K()
	MOVL(U32(0xffff), bits)
	BZHIL(left.As32(), bits, bits)
	KMOVW(bits, mask)
	each(func(from Mem, v VecVirtual) { VMOVDQU32_Z(from, mask, v) })
	// Add the elements of each vector by halves, spread the sum and negate it.
	for _, s := range l.start {
		half := YMM()
		VEXTRACTI64X4(Imm(1), s, half)
		VPADDD(half, s.AsY(), s.AsY())
		VEXTRACTI128(Imm(1), s.AsY(), half.AsX())
		VPADDD(half.AsX(), s.AsX(), s.AsX())
		VPSHUFD(Imm(0x4e), s.AsX(), half.AsX())
		VPADDD(half.AsX(), s.AsX(), s.AsX())
		VPSHUFD(Imm(0xb1), s.AsX(), half.AsX())
		VPADDD(half.AsX(), s.AsX(), s.AsX())
		VPBROADCASTD(s.AsX(), s)
		zero := m.zero()
		VPSUBD(s, zero, s)
	}
}

// linear8Panels computes the next panels at the same time.
func (m *machine) linear8Panels(l *linear8Loop, name string, panels int) {
	acc := make([][]VecVirtual, panels)
	for v := range acc {
		for _, start := range l.start {
			a := ZMM()
			VMOVDQA64(start, a)
			acc[v] = append(acc[v], a)
		}
	}
	// For each group: four codes of every row, times four rows of every panel.
	w, groups := everyThird(l.w, l.stride, panels), arg("groups")
	Label(name)
	x := make([]VecVirtual, len(l.start))
	for i := range x {
		x[i] = ZMM()
		VPBROADCASTD(rowAt(l.q, l.ldq, i), x[i])
	}
	for v := range acc {
		unsigned := ZMM()
		VPXORD(rowAt(w, l.stride, v), l.signs, unsigned)
		for i := range x {
			dot(x[i], unsigned, acc[v][i])
		}
	}
	for _, p := range l.q {
		ADDQ(Imm(group8), p)
	}
	for _, p := range w {
		ADDQ(Imm(groupBytes8), p)
	}
	DECQ(groups)
	JNZ(LabelRef(name))
	// Move the pointers to the next panels, and back to the start of the rows. w has already
	// advanced by one panel.
	for range panels - 1 {
		ADDQ(l.stride, l.w)
	}
	back := arg("groups")
	SHLQ(Imm(2), back)
	for _, p := range l.q {
		SUBQ(back, p)
	}
	m.linear8Store(l, acc)
	l.advance(panels)
}

// linear8Store emits y = float(sum)*(sx*sw) + b.
func (m *machine) linear8Store(l *linear8Loop, acc [][]VecVirtual) {
	sx, ldy := arg("sx"), arg("ldy")
	scales := make([]VecVirtual, len(l.start))
	for i := range scales {
		scales[i] = ZMM()
		VBROADCASTSS(Mem{Base: sx, Disp: 4 * i}, scales[i])
	}
	for v := range acc {
		y := GP64()
		MOVQ(l.y, y)
		for i, a := range acc[v] {
			scale := ZMM()
			VMULPS(Mem{Base: l.sw, Disp: 64 * v}, scales[i], scale)
			VCVTDQ2PS(a, a)
			VMULPS(scale, a, a)
			VADDPS(Mem{Base: l.b, Disp: 64 * v}, a, a)
			VMOVUPS(a, Mem{Base: y, Disp: 64 * v})
			ADDQ(ldy, y)
		}
	}
}

// dot emits VPDPBUSD, which avo does not have. It adds to each element of acc the products of four signed bytes
// and four unsigned bytes.
func dot(signed, unsigned, acc Op) {
	Instruction(&ir.Instruction{
		Opcode: "VPDPBUSD", Operands: []Op{signed, unsigned, acc},
		Inputs: []Op{signed, unsigned, acc}, Outputs: []Op{acc},
		ISA: []string{"AVX512F", "AVX512_VNNI"},
	})
}

// linear8Words emits linear8 for AVX2, and for AVX-512 without VNNI. The codes of the rows are already wide: 16
// bits each. It widens the weight's too, and adds products in 32 bits: the sum of two products of bytes may
// not fit 16 bits. A group of 16 columns is four vectors, of which as many are computed at a time as there are
// registers for.
func (m *machine) linear8Words(rows int) {
	m.text(fmt.Sprintf("linear16x%d", rows), strings.Replace(linear8Signature, "*int8", "*int16", 1),
		linear8Doc(rows)+" Codes of rows have 16 bits.")
	vecs := 4
	if rows > 2 {
		vecs = 2
	}
	q, ldq := arg("q"), arg("ldq")
	l := &linear8Loop{y: arg("y"), w: arg("w"), sw: arg("sw"), b: arg("b"), panels: arg("panels")}
	Label("panel")
	for part := 0; part < 4; part += vecs {
		acc := make([][]VecVirtual, rows)
		for i := range acc {
			for range vecs {
				acc[i] = append(acc[i], m.zero())
			}
		}
		// For each group: the codes of the rows, times the columns in some vectors.
		first, w, groups := GP64(), GP64(), arg("groups")
		MOVQ(q, first)
		MOVQ(l.w, w)
		at := everyThird(first, ldq, rows)
		product := fmt.Sprintf("product%d", part)
		Label(product)
		wide := make([]VecVirtual, vecs)
		for j := range wide {
			wide[j] = YMM()
			VPMOVSXBW(Mem{Base: w, Disp: 16 * (part + j)}, wide[j])
		}
		for i := range acc {
			x := YMM()
			VPBROADCASTQ(rowAt(at, ldq, i), x)
			for j := range wide {
				t := YMM()
				VPMADDWD(x, wide[j], t)
				VPADDD(t, acc[i][j], acc[i][j])
			}
		}
		for _, p := range at {
			ADDQ(Imm(2*group8), p)
		}
		ADDQ(Imm(groupBytes8), w)
		DECQ(groups)
		JNZ(LabelRef(product))
		m.linear8WordsStore(l, acc, part)
		if part+vecs == 4 {
			MOVQ(w, l.w)
		}
	}
	l.advance(1)
	DECQ(l.panels)
	JNZ(LabelRef("panel"))
	m.end()
}

// linear8WordsStore emits y = float(sum)*(sx*sw) + b for the vectors of a panel from part on. Each sum is in two
// adjacent halves.
func (m *machine) linear8WordsStore(l *linear8Loop, acc [][]VecVirtual, part int) {
	sx, ldy, y := arg("sx"), arg("ldy"), GP64()
	MOVQ(l.y, y)
	for i := range acc {
		for j := 0; j < len(acc[i]); j += 2 {
			// Add the halves of eight columns and bring the columns into sequence.
			sum, scale, at := acc[i][j], YMM(), 16*(part+j)
			VPHADDD(acc[i][j+1], sum, sum)
			VPERMQ(Imm(0xd8), sum, sum)
			VBROADCASTSS(Mem{Base: sx, Disp: 4 * i}, scale)
			VMULPS(Mem{Base: l.sw, Disp: at}, scale, scale)
			VCVTDQ2PS(sum, sum)
			VMULPS(scale, sum, sum)
			VADDPS(Mem{Base: l.b, Disp: at}, sum, sum)
			VMOVUPS(sum, Mem{Base: y, Disp: at})
		}
		ADDQ(ldy, y)
	}
}

// widen emits the conversion of codes to 16 bits.
func (m *machine) widen() {
	m.text("widen", "(dst *int16, q *int8, n int)", "converts codes to 16 bits; n is a multiple of 4.")
	dst, q, n, x := arg("dst"), arg("q"), arg("n"), YMM()
	Label("many")
	CMPQ(n, Imm(16))
	JL(LabelRef("few"))
	VPMOVSXBW(Mem{Base: q}, x)
	VMOVDQU(x, Mem{Base: dst})
	ADDQ(Imm(16), q)
	ADDQ(Imm(32), dst)
	SUBQ(Imm(16), n)
	JMP(LabelRef("many"))
	Label("few")
	TESTQ(n, n)
	JZ(LabelRef("done"))
	VMOVD(Mem{Base: q}, x.AsX())
	VPMOVSXBW(x.AsX(), x.AsX())
	VMOVQ(x.AsX(), Mem{Base: dst})
	ADDQ(Imm(4), q)
	ADDQ(Imm(8), dst)
	SUBQ(Imm(4), n)
	JMP(LabelRef("few"))
	Label("done")
	m.end()
}

// advance moves the pointers to columns past some panels.
func (l *linear8Loop) advance(panels int) {
	for _, p := range []GPVirtual{l.y, l.sw, l.b} {
		ADDQ(U32(uint32(4*panel8*panels)), p)
	}
}
