package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/node/profile"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/train"
)

// TrainReport is what alia bench train prints. CPU seconds are of the whole
// process during the steps measured.
type TrainReport struct {
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

// Train is a measurement of training.
type Train struct {
	Device  kernel.Device
	Threads int
	Steps   int          // that are measured
	Config  train.Config // that Configure sets
	preset  string
	vocab   int
	batches []nmt.Batch // taken in turn

	profile *profile.Profile
	watched int // steps that profile is of
}

// Configure takes the preset in an arithmetic, and batches of batchTokens tokens if that is not 0.
func (b *Train) Configure(preset, arithmetic string, batchTokens uint32) error {
	cfg, err := train.Preset(preset)
	if err != nil {
		return err
	}
	cfg.Arithmetic = arithmetic
	if batchTokens != 0 {
		cfg.BatchTokens = batchTokens
	}
	cfg.LocalSteps = 1 // of a unit: the bench's step is a round
	b.preset, b.Config = preset, cfg
	return nil
}

// Synthesise sets the bench up with sentences made up.
func (b *Train) Synthesise() {
	b.vocab = int(b.Config.Pieces)
	for i := range int32(8) {
		b.batches = append(b.batches, syntheticBatch(int32(b.vocab), int(b.Config.BatchTokens), math.MaxInt, i))
	}
}

// syntheticBatch is sentences of 8 to 24 tokens: as many as tokens allows, and at most most.
func syntheticBatch(vocab int32, tokens, most int, from int32) nmt.Batch {
	var b nmt.Batch
	for i := 100 * from; ; i++ {
		n := 8 + int(i*7%17)
		if tokens -= n + 1; len(b.Source) == most || tokens < 0 && len(b.Source) > 0 {
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

// Read sets the bench up with the first epoch of a corpus. The name is for errors.
func (b *Train) Read(name string, data *corpus.Corpus) error {
	tok, err := data.Tokenizer(int(b.Config.Pieces))
	if err != nil {
		return err
	}
	b.vocab = tok.Pieces()
	var source, target [][]int32
	var lengths []corpus.Length
	for pair, err := range data.Pairs() {
		if err != nil {
			return err
		}
		s, t := tok.Encode(pair.Source), tok.Encode(pair.Target)
		source, target = append(source, s), append(target, t)
		lengths = append(lengths, corpus.Length{Source: len(s) + 1, Target: len(t) + 1})
	}
	epoch := corpus.Batches(lengths, int(b.Config.BatchTokens), b.Config.Seed, 0)
	for _, pairs := range epoch[:min(len(epoch), warmSteps+b.Steps)] {
		var batch nmt.Batch
		for _, i := range pairs {
			batch.Source, batch.Target = append(batch.Source, source[i]), append(batch.Target, target[i])
		}
		b.batches = append(b.batches, batch)
	}
	if len(b.batches) == 0 {
		return fmt.Errorf("corpus %s: no pair fits into a batch of %d tokens: give a larger --batch-tokens", name, b.Config.BatchTokens)
	}
	return nil
}

// warmSteps are taken first and not measured: they take their memory.
const warmSteps = 3

// Run takes steps, and then a few more with each operation timed, which is
// not free.
func (b *Train) Run(ctx context.Context) (*TrainReport, error) {
	shape := b.Config.Model(b.vocab)
	params := nmt.Init(shape, 1)
	r := &TrainReport{Preset: b.preset, Kernels: b.Device.Name(), Threads: b.Threads, Params: params.Elements(), Steps: b.Steps}
	debug.FreeOSMemory() // what reading a corpus took
	t := trainee{bench: b, engine: nmt.NewEngine(b.Device, shape), state: train.Start(b.Config, params.On(b.Device)), dev: b.Device}
	var rates []float64
	var began time.Time
	for i := range warmSteps + b.Steps {
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
	kernel.Wait(b.Device)
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
func (b *Train) watch(ctx context.Context, t *trainee) error {
	clock := machine.ThreadTime
	if began := time.Now(); !b.Device.Host() { // its calls are waited for
		clock = func() time.Duration { return time.Since(began) }
	}
	b.profile = profile.New(b.Threads, clock)
	t.engine = nil
	debug.FreeOSMemory() // the new engine takes as much again
	t.dev = kernel.Watched(b.Device, b.profile.Watch)
	t.engine = nmt.NewEngine(t.dev, b.Config.Model(b.vocab))
	if _, err := t.step(); err != nil { // takes the new engine's memory
		return err
	}
	b.profile.Reset()
	for b.watched = 0; b.watched < max(b.Steps/4, 2); b.watched++ {
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
	bench  *Train
	dev    kernel.Device
	engine *nmt.Engine
	state  train.ModelState
	taken  int // steps
}

// step trains on the next batches and returns their target tokens.
func (t *trainee) step() (int, error) {
	cfg := t.bench.Config
	batches := make([]nmt.Batch, cfg.Accumulate)
	for i := range batches {
		batches[i] = t.bench.batches[(t.taken*len(batches)+i)%len(t.bench.batches)]
	}
	g, err := t.engine.Gradient(t.state.Params, batches, nmt.DropoutKey{Seed: cfg.Seed, Step: uint32(t.taken * len(batches))})
	if err != nil {
		return 0, err
	}
	from := []train.Contribution{{Delta: train.Quantize(t.dev, g.Grads, cfg.DeltaBits)}}
	at := train.Position{Step: t.taken, Steps: warmSteps + 2*t.bench.Steps}
	if _, err := train.Combine(t.dev, cfg, at, &t.state, from, t.taken); err != nil {
		return 0, err
	}
	t.taken++
	return g.Tokens, nil
}

// WriteProfile writes the flame graph.
func (b *Train) WriteProfile(name, title string) (err error) {
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

// Operations is the share of each operation in the steps of the profile.
func (b *Train) Operations() []profile.Operation { return b.profile.Operations(b.watched) }
