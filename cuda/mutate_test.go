package cuda

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// mutant is a module's text with one fault in it.
type mutant struct {
	module, kernel string
	line           int
	was, now       string
	text           string
}

func (m *mutant) String() string {
	return fmt.Sprintf("%s, %s.ptx line %d: `%s` for `%s`", m.kernel, m.module, m.line, m.now, m.was)
}

// statement is an instruction, as clang writes it, in parts.
type statement struct {
	guard, op string
	args      []string
}

var (
	instruction = regexp.MustCompile(`^\t(@!?%p\d+ )?([a-z][a-z0-9_.]*)\s*(.*);$`)
	argument    = regexp.MustCompile(`\{[^}]*\}|\[[^]]*\]|[^,\s]+`)
	displaced   = regexp.MustCompile(`^\[([^+\]]+)(?:\+(-?\d+))?\]$`)
	entry       = regexp.MustCompile(`^\.visible \.entry (\w+)\(`)
)

func parse(line string) (statement, bool) {
	m := instruction.FindStringSubmatch(line)
	if m == nil || strings.HasPrefix(m[2], "ld.param") {
		return statement{}, false
	}
	return statement{m[1], m[2], argument.FindAllString(m[3], -1)}, true
}

func (s statement) String() string { return s.guard + s.op + " " + strings.Join(s.args, ", ") }

// with is s with another opcode.
func (s statement) with(op string) statement { return statement{s.guard, op, s.args} }

// set is s with another argument.
func (s statement) set(i int, arg string) statement {
	args := append([]string(nil), s.args...)
	args[i] = arg
	return statement{s.guard, s.op, args}
}

// swap is s with two arguments exchanged.
func (s statement) swap(i, j int) statement { return s.set(i, s.args[j]).set(j, s.args[i]) }

// mutants plants every fault this file knows into a module.
func mutants(module, text string) []mutant {
	lines := strings.Split(text, "\n")
	var ms []mutant
	kernel := ""
	for i, line := range lines {
		if m := entry.FindStringSubmatch(line); m != nil {
			kernel = m[1]
		}
		s, ok := parse(line)
		if !ok {
			continue
		}
		for _, now := range faults(s) {
			if now == s.String() {
				continue
			}
			changed := append(append(append([]string(nil), lines[:i]...), now+";"), lines[i+1:]...)
			ms = append(ms, mutant{module, kernel, i + 1, s.String(), now, strings.Join(changed, "\n")})
		}
	}
	return ms
}

// others are opcodes for opcodes, by their first part, and of comparisons.
var (
	others = map[string]string{
		"add": "sub", "sub": "add", "and": "or", "or": "and", "xor": "or", "shl": "shr", "shr": "shl",
		"min": "max", "max": "min",
		"mul": "add", "neg": "mov", "not": "mov", "sqrt": "neg", "popc": "not",
	}
	bounds = map[string]string{
		"lt": "le", "le": "lt", "gt": "ge", "ge": "gt", "eq": "ne", "ne": "eq", "ltu": "leu", "leu": "ltu",
	}
	opposites = map[string]string{"lt": "ge", "le": "gt", "gt": "le", "ge": "lt", "ltu": "ge", "leu": "gt"}
)

// faults is the statements to put in the place of s.
func faults(s statement) []string {
	parts := strings.Split(s.op, ".")
	var list []string
	add := func(x statement) { list = append(list, x.String()) }
	switch parts[0] {
	case "bra":
		return branches(s)
	case "bar", "ret":
		return []string{""}
	case "ld", "st":
		return accesses(s, parts)
	case "setp":
		for _, to := range []map[string]string{bounds, opposites} {
			if cmp := to[parts[1]]; cmp != "" {
				add(s.with("setp." + cmp + "." + parts[2]))
			}
		}
	case "mma":
		c := argument.FindAllString(strings.Trim(s.args[3], "{}"), -1)
		turned := "{" + c[1] + ", " + c[0] + "}"
		add(s.swap(1, 2))
		add(s.set(3, turned))
		return append(list, "", s.set(0, turned).String())
	case "selp", "div":
		add(s.swap(1, 2))
	case "sub":
		add(s.swap(1, 2))
	case "fma":
		add(s.swap(2, 3))
		list = append(list,
			fmt.Sprintf("{ .reg .f32 tmp; mul.rn.f32 tmp, %s, %s; add.rn.f32 %s, tmp, %s; }", s.args[1], s.args[2],
				s.args[0], s.args[3]))
	case "mad":
		add(s.swap(2, 3))
	case "cvt":
		if s.op == "cvt.rn.f32.s32" {
			add(s.with("cvt.rn.f32.u32"))
		}
	}
	if op := otherOp(s.op, parts); op != "" {
		add(s.with(op))
	}
	for i := 1; i < len(s.args) && !(parts[0] == "shfl" && i > 2) && parts[0] != "vote"; i++ {
		if to := next(s.args[i]); to != "" {
			add(s.set(i, to))
		}
	}
	return list
}

// otherOp is another opcode of the same operands, empty for none.
func otherOp(op string, parts []string) string {
	to, rest := others[parts[0]], strings.Join(parts[1:], ".")
	switch {
	case to == "" || strings.HasPrefix(op, "mul.wide"):
		return ""
	case parts[0] == "mul" && (parts[1] == "lo" || parts[1] == "hi"):
		return to + "." + strings.Replace(parts[2], "u", "s", 1)
	case to == "mov" || op == "sqrt.rn.f32":
		return to + "." + parts[len(parts)-1]
	case to == "shr":
		return "shr." + strings.Replace(parts[1], "b", "u", 1)
	case to == "shl":
		return "shl.b" + parts[1][1:]
	}
	return to + "." + rest
}

// branches takes a guard away, turns it round, and takes the branch away.
func branches(s statement) []string {
	if s.guard == "" {
		return []string{""}
	}
	turned := "@!" + strings.TrimPrefix(s.guard, "@")
	if strings.HasPrefix(s.guard, "@!") {
		turned = "@" + s.guard[2:]
	}
	return []string{"", statement{"", s.op, s.args}.String(), statement{turned, s.op, s.args}.String()}
}

// accesses takes a store away, and goes one element off.
func accesses(s statement, parts []string) []string {
	var list []string
	if parts[0] == "st" {
		list = append(list, "")
	}
	step := 4
	if last := parts[len(parts)-1]; last == "u8" || last == "s8" {
		step = 1
	}
	for i, a := range s.args {
		if m := displaced.FindStringSubmatch(a); m != nil {
			n, _ := strconv.Atoi(m[2])
			list = append(list, s.set(i, fmt.Sprintf("[%s+%d]", m[1], n+step)).String())
		}
	}
	return list
}

// next is the constant after a constant, empty for what is none.
func next(arg string) string {
	if hex, ok := strings.CutPrefix(arg, "0f"); ok {
		n, err := strconv.ParseUint(hex, 16, 32)
		if err != nil {
			return ""
		}
		return fmt.Sprintf("0f%08X", uint32(n)+1)
	}
	n, err := strconv.ParseInt(arg, 10, 64)
	if err != nil {
		return ""
	}
	return strconv.FormatInt(n+1, 10)
}
