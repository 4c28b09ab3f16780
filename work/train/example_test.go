package train_test

import (
	"fmt"

	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/train"
)

func Example() {
	cfg, err := train.Preset("demo")
	if err != nil {
		panic(err)
	}
	cfg.Source, cfg.Target = "en", "de"
	cfg.BatchTokens, cfg.Units, cfg.LocalSteps, cfg.Epochs = 64, 2, 3, 1

	// 40 pairs of 8 tokens are 5 batches of 64 tokens: 3 for the first unit, and 2
	// for the second.
	lengths := make([]corpus.Length, 40)
	for i := range lengths {
		lengths[i] = corpus.Length{Source: 8, Target: 8}
	}
	s, err := train.NewBatchSchedule(cfg, lengths)
	if err != nil {
		panic(err)
	}
	for r := range s.Rounds() {
		for k, batches := range s.Round(r) {
			fmt.Println("round", r, "unit", k, "batches", len(batches), "rate", cfg.Rate(cfg.Position(r, s.Steps())))
		}
	}
	// Output:
	// round 0 unit 0 batches 3 rate 0.0001
	// round 0 unit 1 batches 2 rate 0.0001
}
