package check_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	"pgregory.net/rapid"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// numbers is a little corpus: English number words and German ones.
func numbers() *corpus.Corpus {
	en := []string{"one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
	de := []string{"eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"}
	c := &corpus.Corpus{Source: "en", Target: "de"}
	for i := range 9 {
		for j := range 9 {
			p := corpus.Pair{Source: fmt.Sprintf("%s %s", en[i], en[j]), Target: fmt.Sprintf("%s %s", de[i], de[j])}
			if (i+j)%6 == 0 {
				c.Valid = append(c.Valid, p)
			} else {
				c.Train = append(c.Train, p)
			}
		}
	}
	return c
}

func config() train.Config {
	c, err := train.Preset("demo")
	if err != nil {
		panic(err)
	}
	c.Source, c.Target = "en", "de"
	c.Pieces, c.Dim, c.FFN, c.Heads, c.Encoder, c.Decoder = 280, 16, 24, 2, 1, 2
	c.BatchTokens, c.Epochs, c.Units, c.Checkpoint, c.Average, c.Validation = 128, 1, 2, 2, 2, 1
	return c
}

// variants are runs that differ in all that a unit's form or cost may depend on.
var variants = map[string]func(*train.Config){
	"plain":                        func(*train.Config) {},
	"accumulated, without dropout": func(c *train.Config) { c.Accumulate, c.DropoutPPM, c.DeltaBits = 2, 0, 4 },
	"without smoothing, clipped":   func(c *train.Config) { c.SmoothingPPM, c.ClipPPM, c.UpdateBits = 0, 100_000, 2 },
	"local steps without decay":    func(c *train.Config) { c.LocalSteps, c.Epochs, c.DeltaBits = 3, 3, 8 },
	"local steps after a lead": func(c *train.Config) {
		c.LocalSteps, c.Lead, c.Epochs, c.Accumulate, c.DeltaBits, c.UpdateBits, c.WeightDecayPPM = 2, 1, 3, 2, 2, 4, 10_000
	},
	"int8":     func(c *train.Config) { c.Arithmetic, c.Accumulate = train.Int8, 2 },
	"adapters": func(c *train.Config) { c.LoRA, c.Accumulate = 3, 2 },
	"adapters, local steps after a lead": func(c *train.Config) {
		c.LoRA, c.LocalSteps, c.Lead, c.Epochs, c.DeltaBits, c.UpdateBits = 5, 2, 1, 3, 2, 4
	},
	"int8, adapters, local steps": func(c *train.Config) {
		c.Arithmetic, c.LoRA, c.LocalSteps, c.Epochs = train.Int8, 3, 2, 2
	},
}

func device(t testing.TB, name string) kernel.Device {
	t.Helper()
	dev, err := kernel.Open(name, 1)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// done is a unit that an honest worker did.
type done struct {
	unit   unit.Unit
	result unit.Result
	store  *block.MemoryStore
	expect *check.Expectation
}

// crew does units and holds each result to what was expected of the unit.
type crew struct {
	t       testing.TB
	checker *check.Checker
	local   work.Local
	store   *block.MemoryStore
	all     []done
}

func newCrew(t testing.TB, dev kernel.Device) *crew {
	store := &block.MemoryStore{}
	return &crew{t: t, checker: check.New(), store: store, local: work.Local{Worker: work.NewWorker(dev), Blocks: store, Clock: func() uint64 { return 0 }}}
}

func (c *crew) Do(ctx context.Context, units []unit.Unit) ([]unit.Outcome, error) {
	var out []unit.Outcome
	for _, u := range units {
		e, err := c.checker.Expect(ctx, c.store, u)
		if err != nil {
			return nil, err
		}
		o, err := c.local.Do(ctx, []unit.Unit{u})
		if err != nil {
			return nil, err
		}
		c.hold(u, o[0], e)
		out = append(out, o...)
	}
	return out, nil
}

// hold checks an honest outcome.
func (c *crew) hold(u unit.Unit, o unit.Outcome, e *check.Expectation) {
	c.t.Helper()
	r, err := e.Receive(c.t.Context(), o.Link, check.Held{Blocks: c.store})
	if err != nil {
		c.t.Fatalf("an honest result: %v", err)
	}
	if u.Kind != unit.Translate && (e.Cost.Least != r.Cost || e.Cost.Most != r.Cost || e.Tokens.Least != uint64(r.Tokens)) {
		c.t.Fatalf("%s: cost %v, tokens %v expected; the worker finds %d and %d", u.Kind, e.Cost, e.Tokens, r.Cost, r.Tokens)
	}
	for i, l := range r.Outputs {
		c.measure(e.Outputs[i], l)
	}
	c.all = append(c.all, done{u, r, c.store, e})
}

// measure checks the bytes of an honest output.
func (c *crew) measure(o check.Output, l block.Link) {
	c.t.Helper()
	data, err := c.store.Get(c.t.Context(), l.Cid)
	if err != nil {
		c.t.Fatal(err)
	}
	leaves, err := block.Links(data)
	if err != nil {
		c.t.Fatal(err)
	}
	if o.Name == "text" {
		if len(data) > o.Record {
			c.t.Fatalf("a text of %d bytes, expected at most %d", len(data), o.Record)
		}
		return
	}
	total := len(data)
	for _, leaf := range leaves {
		data, err := c.store.Get(c.t.Context(), leaf)
		if err != nil {
			c.t.Fatal(err)
		}
		total += len(data)
	}
	if len(data) != o.Record || len(leaves) != o.Leaves() || uint64(total) != o.Bytes() {
		c.t.Fatalf("%s: %d bytes in %d leaves under a record of %d; expected %d, %d, %d", o.Name, total, len(leaves), len(data), o.Bytes(), o.Leaves(), o.Record)
	}
}

// hoard is a store that forgets nothing.
type hoard struct{ *block.MemoryStore }

func (hoard) Delete(cid.Cid) error { return nil }

// trainRun does a whole run with a crew that checks itself.
func trainRun(t testing.TB, dev kernel.Device, change func(*train.Config)) *crew {
	t.Helper()
	c := newCrew(t, dev)
	cfg := config()
	change(&cfg)
	c.train(numbers(), cfg)
	return c
}

// train does a whole run, with the translation of its test sets.
func (c *crew) train(pairs *corpus.Corpus, cfg train.Config) *run.Plan {
	t, ctx := c.t, c.t.Context()
	t.Helper()
	plan, err := planOf(ctx, c.store, pairs, cfg)
	if err != nil {
		t.Fatal(err)
	}
	tr := &run.Training{Plan: plan, Store: hoard{c.store}, Crew: c, Home: c, Done: func(run.Round, block.Link) error { return nil }}
	last, err := tr.Run(ctx, block.Link{})
	if err != nil {
		t.Fatal(err)
	}
	sets, err := plan.TestTranslations(ctx, c.store, put(t, c.store, plan.Run.Result(last.Result)))
	if err != nil {
		t.Fatal(err)
	}
	for _, units := range sets {
		if _, err := c.Do(ctx, units); err != nil {
			t.Fatal(err)
		}
	}
	return plan
}

// planOf is the plan of a run: with adapters it begins with a model that is not trained yet.
func planOf(ctx context.Context, store block.Keeper, pairs *corpus.Corpus, cfg train.Config) (*run.Plan, error) {
	whole := cfg
	whole.LoRA = 0
	plan, err := run.New(ctx, store, pairs, whole)
	if err != nil || cfg.LoRA == 0 {
		return plan, err
	}
	begin, err := plan.Begin(ctx, store)
	if err != nil {
		return nil, err
	}
	base, err := block.PutNode(ctx, store, plan.Run.Result(begin.Params))
	if err != nil {
		return nil, err
	}
	return run.Continue(ctx, store, pairs, cfg, base)
}

// TestHonest: every unit of every variant of a run, on every device, fits what was
// expected of it, to the FLOP and to the byte.
func TestHonest(t *testing.T) {
	for name, change := range variants {
		for _, dev := range kernel.Names() {
			t.Run(name+"/"+dev, func(t *testing.T) {
				trainRun(t, device(t, dev), change)
			})
		}
	}
}

// TestRandomUnits: the cost of units of random batches and options is exact.
func TestRandomUnits(t *testing.T) {
	dev := device(t, "")
	rapid.Check(t, func(rt *rapid.T) {
		c := newCrew(t, dev)
		record := drawRun(rt, c.store)
		work := put(t, c.store, record)
		start := train.Start(record.Config, nmt.Init(record.Model(), 1))
		params, err := state.PutSet(t.Context(), c.store, start.Params)
		if err != nil {
			rt.Fatal(err)
		}
		u := unit.Unit{Version: 1, Work: work, Inputs: []block.Link{params}}
		n := rapid.IntRange(1, 5).Draw(rt, "batches")
		switch u.Kind = rapid.SampledFrom([]unit.Kind{unit.Gradient, unit.Evaluate, unit.LocalSteps}).Draw(rt, "kind"); u.Kind {
		case unit.Evaluate:
			n = 1
		case unit.LocalSteps:
			v, err := state.PutSet(t.Context(), c.store, start.V)
			if err != nil {
				rt.Fatal(err)
			}
			u.Inputs = append(u.Inputs, v)
		}
		for range n {
			u.Inputs = append(u.Inputs, put(t, c.store, drawBatch(rt, record.Vocab)))
		}
		if _, err := c.Do(t.Context(), []unit.Unit{u}); err != nil {
			rt.Fatal(err)
		}
	})
}

func put(t testing.TB, b block.Blocks, v any) block.Link {
	t.Helper()
	l, err := block.PutNode(t.Context(), b, v)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// drawRun draws the record of a run that takes local steps.
func drawRun(t *rapid.T, b block.Blocks) run.Record {
	c := config()
	c.Heads = rapid.Uint32Range(1, 3).Draw(t, "heads")
	c.Dim, c.FFN = 4*c.Heads, rapid.Uint32Range(1, 20).Draw(t, "ffn")
	c.Encoder, c.Decoder = rapid.Uint32Range(1, 2).Draw(t, "encoder"), rapid.Uint32Range(1, 2).Draw(t, "decoder")
	c.DropoutPPM = rapid.SampledFrom([]uint32{0, 200_000}).Draw(t, "dropout")
	c.SmoothingPPM = rapid.SampledFrom([]uint32{0, 100_000}).Draw(t, "smoothing")
	c.DeltaBits = rapid.SampledFrom([]uint32{2, 4, 8}).Draw(t, "bits")
	version := uint16(1)
	if rapid.Bool().Draw(t, "int8") {
		c.Arithmetic, version = train.Int8, 3
	}
	c.Accumulate, c.LocalSteps = rapid.Uint32Range(1, 3).Draw(t, "accumulate"), 2
	some := block.Link{Cid: block.Sum(block.Raw, nil)}
	return run.Record{Version: version, Config: c.Measured(true), Corpus: some, Tokenizer: some, Vocab: 260, Steps: 10}
}

func drawBatch(t *rapid.T, vocab uint32) run.BatchRecord {
	n := rapid.IntRange(1, 4).Draw(t, "pairs")
	side := func(name string) [][]uint32 {
		return rapid.SliceOfN(rapid.SliceOfN(rapid.Uint32Range(3, vocab-1), 0, 9), n, n).Draw(t, name)
	}
	return run.BatchRecord{Version: 1, Source: side("source"), Target: side("target")}
}

// idle is a device that computes nothing, so that the engine of a large model can be
// asked what its work costs.
type idle struct{ kernel.Device }

func (idle) Do(*kernel.Call)                                        {}
func (idle) Group([]kernel.Call)                                    {}
func (idle) Stage([]kernel.Call, []uint8, [][]int32, []kernel.Call) {}

// TestPresets: the costs of random batches with each preset are those that the
// engine finds.
func TestPresets(t *testing.T) {
	for _, name := range train.Presets() {
		c, err := train.Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		shape := c.Model(int(c.Pieces))
		e, m, p := nmt.NewEngine(idle{device(t, "portable")}, shape), nmt.NewMeter(shape), shape.Skeleton()
		rapid.Check(t, func(rt *rapid.T) {
			var batches []nmt.Batch
			var sizes []nmt.Sizes
			for range rapid.IntRange(1, 3).Draw(rt, "batches") {
				n := rapid.IntRange(1, 3).Draw(rt, "pairs")
				side := rapid.SliceOfN(rapid.SliceOfN(rapid.Int32Range(3, 200), 0, 12), n, n)
				b := nmt.Batch{Source: side.Draw(rt, "source"), Target: side.Draw(rt, "target")}
				s, err := nmt.SizesOf(shape, b)
				if err != nil {
					rt.Fatal(err)
				}
				batches, sizes = append(batches, b), append(sizes, s)
			}
			g, err := e.Gradient(p, batches, nmt.DropoutKey{})
			if err != nil {
				rt.Fatal(err)
			}
			l, err := e.Loss(p, batches[0])
			if err != nil {
				rt.Fatal(err)
			}
			if m.Gradient(sizes...) != g.Cost || m.Loss(sizes[0]) != l.Cost {
				rt.Errorf("%s: gradient %d and loss %d FLOP, want %d and %d", name, m.Gradient(sizes...), m.Loss(sizes[0]), g.Cost, l.Cost)
			}
		})
	}
}

// translator stores a model of ours with parameters that are drawn, which writes
// what no one would.
func translator(t testing.TB, b block.Blocks, seed uint64) (block.Link, model.Tokenizer) {
	t.Helper()
	cfg := config()
	plan, err := run.New(t.Context(), b, numbers(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := nmt.Init(plan.Run.Model(), seed)
	for i := range p.Len() { // far apart, so that outputs differ
		for j := range p.At(i).F {
			p.At(i).F[j] *= 2
		}
	}
	params, err := state.PutSet(t.Context(), b, p)
	if err != nil {
		t.Fatal(err)
	}
	m := plan.Run.Result(params)
	tok, err := m.ReadTokenizer(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return put(t, b, m), tok
}

// TestHonestTranslations: whatever a model writes, with any beam, fits, of documents
// with empty, long and many segments.
func TestHonestTranslations(t *testing.T) {
	segments := []string{"", "one two", " ", "\u00ad", "a", "\uFFFD", "Ünïcödé \u2603", strings.Repeat("eight ", 12)}
	many := make([]string, 70) // more than are decoded side by side
	for i := range many {
		many[i] = strings.Repeat("x", i%4)
	}
	long := []string{strings.Repeat("nine eight ", 400)} // more tokens than are read
	for i, name := range kernel.Names() {
		texts := [][]string{segments, {}, {""}}
		if i == 0 {
			texts = append(texts, many, long)
		}
		c := newCrew(t, device(t, name))
		for seed := range uint64(3) {
			m, _ := translator(t, c.store, seed)
			for _, beam := range []uint16{1, 2, 8} {
				for _, text := range texts {
					c.translate(m, beam, text)
				}
			}
			texts = texts[:3]
		}
	}
}

// translate does a Translate unit and gives what it wrote.
func (c *crew) translate(m block.Link, beam uint16, segments []string) (done, []string) {
	c.t.Helper()
	return c.translateText(m, beam, unit.NewText(segments, nil))
}

// translateText is translate for a text that may have terms.
func (c *crew) translateText(m block.Link, beam uint16, in unit.Text) (done, []string) {
	c.t.Helper()
	return c.decode(m, unit.Decoding{Beam: beam, LengthPPM: 1_000_000}, in)
}

// decode is translateText with any search.
func (c *crew) decode(m block.Link, d unit.Decoding, in unit.Text) (done, []string) {
	c.t.Helper()
	u := unit.Unit{
		Version: 1, Kind: unit.Translate, Work: m, Decoding: d,
		Inputs: []block.Link{m, put(c.t, c.store, in)},
	}
	outcomes, err := c.Do(c.t.Context(), []unit.Unit{u})
	if err != nil {
		c.t.Fatal(err)
	}
	var out unit.Text
	if err := block.GetNode(c.t.Context(), c.store, outcomes[0].Result.Outputs[0], &out); err != nil {
		c.t.Fatal(err)
	}
	return c.all[len(c.all)-1], out.Segments
}
