package ptx

import (
	"fmt"
	"strconv"
	"strings"
)

// exec executes a decoded instruction for the lanes of mask.
type exec = func(w *warp, mask uint32) error

// operand is one operand of an instruction, as text.
type operand struct {
	text   string    // a register, a number or a name; of an address its base
	offset int64     // of an address
	mark   byte      // '[' for an address, '{' for a vector, 0 otherwise
	list   []operand // of a vector
}

// instruction reads and decodes one instruction.
func (b *body) instruction() error {
	// A guard: @%p1 or @!%p1.
	from := b.at
	in := instr{guard: -1, line: b.tokens[b.at].line}
	if b.take("@") {
		in.negate = b.take("!")
		class, r, err := b.register(b.next())
		if err != nil {
			return err
		}
		if class != pred {
			return b.errorf("the guard is not a predicate")
		}
		in.guard = r
	}
	// The opcode and its operands.
	op := b.next()
	operands, err := b.operands()
	if err != nil {
		return err
	}
	in.text = text(b.tokens[from : b.at-1])
	if len(b.k.code) == maxCode {
		return b.errorf("there are more than %d instructions", maxCode)
	}
	// Instructions that change the flow are known here, all others in compile.
	switch op {
	case "bra", "bra.uni":
		if len(operands) != 1 {
			return b.errorf("`%s`: a branch needs one label", in.text)
		}
		in.kind, in.label = branch, operands[0].text
	case "bar.sync":
		if len(operands) != 1 || operands[0].text != "0" {
			return b.errorf("`%s`: only barrier 0, for all threads, is supported", in.text)
		}
		in.kind = barrier
	case "ret", "exit":
		in.kind = leave
	default:
		if in.exec, err = b.compile(op, operands); err != nil {
			return fmt.Errorf("line %d: `%s`: %w", in.line, in.text, err)
		}
	}
	b.k.code = append(b.k.code, in)
	return nil
}

// text is the source of an instruction with normalised white space, for errors.
func text(ts []token) string {
	var s strings.Builder
	for i, t := range ts {
		if i > 0 && strings.IndexByte(",]}:+", t.text[0]) < 0 && strings.IndexByte("@![{+-", ts[i-1].text[0]) < 0 {
			s.WriteByte(' ')
		}
		s.WriteString(t.text)
	}
	return s.String()
}

