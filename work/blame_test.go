package work_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/unit"
)

// liar is a crew that lies once, about one output of each unit of a kind from an
// index on. All its lies are alike.
type liar struct {
	unit.Crew
	kind   unit.Kind
	output int
	index  uint32
	lie    func(honest block.Link) block.Link
	unit   unit.Unit // the first lied about
}

func (l *liar) Do(ctx context.Context, units []unit.Unit) ([]unit.Outcome, error) {
	all, err := l.Crew.Do(ctx, units)
	told := l.unit.Work.Defined()
	for i, u := range units {
		if err == nil && !told && u.Kind == l.kind && u.Index >= l.index {
			if !l.unit.Work.Defined() {
				l.unit = u
			}
			all[i].Result.Outputs = slices.Clone(all[i].Result.Outputs)
			all[i].Result.Outputs[l.output] = l.lie(all[i].Result.Outputs[l.output])
		}
	}
	return all, err
}

// TestBlame: a run that cannot go on with an output names its unit, and ends as if
// nothing had been when that unit is done again.
func TestBlame(t *testing.T) {
	changed := func(store block.Blocks, change func(s *tensor.Set)) func(block.Link) block.Link {
		return func(l block.Link) block.Link {
			s, err := state.GetSet(t.Context(), store, l)
			if err != nil {
				t.Fatal(err)
			}
			change(s)
			l, err = state.PutSet(t.Context(), store, s)
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
	}
	junk := func(store block.Blocks) func(block.Link) block.Link {
		return func(block.Link) block.Link {
			l, err := block.PutNode(t.Context(), store, unit.Text{Version: 1, Segments: []string{"junk"}})
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
	}
	huge := func(store block.Blocks) func(block.Link) block.Link {
		return changed(store, func(s *tensor.Set) {
			for i := range s.Len() {
				for j := range s.At(i).F {
					s.At(i).F[j] = 3e38
				}
			}
		})
	}
	for name, c := range map[string]struct {
		steps  uint32
		kind   unit.Kind
		output int
		lie    func(store block.Blocks) func(block.Link) block.Link
		proven bool
		defect bool
	}{
		"a delta that is none": {1, unit.Gradient, 0, junk, true, false},
		"a delta that is gone": {1, unit.Gradient, 0, func(block.Blocks) func(block.Link) block.Link {
			return func(block.Link) block.Link { return nowhere() }
		}, false, false},
		"a delta of another model": {1, unit.Gradient, 0, func(b block.Blocks) func(block.Link) block.Link {
			return changed(b, func(s *tensor.Set) { s.At(0).Shape[0]-- })
		}, true, false},
		"a delta that overflows":       {1, unit.Gradient, 0, huge, false, true},
		"local steps without a delta":  {3, unit.LocalSteps, 0, junk, true, false},
		"local steps without a moment": {3, unit.LocalSteps, 1, junk, true, false},
		"a moment of another model": {3, unit.LocalSteps, 1, func(b block.Blocks) func(block.Link) block.Link {
			return changed(b, func(s *tensor.Set) { s.At(0).Shape[0]-- })
		}, true, false},
		"a moment that overflows": {3, unit.LocalSteps, 1, huge, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config()
			cfg.LocalSteps, cfg.Validation = c.steps, 1000
			store := &block.MemoryStore{}
			_, want, _ := trainRun(t, store, "", cfg, -1)
			dev, err := kernel.Open("", 1)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := run.New(t.Context(), store, numbers(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			honest := &work.Local{Worker: work.NewWorker(dev), Blocks: store, Clock: zero}
			l := &liar{Crew: honest, kind: c.kind, output: c.output, index: 1, lie: c.lie(store)}
			tr := &run.Training{Plan: plan, Store: store, Crew: l, Home: honest, Done: func(run.Round, block.Link) error { return nil }}
			_, err = tr.Run(t.Context(), block.Link{})
			var bad *unit.OutputError
			if !errors.As(err, &bad) {
				t.Fatalf("the run ends with %v", err)
			}
			if bad.Unit.ID() != l.unit.ID() || bad.Output != c.output || bad.Proven != c.proven || errors.Is(err, unit.ErrDefect) != c.defect {
				t.Errorf("%v: unit %d, output %d, proven %v", err, bad.Unit.Index, bad.Output, bad.Proven)
			}
			if last, err := tr.Run(t.Context(), block.Link{}); err != nil || last.Result != want.Result {
				t.Errorf("done again, the run gives %v, %v; want %v", last.Result, err, want.Result)
			}
		})
	}
}

// nowhere is a block that nobody has.
func nowhere() block.Link { return block.Link{Cid: block.Sum(block.CBOR, []byte("nowhere"))} }

// TestBlameTranslation: a text with another number of segments, or that is none,
// names its unit.
func TestBlameTranslation(t *testing.T) {
	store := &block.MemoryStore{}
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := run.New(t.Context(), store, numbers(), config())
	if err != nil {
		t.Fatal(err)
	}
	honest := &work.Local{Worker: work.NewWorker(dev), Blocks: store, Clock: zero}
	for name, record := range map[string]any{
		"one segment": unit.Text{Version: 1, Segments: []string{"junk"}},
		"no text":     []uint16{1, 2, 3},
	} {
		l := &liar{Crew: honest, kind: unit.Translate, lie: func(block.Link) block.Link {
			l, err := block.PutNode(t.Context(), store, record)
			if err != nil {
				t.Fatal(err)
			}
			return l
		}}
		tr := &run.Training{Plan: plan, Store: store, Crew: l, Home: honest, Done: func(run.Round, block.Link) error { return nil }}
		_, err = tr.Run(t.Context(), block.Link{})
		var bad *unit.OutputError
		if !errors.As(err, &bad) || bad.Unit.ID() != l.unit.ID() || bad.Output != 0 || !bad.Proven {
			t.Errorf("%s: the run ends with %v", name, err)
		}
	}
}

// TestBlameDefect: a unit whose result is not finite is named, and may be right.
func TestBlameDefect(t *testing.T) {
	store := &block.MemoryStore{}
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := run.New(t.Context(), store, numbers(), config())
	if err != nil {
		t.Fatal(err)
	}
	honest := &work.Local{Worker: work.NewWorker(dev), Blocks: store, Clock: zero}
	faulty := defective{honest}
	tr := &run.Training{Plan: plan, Store: store, Crew: faulty, Home: honest, Done: func(run.Round, block.Link) error { return nil }}
	_, err = tr.Run(t.Context(), block.Link{})
	var bad *unit.OutputError
	if !errors.As(err, &bad) || bad.Unit.Kind != unit.Evaluate || bad.Output != -1 || bad.Proven || !errors.Is(err, unit.ErrDefect) {
		t.Errorf("the run ends with %v", err)
	}
}

// defective is a crew that says of every Evaluate unit that the loss is not finite.
type defective struct{ unit.Crew }

func (c defective) Do(ctx context.Context, units []unit.Unit) ([]unit.Outcome, error) {
	all, err := c.Crew.Do(ctx, units)
	for i, u := range units {
		if err == nil && u.Kind == unit.Evaluate {
			all[i].Result = unit.Result{Version: 1, Unit: u.ID(), Defect: unit.NonFinite, Detail: "x"}
		}
	}
	return all, err
}
