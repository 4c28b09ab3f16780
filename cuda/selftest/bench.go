//go:build cuda && linux && (amd64 || arm64)

package main

import (
	"fmt"
	"time"

	"github.com/alia-network/alia/cuda/device"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/train"
)

// bench is the measurements, by the wall clock.
type bench struct {
	Gemm4096   float64 `json:"gemm_4096_gflops"`
	CuBLAS4096 float64 `json:"cublas_4096_gflops,omitempty"`
	TF324096   float64 `json:"cublas_tf32_4096_gflops,omitempty"`
	CuBLAS     string  `json:"cublas,omitempty"` // the library's file, or why there is none
	Share      float64 `json:"share_of_cublas,omitempty"`

	Gemm      []gemmSpeed           `json:"gemm,omitempty"`
	Codes     []codesSpeed          `json:"codes,omitempty"`
	Train     map[string]trainSpeed `json:"train,omitempty"`     // by preset
	Translate map[string]float64    `json:"translate,omitempty"` // by preset: target tokens per second, greedy
}

// gemmSpeed is the speed of one product.
type gemmSpeed struct {
	Shape  string  `json:"shape"`
	GFLOPS float64 `json:"gflops"`
}

// trainSpeed is the speed of training one preset.
type trainSpeed struct {
	BatchTokens     uint32  `json:"batch_tokens"`
	TokensPerSecond float64 `json:"target_tokens_per_second"`
	StepSeconds     float64 `json:"step_seconds"`
	GradientSeconds float64 `json:"gradient_seconds"` // of a step; the rest is codes and optimiser

	// Profile has the milliseconds of a step by operation. Its calls run one by one, which is
	// slower than a normal step.
	Profile map[string]float64 `json:"profile_milliseconds"`
}

// run makes all measurements.
func (b *bench) run(dev *device.Device) error {
	progress("products of 4096 x 4096 x 4096")
	b.Gemm4096 = gflops(dev, kernel.NN, 4096, 4096, 4096)
	theirs, err := dev.CuBLAS(4096, 4096, 4096)
	if b.CuBLAS = theirs.Library; err != nil {
		b.CuBLAS = err.Error()
	} else {
		b.CuBLAS4096, b.TF324096 = theirs.Binary32, theirs.TF32
		b.Share = b.Gemm4096 / b.CuBLAS4096
	}
	// Products as in training and decoding, with a vocabulary of 8000.
	for _, s := range []struct {
		trans   kernel.Trans
		m, n, k int
	}{
		{kernel.NN, 1024, 1024, 1024}, {kernel.NT, 1024, 1024, 1024}, {kernel.TN, 1024, 1024, 1024},
		{kernel.NN, 4096, 512, 512}, {kernel.NN, 4096, 2048, 512}, {kernel.NN, 4096, 512, 2048},
		{kernel.NT, 4096, 8000, 512},
		{kernel.TN, 512, 2048, 4096}, {kernel.NT, 64, 8000, 512}, {kernel.NN, 64, 512, 512}, {kernel.NN, 1, 512, 512},
	} {
		name := fmt.Sprintf("%s %dx%dx%d", transposed[s.trans], s.m, s.n, s.k)
		b.Gemm = append(b.Gemm, gemmSpeed{name, gflops(dev, s.trans, s.m, s.n, s.k)})
	}
	// Projections as in training, with codes of 8 bits.
	for _, s := range [][3]int{{4096, 512, 512}, {4096, 512, 2048}, {4096, 2048, 512}, {4096, 4096, 4096}} {
		progress("projection of %v with codes", s)
		speed := measureCodes(dev, s[0], s[1], s[2], time.Second)
		if theirs, err := dev.CuBLAS(s[0], s[2], s[1]); err == nil {
			speed.CuBLAS, speed.TF32 = theirs.Binary32, theirs.TF32
		}
		b.Codes = append(b.Codes, speed)
	}
	b.Train, b.Translate = map[string]trainSpeed{}, map[string]float64{}
	for _, preset := range []string{"small", "base"} {
		progress("training and translation of preset %s", preset)
		if err := b.model(dev, preset); err != nil {
			return err
		}
	}
	return nil
}

// transposed is the name of each transposition.
var transposed = [...]string{kernel.NN: "NN", kernel.NT: "NT", kernel.TN: "TN"}

// gflops returns the speed of a product in GFLOP/s: the best of a second of tries.
func gflops(dev kernel.Device, trans kernel.Trans, m, n, k int) float64 {
	a, b := []int{m, k}, []int{k, n}
	switch trans {
	case kernel.NT:
		b = []int{n, k}
	case kernel.TN:
		a = []int{k, m}
	}
	c := kernel.Call{
		Op: kernel.MatMul, Attr: kernel.Attr{Trans: trans},
		In:  []kernel.Tensor{numbers(dev, 1, a...), numbers(dev, 2, b...)},
		Out: []kernel.Tensor{numbers(dev, 3, m, n)},
	}
	work := 2 * float64(m) * float64(n) * float64(k)
	return work / fastest(dev, &c, work, time.Second) / 1e9
}

