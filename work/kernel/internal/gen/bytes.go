package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The functions here take only whole blocks of 32 elements. The caller computes the rest in Go.

// wholeBlocks emits the loop over n/32 blocks; index counts elements.
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

// floatsAt is the memory of vector i of the block, of binary32 elements.
func (m *machine) floatsAt(p, index GPVirtual, i int) Mem {
	return Mem{Base: p, Index: index, Scale: 4, Disp: 4 * m.width * i}
}

// bytesAt is the memory of vector i of the block, of 8-bit elements.
func (m *machine) bytesAt(p, index GPVirtual, i int) Mem {
	return Mem{Base: p, Index: index, Scale: 1, Disp: m.width * i}
}

// addQuantized emits kernel.AddQuantized for elements that share a scale.
func (m *machine) addQuantized() {
	m.text("addQuantized", "(dst, x *float32, q *int8, sign, scale float32, n int)",
		"sets dst = fma(q*sign, scale, x); n is a multiple of 32.")
	dst, x, q := arg("dst"), arg("x"), arg("q")
	sign, scale := m.spread("sign"), m.spread("scale")
	m.wholeBlocks(func(index GPVirtual) {
		for i := range m.vecs {
			v := m.vec() // a code widened to an integer, then a number, times the sign
			VPMOVSXBD(m.bytesAt(q, index, i), v)
			VCVTDQ2PS(v, v)
			VMULPS(sign, v, v)
			VFMADD213PS(m.floatsAt(x, index, i), scale, v)
			VMOVUPS(v, m.floatsAt(dst, index, i))
		}
	})
}

