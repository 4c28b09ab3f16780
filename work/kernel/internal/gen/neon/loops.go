package main

import "fmt"

// Vector registers by use. A row function has up to 16 sums or 14 constants
// of exp after 8 sums, temporaries, and two factors.
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

// begin puts cursors on pointers and n in a counter; done gives the
// registers back.
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

// steps writes a loop while at least n elements are left.
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

// blocks writes the loops over n elements: by 32, by 4 and by 1. body(i) is
// for vector i of a block.
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

// reduce writes the loops of reductions into the lanes at each of accs, whose
// start is all there. The elements after the last block take the first lanes,
// which wait in memory, 4 lanes or 1 at a time. body(i) adds vector i of a
// block to register i of the lanes.
func (m *machine) reduce(n gp, pointers []gp, accs []vec, body func(i int)) {
	left, done := m.begin(n, pointers)
	m.steps(left, pointers, blockLen, func() {
		for i := range vecs {
			body(i)
		}
	})
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

// fill sets the lanes at acc to v's element.
func (m *machine) fill(bits uint32, acc vec) {
	for i := range vec(vecs) {
		if bits == 0 {
			m.zero(acc + i)
		} else {
			m.constant(bits, acc+i)
		}
	}
}

// fold combines the 32 lanes at acc in halves; the result is element 0 of acc.
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

// The constants of kernel.Exp, in the order of their registers.
var expConstants = []uint32{
	0xc2d00000, 0x42b20000, 0x3fb8aa3b, 0x4b400000, 0xbf318000, 0x395e8083,
	0x39506967, 0x3ab743ce, 0x3c088908, 0x3d2aa9c1, 0x3e2aaaaa, 0x3f000000,
	one, 127,
}

const (
	one         = 0x3f800000
	negativeInf = 0xff800000
)

// hold loads the constants of exp.
func (m *machine) hold() {
	for i, bits := range expConstants {
		m.constant(bits, exponents+vec(i))
	}
}

// exp is kernel.Exp of x, in place. It needs temp+1 to temp+4.
func (m *machine) exp(x vec) {
	c := func(i int) vec { return exponents + vec(i) }
	t, n, p, q := temp+1, temp+2, temp+3, temp+4
	m.op3("FMAX", x, c(0), x)
	m.op3("FMIN", x, c(1), x)
	m.copy(c(3), t)
	m.fma(x, c(2), t)
	m.sub(t, c(3), n)
	m.fma(n, c(4), x)
	m.fma(n, c(5), x)
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
