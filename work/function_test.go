package work_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/train"
)

// TestFunction: runs that differ only in what changes no result of a round have one
// function, and their rounds leave the same states. Any other change gives another
// function. No field of the configuration is left out.
func TestFunction(t *testing.T) {
	type change struct {
		name string // begins with the field's name, for fields
		to   func(*corpus.Corpus, *train.Config)
		same bool
	}
	field := func(name string, same bool, set func(*train.Config)) change {
		return change{name, func(_ *corpus.Corpus, c *train.Config) { set(c) }, same}
	}
	changes := []change{
		{"Source", func(p *corpus.Corpus, _ *train.Config) { p.Source = "en-GB" }, true},
		{"Target", func(p *corpus.Corpus, _ *train.Config) { p.Target = "de-AT" }, true},
		// The corpus gives fewer pieces than are asked for.
		field("Pieces", true, func(c *train.Config) { c.Pieces++ }),
		field("Pieces, fewer than there are", false, func(c *train.Config) { c.Pieces = 270 }),
		field("Dim", false, func(c *train.Config) { c.Dim *= 2 }),
		field("FFN", false, func(c *train.Config) { c.FFN++ }),
		field("Heads", false, func(c *train.Config) { c.Heads = 4 }),
		field("Encoder", false, func(c *train.Config) { c.Encoder++ }),
		field("Decoder", false, func(c *train.Config) { c.Decoder++ }),
		field("DropoutPPM", false, func(c *train.Config) { c.DropoutPPM++ }),
		field("SmoothingPPM", false, func(c *train.Config) { c.SmoothingPPM++ }),
		field("BatchTokens", false, func(c *train.Config) { c.BatchTokens++ }),
		field("Accumulate", false, func(c *train.Config) { c.Accumulate++ }),
		field("Units", false, func(c *train.Config) { c.Units++ }),
		field("LocalSteps", false, func(c *train.Config) { c.LocalSteps++ }),
		field("LocalSteps behind a lead longer than the run", true, func(c *train.Config) { c.LocalSteps, c.Lead = 2, 1000 }),
		field("LocalSteps behind a lead", false, func(c *train.Config) { c.LocalSteps, c.Lead = 2, 2 }),
		field("DeltaBits", false, func(c *train.Config) { c.DeltaBits = 4 }),
		field("UpdateBits", false, func(c *train.Config) { c.UpdateBits = 4 }),
		field("Lead", true, func(c *train.Config) { c.Lead++ }),
		field("Epochs", true, func(c *train.Config) { c.Epochs++ }),
		field("Epochs, with a decay to the last step", false, func(c *train.Config) { c.Epochs, c.Decay = 3, train.Linear }),
		field("Rounds", true, func(c *train.Config) { c.Rounds = 2 }),
		field("Seed", false, func(c *train.Config) { c.Seed++ }),
		field("RatePPM", false, func(c *train.Config) { c.RatePPM++ }),
		field("WarmUp", false, func(c *train.Config) { c.WarmUp++ }),
		field("Decay", false, func(c *train.Config) { c.Decay = train.Constant }),
		field("Beta1PPM", false, func(c *train.Config) { c.Beta1PPM++ }),
		field("Beta2PPM", false, func(c *train.Config) { c.Beta2PPM++ }),
		field("WeightDecayPPM", false, func(c *train.Config) { c.WeightDecayPPM++ }),
		field("ClipPPM", false, func(c *train.Config) { c.ClipPPM++ }),
		field("OuterRatePPM", true, func(c *train.Config) { c.OuterRatePPM++ }),
		field("OuterMomentumPPM", true, func(c *train.Config) { c.OuterMomentumPPM++ }),
		field("Validation", true, func(c *train.Config) { c.Validation = 1 }),
		field("Patience", true, func(c *train.Config) { c.Patience = 1 }),
		field("Measure", true, func(c *train.Config) { c.Patience, c.Measure = 1, train.ByLoss }),
		field("Average", true, func(c *train.Config) { c.Average++ }),
		field("Arithmetic", false, func(c *train.Config) { c.Arithmetic = train.Int8 }),
		field("Checkpoint", true, func(c *train.Config) { c.Checkpoint++ }),
		{"other validation pairs", func(p *corpus.Corpus, _ *train.Config) { p.Valid = p.Valid[1:] }, true},
		{"other test sets", func(p *corpus.Corpus, _ *train.Config) { p.Tests = nil }, true},
		{"a pair more", func(p *corpus.Corpus, _ *train.Config) {
			p.Train = append(p.Train, corpus.Pair{Source: "one two", Target: "eins"})
		}, false},
		{"another sequence of pairs", func(p *corpus.Corpus, _ *train.Config) { slices.Reverse(p.Train) }, false},
	}
	fields := reflect.VisibleFields(reflect.TypeFor[train.Config]())
	for _, f := range fields {
		if f.IsExported() && !f.Anonymous && f.Name != "Numerics" && // of which there is one
			f.Name != "LoRA" && // of a run with a base: TestAdaptersFunction
			!slices.ContainsFunc(changes, func(c change) bool { return c.name == f.Name }) {
			t.Errorf("no change of field %s", f.Name)
		}
	}
	want, states := trainedRounds(t, func(*corpus.Corpus, *train.Config) {})
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			if got := plan(t, &block.MemoryStore{}, c.to); (function(t, got) == want) != c.same {
				t.Fatalf("the same function: %v, want %v", !c.same, c.same)
			}
			if !c.same {
				return
			}
			_, got := trainedRounds(t, c.to)
			for r := range min(len(got), len(states)) {
				if got[r] != states[r] {
					t.Fatalf("round %d leaves %v, want %v", r, got[r], states[r])
				}
			}
		})
	}
}

