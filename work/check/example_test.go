package check_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/unit"
)

// A miner claims that a gradient cost more than it did. The publisher knows the cost
// from the batch's shape.
func Example() {
	ctx, store := context.Background(), &block.MemoryStore{}
	node := func(v any) block.Link {
		l, err := block.PutNode(ctx, store, v)
		if err != nil {
			panic(err)
		}
		return l
	}
	some := block.Link{Cid: block.Sum(block.Raw, nil)} // no one reads these
	record := run.Record{Version: 1, Config: config().Measured(true), Corpus: some, Tokenizer: some, Vocab: 280, Steps: 1}
	batch := run.BatchRecord{Version: 1, Source: [][]uint32{{7, 8, 9}}, Target: [][]uint32{{10, 11}}}
	u := unit.Unit{Version: 1, Kind: unit.Gradient, Work: node(record), Inputs: []block.Link{some, node(batch)}}

	e, err := check.New().Expect(ctx, store, u)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%v tokens, %v FLOP, a %s of %d bytes\n", e.Tokens, e.Cost, e.Outputs[0].Name, e.Bytes())

	claim := unit.Result{Version: 1, Unit: u.ID(), Outputs: []block.Link{node(batch)}, Tokens: 3, Cost: 1_000_000_000}
	var bad *check.Error
	errors.As(e.Check(ctx, claim, check.Held{Blocks: store}), &bad)
	fmt.Println(bad.Reason, "-", bad)
	// Output:
	// 3 tokens, 346242 FLOP, a delta of 17683 bytes
	// cost - a cost of 1000000000 FLOP, want 346242
}
