package protocol_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// The law of this package: whatever a record has is used. Each field of a record
// is written and read by code outside the package, and each reason is given
// somewhere. A function of the package that others call may write for them. Tests do
// not count. A field that only the encoding touches costs bytes under a signature for
// ever.

const here = "github.com/alia-network/alia/protocol"

// source is the syntax of one package and what the type checker knows of it.
type source struct {
	path  string
	files []*ast.File
	info  *types.Info
}

// use is what code does with a field or a constant.
type use struct{ written, read bool }

// uses collects the uses of the fields of package pkg's structs, by
// "Struct.Field", and of its constants, by name, in all other packages. Uses of
// constants inside pkg count as well, except in the files to skip.
func uses(sources []source, pkg string, skip func(*ast.File) bool) map[string]use {
	all := map[string]use{}
	called := map[string]bool{} // functions of pkg that other packages use
	for _, s := range sources {
		for _, o := range s.info.Uses { // order-free: a set
			if f, ok := o.(*types.Func); ok && s.path != pkg && f.Pkg() != nil && f.Pkg().Path() == pkg {
				called[f.Name()] = true
			}
		}
	}
	note := func(name string, u use) {
		old := all[name]
		all[name] = use{old.written || u.written, old.read || u.read}
	}
	for _, s := range sources {
		for _, f := range s.files {
			if skip(f) {
				continue
			}
			targets := map[ast.Expr]bool{} // left sides of assignments
			outside := s.path != pkg       // or in a function that others call
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.FuncDecl:
					outside = s.path != pkg || n.Recv == nil && called[n.Name.Name]
				case *ast.AssignStmt:
					for _, l := range n.Lhs {
						targets[l] = true
					}
				case *ast.Ident:
					if c, ok := s.info.Uses[n].(*types.Const); ok && c.Pkg() != nil && c.Pkg().Path() == pkg {
						note(c.Name(), use{read: true})
					}
				case *ast.CompositeLit:
					owner := structOf(s.info.TypeOf(n), pkg)
					for _, e := range n.Elts {
						if kv, ok := e.(*ast.KeyValueExpr); ok && owner != "" && outside {
							if key, ok := kv.Key.(*ast.Ident); ok {
								note(owner+"."+key.Name, use{written: true})
							}
						}
					}
				case *ast.SelectorExpr:
					sel := s.info.Selections[n]
					if sel == nil || sel.Kind() != types.FieldVal || !outside {
						return true
					}
					if owner := structOf(sel.Recv(), pkg); owner != "" {
						note(owner+"."+n.Sel.Name, use{written: targets[n], read: !targets[n] && s.path != pkg})
					}
				}
				return true
			})
		}
	}
	return all
}

// structOf returns the name of a struct type of package pkg, or "".
func structOf(t types.Type, pkg string) string {
	if t == nil {
		return ""
	}
	if p, ok := t.Underlying().(*types.Pointer); ok {
		t = p.Elem()
	}
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() == nil || named.Obj().Pkg().Path() != pkg {
		return ""
	}
	return named.Obj().Name()
}

// unused returns the fields of the records of a package, and its constants of
// the type Reason, that the uses lack.
func unused(pkg *types.Package, all map[string]use) []string {
	var missing []string
	for _, name := range pkg.Scope().Names() {
		switch o := pkg.Scope().Lookup(name).(type) {
		case *types.Const:
			if structOrBasic(o.Type()) == "Reason" && !all[name].read {
				missing = append(missing, name+" is never given")
			}
		case *types.TypeName:
			s, ok := o.Type().Underlying().(*types.Struct)
			if !ok || s.NumFields() == 0 || s.Field(0).Name() != "_" {
				continue // not encoded as an array
			}
			for i := range s.NumFields() {
				f := s.Field(i)
				// The package itself fills and checks versions, headers and seals.
				if !f.Exported() || f.Embedded() || f.Name() == "Version" {
					continue
				}
				u := all[name+"."+f.Name()]
				if !u.written {
					missing = append(missing, name+"."+f.Name()+" is never written")
				}
				if !u.read {
					missing = append(missing, name+"."+f.Name()+" is never read")
				}
			}
		}
	}
	slices.Sort(missing)
	return missing
}

func structOrBasic(t types.Type) string {
	if n, ok := types.Unalias(t).(*types.Named); ok {
		return n.Obj().Name()
	}
	return ""
}

// TestEverythingIsUsed holds the module to the law.
func TestEverythingIsUsed(t *testing.T) {
	loaded, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports |
			packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedExportFile,
		Dir: "..",
	}, "./...")
	if err != nil {
		t.Fatal(err)
	}
	var sources []source
	var pkg *types.Package
	table := map[*ast.File]bool{} // reason.go, which only lists the reasons
	for _, p := range loaded {
		if len(p.Errors) > 0 {
			t.Fatal(p.Errors)
		}
		sources = append(sources, source{p.PkgPath, p.Syntax, p.TypesInfo})
		if p.PkgPath == here {
			pkg = p.Types
			for _, f := range p.Syntax {
				table[f] = strings.HasSuffix(p.Fset.Position(f.Pos()).Filename, "/reason.go")
			}
		}
	}
	for _, m := range unused(pkg, uses(sources, here, func(f *ast.File) bool { return table[f] })) {
		t.Error(m)
	}
}

// TestTheLawHolds: the check finds a field without a writer, one without a
// reader, and a reason that is never given.
func TestTheLawHolds(t *testing.T) {
	const records = `package records
type Reason int
const ( Given Reason = 1; Silent Reason = 2 )
type Record struct { _ struct{}; Version int; Good, Unread, Unwritten, Assigned, Inside, Made int }
func Make() Record { return Record{Made: 1} }
func inside(r Record) int { r.Inside = 1; return r.Inside }`
	const user = `package user
import "records"
func write() *records.Record {
	r := &records.Record{Version: 1, Good: 1, Unread: 2}
	r.Assigned = 3 + records.Make().Made
	return r
}
func read(r *records.Record) (int, records.Reason) { return r.Good + r.Unwritten + r.Assigned, records.Given }`
	fset := token.NewFileSet()
	done := map[string]*types.Package{}
	var sources []source
	for _, s := range [][2]string{{"records", records}, {"user", user}} {
		f, err := parser.ParseFile(fset, s[0]+".go", s[1], 0)
		if err != nil {
			t.Fatal(err)
		}
		info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
		p, err := (&types.Config{Importer: found(done)}).Check(s[0], fset, []*ast.File{f}, info)
		if err != nil {
			t.Fatal(err)
		}
		done[s[0]] = p
		sources = append(sources, source{s[0], []*ast.File{f}, info})
	}
	got := strings.Join(unused(done["records"], uses(sources, "records", func(*ast.File) bool { return false })), "\n")
	const want = `Record.Inside is never read
Record.Inside is never written
Record.Unread is never read
Record.Unwritten is never written
Silent is never given`
	if got != want {
		t.Errorf("the check finds\n%s\nwant\n%s", got, want)
	}
}

// found imports packages that are checked already.
type found map[string]*types.Package

func (f found) Import(path string) (*types.Package, error) {
	if p := f[path]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("no package %s", path)
}
