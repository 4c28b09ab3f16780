package bench

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// TranslateReport is what alia bench translate prints.
type TranslateReport struct {
	Model        string  `json:"model,omitempty"`  // its CID
	Preset       string  `json:"preset,omitempty"` // of a model that was not trained
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

// Translate is a measurement of translation.
type Translate struct {
	Decode func(sources [][]int32) (targets [][]int32, err error)
	Batch  int // sentences decoded together
}

// Sources is the pieces of the lines that have any, cut to the length that a model
// takes. Sentences of about one length go together, as a translator would batch them.
func Sources(t *model.Translator, lines []string) [][]int32 {
	var sources [][]int32
	for _, line := range lines {
		if ids := t.Tokenizer.Source(line); len(ids) > 0 {
			sources = append(sources, ids[:min(len(ids), nmt.MaxLength-1)])
		}
	}
	slices.SortStableFunc(sources, func(x, y []int32) int { return len(x) - len(y) })
	return sources
}

// Decodings are the ways to decode that a table compares: a beam of 1 is greedy search.
var Decodings = []struct {
	Name  string
	Beam  uint16
	Batch int
}{{"greedy", 1, 64}, {"greedy, one by one", 1, 1}, {"beam 5", 5, 64}}

// Configure sets the bench up with an untrained model of a preset, and returns made-up sentences for
// it: a batch, or a few where they are decoded one by one. Nothing ends a sentence but its limit.
func (b *Translate) Configure(dev kernel.Device, preset string, int8 bool, d unit.Decoding) ([][]int32, error) {
	cfg, err := train.Preset(preset)
	if err != nil {
		return nil, err
	}
	shape := cfg.Model(int(cfg.Pieces))
	params, err := nmt.PrepareOn(dev, shape, nmt.Init(shape, 1), int8)
	if err != nil {
		return nil, err
	}
	engine := model.Transformer{Engine: nmt.NewEngine(dev, shape)}
	b.Decode = func(sources [][]int32) ([][]int32, error) {
		targets, _, err := engine.Decode(params, sources, d)
		return targets, err
	}
	sources := syntheticBatch(int32(cfg.Pieces), math.MaxInt32, max(b.Batch, 8), 0).Source
	slices.SortStableFunc(sources, func(x, y []int32) int { return len(x) - len(y) })
	return sources, nil
}

// Run translates the sentences twice. The first pass warms up: it compiles programs
// and fills caches. The caller sets what the report says of the device, of the model and of the
// engine: Kernels, Threads, Model, Preset, Beam, Int8 and Shortlist.
func (b *Translate) Run(ctx context.Context, sources [][]int32) (*TranslateReport, error) {
	if _, err := b.pass(ctx, sources); err != nil {
		return nil, err
	}
	began, cpu := time.Now(), machine.CPUSeconds()
	tokens, err := b.pass(ctx, sources)
	if err != nil {
		return nil, err
	}
	seconds, used := time.Since(began).Seconds(), machine.CPUSeconds()-cpu
	r := &TranslateReport{
		Batch: b.Batch, Sentences: len(sources), OutputTokens: tokens, PerSecond: float64(len(sources)) / seconds, PeakRSS: machine.PeakMemory(),
	}
	if used > 0 {
		r.PerCPUSecond, r.TokensPerCPU = float64(len(sources))/used, float64(tokens)/used
	}
	return r, nil
}

// pass decodes sentences, some at a time, and counts the tokens.
func (b *Translate) pass(ctx context.Context, sources [][]int32) (tokens int, err error) {
	for part := range slices.Chunk(sources, b.Batch) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		targets, err := b.Decode(part)
		if err != nil {
			return 0, err
		}
		for _, ids := range targets {
			tokens += len(ids) + 1
		}
	}
	return tokens, nil
}

// benchTime is the least processor time of a measurement, in seconds.
const benchTime = 1.0

// TranslateRate is the target tokens that greedy decoding gives out, for a
// second of processor time. The model is untrained, so sentences run to their
// limit; the tokens count, not the sentences.
func TranslateRate(ctx context.Context, dev kernel.Device, preset string) (float64, error) {
	cfg, err := train.Preset(preset)
	if err != nil {
		return 0, err
	}
	shape, batch := cfg.Model(int(cfg.Pieces)), syntheticBatch(int32(cfg.Pieces), int(cfg.BatchTokens), math.MaxInt, 0)
	engine, params := nmt.NewEngine(dev, shape), nmt.Init(shape, 1).On(dev)
	tokens, began := 0, machine.CPUSeconds()
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		out, _, err := engine.Greedy(params, batch.Source, nmt.TwicePlusTen)
		if err != nil {
			return 0, err
		}
		for _, s := range out {
			tokens += len(s)
		}
		if took := machine.CPUSeconds() - began; took >= benchTime || took == 0 {
			return float64(tokens) / took, nil
		}
	}
}
