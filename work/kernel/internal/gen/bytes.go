package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The functions here take whole blocks of 32 elements only: the caller pads
// what is left in a buffer of its own.

// wholeBlocks writes the loop over n/32 blocks, with an index of elements.
func (m *machine) wholeBlocks(body func(index GPVirtual)) {
	n, index := arg("n"), GP64()
	XORQ(index, index)
	Label("block")
	body(index)
	ADDQ(Imm(blockLen), index)
	CMPQ(index, n)
	JL(LabelRef("block"))
	m.end()
}

func (m *machine) floatsAt(p, index GPVirtual, i int) Mem {
	return Mem{Base: p, Index: index, Scale: 4, Disp: 4 * m.width * i}
}

func (m *machine) bytesAt(p, index GPVirtual, i int) Mem {
	return Mem{Base: p, Index: index, Scale: 1, Disp: m.width * i}
}

// addQuantized is kernel.AddQuantized of elements that share a scale.
func (m *machine) addQuantized() {
	m.text("addQuantized", "(dst, x *float32, q *int8, sign, scale float32, n int)",
		"sets dst = fma(q*sign, scale, x); n is a multiple of 32.")
	dst, x, q := arg("dst"), arg("x"), arg("q")
	sign, scale := m.spread("sign"), m.spread("scale")
	m.wholeBlocks(func(index GPVirtual) {
		for i := range m.vecs {
			v := m.vec()
			VPMOVSXBD(m.bytesAt(q, index, i), v)
			VCVTDQ2PS(v, v)
			VMULPS(sign, v, v)
			VFMADD213PS(m.floatsAt(x, index, i), scale, v)
			VMOVUPS(v, m.floatsAt(dst, index, i))
		}
	})
}

// quantize is kernel.Quantize of elements that share a scale.
func (m *machine) quantize() {
	m.text("quantize", "(q *int8, x *float32, inv float32, n int)",
		"sets q = x*inv, rounded to even and clamped to ±127; n is a multiple of 32.")
	q, x, inv := arg("q"), arg("x"), m.spread("inv")
	low, high := m.constant(cNeg127), m.constant(c127)
	m.wholeBlocks(func(index GPVirtual) {
		v := make([]VecVirtual, m.vecs)
		for i := range v {
			v[i] = m.vec()
			VMULPS(m.floatsAt(x, index, i), inv, v[i])
			VMAXPS(low, v[i], v[i])
			VMINPS(high, v[i], v[i])
			VCVTPS2DQ(v[i], v[i])
			if m.wide {
				VPMOVDB(v[i], m.bytesAt(q, index, i))
			}
		}
		if !m.wide {
			m.packBytes(v)
			VMOVDQU(v[0], Mem{Base: q, Index: index, Scale: 1})
		}
	})
}

// packBytes narrows four vectors of int32 to one of int8. The AVX2 packs work
// in halves, so their eight groups of four bytes are put in order at the end.
func (m *machine) packBytes(v []VecVirtual) {
	VPACKSSDW(v[1], v[0], v[0])
	VPACKSSDW(v[3], v[2], v[2])
	VPACKSSWB(v[2], v[0], v[0])
	VMOVDQU(m.order, v[1])
	VPERMD(v[0], v[1], v[0])
}

// The four functions of 4 and 2 bits are for AVX-512 too: they wait for memory.

// lanesOf is a vector of eight constants.
func lanesOf(name string, words [8]uint32) VecVirtual {
	data, v := GLOBL(name, RODATA|NOPTR), YMM()
	for i, w := range words {
		DATA(4*i, U32(w))
	}
	VMOVDQU(data, v)
	return v
}

// quantize4 is kernel.Quantize4 of elements that share a scale. PEXT picks the
// low halves of the bytes.
func (m *machine) quantize4() {
	m.text("quantize4", "(q *int32, x *float32, inv float32, n int)",
		"sets the codes of x*inv, rounded to even and clamped to ±7; n is a multiple of 32.")
	q, x, inv := arg("q"), arg("x"), m.spread("inv")
	low, high := lanesOf("low4", same(math.Float32bits(-7))), lanesOf("high4", same(math.Float32bits(7)))
	halves := GP64()
	MOVQ(U64(0x0f0f0f0f0f0f0f0f), halves)
	m.wholeBlocks(func(index GPVirtual) {
		v := make([]VecVirtual, m.vecs)
		for i := range v {
			v[i] = m.vec()
			VMULPS(m.floatsAt(x, index, i), inv, v[i])
			VMAXPS(low, v[i], v[i])
			VMINPS(high, v[i], v[i])
			VCVTPS2DQ(v[i], v[i])
		}
		m.packBytes(v)
		for i := range 4 {
			if i == 2 {
				VEXTRACTI128(Imm(1), v[0], v[0].AsX())
			}
			eight := GP64()
			VPEXTRQ(Imm(uint64(i%2)), v[0].AsX(), eight)
			PEXTQ(halves, eight, eight)
			MOVL(eight.As32(), Mem{Base: q, Disp: 4 * i})
		}
		ADDQ(Imm(16), q)
	})
}

