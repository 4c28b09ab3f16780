package node_test

import (
	"flag"
	"fmt"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of rooms in .github/CONTRIBUTING.md anew")

// The table of rooms stands between these lines.
const (
	roomsPage  = ".github/CONTRIBUTING.md"
	roomsBegin = "<!-- rooms: go test ./node -run TestRoomTable -update -->\n"
	roomsEnd   = "<!-- end of rooms -->\n"
)

// TestRoomTable holds the page's table of rooms against the layout table and
// the packages' own first sentences.
func TestRoomTable(t *testing.T) {
	path := filepath.Join(root, roomsPage)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), roomsBegin)
	_, after, ok2 := strings.Cut(rest, roomsEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no lines %q and %q", roomsPage, roomsBegin, roomsEnd)
	}
	want := before + roomsBegin + roomTable(t) + roomsEnd + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(data) != want {
		t.Errorf("the table of rooms in %s is stale: run go test ./node -run TestRoomTable -update", roomsPage)
	}
}

// roomTable is the table as Markdown: rooms in alphabetical order.
func roomTable(t *testing.T) string {
	t.Helper()
	names := make([]string, 0, len(rooms))
	for name := range rooms {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString("| Room | Content | Pure | May import |\n| --- | --- | --- | --- |\n")
	for _, name := range names {
		imports := slices.Sorted(slices.Values(rooms[name]))
		list := strings.Join(imports, ", ")
		if len(imports) > 12 {
			list = fmt.Sprintf("%d rooms", len(imports))
		}
		mark := ""
		if pure[name] {
			mark = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, synopsis(t, name), mark, list)
	}
	return b.String()
}

// synopsis is what the first sentence of a package's comment says of it.
func synopsis(t *testing.T, room string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, room, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if f.Doc == nil {
			continue
		}
		text := strings.TrimSuffix((*doc.Package)(nil).Synopsis(f.Doc.Text()), ".")
		for _, head := range []string{"Package ", "Command "} {
			text = strings.TrimPrefix(text, head)
		}
		_, text, _ = strings.Cut(text, " ") // the package's name
		text = strings.ReplaceAll(strings.TrimPrefix(text, "is "), "|", "\\|")
		return strings.ToUpper(text[:1]) + text[1:]
	}
	t.Errorf("%s: no file has a package comment", room)
	return ""
}

// libraries are the rooms that programs outside this repository import.
var libraries = []string{
	"protocol", "protocol/block", "protocol/market", "protocol/mesh",
	"work", "work/unit", "work/state", "work/model", "work/run", "work/text", "work/corpus", "work/score", "work/format",
	"work/nmt", "work/kernel", "work/tensor", "ledger", "ledger/light", "ledger/wallet", "node", "node/client",
}

// TestLibrariesHaveExamples: each of these has an Example that go test runs.
func TestLibrariesHaveExamples(t *testing.T) {
	for _, room := range libraries {
		files, err := filepath.Glob(filepath.Join(root, room, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, file := range files {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range doc.Examples(f) {
				found = found || e.Output != "" || e.EmptyOutput
			}
		}
		if !found {
			t.Errorf("%s has no Example with an output", room)
		}
	}
}

// TestHomeTable: OPERATE.md lists the files of a home that node/home names.
func TestHomeTable(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "node/home/home.go"), nil, parser.PackageClauseOnly|parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(f.Doc.Text(), "A home holds:\n\n")
	if !ok {
		t.Fatal("node/home's comment has no list of a home's files")
	}
	var want []string
	for line := range strings.Lines(list) {
		if name, found := strings.CutPrefix(line, "\t"); found {
			want = append(want, strings.Fields(name)[0])
		}
	}
	page, err := os.ReadFile(filepath.Join(root, "node/OPERATE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "<!-- home -->\n")
	var got []string
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		if name := strings.Split(line, "`"); len(name) > 1 {
			got = append(got, name[1])
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("OPERATE.md lists the files\n\t%v\nnode/home has\n\t%v", got, want)
	}
}
