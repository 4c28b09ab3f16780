package check_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/unit"
)

// termed is a text in which some segments have terms.
func termed() unit.Text {
	return unit.NewText(
		[]string{"one two", "", "three", "four five six", " "},
		[][]string{{"Zwei"}, {}, {"drei", "und drei", "猫"}, {}, {"leer"}},
	)
}

// TestTerms: a worker's translations contain the terms of their segments, and fit what is
// expected of them. The segments without terms are translated as ever.
func TestTerms(t *testing.T) {
	c := newCrew(t, device(t, ""))
	m, tok := translator(t, c.store, 2)
	shape, err := model.Read(t.Context(), c.store, m)
	if err != nil {
		t.Fatal(err)
	}
	in := termed()
	for _, beam := range []uint16{1, 4, 8} {
		d, out := c.translateText(m, beam, in)
		for i, list := range in.Terms {
			for _, term := range list {
				if in.Segments[i] != " " && !strings.Contains(out[i], term) {
					t.Errorf("beam %d: the term %q is not in %q", beam, term, out[i])
				}
			}
		}
		if out[1] != "" || out[4] != "" {
			t.Errorf("beam %d: empty segments become %q and %q", beam, out[1], out[4])
		}
		_, plain := c.translate(m, beam, in.Segments)
		if out[3] != plain[3] {
			t.Errorf("beam %d: a segment without terms becomes %q, without terms in the text %q", beam, out[3], plain[3])
		}
		// The most that it costs is that of every search going on to its limit.
		var most uint64
		meter := nmt.NewMeter(shape.Config())
		for i, s := range in.Segments {
			n := model.SourceTokens(tok, s)
			if n == 0 {
				continue
			}
			search, err := model.SearchOf(tok, n, in.TermsOf(i), d.unit.Decoding)
			if err != nil {
				t.Fatal(err)
			}
			most += meter.Translation(n+1, search.Most, search.Width)
		}
		if d.expect.Cost.Most != most || d.result.Cost > most || d.result.Cost < d.expect.Cost.Least {
			t.Errorf("beam %d: a cost of %d, expected %v, want at most %d", beam, d.result.Cost, d.expect.Cost, most)
		}
		if p := d.expect.Published(out); p < d.expect.Cost.Least || p > d.expect.Cost.Most {
			t.Errorf("beam %d: a published cost of %d, expected %v", beam, p, d.expect.Cost)
		}
		// A result without a term is a lie, and so is one that costs more.
		without := slices.Clone(out)
		without[2] = strings.ReplaceAll(without[2], "猫", "x")
		caught(t, d, d.lied(0, put(t, c.store, unit.NewText(without, nil))), check.Error{Reason: check.Text, Output: 0})
		caught(t, d, d.lied(0, put(t, c.store, in)), check.Error{Reason: check.Form, Output: 0})
		dear := d.result
		dear.Cost = most + 1
		caught(t, d, dear, check.Error{Reason: check.Cost, Output: -1})
	}
}

// TestTermsRefused: a unit with terms that no worker can do is refused before the work.
func TestTermsRefused(t *testing.T) {
	c := newCrew(t, device(t, ""))
	m, _ := translator(t, c.store, 2)
	long := strings.Repeat("ungewöhnlich ", 15)
	for want, in := range map[string]unit.Text{
		"not in the form":        unit.NewText([]string{"one"}, [][]string{{"zwei "}}),
		"64 are allowed":         unit.NewText([]string{"one"}, [][]string{{strings.TrimSpace(long)}}),
		"stands there twice":     unit.NewText([]string{"one"}, [][]string{{"a", "a"}}),
		"and terms for 1":        {Version: 2, Segments: []string{"one", "two"}, Terms: [][]string{{"a"}}},
		"this program knows ver": {Version: 4, Segments: []string{"one"}},
	} {
		u := unit.Unit{
			Version: 1, Kind: unit.Translate, Work: m, Decoding: unit.Greedy, Inputs: []block.Link{m, put(t, c.store, in)},
		}
		if _, err := check.New().Expect(t.Context(), c.store, u); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected: %v, want an error with %q", err, want)
		}
		if _, err := c.local.Do(t.Context(), []unit.Unit{u}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("computed: %v, want an error with %q", err, want)
		}
	}
}

// TestSalted: the translation of a text with a salt has the salt, and a result without it, or
// with another, is a lie: whoever knows the text could else be told apart by its hash.
func TestSalted(t *testing.T) {
	c := newCrew(t, device(t, ""))
	m, _ := translator(t, c.store, 2)
	plain, out := c.translate(m, 1, []string{"one", "two"})
	salt := []byte("sixteen bytes...")
	d, salted := c.translateText(m, 1, unit.NewText([]string{"one", "two"}, nil).WithSalt(salt))
	if !slices.Equal(out, salted) || plain.result.Outputs[0] == d.result.Outputs[0] || plain.result.Cost != d.result.Cost {
		t.Errorf("%q and %q, %+v and %+v", out, salted, plain.result, d.result)
	}
	for _, lie := range []unit.Text{unit.NewText(out, nil), unit.NewText(out, nil).WithSalt([]byte("another salt...."))} {
		caught(t, d, d.lied(0, put(t, c.store, lie)), check.Error{Reason: check.Form, Output: 0})
	}
	caught(t, plain, plain.lied(0, put(t, c.store, unit.NewText(out, nil).WithSalt(salt))), check.Error{Reason: check.Form, Output: 0})
}
