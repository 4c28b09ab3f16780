package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/language/profile"
)

func TestCatalog(t *testing.T) {
	got := catalog(`# a comment
save = Speichern
    .title = Die Datei { $name } speichern
    .accesskey = S
long =
    Eine Nachricht
    in zwei Zeilen

prefs.key=x
Error404=Nicht gefunden
`, "f")
	want := []string{"f save save\x00Speichern", "f save title\x00Die Datei   speichern", "f long long\x00", "f long long\x00Eine Nachricht", "f long long\x00in zwei Zeilen", "f Error404 Error404\x00Nicht gefunden"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
}

func TestWithoutEnglish(t *testing.T) {
	all := texts{"firefox=en-GB": {"a\x00Open"}, "firefox=en-CA": {"b\x00Close"}, "firefox=de": {"a\x00Open", "b\x00Schließen", "c\x00Schließen", "d\x00Close"}, "udhr=x": {"a"}}
	all.withoutEnglish()
	if got := all["firefox=de"]; !slices.Equal(got, []string{"Schließen", "Close"}) {
		t.Errorf("%q", got)
	}
	if got := all["firefox=en-GB"]; !slices.Equal(got, []string{"Open"}) {
		t.Errorf("%q", got)
	}
}

func TestRomanised(t *testing.T) {
	if got := romanised([]string{"Његова љубав, џеп и ђак"}); got[0] != "Njegova ljubav, džep i đak" {
		t.Error(got)
	}
}

// TestCost holds costs to powers of two, exactly.
func TestCost(t *testing.T) {
	for bits := range 15 {
		if got := cost(1 / float64(uint(1)<<bits)); got != bits*profile.Unit {
			t.Errorf("2^-%d costs %d", bits, got)
		}
	}
	if cost(0) != profile.MaxCost || cost(1) != 0 {
		t.Error(cost(0), cost(1))
	}
}

// TestPrune learns two small languages, and tells a word of each apart; without a budget, it cannot.
func TestPrune(t *testing.T) {
	g := &group{script: profile.Latin, languages: []profile.Language{{Code: "xa"}, {Code: "xb"}}, words: []map[string]int{{}, {}}}
	// The same letters, in another sequence.
	countWords(g.words[0], []string{strings.Repeat("abab ba baba ", 100)}, profile.Latin)
	countWords(g.words[1], []string{strings.Repeat("aabb bbaa aa bb ", 75)}, profile.Latin)
	for i, words := range g.words {
		counted := map[string]int{}
		add(counted, words)
		g.words[i] = counted
	}
	g.alphabet()
	if string(g.letters) != "ab" {
		t.Fatalf("letters %q", string(g.letters))
	}
	cheaper := func(p *profile.Group, word string) string {
		p.Index()
		sums := make([]int, 2)
		p.Add([]rune(word), sums)
		switch {
		case sums[0]+4 < sums[1]:
			return "xa"
		case sums[1]+4 < sums[0]:
			return "xb"
		}
		return ""
	}
	full, none := g.prune(1000), g.prune(0)
	for word, want := range map[string]string{"ababab": "xa", "bbaabb": "xb"} {
		if got := cheaper(full, word); got != want {
			t.Errorf("%s is %q, not %q", word, got, want)
		}
		if got := cheaper(none, word); got != "" {
			t.Errorf("without runs %s is %q", word, got)
		}
	}
	if len(none.Runs) != 0 || len(full.Runs) == 0 {
		t.Errorf("%d and %d runs", len(none.Runs), len(full.Runs))
	}
	if again := g.prune(1000); !slices.EqualFunc(full.Runs, again.Runs, func(a, b profile.Run) bool { return a.Key == b.Key && slices.Equal(a.Costs, b.Costs) }) {
		t.Error("two runs of the program give two profiles")
	}
}

// TestTable: each language of the table has a source, and each source is in the list of files.
func TestTable(t *testing.T) {
	for line := range strings.Lines(strings.TrimSpace(languages)) {
		for _, source := range strings.Fields(line)[3:] {
			if names, ok := strings.CutPrefix(source, "firefox="); ok {
				for name := range strings.SplitSeq(names, ",") {
					if !strings.Contains(sums, "  langpack-"+name+"@firefox-esr.mozilla.org.xpi\n") {
						t.Errorf("%s: no language pack %s", line, name)
					}
				}
			}
		}
	}
	for line := range strings.Lines(sums) {
		if sum, name, ok := strings.Cut(line, "  "); !ok || len(sum) != 64 || strings.ContainsAny(name, "/ ") {
			t.Errorf("%q is no sum and name", line)
		}
	}
}
