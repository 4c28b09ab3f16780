package main

import (
	"log"
	"math"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// blockLen is the number of elements that a loop over a row processes in each turn: the 32 lanes of
// NUMERICS.md, section 3.
const blockLen = 32

// machine emits code for one instruction set. Rows are processed in blocks of 32 elements, which are vectors
// of width elements. The last block of a row may have fewer elements and is masked.
type machine struct {
	suffix string
	wide   bool // AVX-512
	width  int  // elements in a vector
	vecs   int  // vectors in a block

	index  GPVirtual               // byte offset of the block in every row
	masked bool                    // the block being emitted is masked
	tail   []Op                    // AVX-512: the mask register of each vector
	shift  GPVirtual               // AVX2: the address of the masks of the block, in masks
	table  Mem                     // constants
	held   map[constant]VecVirtual // AVX-512: constants that are kept in registers
	masks  Mem                     // AVX2: 32 words of ones, then 32 words of zeros
	order  Mem                     // AVX2: the sequence in which pack instructions leave groups of four bytes
}

func newMachine(isa string) *machine {
	switch isa {
	case "avx512":
		return &machine{suffix: "AVX512", wide: true, width: 16, vecs: 2}
	case "avx2":
		return &machine{suffix: "AVX2", width: 8, vecs: 4}
	}
	log.Fatalf("unknown instruction set %q", isa)
	return nil
}

// text begins a function. doc is the rest of its comment in Go.
func (m *machine) text(name, signature, doc string) {
	TEXT(name+m.suffix, NOSPLIT, "func"+signature)
	Pragma("noescape")
	Doc(strings.ReplaceAll(name+m.suffix+" "+doc, "\t", ""))
}

// end ends a function.
func (m *machine) end() {
	m.held = nil
	VZEROUPPER()
	RET()
}

// vec is a new vector register.
func (m *machine) vec() VecVirtual {
	if m.wide {
		return ZMM()
	}
	return YMM()
}

// constant is the index of a vector in the table of constants.
type constant int

// The constants of kernel.Exp and of other primitives.
const (
	cExpMin constant = iota
	cExpMax
	cLog2e
	cRoundBias
	cNegLn2Hi
	cNegLn2Lo
	cExp0
	cExp1
	cExp2
	cExp3
	cExp4
	cExp5
	cOne
	cExponent // 127, an integer
	cNegInf
	cAbs // all bits except the sign
	c127
	cNeg127
	cSign
)

var constantBits = []uint32{
	cExpMin: 0xc2d00000, cExpMax: 0x42b20000, cLog2e: 0x3fb8aa3b, cRoundBias: 0x4b400000,
	cNegLn2Hi: 0xbf318000, cNegLn2Lo: 0x395e8083,
	cExp0: 0x3f000000, cExp1: 0x3e2aaaaa, cExp2: 0x3d2aa9c1, cExp3: 0x3c088908, cExp4: 0x3ab743ce,
	cExp5: 0x39506967,
	cOne:  math.Float32bits(1), cExponent: 127, cNegInf: 0xff800000, cAbs: 0x7fffffff,
	c127: math.Float32bits(127), cNeg127: math.Float32bits(-127), cSign: 0x80000000,
}

// constants emits the tables of constants.
func (m *machine) constants() {
	m.table = GLOBL("constants"+m.suffix, RODATA|NOPTR)
	for i, bits := range constantBits {
		for l := range m.width {
			DATA(4*(i*m.width+l), U32(bits))
		}
	}
	if m.wide {
		return
	}
	// AVX2 has no mask registers: masks are read from a sliding window over ones and zeros.
	m.masks = GLOBL("masks"+m.suffix, RODATA|NOPTR)
	for l := range 2 * blockLen {
		ones := uint32(0)
		if l < blockLen {
			ones = math.MaxUint32
		}
		DATA(4*l, U32(ones))
	}
	m.order = GLOBL("byteOrder"+m.suffix, RODATA|NOPTR)
	for i, w := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
		DATA(4*i, U32(w))
	}
}

// c is a constant as an operand: a register if it is held there, or else memory.
func (m *machine) c(k constant) Op {
	if v, ok := m.held[k]; ok {
		return v
	}
	return m.table.Offset(4 * m.width * int(k))
}

// hold keeps the constants of exp in registers until the function's end, if there are enough registers.
func (m *machine) hold() {
	if !m.wide {
		return
	}
	held := map[constant]VecVirtual{}
	for k := cExpMin; k <= cExponent; k++ {
		held[k] = m.constant(k)
	}
	m.held = held
}

// constant loads k into a register.
func (m *machine) constant(k constant) VecVirtual {
	v := m.vec()
	VMOVUPS(m.c(k), v)
	return v
}

// inRegister is a constant for an instruction that takes no memory operand.
func (m *machine) inRegister(k constant) VecVirtual {
	if v, ok := m.held[k]; ok {
		return v
	}
	return m.constant(k)
}

// arg loads a pointer or integer argument.
func arg(name string) GPVirtual { return Load(Param(name), GP64()).(GPVirtual) }

