package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/bench"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// translateBench is the flags of alia bench translate.
type translateBench struct {
	decodeFlags
	preset, source string
	batch          int
	speed
}

func newBenchTranslate(a *app) *cobra.Command {
	var c deviceFlags
	var b translateBench
	cmd := &cobra.Command{
		Use:   "translate [--model PATH|CID --source FILE]",
		Short: "Measure translation on this machine",
		Long: `Measure translation on this machine: sentences and output tokens per second of
processor time, and the memory. With --model, a file is translated once to warm
up and once to measure, with sentences of about the same length together.

Without --model a table compares untrained models of every preset: greedy search
in batches, greedy search one sentence at a time, and a beam of 5; each in
binary32 and in int8. A process of its own measures each line of the table, so
that its memory is known. --preset limits the table to one preset. --beam,
--batch or --int8 limits it to one line for each preset. The table's sentences
per second are by the clock. Its sentences are made up, of 8 to 24 tokens.`,
		Example: `  alia bench translate
  alia bench translate --preset small --kernels avx2
  alia bench translate --preset base --beam 5 --int8 --json
  alia bench translate --model MODEL --source text.en --batch 1`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if b.batch < 1 {
				return usagef("--batch %d: give 1 or more", b.batch)
			}
			return undone(cmd.Context(), b.measure(cmd.Context(), a, &c), "the measurements are not complete")
		},
	}
	c.flags(cmd)
	threads := cmd.Flags().Lookup("threads") // the goals are for one
	c.threads, threads.DefValue = 1, "1"
	f := cmd.Flags()
	b.decodeFlags.flags(f)
	f.StringVar(&b.preset, "preset", "", "`SIZE` of the untrained model: "+strings.Join(train.Presets(), ", ")+" (default: all)")
	f.StringVar(&b.source, "source", "", "`FILE` with a sentence on each line")
	b.speed.flags(cmd, "")
	f.IntVar(&b.batch, "batch", 64, "`NUMBER` of sentences decoded together")
	a.completeFrom(cmd, "model", a.models)
	complete(cmd, "preset", train.Presets())
	return cmd
}

// measure checks which flags go together, and measures one cell or a table.
func (b *translateBench) measure(ctx context.Context, a *app, c *deviceFlags) error {
	d, err := b.decoding()
	if err != nil {
		return err
	}
	if b.model != "" {
		if err := a.goesWith("without --model", "preset"); err != nil {
			return err
		}
		if b.source == "" {
			return usagef("--source is missing: give a file with a sentence on each line")
		}
		return b.one(ctx, a, c, d)
	}
	if err := a.goesWith("with --model", "source", "shortlist"); err != nil {
		return err
	}
	presets := train.Presets()
	if b.preset != "" {
		if _, err := train.Preset(b.preset); err != nil {
			return usagef("--preset: %v", err)
		}
		presets = []string{b.preset}
	}
	one := a.typed["beam"] || a.typed["batch"] || a.typed["int8"]
	if one && b.preset != "" {
		return b.one(ctx, a, c, d)
	}
	return b.table(ctx, a, c, presets, one)
}

// one measures one model in one way.
func (b *translateBench) one(ctx context.Context, a *app, c *deviceFlags, d unit.Decoding) error {
	m := bench.Translate{Batch: b.batch}
	load, id := b.untrained, ""
	if b.model != "" {
		t, dir, lines, err := b.open(a)
		if err != nil {
			return err
		}
		id = t.ID().String()
		load = func(dev kernel.Device, m *bench.Translate, d unit.Decoding) ([][]int32, error) {
			if err := t.Prepare(dev, b.int8); err != nil {
				return nil, err
			}
			engine, err := b.engine(dev, t, dir)
			m.Decode = func(sources [][]int32) ([][]int32, error) {
				targets, _, err := engine.Decode(t.Prepared(), sources, d)
				return targets, err
			}
			return bench.Sources(t, lines), err
		}
	}
	dev, err := c.open(a)
	if err != nil {
		return err
	}
	sources, err := load(dev, &m, d)
	if err != nil {
		return err
	}
	if len(sources) == 0 {
		return fmt.Errorf("%s has no sentence: put one on each line", b.source)
	}
	r, err := m.Run(ctx, sources)
	if err != nil {
		return err
	}
	r.Model, r.Preset, r.Kernels, r.Threads, r.Beam, r.Int8, r.Shortlist = id, b.preset, dev.Name(), c.threads, b.beam, b.int8, b.shortlist
	return a.result(r, translateText{r}.print)
}

