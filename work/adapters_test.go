package work_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// baseOf stores a model of the little run's form that is not trained yet.
func baseOf(t *testing.T, store block.Keeper) block.Link {
	t.Helper()
	plan, err := run.New(t.Context(), store, numbers(), config())
	if err != nil {
		t.Fatal(err)
	}
	begin, err := plan.Begin(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	base, err := block.PutNode(t.Context(), store, plan.Run.Result(begin.Params))
	if err != nil {
		t.Fatal(err)
	}
	return base
}

// planOf is the plan of a run of the little corpus. With adapters the run begins with baseOf.
func planOf(t *testing.T, store block.Keeper, cfg train.Config) *run.Plan {
	t.Helper()
	var plan *run.Plan
	var err error
	if cfg.LoRA == 0 {
		plan, err = run.New(t.Context(), store, numbers(), cfg)
	} else {
		plan, err = run.Continue(t.Context(), store, numbers(), cfg, baseOf(t, store))
	}
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// adapted is ways to train adapters, each with the parameters that the model then has, whatever
// the processor and the kernels.
var adapted = []struct {
	name   string
	change func(*train.Config)
	golden string
}{
	{"gradients", func(c *train.Config) { c.Average, c.Validation = 2, 2 }, "bafyreifxfujruhrklz7n3drgvvtql225232mpidfwmzksw5w32fergmsju"},
	{"local steps after a lead", func(c *train.Config) {
		c.LocalSteps, c.Lead, c.Epochs, c.DeltaBits, c.UpdateBits, c.ClipPPM, c.WeightDecayPPM = 2, 1, 4, 2, 4, 100_000, 10_000
	}, "bafyreicbdenmblpqpvzegb37caehb7dd6d4assvhfh4yiq6hn4zinn53e4"},
}

// TestSameBitsAdapters: a run that trains adapters ends in the same model on every device, and
// when it is stopped and resumed. The model differs from its base in what has adapters, and
// nowhere else, and whoever computes the run again finds the same.
func TestSameBitsAdapters(t *testing.T) {
	for _, v := range adapted {
		t.Run(v.name, func(t *testing.T) {
			cfg := config()
			cfg.LoRA, cfg.Seed = 2, 5
			v.change(&cfg)
			onDevices(t, cfg, v.golden, func(store block.Keeper, plan *run.Plan, last run.Round, rounds []run.Round) {
				sameButAdapted(t, store, plan, last)
				smaller(t, store, plan, rounds)
			})
			stoppedAndVerified(t, cfg, v.golden)
		})
	}
}

// onDevices: a run ends in the model with the golden parameters on every device of this
// processor. more, if it is not nil, sees each run.
func onDevices(t *testing.T, cfg train.Config, golden string, more func(block.Keeper, *run.Plan, run.Round, []run.Round)) {
	t.Helper()
	for _, kernels := range kernel.Names() {
		store := &block.MemoryStore{}
		plan, err := run.Open(t.Context(), store, planOf(t, store, cfg).Link)
		if err != nil {
			t.Fatal(err)
		}
		last, rounds := trained(t, store, kernels, plan)
		if got := last.Result.String(); got != golden {
			t.Errorf("%s: the model has parameters %s, want %s", kernels, got, golden)
		}
		if more != nil {
			more(store, plan, last, rounds)
		}
	}
}

// stoppedAndVerified: a run that is stopped once ends in the model with the golden parameters,
// whoever computes the run again finds the same, and its operations can be listed.
func stoppedAndVerified(t *testing.T, cfg train.Config, golden string) {
	t.Helper()
	store := &block.MemoryStore{}
	plan := planOf(t, store, cfg)
	last, head := stoppedOnce(t, store, plan)
	if got := last.Result.String(); got != golden {
		t.Errorf("resumed: the model has parameters %s, want %s", got, golden)
	}
	history, err := run.History(t.Context(), store, head)
	if err != nil {
		t.Fatal(err)
	}
	again, findings := verifier(t, claims{store})
	if err := again.Rounds(t.Context(), history, 0, len(history)-1); err != nil {
		t.Errorf("verify: %v", err)
	}
	for _, f := range *findings {
		if !f.Same {
			t.Errorf("verify: %+v", f)
		}
	}
	traces(t, again, store, history[0].Lines[0], plan)
}

// stoppedOnce trains the run of a plan, stops it after a round, and goes on with a worker that
// remembers nothing.
func stoppedOnce(t *testing.T, store block.Keeper, plan *run.Plan) (last run.Round, head block.Link) {
	t.Helper()
	stop := true
	for {
		dev, err := kernel.Open("", 1)
		if err != nil {
			t.Fatal(err)
		}
		crew := &work.Local{Worker: work.NewWorker(dev), Blocks: store, Clock: zero}
		tr := &run.Training{Plan: plan, Store: store, Crew: crew, Home: crew, Done: func(r run.Round, l block.Link) error {
			if head = l; r.Number == 2 && stop {
				stop = false
				return errStop
			}
			return nil
		}}
		last, err = tr.Run(t.Context(), head)
		if err == nil {
			return last, head
		}
		if !errors.Is(err, errStop) {
			t.Fatal(err)
		}
	}
}

// sameButAdapted checks which parameters of the base the run's model has.
func sameButAdapted(t *testing.T, store block.Blocks, plan *run.Plan, last run.Round) {
	t.Helper()
	base, err := state.GetSet(t.Context(), store, plan.Run.BaseParams())
	if err != nil {
		t.Fatal(err)
	}
	got, err := state.GetSet(t.Context(), store, last.Result)
	if err == nil {
		err = plan.Run.Model().Check(got)
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := range base.Len() {
		x := base.At(i)
		frozen := len(x.Shape) == 1 || x.Name == "embedding.weight"
		if same := tensor.Equal(x.Tensor, got.At(i).Tensor); same != frozen {
			t.Errorf("%s stayed as it was: %v", x.Name, same)
		}
	}
}

// smaller checks that nothing of the size of the model is sent or kept in a round, but for the
// parameters that are validated.
func smaller(t *testing.T, store block.Blocks, plan *run.Plan, rounds []run.Round) {
	t.Helper()
	elements := plan.Run.Trained().Elements()
	if whole := plan.Run.Model().Elements(); elements*4 > whole {
		t.Fatalf("the adapters have %d elements, the model %d", elements, whole)
	}
	for _, r := range rounds {
		for _, l := range []block.Link{r.After.Params, r.After.M} {
			s, err := state.GetSet(t.Context(), store, l)
			if err != nil {
				t.Fatal(err)
			}
			if uint64(s.Elements()) != elements {
				t.Errorf("round %d keeps a set of %d elements, want %d", r.Number, s.Elements(), elements)
			}
		}
	}
	for _, l := range rounds[0].Lines {
		d, err := run.GetDelta(t.Context(), store, result(t, store, l.Result).Outputs[0])
		if err != nil {
			t.Fatal(err)
		}
		if want := plan.Run.Trained().Skeleton().Names(); !slices.Equal(d.Q.Names(), want) {
			t.Errorf("a delta of %q, the adapters are %q", d.Q.Names(), want)
		}
	}
}

// traces checks that the operations of a gradient can be listed.
func traces(t *testing.T, v *work.Verifier, store block.Blocks, l run.Line, plan *run.Plan) {
	t.Helper()
	from, err := plan.Begin(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	units, err := plan.Units(t.Context(), store, 0, from)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(units, func(u unit.Unit) bool { return u.ID() == l.Unit })
	if at < 0 {
		t.Fatal("the log has a unit that the plan does not have")
	}
	steps := 0
	if err := v.Trace(t.Context(), units[at], func(tensor.Step) { steps++ }); err != nil || steps == 0 {
		t.Errorf("trace: %d operations, %v", steps, err)
	}
}

// TestEvaluateKeepsMerged: a worker that evaluated the adapters of a round translates with the
// model that has them merged, without the parameters of this model. So over a slow link nobody
// waits for a whole model after each round.
func TestEvaluateKeepsMerged(t *testing.T) {
	store := &block.MemoryStore{}
	cfg := config()
	cfg.LoRA, cfg.Rounds = 2, 2
	plan := planOf(t, store, cfg)
	last, _ := trained(t, store, "", plan)
	evaluations, err := plan.Evaluations(t.Context(), store, int(last.Number), last.After)
	if err != nil {
		t.Fatal(err)
	}
	m, err := block.PutNode(t.Context(), store, plan.Run.Result(last.Result))
	if err != nil {
		t.Fatal(err)
	}
	translations, err := model.Translations(t.Context(), store, plan.Link, m, plan.Tokenizer, []string{"one two"}, nil, unit.Greedy)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Delete(last.Result.Cid); err != nil {
		t.Fatal(err)
	}
	w := work.NewWorker(dev)
	if _, err := w.Do(t.Context(), store, translations[0]); !errors.Is(err, block.ErrNotFound) {
		t.Fatalf("a translation without parameters: %v", err)
	}
	for _, u := range []unit.Unit{evaluations[0], translations[0]} {
		if _, err := w.Do(t.Context(), store, u); err != nil {
			t.Errorf("%s: %v", u.Kind, err)
		}
	}
}

// TestAdaptersFunction: runs of another rank, or of none, do other work.
func TestAdaptersFunction(t *testing.T) {
	store := &block.MemoryStore{}
	base := baseOf(t, store)
	seen := map[block.Link]uint32{}
	for _, rank := range []uint32{0, 1, 2} {
		cfg := config()
		cfg.LoRA = rank
		p, err := run.Continue(t.Context(), store, numbers(), cfg, base)
		if err != nil {
			t.Fatal(err)
		}
		f, err := p.Function()
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[f]; ok {
			t.Errorf("runs of ranks %d and %d have one function", rank, other)
		}
		seen[f] = rank
	}
}

// TestAdaptersRecord: a record of adapters is of version 2 and has a base, and the rank fits
// the model. Such a record is refused before anything is computed.
func TestAdaptersRecord(t *testing.T) {
	store := &block.MemoryStore{}
	cfg := config()
	cfg.LoRA = 3
	if _, err := run.New(t.Context(), store, numbers(), cfg); err == nil || !strings.Contains(err.Error(), "without a model to begin with") {
		t.Errorf("adapters of a new model: %v", err)
	}
	plan := planOf(t, store, cfg)
	whole := cfg
	whole.LoRA = 0
	for name, c := range map[string]struct {
		change func(*run.Record)
		want   string
	}{
		"no base":               {func(r *run.Record) { r.Base = nil }, "without a model to begin with"},
		"too large a rank":      {func(r *run.Record) { r.Config.LoRA = 8 }, "rank 8"},
		"version 1":             {func(r *run.Record) { r.Version = 1 }, "version 1"},
		"version 2 and no rank": {func(r *run.Record) { r.Config.LoRA = 0 }, "version 2"},
		"version 3":             {func(r *run.Record) { r.Version = 3 }, "version 3"},
	} {
		r := plan.Run
		c.change(&r)
		link, err := block.PutNode(t.Context(), store, r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := run.Open(t.Context(), store, link); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	// One record has one encoding: no adapters are no field, and not a rank of 0.
	r := plan.Run
	wide, err := block.PutNode(t.Context(), store, struct {
		_                 struct{} `cbor:",toarray"`
		Version           uint16
		Config            train.Config
		Corpus, Tokenizer block.Link
		Vocab, Steps      uint32
		Base              []block.Link
	}{Version: 1, Config: whole, Corpus: r.Corpus, Tokenizer: r.Tokenizer, Vocab: r.Vocab, Steps: r.Steps, Base: r.Base})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Read(t.Context(), store, wide); err == nil {
		t.Error("a record with a rank of 0 is read")
	}
	if got, err := run.Read(t.Context(), store, plan.Link); err != nil || got.Config != plan.Run.Config || got.Version != 2 {
		t.Errorf("read as %+v, %v", got, err)
	}
	if p := planOf(t, store, whole); p.Run.Version != 1 {
		t.Errorf("a run without adapters has version %d", p.Run.Version)
	}
}

// TestPlainNames: records without adapters have the names that they had before there were any.
func TestPlainNames(t *testing.T) {
	store := &block.MemoryStore{}
	first := planOf(t, store, config())
	more, err := run.Continue(t.Context(), store, numbers(), config(), baseOf(t, store))
	if err != nil {
		t.Fatal(err)
	}
	for want, p := range map[string]*run.Plan{
		"bafyreibv74vqtjob24woueg2zltwrfdzp33fd7srefgs4izqthg5kjuu44": first,
		"bafyreickhm725opkzrre55a576oxlo36adlsjvlluju644wbmdq7rcnlzy": more,
	} {
		if got := p.Link.String(); got != want {
			t.Errorf("a run is called %s, want %s", got, want)
		}
		const function = "bafyreidayfxnbqdzqfi4qxkcfxosrdnz4ksu5f4zicmzjubxlbpf2zq2ke"
		if got, err := p.Function(); err != nil || got.String() != function {
			t.Errorf("run %s has function %s, %v, want %s", want, got, err, function)
		}
	}
}