// spread is a vector whose elements are all a binary32 argument.
func (m *machine) spread(name string) VecVirtual {
	v := m.vec()
	a, err := Param(name).Resolve()
	if err != nil {
		log.Fatal(err)
	}
	VBROADCASTSS(a.Addr, v)
	return v
}

// scalar loads a binary32 argument. An instruction of SSE would wait for the upper parts of registers.
func scalar(name string) VecVirtual {
	v := XMM()
	a, err := Param(name).Resolve()
	if err != nil {
		log.Fatal(err)
	}
	VMOVSS(a.Addr, v)
	return v
}

// zero is a vector of zeros.
func (m *machine) zero() VecVirtual {
	v := m.vec()
	if m.wide {
		VPXORD(v, v, v)
	} else {
		VPXOR(v, v, v)
	}
	return v
}

// blocks emits the loop over n elements: body once for whole blocks, and once for the masked rest. n keeps
// its value.
func (m *machine) blocks(name string, n GPVirtual, body func()) {
	left := GP64()
	m.index = GP64()
	MOVQ(n, left)
	XORQ(m.index, m.index)
	Label(name)
	CMPQ(left, Imm(blockLen))
	JL(LabelRef(name + "Tail"))
	body()
	ADDQ(Imm(4*blockLen), m.index)
	SUBQ(Imm(blockLen), left)
	JMP(LabelRef(name))
	// The rest, with the same body under a mask.
	Label(name + "Tail")
	TESTQ(left, left)
	JZ(LabelRef(name + "Done"))
	m.mask(left)
	m.masked = true
	body()
	m.masked = false
	Label(name + "Done")
}

// mask prepares masks for the first n elements of a block.
func (m *machine) mask(n GPVirtual) {
	if !m.wide { // the window that begins n words of ones before the zeros
		m.shift = GP64()
		addr := GP64()
		MOVQ(U32(4*blockLen), m.shift)
		SHLQ(Imm(2), n)
		SUBQ(n, m.shift)
		LEAQ(m.masks, addr)
		ADDQ(addr, m.shift)
		return
	}
	// The low n bits, divided among the mask registers of both vectors.
	bits := GP32()
	MOVL(U32(math.MaxUint32), bits)
	BZHIL(n.As32(), bits, bits)
	lo, hi := K(), K()
	KMOVW(bits, lo)
	SHRL(Imm(16), bits)
	KMOVW(bits, hi)
	m.tail = []Op{lo, hi}
}

// maskVec loads AVX2's mask for vector i of the block.
func (m *machine) maskVec(i int) VecVirtual {
	v := YMM()
	VMOVUPS(Mem{Base: m.shift, Disp: 32 * i}, v)
	return v
}

// at is the memory of vector i of the block, in the row at p.
func (m *machine) at(p GPVirtual, i int) Mem {
	return Mem{Base: p, Index: m.index, Scale: 1, Disp: 4 * m.width * i}
}

// load loads vector i of the block. Masked elements are +0.
func (m *machine) load(p GPVirtual, i int) VecVirtual {
	v := m.vec()
	switch {
	case !m.masked:
		VMOVUPS(m.at(p, i), v)
	case m.wide:
		VMOVUPS_Z(m.at(p, i), m.tail[i], v)
	default:
		VMASKMOVPS(m.at(p, i), m.maskVec(i), v)
	}
	return v
}

// store stores vector i of the block, without masked elements.
func (m *machine) store(v VecVirtual, p GPVirtual, i int) {
	switch {
	case !m.masked:
		VMOVUPS(v, m.at(p, i))
	case m.wide:
		VMOVUPS(v, m.tail[i], m.at(p, i))
	default:
		VMASKMOVPS(v, m.maskVec(i), m.at(p, i))
	}
}

// keep copies v to acc, without the masked elements of vector i.
func (m *machine) keep(v, acc VecVirtual, i int) {
	switch {
	case !m.masked:
		VMOVAPS(v, acc)
	case m.wide:
		VMOVAPS(v, m.tail[i], acc)
	default:
		VBLENDVPS(m.maskVec(i), v, acc, acc)
	}
}

// accumulators is the lanes of a reduction, with a start value.
func (m *machine) accumulators(start func() VecVirtual) []VecVirtual {
	acc := make([]VecVirtual, m.vecs)
	for i := range acc {
		acc[i] = start()
	}
	return acc
}

// accumulate sets acc[i] = op(acc[i], x). Masked lanes stay unchanged: adding +0 could change -0.
func (m *machine) accumulate(acc []VecVirtual, i int, op func(x, acc, dst Op), x VecVirtual) {
	if !m.masked {
		op(x, acc[i], acc[i])
		return
	}
	t := m.vec()
	op(x, acc[i], t)
	m.keep(t, acc[i], i)
}

