package main

import (
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
	order := GLOBL("byteOrder"+m.suffix, RODATA|NOPTR)
	for i, w := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
		DATA(4*i, U32(w))
	}
	VPACKSSDW(v[1], v[0], v[0])
	VPACKSSDW(v[3], v[2], v[2])
	VPACKSSWB(v[2], v[0], v[0])
	VMOVDQU(order, v[1])
	VPERMD(v[0], v[1], v[0])
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
