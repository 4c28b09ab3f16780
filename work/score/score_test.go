package score

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"Hello, world!", "Hello , world !"},
		{"It's 1,234.5 euros.", "It's 1,234.5 euros ."},
		{"from 9-5, e.g. 3-", "from 9 - 5 , e . g . 3 -"},
		{"well-known", "well-known"},
		{"(a/b) [c] {d}", "( a / b ) [ c ] { d }"},
		{"&quot;R&amp;D&quot; &lt;x&gt;", `" R & D " < x >`},
		{"Wait... what?", "Wait . . . what ?"},
		{"„Ja“ – sagte er", "„Ja“ – sagte er"},
		{"<skipped>one\ntwo\u00a0three", "one two three"},
	} {
		if got := strings.Join(mteval13a(c.in), " "); got != c.want {
			t.Errorf("mteval13a(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestSmall(t *testing.T) {
	cased := BLEU{WordSplitter: TokenizerFor("en")}
	b, err := cased.Parts([]string{"the cat is on the mat"}, References([]string{"the cat sat on the mat"}))
	if err != nil {
		t.Fatal(err)
	}
	// 5/6, 3/5, 1/4, and no 4-gram of 3: 1/2 of one.
	want := "37.99 [83.33 60.00 25.00 16.67] 1.00 6 6"
	if got := fmt.Sprintf("%.2f %.2f %.2f %d %d", b.Score, b.Precisions, b.Brevity, b.Hypothesis,
		b.Reference); got != want {
		t.Errorf("BLEU %s, want %s", got, want)
	}
	for _, c := range []struct{ hyp, ref, bleu, chrf string }{
		{"same words here now", "same words here now", "100.00", "100.00"},
		{"nothing", "shared at all", "0.00", "3.27"},
		{"xyz", "abc", "0.00", "0.00"},
		{"", "abc", "0.00", "0.00"},
		{"", "", "0.00", "0.00"},
		{"short", "short", "0.00", "100.00"},
	} {
		b, err := cased.Parts([]string{c.hyp}, References([]string{c.ref}))
		if err != nil {
			t.Fatal(err)
		}
		f, err := NewChrF().Metric().Score([]string{c.hyp}, References([]string{c.ref}))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%.2f %.2f", b.Score, f); got != c.bleu+" "+c.chrf {
			t.Errorf("%q for %q: %s, want %s %s", c.hyp, c.ref, got, c.bleu, c.chrf)
		}
	}
}

func TestErrors(t *testing.T) {
	if _, err := (BLEU{WordSplitter: TokenizerFor("en")}).Parts([]string{"a"}, nil); err == nil ||
		err.Error() != "score BLEU: there are 1 translations for 0 references" {
		t.Errorf("got error %v", err)
	}
	if _, err := NewChrF().Metric().Score(nil, nil); err == nil || err.Error() != "score chrF2: there are no translations" {
		t.Errorf("got error %v", err)
	}
}

// TestRealText compares with an independent implementation of sacreBLEU's
// definitions, whose figures stand in the table.
func TestRealText(t *testing.T) {
	dir := os.Getenv("ALIA_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no real text: %v (ALIA_DATA names its folder)", err)
	}
	for _, c := range []struct{ hyp, ref, want string }{
		{"", "multi30k/test_2016_flickr.de.gz", "58.76 58.76 78.76 10367 12106"},
		{"", "freedocs/test.de.gz", "63.19 63.21 81.36 18120 21172"},
		{"freedocs/test.en.gz", "freedocs/test.de.gz", "5.48 5.68 21.79 21395 21172"},
		{"multi30k/test_2017_flickr.en.gz", "multi30k/test_2017_flickr.de.gz", "0.15 0.25 15.13 11374 10755"},
	} {
		ref := lines(t, filepath.Join(dir, c.ref))
		hyp := hurt(ref)
		if c.hyp != "" {
			hyp = lines(t, filepath.Join(dir, c.hyp))
		}
		tok := TokenizerFor("de")
		b, err := BLEU{WordSplitter: tok}.Parts(hyp, References(ref))
		if err != nil {
			t.Fatal(err)
		}
		lc, err := BLEU{WordSplitter: tok, Lowercase: true}.Parts(hyp, References(ref))
		if err != nil {
			t.Fatal(err)
		}
		f, err := NewChrF().Metric().Score(hyp, References(ref))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%.2f %.2f %.2f %d %d", b.Score, lc.Score, f, b.Hypothesis, b.Reference); got != c.want {
			t.Errorf("%s for %s: %s, want %s", c.hyp, c.ref, got, c.want)
		}
	}
}

// hurt drops every seventh word and swaps two words of every third line.
func hurt(lines []string) []string {
	out := slices.Clone(lines)
	for i, line := range lines {
		var words []string
		for j, w := range strings.Split(line, " ") {
			if (i+j)%7 != 0 {
				words = append(words, w)
			}
		}
		if i%3 == 0 && len(words) > 3 {
			words[1], words[2] = words[2], words[1]
		}
		out[i] = strings.Join(words, " ")
	}
	return out
}

// lines reads the lines of a gzip file.
func lines(t *testing.T, name string) []string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for s := bufio.NewScanner(z); s.Scan(); {
		out = append(out, s.Text())
	}
	return out
}
