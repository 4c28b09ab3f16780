package node_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/constant"
	"go/types"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/go/packages"

	"github.com/alia-network/alia/work/kernel"
)

// A comment above a table of a page says what of the code the table lists:
//
//	<!-- fields: protocol.Bid -->     all fields of the struct, in order, with their wire types
//	<!-- enum: protocol.Reason -->    all constants of the type, with their numbers
//	<!-- constants: work/kernel -->   some constants of the package, with their values
//	<!-- rows: work/kernel -->        the table of operations
var marker = regexp.MustCompile(`^<!-- (fields|enum|constants|rows): ([\w/.]+) -->$`)

// table is a table of a page: for each row, its cells by the columns' names.
type table struct {
	page    *page
	line    int
	kind    string
	subject string
	rows    []map[string]string
}

func (tb *table) where() string { return fmt.Sprintf("%s:%d", tb.page.path, tb.line) }

// tables returns the marked tables of all pages.
func tables(t *testing.T) []*table {
	t.Helper()
	var all []*table
	for _, p := range readPages(t) {
		for i, line := range p.lines {
			m := marker.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			tb := &table{page: p, line: i + 1, kind: m[1], subject: m[2]}
			tb.parse(t, p.lines[i+1:])
			all = append(all, tb)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].where() < all[j].where() })
	return all
}

// parse reads the rows of the table that the lines begin with.
func (tb *table) parse(t *testing.T, lines []string) {
	t.Helper()
	var columns []string
	for i, line := range lines {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for j := range cells {
			cells[j] = strings.TrimSpace(cells[j])
		}
		switch {
		case i == 0:
			columns = cells
		case i == 1: // the rule below the heads
		case len(cells) != len(columns):
			t.Errorf("%s: row %q has %d cells, the table has %d columns", tb.where(), line, len(cells), len(columns))
		default:
			row := map[string]string{}
			for j, c := range cells {
				row[columns[j]] = c
			}
			tb.rows = append(tb.rows, row)
		}
	}
	if len(tb.rows) == 0 {
		t.Errorf("%s: no table follows the comment", tb.where())
	}
}

// column returns a column's cells, without the marks of code.
func (tb *table) column(names ...string) []string {
	var cells []string
	for _, row := range tb.rows {
		for _, name := range names {
			if c, ok := row[name]; ok {
				cells = append(cells, strings.Trim(c, "`"))
				break
			}
		}
	}
	return cells
}

// TestPageTables holds the marked tables of the pages against the code.
func TestPageTables(t *testing.T) {
	all := tables(t)
	found := loadTypes(t, all)
	kinds := map[string]int{}
	for _, tb := range all {
		kinds[tb.kind]++
		pkg, name := tb.subject, ""
		if tb.kind == "fields" || tb.kind == "enum" {
			i := strings.LastIndex(pkg, ".")
			pkg, name = pkg[:i], pkg[i+1:]
		}
		scope := found[pkg].Scope()
		switch tb.kind {
		case "fields":
			tb.checkFields(t, scope, name)
		case "enum":
			tb.checkEnum(t, scope, name)
		case "constants":
			tb.checkConstants(t, scope)
		case "rows":
			tb.checkRows(t)
		}
	}
	for _, kind := range []string{"fields", "constants", "rows"} {
		if kinds[kind] == 0 {
			t.Errorf("no page has a table of kind %s: the comments above tables no longer fit", kind)
		}
	}
}

// loadTypes type-checks the packages that the tables speak of, with what they do not export.
func loadTypes(t *testing.T, all []*table) map[string]*types.Package {
	t.Helper()
	var paths []string
	for _, tb := range all {
		pkg := tb.subject
		if tb.kind == "fields" || tb.kind == "enum" {
			pkg = pkg[:max(strings.LastIndex(pkg, "."), 0)]
		}
		if p := module + pkg; !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
	}
	cfg := &packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports |
			packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedExportFile,
		Dir: root,
	}
	ps, err := packages.Load(cfg, paths...)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*types.Package{}
	for _, p := range ps {
		for _, e := range p.Errors {
			t.Fatalf("a table of a page speaks of a package that does not load: %v", e)
		}
		found[strings.TrimPrefix(p.PkgPath, module)] = p.Types
	}
	return found
}

