package main

import "fmt"

// linear8 emits kernel.Linear8 for one row or two. Products of bytes have 16 bits, and are added in pairs to sums
// of 32 bits. SDOT would do both, but not every processor has it.
func (m *machine) linear8(rows int) {
	m.function(fmt.Sprintf("linear8x%d", rows),
		"(y *float32, ldy int, q *int8, ldq, groups int, w *int8, panels int, sx, sw, b *float32)",
		fmt.Sprintf("is kernel.Linear8 of %d rows, ldq bytes apart, of groups times 4 codes, and whole panels; "+
			"rows of y are ldy bytes apart.", rows), 0)
	r := m.args("y", "ldy", "q", "ldq", "groups", "w", "panels", "sx", "sw", "b")
	y, ldy, q, ldq, groups, w, panels, sx, sw, b := r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9]
	left, to := m.reg(), m.reg()
	at := []gp{m.reg(), m.reg()}[:rows]
	// Registers 0 to 15 are the sums: for each row, two halves for every four columns.
	const codes, weight, products = vec(16), vec(20), vec(24)
	m.label("panel")
	for i := range vec(8 * rows) {
		m.zero(i)
	}
	m.emit("MOVD %v, %v", groups, left)
	m.emit("MOVD %v, %v", q, at[0])
	if rows > 1 {
		m.emit("ADD %v, %v, %v", ldq, q, at[1])
	}
	// For each group: four codes of each row, times four rows of the panel's 16 columns.
	m.label("product")
	m.emit("VLD1.P 64(%v), [V20.B16, V21.B16, V22.B16, V23.B16]", w)
	for i, p := range at {
		x := codes + vec(i)
		m.emit("VLD1R.P 4(%v), [%s]", p, x.s4())
		for j := range vec(4) { // four columns each
			sum, t := vec(8*i)+2*j, products+2*j
			m.op3("SMULL .8H", weight+j, x, t)
			m.op3("SMULL2 .8H", weight+j, x, t+1)
			m.op2("SADALP .4S", t, sum)
			m.op2("SADALP .4S", t+1, sum+1)
		}
	}
	m.emit("SUB $1, %v", left)
	m.emit("CBNZ %v, product", left)
	// y = float(sum)*(sx*sw) + b, row after row.
	m.emit("MOVD %v, %v", y, to)
	for i := range at {
		m.emit("FMOVS %d(%v), F24", 4*i, sx)
		m.spreadLane(products)
		m.emit("VLD1 (%v), %s", sw, list(codes, 4))
		m.emit("VLD1 (%v), %s", b, list(weight, 4))
		for j := range vec(4) {
			sum := vec(8*i) + 2*j
			m.op3("ADDP", sum, sum+1, sum)
			m.op2("SCVTF", sum, sum)
			m.mul(products, codes+j, codes+j)
			m.mul(codes+j, sum, codes+j)
			m.add(weight+j, codes+j, codes+j)
		}
		m.emit("VST1 %s, (%v)", list(codes, 4), to)
		m.emit("ADD %v, %v", ldy, to)
	}
	for _, p := range []gp{y, sw, b} {
		m.emit("ADD $64, %v", p)
	}
	m.emit("SUB $1, %v", panels)
	m.emit("CBNZ %v, panel", panels)
	m.end()
}
