package work_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/train"
)

// numbers is a little corpus: English number words and German ones.
func numbers() *corpus.Corpus {
	en := []string{"one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
	de := []string{"eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"}
	c := &corpus.Corpus{Source: "en", Target: "de"}
	for i := range 9 {
		for j := range 9 {
			for k := range 3 {
				p := corpus.Pair{Source: fmt.Sprintf("%s %s %s", en[i], en[j], en[k]), Target: fmt.Sprintf("%s %s %s", de[i], de[j], de[k])}
				if (i+j+k)%13 == 0 {
					c.Valid = append(c.Valid, p)
				} else {
					c.Train = append(c.Train, p)
				}
			}
		}
	}
	c.Tests = []corpus.Split{{Name: "test", Pairs: c.Valid}}
	return c
}

func config() train.Config {
	c, err := train.Preset("demo")
	if err != nil {
		panic(err)
	}
	c.Pieces, c.Dim, c.FFN, c.Heads, c.Encoder, c.Decoder = 300, 16, 32, 2, 1, 1
	c.BatchTokens, c.Epochs, c.Units, c.Checkpoint = 128, 2, 3, 2
	return c
}

// zero is a clock that stands still, so that logs are equal too.
func zero() uint64 { return 0 }

func runLocal(t *testing.T, store block.Keeper, kernels string, head block.Link, stop int) (*run.Plan, run.Round, block.Link) {
	t.Helper()
	ctx := context.Background()
	dev, err := kernel.Open(kernels, 1)
	if err != nil {
		t.Fatalf("kernels %s: %v", kernels, err)
	}
	plan, err := run.New(ctx, store, numbers(), config())
	if err != nil {
		t.Fatal(err)
	}
	crew := &work.Local{Worker: work.NewWorker(dev), Blocks: store, Clock: zero}
	errStop := fmt.Errorf("stopped")
	tr := &run.Training{Plan: plan, Store: store, Crew: crew, Home: crew, Done: func(r run.Round, l block.Link) error {
		head = l
		if int(r.Number) == stop {
			return errStop
		}
		return nil
	}}
	last, err := tr.Run(ctx, head)
	if err != nil && stop < 0 {
		t.Fatal(err)
	}
	return plan, last, head
}

// golden is the parameters the little run ends in, whatever the processor,
// the instruction set built for, and the kernels.
const golden = "bafyreieqw4wsifqcxknhvf3ozsrztrt4wvo76vcoq2cjs253e55hxuhcmy"

// TestSameBitsTrain: a run ends in the same state on every device, and when
// it is stopped and resumed.
func TestSameBitsTrain(t *testing.T) {
	var want run.Round
	for _, name := range kernel.Names() {
		_, last, _ := runLocal(t, &block.MemoryStore{}, name, block.Link{}, -1)
		if !want.After.Params.Defined() {
			want = last
		}
		if last.After != want.After {
			t.Errorf("%s: the run ends in %v, want %v", name, last.After, want.After)
		}
	}
	if got := want.After.Params.String(); got != golden {
		t.Errorf("the run ends in parameters %s, want %s", got, golden)
	}
	store := &block.MemoryStore{}
	_, _, head := runLocal(t, store, "", block.Link{}, 1)
	_, last, _ := runLocal(t, store, "", head, -1)
	if last.After != want.After {
		t.Errorf("resumed: the run ends in %v, want %v", last.After, want.After)
	}
}
