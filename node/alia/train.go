package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/options"
	"github.com/alia-network/alia/node/report"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/train"
)

// trainFlags is the flags that decide a training run: with the same flags and the
// same corpus every run gives the same model.
type trainFlags struct {
	corpus, src, tgt string
	config, preset   string
	given            []*options.Flag // flags of options
}

func (l *trainFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&l.corpus, "corpus", "", "`DIR` with train.SRC and train.TGT, val.* and test*.*, or a TSV file (default: a built-in phrasebook)")
	f.StringVar(&l.src, "src", "", "`LANGUAGE` to translate from, as in the corpus's file names")
	f.StringVar(&l.tgt, "tgt", "", "`LANGUAGE` to translate into, as in the corpus's file names")
	f.StringVar(&l.config, "config", "", "TOML `FILE` with options; a flag overrides the file, the file overrides the preset")
	f.StringVar(&l.preset, "preset", "", fmt.Sprintf("`SIZE` of the model and its options: %s (default: %s)", strings.Join(train.Presets(), ", "), options.UsualPreset))
	l.given = optionFlags(cmd)
	for flag, words := range map[string][]string{"preset": train.Presets(), "decay": train.Decays(), "batch-tokens": {auto}, "local-steps": {auto}} {
		complete(cmd, flag, words)
	}
}

// open makes the run's configuration, and reads and cleans the corpus.
func (l *trainFlags) open(a *app) (*sizing, error) {
	var c sizing
	var err error
	if c.Config, c.Preset, c.undecided, err = l.configure(a); err != nil {
		return nil, err
	}
	if c.Corpus, err = l.read(a); err != nil {
		return nil, err
	}
	c.Config.Source, c.Config.Target = c.Corpus.Source, c.Corpus.Target
	if err := c.Config.Validate(); err != nil {
		return nil, usageError{err.Error()}
	}
	a.note("corpus %s to %s: %v", c.Corpus.Source, c.Corpus.Target, c.Corpus.Clean())
	if n := copies(c.Corpus); n > len(c.Corpus.Train)/2 {
		a.note("in %d of %d pairs the translation is the source itself: is this the right corpus?", n, len(c.Corpus.Train))
	}
	return &c, nil
}

// copies counts the training pairs whose translation is their source.
func copies(c *corpus.Corpus) (n int) {
	for _, p := range c.Train {
		if p.Source == p.Target {
			n++
		}
	}
	return n
}

func (l *trainFlags) read(a *app) (*corpus.Corpus, error) {
	if l.corpus != "" {
		return corpus.Open(a.path(l.corpus), l.src, l.tgt)
	}
	c := corpus.Phrasebook()
	if l.src != "" && l.src != c.Source || l.tgt != "" && l.tgt != c.Target {
		return nil, usagef("the built-in phrasebook is %s to %s: for other languages give a corpus with --corpus", c.Source, c.Target)
	}
	return c, nil
}

func newTrain(a *app) *cobra.Command {
	var l trainFlags
	var c deviceFlags
	var n peerFlags
	var local, stay, show, keep bool
	cmd := &cobra.Command{
		Use:   "train [--local]",
		Short: "Train a translation model, alone or by a network's miners",
		Long: `Train a translation model: on this machine with --local, otherwise by the
miners of a network.

The model depends on the corpus, the preset and the options, and on nothing
else. Who computes, on which device, and how often the run was stopped leaves
no trace in its bits. A stopped run goes on when the same command is given
again. An option that you do not give has the preset's value; --print-config
prints the value of every option, as a file for --config.

--batch-tokens auto fits the batches to this machine's memory. --local-steps
auto gives units more local steps where the network is slow. Both decide once,
when the run begins.

The finished model is a directory in the home: model.safetensors,
tokenizer.json, config.json and manifest.json. The run's own directory has its
curves: metrics.jsonl, an event file for TensorBoard, and curves.svg.`,
		Example: `  alia train --local
  alia train --local --corpus multi30k --src en --tgt de --preset tiny
  alia train --network network.json --corpus multi30k --src en --tgt de --stay`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if local {
				if err := a.goesWith("without --local: there is no network to serve", append(onlyPeer, "stay")...); err != nil {
					return err
				}
			}
			if show {
				if err := a.goesWith("without --print-config, which prints a TOML file", "json"); err != nil {
					return err
				}
				return a.atHome(cmd, func(ctx context.Context) error { return showConfig(ctx, a, &l, &c, &n, local) })
			}
			return a.atHome(cmd, func(ctx context.Context) error {
				if local {
					return trainLocal(ctx, a, &l, &c, keep)
				}
				return trainNetwork(ctx, a, &l, &c, &n, keep, stay)
			})
		},
	}
	l.flags(cmd)
	c.flags(cmd)
	n.flags(cmd)
	a.eventsFlag(cmd)
	cmd.Flags().BoolVar(&show, "print-config", false, "print every option as a file for --config, and train nothing")
	cmd.Flags().BoolVar(&local, "local", false, "train in this process: no network, no pay")
	cmd.Flags().BoolVar(&keep, "keep-checkpoints", false, "keep every checkpoint on the disk, for a quick verification of any round, instead of those of the last ten minutes")
	cmd.Flags().BoolVar(&stay, "stay", false, "serve the model to the network when the run is done, until interrupted")
	return cmd
}

