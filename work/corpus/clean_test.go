package corpus

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLanguages: sentences of 21 languages are kept, and pairs that are no translations are
// not. The sentence is the first of the Universal Declaration of Human Rights. In bytes,
// several of them are more than three times as long as the English one.
func TestLanguages(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "article1.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	const english = "All human beings are born free and equal in dignity and rights."
	inBytes := 0
	for line := range strings.Lines(string(data)) {
		code, sentence, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if len(sentence) > 3*len(english)+20 {
			inBytes++
		}
		var pairs []Pair
		for i := range 50 {
			pairs = append(pairs, Pair{fmt.Sprintf("%d. %s", i, english), fmt.Sprintf("%d. %s", i, sentence)})
		}
		pairs = append(pairs, Pair{"No.", strings.Repeat(sentence, 4)}, Pair{strings.Repeat(english, 4), sentence[:3]})
		for name, swap := range map[string]bool{"from English": false, "into English": true} {
			c := &Corpus{Source: "en", Target: code, Train: slices.Clone(pairs)}
			if swap {
				for i, p := range c.Train {
					c.Train[i] = Pair{p.Target, p.Source}
				}
			}
			r := c.Clean()
			if r.Kept() != 50 || r.Dropped[Lopsided] != 2 {
				t.Errorf("%s %s: %v, weights %v", code, name, r, r.Weights)
			}
		}
	}
	if inBytes < 3 {
		t.Errorf("%d sentences are too long in bytes: the test shows nothing", inBytes)
	}
}

// TestWeights: weights are the median, so that pairs which are no translations hardly move
// them, and the other direction has the same.
func TestWeights(t *testing.T) {
	var pairs, back []Pair
	for i := range 300 {
		p := Pair{strings.Repeat("x", 20+i%7), strings.Repeat("y", 48+i%11)}
		if i%20 == 0 {
			p.Target = strings.Repeat("z", 400)
		}
		pairs, back = append(pairs, p), append(back, Pair{p.Target, p.Source})
	}
	w := Learn(slices.Values(pairs))
	if w.Source != 8 || w.Target < 17 || w.Target > 20 {
		t.Errorf("weights %v, want 8 and about 18", w)
	}
	if v := Learn(slices.Values(back)); v.Source != w.Target || v.Target != w.Source {
		t.Errorf("the other direction has %v, want %v turned round", v, w)
	}
	// A few pairs say little, and none nothing.
	for _, few := range [][]Pair{nil, pairs[:3]} {
		if w := Learn(slices.Values(few)); w != (Weights{8, 8}) {
			t.Errorf("%d pairs: weights %v", len(few), w)
		}
	}
}

// TestFaults: a few faulty lines are dropped, counted and shown; many are an error.
func TestFaults(t *testing.T) {
	good := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "source %d\ttarget %d\n", i, i)
		}
		return b.String()
	}
	long := strings.Repeat("x", MaxLine) + "\ty\n"
	path := filepath.Join(write(t, map[string]string{
		"x.tsv": good(400) + "a\xff\tb\n" + long + "no tab\n" + "a\x00\tb\n" + "\n" + good(2) + "a\t\n" + "\n\n",
	}), "x.tsv")
	c, r, err := Open(path, Selection{Source: "en", Target: "de"})
	if err != nil {
		t.Fatal(err)
	}
	want := [rules]int{NotUTF8: 1, LongLine: 1, Columns: 1, Control: 1, Empty: 2, Duplicate: 2}
	if r.Dropped != want || r.Blank != 2 || r.Validation != 21 || r.Kept() != 379 || c.Len() != 379 || len(c.Valid) != 21 {
		t.Errorf("report %+v, want %v", r, want)
	}
	lines := map[Rule]int{}
	for _, s := range r.Samples {
		lines[s.Rule] = max(lines[s.Rule], s.Line)
		if s.File != path {
			t.Errorf("sample %v: want file %s", s, path)
		}
	}
	if lines[NotUTF8] != 401 || lines[LongLine] != 402 || lines[Columns] != 403 || lines[Control] != 404 || lines[Empty] != 408 {
		t.Errorf("samples of lines %v", lines)
	}
	// The same lines in two files.
	source, target := strings.Split(good(200), "\n"), []string{}
	for i, l := range source {
		source[i], l, _ = strings.Cut(l, "\t")
		target = append(target, l)
	}
	source[7], target[9], source[11] = "\xff", "\x01", ""
	dir := write(t, map[string]string{"train.en": strings.Join(source, "\n"), "train.de": strings.Join(target, "\n") + "\n\n"})
	if _, r, err := Open(dir, Selection{Source: "en", Target: "de"}); err != nil || r.Dropped != [rules]int{NotUTF8: 1, Control: 1, Empty: 1} || r.Blank != 0 {
		t.Errorf("%v: %+v", err, r)
	}
	for name, c := range map[string]struct{ data, want string }{
		"2 of 100":    {good(98) + "x\ny\n", "line 99 is not two columns separated by a tab: put a sentence, a tab and its translation on it, or choose two columns of a table (--columns) (2 of 100 lines are faulty, such as lines 99, 100: more than 1 in 100"},
		"3 kinds":     {good(100) + "x\n\xff\n\xfe\n", "line 102 is not UTF-8: convert the file, such as with iconv -t UTF-8 (3 of 103 lines"},
		"binary":      {strings.Repeat("\x7fELF\x00\xff\xfe\n\xc3\x28", 20000), "line 1 is not UTF-8"},
		"noise":       {strings.Repeat("\xff\xfa\x01\nabc\n\x80\n", 20000), "line 1 is not UTF-8"},
		"endless":     {strings.Repeat("\x00", maxRun+MaxLine+10), "line 1 is longer than 16 MiB"},
		"equal lines": {strings.Repeat("a\tb\n", 20000), "no training pair left after 1 were held out for validation: give more pairs, or validation pairs (val.*) (19999 pairs: 0 kept, 19999 duplicate)"},
		"UTF-16":      {"\xff\xfea\x00\t\x00b\x00\n\x00", "it is in UTF-16"},
		"zip":         {"PK\x03\x04 and so on", "it is a zip archive"},
		"empty pairs": {strings.Repeat("a\t\n", uselessRun+1), "none of the first 1048576 lines has a pair"},
	} {
		path := filepath.Join(write(t, map[string]string{"x.tsv": c.data}), "x.tsv")
		if _, _, err := Open(path, Selection{Source: "en", Target: "de"}); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "x.tsv") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestPairs: the pairs of files are those that cleaning the same pairs in memory keeps, each
