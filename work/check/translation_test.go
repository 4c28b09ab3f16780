package check_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// TestLiesInTexts: texts that the model cannot have written, and results that say
// more or less of a text than can be.
func TestLiesInTexts(t *testing.T) {
	c := newCrew(t, device(t, ""))
	m, tok := translator(t, c.store, 2)
	for _, beam := range []uint16{1, 4} {
		d, honest := c.translate(m, beam, []string{"one two", "", "three", " "})
		limit := model.MostTokens(model.SourceTokens(tok, "three"))
		text := func(segments ...string) block.Link {
			return put(t, c.store, unit.Text{Version: 1, Segments: segments})
		}
		with := func(i int, s string) []string {
			segments := slices.Clone(honest)
			segments[i] = s
			return segments
		}
		for name, lie := range map[string]struct {
			link   block.Link
			want   check.Reason
			output int
		}{
			"no segment":         {text(), check.Form, 0},
			"a segment too few":  {text(honest[1:]...), check.Form, 0},
			"a segment too many": {text(append(slices.Clone(honest), "")...), check.Form, 0},
			"many segments":      {text(make([]string, d.expect.Outputs[0].Record-8)...), check.Form, 0},
			"a million segments": {text(make([]string, 1<<20)...), check.Size, 0},
			"other version":      {put(t, c.store, unit.Text{Version: 2, Segments: honest}), check.Form, 0},
			"text for nothing":   {text(with(1, "x")...), check.Text, 0},
			"text for a space":   {text(with(3, "x")...), check.Text, 0},
			"too long a text":    {text(with(2, strings.Repeat("\x01", limit+1))...), check.Text, 0},
			"2 MiB of text":      {text(with(2, strings.Repeat("x", 2<<20-100))...), check.Size, 0},
			"more than tokens":   {text(with(0, strings.Repeat("\x01", limit))...), check.Tokens, -1},
			"less than tokens":   {text("", "", "", ""), check.Tokens, -1},
		} {
			t.Run(name, func(t *testing.T) {
				r := d.lied(0, lie.link)
				if lie.want == check.Tokens && len(r.Outputs) > 0 {
					r.Tokens = 3 // the empty texts have two at most, the long one far more
				}
				caught(t, d, r, check.Error{Reason: lie.want, Output: lie.output})
			})
		}
		liesInNumbers(t, d)
	}
}

// TestHonestRepeats: what a worker gives fits where repetitions are banned or discouraged, on
// every device. The settings are part of the unit, and change the text; the most that
// it can cost is that of the same search without them.
func TestHonestRepeats(t *testing.T) {
	in := termed()
	for _, name := range kernel.Names() {
		c := newCrew(t, device(t, name))
		m, _ := translator(t, c.store, 2)
		for _, beam := range []uint16{1, 3, 8} {
			plain, text := c.translateText(m, beam, in)
			for _, d := range []unit.Decoding{{NoRepeat: 1}, {NoRepeat: 3}, {RepetitionPPM: 5_000_000}, {NoRepeat: 2, RepetitionPPM: 1_500_000}} {
				d.Beam, d.LengthPPM = beam, 1_000_000
				got, other := c.decode(m, d, in)
				if slices.Equal(other, text) {
					t.Errorf("%s: %+v changes nothing in %q", name, d, text)
				}
				if got.unit.ID() == plain.unit.ID() || got.expect.Cost.Most != plain.expect.Cost.Most {
					t.Errorf("%s: %+v: the unit's name or the most that it costs (%v, %v) is wrong", name, d, got.expect.Cost, plain.expect.Cost)
				}
				for i, list := range in.Terms {
					for _, term := range list {
						if in.Segments[i] != " " && !strings.Contains(other[i], term) {
							t.Errorf("%s: %+v: the term %q is not in %q", name, d, term, other[i])
						}
					}
				}
			}
		}
	}
}

// liesInNumbers asks for more and less than an honest text costs, with any number of
// tokens.
func liesInNumbers(t *testing.T, d done) {
	t.Helper()
	passed := map[bool]int{}
	for tokens := d.expect.Tokens.Least; tokens <= d.expect.Tokens.Most; tokens++ {
		for _, cost := range []uint64{d.expect.Cost.Least, d.expect.Cost.Most, d.result.Cost * 3 / 4, d.result.Cost * 5 / 4} {
			r := d.result
			r.Tokens, r.Cost = uint32(tokens), cost
			passed[d.expect.Check(t.Context(), r, check.Held{Blocks: d.store}) == nil]++
		}
	}
	if passed[false] <= passed[true] {
		t.Errorf("%d lies about tokens and cost pass, %d do not", passed[true], passed[false])
	}
}

// trained gives a crew that trained the little model for some epochs, and the model.
func trained(t *testing.T) (*crew, block.Link) {
	t.Helper()
	c := trainRun(t, device(t, ""), func(c *train.Config) { c.Epochs, c.Validation, c.RatePPM = 12, 1000, 20_000 })
	last := c.all[len(c.all)-1].unit
	if last.Kind != unit.Translate {
		t.Fatalf("the run ends with a unit of kind %s", last.Kind)
	}
	return c, last.Inputs[0]
}

