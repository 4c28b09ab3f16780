package node_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/text"
)

// TestFilesChange opens a model, and then has another program cut and overwrite its
// files: the open model stays what its CID says, and the changed files are refused.
func TestFilesChange(t *testing.T) {
	tok, err := text.Train(slices.Values([]string{"one two", "eins zwei"}), 262)
	if err != nil {
		t.Fatal(err)
	}
	m := model.Model{Source: "en", Target: "de", Vocab: uint32(tok.Pieces()), Shape: nmt.Shape{Dim: 8, FFN: 8, Heads: 2, Encoder: 1, Decoder: 1}}
	made, err := model.NewTranslator(m, nmt.Init(m.Config(), 1), tok)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "model")
	files := made.Files()
	if files[node.ManifestFile], err = node.ManifestOf(made); err != nil {
		t.Fatal(err)
	}
	if err := node.WriteDir(dir, files); err != nil {
		t.Fatal(err)
	}
	open, err := node.OpenModel(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, model.ParamsFile)
	data := slices.Clone(files[model.ParamsFile])
	half := len(data) / 2
	for i := half; i < len(data); i++ {
		data[i] ^= 1
	}
	for what, change := range map[string]func() error{
		"overwritten": func() error { return os.WriteFile(path, data, 0o600) },
		"cut":         func() error { return os.Truncate(path, int64(half)) },
		"empty":       func() error { return os.Truncate(path, 0) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if state.SumSet(open.Params) != made.Model.Params {
			t.Fatalf("%s: the open model has other parameters", what)
		}
		if _, err := node.OpenModel(dir); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v, want an error that names %s", what, err, dir)
		}
	}
}
