package check_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/unit"
)

// The attacks on runs that results alone made possible, each by one liar among honest
// miners.

// sample gives a sample of a kind.
func sample(t *testing.T, kind unit.Kind) done {
	t.Helper()
	for _, d := range trainRun(t, device(t, ""), variants["plain"]).all {
		if d.unit.Kind == kind {
			return d
		}
	}
	t.Fatalf("no unit of kind %s", kind)
	return done{}
}

// TestPoisonDelta: a gradient whose output is a block, but no delta, ended a run for
// good.
func TestPoisonDelta(t *testing.T) {
	d := sample(t, unit.Gradient)
	junk := put(t, d.store, unit.Text{Version: 1, Segments: []string{"junk"}})
	caught(t, d, d.lied(0, junk), check.Error{Reason: check.Malformed})
	caught(t, d, unit.Result{Version: 1, Unit: d.expect.Unit, Outputs: []block.Link{junk}, Tokens: 1, Cost: 1_000_000}, ofResult(check.Tokens))
}

// TestPoisonFault: an Evaluate that claims to be not finite ended a run, with the
// advice to lower the learning rate.
func TestPoisonFault(t *testing.T) {
	d := sample(t, unit.Evaluate)
	claim := unit.Result{Version: 1, Unit: d.expect.Unit, Defect: unit.NonFinite, Detail: "x", Cost: 1_000_000}
	caught(t, d, claim, ofResult(check.NoDefect))
	claim.Detail = nmt.ErrNonFinite.Error()
	caught(t, d, claim, ofResult(check.Cost))
	claim.Cost = 0
	caught(t, d, claim, ofResult(check.Defect)) // and another machine has to say so too
}

// TestPoisonNaN: an Evaluate of NaN, or of no tokens, gave a model that could not be
// saved.
func TestPoisonNaN(t *testing.T) {
	d := sample(t, unit.Evaluate)
	r := d.result
	r.NLL = math.Float32bits(float32(math.NaN()))
	caught(t, d, r, ofResult(check.Sums))
	r = d.result
	r.Tokens = 0
	caught(t, d, r, ofResult(check.Tokens))
}

// TestCostFraud: one unit claimed nearly all that a run could pay for.
func TestCostFraud(t *testing.T) {
	d := sample(t, unit.Evaluate)
	caught(t, d, unit.Result{Version: 1, Unit: d.expect.Unit, Tokens: d.result.Tokens, NLL: float(1), Loss: float(1), Cost: 1_050 * 1_000_000}, ofResult(check.Cost))
}

// TestPoisonSecondMoment: a second moment below zero has no root, so that one unit's
// would make every later step of every unit NaN.
func TestPoisonSecondMoment(t *testing.T) {
	for _, d := range trainRun(t, device(t, ""), variants["local steps after a lead"]).all {
		if d.unit.Kind != unit.LocalSteps {
			continue
		}
		v, err := state.GetSet(t.Context(), d.store, d.result.Outputs[1])
		if err != nil {
			t.Fatal(err)
		}
		name := v.At(3).Name
		v.At(3).F[0] = -1
		l, err := state.PutSet(t.Context(), d.store, v)
		if err != nil {
			t.Fatal(err)
		}
		caught(t, d, d.lied(1, l), check.Error{Reason: check.Value, Output: 1, Tensor: name})
		return
	}
	t.Fatal("the run had no unit of local steps")
}

// TestPoisonScale: local steps cannot move a parameter further than their learning
// rates allow, so that no unit can throw a round's parameters away.
func TestPoisonScale(t *testing.T) {
	for _, d := range trainRun(t, device(t, ""), variants["local steps without decay"]).all {
		if d.unit.Kind != unit.LocalSteps {
			continue
		}
		s, err := state.GetSet(t.Context(), d.store, d.result.Outputs[0])
		if err != nil {
			t.Fatal(err)
		}
		for i := range s.Len() {
			if run.IsScale(s.At(i).Name) {
				name := s.At(i).Name
				s.At(i).F[0] = 1 // 127 for the largest of the block
				l, err := state.PutSet(t.Context(), d.store, s)
				if err != nil {
					t.Fatal(err)
				}
				caught(t, d, d.lied(0, l), check.Error{Reason: check.Value, Output: 0, Tensor: name})
				return
			}
		}
	}
	t.Fatal("the run had no unit of local steps")
}

