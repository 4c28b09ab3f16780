package ptx

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// The limits of a module. Our kernels are far below them.
const (
	maxSource    = 16 << 20
	maxRegisters = 1 << 16
	maxShared    = 48 << 10 // bytes of shared memory that every device gives a block by default
	maxParams    = 64
	maxThreads   = 1024    // of a block
	maxCode      = 1 << 16 // instructions of a kernel
)

// Module is a parsed module. It does not change, and several goroutines may launch its kernels.
type Module struct {
	kernels []*Kernel
}

// Kernel is an entry of a module.
type Kernel struct {
	Name    string
	params  []param
	threads int // the largest number of threads in a block
	shared  int // bytes of shared memory
	code    []instr
	files   files
}

// param is a parameter of a kernel: bytes offset to offset+size-1 of the parameters.
type param struct {
	name         string
	offset, size int
}

// Parse reads a module. The error names the line, and the instruction if that is not allowed.
func Parse(src string) (*Module, error) {
	if len(src) > maxSource {
		return nil, fmt.Errorf("parse PTX: it has %d bytes, the limit is %d", len(src), maxSource)
	}
	ts, err := lex(src)
	if err == nil {
		p := &parser{tokens: ts, shared: variables{at: map[string]int{}}}
		if err = p.module(); err == nil {
			return &p.m, nil
		}
	}
	return nil, fmt.Errorf("parse PTX: %w", err)
}

