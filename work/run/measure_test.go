package run

import (
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/train"
)

// measured is a configuration into a language.
func measured(t *testing.T, target, measure string) train.Config {
	t.Helper()
	c, err := train.Preset("demo")
	if err != nil {
		t.Fatal(err)
	}
	c.Source, c.Target, c.Measure, c.Pieces = "en", target, measure, 300
	return c
}

// TestScoresFitTheLanguage: a perfect Chinese translation has BLEU 100.
func TestScoresFitTheLanguage(t *testing.T) {
	lines := []string{"我今天在市场买了三个苹果。", "他说明天会下雨。"}
	for measure, want := range map[string]uint32{train.ByChrF: 1_000_000, train.ByBLEU: 1_000_000} {
		s, err := scores(measured(t, "zh", measure), lines, lines)
		if err != nil || s.BLEU != want || s.ChrF != 1_000_000 {
			t.Errorf("measure %q: %+v, %v; want BLEU %d", measure, s, err, want)
		}
	}
}

// TestMeasure: each measure keeps another validation, and a loss that is no number is never
// better than one that is.
func TestMeasure(t *testing.T) {
	nan := 0.0
	nan /= nan
	type validation struct {
		scores Scores
		loss   float64
	}
	list := []validation{
		{Scores{BLEU: 5, ChrF: 10}, nan}, {Scores{BLEU: 9, ChrF: 11}, 3}, {Scores{BLEU: 8, ChrF: 30}, 3}, {Scores{BLEU: 9, ChrF: 20}, 2.5}, {Scores{BLEU: 1, ChrF: 30}, nan},
	}
	for measure, want := range map[string]struct {
		kept   int
		best   uint32
		waited uint32
	}{train.ByBLEU: {1, 9, 3}, train.ByChrF: {2, 30, 2}, train.ByLoss: {3, 2_500_000, 1}} {
		c := measured(t, "zh", measure)
		c.Patience, c.Average = 9, 1
		var v Validations
		links := make([]block.Link, len(list))
		for i, x := range list {
			links[i] = block.Link{Cid: block.Sum(block.Raw, []byte{byte(i)})}
			v = v.after(c, links[i], x.scores, x.loss)
		}
		if v.Kept[0] != links[want.kept] || v.Best != want.best || v.Waited != want.waited {
			t.Errorf("measure %q: best %d, waited %d, want %+v", measure, v.Best, v.Waited, want)
		}
	}
}

// TestMeasureOfARun: the usual measure follows the language. It stands in the record.
// None and an unknown one are refused.
func TestMeasureOfARun(t *testing.T) {
	names := map[string]bool{}
	for _, c := range []struct{ target, given, want string }{
		{"de", "", train.ByBLEU}, {"de", train.ByBLEU, train.ByBLEU}, {"de", train.ByChrF, train.ByChrF}, {"de", train.ByLoss, train.ByLoss},
		{"zh", "", train.ByChrF}, {"zh", train.ByBLEU, train.ByBLEU}, {"ja", "", train.ByChrF}, {"th", "", train.ByChrF},
	} {
		store := &block.MemoryStore{}
		text := []corpus.Pair{{Source: "one two three", Target: "eins zwei drei"}, {Source: "four", Target: "vier"}}
		p, err := New(t.Context(), store, &corpus.Corpus{Source: "en", Target: c.target, Train: text, Valid: text}, measured(t, c.target, c.given))
		if err != nil {
			t.Fatal(err)
		}
		r, err := Read(t.Context(), store, p.Link)
		if err != nil {
			t.Fatal(err)
		}
		if r.Config.Measure != c.want {
			t.Errorf("%s, given %q: measure %q, want %q", c.target, c.given, r.Config.Measure, c.want)
		}
		names[p.Link.String()] = true
	}
	if len(names) != 7 {
		t.Errorf("%d different runs, want 7", len(names))
	}
	for measure, want := range map[string]string{"best": `compared by "best", want one of chrf, bleu, loss`, "": "does not say by what validations are compared"} {
		store := &block.MemoryStore{}
		r := Record{Version: 1, Config: measured(t, "zh", measure), Vocab: 300}
		link, err := block.PutNode(t.Context(), store, r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Read(t.Context(), store, link); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("measure %q: %v", measure, err)
		}
	}
}