func same(word uint32) (w [8]uint32) {
	for i := range w {
		w[i] = word
	}
	return w
}

// addQuantized4 is kernel.AddQuantized4 of elements that share a scale.
func (m *machine) addQuantized4() {
	m.text("addQuantized4", "(dst, x *float32, q *int32, sign, scale float32, n int)",
		"sets dst = fma(code*sign, scale, x); n is a multiple of 32.")
	dst, x, q := arg("dst"), arg("x"), arg("q")
	sign, scale := m.spread("sign"), m.spread("scale")
	left := lanesOf("left4", [8]uint32{28, 24, 20, 16, 12, 8, 4, 0})
	m.wholeBlocks(func(index GPVirtual) {
		for i := range m.vecs {
			v := m.vec()
			VPBROADCASTD(Mem{Base: q, Disp: 4 * i}, v)
			VPSLLVD(left, v, v)
			VPSRAD(Imm(28), v, v)
			VCVTDQ2PS(v, v)
			VMULPS(sign, v, v)
			VFMADD213PS(m.floatsAt(x, index, i), scale, v)
			VMOVUPS(v, m.floatsAt(dst, index, i))
		}
		ADDQ(Imm(16), q)
	})
}

// quantize2 is kernel.Quantize2 of elements that share a scale. PDEP puts the
// bits that tell of magnitude beside those of the sign.
func (m *machine) quantize2() {
	m.text("quantize2", "(q *int32, x *float32, high float32, n int)",
		"sets the codes of x, whose larger magnitudes are above high; n is a multiple of 32.")
	q, x, high := arg("q"), arg("x"), m.spread("high")
	magnitude := m.constant(cAbs)
	odd, even := GP32(), GP32()
	MOVL(U32(0x55555555), even)
	MOVL(U32(0xaaaaaaaa), odd)
	m.wholeBlocks(func(index GPVirtual) {
		for word := range 2 {
			var large, minus [2]Register
			for i := range 2 {
				v, bits := m.vec(), [2]GPVirtual{GP32(), GP32()}
				VMOVUPS(m.floatsAt(x, index, 2*word+i), v)
				VMOVMSKPS(v, bits[0])
				VANDPS(magnitude, v, v)
				VCMPPS(Imm(0x1e), high, v, v) // greater
				VMOVMSKPS(v, bits[1])
				minus[i], large[i] = bits[0], bits[1]
			}
			for _, b := range []struct {
				halves [2]Register
				mask   GPVirtual
			}{{large, even}, {minus, odd}} {
				SHLL(Imm(8), b.halves[1])
				ORL(b.halves[1], b.halves[0])
				PDEPL(b.mask, b.halves[0], b.halves[0])
			}
			ORL(minus[0], large[0])
			MOVL(large[0], Mem{Base: q, Disp: 4 * word})
		}
		ADDQ(Imm(8), q)
	})
}

// addQuantized2 is kernel.AddQuantized2 of elements that share a scale. VPERMILPS
// looks at the two lowest bits of each lane.
func (m *machine) addQuantized2() {
	m.text("addQuantized2", "(dst, x *float32, q *int32, sign, scale float32, n int)",
		"sets dst = fma(level*sign, scale, x); n is a multiple of 32.")
	dst, x, q := arg("dst"), arg("x"), arg("q")
	sign, scale := m.spread("sign"), m.spread("scale")
	var l [8]uint32
	for i := range l {
		l[i] = math.Float32bits([]float32{3, 10, -3, -10}[i%4])
	}
	levels := lanesOf("levels2", l)
	VMULPS(sign, levels, levels)
	right := []VecVirtual{
		lanesOf("rightLow2", [8]uint32{0, 2, 4, 6, 8, 10, 12, 14}), lanesOf("rightHigh2", [8]uint32{16, 18, 20, 22, 24, 26, 28, 30}),
	}
	m.wholeBlocks(func(index GPVirtual) {
		for i := range m.vecs {
			v := m.vec()
			VPBROADCASTD(Mem{Base: q, Disp: i / 2 * 4}, v)
			VPSRLVD(right[i%2], v, v)
			VPERMILPS(v, levels, v)
			VFMADD213PS(m.floatsAt(x, index, i), scale, v)
			VMOVUPS(v, m.floatsAt(dst, index, i))
		}
		ADDQ(Imm(8), q)
	})
}

