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

// bench is the measurements, in wall time.
type bench struct {
	Gemm4096   float64 `json:"gemm_4096_gflops"`
	CuBLAS4096 float64 `json:"cublas_4096_gflops,omitempty"`
	CuBLAS     string  `json:"cublas,omitempty"` // the library, or why there is none
	Share      float64 `json:"share_of_cublas,omitempty"`

	Gemm      []gemmSpeed           `json:"gemm,omitempty"`
	Train     map[string]trainSpeed `json:"train,omitempty"`     // by preset
	Translate map[string]float64    `json:"translate,omitempty"` // target tokens a second, greedy, 64 sentences together
}

type gemmSpeed struct {
	Shape  string  `json:"shape"`
	GFLOPS float64 `json:"gflops"`
}

type trainSpeed struct {
	BatchTokens     uint32  `json:"batch_tokens"`
	TokensPerSecond float64 `json:"target_tokens_per_second"`
	StepSeconds     float64 `json:"step_seconds"`
	GradientSeconds float64 `json:"gradient_seconds"` // of a step; the rest is the optimiser and its codes

	// Of a step whose calls are waited for one by one, which costs time itself:
	// milliseconds by operation.
	Profile map[string]float64 `json:"profile_milliseconds"`
}

func (b *bench) run(dev *device.Device) error {
	progress("products of 4096 x 4096 x 4096")
	b.Gemm4096 = gflops(dev, kernel.NN, 4096, 4096, 4096)
	var err error
	if b.CuBLAS, b.CuBLAS4096, err = dev.CuBLAS(4096); err != nil {
		b.CuBLAS = err.Error()
	} else {
		b.Share = b.Gemm4096 / b.CuBLAS4096
	}
	for _, s := range []struct {
		trans   kernel.Trans
		m, n, k int
	}{
		{kernel.NN, 1024, 1024, 1024}, {kernel.NT, 1024, 1024, 1024}, {kernel.TN, 1024, 1024, 1024},
		{kernel.NN, 4096, 512, 512}, {kernel.NN, 4096, 2048, 512}, {kernel.NN, 4096, 512, 2048}, {kernel.NT, 4096, 8000, 512},
		{kernel.TN, 512, 2048, 4096}, {kernel.NT, 64, 8000, 512}, {kernel.NN, 64, 512, 512}, {kernel.NN, 1, 512, 512},
	} {
		name := fmt.Sprintf("%s %dx%dx%d", transposed[s.trans], s.m, s.n, s.k)
		b.Gemm = append(b.Gemm, gemmSpeed{name, gflops(dev, s.trans, s.m, s.n, s.k)})
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

// transposed names what a product reads transposed.
var transposed = [...]string{kernel.NN: "NN", kernel.NT: "NT", kernel.TN: "TN"}

// gflops is the speed of a product: the best of repeated tries.
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
		In: []kernel.Tensor{numbers(dev, 1, a...), numbers(dev, 2, b...)}, Out: []kernel.Tensor{numbers(dev, 3, m, n)},
	}
	// Several in a stage, so that what it takes to begin one is a small part.
	few := make([]kernel.Call, max(1, min(16, int(4e9/(2*float64(m)*float64(n)*float64(k))))))
	for i := range few {
		few[i] = c
	}
	best := time.Duration(0)
	for began := time.Now(); best == 0 || time.Since(began) < time.Second; {
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
	return 2 * float64(m) * float64(n) * float64(k) * float64(len(few)) / best.Seconds() / 1e9
}

// benchSteps are measured, after the few that take their memory.
const warmSteps, benchSteps = 3, 10

// model measures training, a whole step with its optimiser as a unit has it,
// and greedy translation.
func (b *bench) model(dev kernel.Device, preset string) error {
	cfg, err := train.Preset(preset)
	if err != nil {
		return err
	}
	cfg.LocalSteps = 1
	shape := cfg.Model(int(cfg.Pieces))
	state, e := train.Start(cfg, nmt.Init(shape, 1).On(dev)), nmt.NewEngine(dev, shape)
	var tokens int
	var began time.Time
	var gradients time.Duration
	step := func(i int) error {
		at := time.Now()
		g, err := e.Gradient(state.Params, []nmt.Batch{sentences(shape.Vocab, int(cfg.BatchTokens), i%4)}, nmt.Key{Seed: 1, Step: uint32(i)})
		if err != nil {
			return err
		}
		gradients += time.Since(at)
		tokens += g.Tokens
		from := []train.Contribution{{Delta: train.Quantize(dev, g.Grads, cfg.DeltaBits)}}
		_, err = train.Combine(dev, cfg, train.Position{Step: i, Steps: warmSteps + benchSteps}, &state, from, i)
		return err
	}
	for i := range warmSteps + benchSteps {
		if i == warmSteps {
			kernel.Wait(dev)
			began, tokens, gradients = time.Now(), 0, 0
		}
		if err := step(i); err != nil {
			return fmt.Errorf("train preset %s: %w", preset, err)
		}
	}
	kernel.Wait(dev)
	seconds := time.Since(began).Seconds()
	b.Train[preset] = trainSpeed{
		BatchTokens: cfg.BatchTokens, TokensPerSecond: float64(tokens) / seconds,
		StepSeconds: seconds / benchSteps, GradientSeconds: gradients.Seconds() / benchSteps, Profile: map[string]float64{},
	}
	var called time.Time
	kernel.Watched(dev, func(_ int, c *kernel.Call, _ float64, before bool) {
		if before {
			called = time.Now()
			return
		}
		name := c.Op.String()
		if c.Op == kernel.MatMul {
			name += " " + transposed[c.Attr.Trans]
		}
		b.Train[preset].Profile[name] += time.Since(called).Seconds() * 1000
	})
	err = step(warmSteps)
	kernel.Watched(dev, nil)
	if err != nil {
		return fmt.Errorf("profile preset %s: %w", preset, err)
	}
	sources := sentences(shape.Vocab, 64*17, 9).Source
	sources = sources[:min(64, len(sources))]
	tokens = 0
	for i := range 2 {
		if i == 1 {
			began = time.Now()
		}
		out, _, err := e.Greedy(state.Params, sources, nmt.TwicePlusTen)
		if err != nil {
			return fmt.Errorf("translate with preset %s: %w", preset, err)
		}
		tokens = 0
		for _, s := range out {
			tokens += len(s)
		}
	}
	b.Translate[preset] = float64(tokens) / time.Since(began).Seconds()
	return nil
}
