package run_test

import (
	"context"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/train"
)

func Example() {
	ctx, blocks := context.Background(), &block.MemoryStore{}
	config, err := train.Preset("demo")
	if err != nil {
		panic(err)
	}
	config.Dim, config.FFN, config.Encoder, config.Decoder = 16, 32, 1, 1
	config.Rounds = 3
	c := corpus.Phrasebook()
	c.Valid = c.Valid[:20]

	// The plan follows from corpus and configuration.
	plan, err := run.New(ctx, blocks, c, config)
	if err != nil {
		panic(err)
	}
	fmt.Println(plan.Rounds(), "rounds of", config.Units, "units")

	// A crew computes the units: here a worker in this process.
	dev, err := kernel.Open("", 2)
	if err != nil {
		panic(err)
	}
	crew := &work.Local{Worker: work.NewWorker(dev), Blocks: blocks, Clock: func() uint64 { return 0 }}
	t := &run.Training{Plan: plan, Store: blocks, Crew: crew, Home: crew, Done: func(r run.Round, log block.Link) error {
		fmt.Println("round", r.Number, "read", run.Tokens(r.Lines), "tokens")
		return nil
	}}
	last, err := t.Run(ctx, block.Link{})
	if err != nil {
		panic(err)
	}

	// The last round's log has the parameters of the model.
	m := plan.Run.Result(last.Result)
	fmt.Println("a model from", m.Source, "to", m.Target)
	// Output:
	// 3 rounds of 4 units
	// round 0 read 4023 tokens
	// round 1 read 4064 tokens
	// round 2 read 4040 tokens
	// a model from en to de
}
