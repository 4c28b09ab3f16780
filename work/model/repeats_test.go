package model_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
	"pgregory.net/rapid"
)

// TestRepeats: the settings of a decoding reach greedy search, beam search and the search with
// terms, and those of one call do not stay for the next.
func TestRepeats(t *testing.T) {
	tr := small(t)
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	segments := []string{"one two three", "x y z"}
	for _, beam := range []uint16{1, 3} {
		for _, in := range []unit.Text{unit.NewText(segments, nil), unit.NewText(segments, [][]string{{"zwei"}, {"drei"}})} {
			e, plain := tr.Model.NewEngine(dev), unit.Decoding{Beam: beam, LengthPPM: 1_000_000}
			seen := map[string]bool{}
			for _, d := range []unit.Decoding{plain, {NoRepeat: 1}, {NoRepeat: 2}, {RepetitionPPM: 1_500_000}, plain} {
				d.Beam, d.LengthPPM = plain.Beam, plain.LengthPPM
				got, err := tr.TranslateText(e, in, d)
				if err != nil {
					t.Fatal(err)
				}
				seen[got[0]+"\n"+got[1]] = true
				fresh, err := tr.TranslateText(tr.Model.NewEngine(dev), in, d)
				if err != nil || !slices.Equal(got, fresh) {
					t.Errorf("%+v: %q, a new engine gives %q, %v", d, got, fresh, err)
				}
			}
			if len(seen) != 4 {
				t.Errorf("beam %d, terms %v: %d different translations, want 4", beam, in.Terms, len(seen))
			}
		}
	}
}

// TestBanned: the search that bans repetitions says how many tokens a step may ban, as its
// cost depends on it.
func TestBanned(t *testing.T) {
	tok := small(t).Tokenizer
	d := unit.Decoding{Beam: 4, LengthPPM: 1_000_000, NoRepeat: 3}
	s, err := model.SearchOf(tok, 10, nil, d)
	if want := (model.Search{Width: 4, Most: 30, Banned: 28}); err != nil || s != want {
		t.Errorf("%+v, %v, want %+v", s, err, want)
	}
	d.NoRepeat, d.RepetitionPPM = 0, 2_000_000
	s, err = model.SearchOf(tok, 10, nil, d)
	if want := (model.Search{Width: 4, Most: nmt.TwicePlusTen(10)}); err != nil || s != want {
		t.Errorf("%+v, %v, want %+v", s, err, want)
	}
}

// TestRank: each segment has as many different translations as were asked for and found, the best
// first, which is what TranslateText gives. Each has the terms.
func TestRank(t *testing.T) {
	tr := small(t)
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	e := tr.Model.NewEngine(dev)
	in := unit.NewText([]string{"one two", "", "x y", "three"}, [][]string{{"zwei"}, {}, {}, {}})
	for _, d := range []unit.Decoding{{Beam: 1}, {Beam: 4}, {Beam: 8, NoRepeat: 2}} {
		d.LengthPPM = 1_000_000
		want, err := tr.TranslateText(e, in, d)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 3} {
			all, err := tr.Rank(e, in, nil, d, n)
			if err != nil {
				t.Fatal(err)
			}
			for i, ranking := range all {
				if len(ranking) == 0 || len(ranking) > n || ranking[0].Text != want[i] {
					t.Errorf("%+v: %v of %d, want %q first", d, ranking, n, want[i])
				}
				for j, r := range ranking {
					if i == 0 && !strings.Contains(r.Text, "zwei") {
						t.Errorf("%+v: %q is without its term", d, r.Text)
					}
					if j > 0 && (r.Score > ranking[j-1].Score || r.Text == ranking[j-1].Text) {
						t.Errorf("%+v: %v is no ranking", d, ranking)
					}
				}
			}
			if d.Beam > 1 && n > 1 && len(all[2]) < 2 {
				t.Errorf("%+v: only %v", d, all[2])
			}
			if all[1][0] != (model.Ranked{}) {
				t.Errorf("%+v: an empty segment becomes %v", d, all[1])
			}
		}
	}
	if _, err := tr.Rank(e, unit.Text{Version: 9}, nil, unit.Greedy, 1); err == nil {
		t.Error("a text of another version is translated")
	}
}

// TestBeginnings: each translation begins with the text that it was given, has its terms, and
// does not depend on the segments beside.
func TestBeginnings(t *testing.T) {
	tr := small(t)
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	e := tr.Model.NewEngine(dev)
	word := rapid.SampledFrom([]string{"", "eins", "zwei", "zw", "ß", "猫", " drei  zwei", "(x)", "„", "17"})
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3).Draw(t, "segments")
		segments := rapid.SliceOfN(rapid.SampledFrom([]string{"one two", "", "x y z"}), n, n).Draw(t, "segments")
		beginnings := rapid.SliceOfN(word, n, n).Draw(t, "beginnings")
		terms := rapid.SliceOfN(rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"eins", "C++"}), 0, 2, func(s string) string { return s }), n, n).Draw(t, "terms")
		d := unit.Decoding{Beam: uint16(rapid.IntRange(1, 4).Draw(t, "beam")), LengthPPM: 1_000_000, NoRepeat: uint16(rapid.IntRange(0, 2).Draw(t, "n-gram"))}
		all, err := tr.Rank(e, unit.NewText(segments, terms), beginnings, d, 2)
		if err != nil {
			t.Fatal(err)
		}
		for i, ranking := range all {
			want := text.Normalize(beginnings[i])
			for _, r := range ranking {
				if !strings.HasPrefix(r.Text, want) || segments[i] == "" && r.Text != want {
					t.Fatalf("%q becomes %q, which should begin with %q", segments[i], r.Text, want)
				}
				for _, term := range terms[i] {
					if segments[i] != "" && !strings.Contains(r.Text, term) {
						t.Fatalf("%q is without %q", r.Text, term)
					}
				}
			}
			alone, err := tr.Rank(e, unit.NewText(segments[i:i+1], terms[i:i+1]), beginnings[i:i+1], d, 2)
			if err != nil || !slices.Equal(alone[0], ranking) {
				t.Fatalf("%q alone becomes %v (%v), with others %v", segments[i], alone, err, ranking)
			}
		}
	})
	for _, beginnings := range [][]string{{}, {strings.Repeat("x", 2000)}} {
		if _, err := tr.Rank(e, unit.NewText([]string{"one"}, nil), beginnings, unit.Greedy, 1); err == nil {
			t.Errorf("%.20q begins a translation", beginnings)
		}
	}
}
