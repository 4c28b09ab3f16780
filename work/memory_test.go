package work_test

import (
	"context"
	"slices"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// watching is a crew that remembers the last unit of a kind.
type watching struct {
	unit.Crew
	kind unit.Kind
	unit unit.Unit
}

func (w *watching) Do(ctx context.Context, units []unit.Unit) ([]unit.Outcome, error) {
	for _, u := range units {
		if u.Kind == w.kind {
			w.unit = u
		}
	}
	return w.Crew.Do(ctx, units)
}

// TestKeptSetOfAnotherForm: a hostile unit names, as a part of a run's state, a set that
// the worker keeps of another model. The worker refuses it, as one does that keeps nothing.
func TestKeptSetOfAnotherForm(t *testing.T) {
	ctx, store := t.Context(), &block.MemoryStore{}
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	crew := &watching{Crew: &work.Local{Worker: work.NewWorker(dev), Blocks: store, Clock: zero}, kind: unit.Combine}
	plan, err := run.New(ctx, store, numbers(), config())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&run.Training{Plan: plan, Store: store, Crew: crew, Home: crew, Done: func(run.Round, block.Link) error { return nil }}).Run(ctx, block.Link{}); err != nil {
		t.Fatal(err)
	}
	other := model.Model{Source: "en", Target: "de", Shape: nmt.Shape{Dim: 8, FFN: 16, Heads: 2, Encoder: 1, Decoder: 1}}
	tok, err := text.Train(slices.Values([]string{"one two three", "eins zwei drei"}), 262)
	if err != nil {
		t.Fatal(err)
	}
	other.Vocab = uint32(tok.Pieces())
	tr, err := model.NewTranslator(other, nmt.Init(other.Config(), 1), tok)
	if err != nil {
		t.Fatal(err)
	}
	m, err := tr.Put(ctx, store)
	if err != nil {
		t.Fatal(err)
	}
	in, err := block.PutNode(ctx, store, unit.Text{Version: 1, Segments: []string{"one two"}})
	if err != nil {
		t.Fatal(err)
	}
	for part, name := range []string{"parameters", "first moment", "second moment"} {
		t.Run(name, func(t *testing.T) {
			w := work.NewWorker(dev)
			if _, err := w.Do(ctx, store, unit.Unit{
				Version: 1, Kind: unit.Translate, Work: in, Inputs: []block.Link{m, in}, Decoding: unit.Greedy,
			}); err != nil {
				t.Fatal(err)
			}
			u := crew.unit
			u.Inputs = slices.Clone(u.Inputs)
			u.Inputs[part] = tr.Model.Params
			_, want := work.NewWorker(dev).Do(ctx, store, u)
			if _, err := w.Do(ctx, store, u); want == nil || err == nil || err.Error() != want.Error() {
				t.Errorf("got %v, want %v", err, want)
			}
		})
	}
}

// TestBatchTooLarge: a batch with more tokens than the batches of its run is refused, by
// the worker and by who expects its result. Its logits would take all memory.
func TestBatchTooLarge(t *testing.T) {
	ctx, store := t.Context(), &block.MemoryStore{}
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := run.New(ctx, store, numbers(), config())
	if err != nil {
		t.Fatal(err)
	}
	from, err := plan.Begin(ctx, store)
	if err != nil {
		t.Fatal(err)
	}
	for most, fits := range map[int]bool{int(plan.Run.Config.BatchTokens): true, int(plan.Run.Config.BatchTokens) + 1: false} {
		sides := [][]uint32{make([]uint32, most/2-1), make([]uint32, most-most/2-1)} // with two of EOS
		for _, s := range sides {
			for i := range s {
				s[i] = 100
			}
		}
		batch, err := block.PutNode(ctx, store, run.BatchRecord{Version: 1, Source: sides, Target: sides})
		if err != nil {
			t.Fatal(err)
		}
		u := unit.Unit{Version: 1, Kind: unit.Gradient, Work: plan.Link, Inputs: []block.Link{from.Params, batch}}
		_, done := work.NewWorker(dev).Do(ctx, store, u)
		_, expected := check.New().Expect(ctx, store, u)
		if (done == nil) != fits || (expected == nil) != fits {
			t.Errorf("a batch of %d tokens: the worker says %v, the check %v", most, done, expected)
		}
	}
}
