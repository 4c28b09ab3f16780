package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/work/format"
	"github.com/alia-network/alia/work/model"
)

func newModel(a *app) *cobra.Command {
	return group(&cobra.Command{Use: "model", Short: "List, evaluate, import and export models"},
		newModelList(a), newModelEval(a), newModelScore(a), newModelShortlist(a), newModelImport(a), newModelExport(a))
}

func newModelList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the models in the home",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			models, err := listModels(a.home.Models())
			if err != nil {
				return err
			}
			return a.result(struct {
				Models []node.Manifest `json:"models"`
			}{models}, func(w io.Writer) {
				for _, m := range models {
					fmt.Fprintf(w, "%s  %s", m.Model, english.Plural(m.Rounds, "round", ""))
					for _, t := range m.Tests {
						fmt.Fprintf(w, "  %s BLEU %.2f", t.Name, t.BLEU)
					}
					fmt.Fprintln(w)
				}
			})
		},
	}
}

func listModels(dir string) ([]node.Manifest, error) {
	models := []node.Manifest{}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return models, nil
	} else if err != nil {
		return nil, fmt.Errorf("list models: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue // one that is being written, or was
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name(), node.ManifestFile))
		if err != nil {
			return nil, fmt.Errorf("list models: %w", err)
		}
		var m node.Manifest
		if json.Unmarshal(data, &m) != nil {
			return nil, fmt.Errorf("list models: the %s of %s is not JSON, or damaged", node.ManifestFile, filepath.Join(dir, e.Name()))
		}
		models = append(models, m)
	}
	return models, nil
}

func newModelExport(a *app) *cobra.Command {
	var model, to, out string
	cmd := &cobra.Command{
		Use:   "export --model PATH|CID [--to FORMAT] --out FILE.alia|DIR",
		Short: "Write a model as one file, or for another program",
		Long: `Write a model's directory as one tar file. The same model gives the same bytes.

With --to, write a directory for another program. That program then computes
the same function, up to the rounding of its sums:

    huggingface  for transformers: PegasusForConditionalGeneration, which is the
                 same Transformer, or MarianMTModel for an imported model
    ctranslate2  model.bin (binary version 6), config.json and
                 shared_vocabulary.json
    marian       model.npz, vocab.yml and decoder.yml, for a model that came
                 from Marian: its decoder begins with no token, others with one

A model that the other program cannot compute is refused, with the reason.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if out == "" {
				return usagef("--out is missing: give the file to write, or with --to the directory")
			}
			if to != "" && !slices.Contains(format.Exports, to) {
				return usagef("--to %q: give one of %s", to, strings.Join(format.Exports, ", "))
			}
			dir, err := a.modelDir(model)
			if err != nil {
				return err
			}
			if to != "" {
				return exportTo(a, to, dir, out)
			}
			if _, err := node.OpenModel(dir); err != nil { // damaged models stay at home
				return err
			}
			size, err := exportModel(dir, out)
			if err != nil {
				return err
			}
			return a.result(struct {
				Path  string `json:"path"`
				Bytes int    `json:"bytes"`
			}{out, size}, func(w io.Writer) { fmt.Fprintf(w, "%s: %d bytes\n", out, size) })
		},
	}
	cmd.Flags().StringVar(&model, "model", "", "`MODEL` to write: its directory, or its CID")
	cmd.Flags().StringVar(&to, "to", "", "`FORMAT` of another program: "+strings.Join(format.Exports, ", "))
	cmd.Flags().StringVar(&out, "out", "", "`FILE` to write, or with --to a directory")
	complete(cmd, "to", format.Exports)
	a.completeFrom(cmd, "model", a.models)
	return cmd
}

// exportModel writes dir's files as a tar without times and owners.
func exportModel(dir, out string) (size int, err error) {
	var b strings.Builder
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(slices.Values(append(model.FileNames(), node.ManifestFile, shortlistFile))) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // another kind of model's
		} else if err != nil {
			return 0, fmt.Errorf("export model: %w", err)
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), Format: tar.FormatUSTAR}); err != nil {
			return 0, fmt.Errorf("export model: %w", err)
		}
		if _, err := w.Write(data); err != nil {
			return 0, fmt.Errorf("export model: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return 0, fmt.Errorf("export model: %w", err)
	}
	return b.Len(), node.WriteFile(out, []byte(b.String()))
}
