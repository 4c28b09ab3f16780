package text

import (
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// TestSentences divides the texts of testdata/sentences.txt.
func TestSentences(t *testing.T) {
	data, err := os.ReadFile("testdata/sentences.txt")
	if err != nil {
		t.Fatal(err)
	}
	languages := map[string]bool{}
	for i, line := range strings.Split(string(data), "\n") {
		language, in, ok := strings.Cut(line, "\t")
		if !ok {
			continue
		}
		languages[language] = true
		var want []string
		for _, s := range strings.Split(in, "◇") {
			want = append(want, strings.TrimSpace(s))
		}
		in = strings.ReplaceAll(strings.ReplaceAll(in, "◇ ", ""), "◇", "")
		l := Split(language, in)
		if !slices.Equal(l.Sentences, want) {
			t.Errorf("line %d, %s:\n got %q\nwant %q", i+1, language, l.Sentences, want)
		}
		if got, err := l.Join(l.Sentences); err != nil || got != in {
			t.Errorf("line %d joins to %q, %v, want %q", i+1, got, err, in)
		}
	}
	if len(languages) < 40 {
		t.Errorf("there are texts of %d languages only", len(languages))
	}
}

// TestCharacters: the classes of characters that this package takes from Go's Unicode tables
// are those of the version for which the rules were written. If it fails with a new release
// of Go, pin the old classes in a table, or count up Rules.
func TestCharacters(t *testing.T) {
	h := sha256.New()
	for r := range rune(0x20000) {
		fmt.Fprint(h, small(r), capital(r), fold(string(r)))
	}
	const want = "37a4c5fe4b8bbff0"
	if got := fmt.Sprintf("%x", h.Sum(nil)[:8]); got != want {
		t.Errorf("the classes have the hash %s, want %s", got, want)
	}
	for r := range unicode.MaxRune + 1 {
		if got, want := blank(r), unicode.IsSpace(r); got != want {
			t.Errorf("%U: blank %v, white space %v", r, got, want)
		}
	}
}

// TestLanguages: the file of words has no word of a kind twice for a language, none that fold
// would change, and at least twenty languages with abbreviations.
func TestLanguages(t *testing.T) {
	n := 0
	for language, r := range byLanguage() { // order-free: each by itself
		if len(r.words[title]) > len(byLanguage()[""].words[title]) {
			n++
		}
		for k := range r.words {
			for w := range r.words[k] { // order-free
				if fold(w) != w || strings.HasSuffix(w, ".") {
					t.Errorf("%s: %q is not in lower case, or ends with its full stop", language, w)
				}
			}
		}
	}
	if n < 20 {
		t.Errorf("%d languages have abbreviations, want 20", n)
	}
	for in, want := range map[string]string{"deu": "de", "pt-BR": "pt", "ZH_Hant": "zh", "yue": "yue", "": "", "cmn": "zh", "e": "e"} {
		if got := Short(in); got != want {
			t.Errorf("Short(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestCut: a sentence that is too long is cut behind a mark between clauses, else at a space,
// else between characters, and never inside one.
func TestCut(t *testing.T) {
	for _, c := range []struct {
		in   string
		most int
		want []string
	}{
		{"one two three; four five, six seven eight", 30, []string{"one two three; four five,", "six seven eight"}},
		{"one two three four; five, six seven eight", 30, []string{"one two three four;", "five, six seven eight"}},
		{"a, two three four five six seven eight nine", 30, []string{"a, two three four five six", "seven eight nine"}},
		{"1,000,000,000,000,000,000,000 and more", 24, []string{"1,000,000,000,000,000,00", "0,000 and more"}},
		{"我们坐火车，去北京看朋友；然后在河边吃饭", 48, []string{"我们坐火车，去北京看朋友；", "然后在河边吃饭"}},
		{"我们坐火车去北京看朋友然后在河边吃饭", 32, []string{"我们坐火车去北京看朋", "友然后在河边吃饭"}},
		{"ཆར་པ་འབབ་བཞིན་འདུག", 32, []string{"ཆར་པ་འབབ་", "བཞིན་འདུག"}},
		{"क्षत्रियक्षत्रिय", 25, []string{"क्षत्रिय", "क्षत्रिय"}},
		{"xe\u0301e\u0301e\u0301", 6, []string{"xe\u0301", "e\u0301e\u0301"}},
		{"👩‍👩‍👧👩‍👩‍👧", 20, []string{"👩‍👩‍👧", "👩‍👩‍👧"}},
		{"🇩🇪🇫🇷🇮🇹", 14, []string{"🇩🇪", "🇫🇷", "🇮🇹"}},
		{"한국어한국어", 8, []string{"한국", "어한", "국어"}},
		{"\xff\xff\xff\xff\xff\xff", 4, []string{"\xff\xff\xff\xff", "\xff\xff"}},
	} {
		l := divide(c.in, func(s string) (int, bool) { return rulesOf("en").sentence(s, c.most) })
		if !slices.Equal(l.Sentences, c.want) || l.Cuts != len(c.want)-1 {
			t.Errorf("%q in at most %d bytes:\n got %q, %d cuts\nwant %q", c.in, c.most, l.Sentences, l.Cuts, c.want)
		}
	}
	// Each half of a sentence is cut where its clauses part.
	l := Split("zh", "我们坐火车，去北京看朋友，然后在河边吃饭，回来").Fit(func(s string) bool { return utf8.RuneCountInString(s) <= 9 })
	if want := []string{"我们坐火车，", "去北京看朋友，", "然后在河边", "吃饭，回来"}; !slices.Equal(l.Sentences, want) {
		t.Errorf("got %q, want %q", l.Sentences, want)
	}
}
