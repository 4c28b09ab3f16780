package corpus

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/work/text"
)

func TestPhrasebook(t *testing.T) {
	start := time.Now()
	c := Phrasebook()
	t.Log("generated in", time.Since(start))
	valid, test := c.Valid, c.Tests[0].Pairs
	if len(c.Train) < 20000 || len(valid) != 500 || len(c.Tests) != 1 || c.Tests[0].Name != "test" || len(test) != 500 {
		t.Fatalf("%d to train, %d to validate, %d to test", len(c.Train), len(valid), len(test))
	}
	if n := len(patterns()); n < 150 {
		t.Errorf("%d patterns", n)
	}
	// One translation for each sentence, both ways, over all parts: this is
	// also what keeps the held-out sentences out of training.
	sources, targets := make(map[string]string), make(map[string]string)
	for _, p := range slices.Concat(c.Train, valid, test) {
		if sources[p.Source] != "" || targets[p.Target] != "" {
			t.Errorf("%q is there twice", p)
		}
		sources[p.Source], targets[p.Target] = p.Target, p.Source
	}
	if report := c.Clean(); report.Kept() != report.Pairs {
		t.Errorf("not clean: %s", report)
	}
}

// TestPhrasebookText checks the form of every sentence, and that held-out
// sentences have no word that training lacks.
func TestPhrasebookText(t *testing.T) {
	const english = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 é'-,.?!"
	const german = english + "ÄÖÜäöüß"
	c := Phrasebook()
	words := make(map[string]int)
	for _, p := range c.Train {
		for _, s := range []string{p.Source, p.Target} {
			for _, w := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" ,.?!", r) }) {
				words[w]++
			}
		}
	}
	for i, p := range slices.Concat(c.Train, c.Valid, c.Tests[0].Pairs) {
		if strings.Trim(p.Source, english) != "" || strings.Trim(p.Target, german) != "" {
			t.Errorf("unexpected characters in %q", p)
		}
		for _, s := range []string{p.Source, p.Target} {
			n := len(strings.Fields(s))
			if n < 1 || n > 20 || text.Normalize(s) != s || strings.ContainsAny(s, "{}|+/") ||
				!strings.ContainsAny(s[:2], "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÜ") {
				t.Errorf("bad sentence %q", s)
			}
			if i < len(c.Train) {
				continue
			}
			for _, w := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" ,.?!", r) }) {
				if words[w] == 0 {
					t.Errorf("%q in %q is not in training", w, s)
				}
			}
		}
		if i < len(c.Train) {
			continue
		}
		if len(strings.Fields(p.Source)) < 3 {
			t.Errorf("%q is too short to test anything", p)
		}
	}
}

// TestPhrasebookGolden pins the corpus and a tokenizer of it: the model that a
// network trains by default depends on both.
func TestPhrasebookGolden(t *testing.T) {
	c := Phrasebook()
	h := sha256.New()
	for _, pairs := range [][]Pair{c.Train, c.Valid, c.Tests[0].Pairs} {
		h.Write(Marshal(pairs))
	}
	if got, want := hex.EncodeToString(h.Sum(nil)), "387362805ce7f6c0fa3b1cbeaca52ab3a952c912b67e6d05fa44304c01f83b26"; got != want {
		t.Errorf("corpus digest %s, want %s", got, want)
	}
	start := time.Now()
	tok, err := c.Tokenizer(2000)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("tokenizer trained in", time.Since(start))
	sum := sha256.Sum256(tok.JSON())
	if got, want := hex.EncodeToString(sum[:]), "1e5bf7c69da2128d5ace0285f962284db10eef931c23804092055e4b3d87f956"; got != want {
		t.Errorf("tokenizer digest %s, want %s", got, want)
	}
}

// TestGerman checks the declension where it is easily got wrong.
func TestGerman(t *testing.T) {
	station := newWord("station = Bahnhof m, Bahnhöfe")
	bank := newWord("bank = Bank f, Banken")
	house := newWord("hospital = Krankenhaus n, Krankenhäuser")
	for _, c := range []struct {
		slot string
		noun word
		want string
	}{
		{"der old x", station, "der alte Bahnhof"}, {"den old x", station, "den alten Bahnhof"},
		{"dem old x", station, "dem alten Bahnhof"}, {"des old x", station, "des alten Bahnhofs"},
		{"ein old x", station, "ein alter Bahnhof"}, {"einen old x", station, "einen alten Bahnhof"},
		{
			"nom old x", station, "alter Bahnhof",
		}, {"zum x", station, "zum Bahnhof"}, {"ins x", station, "in den Bahnhof"},
		{"der old x", bank, "die alte Bank"}, {"den old x", bank, "die alte Bank"}, {
			"dem old x", bank, "der alten Bank",
		},
		{"ein old x", bank, "eine alte Bank"}, {"einem old x", bank, "einer alten Bank"}, {"zum x", bank, "zur Bank"},
		{"vom x", bank, "von der Bank"}, {"am x", bank, "an der Bank"}, {"im x", bank, "in der Bank"}, {"des x", bank, "der Bank"},
		{"der old x", house, "das alte Krankenhaus"}, {"einen old x", house, "ein altes Krankenhaus"},
		{
			"akk old x", house, "altes Krankenhaus",
		}, {"des x", house, "des Krankenhauses"}, {"ins x", house, "ins Krankenhaus"},
		{
			"dem+ old x", house, "den alten Krankenhäusern",
		}, {"dat+ x", bank, "Banken"}, {"den+ old x", station, "die alten Bahnhöfe"},
		{
			"keinen+ x", house, "keine Krankenhäuser",
		}, {"akk+ old x", station, "alte Bahnhöfe"}, {"Ihren x", bank, "Ihre Bank"},
		{"dieser x", house, "dieses Krankenhaus"}, {"welchen x", station, "welchen Bahnhof"}, {
			"zum+ x", house, "zu den Krankenhäusern",
		},
	} {
		if got := german(newSlot(c.slot), c.noun, word{target: "alt"}); got != c.want {
			t.Errorf("%s: %s, want %s", c.slot, got, c.want)
		}
	}
	if got := german(newSlot("ein dear x"), house, word{target: "teuer/teur"}); got != "ein teures Krankenhaus" {
		t.Errorf("got %s", got)
	}
}

func TestEnglish(t *testing.T) {
	for _, c := range []struct{ slot, noun, adjective, want string }{
		{"a x", "apple = Apfel m", "", "an apple"}, {"a x", "bank = Bank f", "", "a bank"},
		{"a old x", "bank = Bank f", "old", "an old bank"}, {"a x", "university = Universität f", "", "a university"},
		{"the+ x", "city, cities = Stadt f", "", "the cities"}, {"+ x", "bank = Bank f", "", "banks"},
		{"0 old x", "bank = Bank f", "old", "old bank"}, {"x", "by train = mit dem Zug", "", "by train"},
	} {
		if got := english(newSlot(c.slot), newWord(c.noun), word{source: c.adjective}); got != c.want {
			t.Errorf("%s: %s, want %s", c.slot, got, c.want)
		}
	}
}
