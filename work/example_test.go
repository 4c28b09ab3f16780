package work_test

import (
	"context"
	"fmt"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/train"
)

// claims are blocks in memory, where none can be damaged.
type claims struct{ *block.MemoryStore }

func (c claims) Inspect(id cid.Cid) ([]byte, error) { return c.Get(context.Background(), id) }

func Example() {
	ctx, blocks := context.Background(), &block.MemoryStore{}
	config, err := train.Preset("demo")
	if err != nil {
		panic(err)
	}
	config.Dim, config.FFN, config.Encoder, config.Decoder = 16, 32, 1, 1
	plan, err := run.New(ctx, blocks, corpus.Phrasebook(), config)
	if err != nil {
		panic(err)
	}
	begin, err := plan.Begin(ctx, blocks)
	if err != nil {
		panic(err)
	}
	units, err := plan.Units(ctx, blocks, 0, begin)
	if err != nil {
		panic(err)
	}

	// A miner computes a unit of the first round and claims its result.
	fast, err := kernel.Open("", 2)
	if err != nil {
		panic(err)
	}
	result, err := work.NewWorker(fast).Do(ctx, blocks, units[0])
	if err != nil {
		panic(err)
	}
	claimed, err := block.PutNode(ctx, blocks, result)
	if err != nil {
		panic(err)
	}
	fmt.Println(units[0].Kind, "of", result.Tokens, "tokens, outputs:", len(result.Outputs))

	// An auditor with other kernels computes the same bits.
	slow, err := kernel.Open("portable", 1)
	if err != nil {
		panic(err)
	}
	audit := &work.Verifier{Worker: work.NewWorker(slow), Claims: claims{blocks}}
	finding, _, err := audit.Unit(ctx, nil, units[0], claimed)
	if err != nil {
		panic(err)
	}
	fmt.Println("the claim is true:", finding.Same)
	// Output:
	// gradient of 1013 tokens, outputs: 1
	// the claim is true: true
}
