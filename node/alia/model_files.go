package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/work/format"
)

// written is the result of alia model import and export.
type written struct {
	Model string   `json:"model"`
	Path  string   `json:"path"`
	Files []string `json:"files"`
	Bytes int      `json:"bytes"`
}

func (r written) print(w io.Writer) {
	fmt.Fprintf(w, "%s: model %s, %d bytes in %s\n", r.Path, r.Model, r.Bytes, strings.Join(r.Files, ", "))
}

func newModelImport(a *app) *cobra.Command {
	var from, out, src, tgt string
	cmd := &cobra.Command{
		Use:   "import --from FORMAT DIR --out DIR",
		Short: "Make a model from the files of another program",
		Long: `Make a model of this program from the model files of another program.

    huggingface  MarianMT, such as the public OPUS-MT models: config.json,
                 model.safetensors, source.spm, target.spm, vocab.json; or the
                 directory that alia model export --to huggingface wrote
    marian       model.npz, source.spm, target.spm and vocab.yml, or one
                 SentencePiece model as vocabulary, as decoder.yml names them
    ctranslate2  the directory that alia model export --to ctranslate2 wrote

Normalisation, activation, special tokens and tokenizer stay as they are. The
model translates as before, with the same bits on every device.`,
		Args: someArgs(0, "DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			if !slices.Contains(format.Imports, from) {
				return usagef("--from %q: give one of %s", from, strings.Join(format.Imports, ", "))
			}
			if len(args) != 1 || out == "" {
				return usagef("give the directory to read, and the directory to write with --out")
			}
			return importModel(a, from, args[0], out, src, tgt)
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "`FORMAT` of the files: "+strings.Join(format.Imports, ", "))
	f.StringVar(&out, "out", "", "`DIR` to write")
	f.StringVar(&src, "src", "", "source `LANGUAGE`, where the files do not name it")
	f.StringVar(&tgt, "tgt", "", "target `LANGUAGE`, where the files do not name it")
	complete(cmd, "from", format.Imports)
	return cmd
}

func importModel(a *app, from, dir, out, src, tgt string) error {
	t, err := format.Import(from, func(name string) ([]byte, error) {
		return node.ReadPart(filepath.Join(dir, name), slices.Contains([]string{".safetensors", ".npz", ".bin"}, filepath.Ext(name)))
	})
	if err != nil {
		return fmt.Errorf("import %s: %w", dir, err)
	}
	if src != "" {
		t.Model.Source = src
	}
	if tgt != "" {
		t.Model.Target = tgt
	}
	files := t.Files()
	if files[node.ManifestFile], err = node.ManifestOf(t); err != nil {
		return fmt.Errorf("import %s: %w", dir, err)
	}
	return writeModel(a, t.ID().String(), out, files)
}

// writeModel writes a model's files as a directory, and says so.
func writeModel(a *app, id, out string, files map[string][]byte) error {
	if err := node.WriteDir(out, files); err != nil {
		return err
	}
	r := written{Model: id, Path: out}
	for name, data := range files {
		r.Files, r.Bytes = append(r.Files, name), r.Bytes+len(data)
	}
	slices.Sort(r.Files)
	return a.result(r, r.print)
}

// exportTo writes a model's directory as another program's.
func exportTo(a *app, to, dir, out string) error {
	t, err := node.OpenModel(dir)
	if err != nil {
		return err
	}
	files, err := format.Export(to, t)
	if err != nil {
		return fmt.Errorf("export %s: %w", dir, err)
	}
	return writeModel(a, t.ID().String(), out, files)
}
