package main

// The functions here make the codes of a panel: 16 columns, with the codes of four rows and one column adjacent.

// columnMax emits the largest magnitudes of columns. Magnitudes are compared as integers, so that a NaN is larger
// than infinity.
func (m *machine) columnMax() {
	m.function("columnMax", "(top, x *float32, ldx int, f *float32, ldf, n int)",
		"sets the 16 elements of top to the largest magnitudes of x*f over n rows of 16 columns; rows of x are ldx "+
			"bytes apart, factors of rows ldf bytes.", 0)
	top, x, ldx, f, ldf, n := m.arg("top"), m.arg("x"), m.arg("ldx"), m.arg("f"), m.arg("ldf"), m.arg("n")
	for i := range vec(4) {
		m.zero(i)
	}
	m.label("row")
	m.emit("VLD1.P (%v)(%v), %s", x, ldx, list(4, 4))
	m.emit("VLD1R.P (%v)(%v), [%s]", f, ldf, factor.s4())
	for i := range vec(4) {
		m.mul(4+i, factor, 4+i)
		m.op2("FABS", 4+i, 4+i)
		m.op3("UMAX", 4+i, i, i)
	}
	m.emit("SUB $1, %v", n)
	m.emit("CBNZ %v, row", n)
	m.emit("VST1 %s, (%v)", list(0, 4), top)
	m.end()
}

// quantizeColumns emits the codes of a panel. A store of four registers in turn interleaves four rows. All numbers
// are finite, and inv is the inverse of a column's scale, so that no product rounds to more than 127.
func (m *machine) quantizeColumns() {
	m.function("quantizeColumns", "(q *int8, x *float32, ldx int, f *float32, ldf int, inv *float32, groups int)",
		"sets q to the packed codes of x*f*inv of groups times 4 rows of 16 columns; rows of x are ldx bytes apart, "+
			"factors of rows ldf bytes; inv is of columns.", 0)
	q, x, ldx, f, ldf := m.arg("q"), m.arg("x"), m.arg("ldx"), m.arg("f"), m.arg("ldf")
	inv, groups := m.arg("inv"), m.arg("groups")
	const codes, scales, row = vec(0), vec(4), vec(8)
	m.emit("VLD1 (%v), %s", inv, list(scales, 4))
	m.label("group")
	for r := range vec(4) {
		m.emit("VLD1.P (%v)(%v), %s", x, ldx, list(row, 4))
		m.emit("VLD1R.P (%v)(%v), [%s]", f, ldf, factor.s4())
		for i := range vec(4) {
			v := row + i
			m.mul(v, factor, v)
			m.mul(v, scales+i, v)
			m.op2("FCVTNS", v, v)
		}
		m.narrow(row, codes+r)
	}
	m.emit("VST4.P %s, 64(%v)", bytes16(codes, 4), q)
	m.emit("SUB $1, %v", groups)
	m.emit("CBNZ %v, group", groups)
	m.end()
}

// narrow emits dst = 16 integers from v on, which has four registers and is overwritten, as bytes.
func (m *machine) narrow(v, dst vec) {
	for i := range vec(2) {
		m.op2("XTN .4H", v+2*i, v+2*i)
		m.op2("XTN2 .8H", v+2*i+1, v+2*i)
	}
	m.op2("XTN .8B", v, dst)
	m.op2("XTN2 .16B", v+2, dst)
}

// packCodes emits the copy of rows of codes to a panel.
func (m *machine) packCodes() {
	m.function("packCodes", "(dst, q *int8, ldq, groups int)",
		"packs groups times 4 rows of 16 codes, ldq bytes apart.", 0)
	dst, q, ldq, groups := m.arg("dst"), m.arg("q"), m.arg("ldq"), m.arg("groups")
	m.label("group")
	for i := range vec(4) {
		m.emit("VLD1.P (%v)(%v), %s", q, ldq, bytes16(i, 1))
	}
	m.emit("VST4.P %s, 64(%v)", bytes16(0, 4), dst)
	m.emit("SUB $1, %v", groups)
	m.emit("CBNZ %v, group", groups)
	m.end()
}

// turnCodes emits the transposition of 16 rows of a panel, whose columns become the rows of another panel. Each
// register has four rows of four columns: it is transposed by itself, and stored at its transposed place.
func (m *machine) turnCodes() {
	m.function("turnCodes", "(dst, src *[256]int8)", "transposes the packed codes of 16 rows and columns.", 0)
	dst, src := m.arg("dst"), m.arg("src")
	const index = vec(31)
	for i, bytes := range []uint64{0x0d0905010c080400, 0x0f0b07030e0a0602} {
		m.emit("MOVD $0x%016x, R25", bytes)
		m.emit("VMOV R25, V%d.D[%d]", int(index), i)
	}
	for g := range vec(4) {
		m.emit("VLD1.P 64(%v), %s", src, bytes16(4*g, 4))
		for h := range vec(4) {
			v := 4*g + h
			m.emit("VTBL V%d.B16, [V%d.B16], V%d.B16", int(index), int(v), int(v))
			m.emit("FMOVQ %s, %d(%v)", v.f(), int(64*h+16*g), dst)
		}
	}
	m.end()
}
