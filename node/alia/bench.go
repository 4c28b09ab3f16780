package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/train"
)

func newBench(a *app) *cobra.Command {
	var c compute
	kinds := []string{"all", "train", "translate", "conformance"}
	cmd := &cobra.Command{
		Use:       "bench [train|translate|conformance|all]",
		Short:     "Measure kernels, training and translation on this machine",
		ValidArgs: kinds,
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		RunE: func(_ *cobra.Command, args []string) error {
			what := "all"
			if len(args) == 1 {
				what = args[0]
			}
			return bench(a, &c, what)
		},
	}
	c.flags(cmd)
	cmd.AddCommand(newBenchGemm(a))
	return cmd
}

// measure is one line of a benchmark.
type measure struct {
	Name    string  `json:"name"`
	Kernels string  `json:"kernels"`
	Threads int     `json:"threads"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
}

func bench(a *app, c *compute, what string) error {
	measures := []measure{}
	add := func(dev kernel.Device, threads int, name string, value float64, unit string) {
		measures = append(measures, measure{name, dev.Name(), threads, value, unit})
		a.note("%-28s %-9s %d threads  %12.2f %s", name, dev.Name(), threads, value, unit)
	}
	if what == "conformance" || what == "all" {
		for _, name := range kernel.Names() {
			began := time.Now()
			dev, err := kernel.Open(name, 1)
			if err != nil {
				return err
			}
			add(dev, 1, "conformance, all rows", float64(time.Since(began).Microseconds())/1000, "ms")
		}
	}
	dev, err := c.open(a)
	if err != nil {
		return err
	}
	if what == "all" {
		for _, s := range matmulShapes {
			add(dev, c.threads, fmt.Sprintf("matmul %dx%dx%d", s[0], s[1], s[2]), matmulRate(dev, s, 300*time.Millisecond)/1e9, "GFLOP/s")
		}
	}
	for _, name := range train.Presets() {
		if what == "train" || what == "all" {
			tokens, err := trainRate(dev, name)
			if err != nil {
				return err
			}
			add(dev, c.threads, "train "+name, tokens, "target tokens/CPU-s")
		}
		if what == "translate" || what == "all" {
			sentences, err := translateRate(dev, name)
			if err != nil {
				return err
			}
			add(dev, c.threads, "translate "+name+", untrained", sentences, "target tokens/CPU-s")
		}
	}
	return a.result(struct {
		Measures []measure `json:"measures"`
	}{measures}, func(io.Writer) {})
}

// benchTime is the least processor time of a measurement, in seconds.
const benchTime = 1.0

// trainRate is the target tokens that one gradient after another of a preset
// takes in, for a second of processor time, on sentences of ordinary length.
func trainRate(dev kernel.Device, preset string) (float64, error) {
	shape, batch, err := benchBatch(preset)
	if err != nil {
		return 0, err
	}
	engine, params := nmt.NewEngine(dev, shape), nmt.Init(shape, 1)
	if _, err := engine.Gradient(params, []nmt.Batch{batch}, nmt.Key{Seed: 1}); err != nil { // takes its memory
		return 0, err
	}
	tokens, began := 0, cpuSeconds()
	for step := uint32(1); ; step++ {
		g, err := engine.Gradient(params, []nmt.Batch{batch}, nmt.Key{Seed: 1, Step: step})
		if err != nil {
			return 0, err
		}
		tokens += g.Tokens
		if took := cpuSeconds() - began; took >= benchTime || took == 0 {
			return float64(tokens) / took, nil
		}
	}
}

// translateRate is the target tokens that greedy decoding gives out, for a
// second of processor time. The model is untrained, so sentences run to their
// limit; the tokens count, not the sentences.
func translateRate(dev kernel.Device, preset string) (float64, error) {
	shape, batch, err := benchBatch(preset)
	if err != nil {
		return 0, err
	}
	engine, params := nmt.NewEngine(dev, shape), nmt.Init(shape, 1)
	tokens, began := 0, cpuSeconds()
	for {
		out, _, err := engine.Greedy(params, batch.Source, nmt.TwicePlusTen)
		if err != nil {
			return 0, err
		}
		for _, s := range out {
			tokens += len(s)
		}
		if took := cpuSeconds() - began; took >= benchTime || took == 0 {
			return float64(tokens) / took, nil
		}
	}
}

// benchBatch is a batch of a preset's size, of sentences of 8 to 24 tokens.
func benchBatch(preset string) (nmt.Config, nmt.Batch, error) {
	cfg, err := train.Preset(preset)
	if err != nil {
		return nmt.Config{}, nmt.Batch{}, err
	}
	var b nmt.Batch
	vocab := int32(cfg.Pieces)
	for tokens, i := 0, int32(0); ; i++ {
		n := 8 + int(i*7%17)
		if tokens += n + 1; tokens > int(cfg.BatchTokens) {
			break
		}
		s := make([]int32, n)
		for j := range s {
			s[j] = 3 + (i*131+int32(j)*977)%(vocab-3)
		}
		t := slices.Clone(s)
		slices.Reverse(t)
		b.Source, b.Target = append(b.Source, s), append(b.Target, t)
	}
	return cfg.Model(int(vocab)), b, nil
}
