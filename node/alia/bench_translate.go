package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/bench"
)

// translateBench is the flags of alia bench translate.
type translateBench struct {
	decodeFlags
	source string
	batch  int
	speed
}

func newBenchTranslate(a *app) *cobra.Command {
	var c deviceFlags
	var b translateBench
	cmd := &cobra.Command{
		Use:   "translate --model PATH|CID --source FILE",
		Short: "Measure translation on this machine",
		Long: `Measure translation on this machine: sentences and output tokens per second of
processor time. The file is translated once to warm up and once to measure,
with sentences of about the same length together.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if b.source == "" {
				return usagef("--source is missing: give a file with a sentence on each line")
			}
			if b.batch < 1 {
				return usagef("--batch %d: give 1 or more", b.batch)
			}
			return undone(cmd.Context(), b.run(cmd.Context(), a, &c), "nothing is measured")
		},
	}
	c.flags(cmd)
	threads := cmd.Flags().Lookup("threads") // the goals are for one
	c.threads, threads.DefValue = 1, "1"
	f := cmd.Flags()
	b.decodeFlags.flags(f)
	f.StringVar(&b.source, "source", "", "`FILE` with a sentence on each line")
	b.speed.flags(cmd, "")
	f.IntVar(&b.batch, "batch", 64, "`NUMBER` of sentences decoded together")
	a.completeFrom(cmd, "model", a.models)
	return cmd
}

func (b *translateBench) run(ctx context.Context, a *app, c *deviceFlags) error {
	d, err := b.decoding()
	if err != nil {
		return err
	}
	dir, err := a.modelDir(b.model)
	if err != nil {
		return err
	}
	lines, err := readLines(b.source, a.stdin)
	if err != nil {
		return err
	}
	t, err := node.OpenModel(dir)
	if err != nil {
		return err
	}
	dev, err := c.open(a)
	if err != nil {
		return err
	}
	sources := bench.Sources(t, lines)
	if len(sources) == 0 {
		return fmt.Errorf("%s has no sentence: put one on each line", b.source)
	}
	if err := t.Prepare(dev, b.int8); err != nil {
		return err
	}
	engine, err := b.engine(dev, t, dir)
	if err != nil {
		return err
	}
	m := bench.Translate{Engine: engine, Model: t, Decoding: d, Batch: b.batch}
	r, err := m.Run(ctx, sources)
	if err != nil {
		return err
	}
	r.Kernels, r.Threads, r.Beam, r.Int8, r.Shortlist = dev.Name(), c.threads, b.beam, b.int8, b.shortlist
	return a.result(r, translateText{r}.print)
}

// translateText is a report for people.
type translateText struct{ *bench.TranslateReport }

func (r translateText) print(w io.Writer) {
	numbers := "binary32"
	if r.Int8 {
		numbers = "int8"
	}
	fmt.Fprintf(w, "%d sentences, beam %d, %d together, %s, %s kernels, %d threads\n", r.Sentences, r.Beam, r.Batch, numbers, r.Kernels, r.Threads)
	fmt.Fprintf(w, "%10.1f sentences per CPU-second\n%10.1f sentences per second\n%10.0f output tokens per CPU-second\n%10.0f MB of memory at most\n",
		r.PerCPUSecond, r.PerSecond, r.TokensPerCPU, float64(r.PeakRSS)/1e6)
}
