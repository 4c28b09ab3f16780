package check_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// tested is the little corpus with two test sets, the second of several texts.
func tested() *corpus.Corpus {
	c := numbers()
	long := []corpus.Pair{{Source: "one two", Target: "eins zwei"}, {Source: "", Target: ""}}
	for i := range 40 {
		long = append(long, corpus.Pair{Source: strings.Repeat(fmt.Sprint(i, " "), 60), Target: "viele"})
	}
	c.Tests = []corpus.Split{{Name: "short", Pairs: c.Valid}, {Name: "long", Pairs: long}}
	return c
}

// slotsOf finds the slots of a plan, and by round all of them.
func slotsOf(t testing.TB, b block.Blocks, plan *run.Plan) (*check.Slots, [][]protocol.Slot) {
	t.Helper()
	s, err := check.New().Slots(t.Context(), b, plan)
	if err != nil {
		t.Fatal(err)
	}
	var rounds [][]protocol.Slot
	for r := range plan.Rounds() + 1 {
		slots, err := s.Round(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		rounds = append(rounds, slots)
	}
	return s, rounds
}

// task is the task of a unit's slot, from the unit itself.
func task(t testing.TB, u unit.Unit) block.Link {
	t.Helper()
	before, ok := map[unit.Kind]int{unit.Gradient: 1, unit.LocalSteps: 2, unit.Evaluate: 1}[u.Kind]
	switch {
	case u.Kind == unit.Translate:
		return u.Inputs[1]
	case !ok:
		before = len(u.Inputs)
	}
	data, err := block.Encode(u.Inputs[before:])
	if err != nil {
		t.Fatal(err)
	}
	return block.Link{Cid: block.Sum(block.CBOR, data)}
}

// TestSlots: each unit that a run does has a slot of its own with its task, and costs what
// the slot says; each slot has a unit, but where patience ends the run.
func TestSlots(t *testing.T) {
	changes := maps.Clone(variants)
	changes["one set of parameters"] = func(c *train.Config) { c.Average, c.Epochs = 1, 2 }
	changes["validated once"] = func(c *train.Config) { c.Average, c.Validation = 3, 1000 }
	changes["ended by patience"] = func(c *train.Config) { c.Patience, c.Epochs, c.RatePPM = 1, 50, 1 }
	for name, change := range changes { // order-free: subtests are apart
		t.Run(name, func(t *testing.T) {
			c, cfg := newCrew(t, device(t, "")), config()
			change(&cfg)
			plan := c.train(tested(), cfg)
			s, rounds := slotsOf(t, c.store, plan)
			var paid uint64
			used := map[[3]uint32]bool{}
			for _, d := range c.all {
				u := d.unit
				slot := find(t, rounds, u)
				place := [3]uint32{u.Round, uint32(u.Kind), u.Index}
				if used[place] {
					t.Fatalf("two units at round %d, kind %s, index %d", u.Round, u.Kind, u.Index)
				}
				used[place] = true
				if want := task(t, u); slot.Task != want {
					t.Fatalf("%s %d of round %d: task %s, want %s", u.Kind, u.Index, u.Round, slot.Task, want)
				}
				got := d.result.MFLOP()
				exact := u.Kind != unit.Translate && u.Kind != unit.Average
				if got > slot.Most || exact && got != slot.Most || u.Kind == unit.Translate && d.expect.MFLOP() != slot.Most {
					t.Fatalf("%s %d of round %d costs %d MFLOP, at most %d expected; its slot has %d", u.Kind, u.Index, u.Round, got, d.expect.MFLOP(), slot.Most)
				}
				paid += got
			}
			if paid > s.Cost {
				t.Errorf("the run costs %d MFLOP, its slots %d", paid, s.Cost)
			}
			if all := len(slices.Concat(rounds...)); (len(used) < all) != (cfg.Patience > 0) {
				t.Errorf("%d units for %d slots", len(used), all)
			}
		})
	}
}

// find finds the slot of a unit.
func find(t testing.TB, rounds [][]protocol.Slot, u unit.Unit) protocol.Slot {
	t.Helper()
	if int(u.Round) < len(rounds) {
		for _, slot := range rounds[u.Round] {
			if slot.Kind == uint16(u.Kind) && slot.Index == u.Index {
				return slot
			}
		}
	}
	t.Fatalf("%s %d of round %d has no slot", u.Kind, u.Index, u.Round)
	return protocol.Slot{}
}

// TestSlotGroups: the groups are those of the rounds' slots, and each slot leads to the
// root of the plan.
func TestSlotGroups(t *testing.T) {
	store, cfg := &block.MemoryStore{}, config()
	cfg.Epochs = 2
	plan, err := run.New(t.Context(), store, tested(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s, rounds := slotsOf(t, store, plan)
	n, cost := uint32(len(s.Groups)), uint64(0)
	if int(n) != plan.Rounds()+1 {
		t.Fatalf("%d groups for %d rounds", n, plan.Rounds())
	}
	for r, slots := range rounds {
		g := s.Groups[r]
		cost += g.Cost
		if g != protocol.GroupOf(slots) || g.Cost == 0 {
			t.Errorf("round %d: group %v, its slots give %v", r, g, protocol.GroupOf(slots))
		}
		root, err := protocol.RootByGroup(g, uint32(r), n, protocol.PlanPath(s.Groups, r))
		if err != nil || root != s.Root {
			t.Errorf("round %d leads to the root %x (%v), want %x", r, root, err, s.Root)
		}
		i := len(slots) / 2
		root, err = protocol.RootBySlot(slots[i], uint32(i), g.Slots, protocol.PathOf(slots, i))
		if err != nil || root != g.Root {
			t.Errorf("slot %d of round %d leads to the root %x (%v), want %x", i, r, root, err, g.Root)
		}
	}
	if cost != s.Cost {
		t.Errorf("a cost of %d, the groups cost %d", s.Cost, cost)
	}
	// Whoever opens the run finds the same.
	again, err := run.Open(t.Context(), store, plan.Link)
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := slotsOf(t, store, again); o.Root != s.Root || o.Function != s.Function {
		t.Errorf("opened: root %x and function %s, want %x and %s", o.Root, o.Function, s.Root, s.Function)
	}
}

// TestSlotsRepeat: what a round computes twice costs nothing the second time.
func TestSlotsRepeat(t *testing.T) {
	store, cfg, pairs := &block.MemoryStore{}, config(), numbers()
	// One pair fills a batch, and a round reads the corpus several times.
	pairs.Train = []corpus.Pair{{Source: "one two three", Target: "eins zwei drei"}, {Source: "four five six", Target: "vier fünf sechs"}}
	pairs.Valid = []corpus.Pair{{Source: "nine", Target: "neun"}}
	pairs.Tests = []corpus.Split{{Name: "a", Pairs: pairs.Valid}, {Name: "b", Pairs: pairs.Valid}}
	cfg.BatchTokens, cfg.Units, cfg.Epochs = 16, 6, 3
	plan, err := run.New(t.Context(), store, pairs, cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, rounds := slotsOf(t, store, plan)
	for r, want := range map[int]map[unit.Kind][]bool{ // whether each slot of a kind costs something
		0: {unit.Gradient: {true, true, false, false, false, false}, unit.Combine: {true}, unit.Evaluate: {true}, unit.Translate: {true}},
		1: {unit.Translate: {true, false}},
	} {
		got := map[unit.Kind][]bool{}
		for _, slot := range rounds[r] {
			got[unit.Kind(slot.Kind)] = append(got[unit.Kind(slot.Kind)], slot.Most > 0)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("round %d: costs %v, want %v", r, got, want)
		}
	}
}

// TestSlotsRefused: plans that cannot be worked on have no slots.
func TestSlotsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*corpus.Corpus, *train.Config)
		want   string
	}{
		"a pair twice": {func(c *corpus.Corpus, _ *train.Config) { c.Train = append(c.Train, c.Train[7]) }, "training pairs 7 and"},
	} {
		store, cfg, pairs := &block.MemoryStore{}, config(), numbers()
		c.change(pairs, &cfg)
		plan, err := run.New(t.Context(), store, pairs, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := check.New().Slots(t.Context(), store, plan); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
	store := &block.MemoryStore{}
	plan, err := run.New(t.Context(), store, numbers(), config())
	if err != nil {
		t.Fatal(err)
	}
	s, _ := slotsOf(t, store, plan)
	for _, r := range []int{-1, plan.Rounds() + 1} {
		if _, err := s.Round(t.Context(), r); err == nil {
			t.Errorf("round %d of %d has slots", r, plan.Rounds())
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := check.New().Slots(stopped, store, plan); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

// BenchmarkSlots finds the slots of all rounds of real runs. The tokens are those of the
// targets that units learn from.
func BenchmarkSlots(b *testing.B) {
	for _, c := range []struct {
		name, preset string
		rounds       uint32
		open         func() (*corpus.Corpus, error)
	}{
		{"demo", "demo", 0, func() (*corpus.Corpus, error) { return corpus.Phrasebook(), nil }},
		{"multi30k, 40 rounds", "tiny", 40, multi30k},
		{"multi30k, 13 epochs", "tiny", 0, multi30k},
	} {
		b.Run(c.name, func(b *testing.B) {
			pairs, err := c.open()
			if errors.Is(err, os.ErrNotExist) {
				b.Skipf("no real text: %v (ALIA_DATA names its folder)", err)
			} else if err != nil {
				b.Fatal(err)
			}
			pairs.Clean()
			cfg, err := train.Preset(c.preset)
			if err != nil {
				b.Fatal(err)
			}
			cfg.Rounds = c.rounds
			store := &block.MemoryStore{}
			plan, err := run.New(b.Context(), store, pairs, cfg)
			if err != nil {
				b.Fatal(err)
			}
			tokens := 0
			for r := range plan.Rounds() {
				units, err := plan.Batches(r)
				if err != nil {
					b.Fatal(err)
				}
				for _, batch := range slices.Concat(units...) {
					for _, t := range batch.Target {
						tokens += len(t) + 1
					}
				}
			}
			var s *check.Slots
			b.ReportAllocs()
			for b.Loop() {
				if s, err = check.New().Slots(b.Context(), store, plan); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(tokens), "ns/token")
			b.ReportMetric(float64(plan.Rounds()), "rounds")
			b.ReportMetric(float64(s.Cost), "MFLOP")
		})
	}
}

// multi30k is the real corpus, where it is.
func multi30k() (*corpus.Corpus, error) {
	dir := os.Getenv("ALIA_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	dir = filepath.Join(dir, "multi30k")
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	c, _, err := corpus.Open(dir, corpus.Selection{Source: "en", Target: "de"})
	if err != nil {
		return nil, err
	}
	return c, c.Load()
}
