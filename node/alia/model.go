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
	"strings"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
)

func newModel(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "model", Short: "List, evaluate, score with and export model files", Args: cobra.NoArgs}
	cmd.AddCommand(newModelList(a), newModelEval(a), newModelScore(a), newModelExport(a))
	return cmd
}

func newModelList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the models in the home",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			models, err := listModels(filepath.Join(a.home, "models"))
			if err != nil {
				return err
			}
			return a.result(struct {
				Models []node.Manifest `json:"models"`
			}{models}, func(w io.Writer) {
				for _, m := range models {
					fmt.Fprintf(w, "%s  %d rounds", m.Model, m.Rounds)
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
		data, err := os.ReadFile(filepath.Join(dir, e.Name(), "manifest.json"))
		if err != nil {
			return nil, fmt.Errorf("list models: %w", err)
		}
		var m node.Manifest
		if err := json.Unmarshal(data, &m); err != nil {
			return nil, fmt.Errorf("list models: %s: %w", e.Name(), err)
		}
		models = append(models, m)
	}
	return models, nil
}

func newModelExport(a *app) *cobra.Command {
	var model, out string
	cmd := &cobra.Command{
		Use:   "export --model PATH|CID --out FILE.alia",
		Short: "Write a model's directory as one file",
		Long:  "Write a model's directory as one tar file, the same bytes for the same model.",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if out == "" {
				return usagef("--out: give the name of the file to write")
			}
			dir, err := a.modelDir(model)
			if err != nil {
				return err
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
	cmd.Flags().StringVar(&model, "model", "", "the model: its directory, or its CID")
	cmd.Flags().StringVar(&out, "out", "", "file to write")
	return cmd
}

// exportModel writes dir's files as a tar without times and owners.
func exportModel(dir, out string) (size int, err error) {
	var b strings.Builder
	w := tar.NewWriter(&b)
	for _, name := range []string{"config.json", "manifest.json", "model.safetensors", "tokenizer.json"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
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
