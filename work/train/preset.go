package train

import (
	"fmt"
	"strings"

	"github.com/alia-network/alia/work/kernel"
)

// Presets lists the names [Preset] knows.
func Presets() []string { return []string{"demo", "tiny", "small", "base"} }

// Preset returns the named configuration, or an error that lists the names. The
// smallest, demo, translates the phrasebook well. The shapes of tiny and small are
// those of the PyTorch program that they are compared with, and base has that of
// the paper (Vaswani et al. 2017, table 3).
func Preset(name string) (Config, error) {
	c := Config{Arithmetic: Binary32, AdaptedConfig: AdaptedConfig{PlainConfig: PlainConfig{
		Numerics: kernel.Numerics, Pieces: 6000,
		SmoothingPPM: 100_000, DropoutPPM: 100_000,
		BatchTokens: 1024, Accumulate: 1, Units: 4, LocalSteps: 1, DeltaBits: 8, UpdateBits: 8, Epochs: 13, Seed: 1,
		RatePPM: 4000, WarmUp: 200, Decay: InverseSqrt, Beta1PPM: 900_000, Beta2PPM: 980_000,
		OuterRatePPM: 800_000, OuterMomentumPPM: 800_000,
		Average: 1, Checkpoint: 50,
	}}}
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
	case "base":
		c.Pieces = 16_000
		c.Dim, c.FFN, c.Heads, c.Encoder, c.Decoder = 512, 2048, 8, 6, 6
		c.Accumulate, c.RatePPM, c.WarmUp = 4, 1000, 1000
	default:
		return Config{}, fmt.Errorf("preset %q is unknown: take one of %s", name, strings.Join(Presets(), ", "))
	}
	return c, nil
}

// WithLocalSteps is c for slow links, where each unit takes several local steps. The
// settings that c still shares with its preset base become those measured to go
// well with local steps. Example: with preset tiny on Multi30k, 10 local steps and
// 13 epochs, a unit sends 142 times fewer bytes than float32 gradients of each step
// would take, and the model is about as good.
func (c Config) WithLocalSteps(base Config, steps uint32) Config {
	if c.LocalSteps = steps; steps == 1 {
		return c
	}
	if c.DeltaBits == base.DeltaBits {
		c.DeltaBits = 2
	}
	if c.UpdateBits == base.UpdateBits {
		c.UpdateBits = 4
	}
	if c.RatePPM == base.RatePPM { // without a first moment, steps vary more
		c.RatePPM = max(1, base.RatePPM*3/4)
	}
	if c.Decay == base.Decay {
		c.Decay = Linear
	}
	return c
}
