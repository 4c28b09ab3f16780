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
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/score"
	"github.com/alia-network/alia/work/train"
)

// trainFlags is the flags that decide a training run: with the same flags and the
// same corpus every run gives the same model.
type trainFlags struct {
	corpusFlags
	from           string            // a model or a corpus version
	base           *model.Translator // the model that from names, once it is read
	config, preset string
	given          []*options.Flag // flags of options
}

func (l *trainFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	l.corpusFlags.flags(cmd, " (default: a built-in phrasebook)")
	f.StringVar(&l.from, "from", "", "`MODEL` whose training goes on, a DIR or a CID; or VERSION of a corpus with people's corrections, in place of --corpus, as alia corrections export gave it")
	f.StringVar(&l.config, "config", "", "TOML `FILE` with options; a flag overrides the file, the file overrides the preset")
	f.StringVar(&l.preset, "preset", "", fmt.Sprintf("`SIZE` of the model and its options: %s (default: %s)", strings.Join(train.Presets(), ", "), options.UsualPreset))
	l.given = optionFlags(cmd)
	for flag, words := range map[string][]string{"preset": train.Presets(), "decay": train.Decays(), "arithmetic": train.Arithmetics(), "patience-on": append([]string{auto}, train.Measures()...), "batch-tokens": {auto}, "local-steps": {auto}} {
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
	if c.Base, err = l.begins(a); err != nil {
		return nil, err
	}
	var found corpus.Report
	if c.Corpus, found, err = l.read(a); err != nil {
		return nil, err
	}
	if c.Base == nil && c.Config.LoRA > 0 {
		return nil, usagef("%s", noBase(l.from))
	}
	if m := c.Base; m != nil {
		if a.typed["pieces"] {
			return nil, usagef("--pieces: the run has the tokenizer of model %s, so leave it out", l.from)
		}
		c.Config = run.Sized(c.Config, m.Model)
		if m.Model.Source != c.Corpus.Source || m.Model.Target != c.Corpus.Target {
			a.note("model %s translates from %s to %s, and the corpus is %s to %s: the run teaches it another pair", l.from, m.Model.Source, m.Model.Target, c.Corpus.Source, c.Corpus.Target)
		}
	}
	if c.Base != nil {
		if err := noteAlphabet(a, c.Base, c.Corpus); err != nil {
			return nil, err
		}
	}
	c.Config.Source, c.Config.Target = c.Corpus.Source, c.Corpus.Target
	if err := c.Config.Validate(); err != nil {
		return nil, usageError{err.Error()}
	}
	a.noteCorpus(c.Corpus, found)
	tok := score.TokenizerFor(c.Corpus.Target)
	for _, text := range []string{tok.Warning(c.Corpus.Target), tok.Comparable(c.Corpus.Target)} {
		if text != "" {
			a.note("%s", text)
		}
	}
	return &c, nil
}

// read reads and cleans the corpus.
func (l *trainFlags) read(a *app) (*corpus.Corpus, corpus.Report, error) {
	fail := func(err error) (*corpus.Corpus, corpus.Report, error) { return nil, corpus.Report{}, err }
	if err := a.checkTags(l.src, l.tgt); err != nil {
		return fail(err)
	}
	if l.columns != "" && l.corpus == "" {
		return fail(usagef("--columns are of a table: name it with --corpus"))
	}
	if l.from != "" && l.base == nil {
		if l.corpus != "" {
			if _, _, err := a.readVersion(context.Background(), l.from); err != nil {
				return fail(l.noModel(a))
			}
			return fail(usagef("--from %s is no model here, so it names a version of a corpus, and --corpus a corpus: give one of them; `alia corrections export --base CORPUS` makes a version of a corpus", l.from))
		}
		dir, m, err := a.readVersion(context.Background(), l.from)
		if err != nil {
			return fail(fmt.Errorf("--from %s is no model in %s, and no version of a corpus: %w", l.from, a.home.Models(), err))
		}
		if l.src != "" && l.src != m.Source || l.tgt != "" && l.tgt != m.Target {
			return fail(usagef("corpus version %s is %s to %s", m.Version, m.Source, m.Target))
		}
		a.note("corpus version %s, with %d corrections of people", m.Version, m.Corrected)
		return corpus.Open(dir, corpus.Selection{Source: m.Source, Target: m.Target})
	}
	if l.corpus != "" {
		return corpus.Open(a.path(l.corpus), l.options())
	}
	c := corpus.Phrasebook()
	if l.src != "" && l.src != c.Source || l.tgt != "" && l.tgt != c.Target {
		return fail(usagef("the built-in phrasebook is %s to %s: for other languages give a corpus with --corpus", c.Source, c.Target))
	}
	return c, c.Clean(), nil
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
else. Its bits are the same whoever computes, on whatever device, and however
often the run was stopped. A stopped run goes on when the same command is given
again. An option that you do not give has the preset's value; --print-config
prints the value of every option, as a file for --config.

--from MODEL continues the training of a model, one of this program or an
imported one, on your corpus (fine-tuning). The run begins with the model's
parameters and has its tokenizer and its size; all other options are the
preset's. A --learning-rate of a tenth of the preset's is a good first trial.
Without --local, a MODEL that is a CID and not in the home is fetched from the
network.

--lora RANK trains low-rank adapters of that model (LoRA) and leaves its
parameters as they are. Every weight of attention and of feed-forward layers
gets a pair of small matrices, A [RANK, in] and B [RANK, out], whose product is
added to it; embeddings, norms and biases get none. Miners send and keep only
what belongs to the adapters, many times less for a small rank, which suits slow
links. The computation is not faster than without adapters. The finished model
has the adapters merged into its weights, and is a model like any other. A
larger rank learns more. A --learning-rate of three times the preset's is a good
first trial.

--arithmetic int8 multiplies 8-bit codes of weights, activations and gradients
in place of 32-bit numbers, in the projections of all layers and of the output.
All else is computed in 32 bits. Training takes less time where the processor
multiplies such codes fast. The model differs from that of binary32. Its bits
are the same on every machine too, and it is used like any other model.

--from VERSION trains on a version of a corpus, which has corrections of people.
The run is the same as one with --corpus and the version's directory, because
the run's record names the text, and not where the text came from. Such a run
begins with new parameters.

A run is divided into rounds, and a round into units; one machine computes a
unit. After each round the units' results are averaged into the next parameters.

--batch-tokens auto fits the batches to this machine's memory. A local step is
an optimiser step inside a unit; --local-steps auto takes more of them where the
network is slow. Both decide once, when the run begins.

The finished model is a directory in the home: model.safetensors,
tokenizer.json, config.json and manifest.json. The run's own directory has its
curves: metrics.jsonl, an event file for TensorBoard, and curves.svg.`,
		Example: `  alia train --local
  alia train --local --corpus multi30k --src en --tgt de --preset tiny
  alia train --local --arithmetic int8 --corpus multi30k --src en --tgt de
  alia train --local --from MODEL --corpus mine --src en --tgt de
  alia train --from MODEL --lora 8 --corpus mine --src en --tgt de
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
	plan, err := size.plan(ctx, a, store)
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
			fmt.Fprintf(w, "%-20s %s  chrF2 %.2f  (%d sentences)\n", s.Name, s.BLEUText(), s.ChrF, s.Sentences)
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
