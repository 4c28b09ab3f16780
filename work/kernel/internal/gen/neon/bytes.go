package main

import "math"

// The functions here take only whole blocks of 32 elements. The caller computes the rest in Go.

// addQuantized emits kernel.AddQuantized for elements that share a scale.
func (m *machine) addQuantized() {
	m.function("addQuantized", "(dst, x *float32, q *int8, sign, scale float32, n int)",
		"sets dst = fma(q*sign, scale, x); n is a multiple of 32.", 0)
	dst, x, q, n := m.arg("dst"), m.arg("x"), m.arg("q"), m.arg("n")
	sign, scale := m.spread("sign", factor), m.spread("scale", factor2)
	m.label("half") // 16 elements
	m.emit("VLD1.P 16(%v), [V0.B16]", q)
	m.emit("VLD1.P 64(%v), %s", x, list(8, 4))
	// 16 codes, widened to 16 and to 32 bits.
	m.op2("SXTL .8H", 0, 1)
	m.op2("SXTL2 .8H", 0, 2)
	for i := range vec(2) {
		m.op2("SXTL .4S", 1+i, 4+2*i)
		m.op2("SXTL2 .4S", 1+i, 5+2*i)
	}
	for i := range vec(4) {
		m.op2("SCVTF", 4+i, 4+i)
		m.mul(4+i, sign, 4+i)
		m.fma(4+i, scale, 8+i)
	}
	m.emit("VST1.P %s, 64(%v)", list(8, 4), dst)
	m.emit("SUB $16, %v", n)
	m.emit("CBNZ %v, half", n)
	m.end()
}

// quantize emits kernel.Quantize for elements that share a scale.
func (m *machine) quantize() {
	m.function("quantize", "(q *int8, x *float32, inv float32, n int)",
		"sets q = x*inv, rounded to even and clamped to ±127; n is a multiple of 32.", 0)
	q, x, n, inv := m.arg("q"), m.arg("x"), m.arg("n"), m.spread("inv", factor)
	low, high := m.constant(math.Float32bits(-127), 16), m.constant(math.Float32bits(127), 17)
	m.label("half") // 16 elements
	m.emit("VLD1.P 64(%v), %s", x, list(0, 4))
	for i := range vec(4) {
		m.mul(i, inv, i)
		m.op3("FMAXNM", i, low, i) // a NaN becomes -127
		m.op3("FMINNM", i, high, i)
		m.op2("FCVTNS", i, i)
	}
	m.narrow(0, 6)
	m.emit("VST1.P [V6.B16], 16(%v)", q)
	m.emit("SUB $16, %v", n)
	m.emit("CBNZ %v, half", n)
	m.end()
}

// dropout emits kernel.Dropout. A register has one counter of the generator, and its four words decide about four
// elements.
func (m *machine) dropout() {
	m.function("dropout", "(dst, x *float32, keys *[12][4]uint32, drop uint32, factor float32, n int)",
		"sets dst = word >= drop ? x*factor : +0; n is a multiple of 32. "+
			"keys holds the multipliers, the first counter and the ten round keys.", 0)
	dst, x, keys, n := m.arg("dst"), m.arg("x"), m.arg("keys"), m.arg("n")
	const multipliers, counter, drop, step = vec(16), vec(17), vec(28), vec(29)
	m.spread("factor", factor)
	m.spread("drop", drop)
	for i := range 3 { // 12 registers from the multipliers on
		m.emit("VLD1.P 64(%v), %s", keys, list(multipliers+vec(4*i), 4))
	}
	m.op2("XTN .2S", multipliers, multipliers)
	m.zero(step)
	m.emit("MOVD $1, R25")
	m.emit("VMOV R25, V%d.D[0]", int(step))
	// The words of one counter, the next counter, and the four elements.
	m.label("vector")
	m.copy(counter, 0)
	for round := range vec(10) {
		m.philoxRound(0, multipliers, counter+1+round)
	}
	m.emit("VADD V%d.D2, V%d.D2, V%d.D2", int(step), int(counter), int(counter))
	m.op3("CMHS", 0, drop, 0)
	m.emit("FMOVQ.P 16(%v), F1", x)
	m.mul(1, factor, 1)
	m.and(0, 1, 1)
	m.emit("FMOVQ.P F1, 16(%v)", dst)
	m.emit("SUB $4, %v", n)
	m.emit("CBNZ %v, vector", n)
	m.end()
}

// philoxRound emits one round on words (c0,c1,c2,c3). The products (l0,h0,l1,h1) are reversed to (h1,l1,h0,l0),
// and c1, c3 and the round key are combined with them by exclusive or.
func (m *machine) philoxRound(w, multipliers, key vec) {
	const p = vec(1)
	m.op2("XTN .2S", w, p)
	m.op3("UMULL .2D", p, multipliers, p)
	m.emit("VUSHR $32, V%d.D2, V%d.D2", int(w), int(w))
	m.emit("VREV64 V%d.S4, V%d.S4", int(p), int(p))
	m.emit("VEXT $8, V%d.B16, V%d.B16, V%d.B16", int(p), int(p), int(p))
	m.xor(w, p, w)
	m.xor(w, key, w)
}
