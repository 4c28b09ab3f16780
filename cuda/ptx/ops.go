package ptx

import (
	"math"
	"math/bits"
	"strings"

	"github.com/alia-network/alia/work/kernel"
)

// The list of allowed instructions: tables of those with two operands, one and three, by the width of
// registers; then comparisons, selections, moves, conversions, exchanges between lanes, products of
// matrices, loads and stores. An instruction that none of them has is an error.

// number is the binary32 number with the given bits, pattern the bits of a number.
func number(b uint32) float32  { return math.Float32frombits(b) }
func pattern(x float32) uint32 { return math.Float32bits(x) }

// two32 has the instructions with two operands of up to 32 bits.
var two32 = map[string]func(x, y uint32) uint32{
	"add.s32":    func(x, y uint32) uint32 { return x + y },
	"sub.s32":    func(x, y uint32) uint32 { return x - y },
	"mul.lo.s32": func(x, y uint32) uint32 { return x * y },
	"mul.hi.u32": func(x, y uint32) uint32 { return uint32(uint64(x) * uint64(y) >> 32) },
	"div.u32":    quotient[uint32],
	"rem.u32":    remainder[uint32],
	"min.u32":    func(x, y uint32) uint32 { return min(x, y) },
	"max.u32":    func(x, y uint32) uint32 { return max(x, y) },
	"min.s32":    func(x, y uint32) uint32 { return uint32(min(int32(x), int32(y))) },
	"max.s32":    func(x, y uint32) uint32 { return uint32(max(int32(x), int32(y))) },
	"and.b32":    func(x, y uint32) uint32 { return x & y },
	"and.b16":    func(x, y uint32) uint32 { return x & y },
	"or.b32":     func(x, y uint32) uint32 { return x | y },
	"xor.b32":    func(x, y uint32) uint32 { return x ^ y },
	"shl.b32":    func(x, y uint32) uint32 { return x << y },
	"shr.u32":    func(x, y uint32) uint32 { return x >> y },
	"shr.s32":    func(x, y uint32) uint32 { return uint32(int32(x) >> y) },
	"add.rn.f32": func(x, y uint32) uint32 { return pattern(number(x) + number(y)) },
	"sub.rn.f32": func(x, y uint32) uint32 { return pattern(number(x) - number(y)) },
	"mul.rn.f32": func(x, y uint32) uint32 { return pattern(number(x) * number(y)) },
	"div.rn.f32": func(x, y uint32) uint32 { return pattern(number(x) / number(y)) },
}

// two64 has the instructions with two operands of 64 bits.
var two64 = map[string]func(x, y uint64) uint64{
	"add.s64":    func(x, y uint64) uint64 { return x + y },
	"sub.s64":    func(x, y uint64) uint64 { return x - y },
	"mul.lo.s64": func(x, y uint64) uint64 { return x * y },
	"div.u64":    quotient[uint64],
	"rem.u64":    remainder[uint64],
	"min.u64":    func(x, y uint64) uint64 { return min(x, y) },
	"max.u64":    func(x, y uint64) uint64 { return max(x, y) },
	"and.b64":    func(x, y uint64) uint64 { return x & y },
	"or.b64":     func(x, y uint64) uint64 { return x | y },
	"xor.b64":    func(x, y uint64) uint64 { return x ^ y },
}

// shifts64 has the shifts of 64 bits, whose distance has 32 bits.
var shifts64 = map[string]func(x uint64, by uint32) uint64{
	"shl.b64": func(x uint64, by uint32) uint64 { return x << by },
	"shr.u64": func(x uint64, by uint32) uint64 { return x >> by },
	"shr.s64": func(x uint64, by uint32) uint64 { return uint64(int64(x) >> by) },
}

// products64 has the products of 64 bits, whose operands have 32 bits.
var products64 = map[string]func(x, y uint32) uint64{
	"mul.wide.u32": func(x, y uint32) uint64 { return uint64(x) * uint64(y) },
	"mul.wide.s32": func(x, y uint32) uint64 { return uint64(int64(int32(x)) * int64(int32(y))) },
}