// TestManyLeaves: what is checked of an output of several leaves, for its first leaf
// and for its last.
func TestManyLeaves(t *testing.T) {
	c := newCrew(t, device(t, ""))
	cfg := config()
	cfg.Dim, cfg.FFN, cfg.Encoder, cfg.Pieces = 256, 1024, 2, 300
	some := block.Link{Cid: block.Sum(block.Raw, nil)}
	record := run.Record{Version: 1, Config: cfg.Measured(true), Corpus: some, Tokenizer: some, Vocab: 300, Steps: 1}
	var sets []block.Link
	for seed := range uint64(2) {
		l, err := state.PutSet(t.Context(), c.store, nmt.Init(record.Model(), seed))
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, l)
	}
	u := unit.Unit{Version: 1, Kind: unit.Average, Work: put(t, c.store, record), Inputs: sets}
	if _, err := c.Do(t.Context(), []unit.Unit{u}); err != nil {
		t.Fatal(err)
	}
	d := c.all[0]
	var rec state.SetRecord
	if err := block.GetNode(t.Context(), c.store, d.result.Outputs[0], &rec); err != nil {
		t.Fatal(err)
	}
	last := len(rec.Data.Leaves) - 1
	if last < 2 {
		t.Fatalf("%d leaves", last+1)
	}
	leaf, err := c.store.Get(t.Context(), rec.Data.Leaves[last].Cid)
	if err != nil {
		t.Fatal(err)
	}
	lie := func(change func(leaves []block.Link)) unit.Result {
		r := rec
		r.Data.Leaves = slices.Clone(rec.Data.Leaves)
		change(r.Data.Leaves)
		return d.lied(0, put(t, c.store, r))
	}
	caught(t, d, lie(func(l []block.Link) { l[last] = l[0] }), check.Error{Reason: check.Size})
	caught(t, d, lie(func(l []block.Link) { l[0] = l[last] }), check.Error{Reason: check.Size})
	bad := slices.Clone(leaf)
	copy(bad[len(bad)-4:], []byte{0, 0, 0x80, 0x7f}) // +Inf, little endian
	id, err := c.store.Put(t.Context(), block.Raw, bad)
	if err != nil {
		t.Fatal(err)
	}
	name := rec.Tensors[len(rec.Tensors)-1].Name
	caught(t, d, lie(func(l []block.Link) { l[last] = block.Link{Cid: id} }), check.Error{Reason: check.Value, Tensor: name})
	// Leaves of the right sizes in another sequence are another set: only computing
	// it again shows that.
	if err := d.expect.Check(t.Context(), lie(func(l []block.Link) { l[0], l[1] = l[1], l[0] }), check.Held{Blocks: c.store}); err != nil {
		t.Errorf("leaves of the right form: %v", err)
	}
}

// TestAverageOverflows: parameters that are finite may have a mean that is not, which is
// a defect like any other.
func TestAverageOverflows(t *testing.T) {
	store := &block.MemoryStore{}
	record := run.Record{Version: 1, Config: config().Measured(true), Vocab: 260, Steps: 1}
	record.Corpus = block.Link{Cid: block.Sum(block.Raw, nil)}
	record.Tokenizer = record.Corpus
	p := nmt.Init(record.Model(), 1)
	fill(p, 3e38)
	l, err := state.PutSet(t.Context(), store, p)
	if err != nil {
		t.Fatal(err)
	}
	u := unit.Unit{Version: 1, Kind: unit.Average, Work: put(t, store, record), Inputs: []block.Link{l, l}}
	r, err := work.NewWorker(device(t, "")).Do(t.Context(), store, u)
	if err != nil {
		t.Fatal(err)
	}
	e, err := check.New().Expect(t.Context(), store, u)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Check(t.Context(), r, check.Held{Blocks: store}); !errors.Is(err, unit.ErrDefect) {
		t.Errorf("a mean of infinities: %+v, %v", r, err)
	}
}

func fill(s *tensor.Set, x float32) {
	for i := range s.Len() {
		for j := range s.At(i).F {
			s.At(i).F[j] = x
		}
	}
}

// TestExpectRefuses: units that no worker could do have no expectation, and records
// that name gigabytes take no memory.
func TestExpectRefuses(t *testing.T) {
	store := &block.MemoryStore{}
	some := block.Link{Cid: block.Sum(block.Raw, nil)}
	record := run.Record{Version: 1, Config: config().Measured(true), Corpus: some, Tokenizer: some, Vocab: 260, Steps: 1}
	work := put(t, store, record)
	batch := func(source, target [][]uint32) block.Link {
		return put(t, store, run.BatchRecord{Version: 1, Source: source, Target: target})
	}
	vast := record
	vast.Config.Pieces, vast.Config.Dim, vast.Config.FFN, vast.Config.Heads = 1<<17, 1<<13, 1<<15, 64
	vast.Config.Encoder, vast.Config.Decoder, vast.Vocab = 64, 64, 1<<17
	good := batch([][]uint32{{5}}, [][]uint32{{6}})
	gradient := func(work block.Link, batches ...block.Link) unit.Unit {
		return unit.Unit{Version: 1, Kind: unit.Gradient, Work: work, Inputs: append([]block.Link{some}, batches...)}
	}
	for name, u := range map[string]unit.Unit{
		"no run":             gradient(some, good),
		"run of a batch":     gradient(good, good),
		"vast run":           gradient(put(t, store, vast), good),
		"no batch":           gradient(work, some),
		"batch of a run":     gradient(work, work),
		"empty batch":        gradient(work, batch(nil, nil)),
		"unpaired batch":     gradient(work, batch([][]uint32{{5}}, nil)),
		"unknown token":      gradient(work, batch([][]uint32{{260}}, [][]uint32{{6}})),
		"mark":               gradient(work, batch([][]uint32{{1}}, [][]uint32{{6}})),
		"long sentence":      gradient(work, batch([][]uint32{slices.Repeat([]uint32{5}, nmt.MaxLength)}, [][]uint32{{6}})),
		"version":            {Version: 2, Kind: unit.Average, Work: work, Inputs: []block.Link{some}},
		"kind":               {Version: 1, Kind: 99, Work: work, Inputs: []block.Link{some}},
		"translation by run": {Version: 1, Kind: unit.Translate, Work: work, Inputs: []block.Link{work, good}, Decoding: unit.Greedy},
	} {
		if e, err := check.New().Expect(t.Context(), store, u); err == nil {
			t.Errorf("%s: expects %+v", name, e)
		}
	}
}
