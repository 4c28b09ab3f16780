package node_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sharedNames are the exported type names that stand in several packages, with
// the reason why a reader is not misled. A name that means two things gets two
// names instead.
var sharedNames = map[string]string{
	"Blocks":       "the blocks that a package needs: each caller names the methods it uses",
	"Client":       "one who asks: a ledger's light client, a customer's",
	"Config":       "each package's own settings",
	"Device":       "what computes: kernel's interface and the CUDA device behind it",
	"Document":     "what has text to translate: a file, and what a customer asks for",
	"Draft":        "what is not finished yet: a correction, a receipt",
	"Engine":       "what computes a model: model's interface and nmt's implementation",
	"Error":        "an error with a reason for programs, of the protocol or of a check",
	"Job":          "a translation that was asked for: its record, a customer's, an engine's",
	"Language":     "a language: as people name it, and what its profile has",
	"Line":         "a line of a log: of a round's, of a journal's",
	"Local":        "what this process computes itself: units of a run, an engine's texts",
	"MinerJoined":  "the market's event, and the notice that a node gives of it",
	"MinerLeft":    "the market's event, and the notice that a node gives of it",
	"Model":        "a trained model: its record, and what an engine says of it",
	"Network":      "a network of nodes: its file, and the engine of its miners",
	"Plan":         "what a run will do: the plan itself, and what the ledger keeps of it",
	"Profile":      "what was measured beforehand: a machine's speeds, a language's letters",
	"Quote":        "what a job can cost: a customer's, an engine's",
	"Reason":       "why something is refused, by the protocol or by a check",
	"Receipt":      "what a customer keeps of a job: the record, and what an engine says of it",
	"Record":       "what is encoded and kept: a message, a run's, a journal's",
	"Request":      "what is asked of another: of the peer of a bench, of an engine",
	"Sealer":       "what encrypts blocks at rest: block's interface, and that with a home's key",
	"Segment":      "text that is translated as a whole: of a file, and of a job",
	"Sender":       "what submits an account's transactions: light's, and node's interface to it",
	"State":        "what a step begins with: of the ledger, of a round, of a journal's entry",
	"Term":         "words that must stand in a translation: a glossary's line, and their tokens",
	"Training":     "a training run in progress: run's, and node's over a network",
	"Translated":   "a text that is translated: an engine's, and a command's answer",
	"Unit":         "work leased to a miner: the unit, and what the market needs of it",
	"UnitProgress": "the market's event, and the notice that a node gives of it",
	"Want":         "a block to fetch and its greatest size, of the mesh and of a check",
}

// TestNames: no exported type name stands in two packages, but those above.
func TestNames(t *testing.T) {
	packages := map[string]map[string]bool{} // by name
	err := filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			_, nested := os.Stat(filepath.Join(path, "go.mod"))
			if name := e.Name(); path != ".." && (name[0] == '.' || name == "testdata" || nested == nil) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, s := range g.Specs {
				name := s.(*ast.TypeSpec).Name.Name
				if !ast.IsExported(name) {
					continue
				}
				if packages[name] == nil {
					packages[name] = map[string]bool{}
				}
				packages[name][filepath.ToSlash(filepath.Dir(strings.TrimPrefix(path, "../")))] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range packages {
		if len(in) > 1 && sharedNames[name] == "" {
			t.Errorf("%s is a type in %s: give each meaning a name of its own, or say above why they mean the same",
				name, strings.Join(slices.Sorted(maps.Keys(in)), ", "))
		}
	}
	for name := range sharedNames {
		if len(packages[name]) < 2 {
			t.Errorf("%s stands in one package or in none: take it off the table above", name)
		}
	}
}
