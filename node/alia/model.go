package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/work/format"
	"github.com/alia-network/alia/work/model"
)

func newModel(a *app) *cobra.Command {
	return group(&cobra.Command{Use: "model", Short: "List, evaluate, import and export models"},
		newModelList(a), newModelEval(a), newModelScore(a), newModelShortlist(a), newModelImport(a), newModelExport(a))
}

func newModelList(a *app) *cobra.Command {
	var n peerFlags
	cmd := &cobra.Command{
		Use:   "list [--network FILE [PAIR]]",
		Short: "List the models in the home, or those of a network",
		Long: `List the models in the home. Of a model with several target languages they are
listed by their codes: "alia translate --to" takes one.

With --network FILE, list the models that the peers of the network say they
serve, of one pair of languages such as en-de or of all. The best come first:
those with the highest chrF. The scores are the word of the peers. To check
one, measure the model: "alia model eval".`,
		Example: "  alia model list --network network.json en-de",
		Args:    someArgs(0, "PAIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("network") {
				pair := [2]string{}
				if len(args) == 1 {
					pairs, err := parsePairs(args)
					if err != nil {
						return err
					}
					pair = pairs[0]
				}
				return a.atHome(cmd, func(ctx context.Context) error { return listNetworkModels(ctx, a, &n, pair) })
			}
			if len(args) > 0 {
				return usagef("%s: a pair of languages goes with --network FILE", args[0])
			}
			if err := a.goesWith("with --network FILE: the models of the home need no peers", onlyPeer...); err != nil {
				return err
			}
			models, err := listModels(a.home.Models())
			if err != nil {
				return err
			}
			return a.result(struct {
				Models []homeModel `json:"models"`
			}{models}, func(w io.Writer) {
				if len(models) == 0 {
					a.note("no model is in %s: `alia train` makes one, `alia model import` takes one from another program", a.home.Models())
				}
				for _, m := range models {
					fmt.Fprintf(w, "%s  %s", m.Model, english.Plural(m.Rounds, "round", ""))
					for _, t := range m.Tests {
						fmt.Fprintf(w, "  %s %s", t.Name, t.BLEUText())
					}
					if len(m.Targets) > 0 {
						fmt.Fprintf(w, "  into %s", strings.Join(m.Targets, ", "))
					}
					fmt.Fprintln(w)
				}
			})
		},
	}
	n.flags(cmd)
	return cmd
}

// networkModel is a model of a network, as `alia model list --network` prints it.
type networkModel struct {
	Model   string   `json:"model"`
	Source  string   `json:"source"`
	Target  string   `json:"target"`
	ChrF    float64  `json:"chrf"`  // 0 to 100, as holders claim; 0: not known
	Price   uint64   `json:"price"` // least amount for a GFLOP; 0: none is named
	Holders []string `json:"holders"`
}

// findTime is how long a peer that has just joined looks for models before it says that
// there are none.
const findTime = 15 * time.Second

// listNetworkModels lists the models that the peers of a network serve.
func listNetworkModels(ctx context.Context, a *app, n *peerFlags, pair [2]string) error {
	peer, err := n.join(ctx, a)
	if err != nil {
		return err
	}
	found, err := peer.AwaitModels(ctx, pair[0], pair[1], findTime)
	if err != nil {
		return err
	}
	models := make([]networkModel, len(found))
	for i, f := range found {
		m := networkModel{Model: f.Model.String(), Source: f.Source, Target: f.Target, ChrF: float64(f.ChrF) / 10_000, Price: f.Price}
		for _, h := range f.Holders {
			m.Holders = append(m.Holders, h.String())
		}
		models[i] = m
	}
	return a.result(struct {
		Models []networkModel `json:"models"`
	}{models}, func(w io.Writer) {
		if len(models) == 0 {
			fmt.Fprintln(w, "no peer that was found serves a model of these languages; `alia miner run --hold DIR` does")
		}
		for i, m := range models {
			score := "not known"
			if m.ChrF > 0 {
				score = fmt.Sprintf("%.2f", m.ChrF)
			}
			price := ""
			if m.Price > 0 {
				price = fmt.Sprintf("  from %s ALIA a GFLOP", protocol.FormatAmount(m.Price))
			}
			fmt.Fprintf(w, "%s  %s-%s  chrF2 %s%s  %s\n", m.Model, m.Source, m.Target, score, price, english.Plural(len(found[i].Holders), "holder", ""))
		}
	})
}

// homeModel is a model of the home, as `alia model list` prints it.
type homeModel struct {
	node.Manifest
	// Targets are the languages into which --to can choose, of a model with several.
	Targets []string `json:"targets,omitempty"`
}

func listModels(dir string) ([]homeModel, error) {
	models := []homeModel{}
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
		m := homeModel{}
		path := filepath.Join(dir, e.Name())
		if m.Manifest, err = node.ReadManifest(path); err != nil {
			return nil, fmt.Errorf("list models: %w", err)
		}
		if m.Targets, err = engine.Targets(path); err != nil {
			return nil, fmt.Errorf("list models: %w", err)
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
                 same Transformer, or for an imported model what it was there:
                 MarianMTModel or M2M100ForConditionalGeneration
    ctranslate2  model.bin (binary version 6), config.json and
                 shared_vocabulary.json
    marian       model.npz, vocab.yml and decoder.yml, for a model that came
                 from Marian: its decoder begins with no token, others with one.
                 Its norms must follow the sums, since marian-decoder computes
                 other models not as they were trained

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
	for _, name := range slices.Sorted(slices.Values(append(model.FileNames(), node.ManifestFile, engine.ShortlistFile))) {
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
