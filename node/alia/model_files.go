package main

import (
	"archive/zip"
	"bytes"
	"errors"
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
		Long: `Make a model of this program from the model files of another program. FORMAT is
one of these, with the files that DIR must have:

    huggingface  MarianMT, such as the public OPUS-MT models: config.json,
                 model.safetensors or pytorch_model.bin (in one file or in
                 several with an index), source.spm, target.spm, vocab.json, and
                 target_vocab.json where the languages have two vocabularies;
                 M2M-100 and NLLB: sentencepiece.bpe.model, vocab.json (M2M-100)
                 and special_tokens_map.json; or the directory that alia model
                 export --to huggingface wrote. No code of pytorch_model.bin is
                 run: the file may have plain tensors only
    marian       model.npz, source.spm, target.spm and vocab.yml, or one
                 SentencePiece model for each vocabulary, as decoder.yml names
                 them; the folder in which Marian trained; or the files of a
                 model of Firefox Translations, unpacked (gunzip): model.*.bin
                 and vocab.*.spm, or srcvocab.*.spm and trgvocab.*.spm. Its
                 weights of 8 bits become 32-bit floats
    ctranslate2  a Transformer of CTranslate2's converters, of binary version 3
                 to 6, with the SentencePiece models that it was trained with as
                 source.spm and target.spm; a package of Argos Translate, as
                 FILE.argosmodel or unpacked; or the directory that alia model
                 export --to ctranslate2 wrote

A multilingual model of M2M-100 or NLLB becomes a model of one pair of its
languages. --src and --tgt name the pair by the model's own codes, such as de or
deu_Latn; without them the error lists the codes.

Normalisation, activation, special tokens and tokenizer stay as they are. The
model translates as before, with the same bits on every device. Nothing is
downloaded: DIR has the files already. alia translate --local --model takes the
directory of --out. To be found without --model, the directory goes below models
in the home, with the model's CID as its name: models/CID.`,
		Example: `  alia model import --from huggingface opus-mt-en-de --out en-de
  alia model import --from huggingface m2m --src en --tgt de --out en-de
  alia model import --from ctranslate2 en_de.argosmodel --out en-de`,
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
	f.StringVar(&src, "src", "", "source `LANGUAGE`, for a multilingual model or where the files name none")
	f.StringVar(&tgt, "tgt", "", "target `LANGUAGE`, for a multilingual model or where the files name none")
	complete(cmd, "from", format.Imports)
	return cmd
}

func importModel(a *app, from, dir, out, src, tgt string) error {
	// A large model takes minutes, so what can be known before is said before.
	if err := node.Writable(out); err != nil {
		return err
	}
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

// The bounds of a file in an archive, unpacked: those of parameters, and of any other file. Numbers
// hardly become smaller when they are packed, so a file that becomes far larger is no file of
// parameters.
const (
	maxArchive = 4 << 30
	maxPart    = 64 << 20
	maxUnpack  = 32 // bytes for each packed one
)

// foreignFiles reads the files of another program's model, and gives their names: of a directory,
// with those in directories directly below it, or of a package of Argos Translate, which is a zip
// with one directory.
func foreignFiles(dir string) (format.ReadFile, []string, error) {
	if filepath.Ext(dir) == ".argosmodel" {
		return packageFiles(dir)
	}
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, errors.New("it does not exist: give the directory with the model's files")
	case err != nil:
		return nil, nil, err
	case !info.IsDir():
		return nil, nil, errors.New("it is a file: give the directory with the model's files, or a package whose name ends with .argosmodel")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		path := filepath.Join(dir, e.Name())
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			continue // to open a pipe may take for ever
		}
		below, err := os.ReadDir(path)
		if err != nil {
			continue // it may not be read, and may not be needed
		}
		for _, b := range below {
			names = append(names, e.Name()+"/"+b.Name())
		}
	}
	return func(name string) ([]byte, error) {
		return node.ReadPart(filepath.Join(dir, filepath.FromSlash(name)), isParams(name))
	}, names, nil
}

// isParams reports whether a file has parameters, by its name. Only such a file may be large.
func isParams(name string) bool {
	return slices.Contains([]string{".safetensors", ".npz", ".bin"}, filepath.Ext(name))
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
		most := uint64(maxPart)
		if isParams(name) {
			most = min(maxArchive, max(maxPart, maxUnpack*f.CompressedSize64))
		}
		if f.UncompressedSize64 > most {
			return nil, fmt.Errorf("%s has %d bytes, of which %d are packed: at most %d are unpacked", name, f.UncompressedSize64, f.CompressedSize64, most)
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
