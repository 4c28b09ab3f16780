package main

import (
	"bytes"
	"fmt"
	"log"
	"strings"
)

const (
	vectorSize = 16 // bytes of a register, which are 4 elements
	vecs       = 8  // registers for a block: the 32 lanes of NUMERICS.md, section 3
	blockLen   = 32 // elements of a block
)

// gp is a general-purpose register, vec a vector register.
type (
	gp  int
	vec int
)

func (r gp) String() string { return fmt.Sprintf("R%d", int(r)) }

// s4 is v's name as a vector of four elements, f its name as a scalar register.
func (v vec) s4() string { return fmt.Sprintf("V%d.S4", int(v)) }
func (v vec) f() string  { return fmt.Sprintf("F%d", int(v)) }

// machine emits a file of assembly and a file of Go declarations.
type machine struct {
	code, stubs bytes.Buffer

	// Of the function being emitted:
	offset map[string]int // of each argument
	next   gp             // the next free general-purpose register
	labels int            // labels made by name
	// Of the loop being emitted:
	cursor map[gp]gp // by pointer: its present position
	move   string    // the instruction that loads and stores: FMOVQ or FMOVS
}

// emit emits one instruction.
func (m *machine) emit(format string, args ...any) {
	fmt.Fprintf(&m.code, "\t"+format+"\n", args...)
}

func (m *machine) label(name string) { fmt.Fprintf(&m.code, "%s:\n", name) }

// name makes a new label for this function.
func (m *machine) name(what string) string {
	m.labels++
	return fmt.Sprintf("%s%d", what, m.labels)
}

// function begins a function with a frame of the given number of bytes. doc is the rest of its comment in Go.
func (m *machine) function(name, signature, doc string, frame int) {
	name += "NEON"
	m.next, m.labels, m.offset = 0, 0, map[string]int{}
	// Parse the signature, from the last parameter on: in "x, y int" the type comes last.
	params, result, _ := strings.Cut(strings.TrimPrefix(signature, "("), ")")
	size := 0
	fields := strings.Split(params, ", ")
	kind := ""
	kinds := make([]string, len(fields))
	for i := len(fields) - 1; i >= 0; i-- {
		if n, t, ok := strings.Cut(fields[i], " "); ok {
			fields[i], kind = n, t
		}
		kinds[i] = kind
	}
	// Offsets of the arguments, by Go's alignment, and of the result behind them.
	for i, n := range fields {
		width := 8
		if kinds[i] == "float32" || kinds[i] == "uint32" {
			width = 4
		}
		size = (size + width - 1) / width * width
		m.offset[n] = size
		size += width
	}
	size = (size + 7) / 8 * 8
	m.offset["ret"] = size
	if result != "" {
		size += 8
		if strings.TrimSpace(result) == "float32" {
			size -= 4
		}
	}
	fmt.Fprintf(&m.stubs, "\n// %s %s\n//\n//go:noescape\nfunc %s%s\n", name, doc, name, signature)
	fmt.Fprintf(&m.code, "\n// func %s%s\nTEXT ·%s(SB), NOSPLIT, $%d-%d\n", name, signature, name, frame, size)
}

// end ends a function, or one of its paths.
func (m *machine) end() { m.emit("RET") }

// reg takes a free general-purpose register. R18 belongs to the platform, R25 is for constants, and higher ones
// belong to the assembler and the runtime.
func (m *machine) reg() gp {
	if m.next == 18 {
		m.next++
	}
	if m.next > 24 {
		log.Fatal("no general register is left")
	}
	m.next++
	return m.next - 1
}

// arg loads a pointer or integer argument.
func (m *machine) arg(name string) gp {
	r := m.reg()
	m.emit("MOVD %s+%d(FP), %v", name, m.offset[name], r)
	return r
}

// args loads several arguments.
func (m *machine) args(names ...string) []gp {
	var rs []gp
	for _, n := range names {
		rs = append(rs, m.arg(n))
	}
	return rs
}

// scalar loads a binary32 argument.
func (m *machine) scalar(name string, v vec) vec {
	m.emit("FMOVS %s+%d(FP), %s", name, m.offset[name], v.f())
	return v
}

// spread fills v with a binary32 argument.
func (m *machine) spread(name string, v vec) vec { return m.spreadLane(m.scalar(name, v)) }

// spreadLane fills v with its first element.
func (m *machine) spreadLane(v vec) vec {
	m.emit("VDUP V%d.S[0], %s", int(v), v.s4())
	return v
}

// constant fills v with a bit pattern.
func (m *machine) constant(bits uint32, v vec) vec {
	m.emit("MOVW $0x%08x, R25", bits)
	m.emit("VDUP R25, %s", v.s4())
	return v
}

// zero, copy, and, xor emit these operations on whole registers.
func (m *machine) zero(v vec) vec {
	m.emit("VEOR V%d.B16, V%d.B16, V%d.B16", int(v), int(v), int(v))
	return v
}

func (m *machine) copy(src, dst vec) { m.emit("VMOV V%d.B16, V%d.B16", int(src), int(dst)) }

func (m *machine) and(x, y, dst vec) {
	m.emit("VAND V%d.B16, V%d.B16, V%d.B16", int(x), int(y), int(dst))
}