// trainLocal runs the coordinator with one worker of this process as its crew.
func trainLocal(ctx context.Context, a *app, l *trainFlags, c *deviceFlags, keep bool) (err error) {
	size, err := l.open(a)
	if err != nil {
		return err
	}
	dev, err := c.open(a)
	if err != nil {
		return err
	}
	if err := size.decide(ctx, a, a.home.Decisions(), dev, nil, 1); err != nil {
		return err
	}
	store, err := a.host.open(ctx, a)
	if err != nil {
		return err
	}
	a.note("training the tokenizer, %d pieces", size.Config.Pieces)
	plan, err := run.New(ctx, run.Fresh(store), size.Corpus, size.Config)
	if err != nil {
		return err
	}
	dir, done, err := a.openRun(plan.Link, keep)
	if err != nil {
		return err
	}
	defer done()
	crew := &work.Local{Worker: work.NewWorker(dev), Blocks: plan.Working(store), Clock: milliseconds}
	w := newWatch(ctx, a, dev.Name())
	w.alone = !a.guest
	defer w.close()
	if err := w.draw(ctx, store, plan, dir); err != nil {
		return err
	}
	out, err := (&node.Coordinator{Dir: dir, Store: store, Plan: plan, Crew: crew, Home: crew, Report: w.report}).Run(ctx)
	if err != nil {
		return w.stopped(ctx, err)
	}
	path, err := node.SaveModel(ctx, store, a.home.Models(), plan, out)
	if err != nil {
		return err
	}
	w.close()
	return a.trained(w.sum(plan, out, path))
}

// milliseconds is the clock of the logs: since the Unix epoch.
func milliseconds() uint64 { return uint64(time.Now().UnixMilli()) }

func (a *app) trained(t report.Trained) error {
	return a.result(t, func(w io.Writer) {
		for _, s := range t.Tests {
			fmt.Fprintf(w, "%-20s BLEU %.2f  chrF2 %.2f  (%d sentences)\n", s.Name, s.BLEU, s.ChrF, s.Sentences)
		}
		fmt.Fprintf(w, "rounds %d, training loss %.3f, validation loss %.3f\n", t.Rounds, t.TrainLoss, t.ValidLoss)
		fmt.Fprintf(w, "%.1f s, %.0f target tokens a second", t.Seconds, t.TokensPerSecond)
		if t.TokensPerCPUSecond > 0 {
			fmt.Fprintf(w, ", %.0f per CPU-second", t.TokensPerCPUSecond)
		}
		fmt.Fprintln(w)
		fmt.Fprintf(w, "model %s\n%s\n", t.Model, t.Path)
		fmt.Fprintf(w, "curves %s\nmetrics %s\ntensorboard --logdir %s\n", t.Curves, t.Metrics, filepath.Dir(t.TensorBoard))
	})
}

// showConfig prints the configuration of a run as a file, with everything
// decided. It joins the network only to measure it.
func showConfig(ctx context.Context, a *app, l *trainFlags, c *deviceFlags, n *peerFlags, local bool) (err error) {
	size, err := l.open(a)
	if err != nil {
		return err
	}
	dev, err := c.open(a)
	if err != nil {
		return err
	}
	var peer *node.Peer
	if !local && size.undecided["local_steps"] {
		if peer, err = n.join(ctx, a); err != nil {
			return err
		}
	}
	if err := size.decide(ctx, a, a.home.Decisions(), dev, peer, 1); err != nil {
		return err
	}
	_, err = io.WriteString(a.stdout, options.Print(size.Config, size.Preset, nil))
	return err
}
