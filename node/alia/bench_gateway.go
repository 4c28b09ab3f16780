package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/bench"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/train"
)

// gatewayBench is the flags of alia bench gateway.
type gatewayBench struct {
	deviceFlags
	model, preset        string
	clients              []int
	seconds, pages, runs int
	interval             time.Duration
}

func newBenchGateway(a *app) *cobra.Command {
	var b gatewayBench
	cmd := &cobra.Command{
		Use:   "gateway [--model DIR|CID]",
		Short: "Measure the gateway here, and what a network adds",
		Long: `Measure the gateway on this machine, as its clients see it: real HTTP requests
over the loopback device, all in this process, so that processor time is that
of everybody. The text is English, of the phrasebook in the program.

First clients have sentences and documents translated by the models of this
machine: requests a second, and the time that 50, 95 and 99 of 100 requests do
not exceed. Then a network is founded here, with a ledger node, a customer and
one miner that has the same device and threads. The same documents go through
this machine's models and through the network in turn. The two results must be
the same file. The ratio of their times is what the network costs. The first
segment is the first translation that a client sees of a document.

Without --model a model of --preset is made that has learnt nothing. Its
sentences run to their limit: it computes longer than one that has learnt.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return undone(cmd.Context(), b.run(cmd.Context(), a), "nothing is measured")
		},
	}
	b.deviceFlags.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&b.model, "model", "", "`MODEL` to translate with: its directory, or its CID (default: an untrained one)")
	f.StringVar(&b.preset, "preset", "demo", "size of the untrained model: `NAME` of "+strings.Join(train.Presets(), ", "))
	f.IntSliceVar(&b.clients, "clients", []int{1, 8, 64}, "`NUMBERS` of clients at a time, separated by commas")
	f.IntVar(&b.seconds, "seconds", 10, "`SECONDS` for which each number of clients sends sentences")
	f.IntVar(&b.pages, "pages", 100, fmt.Sprintf("`NUMBER` of pages of a document, of %d segments each", bench.PageSegments))
	f.IntVar(&b.runs, "runs", 5, "`NUMBER` of documents of each size through each engine")
	f.DurationVar(&b.interval, "interval", 250*time.Millisecond, "`TIME` between heights of the network's ledger; that of alia swarm unless it is given")
	a.completeFrom(cmd, "model", a.models)
	return cmd
}

// run checks the flags, measures, and prints the measurement.
func (b *gatewayBench) run(ctx context.Context, a *app) error {
	switch {
	case len(b.clients) == 0 || slices.Min(b.clients) < 1 || slices.Max(b.clients) > 256:
		return usagef("--clients %v: give numbers of 1 to 256", b.clients)
	case b.seconds < 1 || b.seconds > 600:
		return usagef("--seconds %d: give 1 to 600", b.seconds)
	case b.pages < 1 || b.pages > 1000:
		return usagef("--pages %d: give 1 to 1000", b.pages)
	case b.runs < 1 || b.runs > 100:
		return usagef("--runs %d: give 1 to 100", b.runs)
	case !slices.Contains(train.Presets(), b.preset):
		return usagef("--preset %q: give one of %s", b.preset, strings.Join(train.Presets(), ", "))
	case b.interval < 50*time.Millisecond || b.interval > time.Minute:
		return usagef("--interval %v: give 50ms to 1m", b.interval)
	}
	m := bench.GatewayBench{
		Device: func() (kernel.Device, error) { return b.open(a) }, Threads: b.threads,
		Clients: b.clients, Window: time.Duration(b.seconds) * time.Second, Segments: b.pages * bench.PageSegments,
		Preset: b.preset, Runs: b.runs, Interval: b.interval, Note: a.note, Log: slog.New(slog.DiscardHandler),
	}
	m.Sizes = []int{min(600, m.Segments), m.Segments}
	m.Sizes = slices.Compact(m.Sizes)
	if b.model != "" {
		if err := a.goesWith("without --model: a model has its own size", "preset"); err != nil {
			return err
		}
		dir, err := a.modelDir(b.model)
		if err != nil {
			return err
		}
		if m.Model, err = node.OpenModel(dir); err != nil {
			return err
		}
	}
	var err error
	if m.Dir, err = os.MkdirTemp("", "alia-bench-"); err != nil {
		return fmt.Errorf("directory of the gateway: %w", err)
	}
	defer os.RemoveAll(m.Dir)
	r, err := m.Run(ctx)
	if err != nil {
		return err
	}
	return a.result(r, gatewayText{r}.print)
}

// gatewayText is a report for people.
type gatewayText struct{ *bench.GatewayReport }

func (r gatewayText) print(w io.Writer) {
	what := "model " + r.Model
	if r.Untrained != "" {
		what = "an untrained model of the preset " + r.Untrained
	}
	fmt.Fprintf(w, "%s, %s kernels, %s\n", what, r.Kernels, english.Plural(r.Threads, "thread", ""))
	for _, t := range []struct {
		name string
		rows []bench.LoadRow
	}{{"sentences", r.Sentences}, {"documents", r.Documents}} {
		fmt.Fprintf(w, "\n%-10s %9s %9s %10s %9s %9s %9s %12s\n", t.name, "clients", "requests", "a second", "p50 ms", "p95 ms", "p99 ms", "segments/CPU-s")
		for _, l := range t.rows {
			perCPU := 0.0
			if l.CPUSeconds > 0 {
				perCPU = float64(l.Requests*l.Segments) / l.CPUSeconds
			}
			fmt.Fprintf(w, "%-10s %9d %9d %10.2f %9.1f %9.1f %9.1f %12.0f\n", "", l.Clients, l.Requests, l.PerSecond, 1000*l.P50, 1000*l.P95, 1000*l.P99, perCPU)
		}
	}
	fmt.Fprintf(w, "\n%-10s %12s %12s %8s %12s %12s %8s\n", "segments", "here s", "network s", "ratio", "here CPU-s", "network", "ratio")
	for _, o := range r.Overhead {
		fmt.Fprintf(w, "%-10d %12.2f %12.2f %8.2f %12.2f %12.2f %8.2f\n", o.Segments,
			o.Local.Seconds.Median, o.Network.Seconds.Median, o.Wall, o.Local.CPU.Median, o.Network.CPU.Median, o.CPU)
	}
	if r.SteadyCPU > 0 {
		fmt.Fprintf(w, "%-10s %12s %12s %8.2f %12s %12s %8.2f\n", "each more", "", "", r.SteadyWall, "", "", r.SteadyCPU)
	}
	fmt.Fprintf(w, "\nfirst segment: %.2f s (median), %.2f s at worst; %.2f s for the first document of all\n", r.First.Median, r.First.Worst, r.Cold)
}