// time they are read; other files than before are an error.
func TestPairs(t *testing.T) {
	var a, b strings.Builder
	memory := &Corpus{Valid: []Pair{{"held", "gehalten"}}}
	for i := range 5000 {
		p := Pair{fmt.Sprintf("  word %d", i%4000), fmt.Sprintf("Wort\u00a0%d", i%4000)}
		if i%100 == 7 {
			p.Target = strings.Repeat("lang ", 20)
		}
		memory.Train = append(memory.Train, p)
		fmt.Fprintln(&a, p.Source)
		fmt.Fprintln(&b, p.Target)
	}
	dir := write(t, map[string]string{"train.en": a.String(), "train.de.gz": b.String(), "val.en": "held\n", "val.de": "gehalten\n"})
	c, r, err := Open(dir, Selection{Source: "en"})
	if err != nil {
		t.Fatal(err)
	}
	want := memory.Clean()
	if r.Pairs != want.Pairs || r.Dropped != want.Dropped || r.Weights != want.Weights || c.Len() != len(memory.Train) {
		t.Errorf("files: %+v, memory: %+v", r, want)
	}
	for range 2 {
		i := 0
		for p, err := range c.Pairs() {
			if err != nil || p != memory.Train[i] {
				t.Fatalf("pair %d: %q, %v, want %q", i, p, err, memory.Train[i])
			}
			i++
		}
		if i != c.Len() {
			t.Errorf("%d pairs, want %d", i, c.Len())
		}
	}
	x, err := c.Tokenizer(300)
	if err != nil {
		t.Fatal(err)
	}
	if y, err := memory.Tokenizer(300); err != nil || string(x.JSON()) != string(y.JSON()) {
		t.Errorf("the tokenizers differ (%v)", err)
	}
	changed := strings.Replace(a.String(), "word 20\n", "Word 20\n", 1)
	if err := os.WriteFile(filepath.Join(dir, "train.en"), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Load(); err == nil || !strings.Contains(err.Error(), "has changed while it was read") {
		t.Errorf("changed: %v", err)
	}
	if _, err := c.Tokenizer(300); err == nil || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("changed: %v", err)
	}
}

// TestLearned: of much text a tokenizer reads a part, whatever the sequence of the pairs.
func TestLearned(t *testing.T) {
	c := &Corpus{}
	size := 0
	for i := range 1000 {
		c.Train = append(c.Train, Pair{fmt.Sprint("source ", i), fmt.Sprint("target ", i)})
		size += len(c.Train[i].Source) + len(c.Train[i].Target)
	}
	read := func(most int) (lines []string) {
		var failure error
		for s := range c.learned(uint64(most), &failure) {
			lines = append(lines, s)
		}
		return lines
	}
	if got := read(size); len(got) != 2000 || got[0] != "source 0" || got[1] != "target 0" {
		t.Errorf("%d lines of all", len(got))
	}
	part := read(size / 4)
	if len(part) < 400 || len(part) > 600 {
		t.Errorf("%d of 2000 lines for a quarter of the text", len(part))
	}
	slices.Reverse(c.Train)
	again := read(size / 4)
	slices.Sort(part)
	if slices.Sort(again); !slices.Equal(part, again) {
		t.Error("another sequence gives other lines")
	}
	broken := errors.New("broken")
	c = Streamed("en", "de", 1, func() iter.Seq2[Pair, error] {
		return func(yield func(Pair, error) bool) { yield(Pair{}, broken) }
	})
	if _, err := c.Tokenizer(300); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}
