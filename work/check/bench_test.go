package check_test

import (
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// presetRun stores the record of a run of a preset, without a corpus.
func presetRun(b *testing.B, store block.Blocks, preset string, steps uint32) (run.Record, block.Link) {
	b.Helper()
	c, err := train.Preset(preset)
	if err != nil {
		b.Fatal(err)
	}
	c.Source, c.Target, c.LocalSteps = "en", "de", steps
	some := block.Link{Cid: block.Sum(block.Raw, nil)}
	r := run.Record{Version: 1, Config: c.Measured(true), Corpus: some, Tokenizer: some, Vocab: c.Pieces, Steps: 1000}
	return r, put(b, store, r)
}

// fullBatch stores a batch of as many tokens as the configuration allows, in
// sentences of 13.
func fullBatch(b *testing.B, store block.Blocks, r run.Record, seed uint32) block.Link {
	b.Helper()
	batch := run.BatchRecord{Version: 1}
	for i := range r.Config.BatchTokens / 14 {
		side := func(word uint32) (ids []uint32) {
			for j := range uint32(13) {
				w := kernel.Philox([4]uint32{i, j, word}, [2]uint32{seed})
				ids = append(ids, 3+w[0]%(r.Vocab-3))
			}
			return ids
		}
		batch.Source, batch.Target = append(batch.Source, side(0)), append(batch.Target, side(1))
	}
	return put(b, store, batch)
}

// BenchmarkExpect is the expectation of a unit by a checker that knows its run, and by
// one that knows nothing.
func BenchmarkExpect(b *testing.B) {
	store := &block.MemoryStore{}
	some := block.Link{Cid: block.Sum(block.Raw, nil)}
	for _, preset := range []string{"tiny", "base"} {
		r, work := presetRun(b, store, preset, 10)
		gradient := unit.Unit{Version: 1, Kind: unit.Gradient, Work: work, Inputs: []block.Link{some, fullBatch(b, store, r, 0)}}
		steps := unit.Unit{Version: 1, Kind: unit.LocalSteps, Work: work, Inputs: []block.Link{some, some}}
		combine := unit.Unit{Version: 1, Kind: unit.Combine, Work: work, Inputs: []block.Link{some, some, some, some, some}}
		for i := range uint32(10) {
			steps.Inputs = append(steps.Inputs, fullBatch(b, store, r, i))
		}
		for name, u := range map[string]unit.Unit{"gradient": gradient, "steps": steps, "combine": combine} {
			known := check.New()
			b.Run(preset+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := known.Expect(b.Context(), store, u); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(preset+"/new run", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := check.New().Expect(b.Context(), store, combine); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCheck is the check of a delta of preset tiny, and of a translation of 100
// sentences.
func BenchmarkCheck(b *testing.B) {
	store := &block.MemoryStore{}
	r, work := presetRun(b, store, "tiny", 1)
	form, err := run.DeltaForm(r.Model().Skeleton(), r.Config.DeltaBits)
	if err != nil {
		b.Fatal(err)
	}
	u := unit.Unit{Version: 1, Kind: unit.Gradient, Work: work, Inputs: []block.Link{{Cid: block.Sum(block.Raw, nil)}, fullBatch(b, store, r, 0)}}
	e, err := check.New().Expect(b.Context(), store, u)
	if err != nil {
		b.Fatal(err)
	}
	result := unit.Result{Version: 1, Unit: u.ID(), Outputs: []block.Link{putSet(b, store, form.Zeros())}, Tokens: uint32(e.Tokens.Least), Cost: e.Cost.Least}
	b.Run("gradient", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(e.Bytes()))
		for b.Loop() {
			if err := e.Check(b.Context(), result, check.Held{Blocks: store}); err != nil {
				b.Fatal(err)
			}
		}
	})
	c := newCrew(b, device(b, ""))
	m, _ := translator(b, c.store, 1)
	segments := make([]string, 100)
	for i := range segments {
		segments[i] = "one two three four"
	}
	d, _ := c.translate(m, 1, segments)
	b.Run("expect translation", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.checker.Expect(b.Context(), c.store, d.unit); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("translation", func(b *testing.B) {
		for b.Loop() {
			if err := d.expect.Check(b.Context(), d.result, check.Held{Blocks: c.store}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func putSet(b *testing.B, store block.Blocks, s *tensor.Set) block.Link {
	b.Helper()
	l, err := state.PutSet(b.Context(), store, s)
	if err != nil {
		b.Fatal(err)
	}
	return l
}
