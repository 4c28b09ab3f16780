package corpus

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	long := strings.Repeat("x", MaxSentence+1)
	c := &Corpus{
		Train: []Pair{
			{"  One\u00a0 dog ", "Ein\tHund"}, {"One dog", "Ein Hund"}, {"One dog", "ein Hund"},
			{"", "leer"}, {"empty", " "}, {long, long}, {"two", strings.Repeat("y", 30)}, {"\u1000" + long[1:], "x"},
			{"held", "gehalten"}, {"tested", "geprüft"}, {"Mu\u0308de", "müde"},
		},
		Valid: []Pair{{"held ", "gehalten"}, {"held", "gehalten"}},
		Tests: []Split{{"test", []Pair{{"tested", "gepru\u0308ft"}, {"", ""}}}},
	}
	report := c.Clean()
	want := [rules]int{Empty: 2, Long: 2, Lopsided: 1, HeldOut: 2, Duplicate: 1}
	if report.Pairs != 11 || report.Dropped != want || report.Kept() != 3 {
		t.Errorf("report %+v, want %v", report, want)
	}
	if got, want := report.String(), "11 pairs: 3 kept, 2 empty, 2 too long, 1 lopsided, 2 held out, 1 duplicate"; got != want {
		t.Errorf("report %q, want %q", got, want)
	}
	if want := []Pair{
		{"One dog", "Ein Hund"}, {"One dog", "ein Hund"}, {"Müde", "müde"},
	}; !slices.Equal(c.Train, want) {
		t.Errorf("kept %q, want %q", c.Train, want)
	}
	if len(c.Valid) != 2 || len(c.Tests[0].Pairs) != 2 || c.Valid[0].Source != "held" ||
		c.Tests[0].Pairs[0].Target != "geprüft" {
		t.Errorf("held out: %q, %q", c.Valid, c.Tests)
	}
	if s := report.Samples[len(report.Samples)-1]; s.Rule != HeldOut || s.Source != "tested" {
		t.Errorf("samples %v", report.Samples)
	}
	if again := c.Clean(); again.Kept() != 3 {
		t.Errorf("cleaning again: %v", again)
	}
}

// TestRealText opens, cleans, tokenises and batches two corpora of real text.
func TestRealText(t *testing.T) {
	dir := os.Getenv("ALIA_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no real text: %v (ALIA_DATA names its folder)", err)
	}
	for _, c := range []struct {
		name, report   string
		valid, batches int
		tests          []string
	}{
		{"multi30k", "29000 pairs: 28995 kept, 2 lopsided, 3 duplicate",
			1014, 471, []string{"test_2016_flickr", "test_2017_flickr", "test_2017_mscoco"}},
		{"freedocs", "57454 pairs: 57427 kept, 27 lopsided",
			1000, 1602, []string{"test"}},
	} {
		corpus, found, err := Open(filepath.Join(dir, c.name), Selection{Source: "en"})
		if err == nil {
			err = corpus.Load()
		}
		if err != nil {
			t.Fatal(err)
		}
		var tests []string
		for _, s := range corpus.Tests {
			tests = append(tests, s.Name)
		}
		report := found.String()
		if corpus.Target != "de" || len(corpus.Valid) != c.valid || !slices.Equal(tests, c.tests) ||
			report != c.report {
			t.Errorf("%s: into %s, %d validation pairs, tests %v, %s", c.name, corpus.Target, len(corpus.Valid),
				tests, report)
		}
		tok, err := corpus.Tokenizer(6000)
		if err != nil {
			t.Fatal(err)
		}
		lengths := make([]Length, len(corpus.Train))
		for i, p := range corpus.Train {
			s, g := tok.Encode(p.Source), tok.Encode(p.Target)
			lengths[i] = Length{len(s) + 1, len(g) + 1}
			if tok.Decode(s) != p.Source || tok.Decode(g) != p.Target {
				t.Fatalf("%q does not round-trip", p)
			}
		}
		if n := len(Batches(lengths, 1024, 1, 0)); n != c.batches || TooLong(lengths, 1024) != 0 {
			t.Errorf("%s: %d batches, want %d", c.name, n, c.batches)
		}
	}
}