// quantize emits kernel.Quantize for elements that share a scale.
func (m *machine) quantize() {
	m.text("quantize", "(q *int8, x *float32, inv float32, n int)",
		"sets q = x*inv, rounded to even and clamped to ±127; n is a multiple of 32.")
	q, x, inv := arg("q"), arg("x"), m.spread("inv")
	low, high := m.constant(cNeg127), m.constant(c127)
	m.wholeBlocks(func(index GPVirtual) {
		v := make([]VecVirtual, m.vecs)
		for i := range v {
			v[i] = m.vec()
			// The clamp sends NaN to the lowest code; the conversion rounds to even.
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

// packBytes narrows four vectors of int32 to one of int8. AVX2 packs each half of a register by itself, so the
// eight groups of four bytes are brought into sequence at the end.
func (m *machine) packBytes(v []VecVirtual) {
	VPACKSSDW(v[1], v[0], v[0])
	VPACKSSDW(v[3], v[2], v[2])
	VPACKSSWB(v[2], v[0], v[0])
	VMOVDQU(m.order, v[1])
	VPERMD(v[0], v[1], v[0])
}

// The functions for 4 and 2 bits are AVX2 only, and AVX-512 uses them too: their speed is that of memory.

// lanesOf is a vector of eight given constants.
func lanesOf(name string, words [8]uint32) VecVirtual {
	data, v := GLOBL(name, RODATA|NOPTR), YMM()
	for i, w := range words {
		DATA(4*i, U32(w))
	}
	VMOVDQU(data, v)
	return v
}

// quantize4 emits kernel.Quantize4 for elements that share a scale. PEXT extracts the low halves of bytes.
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
		// 32 bytes become four words of eight codes.
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

// same is eight equal words.
func same(word uint32) (w [8]uint32) {
	for i := range w {
		w[i] = word
	}
	return w
}

// addQuantized4 emits kernel.AddQuantized4 for elements that share a scale.
func (m *machine) addQuantized4() {
	m.text("addQuantized4", "(dst, x *float32, q *int32, sign, scale float32, n int)",
		"sets dst = fma(code*sign, scale, x); n is a multiple of 32.")
	dst, x, q := arg("dst"), arg("x"), arg("q")
	sign, scale := m.spread("sign"), m.spread("scale")
	left := lanesOf("left4", [8]uint32{28, 24, 20, 16, 12, 8, 4, 0})
	m.wholeBlocks(func(index GPVirtual) {
		for i := range m.vecs {
			// Eight codes from one word: each is shifted to the top and back with its sign.
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

// quantize2 emits kernel.Quantize2 for elements that share a scale. PDEP interleaves the bits of magnitudes and
// of signs.
func (m *machine) quantize2() {
	m.text("quantize2", "(q *int32, x *float32, high float32, n int)",
		"sets the codes of x, whose larger magnitudes are above high; n is a multiple of 32.")
	q, x, high := arg("q"), arg("x"), m.spread("high")
	magnitude := m.constant(cAbs)
	odd, even := GP32(), GP32()
	MOVL(U32(0x55555555), even)
	MOVL(U32(0xaaaaaaaa), odd)
	m.wholeBlocks(func(index GPVirtual) {
		for word := range 2 { // 16 elements each
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
			// 16 bits of each kind, spread to the even and odd bits of the word.
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

// addQuantized2 emits kernel.AddQuantized2 for elements that share a scale. VPERMILPS selects one of four levels
// by the two lowest bits of each lane.
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
		lanesOf("rightLow2", [8]uint32{0, 2, 4, 6, 8, 10, 12, 14}),
		lanesOf("rightHigh2", [8]uint32{16, 18, 20, 22, 24, 26, 28, 30}),
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

// dropout emits kernel.Dropout. Each group of four lanes has one counter of the generator, and its four words
// decide about four elements. VPMULUDQ multiplies words 0 and 2, as a round of Philox needs.
func (m *machine) dropout() {
	m.text("dropout", "(dst, x *float32, keys *[12][4]uint32, drop uint32, factor float32, n int)",
		"sets dst = word >= drop ? x*factor : +0; n is a multiple of 32. "+
			"keys holds the multipliers, the first counter and the ten round keys.")
	d := &dropoutLoop{dst: arg("dst"), x: arg("x"), keys: arg("keys")}
	d.factor, d.drop = m.spread("factor"), m.spread("drop")
	d.multipliers, d.counter = m.dropoutKey(d, 0), m.dropoutKey(d, 1)
	m.counters(d)
	// AVX-512 has registers for all round keys. AVX2 compares signed words, so the threshold's
	// sign bit is flipped there, and later that of the words.
	d.rounds = make([]VecVirtual, 10)
	for i := range d.rounds {
		if m.wide {
			d.rounds[i] = m.dropoutKey(d, 2+i)
		}
	}
	if !m.wide {
		VPXOR(m.c(cSign), d.drop, d.drop)
	}
	n, index := arg("n"), GP64()
	XORQ(index, index)
	// With AVX-512 a block has only two vectors, too few to interleave: take two blocks at a time.
	if m.wide {
		SUBQ(Imm(2*blockLen), n)
		JL(LabelRef("last"))
		Label("blocks")
		m.dropoutVectors(d, index, 2*m.vecs)
		ADDQ(Imm(2*blockLen), index)
		CMPQ(index, n)
		JLE(LabelRef("blocks"))
		Label("last")
		ADDQ(Imm(2*blockLen), n)
		CMPQ(index, n)
		JE(LabelRef("done"))
	}
	Label("block")
	m.dropoutVectors(d, index, m.vecs)
	ADDQ(Imm(blockLen), index)
	CMPQ(index, n)
	JL(LabelRef("block"))
	Label("done")
	m.end()
}

// dropoutLoop is the registers of dropout.
type dropoutLoop struct {
	dst, x, keys         GPVirtual
	factor, drop         VecVirtual
	multipliers, counter VecVirtual
	stride               Mem          // the step from a vector's counters to the next
	rounds               []VecVirtual // the round keys, nil where they are read from memory
}

// dropoutKey loads four words of keys into every group of four lanes.
func (m *machine) dropoutKey(d *dropoutLoop, i int) VecVirtual {
	v, at := m.vec(), Mem{Base: d.keys, Disp: 16 * i}
	if m.wide {
		VBROADCASTI32X4(at, v)
	} else {
		VBROADCASTI128(at, v)
	}
	return v
}

// counters gives every group of four lanes its own counter: the first one plus the group's index. Counters later
// advance by the number of groups in a vector.
func (m *machine) counters(d *dropoutLoop) {
	steps := GLOBL("counterSteps"+m.suffix, RODATA|NOPTR)
	for l := range m.width {
		step := uint64(0)
		if l%4 == 0 {
			step = uint64(l / 4)
		}
		DATA(4*l, U32(uint32(step)))
	}
	d.stride = GLOBL("counterStride"+m.suffix, RODATA|NOPTR)
	for l := range m.width / 2 {
		DATA(8*l, U64(uint64((l+1)%2*m.width/4)))
	}
	VPADDQ(steps, d.counter, d.counter)
}

// dropoutVectors computes the random words of some vectors, and then their elements.
func (m *machine) dropoutVectors(d *dropoutLoop, index GPVirtual, vecs int) {
	words := make([]VecVirtual, vecs)
	for i := range words {
		words[i] = m.vec()
		VMOVAPS(d.counter, words[i])
		VPADDQ(d.stride, d.counter, d.counter)
	}
	// A round needs the result of the one before, so the vectors are interleaved.
	for i, k := range d.rounds {
		if k == nil {
			k = m.dropoutKey(d, 2+i)
		}
		for _, w := range words {
			m.philoxRound(w, d.multipliers, k)
		}
	}
	// x*factor where the word is not below drop, else +0.
	for i, w := range words {
		v := m.vec()
		VMULPS(m.floatsAt(d.x, index, i), d.factor, v)
		if m.wide {
			k := K()
			VPCMPUD(Imm(5), d.drop, w, k) // not less than
			VMOVAPS_Z(v, k, v)
		} else {
			VPXOR(m.c(cSign), w, w)
			VPCMPGTD(w, d.drop, w)
			VPANDN(v, w, v)
		}
		VMOVUPS(v, m.floatsAt(d.dst, index, i))
	}
}

// philoxRound is one round on words (c0,c1,c2,c3). The products (l0,h0,l1,h1) are reversed to (h1,l1,h0,l0),
// and c1, c3 and the round key are combined with them by exclusive or.
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
