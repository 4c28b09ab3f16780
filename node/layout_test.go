package node_test

import (
	"errors"
	"go/ast"
	"go/build"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

const module = "github.com/alia-network/alia/"

// rooms is the layout: what each package of ours may import of ours. A
// package missing here fails the test, and so does an import not listed.
// Widening a line is a design decision: say why in the commit.
var rooms = map[string][]string{
	"protocol/disk":          {},
	"protocol/disk/powercut": {},                // for tests alone
	"protocol/block":         {"protocol/disk"}, // every room that writes files syncs them in one way
	"protocol":               {"protocol/block"},
	"protocol/market":        {"protocol", "protocol/block"},
	"protocol/mesh":          {"protocol", "protocol/block"},
	"work/kernel":            {},
	"work/tensor":            {"work/kernel"},
	"work/nmt":               {"work/tensor", "work/kernel"},
	"work/text":              {},
	"work/corpus":            {"work/text"},
	"work/score":             {},
	"work/document":          {"work/language", "work/text"}, // the charset of a text is the one in which it has a language; the sentences that engines translate
	"work/language":          {"work/language/profile"},
	"work/language/profile":  {},
	"work/language/train":    {"work/language/profile"}, // makes the file that work/language embeds
	"work/terms":             {"work/text", "work/unit"},
	"work/train":             {"work/kernel", "work/tensor", "work/nmt", "work/text", "work/corpus"},
	"work/unit":              {"protocol/block"},
	"work/state":             {"protocol/block", "work/kernel", "work/tensor"},
	"work/model":             {"protocol/block", "work/unit", "work/state", "work/kernel", "work/tensor", "work/nmt", "work/text"},
	"work/run":               {"protocol/block", "work/unit", "work/state", "work/model", "work/kernel", "work/tensor", "work/nmt", "work/text", "work/corpus", "work/score", "work/train"},
	"work/check":             {"protocol", "protocol/block", "work/unit", "work/state", "work/model", "work/run", "work/kernel", "work/tensor", "work/nmt", "work/train"},
	"work":                   {"protocol/block", "work/unit", "work/state", "work/model", "work/run", "work/kernel", "work/tensor", "work/nmt", "work/train"},
	"work/format":            {"work/model", "work/state", "work/kernel", "work/nmt", "work/tensor", "work/text"},
	"ledger":                 {"protocol", "protocol/block", "work/unit"}, // the record of a result, which says what a unit cost
	"ledger/wallet":          {"protocol", "protocol/disk"},
	"ledger/genesis":         {"ledger", "protocol", "protocol/block"}, // one parser for nodes, light clients and network files
	"ledger/light":           {"ledger", "ledger/genesis", "protocol", "protocol/block"},
	"ledger/chain":           {"ledger", "ledger/genesis", "protocol"},
	"node/home":              {"protocol", "protocol/block", "ledger/wallet"}, // a replaced key's file names its account
	"node/journal":           {"protocol", "protocol/block", "protocol/disk"},
	"node":                   {"node/home", "node/journal", "node/machine", "protocol", "protocol/block", "protocol/disk", "protocol/market", "protocol/mesh", "work", "work/check", "work/unit", "work/model", "work/run", "work/kernel", "work/corpus", "work/score", "ledger", "ledger/genesis", "ledger/light"},
	"node/client":            {"node", "node/home", "node/journal", "protocol", "protocol/block", "work/check", "work/unit", "work/model", "work/terms", "work/text", "ledger", "ledger/light"},
	"node/engine":            {"node", "node/client", "node/home", "protocol", "protocol/block", "work/kernel", "work/model", "work/nmt", "work/terms", "work/text", "work/unit"},
	"node/gateway/pages":     {},
	"node/gateway":           {"node", "node/corrections", "node/curves", "node/engine", "node/memory", "node/proof", "node/report", "node/translate", "protocol/block", "protocol/disk", "work/document", "work/language", "work/terms", "work/text", "work/unit"},
	"node/ledgertest":        {"protocol", "protocol/block", "work/unit", "ledger", "ledger/light"}, // for tests alone
	"node/testnet":           {"node", "node/home", "protocol", "protocol/block", "work", "work/kernel", "work/model", "work/nmt", "work/text", "work/unit", "ledger", "ledger/chain"},
	"node/corrections":       {"ledger", "ledger/light", "node/memory", "protocol", "protocol/block", "protocol/disk", "work/corpus", "work/document", "work/language", "work/run", "work/score", "work/text"}, // texts, votes, pay and the corpus of one record
	"node/proof":             {"node", "node/client", "node/engine", "node/report", "protocol", "protocol/block", "protocol/disk", "ledger/light", "work/document", "work/text", "work/unit"},
	"node/translate":         {"node/client", "node/engine", "node/memory", "node/proof", "node/report", "protocol", "protocol/block", "protocol/disk", "work/document", "work/terms", "work/text", "work/unit"},
	"node/curves":            {"node", "protocol/block", "work/run", "work/score"},
	"node/retention":         {"node", "node/home", "node/journal", "protocol", "protocol/block", "work/run"},
	"node/report":            {"node", "work/document"}, // the flags of a translated document
	"node/views":             {"node", "node/curves", "node/daemon", "node/gateway", "node/home", "node/report", "node/retention", "protocol", "protocol/block", "work/run", "ledger/light"},
	"node/daemon":            {}, // it knows no node, and no command: it runs what it is given
	"node/swarm":             {"node", "node/machine", "node/report", "node/home", "protocol", "protocol/block", "protocol/mesh", "ledger", "ledger/chain", "ledger/genesis", "ledger/light"},
	"node/machine":           {},
	"node/memory":            {"protocol/disk", "work/corpus"}, // TMX, which corpora come in too
	"node/stream":            {"work/corpus", "work/text"},
	"node/profile":           {"work/kernel"},
	"node/options":           {"work/train"},
	"node/bench":             {"ledger", "ledger/chain", "ledger/light", "node/alia/gemmpeer", "node/client", "node/engine", "node/gateway", "node/machine", "node/profile", "node/testnet", "protocol", "protocol/block", "work/corpus", "work/kernel", "work/model", "work/nmt", "work/text", "work/train", "work/unit"},
	"node/fit":               {"node/machine", "protocol/mesh", "work/corpus", "work/kernel", "work/model", "work/nmt", "work/train"},
	"node/alia": {
		"cuda/device",
		"ledger", "ledger/chain", "ledger/genesis", "ledger/light", "ledger/wallet",
		"node", "node/alia/gemmpeer", "node/bench", "node/client", "node/corrections", "node/curves", "node/daemon", "node/engine", "node/fit", "node/gateway", "node/gateway/pages", "node/home", "node/machine", "node/memory", "node/options", "node/profile", "node/proof", "node/report", "node/retention", "node/stream", "node/swarm", "node/translate", "node/views",
		"protocol", "protocol/block", "protocol/disk", "protocol/mesh",
		"work", "work/corpus", "work/document", "work/format", "work/kernel", "work/language", "work/model", "work/nmt", "work/run", "work/score", "work/text", // a SentencePiece model that cuts texts for BLEU
		"work/state", "work/tensor", "work/terms", "work/train", "work/unit",
	},
	"node/alia/gemmpeer":          {},
	"node/alia/gemmpeer/openblas": {"node/alia/gemmpeer"},
	"node/swarm/picture":          {},
	"examples/mine":               {"node", "node/home", "protocol", "work", "work/kernel"},
	"examples/train":              {"node", "node/home", "work", "work/corpus", "work/kernel", "work/run", "work/train", "work/unit"},
	"examples/translate":          {"node/client", "node/home", "protocol", "protocol/block"},
	"examples/folder":             {"node/client", "node/home", "protocol", "protocol/block"},
	"examples/messages":           {"node/client", "node/home", "protocol", "protocol/block"},
	"examples/chatbot":            {"node/client", "node/home", "protocol", "protocol/block"},
	"examples/receipt":            {"node", "node/client", "protocol"},
	"cuda":                        {"work/kernel"},
	"cuda/calls":                  {"work/kernel"},
	"cuda/ptx":                    {"work/kernel"},
	"cuda/driver":                 {"cuda/emulator"},
	"cuda/emulator":               {"cuda/ptx"},
	"cuda/selftest":               {"cuda/calls", "cuda/device", "work/kernel", "work/nmt", "work/tensor", "work/train"},
	"cuda/device":                 {"cuda", "cuda/driver", "work/kernel"},
}

// pure rooms have no clock, randomness, goroutine, socket or map order in
// them, and no product of floats that a compiler could fuse.
var pure = map[string]bool{
	"protocol": true, "protocol/market": true, "ledger": true, "work": true, "work/unit": true, "work/state": true, "work/model": true, "work/run": true, "work/check": true,
	"work/kernel": true, "work/tensor": true, "work/nmt": true, "work/text": true,
	"work/corpus": true, "work/score": true, "work/document": true, "work/language": true, "work/language/profile": true, "work/terms": true, "work/train": true, "work/format": true, "cuda/ptx": true,
}

// forbidden imports of pure rooms, with those a room is excused from.
var forbidden = map[string]string{
	"math/rand": "randomness", "math/rand/v2": "randomness", "crypto/rand": "randomness",
	"net": "sockets", "net/http": "sockets", "time": "the clock", "os/exec": "processes",
}

// excused names, for a pure room, what it may use all the same, and why.
var excused = map[string]map[string]string{
	"protocol/market": {"time": "time is an argument: time.Time and time.Duration as values"},
	"work/kernel":     {"go": "worker threads join before Do returns"},
}

// exact functions of package math: those IEEE 754 rounds correctly, and bit casts.
var exact = map[string]bool{
	"Float32bits": true, "Float32frombits": true, "Float64bits": true, "Float64frombits": true,
	"Abs": true, "Sqrt": true, "Inf": true, "IsNaN": true, "IsInf": true, "NaN": true, "Signbit": true,
	"Copysign": true, "Floor": true, "Ceil": true, "Trunc": true, "RoundToEven": true,
}

func load(t *testing.T) []*packages.Package {
	t.Helper()
	cfg := &packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports |
			packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedDeps | packages.NeedExportFile,
		Dir: "..",
	}
	ps, err := packages.Load(cfg, "./...")
	if err != nil {
		t.Fatal(err)
	}
	if packages.PrintErrors(ps) > 0 {
		t.Fatal("the tree does not compile")
	}
	return ps
}

