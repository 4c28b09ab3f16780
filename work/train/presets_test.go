package train_test

import (
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/train"
)

// TestPresetsLearn takes steps with every preset, at its full width and depth and a small
// vocabulary: a gradient, its codes, and a combine of a round of two units. The loss falls.
func TestPresetsLearn(t *testing.T) {
	if testing.Short() {
		t.Skip("preset base takes seconds")
	}
	dev, err := kernel.Open("", 2)
	if err != nil {
		t.Fatal(err)
	}
	if dev.Name() == "portable" {
		t.Skip("the reference kernels are slow")
	}
	const vocab, steps = 300, 2
	batch := nmt.Batch{
		Source: [][]int32{{10, 20, 30, 40}, {50, 60}, {70, 80, 90}},
		Target: [][]int32{{41, 31, 21, 11}, {61, 51}, {91, 81, 71}},
	}
	for _, name := range train.Presets() {
		t.Run(name, func(t *testing.T) {
			cfg, err := train.Preset(name)
			if err != nil {
				t.Fatal(err)
			}
			cfg.WarmUp, cfg.DropoutPPM = 1, 0
			cfg.RatePPM = min(cfg.RatePPM, 2000)
			shape := cfg.Model(vocab)
			engine, state := nmt.NewEngine(dev, shape), train.Start(cfg, nmt.Init(shape, 1))
			var losses []float32
			for step := range steps {
				g, err := engine.Gradient(state.Params, []nmt.Batch{batch}, nmt.DropoutKey{Seed: 1, Step: uint32(step)})
				if err != nil {
					t.Fatal(err)
				}
				losses = append(losses, g.Loss)
				unit := train.Contribution{Delta: train.Quantize(dev, g.Grads, cfg.DeltaBits)}
				at := train.Position{Step: step, Steps: steps}
				if _, err := train.Combine(dev, cfg, at, &state, []train.Contribution{unit, unit}, step); err != nil {
					t.Fatal(err)
				}
			}
			after, err := engine.Loss(state.Params, batch)
			if err != nil {
				t.Fatal(err)
			}
			if !state.Params.Finite() || after.Loss >= losses[0] {
				t.Errorf("losses %v, and then %v", losses, after.Loss)
			}
		})
	}
}
