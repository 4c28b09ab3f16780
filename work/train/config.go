// Package train is a training run: its rounds, the batches of a round, the
// fold of gradients into the next model.
//
// A run is a pure function of a corpus and a [Config]. The training pairs are
// cut into batches once for each epoch ([Schedule]); round r takes the next K
// batches, one for each virtual worker. The gradients of a round, quantised
// to 8 bits, are averaged in index order and folded into the next state by
// Adam ([Combine]); the step itself is quantised too, so that a machine that
// holds the last model needs only the step to have the next one ([Advance]).
// The number of machines never enters.
//
//	s, err := train.NewSchedule(cfg, lengths)
//	for r := 0; r < s.Rounds(); r++ {
//		for k, batch := range s.Round(r) { ... } // indices of training pairs
//	}
package train

import (
	"fmt"
	"strings"

	"github.com/alia-network/alia/work/nmt"
)

// Config is everything that decides a run besides its corpus. It holds no
// floating point: fractions are parts per million (ppm).
type Config struct {
	_ struct{} `cbor:",toarray"`
	// Numerics names the numeric specification and its cost table.
	Numerics string
	// Source and Target are language codes, such as "en" and "de".
	Source, Target string
	// Pieces is the size of the tokenizer's vocabulary asked for; a small
	// corpus may give fewer.
	Pieces uint32
	// Dim, FFN, Heads, Encoder and Decoder give the Transformer's shape.
	Dim, FFN, Heads, Encoder, Decoder uint32
	// DropoutPPM and SmoothingPPM are probabilities.
	DropoutPPM, SmoothingPPM uint32
	// BatchTokens is the most target tokens, and the most source tokens, of a batch.
	BatchTokens uint32
	// Workers is K, the virtual workers: units, and batches, of a full round.
	Workers uint32
	// Epochs is the passes over the corpus; Rounds, unless 0, ends the run sooner.
	Epochs, Rounds uint32
	// Seed decides initial parameters, shuffles and dropout.
	Seed uint64
	// RatePPM is the largest learning rate. It is reached after WarmUp
	// rounds, linearly, and falls with the inverse square root of the round
	// after that (Vaswani et al. 2017, section 5.3).
	RatePPM, WarmUp uint32
	// Beta1PPM and Beta2PPM are Adam's decay rates.
	Beta1PPM, Beta2PPM uint32
	// Checkpoint is how many rounds apart the whole state is kept.
	Checkpoint uint32
}

// Numerics is the specification this package computes by.
const Numerics = "ALIA-F32 v1"

// limits of a configuration from outside: far above any use, far below what
// would exhaust a machine before an error is noticed.
const (
	maxPieces = 1 << 17
	maxDim    = 1 << 13
	maxLayers = 64
	maxTokens = 1 << 20
)

// Presets lists the names [Preset] knows.
func Presets() []string { return []string{"demo", "tiny", "small"} }

// Preset returns the named configuration, or an error that lists the names.
// tiny and small have the shapes of the PyTorch program they are compared
// with; demo is the smallest that translates the phrasebook well.
func Preset(name string) (Config, error) {
	c := Config{
		Numerics: Numerics, Pieces: 6000,
		SmoothingPPM: 100_000, DropoutPPM: 100_000,
		BatchTokens: 1024, Workers: 4, Epochs: 13, Seed: 1,
		RatePPM: 4000, WarmUp: 200, Beta1PPM: 900_000, Beta2PPM: 980_000,
		Checkpoint: 50,
	}
	switch name {
	case "demo":
		c.Pieces = 1500
		c.Dim, c.FFN, c.Heads, c.Encoder, c.Decoder = 96, 192, 4, 2, 2
		c.DropoutPPM = 50_000
		c.RatePPM, c.WarmUp, c.Epochs = 6000, 60, 5
	case "tiny":
		c.Dim, c.FFN, c.Heads, c.Encoder, c.Decoder = 128, 256, 4, 4, 4
	case "small":
		c.Dim, c.FFN, c.Heads, c.Encoder, c.Decoder = 256, 1024, 8, 3, 3
		c.RatePPM = 2500
	default:
		return Config{}, fmt.Errorf("preset %q is unknown: take one of %s", name, strings.Join(Presets(), ", "))
	}
	return c, nil
}

// Validate says what is wrong with c, if anything.
func (c Config) Validate() error {
	switch {
	case c.Numerics != Numerics:
		return fmt.Errorf("configuration: numerics %q, this program computes %q", c.Numerics, Numerics)
	case c.Source == "" || c.Target == "" || c.Source == c.Target:
		return fmt.Errorf("configuration: languages %q and %q: give two different codes", c.Source, c.Target)
	case c.Pieces < 259 || c.Pieces > maxPieces:
		return fmt.Errorf("configuration: %d pieces, want 259 to %d", c.Pieces, maxPieces)
	case c.Dim == 0 || c.Dim > maxDim || c.FFN == 0 || c.FFN > 4*maxDim:
		return fmt.Errorf("configuration: width %d and inner width %d out of range", c.Dim, c.FFN)
	case c.Heads == 0 || c.Dim%c.Heads != 0:
		return fmt.Errorf("configuration: %d heads do not divide width %d", c.Heads, c.Dim)
	case c.Dim%2 != 0:
		return fmt.Errorf("configuration: width %d is odd", c.Dim)
	case c.Encoder == 0 || c.Encoder > maxLayers || c.Decoder == 0 || c.Decoder > maxLayers:
		return fmt.Errorf("configuration: %d encoder and %d decoder layers, want 1 to %d each", c.Encoder, c.Decoder, maxLayers)
	case c.DropoutPPM >= 1_000_000 || c.SmoothingPPM >= 1_000_000:
		return fmt.Errorf("configuration: dropout %d and smoothing %d ppm must be below 1,000,000", c.DropoutPPM, c.SmoothingPPM)
	case c.BatchTokens < 16 || c.BatchTokens > maxTokens:
		return fmt.Errorf("configuration: %d tokens a batch, want 16 to %d", c.BatchTokens, maxTokens)
	case c.Workers == 0 || c.Workers > 4096:
		return fmt.Errorf("configuration: %d units a round, want 1 to 4096", c.Workers)
	case c.Epochs == 0 || c.Epochs > 100_000:
		return fmt.Errorf("configuration: %d epochs, want 1 to 100,000", c.Epochs)
	case c.RatePPM == 0 || c.RatePPM > 1_000_000 || c.WarmUp == 0:
		return fmt.Errorf("configuration: learning rate %d ppm, warm-up %d rounds: both must be positive, the rate at most 1", c.RatePPM, c.WarmUp)
	case c.Beta1PPM >= 1_000_000 || c.Beta2PPM >= 1_000_000:
		return fmt.Errorf("configuration: Adam's decay rates %d and %d ppm must be below 1,000,000", c.Beta1PPM, c.Beta2PPM)
	case c.Checkpoint == 0:
		return fmt.Errorf("configuration: checkpoints 0 rounds apart, want 1 or more")
	}
	return nil
}

// Model is the Transformer c trains, for a tokenizer of vocab pieces.
func (c Config) Model(vocab int) nmt.Config {
	return nmt.Config{
		Vocab: vocab, Dim: int(c.Dim), FFN: int(c.FFN), Heads: int(c.Heads),
		Encoder: int(c.Encoder), Decoder: int(c.Decoder),
		Dropout: fraction(c.DropoutPPM), Smoothing: fraction(c.SmoothingPPM),
	}
}

// fraction is ppm / 1,000,000, rounded once.
func fraction(ppm uint32) float32 { return float32(float64(ppm) / 1e6) }