// dropout is kernel.Dropout. A group of four lanes holds one counter of the
// generator, and its four words are those of four elements: VPMULUDQ
// multiplies words 0 and 2, which is what a round of Philox needs.
func (m *machine) dropout() {
	m.text("dropout", "(dst, x *float32, keys *[12][4]uint32, drop uint32, factor float32, n int)",
		"sets dst = word >= drop ? x*factor : +0; n is a multiple of 32. keys holds the multipliers, the first counter and the ten round keys.")
	dst, x, keys := arg("dst"), arg("x"), arg("keys")
	factor, drop := m.spread("factor"), m.spread("drop")
	key := func(i int) VecVirtual {
		v, at := m.vec(), Mem{Base: keys, Disp: 16 * i}
		if m.wide {
			VBROADCASTI32X4(at, v)
		} else {
			VBROADCASTI128(at, v)
		}
		return v
	}
	multipliers, counter := key(0), key(1)
	steps := GLOBL("counterSteps"+m.suffix, RODATA|NOPTR)
	for l := range m.width {
		step := uint64(0)
		if l%4 == 0 {
			step = uint64(l / 4)
		}
		DATA(4*l, U32(uint32(step)))
	}
	stride := GLOBL("counterStride"+m.suffix, RODATA|NOPTR)
	for l := range m.width / 2 {
		DATA(8*l, U64(uint64((l+1)%2*m.width/4)))
	}
	VPADDQ(steps, counter, counter)
	rounds := make([]VecVirtual, 10)
	for i := range rounds {
		if m.wide {
			rounds[i] = key(2 + i)
		}
	}
	if !m.wide {
		VPXOR(m.c(cSign), drop, drop)
	}
	turn := func(index GPVirtual, vecs int) {
		words := make([]VecVirtual, vecs)
		for i := range words {
			words[i] = m.vec()
			VMOVAPS(counter, words[i])
			VPADDQ(stride, counter, counter)
		}
		// A round waits for the one before, so the vectors take turns.
		for i, k := range rounds {
			if k == nil {
				k = key(2 + i)
			}
			for _, w := range words {
				m.philoxRound(w, multipliers, k)
			}
		}
		for i, w := range words {
			v := m.vec()
			VMULPS(m.floatsAt(x, index, i), factor, v)
			if m.wide {
				k := K()
				VPCMPUD(Imm(5), drop, w, k) // not less than
				VMOVAPS_Z(v, k, v)
			} else {
				VPXOR(m.c(cSign), w, w)
				VPCMPGTD(w, drop, w)
				VPANDN(v, w, v)
			}
			VMOVUPS(v, m.floatsAt(dst, index, i))
		}
	}
	n, index := arg("n"), GP64()
	XORQ(index, index)
	if m.wide { // two vectors are not enough to wait for
		SUBQ(Imm(2*blockLen), n)
		JL(LabelRef("last"))
		Label("blocks")
		turn(index, 2*m.vecs)
		ADDQ(Imm(2*blockLen), index)
		CMPQ(index, n)
		JLE(LabelRef("blocks"))
		Label("last")
		ADDQ(Imm(2*blockLen), n)
		CMPQ(index, n)
		JE(LabelRef("done"))
	}
	Label("block")
	turn(index, m.vecs)
	ADDQ(Imm(blockLen), index)
	CMPQ(index, n)
	JL(LabelRef("block"))
	Label("done")
	m.end()
}

// philoxRound is one round on words (c0,c1,c2,c3): the products (l0,h0,l1,h1)
// are reversed to (h1,l1,h0,l0), and c1, c3 and the round key are added.
func (m *machine) philoxRound(w, multipliers, key VecVirtual) {
	p := m.vec()
	VPMULUDQ(multipliers, w, p)
	VPSRLQ(Imm(32), w, w)
	VPSHUFD(Imm(0b00_01_10_11), p, p)
	if m.wide {
		VPTERNLOGD(Imm(0x96), key, p, w)
		return
	}
	VPXOR(p, w, w)
	VPXOR(key, w, w)
}
