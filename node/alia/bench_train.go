package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/node/profile"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/text"
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
	f.StringVar(&o.corpus, "corpus", "", "`DIR` with train.SRC and train.TGT, or a TSV file (default: made-up sentences)")
	f.StringVar(&o.src, "src", "", "`LANGUAGE` to translate from, as in the corpus's file names")
	f.StringVar(&o.tgt, "tgt", "", "`LANGUAGE` to translate into, as in the corpus's file names")
	f.Uint32Var(&o.batchTokens, "batch-tokens", 0, "most tokens of a batch, source or target, a `NUMBER` (default: the preset's)")
	f.IntVar(&o.steps, "steps", 30, "`NUMBER` of steps to measure, after a few to warm up")
	f.StringVar(&o.profile, "profile", "", "write a flame graph to `FILE`.svg, and print the time of each operation")
	return cmd
}

// trainBenchOptions is the flags of alia bench train.
type trainBenchOptions struct {
	preset, corpus, src, tgt, profile string
	batchTokens                       uint32
	steps                             int
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
	b := trainBench{steps: o.steps}
	if err := b.configure(o); err != nil {
		return err
	}
	dev, err := c.open(a)
	if err != nil {
		return err
	}
	b.dev, b.threads = dev, c.threads
	if o.corpus == "" {
		b.synthesise()
	} else if err := b.read(a, o); err != nil {
		return err
	}
	r, err := b.run(ctx)
	if err != nil {
		return err
	}
	// The profile is of the same steps that were measured.
	if o.profile != "" {
		if err := b.writeProfile(o.profile, o.preset); err != nil {
			return err
		}
		r.Operations = b.profile.Operations(b.watched)
	}
	return a.result(r, r.print)
}

// trainReport is what alia bench train prints. CPU seconds are of the whole
// process during the steps measured.
type trainReport struct {
	Preset       string              `json:"preset"`
	Kernels      string              `json:"kernels"`
	Threads      int                 `json:"threads"`
	Params       int                 `json:"params"`
	Steps        int                 `json:"steps"`
	TargetTokens int                 `json:"target_tokens"`
	CPUSeconds   float64             `json:"cpu_seconds"`
	Seconds      float64             `json:"seconds"`
	PerCPUSecond float64             `json:"target_tokens_per_cpu_second"` // of the median step; 0 where the system does not measure processor time
	PerSecond    float64             `json:"target_tokens_per_second"`
	GemmShare    float64             `json:"gemm_share"` // of the time in operations: matrix products, attention's too
	PeakRSS      int64               `json:"peak_rss_bytes"`
	Operations   []profile.Operation `json:"operations,omitempty"`
}