// Kernel returns the entry of that name, or nil.
func (m *Module) Kernel(name string) *Kernel {
	for _, k := range m.kernels {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// Kernels returns the entries in the sequence of the module.
func (m *Module) Kernels() []*Kernel { return m.kernels }

// ParamSizes returns the size of each parameter in bytes, which is also its alignment.
func (k *Kernel) ParamSizes() []int {
	var sizes []int
	for _, p := range k.params {
		sizes = append(sizes, p.size)
	}
	return sizes
}

// paramBytes is the size of all parameters together.
func (k *Kernel) paramBytes() int {
	if len(k.params) == 0 {
		return 0
	}
	last := k.params[len(k.params)-1]
	return last.offset + last.size
}

// parser reads the tokens of a module.
type parser struct {
	tokens []token
	at     int // the next token
	m      Module
	shared variables // of the module, for all kernels that follow
}

// peek returns the next token without taking it, "" at the end.
func (p *parser) peek() string {
	if p.at == len(p.tokens) {
		return ""
	}
	return p.tokens[p.at].text
}

// next takes the next token.
func (p *parser) next() string {
	t := p.peek()
	if p.at < len(p.tokens) {
		p.at++
	}
	return t
}

// take takes the next token if it is want.
func (p *parser) take(want string) bool {
	if p.peek() != want {
		return false
	}
	p.at++
	return true
}

// line is the line of the last token taken.
func (p *parser) line() int {
	if len(p.tokens) == 0 {
		return 0
	}
	return p.tokens[max(p.at-1, 0)].line
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d: %s", p.line(), fmt.Sprintf(format, args...))
}

// expect takes tokens that must be the given ones.
func (p *parser) expect(words ...string) error {
	for _, w := range words {
		if got := p.next(); got != w {
			return p.errorf("got %q, want %q", got, w)
		}
	}
	return nil
}

// number reads a decimal or hexadecimal integer.
func (p *parser) number(most int) (int, error) {
	t := p.next()
	n, err := strconv.ParseUint(t, 0, 31)
	if err != nil || int(n) > most {
		return 0, p.errorf("%q is not a number up to %d", t, most)
	}
	return int(n), nil
}

// module reads the whole module.
func (p *parser) module() error {
	// The header that clang writes with the options of the Makefile.
	if err := p.expect(".version"); err != nil {
		return err
	}
	if v := p.next(); v != "6.5" {
		return p.errorf("the version is %q, only 6.5 is supported", v)
	}
	if err := p.expect(".target", "sm_75", ".address_size", "64"); err != nil {
		return err
	}
	// Shared variables and kernels, to the end.
	for p.peek() != "" {
		if p.peek() == ".shared" {
			if err := p.sharedVariable(&p.shared); err != nil {
				return err
			}
			continue
		}
		if err := p.expect(".visible", ".entry"); err != nil {
			return err
		}
		k, err := p.kernel()
		if err != nil {
			return err
		}
		if p.m.Kernel(k.Name) != nil {
			return p.errorf("kernel %s occurs twice", k.Name)
		}
		p.m.kernels = append(p.m.kernels, k)
	}
	if len(p.m.kernels) == 0 {
		return p.errorf("the module has no kernel")
	}
	return nil
}

// kernel reads one kernel: name, parameters, bounds and body.
func (p *parser) kernel() (*Kernel, error) {
	b := &body{
		parser: p, k: &Kernel{Name: p.next()}, labels: map[string]int{}, seen: map[string]int{},
		vars: variables{maps.Clone(p.shared.at), p.shared.size},
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	// Parameters, separated by commas.
	for !p.take(")") {
		if len(b.k.params) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		if err := b.param(); err != nil {
			return nil, err
		}
	}
	// The body.
	if err := b.bounds(); err != nil {
		return nil, err
	}
	if err := p.expect("{"); err != nil {
		return nil, err
	}
	for !p.take("}") {
		if err := b.statement(); err != nil {
			return nil, fmt.Errorf("kernel %s: %w", b.k.Name, err)
		}
	}
	if err := b.finish(); err != nil {
		return nil, fmt.Errorf("kernel %s: %w", b.k.Name, err)
	}
	return b.k, nil
}

// body is a kernel while it is parsed.
type body struct {
	*parser
	k      *Kernel
	groups []group        // declared registers
	labels map[string]int // the instruction after each label
	vars   variables      // shared variables: the module's, then the kernel's own
	seen   map[string]int // the registers of constants, by file and text
	nested bool           // the parser is in a scope of braces
}

// bounds reads ".maxntid 256, 1, 1 .minnctapersm 2", if it is there: the largest number of threads in a
// block, and the number of blocks that must have room on a multiprocessor.
func (b *body) bounds() error {
	b.k.threads = maxThreads
	if !b.take(".maxntid") {
		return nil
	}
	n, err := b.number(maxThreads)
	if err != nil {
		return err
	}
	b.k.threads = n
	if err := b.expect(",", "1", ",", "1", ".minnctapersm"); err != nil {
		return err
	}
	_, err = b.number(32)
	return err
}

// param reads ".param .u64 name", with clang's attributes of a pointer.
func (b *body) param() error {
	if err := b.expect(".param"); err != nil {
		return err
	}
	sizes := map[string]int{".u32": 4, ".f32": 4, ".b32": 4, ".u64": 8, ".b64": 8}
	typ := b.next()
	size := sizes[typ]
	if size == 0 {
		return b.errorf("a parameter has type %q, which is not supported", typ)
	}
	if b.take(".ptr") {
		if err := b.expect(".global", ".align"); err != nil {
			return err
		}
		if _, err := b.number(256); err != nil {
			return err
		}
	}
	if len(b.k.params) == maxParams {
		return b.errorf("there are more than %d parameters", maxParams)
	}
	// A parameter is aligned to its own size.
	offset := (b.k.paramBytes() + size - 1) / size * size
	b.k.params = append(b.k.params, param{b.next(), offset, size})
	return nil
}

// statement reads a declaration, a label or an instruction.
func (b *body) statement() error {
	switch b.peek() {
	case ".reg":
		return b.registers()
	case ".shared":
		return b.sharedVariable(&b.vars)
	case "{":
		return b.scope()
	case ".pragma":
		return b.expect(".pragma", `"nounroll"`, ";")
	case "":
		return b.errorf("the text ends inside a kernel")
	}
	// A label is a word and a colon.
	if b.at+1 < len(b.tokens) && b.tokens[b.at+1].text == ":" {
		name := b.next()
		if _, twice := b.labels[name]; twice {
			return b.errorf("label %s occurs twice", name)
		}
		b.labels[name] = len(b.k.code)
		return b.expect(":")
	}
	return b.instruction()
}

// scope reads statements in braces. Registers declared there are unknown after the braces.
func (b *body) scope() error {
	b.next()
	if b.nested {
		return b.errorf("a scope of braces is inside another")
	}
	b.nested = true
	outer := len(b.groups) // registers declared so far
	for !b.take("}") {
		if err := b.statement(); err != nil {
			return err
		}
	}
	b.groups, b.nested = b.groups[:outer], false
	return nil
}

// registers reads ".reg .f32 %f<12>;" or ".reg .b32 tmp;".
func (b *body) registers() error {
	b.next()
	typ := b.next()
	class, known := classes[typ]
	if !known {
		return b.errorf("registers have type %q, which is not supported", typ)
	}
	g := group{prefix: b.next(), class: class, n: 1, single: true}
	if b.take("<") {
		n, err := b.number(maxRegisters)
		if err != nil {
			return err
		}
		g.n, g.single = n, false
		if err := b.expect(">"); err != nil {
			return err
		}
	}
	g.first = b.k.files.grow(class, g.n)
	if g.first+g.n > maxRegisters {
		return b.errorf("there are more than %d registers", maxRegisters)
	}
	b.groups = append(b.groups, g)
	return b.expect(";")
}

// variables is shared variables: the offset of each, and the bytes of all.
type variables struct {
	at   map[string]int
	size int
}

// sharedVariable reads ".shared .align 16 .b8 name[512];".
func (p *parser) sharedVariable(v *variables) error {
	p.next()
	if err := p.expect(".align"); err != nil {
		return err
	}
	align, err := p.number(256)
	if err != nil || align == 0 {
		return p.errorf("a shared variable has no alignment")
	}
	if err := p.expect(".b8"); err != nil {
		return err
	}
	name := p.next()
	if err := p.expect("["); err != nil {
		return err
	}
	n, err := p.number(maxShared)
	if err != nil {
		return err
	}
	// Variables lie one behind the other, aligned as declared.
	at := (v.size + align - 1) / align * align
	if v.size = at + n; v.size > maxShared {
		return p.errorf("there are more than %d bytes of shared memory", maxShared)
	}
	v.at[name] = at
	return p.expect("]", ";")
}

// finish finds the targets and joins of branches, when all labels are known.
func (b *body) finish() error {
	b.k.shared = b.vars.size
	// Control must not run past the last instruction.
	if n := len(b.k.code); n == 0 || b.k.code[n-1].kind == plain || b.k.code[n-1].guard >= 0 {
		return b.errorf("the last instruction does not end the kernel")
	}
	for i := range b.k.code {
		in := &b.k.code[i]
		if in.kind != branch {
			continue
		}
		to, known := b.labels[in.label]
		if !known || to >= len(b.k.code) {
			return b.errorf("a branch goes to %s, where no instruction is", in.label)
		}
		in.target = to
	}
	joins(b.k.code)
	return nil
}

// group is registers that are declared together: %f0 to %f(n-1), or a single one.
type group struct {
	prefix string
	class  class
	first  int
	n      int
	single bool
}

// class is the type of a register.
type class uint8

const (
	pred class = iota + 1
	b16        // its register has 32 bits
	b32
	f32
	b64
)

var classes = map[string]class{".pred": pred, ".b16": b16, ".b32": b32, ".f32": f32, ".b64": b64}

// register finds a declared register.
func (b *body) register(name string) (class, int, error) {
	for _, g := range b.groups {
		if g.single && name == g.prefix {
			return g.class, g.first, nil
		}
		// A prefix and a number below n, as in %f12.
		digits, ok := strings.CutPrefix(name, g.prefix)
		if !ok || g.single || digits == "" || len(digits) > 1 && digits[0] == '0' {
			continue
		}
		if n, err := strconv.ParseUint(digits, 10, 31); err == nil && int(n) < g.n {
			return g.class, g.first + int(n), nil
		}
	}
	return 0, 0, b.errorf("%s is not declared", name)
}