// checkFields compares a record's table with its struct: names, order and wire types.
func (tb *table) checkFields(t *testing.T, scope *types.Scope, name string) {
	t.Helper()
	o, ok := scope.Lookup(name).(*types.TypeName)
	if !ok {
		t.Errorf("%s: there is no type %s", tb.where(), tb.subject)
		return
	}
	s, ok := o.Type().Underlying().(*types.Struct)
	if !ok {
		t.Errorf("%s: %s is not a struct", tb.where(), tb.subject)
		return
	}
	want := wireFields(s)
	names, kinds := tb.column("Field"), tb.column("Type")
	var got []string
	for i := range min(len(names), len(kinds)) {
		got = append(got, names[i]+" "+kinds[i])
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: the table of %s lists\n\t%s\nthe code has\n\t%s", tb.where(), tb.subject, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// wireFields lists the names and wire types of a struct's fields. The encoder
// puts the fields of an embedded struct in its place, so the list does too.
func wireFields(s *types.Struct) []string {
	var all []string
	for i := range s.NumFields() {
		f := s.Field(i)
		inner, isStruct := f.Type().Underlying().(*types.Struct)
		switch {
		case f.Name() == "_" || strings.Contains(s.Tag(i), `cbor:"-"`):
		case f.Embedded() && isStruct:
			all = append(all, wireFields(inner)...)
		default:
			all = append(all, f.Name()+" "+wireType(f.Type()))
		}
	}
	return all
}

// wireType says how a Go type is encoded, in the words of PROTOCOL.md, section 2.
func wireType(t types.Type) string {
	if n, ok := t.(*types.Named); ok && n.Obj().Name() == "Link" {
		return "link"
	}
	if n, ok := t.(*types.Named); ok {
		if _, isStruct := n.Underlying().(*types.Struct); isStruct {
			return n.Obj().Name()
		}
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		if u.Kind() == types.String {
			return "text"
		}
		return u.Name()
	case *types.Slice:
		if isByte(u.Elem()) {
			return "bytes"
		}
		return "array of " + wireType(u.Elem())
	case *types.Array:
		if isByte(u.Elem()) {
			return fmt.Sprintf("bytes %d", u.Len())
		}
	case *types.Interface:
		return "body"
	}
	return t.String()
}

func isByte(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Kind() == types.Uint8
}

// checkEnum compares a table of numbers with all constants of a type.
func (tb *table) checkEnum(t *testing.T, scope *types.Scope, name string) {
	t.Helper()
	type entry struct {
		name  string
		value int64
	}
	var want []entry
	for _, id := range scope.Names() {
		c, ok := scope.Lookup(id).(*types.Const)
		if n, named := types.Unalias(objectType(c, ok)).(*types.Named); named && n.Obj().Name() == name && c.Exported() {
			v, _ := constant.Int64Val(c.Val())
			want = append(want, entry{id, v})
		}
	}
	slices.SortStableFunc(want, func(a, b entry) int { return int(a.value - b.value) })
	var got []entry
	numbers, names := tb.column("No."), tb.column("Name")
	for i := range min(len(numbers), len(names)) {
		v, err := strconv.ParseInt(numbers[i], 10, 64)
		if err != nil {
			t.Errorf("%s: %v", tb.where(), err)
		}
		got = append(got, entry{names[i], v})
	}
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("%s: the table of %s lists\n\t%v\nthe code has\n\t%v", tb.where(), tb.subject, got, want)
	}
}

func objectType(c *types.Const, ok bool) types.Type {
	if !ok {
		return types.Typ[types.Invalid]
	}
	return c.Type()
}

// checkConstants compares the values a table gives with a package's constants.
func (tb *table) checkConstants(t *testing.T, scope *types.Scope) {
	t.Helper()
	names, values := tb.column("Constant"), tb.column("Value", "Bits")
	if len(names) != len(values) {
		t.Errorf("%s: want the columns Constant and Value", tb.where())
		return
	}
	for i, name := range names {
		c, ok := scope.Lookup(name).(*types.Const)
		if !ok {
			t.Errorf("%s: %s has no constant %s", tb.where(), tb.subject, name)
			continue
		}
		want, err := quantity(values[i])
		if err != nil {
			t.Errorf("%s: %s: %v", tb.where(), name, err)
			continue
		}
		if got, _ := constant.Float64Val(constant.ToFloat(c.Val())); got != want {
			t.Errorf("%s: the table says %s is %s, the code has %s", tb.where(), name, values[i], c.Val())
		}
	}
}

// quantity reads a number of a table: 0x1f, 1,048,576, 2^17, 0.5, 256 KiB, 90 s. Times are in nanoseconds, as Go has them.
func quantity(text string) (float64, error) {
	number, unit, _ := strings.Cut(strings.ReplaceAll(text, ",", ""), " ")
	scale, ok := map[string]float64{
		"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "ms": float64(time.Millisecond),
		"s": float64(time.Second), "min": float64(time.Minute), "h": float64(time.Hour),
	}[unit]
	if !ok {
		return 0, fmt.Errorf("unit %q of %q is unknown", unit, text)
	}
	if base, exponent, power := strings.Cut(number, "^"); power {
		b, err := strconv.ParseFloat(base, 64)
		e, err2 := strconv.Atoi(exponent)
		if err != nil || err2 != nil {
			return 0, fmt.Errorf("%q is not a power", text)
		}
		return math.Pow(b, float64(e)) * scale, nil
	}
	if hexadecimal, ok := strings.CutPrefix(number, "0x"); ok {
		n, err := strconv.ParseUint(hexadecimal, 16, 64)
		return float64(n), err
	}
	n, err := strconv.ParseFloat(number, 64)
	return n * scale, err
}

// checkRows compares the table of operations with kernel.Ops.
func (tb *table) checkRows(t *testing.T) {
	t.Helper()
	var want, got []string
	for op, row := range kernel.Ops {
		if op > 0 {
			want = append(want, fmt.Sprintf("%d %s %d", op, row.Name, row.Version))
		}
	}
	numbers, names, versions := tb.column("No."), tb.column("Row"), tb.column("Version")
	for i := range names {
		got = append(got, numbers[i]+" "+names[i]+" "+versions[i])
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: the table lists\n\t%v\nkernel.Ops has\n\t%v", tb.where(), got, want)
	}
}

// TestNumericsPage holds the figures that stand in the text of NUMERICS.md.
func TestNumericsPage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "work/kernel/NUMERICS.md"))
	if err != nil {
		t.Fatal(err)
	}
	published, err := os.ReadFile(filepath.Join(root, "work/kernel/conformance.txt"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(published)
	encoding, _ := kernel.Attr{}.AppendBinary(nil)
	for _, want := range []string{
		hex.EncodeToString(sum[:]),
		fmt.Sprintf("each of %d cases", bytes.Count(published, []byte("\n"))),
		fmt.Sprintf("canonical encoding has %d bytes", len(encoding)),
	} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("NUMERICS.md does not say %q", want)
		}
	}
}