// builds are the platforms and tags whose files are read for their imports.
// Nothing is compiled, so cgo's files are read without a C compiler.
var builds = []build.Context{
	{GOOS: "linux", GOARCH: "amd64"},
	{GOOS: "linux", GOARCH: "arm64"},
	{GOOS: "linux", GOARCH: "riscv64"},
	{GOOS: "darwin", GOARCH: "arm64"},
	{GOOS: "freebsd", GOARCH: "amd64"},
	{GOOS: "windows", GOARCH: "amd64"},
	{GOOS: "linux", GOARCH: "amd64", BuildTags: []string{"cuda"}, CgoEnabled: true},
	{GOOS: "linux", GOARCH: "amd64", BuildTags: []string{"cuda", "cudaemu"}, CgoEnabled: true},
}

// imports reads, for every package of the tree, what its files without tests
// import: the union over the builds, and by themselves those of builds without
// tags.
func imports(t *testing.T) (all, untagged map[string]map[string]bool) {
	t.Helper()
	all, untagged = map[string]map[string]bool{}, map[string]map[string]bool{}
	add := func(m map[string]map[string]bool, room string, paths []string) {
		if m[room] == nil {
			m[room] = map[string]bool{}
		}
		for _, p := range paths {
			m[room][p] = true
		}
	}
	err := filepath.WalkDir("..", func(dir string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() || dir == ".." {
			return err
		}
		_, nested := os.Stat(filepath.Join(dir, "go.mod"))
		if name := e.Name(); name[0] == '.' || name == "testdata" || name == "bin" || nested == nil {
			return filepath.SkipDir
		}
		for _, c := range builds {
			c.Compiler = "gc"
			p, err := c.ImportDir(dir, 0)
			if none := new(build.NoGoError); errors.As(err, &none) {
				continue
			} else if err != nil {
				return err
			}
			room, err := filepath.Rel("..", dir)
			if err != nil {
				return err
			}
			add(all, filepath.ToSlash(room), p.Imports)
			if len(c.BuildTags) == 0 {
				add(untagged, filepath.ToSlash(room), p.Imports)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, untagged
}

// TestLayout holds every import to the table above, and the table to the
// imports: an allowance that nobody uses fails, too.
func TestLayout(t *testing.T) {
	all, untagged := imports(t)
	for _, room := range slices.Sorted(maps.Keys(all)) {
		may, known := rooms[room]
		if !known {
			t.Errorf("%s: no such room in the layout table", room)
			continue
		}
		used := all[room]
		for path := range used {
			if ours, ok := strings.CutPrefix(path, module); ok && !slices.Contains(may, ours) {
				t.Errorf("%s imports %s, which the layout does not allow", room, ours)
			}
			if why, bad := forbidden[path]; bad && pure[room] && excused[room][path] == "" {
				t.Errorf("%s is a pure room and imports %s (%s)", room, path, why)
			}
			if strings.Contains(path, "libp2p/core/network") && room != "protocol/mesh" && strings.HasPrefix(room, "protocol") {
				t.Errorf("%s imports %s: only protocol/mesh opens streams", room, path)
			}
		}
		for path := range untagged[room] {
			if strings.HasPrefix(path, "gorgonia.org/cu") {
				t.Errorf("%s imports %s in the default build: its init exits where there is no GPU", room, path)
			}
		}
		for _, ours := range may {
			if !used[module+ours] {
				t.Errorf("%s may import %s and does not: take %s off its line", room, ours, ours)
			}
		}
		for path := range excused[room] {
			if path != "go" && !used[path] {
				t.Errorf("%s is excused for importing %s and does not", room, path)
			}
		}
	}
	for room := range rooms {
		if all[room] == nil {
			t.Errorf("%s: the layout table has a line for it, and the tree has no such room", room)
		}
	}
}

// TestClientRooms: a customer's program reaches no validator, no GPU and no command.
func TestClientRooms(t *testing.T) {
	seen := map[string]bool{}
	var visit func(room string, path []string)
	visit = func(room string, path []string) {
		if seen[room] {
			return
		}
		seen[room] = true
		if room == "ledger/chain" || room == "cuda" || strings.HasPrefix(room, "cuda/") || strings.HasPrefix(room, "node/alia") || room == "node/bench" {
			t.Errorf("node/client reaches %s: %s", room, strings.Join(path, ", "))
		}
		for _, next := range rooms[room] {
			visit(next, append(path, next))
		}
	}
	visit("node/client", nil)
	if !seen["ledger/light"] {
		t.Error("node/client does not reach the ledger's light client")
	}
}

// TestPureRooms holds the pure rooms' contents.
func TestPureRooms(t *testing.T) {
	if testing.Short() {
		t.Skip("reads and types the whole program: go test without -short does")
	}
	seen := map[string]bool{}
	for _, p := range load(t) {
		room := strings.TrimPrefix(p.PkgPath, module)
		if seen[room] = true; pure[room] {
			checkPure(t, p, room)
		}
	}
	for room := range pure {
		if !seen[room] {
			t.Errorf("%s: the pure room is gone", room)
		}
	}
}

func checkPure(t *testing.T, p *packages.Package, room string) {
	t.Helper()
	goroutines := false
	for _, f := range p.Syntax {
		name := p.Fset.Position(f.Pos()).Filename
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		excusedLines := orderFree(p, f)
		ast.Inspect(f, func(n ast.Node) bool {
			if n == nil {
				return false
			}
			at := p.Fset.Position(n.Pos())
			where := filepath.Base(at.Filename) + ":" + strconv.Itoa(at.Line)
			switch n := n.(type) {
			case *ast.GoStmt:
				if goroutines = true; excused[room]["go"] == "" {
					t.Errorf("%s/%s: a pure room starts a goroutine", room, where)
				}
			case *ast.RangeStmt:
				if typ := p.TypesInfo.TypeOf(n.X); typ != nil {
					if _, isMap := typ.Underlying().(*types.Map); isMap && !excusedLines[at.Line] {
						t.Errorf("%s/%s: range over a map: sort the keys, or say `// order-free: why` on the line", room, where)
					}
				}
			case *ast.SelectorExpr:
				if fn, isFunc := p.TypesInfo.Uses[n.Sel].(*types.Func); isFunc && fn.FullName() == "(*sync.WaitGroup).Go" {
					if goroutines = true; excused[room]["go"] == "" {
						t.Errorf("%s/%s: a pure room starts a goroutine", room, where)
					}
				}
				if id, ok := n.X.(*ast.Ident); ok {
					if pkg, ok := p.TypesInfo.Uses[id].(*types.PkgName); ok && pkg.Imported().Path() == "math" {
						if fn, isFunc := p.TypesInfo.Uses[n.Sel].(*types.Func); isFunc && !exact[fn.Name()] {
							t.Errorf("%s/%s: math.%s differs between CPUs", room, where, fn.Name())
						}
					}
				}
			case *ast.BinaryExpr:
				if fusable(p.TypesInfo, n) {
					t.Errorf("%s/%s: a bare float product is added to something: the compiler may fuse it; round it first, float32(x*y) + z", room, where)
				}
			case *ast.AssignStmt:
				if fusableAssign(p.TypesInfo, n) {
					t.Errorf("%s/%s: a bare float product is added to something: the compiler may fuse it; round it first", room, where)
				}
			}
			return true
		})
	}
	if excused[room]["go"] != "" && !goroutines {
		t.Errorf("%s is excused for starting goroutines and starts none", room)
	}
}

// orderFree collects the lines that say why a range over a map may go in any order.
func orderFree(p *packages.Package, f *ast.File) map[int]bool {
	lines := map[int]bool{}
	for _, g := range f.Comments {
		for _, c := range g.List {
			if strings.Contains(c.Text, "order-free:") {
				line := p.Fset.Position(c.Pos()).Line
				lines[line], lines[line+1] = true, true
			}
		}
	}
	return lines
}

// fusable reports x*y + z, z + x*y and their differences on floats, with the product not converted.
func fusable(info *types.Info, n *ast.BinaryExpr) bool {
	op := n.Op.String()
	return (op == "+" || op == "-") && isFloat(info, n) && (product(info, n.X) || product(info, n.Y))
}

func fusableAssign(info *types.Info, n *ast.AssignStmt) bool {
	op := n.Tok.String()
	return (op == "+=" || op == "-=") && len(n.Rhs) == 1 && isFloat(info, n.Rhs[0]) && product(info, n.Rhs[0])
}

func product(info *types.Info, e ast.Expr) bool {
	for {
		switch x := e.(type) {
		case *ast.ParenExpr:
			e = x.X
		case *ast.UnaryExpr:
			e = x.X
		case *ast.BinaryExpr:
			return x.Op.String() == "*" && isFloat(info, x) && info.Types[x].Value == nil
		default:
			return false
		}
	}
}

func isFloat(info *types.Info, e ast.Expr) bool {
	b, ok := info.TypeOf(e).Underlying().(*types.Basic)
	return ok && b.Info()&types.IsFloat != 0
}

// TestTopLevel: exactly these names at the top of the repository.
func TestTopLevel(t *testing.T) {
	want := map[string]bool{
		"node": true, "protocol": true, "work": true, "ledger": true, "cuda": true, "examples": true,
		"go.mod": true, "go.sum": true, "Makefile": true, "README.md": true, "LICENSE": true,
		".ci": true, ".github": true, ".git": true, ".gitignore": true, ".gitattributes": true, "bin": true,
	}
	es, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	var extra []string
	for _, e := range es {
		if !want[e.Name()] {
			extra = append(extra, e.Name())
		}
	}
	sort.Strings(extra)
	if len(extra) > 0 {
		t.Errorf("the top level holds %v too", extra)
	}
}
