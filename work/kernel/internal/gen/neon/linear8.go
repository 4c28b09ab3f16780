package main

import "fmt"

// dots is how a function multiplies codes: a tile of some rows and of 16 columns, which are a panel.
//
// Every processor multiplies bytes to products of 16 bits and adds these in pairs to sums of 32 bits: four
// instructions for 16 products. SDOT (FEAT_DotProd of Armv8.2) does both in one instruction. Not every processor
// has it. The sums are exact, so both give the same bits.
type dots struct {
	rows int
	sdot bool
}

// The registers of a tile: the sums from 0 on, and the others.
const (
	panelCodes vec = 16 // 64 codes of the panel: four rows of 16 columns
	rowCodes   vec = 20 // four codes of each row
	products   vec = 24
)

func (d dots) name(of string) string {
	if d.sdot {
		return fmt.Sprintf("%s%dDot", of, d.rows)
	}
	return fmt.Sprintf("%s%d", of, d.rows)
}

// sum is the register of the sums of row i and the columns 4j to 4j+3. Without SDOT a sum is in two halves, until
// whole adds them.
func (d dots) sum(i, j int) vec {
	if d.sdot {
		return vec(4*i + j)
	}
	return vec(8*i + 2*j)
}

// clear sets all sums to 0.
func (m *machine) clear(d dots) {
	n := d.sum(d.rows, 0)
	for i := range n {
		m.zero(i)
	}
}

// dot adds the products of the next group: four codes of each row, which are all elements of the register x(i),
// or with SDOT only its element lane(i), times four rows of the panel's columns.
func (m *machine) dot(d dots, x func(i int) vec, lane func(i int) int) {
	for i := range d.rows {
		for j := range 4 {
			w, sum, t := panelCodes+vec(j), d.sum(i, j), products+2*vec(j)
			if d.sdot {
				m.sdot(w, x(i), lane(i), sum)
				continue
			}
			m.op3("SMULL .8H", w, x(i), t)
			m.op3("SMULL2 .8H", w, x(i), t+1)
			m.op2("SADALP .4S", t, sum)
			m.op2("SADALP .4S", t+1, sum+1)
		}
	}
}

// whole adds the halves of the sums of row i and the columns 4j to 4j+3, and makes them binary32 numbers.
func (m *machine) whole(d dots, i, j int) vec {
	sum := d.sum(i, j)
	if !d.sdot {
		m.op3("ADDP", sum, sum+1, sum)
	}
	m.op2("SCVTF", sum, sum)
	return sum
}

// linear8 emits kernel.Linear8 for some rows.
func (m *machine) linear8(d dots) {
	m.function(d.name("linear8x"),
		"(y *float32, ldy int, q *int8, ldq, groups int, w *int8, panels int, sx, sw, b *float32)",
		fmt.Sprintf("is kernel.Linear8 of %d rows, ldq bytes apart, of groups times 4 codes, and whole panels; "+
			"rows of y are ldy bytes apart.", d.rows), 0)
	r := m.args("y", "ldy", "q", "ldq", "groups", "w", "panels", "sx", "sw", "b")
	y, ldy, q, ldq, groups, w, panels, sx, sw, b := r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9]
	left, to := m.reg(), m.reg()
	var at []gp
	for range d.rows {
		at = append(at, m.reg())
	}
	m.label("panel")
	m.clear(d)
	m.emit("MOVD %v, %v", groups, left)
	m.emit("MOVD %v, %v", q, at[0])
	for i := 1; i < d.rows; i++ {
		m.emit("ADD %v, %v, %v", ldq, at[i-1], at[i])
	}
	m.label("product")
	m.emit("VLD1.P 64(%v), %s", w, bytes16(panelCodes, 4))
	for i, p := range at {
		// SDOT selects an element by itself.
		if x := rowCodes + vec(i); d.sdot {
			m.emit("FMOVS.P 4(%v), %s", p, x.f())
		} else {
			m.emit("VLD1R.P 4(%v), [%s]", p, x.s4())
		}
	}
	m.dot(d, func(i int) vec { return rowCodes + vec(i) }, func(int) int { return 0 })
	m.emit("SUB $1, %v", left)
	m.emit("CBNZ %v, product", left)
	// y = float(sum)*(sx*sw) + b, row after row.
	m.emit("MOVD %v, %v", y, to)
	const scales, bias, scale = vec(16), vec(20), vec(24)
	for i := range at {
		m.emit("FMOVS %d(%v), %s", 4*i, sx, scale.f())
		m.spreadLane(scale)
		m.emit("VLD1 (%v), %s", sw, list(scales, 4))
		m.emit("VLD1 (%v), %s", b, list(bias, 4))
		for j := range 4 {
			sum, v := m.whole(d, i, j), scales+vec(j)
			m.mul(scale, v, v)
			m.mul(v, sum, v)
			m.add(bias+vec(j), v, v)
		}
		m.emit("VST1 %s, (%v)", list(scales, 4), to)
		m.emit("ADD %v, %v", ldy, to)
	}
	for _, p := range []gp{y, sw, b} {
		m.emit("ADD $64, %v", p)
	}
	m.emit("SUB $1, %v", panels)
	m.emit("CBNZ %v, panel", panels)
	m.end()
}

