package model_test

import (
	"slices"
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/unit"
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