// engine is an engine of a model in blocks, and its parameters' set.
func engine(t *testing.T, c *crew, m block.Link) (*nmt.Engine, *model.Translator) {
	t.Helper()
	tr, err := model.Load(t.Context(), c.store, m)
	if err != nil {
		t.Fatal(err)
	}
	return nmt.NewEngine(device(t, ""), tr.Model.Config()), tr
}

// phrases are sources of several lengths, some as in training.
func phrases() (all []string) {
	words := strings.Fields("one two three four five six seven eight nine")
	for i, w := range words {
		all = append(all, w, w+" "+words[(i+3)%9], w[:2])
	}
	return all
}

// TestGreedyCost: the cost of greedy search is a function of the tokens of each
// source and each output, but not of their sums.
func TestGreedyCost(t *testing.T) {
	c, m := trained(t)
	e, tr := engine(t, c, m)
	meter := nmt.NewMeter(tr.Model.Config())
	type sums struct{ source, target int }
	costs := map[sums]map[uint64]bool{}
	for _, a := range phrases() {
		for _, b := range phrases() {
			sources := [][]int32{tr.Tokenizer.Source(a), tr.Tokenizer.Source(b)}
			out, cost, err := e.Greedy(tr.Params, sources, nmt.TwicePlusTen)
			if err != nil {
				t.Fatal(err)
			}
			var want uint64
			for i, s := range sources {
				steps, _ := nmt.Steps(len(out[i]), model.MostTokens(len(s)), 0)
				want += meter.Translation(len(s)+1, steps, 0)
			}
			if cost != want {
				t.Errorf("%q and %q: cost %d, want %d", a, b, cost, want)
			}
			k := sums{len(sources[0]) + len(sources[1]), len(out[0]) + len(out[1])}
			if costs[k] == nil {
				costs[k] = map[uint64]bool{}
			}
			costs[k][cost] = true
		}
	}
	several := 0
	for _, c := range costs {
		if len(c) > 1 {
			several++
		}
	}
	if t.Logf("of %d sums of tokens, %d have several costs", len(costs), several); several == 0 {
		t.Error("the sums of tokens decide the cost: publish them")
	}
}

// TestBeamCost: the cost of beam search is no function of the tokens of source and
// output: two searches that read and write as many cost differently.
func TestBeamCost(t *testing.T) {
	c, m := trained(t)
	e, tr := engine(t, c, m)
	type lengths struct{ source, target int }
	costs := map[lengths]map[uint64]bool{}
	several := 0
	for _, s := range phrases() {
		source := tr.Tokenizer.Source(s)
		out, cost, err := e.Beam(tr.Params, [][]int32{source}, nmt.TwicePlusTen, 4, 1)
		if err != nil {
			t.Fatal(err)
		}
		k := lengths{len(source), len(out[0])}
		if costs[k] == nil {
			costs[k] = map[uint64]bool{}
		}
		if costs[k][cost] = true; len(costs[k]) == 2 {
			several++
		}
	}
	if t.Logf("of %d pairs of lengths, %d have several costs", len(costs), several); several == 0 {
		t.Error("the lengths decide the cost: publish them")
	}
}

// TestPublishedCost: where an output is the tokens that its text is cut into, as
// nearly every output of a trained model is, the published cost of greedy search
// is the cost. With a beam it is no more than the cost.
func TestPublishedCost(t *testing.T) {
	c, m := trained(t)
	engine, tr := engine(t, c, m)
	e := model.Transformer{Engine: engine}
	for _, beam := range []uint16{1, 4} {
		canonical, equal := 0, 0
		for _, s := range phrases() {
			d, out := c.translate(m, beam, []string{s, ""})
			got, _, err := e.Decode(tr.Params, [][]int32{tr.Tokenizer.Source(s)}, d.unit.Decoding)
			if err != nil {
				t.Fatal(err)
			}
			if len(got[0]) != int(d.result.Tokens) {
				t.Fatalf("%d tokens, the worker wrote %d", len(got[0]), d.result.Tokens)
			}
			published := d.expect.Published(out)
			if published < d.expect.Cost.Least || published > d.expect.Cost.Most {
				t.Errorf("a published cost of %d, expected %v", published, d.expect.Cost)
			}
			if published == d.result.Cost {
				equal++
			}
			if !slices.Equal(got[0], tr.Tokenizer.Target(out[0])) {
				continue
			}
			canonical++
			if beam == 1 && published != d.result.Cost || published > d.result.Cost {
				t.Errorf("beam %d: a published cost of %d, the worker finds %d", beam, published, d.result.Cost)
			}
		}
		t.Logf("beam %d: %d of %d outputs are the tokens of their texts, %d cost what is published", beam, canonical, len(phrases()), equal)
		if canonical == 0 {
			t.Errorf("beam %d: no output is the tokens of its text", beam)
		}
	}
}