// accumulateFma sets acc[i] = fma(x, y, acc[i]). Masked lanes stay unchanged.
func (m *machine) accumulateFma(acc []VecVirtual, i int, x, y VecVirtual) {
	if !m.masked {
		VFMADD231PS(x, y, acc[i])
		return
	}
	t := m.vec()
	VMOVAPS(acc[i], t)
	VFMADD231PS(x, y, t)
	m.keep(t, acc[i], i)
}

func add(x, acc, dst Op) { VADDPS(x, acc, dst) }

// maximum is acc > x ? acc : x.
func maximum(x, acc, dst Op) { VMAXPS(x, acc, dst) }

// largest is x > acc ? x : acc, which never chooses a NaN.
func largest(x, acc, dst Op) { VMAXPS(acc, x, dst) }

// largestBits is the larger of two numbers without signs by their bits, in which a NaN is the largest.
func largestBits(x, acc, dst Op) { VPMAXUD(x, acc, dst) }

// fold combines the 32 lanes in halves and returns lane 0.
func (m *machine) fold(acc []VecVirtual, op func(x, acc, dst Op)) VecVirtual {
	for w := len(acc) / 2; w > 0; w /= 2 {
		for i := range w {
			op(acc[i+w], acc[i], acc[i])
		}
	}
	// Within a register: the upper half onto the lower one, again and again.
	a, high := acc[0], YMM()
	if m.wide {
		VEXTRACTF64X4(Imm(1), a, high)
		op(high, a.AsY(), a.AsY())
		VEXTRACTF32X4(Imm(1), a.AsY(), high.AsX())
	} else {
		VEXTRACTF128(Imm(1), a.AsY(), high.AsX())
	}
	op(high.AsX(), a.AsX(), a.AsX())
	VPERMILPD(Imm(1), a.AsX(), high.AsX())
	op(high.AsX(), a.AsX(), a.AsX())
	VMOVSHDUP(a.AsX(), high.AsX())
	op(high.AsX(), a.AsX(), a.AsX())
	return a
}

// spreadLane is a vector whose elements are all lane 0 of v.
func (m *machine) spreadLane(v VecVirtual) VecVirtual {
	w := m.vec()
	VBROADCASTSS(v.AsX(), w)
	return w
}

// exp replaces each of a few vectors by kernel.Exp of it. Each step needs the result of the one before, so the
// vectors are interleaved.
func (m *machine) exp(x ...VecVirtual) {
	t, n, p := make([]VecVirtual, len(x)), make([]VecVirtual, len(x)), make([]VecVirtual, len(x))
	each := func(step func(i int)) {
		for i := range x {
			step(i)
		}
	}
	// Clamp. The sequence of operands lets a NaN pass.
	each(func(i int) { VMAXPS(x[i], m.inRegister(cExpMin), x[i]) })
	each(func(i int) { VMINPS(x[i], m.inRegister(cExpMax), x[i]) })
	// x = n ln 2 + r.
	each(func(i int) {
		t[i], n[i] = m.constant(cRoundBias), m.vec()
		VFMADD231PS(m.c(cLog2e), x[i], t[i])
	})
	each(func(i int) { VSUBPS(m.c(cRoundBias), t[i], n[i]) })
	each(func(i int) { VFMADD231PS(m.c(cNegLn2Hi), n[i], x[i]) })
	each(func(i int) { VFMADD231PS(m.c(cNegLn2Lo), n[i], x[i]) })
	// The polynomial, then 1 + r + r*r*p.
	each(func(i int) { p[i] = m.constant(cExp5) })
	for _, k := range []constant{cExp4, cExp3, cExp2, cExp1, cExp0} {
		each(func(i int) { VFMADD213PS(m.c(k), x[i], p[i]) })
	}
	square := n
	if m.wide {
		square = t
	}
	each(func(i int) { VMULPS(x[i], x[i], square[i]) })
	each(func(i int) { VFMADD213PS(x[i], square[i], p[i]) })
	each(func(i int) { VADDPS(m.c(cOne), p[i], p[i]) })
	if m.wide {
		// The reference multiplies by two powers of two. The first product is exact, because p
		// is near 1, so one multiplication by both rounds in the same way.
		each(func(i int) { VSCALEFPS(n[i], p[i], x[i]) })
		return
	}
	// Times 2^h and 2^(k-h), whose bits are made by integer operations.
	h := n
	each(func(i int) { VPSUBD(m.c(cRoundBias), t[i], t[i]) })
	each(func(i int) { VPSRAD(Imm(1), t[i], h[i]) })
	each(func(i int) { VPSUBD(h[i], t[i], t[i]) })
	for _, k := range [][]VecVirtual{h, t} {
		each(func(i int) { VPADDD(m.c(cExponent), k[i], k[i]) })
		each(func(i int) { VPSLLD(Imm(23), k[i], k[i]) })
	}
	each(func(i int) { VMULPS(h[i], p[i], p[i]) })
	each(func(i int) { VMULPS(t[i], p[i], x[i]) })
}

// pairs calls f for each two vectors of a block: exp has registers for two at a time.
func (m *machine) pairs(f func(i, j int)) {
	for i := 0; i < m.vecs; i += 2 {
		f(i, i+1)
	}
}