// operands reads a list of operands and the semicolon behind it.
func (b *body) operands() ([]operand, error) {
	var list []operand
	for !b.take(";") {
		if len(list) > 0 {
			if err := b.expect(","); err != nil {
				return nil, err
			}
		}
		o, err := b.operand()
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	return list, nil
}

// operand reads one operand.
func (b *body) operand() (operand, error) {
	switch {
	case b.take("["): // [%rd1], [%rd1+8] or [%rd1+-8]
		o := operand{mark: '[', text: b.next()}
		if b.take("+") {
			sign := int64(1)
			if b.take("-") {
				sign = -1
			}
			n, err := b.number(1 << 30)
			if err != nil {
				return o, err
			}
			o.offset = sign * int64(n)
		}
		return o, b.expect("]")
	case b.take("{"): // {%f1, %f2}
		o := operand{mark: '{'}
		for !b.take("}") {
			if len(o.list) > 0 {
				if err := b.expect(","); err != nil {
					return o, err
				}
			}
			o.list = append(o.list, operand{text: b.next()})
			if len(o.list) > 4 {
				return o, b.errorf("a vector has more than four registers")
			}
		}
		return o, nil
	}
	sign := ""
	if b.take("-") {
		sign = "-"
	}
	return operand{text: sign + b.next()}, nil
}

// fits reports whether an instruction of type t may use a register of class c. Untyped bits fit any type
// of their size, and narrow values fit wider registers.
func (c class) fits(t string) bool {
	switch t {
	case "pred":
		return c == pred
	case "f32":
		return c == f32
	case "s32", "u32":
		return c == b32
	case "b32":
		return c == b32 || c == f32
	case "s16", "u16", "b16":
		return c == b16
	case "s8", "u8", "b8":
		return c == b16 || c == b32
	}
	return c == b64 // s64, u64, b64
}

// wide reports whether a type has 64 bits.
func wide(t string) bool { return strings.HasSuffix(t, "64") }

// read returns the register to read operand o from, as type t. A number gets a register of its own.
func (b *body) read(o operand, t string) (int, error) {
	if o.mark != 0 {
		return 0, fmt.Errorf("an operand in %c is not a value of type %s", o.mark, t)
	}
	if _, _, err := b.register(o.text); err == nil || strings.HasPrefix(o.text, "%") {
		return b.write(o, t)
	}
	// A shared variable's address, a float's bits, or an integer.
	if at, shared := b.vars.at[o.text]; shared && wide(t) {
		return b.constant64(uint64(at)), nil
	}
	if hex, float := strings.CutPrefix(o.text, "0f"); float && (t == "f32" || t == "b32") {
		n, err := strconv.ParseUint(hex, 16, 32)
		if err != nil || len(hex) != 8 {
			return 0, fmt.Errorf("%q is not the bits of a binary32 number", o.text)
		}
		return b.constant32(uint32(n)), nil
	}
	if t == "f32" || t == "pred" {
		return 0, fmt.Errorf("operand %q is not a value of type %s", o.text, t)
	}
	n, err := integer(o.text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is neither a register nor a number", o.text)
	case wide(t):
		return b.constant64(n), nil
	case n != uint64(uint32(n)) && int64(n) != int64(int32(n)):
		return 0, fmt.Errorf("number %s does not fit 32 bits", o.text)
	}
	return b.constant32(uint32(n)), nil
}

// integer reads an integer as 64 bits in two's complement.
func integer(s string) (uint64, error) {
	if strings.HasPrefix(s, "-") {
		n, err := strconv.ParseInt(s, 0, 64)
		return uint64(n), err
	}
	return strconv.ParseUint(s, 0, 64)
}

// write returns the declared register o. It must fit type t.
func (b *body) write(o operand, t string) (int, error) {
	c, r, err := b.register(o.text)
	if err == nil && (o.mark != 0 || !c.fits(t)) {
		err = fmt.Errorf("%s does not hold type %s", o.text, t)
	}
	return r, err
}

// constant32 returns a register with the value v.
func (b *body) constant32(v uint32) int {
	f := &b.k.files
	return b.once("32 "+strconv.FormatUint(uint64(v), 16), func() int {
		at := f.grow(b32, 1)
		f.const32 = append(f.const32, constant[uint32]{at, v})
		return at
	})
}

// constant64 returns a register with the value v.
func (b *body) constant64(v uint64) int {
	f := &b.k.files
	return b.once("64 "+strconv.FormatUint(v, 16), func() int {
		at := f.grow(b64, 1)
		f.const64 = append(f.const64, constant[uint64]{at, v})
		return at
	})
}

// special returns the register that has the value of a special register, such as %tid.x, and whether
// there is a special register of that name.
func (b *body) special(name string) (int, bool) {
	base, axis, _ := strings.Cut(name, ".")
	// %tid.x to %nctaid.z.
	switch base {
	case "%tid", "%ntid", "%ctaid", "%nctaid":
	default:
		return 0, false
	}
	if axis != "x" && axis != "y" && axis != "z" {
		return 0, false
	}
	f := &b.k.files
	return b.once(name, func() int {
		at := f.grow(b32, 1)
		f.specials = append(f.specials, constant[string]{at, name})
		return at
	}), true
}

// once makes a register for a value, and returns the same register when called again.
func (b *body) once(key string, make func() int) int {
	at, ok := b.seen[key]
	if !ok {
		at = make()
		b.seen[key] = at
	}
	return at
}

// address returns the register and the offset of an address.
func (b *body) address(o operand) (reg int, offset int64, err error) {
	if o.mark != '[' {
		return 0, 0, fmt.Errorf("%q is not an address", o.text)
	}
	reg, err = b.read(operand{text: o.text}, "u64")
	return reg, o.offset, err
}

// want checks the number of operands.
func want(ops []operand, n int) error {
	if len(ops) != n {
		return fmt.Errorf("there are %d operands, want %d", len(ops), n)
	}
	return nil
}

// refusal is the error of an opcode that is not on the list, with the reason.
func refusal(op string) error {
	// The most specific reason first.
	parts := strings.Split(op, ".")
	has := func(word string) bool {
		for _, p := range parts {
			if p == word {
				return true
			}
		}
		return false
	}
	rounds := map[string]bool{
		"add": true, "sub": true, "mul": true, "div": true, "sqrt": true, "fma": true, "mad": true, "rcp": true,
	}
	approximate := map[string]bool{"ex2": true, "lg2": true, "sin": true, "cos": true, "tanh": true}
	switch {
	case has("approx") || has("full") || approximate[parts[0]]:
		return fmt.Errorf("refused: %s is approximate", op)
	case has("ftz"):
		return fmt.Errorf("refused: %s flushes subnormal numbers", op)
	case has("atom") || has("red"):
		return fmt.Errorf("refused: %s is atomic, so its sequence is not fixed", op)
	case has("rz") || has("rm") || has("rp") || has("sat"):
		return fmt.Errorf("refused: %s does not round to nearest even", op)
	case rounds[parts[0]] && parts[len(parts)-1] == "f32" && !has("rn"):
		return fmt.Errorf("refused: %s names no rounding, so the driver may fuse it", op)
	}
	return fmt.Errorf("refused: %s is not on the list of instructions", op)
}
