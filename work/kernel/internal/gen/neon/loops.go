package main

import "fmt"

// The vector registers by use. A function on a row has 16 sums, or 8 sums and 14 constants of exp; temporaries;
// and two factors.
const (
	sums      vec = 0
	sums2     vec = 8
	exponents vec = 8 // 14 constants
	scratch   vec = 22
	temp      vec = 23 // to 29
	factor    vec = 30
	factor2   vec = 31
)

const lanesSize = 4 * blockLen // bytes of the lanes of a reduction in memory

// begin copies n to a counter and the pointers to cursors. done frees these registers.
func (m *machine) begin(n gp, pointers []gp) (left gp, done func()) {
	free := m.next
	left = m.reg()
	m.emit("MOVD %v, %v", n, left)
	m.cursor = map[gp]gp{}
	for _, p := range pointers {
		c := m.reg()
		m.emit("MOVD %v, %v", p, c)
		m.cursor[p] = c
	}
	return left, func() { m.next = free }
}

// steps emits a loop that runs while at least n elements are left.
func (m *machine) steps(left gp, pointers []gp, n int, body func()) {
	loop, out := m.name("loop"), m.name("out")
	m.move = "FMOVQ"
	if n == 1 {
		m.move = "FMOVS"
	}
	m.emit("CMP $%d, %v", n, left)
	m.emit("BLT %s", out)
	m.label(loop)
	body()
	for _, p := range pointers {
		m.emit("ADD $%d, %v", 4*n, m.cursor[p])
	}
	m.emit("SUB $%d, %v", n, left)
	m.emit("CMP $%d, %v", n, left)
	m.emit("BGE %s", loop)
	m.label(out)
}

// blocks emits the loops over n elements: by 32, by 4 and by 1. body(i) emits the code for vector i of a block.
func (m *machine) blocks(n gp, pointers []gp, body func(i int)) {
	left, done := m.begin(n, pointers)
	m.steps(left, pointers, blockLen, func() {
		for i := range vecs {
			body(i)
		}
	})
	m.steps(left, pointers, 4, func() { body(0) })
	m.steps(left, pointers, 1, func() { body(0) })
	done()
}

// reduce emits the loops of reductions. accs are the first registers of their lanes, which have start values. The
// elements behind the last block belong to the first lanes. For them the lanes are stored in the frame, and 4
// lanes or 1 lane at a time are loaded from there. body(i) adds vector i of a block to register i of the lanes.
func (m *machine) reduce(n gp, pointers []gp, accs []vec, body func(i int)) {
	left, done := m.begin(n, pointers)
	m.steps(left, pointers, blockLen, func() {
		for i := range vecs {
			body(i)
		}
	})
	// Without a rest the lanes stay in registers.
	skip := m.name("folded")
	m.emit("CBZ %v, %s", left, skip)
	lane := m.reg()
	home := func(op string, base string) {
		for k, a := range accs {
			for i := range vec(vecs) {
				at := fmt.Sprintf("%d(%s)", k*lanesSize+vectorSize*int(i), base)
				if op == "store" {
					m.emit("FMOVQ %s, %s", (a + i).f(), at)
				} else {
					m.emit("FMOVQ %s, %s", at, (a + i).f())
				}
			}
		}
	}
	// The rest: the lanes in memory advance with the row.
	address := func() { m.emit("MOVD $lanes-%d(SP), %v", lanesSize*len(accs), lane) }
	address()
	home("store", lane.String())
	m.cursor[lane] = lane
	for _, step := range []int{4, 1} {
		m.steps(left, append(pointers[:len(pointers):len(pointers)], lane), step, func() {
			for k, a := range accs {
				m.emit("%s %d(%v), %s", m.move, k*lanesSize, lane, a.f())
			}
			body(0)
			for k, a := range accs {
				m.emit("%s %s, %d(%v)", m.move, a.f(), k*lanesSize, lane)
			}
		})
	}
	address()
	home("load", lane.String())
	m.label(skip)
	done()
}

// fill sets all lanes at acc to a bit pattern.
func (m *machine) fill(bits uint32, acc vec) {
	for i := range vec(vecs) {
		if bits == 0 {
			m.zero(acc + i)
		} else {
			m.constant(bits, acc+i)
		}
	}
}

// fold combines the 32 lanes at acc in halves. The result is element 0 of acc.
func (m *machine) fold(acc vec, op func(x, acc vec)) vec {
	for w := vec(vecs / 2); w > 0; w /= 2 {
		for i := range w {
			op(acc+i+w, acc+i)
		}
	}
	m.emit("VEXT $8, V%d.B16, V%d.B16, V%d.B16", int(acc), int(acc), int(temp))
	op(temp, acc)
	m.emit("VDUP V%d.S[1], %s", int(acc), temp.s4())
	op(temp, acc)
	return acc
}

// expConstants is the constants of kernel.Exp, in the sequence of their registers.
var expConstants = []uint32{
	0xc2d00000, 0x42b20000, 0x3fb8aa3b, 0x4b400000, 0xbf318000, 0x395e8083,
	0x39506967, 0x3ab743ce, 0x3c088908, 0x3d2aa9c1, 0x3e2aaaaa, 0x3f000000,
	one, 127,
}

const (
	one         = 0x3f800000
	negativeInf = 0xff800000
)

// hold loads the constants of exp into their registers.
func (m *machine) hold() {
	for i, bits := range expConstants {
		m.constant(bits, exponents+vec(i))
	}
}

// exp replaces x by kernel.Exp of it. It uses the registers temp+1 to temp+4.
func (m *machine) exp(x vec) {
	c := func(i int) vec { return exponents + vec(i) }
	t, n, p, q := temp+1, temp+2, temp+3, temp+4
	// Clamp, and x = n ln 2 + r.
	m.op3("FMAX", x, c(0), x)
	m.op3("FMIN", x, c(1), x)
	m.copy(c(3), t)
	m.fma(x, c(2), t)
	m.sub(t, c(3), n)
	m.fma(n, c(4), x)
	m.fma(n, c(5), x)
	// The polynomial, then 1 + r + r*r*p.
	m.copy(c(7), p)
	m.fma(c(6), x, p)
	for i := 8; i <= 11; i++ {
		m.copy(c(i), q)
		m.fma(p, x, q)
		p, q = q, p
	}
	m.mul(x, x, n)
	m.fma(p, n, x)
	m.add(x, c(12), x)
	// Times 2^h and 2^(k-h), whose bits are made by integer operations.
	h := n
	m.emit("VSUB %s, %s, %s", c(3).s4(), t.s4(), t.s4())
	m.op2("SSHR #1", t, h)
	m.emit("VSUB %s, %s, %s", h.s4(), t.s4(), t.s4())
	for _, k := range []vec{h, t} {
		m.emit("VADD %s, %s, %s", c(13).s4(), k.s4(), k.s4())
		m.emit("VSHL $23, %s, %s", k.s4(), k.s4())
		m.mul(x, k, x)
	}
}