func (r *trainReport) print(w io.Writer) {
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

// trainBench is a measurement of training.
type trainBench struct {
	dev     kernel.Device
	threads int
	steps   int
	preset  string
	config  train.Config
	vocab   int
	batches []nmt.Batch // taken in turn

	profile *profile.Profile
	watched int // steps that profile is of
}

// configure takes the preset, and replaces the values that the options give.
func (b *trainBench) configure(o *trainBenchOptions) error {
	cfg, err := train.Preset(o.preset)
	if err != nil {
		return usagef("--preset: %v", err)
	}
	if o.batchTokens != 0 {
		cfg.BatchTokens = o.batchTokens
	}
	cfg.LocalSteps = 1 // of a unit: the bench's step is a round
	b.preset, b.config = o.preset, cfg
	return nil
}

// synthesise sets the bench up with sentences made up.
func (b *trainBench) synthesise() {
	b.vocab = int(b.config.Pieces)
	for i := range int32(8) {
		b.batches = append(b.batches, syntheticBatch(int32(b.vocab), int(b.config.BatchTokens), i))
	}
}

// syntheticBatch is sentences of 8 to 24 tokens.
func syntheticBatch(vocab int32, tokens int, from int32) nmt.Batch {
	var b nmt.Batch
	for i := 100 * from; ; i++ {
		n := 8 + int(i*7%17)
		if tokens -= n + 1; tokens < 0 && len(b.Source) > 0 {
			return b
		}
		s := make([]int32, n)
		for j := range s {
			s[j] = 3 + (i*131+int32(j)*977)%(vocab-3)
		}
		t := slices.Clone(s)
		slices.Reverse(t)
		b.Source, b.Target = append(b.Source, s), append(b.Target, t)
	}
}

// read sets the bench up with the first epoch of a corpus.
func (b *trainBench) read(a *app, o *trainBenchOptions) error {
	if o.src == "" && o.tgt == "" { // either way is as good to measure
		if l, err := corpus.Languages(o.corpus); err == nil && len(l) == 2 {
			o.src, o.tgt = l[0], l[1]
			if o.tgt == "en" {
				o.src, o.tgt = o.tgt, o.src
			}
		}
	}
	data, err := corpus.Open(o.corpus, o.src, o.tgt)
	if err != nil {
		return err
	}
	cfg := &b.config
	cfg.Source, cfg.Target = data.Source, data.Target
	if err := cfg.Validate(); err != nil {
		return usageError{err.Error()}
	}
	a.note("corpus %s to %s: %v", data.Source, data.Target, data.Clean())
	a.note("training the tokenizer, %d pieces", cfg.Pieces)
	tok, err := text.Train(corpus.Lines(data.Train), int(cfg.Pieces))
	if err != nil {
		return fmt.Errorf("train tokenizer: %w", err)
	}
	b.vocab = tok.Pieces()
	var source, target [][]int32
	var lengths []corpus.Length
	for _, pair := range data.Train {
		s, t := tok.Encode(pair.Source), tok.Encode(pair.Target)
		source, target = append(source, s), append(target, t)
		lengths = append(lengths, corpus.Length{Source: len(s) + 1, Target: len(t) + 1})
	}
	epoch := corpus.Batches(lengths, int(cfg.BatchTokens), cfg.Seed, 0)
	for _, pairs := range epoch[:min(len(epoch), warmSteps+b.steps)] {
		var batch nmt.Batch
		for _, i := range pairs {
			batch.Source, batch.Target = append(batch.Source, source[i]), append(batch.Target, target[i])
		}
		b.batches = append(b.batches, batch)
	}
	if len(b.batches) == 0 {
		return fmt.Errorf("corpus %s: no pair fits into a batch of %d tokens: give a larger --batch-tokens", o.corpus, cfg.BatchTokens)
	}
	return nil
}

// warmSteps are taken first and not measured: they take their memory.
const warmSteps = 3

// run takes steps, and then a few more with each operation timed, which is
// not free.
func (b *trainBench) run(ctx context.Context) (*trainReport, error) {
	shape := b.config.Model(b.vocab)
	params := nmt.Init(shape, 1)
	r := &trainReport{Preset: b.preset, Kernels: b.dev.Name(), Threads: b.threads, Params: params.Elements(), Steps: b.steps}
	debug.FreeOSMemory() // what reading a corpus took
	t := trainee{bench: b, engine: nmt.NewEngine(b.dev, shape), state: train.Start(b.config, params.On(b.dev)), dev: b.dev}
	var rates []float64
	var began time.Time
	for i := range warmSteps + b.steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if i == warmSteps {
			began = time.Now()
		}
		cpu := machine.CPUSeconds()
		tokens, err := t.step()
		if err != nil {
			return nil, err
		}
		if cpu = machine.CPUSeconds() - cpu; i >= warmSteps {
			r.TargetTokens += tokens
			r.CPUSeconds += cpu
			if cpu > 0 {
				rates = append(rates, float64(tokens)/cpu)
			}
		}
	}
	kernel.Wait(b.dev)
	r.Seconds = time.Since(began).Seconds()
	r.PerSecond = float64(r.TargetTokens) / r.Seconds
	if len(rates) > 0 {
		slices.Sort(rates)
		r.PerCPUSecond = rates[len(rates)/2]
	}
	r.PeakRSS = machine.PeakMemory()
	if err := b.watch(ctx, &t); err != nil {
		return nil, err
	}
	r.GemmShare = b.profile.GemmShare()
	return r, nil
}

// watch takes more steps with each operation timed, which costs time itself.
func (b *trainBench) watch(ctx context.Context, t *trainee) error {
	clock := machine.ThreadTime
	if began := time.Now(); !b.dev.Host() { // its calls are waited for
		clock = func() time.Duration { return time.Since(began) }
	}
	b.profile = profile.New(b.threads, clock)
	t.engine = nil
	debug.FreeOSMemory() // the new engine takes as much again
	t.dev = kernel.Watched(b.dev, b.profile.Watch)
	t.engine = nmt.NewEngine(t.dev, b.config.Model(b.vocab))
	if _, err := t.step(); err != nil { // takes the new engine's memory
		return err
	}
	b.profile.Reset()
	for b.watched = 0; b.watched < max(b.steps/4, 2); b.watched++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := t.step(); err != nil {
			return err
		}
	}
	return nil
}

// trainee is a run of one worker.
type trainee struct {
	bench  *trainBench
	dev    kernel.Device
	engine *nmt.Engine
	state  train.ModelState
	taken  int // steps
}

// step trains on the next batch and returns its target tokens.
func (t *trainee) step() (int, error) {
	cfg := t.bench.config
	batch := t.bench.batches[t.taken%len(t.bench.batches)]
	g, err := t.engine.Gradient(t.state.Params, []nmt.Batch{batch}, nmt.DropoutKey{Seed: cfg.Seed, Step: uint32(t.taken)})
	if err != nil {
		return 0, err
	}
	from := []train.Contribution{{Delta: train.Quantize(t.dev, g.Grads, cfg.DeltaBits)}}
	at := train.Position{Step: t.taken, Steps: warmSteps + 2*t.bench.steps}
	if _, err := train.Combine(t.dev, cfg, at, &t.state, from, t.taken); err != nil {
		return 0, err
	}
	t.taken++
	return g.Tokens, nil
}

// writeProfile writes the flame graph.
func (b *trainBench) writeProfile(name, title string) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := b.profile.WriteFlames(f, title, b.watched); err != nil {
		return fmt.Errorf("profile %s: %w", name, err)
	}
	return nil
}
