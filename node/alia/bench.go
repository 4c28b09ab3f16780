package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/train"
)

func newBench(a *app) *cobra.Command {
	var c compute
	kinds := []string{"all", "translate", "conformance"}
	cmd := &cobra.Command{
		Use:       "bench [translate|conformance|all]",
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
	cmd.AddCommand(newBenchGemm(a), newBenchTrain(a))
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
		if what == "all" {
			b := trainBench{dev: dev, threads: c.threads, steps: 4}
			if err := b.configure(&trainBenchOptions{preset: name}); err != nil {
				return err
			}
			b.synthesise()
			r, err := b.run()
			if err != nil {
				return err
			}
			add(dev, c.threads, "train "+name, r.PerCPUSecond, "target tokens/CPU-s")
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

// translateRate is the target tokens that greedy decoding gives out, for a
// second of processor time. The model is untrained, so sentences run to their
// limit; the tokens count, not the sentences.
func translateRate(dev kernel.Device, preset string) (float64, error) {
	cfg, err := train.Preset(preset)
	if err != nil {
		return 0, err
	}
	shape, batch := cfg.Model(int(cfg.Pieces)), syntheticBatch(int32(cfg.Pieces), int(cfg.BatchTokens), 0)
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
