// Package train is the arithmetic of a training run: which batches the units of a
// round read, and the model that follows from their results.
//
// A run is a function of a corpus and a [Config], whatever the number of machines.
// The training pairs are cut into batches for each epoch and dealt to the units of
// each round ([BatchSchedule]). A unit gives a [Delta], quantised to 8, 4 or 2 bits:
// the gradient of its batches, or the distance that it went in several local steps
// ([LocalOptimizer]). [Combine] averages the deltas of a round in index order and
// makes the next state: by Adam for gradients, and by an outer step with Nesterov
// momentum for local steps (DiLoCo, Douillard et al. 2023). The update is quantised
// too, so a machine with the last model needs only the update ([Advance]).
//
// A run that trains low-rank adapters of a model has these in the place of the parameters:
// [Merge] and [Project] lead from one to the other.
//
//	s, err := train.NewBatchSchedule(cfg, lengths)
//	for r := range s.Rounds() {
//		for k, batches := range s.Round(r) { ... } // of unit k: indices of training pairs
//		update, err := train.Combine(dev, cfg, cfg.Position(r, s.Steps()), &state, from, r)
//	}
package train

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/text"
)

// Config is the settings that decide a run, together with its corpus. It holds no
// floating point: fractions are parts per million (ppm).
type Config struct {
	_ struct{} `cbor:",toarray"`
	AdaptedConfig
	// Arithmetic is one of [Arithmetics]: what the products of projections are made of.
	Arithmetic string
}

// AdaptedConfig is a configuration without an arithmetic: it is [Binary32]. The record of a
// run in that arithmetic has no more.
type AdaptedConfig struct {
	_ struct{} `cbor:",toarray"`
	PlainConfig
	// LoRA, unless 0, is the rank of low-rank adapters: see [nmt.Adapters]. The run then
	// trains the adapters of the model that it begins with, and nothing else.
	LoRA uint32
}

// PlainConfig is a configuration without an arithmetic and without adapters. The record of a run without adapters
// in the arithmetic [Binary32] has no more.
type PlainConfig struct {
	_ struct{} `cbor:",toarray"`
	// Numerics names the numeric specification, NUMERICS.md, and its cost table.
	Numerics string
	// Source and Target are language codes, such as "en" and "de".
	Source, Target string
	// Pieces is the size of the tokenizer's vocabulary asked for; a small
	// corpus may give fewer.
	Pieces uint32
	// Shape is the size of the Transformer.
	nmt.Shape
	// DropoutPPM and SmoothingPPM are probabilities.
	DropoutPPM, SmoothingPPM uint32
	// BatchTokens is the most target tokens, and the most source tokens, of a batch.
	BatchTokens uint32
	// Accumulate is the batches of one optimiser step. Its gradient is the mean over
	// the target tokens of all of them.
	Accumulate uint32
	// Units is the units of a full round, however many machines there are.
	Units uint32
	// LocalSteps is the optimiser steps of a unit before results are combined. With
	// 1, a unit gives a gradient.
	LocalSteps uint32
	// DeltaBits is the bits of each element of the deltas that units give, and
	// UpdateBits of the update that a combine gives: 8, 4 or 2. A scale is shared by
	// 1024 elements of 8 bits, by 64 of 4 bits, or by 128 of 2 bits.
	DeltaBits, UpdateBits uint32
	// Lead is the rounds at the beginning whose units give gradients, whatever
	// LocalSteps says.
	Lead uint32
	// Epochs is the passes over the corpus; Rounds, unless 0, ends the run sooner.
	Epochs, Rounds uint32
	// Seed decides initial parameters, shuffles and dropout.
	Seed uint64
	// RatePPM is the largest learning rate. It is reached after WarmUp steps,
	// linearly, and falls after that as Decay says.
	RatePPM, WarmUp uint32
	// Decay is one of [Decays].
	Decay string
	// Beta1PPM and Beta2PPM are Adam's decay rates.
	Beta1PPM, Beta2PPM uint32
	// WeightDecayPPM is the part of each weight matrix taken off at each step,
	// times the learning rate (AdamW, Loshchilov and Hutter 2019). Vectors do
	// not decay.
	WeightDecayPPM uint32
	// ClipPPM, unless 0, is the largest norm of a step's gradient. A longer gradient
	// is scaled down to it (Pascanu et al. 2013).
	ClipPPM uint32
	// OuterRatePPM and OuterMomentumPPM are of the outer step that combines local
	// steps.
	OuterRatePPM, OuterMomentumPPM uint32
	// Validation is the rounds from one validation to the next; 0 validates at the
	// end of each epoch.
	Validation uint32
	// Patience, unless 0, ends the run after that many validations in a row without
	// a better one by Measure. The model is then that of the best validation.
	Patience uint32
	// Measure says which of two validations is better: one of [Measures]. Before a run is
	// made it may be "", for the one that the target language decides: see Measured.
	Measure string
	// Average is the validations whose parameters are averaged into the model:
	// the last ones, or with Patience those up to the best.
	Average uint32
	// Checkpoint is the rounds from one kept state to the next.
	Checkpoint uint32
}