// weightGrad8 emits a block of kernel.Linear8WeightGrad for some columns of X, which are rows of the result. The
// codes of X are packed as those of dY are: the codes of four tokens and one column are adjacent.
func (m *machine) weightGrad8(d dots) {
	m.function(d.name("weightGrad8x"),
		"(y *float32, ldy int, q *int8, groups int, z *int8, ldz, panels int, scales *float32)",
		fmt.Sprintf("adds a block of kernel.Linear8WeightGrad to %d rows of y, ldy bytes apart: the products of packed "+
			"codes of X and of whole panels of dY, ldz bytes apart, of groups times 4 tokens.", d.rows), 0)
	r := m.args("y", "ldy", "q", "groups", "z", "ldz", "panels", "scales")
	y, ldy, q, groups, z, ldz, panels, scales := r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]
	left, to, at := m.reg(), m.reg(), m.reg()
	var x []gp
	step := gp(0)
	if !d.sdot {
		x, step = []gp{m.reg(), m.reg()}[:d.rows], m.reg()
		m.emit("MOVD $64, %v", step)
	}
	m.label("panel")
	m.clear(d)
	m.emit("MOVD %v, %v", groups, left)
	m.emit("MOVD %v, %v", z, at)
	for i, p := range x {
		m.emit("ADD $%d, %v, %v", 4*i, q, p)
	}
	if d.sdot {
		x = []gp{m.reg()}
		m.emit("MOVD %v, %v", q, x[0])
	}
	m.label("product")
	m.emit("VLD1.P 64(%v), %s", at, bytes16(panelCodes, 4))
	for i, p := range x {
		// One register has the codes of four rows, of which SDOT selects one.
		if v := rowCodes + vec(i); d.sdot {
			m.emit("FMOVQ.P 64(%v), %s", p, v.f())
		} else {
			m.emit("VLD1R.P (%v)(%v), [%s]", p, step, v.s4())
		}
	}
	m.dot(d, func(i int) vec { return rowCodes + vec(i%len(x)) }, func(i int) int { return i })
	m.emit("SUB $1, %v", left)
	m.emit("CBNZ %v, product", left)
	// y = fma(float(sum), scales, y), row after row.
	m.emit("MOVD %v, %v", y, to)
	m.emit("VLD1.P 64(%v), %s", scales, list(16, 4))
	for i := range d.rows {
		m.emit("VLD1 (%v), %s", to, list(20, 4))
		for j := range 4 {
			m.fma(m.whole(d, i, j), 16+vec(j), 20+vec(j))
		}
		m.emit("VST1 %s, (%v)", list(20, 4), to)
		m.emit("ADD %v, %v", ldy, to)
	}
	m.emit("ADD $64, %v", y)
	m.emit("ADD %v, %v", ldz, z)
	m.emit("SUB $1, %v", panels)
	m.emit("CBNZ %v, panel", panels)
	m.end()
}
