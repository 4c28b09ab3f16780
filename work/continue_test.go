package work_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
)

// swapped is numbers with the order of the words turned round in the translation.
func swapped() *corpus.Corpus {
	c := numbers()
	for _, pairs := range [][]corpus.Pair{c.Train, c.Valid} {
		for i, p := range pairs {
			words := strings.Fields(p.Target)
			slices.Reverse(words)
			pairs[i].Target = strings.Join(words, " ")
		}
	}
	return c
}

// trained does a run with one kind of kernels, and returns its last round and all rounds.
func trained(t *testing.T, store block.Keeper, kernels string, plan *run.Plan) (run.Round, []run.Round) {
	t.Helper()
	dev, err := kernel.Open(kernels, 1)
	if err != nil {
		t.Fatal(err)
	}
	crew := &work.Local{Worker: work.NewWorker(dev), Blocks: store, Clock: zero}
	var rounds []run.Round
	tr := &run.Training{Plan: plan, Store: store, Crew: crew, Home: crew, Done: func(r run.Round, _ block.Link) error {
		rounds = append(rounds, r)
		return nil
	}}
	last, err := tr.Run(t.Context(), block.Link{})
	if err != nil {
		t.Fatal(err)
	}
	return last, rounds
}

// TestSameBitsContinue: a run that continues the training of a model begins with the
// model's parameters, has its tokenizer, and gives the same bits on every device, with
// gradients and with local steps.
func TestSameBitsContinue(t *testing.T) {
	for name, steps := range map[string]uint32{"gradients": 1, "local steps": 2} {
		t.Run(name, func(t *testing.T) {
			var want run.Round
			for _, kernels := range kernel.Names() {
				store := &block.MemoryStore{}
				first, last, _ := runLocal(t, store, "", block.Link{}, -1)
				base, err := block.PutNode(t.Context(), store, first.Run.Result(last.Result))
				if err != nil {
					t.Fatal(err)
				}
				cfg := config()
				cfg.LocalSteps, cfg.Seed, cfg.Dim = steps, 5, 64 // the size is the model's
				made, err := run.Continue(t.Context(), store, swapped(), cfg, base)
				if err != nil {
					t.Fatal(err)
				}
				plan, err := run.Open(t.Context(), store, made.Link)
				if err != nil {
					t.Fatal(err)
				}
				end, rounds := trained(t, store, kernels, plan)
				if rounds[0].After.Base != last.Result {
					t.Errorf("%s: the run begins with %s, the model has %s", kernels, rounds[0].After.Base, last.Result)
				}
				m := plan.Run.Result(end.Result)
				if got := first.Run.Result(last.Result); m.Tokenizer != got.Tokenizer || m.Shape != got.Shape || m.Vocab != got.Vocab || m.Version != got.Version {
					t.Errorf("%s: the run gives %+v, the model it continues is %+v", kernels, m, got)
				}
				if !want.Result.Defined() {
					want = end
				}
				if end.After != want.After {
					t.Errorf("%s: the run ends in %v, want %v", kernels, end.After, want.After)
				}
			}
		})
	}
}

// TestContinueFunction: the work of a run depends on the parameters that it begins with, and
// not on how the record names them. So nobody is paid for the work of a run again by calling
// the parameters that its seed gives a model.
func TestContinueFunction(t *testing.T) {
	store := &block.MemoryStore{}
	first, last, _ := runLocal(t, store, "", block.Link{}, -1)
	begin, err := first.Begin(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	work := func(p *run.Plan) block.Link {
		f, err := p.Function()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	continued := func(params block.Link) block.Link {
		base, err := block.PutNode(t.Context(), store, first.Run.Result(params))
		if err != nil {
			t.Fatal(err)
		}
		p, err := run.Continue(t.Context(), store, numbers(), first.Run.Config, base)
		if err != nil {
			t.Fatal(err)
		}
		return work(p)
	}
	want := work(first)
	if got := continued(begin.Params); got != want {
		t.Errorf("a run from the seed's parameters by name has function %s, want %s", got, want)
	}
	if got, other := continued(last.Result), continued(last.After.Base); got == want || other == want || got == other {
		t.Errorf("runs from other parameters have functions %s and %s, the first has %s", got, other, want)
	}
}

// TestContinueBase: a record whose base does not fit is refused.
func TestContinueBase(t *testing.T) {
	store := &block.MemoryStore{}
	first, last, _ := runLocal(t, store, "", block.Link{}, 1)
	base, err := block.PutNode(t.Context(), store, first.Run.Result(last.After.Params))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := run.Continue(t.Context(), store, numbers(), config(), base)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*run.Record)
		want   string
	}{
		"two models":         {func(r *run.Record) { r.Base = append(r.Base, base) }, "2 models to begin with"},
		"another size":       {func(r *run.Record) { r.Config.FFN *= 2 }, "are not those of the model"},
		"another tokenizer":  {func(r *run.Record) { r.Tokenizer = plan.Run.Corpus }, "are not those of the model"},
		"another vocabulary": {func(r *run.Record) { r.Vocab-- }, "are not those of the model"},
		"no model":           {func(r *run.Record) { r.Base = []block.Link{plan.Run.Corpus} }, "the model to begin with"},
	} {
		r := plan.Run
		r.Base = slices.Clone(r.Base)
		c.change(&r)
		link, err := block.PutNode(t.Context(), store, r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := run.Open(t.Context(), store, link); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	// Parameters of another form: the record cannot say so, the set does.
	wrong := plan.Run
	m := first.Run.Result(last.Combine.Result)
	m.Params = plan.Run.Corpus
	if wrong.Base[0], err = block.PutNode(t.Context(), store, m); err != nil {
		t.Fatal(err)
	}
	link, err := block.PutNode(t.Context(), store, wrong)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := run.Open(t.Context(), store, link)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := opened.Begin(t.Context(), store); err == nil || !strings.Contains(err.Error(), "with which the run begins") {
		t.Errorf("parameters that are none: %v", err)
	}
}
