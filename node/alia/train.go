package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/train"
)

// lesson is the flags that decide a training run: with the same corpus and
// the same lesson every run ends in the same model.
type lesson struct {
	corpus, src, tgt, preset                   string
	epochs, rounds, batchTokens, units, pieces uint32
	seed                                       uint64
}

func (l *lesson) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&l.corpus, "corpus", "", "directory of NAME.SRC and NAME.TGT files, or a TSV file (default: the phrasebook)")
	f.StringVar(&l.src, "src", "", "language to translate from, as in the corpus's file names")
	f.StringVar(&l.tgt, "tgt", "", "language to translate into")
	f.StringVar(&l.preset, "preset", "demo", "size of the model: "+strings.Join(train.Presets(), ", "))
	f.Uint32Var(&l.epochs, "epochs", 0, "passes over the corpus (default: the preset's)")
	f.Uint32Var(&l.rounds, "rounds", 0, "end after this many rounds (default: after the epochs)")
	f.Uint64Var(&l.seed, "seed", 1, "decides first parameters, shuffles and dropout")
	f.Uint32Var(&l.batchTokens, "batch-tokens", 0, "most tokens of a batch, on either side (default: the preset's)")
	f.Uint32Var(&l.units, "units", 0, "units of a round, each one batch (default: the preset's)")
	f.Uint32Var(&l.pieces, "pieces", 0, "pieces of the tokenizer (default: the preset's)")
}

// open reads and cleans the corpus, and gives the run's configuration.
func (l *lesson) open(a *app) (*corpus.Corpus, train.Config, error) {
	cfg, err := train.Preset(l.preset)
	if err != nil {
		return nil, train.Config{}, usagef("--preset: %v", err)
	}
	c, err := l.read()
	if err != nil {
		return nil, train.Config{}, err
	}
	a.note("corpus %s to %s: %v", c.Source, c.Target, c.Clean())
	cfg.Source, cfg.Target, cfg.Seed, cfg.Rounds = c.Source, c.Target, l.seed, l.rounds
	for _, o := range []struct {
		given uint32
		into  *uint32
	}{{l.epochs, &cfg.Epochs}, {l.batchTokens, &cfg.BatchTokens}, {l.units, &cfg.Workers}, {l.pieces, &cfg.Pieces}} {
		if o.given != 0 {
			*o.into = o.given
		}
	}
	if err := cfg.Validate(); err != nil {
		return nil, train.Config{}, usageError{err.Error()}
	}
	return c, cfg, nil
}

func (l *lesson) read() (*corpus.Corpus, error) {
	if l.corpus != "" {
		return corpus.Open(l.corpus, l.src, l.tgt)
	}
	c := corpus.Phrasebook()
	if l.src != "" && l.src != c.Source || l.tgt != "" && l.tgt != c.Target {
		return nil, usagef("the phrasebook is %s to %s: for other languages give a --corpus", c.Source, c.Target)
	}
	return c, nil
}

func newTrain(a *app) *cobra.Command {
	var l lesson
	var c compute
	var n networked
	var local, stay bool
	cmd := &cobra.Command{
		Use:   "train [--local]",
		Short: "Train a translation model, alone or by a network's miners",
		Long: `Train a translation model, alone with --local or by the miners of a network.

The model depends on the corpus, the preset and the numbers given here, and on
nothing else: who computes, with what, and how often it was stopped leaves no
trace in its bits. A stopped run goes on when the same command is given again.

The finished model is a directory in the home: model.safetensors,
tokenizer.json, config.json and manifest.json.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if local {
				return trainLocal(cmd.Context(), a, &l, &c)
			}
			return trainNetwork(cmd.Context(), a, &l, &c, &n, stay)
		},
	}
	l.flags(cmd)
	c.flags(cmd)
	n.flags(cmd)
	a.eventsFlag(cmd)
	cmd.Flags().BoolVar(&local, "local", false, "in this process: no network, no ledger, no pay")
	cmd.Flags().BoolVar(&stay, "stay", false, "go on serving the model to the network when the run is done")
	return cmd
}

// trained is the result of a run. CPUSeconds is of this process, from the
// plan to the last round, and TargetTokens those trained on meanwhile.
type trained struct {
	Model         string           `json:"model"`
	Run           string           `json:"run"`
	Rounds        int              `json:"rounds"`
	Units         int              `json:"units"`
	TrainLoss     float64          `json:"train_loss"`
	ValidLoss     float64          `json:"valid_loss"`
	BLEU          float64          `json:"bleu"` // of the first test set
	ChrF          float64          `json:"chrf"`
	Tests         []node.TestScore `json:"tests"`
	Seconds       float64          `json:"seconds"`
	CPUSeconds    float64          `json:"cpu_seconds"`
	TargetTokens  uint64           `json:"target_tokens"`
	TokensPerCPUs float64          `json:"target_tokens_per_cpu_second"`
	Path          string           `json:"path"`
	Miners        []minerUnits     `json:"miners,omitempty"`
}

// trainLocal runs the coordinator with one worker of this process as its crew.
func trainLocal(ctx context.Context, a *app, l *lesson, c *compute) (err error) {
	dev, err := c.open(a)
	if err != nil {
		return err
	}
	store, err := a.openStore()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	data, cfg, err := l.open(a)
	if err != nil {
		return err
	}
	a.note("training the tokenizer, %d pieces", cfg.Pieces)
	plan, err := work.NewRun(ctx, store, data, cfg)
	if err != nil {
		return err
	}
	dir, err := a.runDir(plan.Link)
	if err != nil {
		return err
	}
	crew := &work.Local{Worker: work.NewWorker(dev), Blocks: store, Clock: milliseconds}
	w := newWatch(a, dev.Name())
	defer w.close()
	out, err := (&node.Coordinator{Dir: dir, Store: store, Plan: plan, Crew: crew, Home: crew, Report: w.report}).Run(ctx)
	if err != nil {
		return w.stopped(ctx, err)
	}
	path, err := node.SaveModel(ctx, store, filepath.Join(a.home, "models"), plan, out)
	if err != nil {
		return err
	}
	w.close()
	return a.trained(w.sum(plan, out, path))
}

// milliseconds is the clock of the logs: since the Unix epoch.
func milliseconds() uint64 { return uint64(time.Now().UnixMilli()) }

func (a *app) trained(t trained) error {
	return a.result(t, func(w io.Writer) {
		for _, s := range t.Tests {
			fmt.Fprintf(w, "%-20s BLEU %.2f  chrF2 %.2f  (%d sentences)\n", s.Name, s.BLEU, s.ChrF, s.Sentences)
		}
		fmt.Fprintf(w, "rounds %d, training loss %.3f, validation loss %.3f\n", t.Rounds, t.TrainLoss, t.ValidLoss)
		fmt.Fprintf(w, "%.1f s, %.0f target tokens per CPU-second\n", t.Seconds, t.TokensPerCPUs)
		fmt.Fprintf(w, "model %s\n%s\n", t.Model, t.Path)
	})
}