// quotient and remainder return some number for a division by zero, whose result PTX does not define.
func quotient[T uint32 | uint64](x, y T) T {
	if y == 0 {
		return ^T(0)
	}
	return x / y
}

func remainder[T uint32 | uint64](x, y T) T {
	if y == 0 {
		return x
	}
	return x % y
}

// one32 has the instructions with one operand of 32 bits. The binary64 root, rounded again, is the
// correctly rounded root, because 53 >= 2*24+2 bits.
var one32 = map[string]func(x uint32) uint32{
	"not.b32":     func(x uint32) uint32 { return ^x },
	"neg.s32":     func(x uint32) uint32 { return -x },
	"neg.f32":     func(x uint32) uint32 { return x ^ 1<<31 },
	"sqrt.rn.f32": func(x uint32) uint32 { return pattern(float32(math.Sqrt(float64(number(x))))) },
	"popc.b32":    func(x uint32) uint32 { return uint32(bits.OnesCount32(x)) },
	"clz.b32":     func(x uint32) uint32 { return uint32(bits.LeadingZeros32(x)) },
	"brev.b32":    bits.Reverse32,
}

// one64 has the instructions with one operand of 64 bits.
var one64 = map[string]func(x uint64) uint64{
	"not.b64": func(x uint64) uint64 { return ^x },
	"neg.s64": func(x uint64) uint64 { return -x },
}

// three32 has the instructions with three operands of 32 bits.
var three32 = map[string]func(x, y, z uint32) uint32{
	"fma.rn.f32":   func(x, y, z uint32) uint32 { return pattern(kernel.Fma(number(x), number(y), number(z))) },
	"mad.lo.s32":   func(x, y, z uint32) uint32 { return x*y + z },
	"bfe.u32":      func(x, from, n uint32) uint32 { return x >> (from & 0xff) & (1<<(n&0xff) - 1) },
	"prmt.b32":     permute,
	"dp4a.s32.s32": dot,
}

// dot adds the products of four signed bytes to z.
func dot(x, y, z uint32) uint32 {
	for i := 0; i < 32; i += 8 {
		z += uint32(int32(int8(x>>i)) * int32(int8(y>>i)))
	}
	return z
}

// permute makes a number of four bytes of x and y. Each four bits of the selector are the index of a
// byte, from those of x up to those of y, and whether only its sign is repeated.
func permute(x, y, selector uint32) (z uint32) {
	for i := 0; i < 32; i += 8 {
		index := selector >> (i / 2) & 15
		v := uint32(uint8((uint64(y)<<32 | uint64(x)) >> (8 * (index & 7))))
		if index > 7 {
			v = uint32(uint8(int8(v) >> 7))
		}
		z |= v << i
	}
	return z
}

// cvt has the conversions between registers of 32 bits. They are exact or round to nearest even. Types
// of 8 and 16 bits are the low bits of a register.
var cvt = map[string]func(x uint32) uint32{
	"cvt.rn.f32.s32": func(x uint32) uint32 { return pattern(float32(int32(x))) },
	"cvt.rn.f32.u32": func(x uint32) uint32 { return pattern(float32(x)) },
	"cvt.rn.f32.s16": func(x uint32) uint32 { return pattern(float32(int16(x))) },
	"cvt.rn.f32.u16": func(x uint32) uint32 { return pattern(float32(uint16(x))) },
	"cvt.s32.s8":     func(x uint32) uint32 { return uint32(int32(int8(x))) },
	"cvt.s32.s16":    func(x uint32) uint32 { return uint32(int32(int16(x))) },
	"cvt.u32.u16":    func(x uint32) uint32 { return x & 0xffff },
	"cvt.u16.u32":    func(x uint32) uint32 { return x & 0xffff },
}

// order returns the comparison of that name, nil for an unknown name. All are false for NaN.
func order[T int16 | int32 | uint32 | int64 | uint64 | float32](cmp string) func(x, y T) bool {
	switch cmp {
	case "eq":
		return func(x, y T) bool { return x == y }
	case "ne":
		return func(x, y T) bool { return x < y || x > y }
	case "lt":
		return func(x, y T) bool { return x < y }
	case "le":
		return func(x, y T) bool { return x <= y }
	case "gt":
		return func(x, y T) bool { return x > y }
	case "ge":
		return func(x, y T) bool { return x >= y }
	}
	return nil
}

