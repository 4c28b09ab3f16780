package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/unit"
)

// translateBench is the flags of alia bench translate.
type translateBench struct {
	decodeFlags
	source string
	batch  int
	speed
}

// translateReport is what alia bench translate prints.
type translateReport struct {
	Model        string  `json:"model"`
	Kernels      string  `json:"kernels"`
	Threads      int     `json:"threads"`
	Batch        int     `json:"batch"`
	Int8         bool    `json:"int8"`
	Shortlist    bool    `json:"shortlist"`
	Beam         uint16  `json:"beam"`
	Sentences    int     `json:"sentences"`
	OutputTokens int     `json:"output_tokens"` // end marks included
	PerCPUSecond float64 `json:"sentences_per_cpu_second"`
	PerSecond    float64 `json:"sentences_per_second"`
	TokensPerCPU float64 `json:"output_tokens_per_cpu_second"`
	PeakRSS      int64   `json:"peak_rss_bytes"`
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
	lines, err := readLines(b.source)
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
	var sources [][]int32
	for _, line := range lines {
		if ids := t.Tokenizer.Source(line); len(ids) > 0 {
			sources = append(sources, ids[:min(len(ids), nmt.MaxLength-1)])
		}
	}
	if len(sources) == 0 {
		return fmt.Errorf("%s has no sentence: put one on each line", b.source)
	}
	// Sentences of about one length go together, as a translator would batch them.
	slices.SortStableFunc(sources, func(x, y []int32) int { return len(x) - len(y) })
	if err := t.Prepare(b.int8); err != nil {
		return err
	}
	t.On(dev)
	engine, err := b.engine(dev, t, dir)
	if err != nil {
		return err
	}
	// The first pass warms up: it compiles programs and fills caches.
	if _, err := b.translate(ctx, engine, t, sources, d); err != nil {
		return err
	}
	began, cpu := time.Now(), machine.CPUSeconds()
	tokens, err := b.translate(ctx, engine, t, sources, d)
	if err != nil {
		return err
	}
	seconds, used := time.Since(began).Seconds(), machine.CPUSeconds()-cpu
	r := translateReport{
		Model: t.ID().String(), Kernels: dev.Name(), Threads: c.threads, Batch: b.batch, Beam: b.beam, Int8: b.int8, Shortlist: b.shortlist,
		Sentences: len(sources), OutputTokens: tokens, PerSecond: float64(len(sources)) / seconds, PeakRSS: machine.PeakMemory(),
	}
	if used > 0 {
		r.PerCPUSecond, r.TokensPerCPU = float64(len(sources))/used, float64(tokens)/used
	}
	return a.result(r, r.print)
}

func (r translateReport) print(w io.Writer) {
	numbers := "binary32"
	if r.Int8 {
		numbers = "int8"
	}
	fmt.Fprintf(w, "%d sentences, beam %d, %d together, %s, %s kernels, %d threads\n", r.Sentences, r.Beam, r.Batch, numbers, r.Kernels, r.Threads)
	fmt.Fprintf(w, "%10.1f sentences per CPU-second\n%10.1f sentences per second\n%10.0f output tokens per CPU-second\n%10.0f MB of memory at most\n",
		r.PerCPUSecond, r.PerSecond, r.TokensPerCPU, float64(r.PeakRSS)/1e6)
}

// translate decodes sentences, some at a time, and counts the tokens.
func (b *translateBench) translate(ctx context.Context, engine model.Engine, t *model.Translator, sources [][]int32, d unit.Decoding) (tokens int, err error) {
	for part := range slices.Chunk(sources, b.batch) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		targets, _, err := engine.Decode(t.Prepared(), part, d)
		if err != nil {
			return 0, err
		}
		for _, ids := range targets {
			tokens += len(ids) + 1
		}
	}
	return tokens, nil
}
