package work_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// variants are ways to train the little run, each with the parameters it gives
// whatever the processor and the kernels.
var variants = []struct {
	name   string
	change func(*train.Config)
	golden string
}{
	{"accumulated, cosine, averaged", func(c *train.Config) {
		c.Accumulate, c.Units, c.Decay, c.WarmUp, c.Average, c.Validation = 2, 2, train.Cosine, 2, 3, 2
	}, "bafyreiebaxrvi6m7b5ak4ajol4ksce7my3l6yfhhd3iwwdszt3zsbhpyua"},
	{"clipped, linear, decayed", func(c *train.Config) {
		c.ClipPPM, c.Decay, c.WarmUp, c.WeightDecayPPM = 100_000, train.Linear, 2, 100_000
	}, "bafyreihxzv5orutcappbbbw5qfq6gnfdrrgiqpyrrftvsgawaazxcexzea"},
	{"steps of few bits after a lead", func(c *train.Config) {
		c.DeltaBits, c.UpdateBits = 2, 4
		c.LocalSteps, c.Lead, c.Epochs, c.Accumulate, c.Units, c.ClipPPM, c.WeightDecayPPM = 3, 2, 4, 2, 2, 100_000, 10_000
	}, "bafyreih3ac77nt47vlqjjomgm7dn6ixgqhojnnzpwcfcl5np73gzgf4w3i"},
}

// trainRun trains the little corpus by a configuration, stopped after round stop
// and resumed where that is not negative.
func trainRun(t *testing.T, store block.Keeper, kernels string, c train.Config, stop int) (*run.Plan, run.Round, block.Link) {
	t.Helper()
	dev, err := kernel.Open(kernels, 1)
	if err != nil {
		t.Fatalf("kernels %s: %v", kernels, err)
	}
	plan, err := run.New(t.Context(), store, numbers(), c)
	if err != nil {
		t.Fatal(err)
	}
	crew := &work.Local{Worker: work.NewWorker(dev), Blocks: store, Clock: zero}
	var head block.Link
	errStop := errors.New("stopped")
	tr := &run.Training{Plan: plan, Store: store, Crew: crew, Home: crew, Done: func(r run.Round, l block.Link) error {
		if head = l; int(r.Number) == stop {
			stop = -1
			return errStop
		}
		return nil
	}}
	last, err := tr.Run(t.Context(), head)
	if errors.Is(err, errStop) {
		crew.Worker = work.NewWorker(dev) // which remembers nothing
		last, err = tr.Run(t.Context(), head)
	}
	if err != nil {
		t.Fatal(err)
	}
	return plan, last, head
}

// TestSameBitsOptions: with every option a run gives the same model on every
// device, stopped and resumed or not, and can be verified.
func TestSameBitsOptions(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			c := config()
			v.change(&c)
			dir := t.TempDir()
			store, err := block.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			plan, want, head := trainRun(t, store, "", c, 1)
			if got := want.Result.String(); got != v.golden {
				t.Errorf("gives parameters %s, want %s", got, v.golden)
			}
			if int(want.Number)+1 != plan.Rounds() {
				t.Errorf("ended after round %d of %d", want.Number, plan.Rounds())
			}
			for _, name := range kernel.Names() {
				if _, last, _ := trainRun(t, &block.MemoryStore{}, name, c, -1); last.Result != want.Result || last.After != want.After {
					t.Errorf("%s: gives %s, want %s", name, last.Result, want.Result)
				}
			}
			store.Close()
			claims, err := block.OpenReadOnly(dir)
			if err != nil {
				t.Fatal(err)
			}
			history, err := run.History(t.Context(), claims, head)
			if err != nil {
				t.Fatal(err)
			}
			verify, findings := verifier(t, claims)
			if err := verify.Rounds(t.Context(), history, 0, len(history)-1); err != nil {
				t.Error(err)
			}
			for _, f := range *findings {
				if !f.Same {
					t.Errorf("%s %d of round %d: %s", f.Kind, f.Index, f.Round, f.Detail)
				}
			}
		})
	}
}

// TestPatience: a run that does not improve ends, and gives its best by its measure.
func TestPatience(t *testing.T) {
	for measure, better := range map[string]func(a, b run.Round) bool{
		train.ByBLEU: func(a, b run.Round) bool { return a.Scores.BLEU > b.Scores.BLEU },
		train.ByChrF: func(a, b run.Round) bool { return a.Scores.ChrF > b.Scores.ChrF },
	} {
		t.Run(measure, func(t *testing.T) { patience(t, measure, better) })
	}
}

func patience(t *testing.T, measure string, better func(a, b run.Round) bool) {
	c := config()
	c.Measure = measure
	c.Patience, c.Average, c.Validation, c.Epochs, c.RatePPM = 3, 2, 2, 50, 1 // it learns next to nothing
	store := &block.MemoryStore{}
	plan, last, head := trainRun(t, store, "", c, -1)
	if int(last.Number)+1 >= plan.Rounds() || last.Validations.Waited != 3 {
		t.Fatalf("ended after round %d of %d, %d validations after the best", last.Number, plan.Rounds(), last.Validations.Waited)
	}
	history, err := run.History(t.Context(), store, head)
	if err != nil {
		t.Fatal(err)
	}
	var best run.Round
	for _, r := range history {
		if len(r.Valid) > 0 && (!best.Run.Defined() || better(r, best)) {
			best = r
		}
	}
	kept := last.Validations.Kept
	if kept[len(kept)-1] != best.After.Params {
		t.Errorf("kept the parameters of another round than the best, %d", best.Number)
	}
	if len(kept) == 1 && last.Result != kept[0] || len(kept) == 2 && len(last.Final) != 1 {
		t.Errorf("%d sets kept, %d units that average", len(kept), len(last.Final))
	}
	if _, err := state.GetSet(t.Context(), store, last.Result); err != nil {
		t.Errorf("the model was let go: %v", err)
	}
}

// TestNonFinite: a unit whose numbers leave float32 has no bytes, and says where.
func TestNonFinite(t *testing.T) {
	for _, steps := range []uint32{1, 3} {
		c := config()
		c.LocalSteps, c.Epochs = steps, 4
		store := &block.MemoryStore{}
		dev, err := kernel.Open("", 1)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := run.New(t.Context(), store, numbers(), c)
		if err != nil {
			t.Fatal(err)
		}
		from, err := plan.Begin(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		params, err := state.GetSet(t.Context(), store, from.Params)
		if err != nil {
			t.Fatal(err)
		}
		w, ok := params.Get("encoder.0.ffn.up.weight")
		if !ok {
			t.Fatalf("no such parameter among %v", params.Names())
		}
		for i := range w.F {
			w.F[i] = 3e38
		}
		if from.Params, err = state.PutSet(t.Context(), store, params); err != nil {
			t.Fatal(err)
		}
		units, err := plan.Units(t.Context(), store, 0, from)
		if err != nil {
			t.Fatal(err)
		}
		r, err := work.NewWorker(dev).Do(t.Context(), store, units[0])
		if err != nil {
			t.Fatal(err)
		}
		if r.Defect != unit.NonFinite || len(r.Outputs) != 0 || !strings.Contains(r.Detail, "MatMul") || !strings.Contains(r.Detail, "encoder.0.ffn") {
			t.Errorf("H=%d: defect %d, %d outputs, %q", steps, r.Defect, len(r.Outputs), r.Detail)
		}
		if steps > 1 && !strings.Contains(r.Detail, "step 0") {
			t.Errorf("%q names no step", r.Detail)
		}
	}
}
