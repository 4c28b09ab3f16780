package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
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
                 model.safetensors or pytorch_model.bin (in one file or in
                 several with an index), source.spm, target.spm, vocab.json, and
                 target_vocab.json where the languages have two vocabularies;
                 M2M-100 and NLLB: sentencepiece.bpe.model, vocab.json (M2M-100)
                 and special_tokens_map.json; or the directory that alia model
                 export --to huggingface wrote. Nothing of a pytorch_model.bin
                 runs: it may have plain tensors only
    marian       model.npz, source.spm, target.spm and vocab.yml, or one
                 SentencePiece model for each vocabulary, as decoder.yml names
                 them; the folder in which Marian trained; or the files of a
                 model of Firefox Translations, whose codes of 8 bits become
                 numbers: model.*.bin and vocab.*.spm, or srcvocab.*.spm and
                 trgvocab.*.spm
    ctranslate2  a Transformer of CTranslate2's converters, of binary version 3
                 to 6, with the SentencePiece models that it was trained with as
                 source.spm and target.spm; a package of Argos Translate, as
                 FILE.argosmodel or unpacked; or the directory that alia model
                 export --to ctranslate2 wrote

A multilingual model of M2M-100 or NLLB becomes a model of the pair of languages
that --src and --tgt name, by the model's own codes, such as de or deu_Latn.

Normalisation, activation, special tokens and tokenizer stay as they are. The
model translates as before, with the same bits on every device. Nothing is
downloaded: DIR has the files already. alia translate --local --model takes the
directory of --out. To be found without --model, the directory goes below models
in the home, with the model's CID as its name.`,
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
	f.StringVar(&src, "src", "", "source `LANGUAGE`, where the files do not name one")
	f.StringVar(&tgt, "tgt", "", "target `LANGUAGE`, where the files do not name one")
	complete(cmd, "from", format.Imports)
	return cmd
}

func importModel(a *app, from, dir, out, src, tgt string) error {
	read, names, err := foreignFiles(dir)
	if err != nil {
		return fmt.Errorf("import %s: %w", dir, err)
	}
	t, err := format.ImportPair(from, read, src, tgt, names...)
	if err != nil {
		return fmt.Errorf("import %s: %w%s", dir, err, recognised(from, dir))
	}
	files := t.Files()
	if files[node.ManifestFile], err = node.ManifestOf(t); err != nil {
		return fmt.Errorf("import %s: %w", dir, err)
	}
	return writeModel(a, t.ID().String(), out, files)
}

// recognised is what a directory that cannot be imported seems to be, as the rest of an error.
func recognised(from, dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "" // the error in front says so
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if what := format.Recognise(from, names); what != "" {
		return "; " + what
	}
	return ""
}

// maxArchive bounds the bytes of a file in an archive, unpacked.
const maxArchive = 4 << 30

// foreignFiles reads the files of another program's model, and gives their names: of a directory,
// with those in directories directly below it, or of a package of Argos Translate, which is a zip
// with one directory.
func foreignFiles(dir string) (format.ReadFile, []string, error) {
	if filepath.Ext(dir) == ".argosmodel" {
		return packageFiles(dir)
	}
	var names []string
	for _, pattern := range []string{"*", "*/*"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, nil, err
		}
		for _, path := range found {
			if name, err := filepath.Rel(dir, path); err == nil {
				names = append(names, filepath.ToSlash(name))
			}
		}
	}
	return func(name string) ([]byte, error) {
		return node.ReadPart(filepath.Join(dir, filepath.FromSlash(name)), slices.Contains([]string{".safetensors", ".npz", ".bin"}, filepath.Ext(name)))
	}, names, nil
}

// packageFiles reads the files of a package.
func packageFiles(path string) (format.ReadFile, []string, error) {
	data, err := node.ReadPart(path, true)
	if err != nil {
		return nil, nil, err
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, nil, fmt.Errorf("not a package of Argos Translate, which is a zip: %w", err)
	}
	files := map[string]*zip.File{}
	var names []string
	for _, f := range z.File {
		_, name, _ := strings.Cut(f.Name, "/") // the one directory
		if name == "" || files[name] != nil {
			continue
		}
		files[name], names = f, append(names, name)
	}
	return func(name string) ([]byte, error) {
		f := files[name]
		if f == nil {
			return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
		if f.UncompressedSize64 > maxArchive {
			return nil, fmt.Errorf("%s has %d bytes, at most %d are read", name, f.UncompressedSize64, uint64(maxArchive))
		}
		r, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		defer r.Close()
		data, err := io.ReadAll(r) // no more than the zip says, and with its checksum
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return data, nil
	}, names, nil
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
