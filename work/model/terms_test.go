package model_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/unit"
	"pgregory.net/rapid"
)

// TestSpell: how terms are spelt.
func TestSpell(t *testing.T) {
	tok := small(t).Tokenizer
	for term, want := range map[string]struct {
		first  string // what the first spelling writes behind "x"
		inner  int    // spellings
		closed bool
	}{
		"zwei":      {"x zwei", 2, true},
		"zwei drei": {"x zwei drei", 2, true},
		"C++":       {"x C++", 2, false},
		"猫":         {"x猫", 1, false},
		"猫 cat":     {"x猫 cat", 1, true},
		"17":        {"x 17", 2, true},
	} {
		all, err := model.Spell(tok, []string{term})
		if err != nil {
			t.Fatal(err)
		}
		got := all[0]
		x, _ := tok.Spell("x")
		if s := tok.Decode(slices.Concat(x, got.Spellings[0].Tokens)); s != want.first || len(got.Spellings) != want.inner || got.Closed != want.closed {
			t.Errorf("%q: %q, %d spellings, closed %v; want %+v", term, s, len(got.Spellings), got.Closed, want)
		}
		for _, s := range got.Spellings {
			if tok.Decode(s.Tokens) != term {
				t.Errorf("%q is spelt %q", term, tok.Decode(s.Tokens))
			}
		}
	}
	for want, terms := range map[string][]string{
		`the term " a" is not in the form that a model writes, which is "a"`: {" a"},
		`the term "" is not`: {""},
		`the terms up to "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" have 66 tokens of the model, at most 64`: {strings.Repeat("a", 32), strings.Repeat("b", 32)},
	} {
		if _, err := model.Spell(tok, terms); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

// TestTermsStand: in every translation its terms stand, verbatim, whatever the
// segments, the terms, the beam and the segments beside.
func TestTermsStand(t *testing.T) {
	tr := small(t)
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	e := tr.Model.NewEngine(dev)
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"eins", "zwei", "zweite", "drei", "Öl", "猫", "ネコ", "C++", "(x)", "17", "zwei drei", "-", "„", "ß"})
		n := rapid.IntRange(1, 3).Draw(t, "segments")
		segments := rapid.SliceOfN(rapid.SampledFrom([]string{"one", "two three", "", "three one two", "x y z"}), n, n).Draw(t, "segments")
		terms := rapid.SliceOfN(rapid.SliceOfNDistinct(word, 0, 4, func(s string) string { return s }), n, n).Draw(t, "terms")
		d := unit.Decoding{Beam: uint16(rapid.IntRange(1, 5).Draw(t, "beam")), LengthPPM: 1_000_000}
		in := unit.NewText(segments, terms)
		out, _, cost, err := model.TranslateSegments(e, tr.Tokenizer, tr.Params, in, d)
		if err != nil {
			t.Fatal(err)
		}
		var sum uint64
		for i, s := range segments {
			if s != "" {
				for _, term := range terms[i] {
					if !strings.Contains(out[i], term) {
						t.Fatalf("%q is not in %q", term, out[i])
					}
				}
			}
			one := unit.NewText(segments[i:i+1], terms[i:i+1])
			got, _, c, err := model.TranslateSegments(e, tr.Tokenizer, tr.Params, one, d)
			if err != nil || got[0] != out[i] {
				t.Fatalf("%q alone becomes %q, %v, with others %q", s, got, err, out[i])
			}
			sum += c
		}
		if sum != cost {
			t.Fatalf("the segments cost %d one by one, %d together", sum, cost)
		}
	})
}
