package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// ofProcess is what belongs to a process, with the files that may use it. A command may
// be a guest of another process: its streams, its directory and its environment are
// those of the app. The console is of the person who started the process, and guests have
// none.
var ofProcess = map[string][]string{
	"os.Stdin": {"main.go", "console.go"}, "os.Stdout": {"main.go"}, "os.Stderr": {"main.go", "console.go"}, "os.Exit": {"main.go"}, "os.Args": {"main.go"},
	"os.Chdir": {}, "signal.Notify": {"main.go"}, "signal.NotifyContext": {},
	"os.LookupEnv": {"main.go"},
	"os.Environ":   {"host.go"}, "os.Getwd": {"host.go"}, // of a command that is sent to another process
	"os.Getenv": {"console.go", "device.go", "terminal.go"}, // GOGC is of the process; a process's own terminal
}

// TestGuestsUseTheirOwn: no code that guests run uses what belongs to the process.
func TestGuestsUseTheirOwn(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			name := fmt.Sprintf("%s.%s", s.X, s.Sel)
			may, listed := ofProcess[name]
			if used[name+" "+file] = true; listed && !strings.Contains(strings.Join(may, " "), file) {
				t.Errorf("%s uses %s, which is this process's: a guest has its own, in app", file, name)
			}
			return true
		})
	}
	for name, may := range ofProcess {
		for _, file := range may {
			if !used[name+" "+file] {
				t.Errorf("%s does not use %s any more: take it off the table", file, name)
			}
		}
	}
}