// The decays of the learning rate after the warm-up.
const (
	InverseSqrt = "inverse-sqrt" // with the inverse square root of the step (Vaswani et al. 2017, section 5.3)
	Cosine      = "cosine"       // half a cosine, to zero at the run's last step (Loshchilov and Hutter 2017)
	Linear      = "linear"       // to zero at the run's last step
	Constant    = "constant"
)

// The measures of a validation.
const (
	ByBLEU = "bleu" // with the tokenizer for the target language
	ByChrF = "chrf" // chrF2
	ByLoss = "loss" // of the validation pairs, in nats a token; less is better
)

// Measures lists the values of Config.Measure in a run.
func Measures() []string { return []string{ByChrF, ByBLEU, ByLoss} }

// Measured is c with a measure. The usual one is BLEU where words between spaces fit the
// target language (fits), and else chrF.
func (c Config) Measured(fits bool) Config {
	switch {
	case c.Measure != "":
	case fits:
		c.Measure = ByBLEU
	default:
		c.Measure = ByChrF
	}
	return c
}

// MeasureName is the measure in use, for people.
func (c Config) MeasureName() string {
	return map[string]string{ByBLEU: "BLEU", ByChrF: "chrF2", ByLoss: "validation loss"}[c.Measure]
}

// The arithmetics of training.
const (
	Binary32 = "binary32" // all products are of binary32 numbers
	Int8     = "int8"     // the products of projections are of 8-bit codes: NUMERICS.md, section 8.6
)

// Arithmetics lists the values of Config.Arithmetic.
func Arithmetics() []string { return []string{Binary32, Int8} }

// Decays lists the values of Config.Decay.
func Decays() []string { return []string{InverseSqrt, Cosine, Linear, Constant} }

// The limits of a configuration from outside: far above any use, far below what
// would exhaust a machine before an error is noticed.
const (
	maxPieces = 1 << 18
	maxDim    = 1 << 13
	maxLayers = 64
	maxTokens = 1 << 20
	// maxUnit is the most batches of a unit, and the most units of a round.
	maxUnit = 4096
	// maxAverage is the most sets of parameters kept to be averaged.
	maxAverage = 64
)

// ppm is a number kept in parts per million.
func ppm(n uint32) float64 { return float64(n) / 1e6 }