// TestFunctionReads: pairs that no batch takes are not of the function.
func TestFunctionReads(t *testing.T) {
	store := &block.MemoryStore{}
	p := plan(t, store, func(*corpus.Corpus, *train.Config) {})
	for name, c := range map[string]struct {
		pair corpus.Pair
		same bool
	}{
		"too long a source": {corpus.Pair{Source: strings.Repeat("@", 127), Target: "x"}, true},
		"too long a target": {corpus.Pair{Source: "x", Target: strings.Repeat("@", 127)}, true},
		"a pair that fits":  {corpus.Pair{Source: "x", Target: strings.Repeat("@", 126)}, false},
	} {
		pairs, record := numbers(), p.Run
		pairs.Train = append(pairs.Train, c.pair)
		var err error
		if record.Corpus, err = run.PutCorpus(t.Context(), store, pairs); err != nil {
			t.Fatal(err)
		}
		link, err := block.PutNode(t.Context(), store, record)
		if err != nil {
			t.Fatal(err)
		}
		other, err := run.Open(t.Context(), store, link)
		if err != nil {
			t.Fatal(err)
		}
		if got := function(t, other) == function(t, p); got != c.same {
			t.Errorf("%s: the same function: %v, want %v", name, got, c.same)
		}
	}
}

// plan makes the plan of the little run after a change.
func plan(t *testing.T, store block.Blocks, change func(*corpus.Corpus, *train.Config)) *run.Plan {
	t.Helper()
	pairs, c := numbers(), config()
	c.Pieces = 2000
	change(pairs, &c)
	p, err := run.New(t.Context(), store, pairs, c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func function(t *testing.T, p *run.Plan) block.Link {
	t.Helper()
	l, err := p.Function()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// trainedRounds gives the function of a run, and the states that its first rounds leave.
func trainedRounds(t *testing.T, change func(*corpus.Corpus, *train.Config)) (block.Link, []run.State) {
	t.Helper()
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	store := &block.MemoryStore{}
	p := plan(t, store, change)
	crew := &work.Local{Worker: work.NewWorker(dev), Blocks: store, Clock: zero}
	var states []run.State
	enough := errors.New("enough rounds")
	tr := &run.Training{Plan: p, Store: store, Crew: crew, Home: crew, Done: func(r run.Round, _ block.Link) error {
		if states = append(states, r.After); len(states) == 4 {
			return enough
		}
		return nil
	}}
	if _, err := tr.Run(t.Context(), block.Link{}); err != nil && !errors.Is(err, enough) {
		t.Fatal(err)
	}
	return function(t, p), states
}