// compare returns the test of setp on 32 bits, nil if there is none.
func compare(cmp, t string) func(x, y uint32) bool {
	switch t {
	case "s16":
		if f := order[int16](cmp); f != nil {
			return func(x, y uint32) bool { return f(int16(x), int16(y)) }
		}
	case "s32":
		if f := order[int32](cmp); f != nil {
			return func(x, y uint32) bool { return f(int32(x), int32(y)) }
		}
	case "u32", "b32":
		if t == "b32" && cmp != "eq" && cmp != "ne" {
			return nil
		}
		return order[uint32](cmp)
	case "f32":
		// A comparison with u is true for NaN: it is the opposite of the opposite one.
		opposite := map[string]string{
			"equ": "ne", "neu": "eq", "ltu": "ge", "leu": "gt", "gtu": "le", "geu": "lt",
		}[cmp]
		if f := order[float32](opposite); f != nil {
			return func(x, y uint32) bool { return !f(number(x), number(y)) }
		}
		if f := order[float32](cmp); f != nil {
			return func(x, y uint32) bool { return f(number(x), number(y)) }
		}
	}
	return nil
}

// compare64 returns the test of setp on 64 bits, nil if there is none.
func compare64(cmp, t string) func(x, y uint64) bool {
	switch t {
	case "s64":
		if f := order[int64](cmp); f != nil {
			return func(x, y uint64) bool { return f(int64(x), int64(y)) }
		}
	case "u64", "b64":
		if t == "b64" && cmp != "eq" && cmp != "ne" {
			return nil
		}
		return order[uint64](cmp)
	}
	return nil
}

// logic has the operations on predicates, which are words with a bit for each lane.
var logic = map[string]func(x, y uint32) uint32{
	"and.pred": func(x, y uint32) uint32 { return x & y },
	"or.pred":  func(x, y uint32) uint32 { return x | y },
	"xor.pred": func(x, y uint32) uint32 { return x ^ y },
	"not.pred": func(x, _ uint32) uint32 { return ^x },
	"mov.pred": func(x, _ uint32) uint32 { return x },
}

// compile decodes an instruction that does not change the flow.
func (b *body) compile(op string, o []operand) (exec, error) {
	// The last part of an opcode is its type. First the tables.
	parts := strings.Split(op, ".")
	last := parts[len(parts)-1]
	switch {
	case two32[op] != nil:
		return b.two32(two32[op], last, last, o)
	case op == "mul.wide.u16":
		return b.two32(func(x, y uint32) uint32 { return (x & 0xffff) * (y & 0xffff) }, "u32", last, o)
	case two64[op] != nil:
		return b.two64(two64[op], last, o)
	case shifts64[op] != nil:
		return b.shift64(shifts64[op], last, o)
	case products64[op] != nil:
		return b.product64(products64[op], last, o)
	case one32[op] != nil:
		return b.one32(one32[op], last, last, o)
	case one64[op] != nil:
		return b.one64(one64[op], last, o)
	case three32[op] != nil:
		return b.three32(three32[op], last, o)
	case cvt[op] != nil:
		return b.one32(cvt[op], parts[len(parts)-2], last, o)
	case logic[op] != nil:
		return b.logic(logic[op], len(o) == 3, o)
	}
	// Then instructions with variants.
	switch parts[0] {
	case "setp":
		if len(parts) == 3 {
			return b.setp(op, parts[1], last, o)
		}
	case "selp":
		if len(parts) == 2 {
			return b.selp(op, last, o)
		}
	case "mov":
		if len(parts) == 2 {
			return b.mov(op, last, o)
		}
	case "cvt":
		return b.widths(op, o)
	case "shfl", "vote":
		return b.exchange(op, o)
	case "mma":
		return b.product(op, o)
	case "ld", "st":
		return b.access(op, parts, o)
	}
	return nil, refusal(op)
}