// Validate returns an error if c is not valid.
func (c Config) Validate() error {
	// The upper bounds keep a stranger's run from taking all of a machine.
	switch {
	case c.Numerics != kernel.Numerics:
		return fmt.Errorf("configuration: numerics %q, this program computes %q", c.Numerics, kernel.Numerics)
	case c.Source == "" || c.Target == "" || c.Source == c.Target:
		return fmt.Errorf("configuration: languages %q and %q: give two different codes", c.Source, c.Target)
	case c.Pieces < text.MinPieces || c.Pieces > maxPieces:
		return fmt.Errorf("configuration: %d pieces, want %d to %d", c.Pieces, text.MinPieces, maxPieces)
	case c.Dim == 0 || c.Dim > maxDim || c.FFN == 0 || c.FFN > 4*maxDim:
		return fmt.Errorf("configuration: width %d and inner width %d: want 2 to %d, and 1 to %d", c.Dim, c.FFN, maxDim, 4*maxDim)
	case c.Heads == 0 || c.Dim%c.Heads != 0:
		return fmt.Errorf("configuration: %d heads do not divide width %d", c.Heads, c.Dim)
	case c.Dim%2 != 0:
		return fmt.Errorf("configuration: width %d is odd: want an even number", c.Dim)
	case c.Encoder == 0 || c.Encoder > maxLayers || c.Decoder == 0 || c.Decoder > maxLayers:
		return fmt.Errorf("configuration: %d encoder and %d decoder layers, want 1 to %d each", c.Encoder, c.Decoder, maxLayers)
	case c.DropoutPPM >= 1_000_000 || c.SmoothingPPM >= 1_000_000:
		return fmt.Errorf("configuration: dropout %v and label smoothing %v: want each below 1", ppm(c.DropoutPPM), ppm(c.SmoothingPPM))
	case c.BatchTokens < 16 || c.BatchTokens > maxTokens:
		return fmt.Errorf("configuration: batches of %d tokens, want 16 to %d", c.BatchTokens, maxTokens)
	case c.Units == 0 || c.Units > maxUnit:
		return fmt.Errorf("configuration: %d units a round, want 1 to %d", c.Units, maxUnit)
	case c.Accumulate == 0 || c.LocalSteps == 0 || uint64(c.Accumulate)*uint64(c.LocalSteps) > maxUnit:
		return fmt.Errorf("configuration: units of %d local steps of %d batches, want 1 to %d batches in all", c.LocalSteps, c.Accumulate, maxUnit)
	case !codes(c.DeltaBits) || !codes(c.UpdateBits):
		return fmt.Errorf("configuration: deltas of %d bits and updates of %d, want 8, 4 or 2", c.DeltaBits, c.UpdateBits)
	case c.Epochs == 0 || c.Epochs > 100_000:
		return fmt.Errorf("configuration: %d epochs, want 1 to 100,000", c.Epochs)
	case c.RatePPM == 0 || c.RatePPM > 1_000_000 || c.WarmUp == 0:
		return fmt.Errorf("configuration: learning rate %v and warm-up of %d steps: want both above 0, and a rate of at most 1", ppm(c.RatePPM), c.WarmUp)
	case !slices.Contains(Decays(), c.Decay):
		return fmt.Errorf("configuration: decay %q, want one of %s", c.Decay, strings.Join(Decays(), ", "))
	case c.Beta1PPM >= 1_000_000 || c.Beta2PPM >= 1_000_000:
		return fmt.Errorf("configuration: Adam's decay rates %v and %v: want each below 1", ppm(c.Beta1PPM), ppm(c.Beta2PPM))
	case c.WeightDecayPPM > 1_000_000:
		return fmt.Errorf("configuration: weight decay %v, want at most 1", ppm(c.WeightDecayPPM))
	case c.OuterRatePPM == 0 || c.OuterRatePPM > 10_000_000 || c.OuterMomentumPPM >= 1_000_000:
		return fmt.Errorf("configuration: outer rate %v and outer momentum %v: want a rate above 0 and at most 10, and a momentum below 1", ppm(c.OuterRatePPM), ppm(c.OuterMomentumPPM))
	case c.Measure != "" && !slices.Contains(Measures(), c.Measure):
		return fmt.Errorf("configuration: validations compared by %q, want one of %s", c.Measure, strings.Join(Measures(), ", "))
	case c.Average == 0 || c.Average > maxAverage:
		return fmt.Errorf("configuration: an average of %d validations, want 1 to %d", c.Average, maxAverage)
	case c.Checkpoint == 0:
		return fmt.Errorf("configuration: a checkpoint every 0 rounds, want every 1 or more")
	case !slices.Contains(Arithmetics(), c.Arithmetic):
		return fmt.Errorf("configuration: arithmetic %q, want one of %s", c.Arithmetic, strings.Join(Arithmetics(), ", "))
	}
	return c.validateLoRA()
}

// validateLoRA refuses adapters that have no fewer elements than their weights.
func (c Config) validateLoRA() error {
	// The weights are [Dim, Dim], [Dim, FFN] and [FFN, Dim].
	most := min((c.Dim*c.Dim-1)/(2*c.Dim), (c.Dim*c.FFN-1)/(c.Dim+c.FFN))
	if c.LoRA > most {
		return fmt.Errorf("configuration: adapters (lora) of rank %d, which for some weight of a model of width %d and inner width %d are no smaller than the weight: want at most %d, or 0 to train the whole model",
			c.LoRA, c.Dim, c.FFN, most)
	}
	return nil
}

// Model is the Transformer c trains, for a tokenizer of vocab pieces.
func (c Config) Model(vocab int) nmt.Config {
	m := c.Shape.Transformer(uint32(vocab))
	m.Dropout, m.Smoothing = fraction(c.DropoutPPM), fraction(c.SmoothingPPM)
	m.Int8 = c.Arithmetic == Int8
	return m
}

// fraction is ppm / 1,000,000, rounded once.
func fraction(ppm uint32) float32 { return float32(float64(ppm) / 1e6) }