// open reads the model and the lines of the file.
func (b *translateBench) open(a *app) (t *model.Translator, dir string, lines []string, err error) {
	if dir, err = a.modelDir(b.model); err != nil {
		return nil, "", nil, err
	}
	if lines, err = readLines(b.source, a.stdin); err != nil {
		return nil, "", nil, err
	}
	t, err = node.OpenModel(dir)
	return t, dir, lines, err
}

// untrained sets m up with the preset's model.
func (b *translateBench) untrained(dev kernel.Device, m *bench.Translate, d unit.Decoding) ([][]int32, error) {
	return m.Configure(dev, b.preset, b.int8, d)
}

// table measures every preset in every way, or in the one way that the flags say. It prints each
// line when it is measured.
func (b *translateBench) table(ctx context.Context, a *app, c *deviceFlags, presets []string, one bool) error {
	if _, err := c.pick(); err != nil {
		return err
	}
	out := a.stdout
	if a.json {
		out = a.stderr
	}
	var cells []*bench.TranslateReport
	measure := func(preset, name string, beam uint16, batch int, int8 bool) error {
		r, err := b.cell(ctx, a, c, preset, beam, batch, int8)
		if err != nil {
			return fmt.Errorf("preset %s, %s: %w", preset, name, err)
		}
		cells = append(cells, r)
		fmt.Fprintf(out, "%-6s %-19s %-9s %-9s %10.0f %14.0f %8.0f\n", preset, name, translateText{r}.numbers(), r.Kernels, r.TokensPerCPU, r.PerSecond, float64(r.PeakRSS)/1e6)
		return nil
	}
	fmt.Fprintf(out, "%-6s %-19s %-9s %-9s %10s %14s %8s\n", "preset", "decoding", "numbers", "kernels", "tokens/CPU-s", "sentences/s", "MB")
	for _, preset := range presets {
		if one {
			if err := measure(preset, fmt.Sprintf("beam %d, batch %d", b.beam, b.batch), b.beam, b.batch, b.int8); err != nil {
				return err
			}
			continue
		}
		for _, d := range bench.Decodings {
			for _, int8 := range []bool{false, true} {
				if err := measure(preset, d.Name, d.Beam, d.Batch, int8); err != nil {
					return err
				}
			}
		}
	}
	return a.result(struct {
		Cells []*bench.TranslateReport `json:"cells"`
	}{cells}, func(io.Writer) {})
}

// cell measures an untrained model in a process of its own: what a process took at most shows
// nothing of what it took before.
func (b *translateBench) cell(
	ctx context.Context, a *app, c *deviceFlags, preset string, beam uint16, batch int, int8 bool,
) (*bench.TranslateReport, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{
		"bench", "translate", "--json", "--preset", preset, "--device", c.device, "--kernels", c.kernels, "--threads", fmt.Sprint(c.threads),
		"--beam", fmt.Sprint(beam), "--batch", fmt.Sprint(batch), fmt.Sprintf("--int8=%v", int8),
		"--length-penalty", b.length.String(), "--no-repeat", fmt.Sprint(b.noRepeat), "--repetition-penalty", b.repetition.String(),
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stderr = a.stderr
	data, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	r := new(bench.TranslateReport)
	return r, json.Unmarshal(data, r)
}

// translateText is a report for people.
type translateText struct{ *bench.TranslateReport }

// numbers is the arithmetic.
func (r translateText) numbers() string {
	if r.Int8 {
		return "int8"
	}
	return "binary32"
}

func (r translateText) print(w io.Writer) {
	if r.Preset != "" {
		fmt.Fprintf(w, "preset %s, untrained\n", r.Preset)
	}
	fmt.Fprintf(w, "%d sentences, beam %d, %d together, %s, %s kernels, %d threads\n", r.Sentences, r.Beam, r.Batch, r.numbers(), r.Kernels, r.Threads)
	fmt.Fprintf(w, "%10.1f sentences per CPU-second\n%10.1f sentences per second\n%10.0f output tokens per CPU-second\n%10.0f MB of memory at most\n",
		r.PerCPUSecond, r.PerSecond, r.TokensPerCPU, float64(r.PeakRSS)/1e6)
}
