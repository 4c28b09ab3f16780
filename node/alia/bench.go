package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node/bench"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/train"
)

func newBench(a *app) *cobra.Command {
	var c deviceFlags
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure kernels, training, translation, ledger and gateway",
		Args:  unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return undone(cmd.Context(), measureAll(cmd.Context(), a, &c), "the measurements are not complete")
		},
	}
	c.flags(cmd)
	cmd.AddCommand(newBenchGemm(a), newBenchTrain(a), newBenchTranslate(a), newBenchLedger(a), newBenchGateway(a), newBenchConformance(a))
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

// measureAll measures some of everything.
func measureAll(ctx context.Context, a *app, c *deviceFlags) error {
	measures := []measure{}
	add := func(dev kernel.Device, threads int, name string, value float64, unit string) {
		measures = append(measures, measure{name, dev.Name(), threads, value, unit})
		out := a.stdout
		if a.json {
			out = a.stderr
		}
		fmt.Fprintf(out, "%-28s %-9s %d threads  %12.2f %s\n", name, dev.Name(), threads, value, unit)
	}
	for _, name := range kernel.Names() {
		if err := ctx.Err(); err != nil {
			return err
		}
		began := time.Now()
		dev, err := kernel.Open(name, 1)
		if err != nil {
			return err
		}
		add(dev, 1, "conformance, all rows", float64(time.Since(began).Microseconds())/1000, "ms")
	}
	dev, err := c.open(a)
	if err != nil {
		return err
	}
	for _, s := range bench.MatmulShapes {
		if err := ctx.Err(); err != nil {
			return err
		}
		add(dev, c.threads, fmt.Sprintf("matmul %dx%dx%d", s[0], s[1], s[2]), bench.MatmulRate(dev, s, 300*time.Millisecond)/1e9, "GFLOP/s")
	}
	for _, name := range train.Presets() {
		b := bench.Train{Device: dev, Threads: c.threads, Steps: 4}
		if err := b.Configure(name, train.Binary32, 0); err != nil {
			return err
		}
		b.Synthesise()
		r, err := b.Run(ctx)
		if err != nil {
			return err
		}
		add(dev, c.threads, "train "+name, r.PerCPUSecond, "target tokens/CPU-s")
		tokens, err := bench.TranslateRate(ctx, dev, name)
		if err != nil {
			return err
		}
		add(dev, c.threads, "translate "+name+", untrained", tokens, "target tokens/CPU-s")
	}
	return a.result(struct {
		Measures []measure `json:"measures"`
	}{measures}, func(io.Writer) {})
}

// backend is one line of alia bench conformance.
type backend struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason"` // why it is not used
	wrong  bool   // it gives other bits
}

func newBenchConformance(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "conformance",
		Short: "Compare every kernel and GPU with the published results",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			r := conformance{surveyBackends(), surveyGPUs(true)}
			if err := a.result(r, r.print); err != nil {
				return err
			}
			return r.err()
		},
	}
}

// conformance is what everything on this machine gives for the published cases.
type conformance struct {
	Backends []backend `json:"backends"`
	gpus
}

// surveyBackends checks every backend of the processor.
func surveyBackends() []backend {
	var all []backend
	for _, s := range kernel.Survey() {
		b := backend{Name: s.Name, OK: s.Err == nil, wrong: errors.Is(s.Err, kernel.ErrConformance)}
		if s.Digest != ([32]byte{}) {
			b.Digest = fmt.Sprintf("%x", s.Digest)
		}
		if s.Err != nil {
			b.Reason = s.Err.Error()
		}
		all = append(all, b)
	}
	return all
}

// err names the backends whose digests differ from the published ones
// (NUMERICS.md, section 10).
func (c *conformance) err() error {
	for _, b := range c.Backends {
		if b.wrong {
			return fmt.Errorf("%s gives other bits than the published ones: choose another device with --device", b.Name)
		}
	}
	if c.wrong != "" {
		return fmt.Errorf("%s gives other bits than the published ones: choose another device with --device", c.wrong)
	}
	return nil
}

func (c *conformance) print(w io.Writer) {
	for _, b := range c.Backends {
		if b.OK {
			b.Reason = "agrees"
		}
		fmt.Fprintf(w, "%-9s %-64s %s\n", b.Name, b.Digest, b.Reason)
	}
	fmt.Fprint(w, c.gpus.text())
}