func (m *machine) xor(x, y, dst vec) {
	m.emit("VEOR V%d.B16, V%d.B16, V%d.B16", int(x), int(y), int(dst))
}

// encodings has the instructions that Go's assembler does not know: their encodings with all registers zero (Arm
// Architecture Reference Manual, C7.2).
var encodings = map[string]uint32{
	"FADD": 0x4e20d400, "FSUB": 0x4ea0d400, "FMUL": 0x6e20dc00, "FDIV": 0x6e20fc00,
	"FMAX": 0x4e20f400, "FMIN": 0x4ea0f400, "FMAXNM": 0x4e20c400, "FMINNM": 0x4ea0c400,
	"FCMGT": 0x6ea0e400, "FCMEQ": 0x4e20e400, "CMHS": 0x6ea03c00,
	"FCMGT #0": 0x4ea0c800, "FSQRT": 0x6ea1f800, "FABS": 0x4ea0f800,
	"UMAXV": 0x6eb0a800, "UMAX": 0x6ea06400, "FCVTNS": 0x4e21a800, "SCVTF": 0x4e21d800, "SSHR #1": 0x4f3f0400,
	"UMULL .2D": 0x2ea0c000, "XTN .2S": 0x0ea12800,
	"XTN .4H": 0x0e612800, "XTN2 .8H": 0x4e612800, "XTN .8B": 0x0e212800, "XTN2 .16B": 0x4e212800,
	"SXTL .8H": 0x0f08a400, "SXTL2 .8H": 0x4f08a400, "SXTL .4S": 0x0f10a400, "SXTL2 .4S": 0x4f10a400,
	"SMULL .8H": 0x0e20c000, "SMULL2 .8H": 0x4e20c000, "SADALP .4S": 0x4e606800, "ADDP": 0x4ea0bc00,
	"TRN1": 0x4e802800, "TRN2": 0x4e806800, "TRN1 .2D": 0x4ec02800, "TRN2 .2D": 0x4ec06800,
}

// op3 emits dst = x op y, on four elements unless the name says otherwise.
func (m *machine) op3(name string, x, y, dst vec) {
	m.emit("WORD $0x%08x // %s V%d, V%d, V%d", encoding(name)|uint32(y)<<16|uint32(x)<<5|uint32(dst),
		name, int(dst), int(x), int(y))
}

// op2 emits dst = op x, on four elements unless the name says otherwise.
func (m *machine) op2(name string, x, dst vec) {
	m.emit("WORD $0x%08x // %s V%d, V%d", encoding(name)|uint32(x)<<5|uint32(dst), name, int(dst), int(x))
}

// sdot emits SDOT: to each element of sum it adds the products of four codes of w and the four codes of x's element
// lane.
func (m *machine) sdot(w, x vec, lane int, sum vec) {
	bits := 0x4f80e000 | uint32(lane&1)<<21 | uint32(x)<<16 | uint32(lane>>1)<<11 | uint32(w)<<5 | uint32(sum)
	m.emit("WORD $0x%08x // SDOT V%d, V%d, V%d[%d]", bits, int(sum), int(w), int(x), lane)
}

func encoding(name string) uint32 {
	bits, ok := encodings[name]
	if !ok {
		log.Fatalf("no encoding of %s", name)
	}
	return bits
}

func (m *machine) add(x, y, dst vec) { m.op3("FADD", x, y, dst) }
func (m *machine) sub(x, y, dst vec) { m.op3("FSUB", x, y, dst) }
func (m *machine) mul(x, y, dst vec) { m.op3("FMUL", x, y, dst) }

// fma emits acc = x*y + acc, rounded once.
func (m *machine) fma(x, y, acc vec) { m.emit("VFMLA %s, %s, %s", y.s4(), x.s4(), acc.s4()) }

// maximum emits acc = acc > x ? acc : x, by a comparison and a selection. NUMERICS.md, section 1.4, requires this
// for zeros and NaN; FMAX gives different results.
func (m *machine) maximum(x, acc vec) {
	m.op3("FCMGT", acc, x, scratch)
	m.emit("VBIF V%d.B16, V%d.B16, V%d.B16", int(scratch), int(x), int(acc))
}

// largest emits acc = x > acc ? x : acc, which never chooses a NaN.
func (m *machine) largest(x, acc vec) {
	m.op3("FCMGT", x, acc, scratch)
	m.emit("VBIT V%d.B16, V%d.B16, V%d.B16", int(scratch), int(x), int(acc))
}

func (m *machine) sum(x, acc vec) { m.add(acc, x, acc) }

// larger emits acc = the larger of the bits of x and acc, as integers.
func (m *machine) larger(x, acc vec) { m.op3("UMAX", x, acc, acc) }

// load loads vector i of the block of the row at p. In the last steps of a loop it loads one vector, or one
// element; the other elements are then zero.
func (m *machine) load(p gp, i int, v vec) vec {
	m.emit("%s %d(%v), %s", m.move, vectorSize*i, m.cursor[p], v.f())
	return v
}

func (m *machine) store(v vec, p gp, i int) {
	m.emit("%s %s, %d(%v)", m.move, v.f(), vectorSize*i, m.cursor[p])
}
