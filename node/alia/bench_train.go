package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node/bench"
	"github.com/alia-network/alia/node/profile"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/train"
)

func newBenchTrain(a *app) *cobra.Command {
	var c deviceFlags
	var o trainBenchOptions
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Measure training on this machine",
		Long: `Measure training on this machine: target tokens per second of processor time,
the share of the time in matrix products, and the memory.

A step is one gradient, its quantisation, and the combine of a round of one
unit with Adam. Without --corpus the sentences are made up and have 8 to 24
tokens.

--profile prints the time of each operation, and writes a flame graph that a
browser shows.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			defer func() { err = undone(cmd.Context(), err, "nothing is measured") }()
			return o.bench(cmd.Context(), a, &c)
		},
	}
	c.flags(cmd)
	threads := cmd.Flags().Lookup("threads") // the goals are for one
	c.threads, threads.DefValue = 1, "1"
	f := cmd.Flags()
	f.StringVar(&o.preset, "preset", "tiny", "`SIZE` of the model: "+strings.Join(train.Presets(), ", "))
	f.StringVar(&o.arithmetic, "arithmetic", train.Binary32, "`NAME` of what the matrix products multiply, 32-bit numbers or 8-bit codes: "+strings.Join(train.Arithmetics(), ", "))
	f.StringVar(&o.corpus, "corpus", "", "`DIR` with train.SRC and train.TGT, or a TSV file (default: made-up sentences)")
	f.StringVar(&o.src, "src", "", "`LANGUAGE` to translate from, as in the corpus's file names")
	f.StringVar(&o.tgt, "tgt", "", "`LANGUAGE` to translate into, as in the corpus's file names")
	f.Uint32Var(&o.batchTokens, "batch-tokens", 0, "most tokens of a batch, source or target, a `NUMBER` (default: the preset's)")
	f.IntVar(&o.steps, "steps", 30, "`NUMBER` of steps to measure, after a few to warm up")
	f.StringVar(&o.profile, "profile", "", "write a flame graph to `FILE`.svg, and print the time of each operation")
	complete(cmd, "arithmetic", train.Arithmetics())
	return cmd
}

// trainBenchOptions is the flags of alia bench train.
type trainBenchOptions struct {
	preset, arithmetic, corpus, src, tgt, profile string
	batchTokens                                   uint32
	steps                                         int
}

// bench checks the flags, measures, and prints the measurement.
func (o *trainBenchOptions) bench(ctx context.Context, a *app, c *deviceFlags) error {
	if o.steps < 1 {
		return usagef("--steps %d: give 1 or more", o.steps)
	}
	if o.corpus == "" {
		if err := a.goesWith("with --corpus", "src", "tgt"); err != nil {
			return err
		}
	}
	// Mistakes in the flags are reported before any measurement.
	b := bench.Train{Steps: o.steps}
	if !slices.Contains(train.Arithmetics(), o.arithmetic) {
		return usagef("--arithmetic %s: give one of %s", o.arithmetic, strings.Join(train.Arithmetics(), ", "))
	}
	if err := b.Configure(o.preset, o.arithmetic, o.batchTokens); err != nil {
		return usagef("--preset: %v", err)
	}
	dev, err := c.open(a)
	if err != nil {
		return err
	}
	b.Device, b.Threads = dev, c.threads
	if o.corpus == "" {
		b.Synthesise()
	} else if err := o.read(a, &b); err != nil {
		return err
	}
	r, err := b.Run(ctx)
	if err != nil {
		return err
	}
	// The profile is of the same steps that were measured.
	if o.profile != "" {
		if err := b.WriteProfile(o.profile, o.preset); err != nil {
			return err
		}
		r.Operations = b.Operations()
	}
	return a.result(r, trainText{r}.print)
}

// read sets the bench up with the first epoch of a corpus.
func (o *trainBenchOptions) read(a *app, b *bench.Train) error {
	if o.src == "" && o.tgt == "" { // either way is as good to measure
		if l, err := corpus.Languages(o.corpus); err == nil && len(l) == 2 {
			o.src, o.tgt = l[0], l[1]
			if o.tgt == "en" {
				o.src, o.tgt = o.tgt, o.src
			}
		}
	}
	data, found, err := corpus.Open(o.corpus, corpus.Selection{Source: o.src, Target: o.tgt})
	if err != nil {
		return err
	}
	cfg := &b.Config
	cfg.Source, cfg.Target = data.Source, data.Target
	if err := cfg.Validate(); err != nil {
		return usageError{err.Error()}
	}
	a.note("corpus %s to %s: %v", data.Source, data.Target, found)
	a.note("training the tokenizer, %d pieces", cfg.Pieces)
	return b.Read(o.corpus, data)
}

// trainText is a report for people.
type trainText struct{ *bench.TrainReport }

func (r trainText) print(w io.Writer) {
	if len(r.Operations) > 0 {
		profile.Print(w, r.Operations)
	}
	fmt.Fprintf(w, "preset %s, %d parameters, %s kernels, %d threads, %d steps of %d target tokens\n",
		r.Preset, r.Params, r.Kernels, r.Threads, r.Steps, r.TargetTokens/r.Steps)
	fmt.Fprintf(w, "%10.0f target tokens per CPU-second\n", r.PerCPUSecond)
	fmt.Fprintf(w, "%10.0f target tokens per second\n", r.PerSecond)
	fmt.Fprintf(w, "%10.1f %% of the time in matrix products\n", 100*r.GemmShare)
	fmt.Fprintf(w, "%10.0f MB of memory at most\n", float64(r.PeakRSS)/1e6)
}