// fastest returns the seconds of a call of so much work: the best of some time of tries, at least of one.
func fastest(dev kernel.Device, c *kernel.Call, work float64, tries time.Duration) float64 {
	// Several small calls at a time, so that the cost of starting a section is small beside them.
	few := make([]kernel.Call, max(1, min(16, int(4e9/work))))
	for i := range few {
		few[i] = *c
	}
	best := time.Duration(0)
	for began := time.Now(); best == 0 || time.Since(began) < tries; {
		at := time.Now()
		kernel.BeginAsync(dev)
		for i := range few {
			dev.Do(&few[i])
		}
		kernel.EndAsync(dev)
		kernel.Wait(dev)
		if took := time.Since(at); best == 0 || took < best {
			best = took
		}
	}
	return best.Seconds() / float64(len(few))
}

// warmSteps are the first steps, which allocate their memory. The benchSteps after them are measured.
const warmSteps, benchSteps = 3, 10

// model measures training and greedy translation with one preset.
func (b *bench) model(dev kernel.Device, preset string) error {
	cfg, err := train.Preset(preset)
	if err != nil {
		return err
	}
	cfg.LocalSteps = 1
	shape := cfg.Model(int(cfg.Pieces))
	t := &trainer{dev: dev, cfg: cfg, engine: nmt.NewEngine(dev, shape)}
	t.state = train.Start(cfg, nmt.Init(shape, 1).On(dev))
	speed, err := t.measure()
	if err != nil {
		return fmt.Errorf("train preset %s: %w", preset, err)
	}
	if speed.Profile, err = t.profile(); err != nil {
		return fmt.Errorf("profile preset %s: %w", preset, err)
	}
	b.Train[preset] = speed
	if b.Translate[preset], err = t.translate(); err != nil {
		return fmt.Errorf("translate with preset %s: %w", preset, err)
	}
	return nil
}

// trainer takes training steps with the optimiser, as the units of a run do.
type trainer struct {
	dev       kernel.Device
	cfg       train.Config
	engine    *nmt.Engine
	state     train.ModelState
	tokens    int           // target tokens of all steps
	gradients time.Duration // time of their gradients
}

// step takes step i: a gradient, its codes, and the optimiser.
func (t *trainer) step(i int) error {
	at := time.Now()
	batch := sentences(int(t.cfg.Pieces), int(t.cfg.BatchTokens), i%4)
	g, err := t.engine.Gradient(t.state.Params, []nmt.Batch{batch}, nmt.DropoutKey{Seed: 1, Step: uint32(i)})
	if err != nil {
		return err
	}
	t.gradients += time.Since(at)
	t.tokens += g.Tokens
	from := []train.Contribution{{Delta: train.Quantize(t.dev, g.Grads, t.cfg.DeltaBits)}}
	_, err = train.Combine(t.dev, t.cfg, train.Position{Step: i, Steps: warmSteps + benchSteps}, &t.state, from, i)
	return err
}

// measure measures training steps.
func (t *trainer) measure() (trainSpeed, error) {
	var began time.Time
	for i := range warmSteps + benchSteps {
		if i == warmSteps { // count from here
			kernel.Wait(t.dev)
			began, t.tokens, t.gradients = time.Now(), 0, 0
		}
		if err := t.step(i); err != nil {
			return trainSpeed{}, err
		}
	}
	kernel.Wait(t.dev)
	seconds := time.Since(began).Seconds()
	return trainSpeed{
		BatchTokens: t.cfg.BatchTokens, TokensPerSecond: float64(t.tokens) / seconds,
		StepSeconds: seconds / benchSteps, GradientSeconds: t.gradients.Seconds() / benchSteps,
	}, nil
}

// profile measures the operations of one step, in milliseconds.
func (t *trainer) profile() (map[string]float64, error) {
	times := map[string]float64{}
	var called time.Time
	kernel.Watched(t.dev, func(_ int, c *kernel.Call, _ float64, before bool) {
		if before {
			called = time.Now()
			return
		}
		name := c.Op.String()
		if c.Op == kernel.MatMul {
			name += " " + transposed[c.Attr.Trans]
		}
		times[name] += time.Since(called).Seconds() * 1000
	})
	err := t.step(warmSteps)
	kernel.Watched(t.dev, nil)
	return times, err
}

// translate measures greedy search on 64 sentences together, in target tokens per second. The first
// translation allocates memory; the second is measured.
func (t *trainer) translate() (float64, error) {
	sources := sentences(int(t.cfg.Pieces), 64*17, 9).Source
	sources = sources[:min(64, len(sources))]
	var began time.Time
	tokens := 0
	for range 2 {
		began, tokens = time.Now(), 0
		out, _, err := t.engine.Greedy(t.state.Params, sources, nmt.TwicePlusTen)
		if err != nil {
			return 0, err
		}
		for _, s := range out {
			tokens += len(s)
		}
	}
	return float64(tokens) / time.Since(began).Seconds(), nil
}
