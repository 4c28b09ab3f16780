package document

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
)

// randomSegment makes a segment with properly nested tags, codes and texts.
func randomSegment(r *rand.Rand) Segment {
	words := []string{"word", "Größe", "12", " ", ". ", "漢字", "the mill ", "%", "x", "1", "a b"}
	codes := []string{"%s", "{n}", "{{n}}", "1", "<br>", "", "\n", "{n, plural, one {", "} other {", "}}", "https://x.org", "`c`"}
	var s Segment
	var open []int
	for range r.IntN(12) + 1 {
		switch k := r.IntN(6); {
		case k == 0:
			open = append(open, len(s.Pieces))
			s.Pieces = append(s.Pieces, Piece{Kind: Open, Raw: "<t>", Pair: len(s.Pieces) + 1})
		case k == 1 && len(open) > 0:
			s.Pieces = append(s.Pieces, Piece{Kind: Close, Raw: "</t>", Pair: s.Pieces[open[len(open)-1]].Pair})
			open = open[:len(open)-1]
		case k == 2:
			c := codes[r.IntN(len(codes))]
			s.Pieces = append(s.Pieces, Piece{Kind: Code, Text: c, Raw: "«" + c + "»"})
		default:
			w := words[r.IntN(len(words))]
			s.Pieces = append(s.Pieces, Piece{Kind: Plain, Text: w, Raw: w})
		}
	}
	if r.IntN(4) > 0 { // sometimes a tag stays open, as a damaged file has it
		for len(open) > 0 {
			s.Pieces = append(s.Pieces, Piece{Kind: Close, Raw: "</t>", Pair: s.Pieces[open[len(open)-1]].Pair})
			open = open[:len(open)-1]
		}
	}
	if r.IntN(8) == 0 { // and pairs overlap
		r.Shuffle(len(s.Pieces), func(i, j int) { s.Pieces[i], s.Pieces[j] = s.Pieces[j], s.Pieces[i] })
	}
	return s
}

// TestResolveKeepsCodes: whatever a translator says, every code and tag of the source stands
// in the target once, in its sequence; a translator that changes nothing gives the source;
// and resolve asks for no text that texts does not name.
func TestResolveKeepsCodes(t *testing.T) {
	for seed := range uint64(8000) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := randomSegment(r)
		asked := map[string]bool{}
		for _, text := range s.texts() {
			asked[text] = true
			if strings.TrimSpace(text) != text || text == "" {
				t.Fatalf("seed %d: asks for %q", seed, text)
			}
		}
		for n, of := range []func(string) (string, bool){hostile(seed), upper, func(s string) (string, bool) { return s, true }} {
			target, why := s.resolve(func(text string) (string, bool) {
				if !asked[text] {
					t.Fatalf("seed %d: %+v: texts does not name %q", seed, s.Pieces, text)
				}
				return of(text)
			})
			if target == nil {
				if n == 2 && len(asked) > 0 {
					t.Fatalf("seed %d: %+v: no target of the source itself: %v", seed, s.Pieces, why)
				}
				continue
			}
			if got, want := codesOf(target), codesOf(s.Pieces); got != want {
				t.Fatalf("seed %d: %+v:\n got %s\nwant %s", seed, s.Pieces, got, want)
			}
			if n == 2 && cutUp(target) != cutUp(s.Pieces) {
				t.Fatalf("seed %d: the source became %+v, was %+v", seed, target, s.Pieces)
			}
			for _, p := range target {
				if p.Raw == "" && strings.ContainsFunc(p.Text, unicode.IsControl) {
					t.Fatalf("seed %d: %q has control characters", seed, p.Text)
				}
			}
		}
	}
}

func pieces(text string) []Piece { return cutString(text) }

func TestResolve(t *testing.T) {
	dictionary := map[string]string{
		"Press OK now": "Jetzt OK drücken", "OK": "OK", "The red house": "Das rote Haus", "red": "rote", "The": "Das", "house": "Haus",
		"Open the file": "Datei öffnen", "file": "Datei", "the": "die", "Hello %s!": "Hallo!", "Hello": "Hallo", "!": "!",
		"5 files": "6 Dateien", "Hi": "Hallo %s", "# file": "# Datei", "# files": "# Dateien", "You have": "Du hast", "left": "übrig",
		"One.": "Eins.", "Two": "Zwei", "See note 1": "Siehe Anmerkung 1",
	}
	for _, c := range []struct{ in, want, why string }{
		{"Press <b>OK</b> now", "Jetzt <b>OK</b> drücken", ""},
		{"<p>The <i>red</i> house</p>", "<p>Das <i>rote</i> Haus</p>", ""},
		{"Open the <b>file</b>", "<b>Datei</b> öffnen", ""},
		{"Hello %s!", "Hallo %s!", "in-parts"}, // the code was lost
		{"5 files", "6 Dateien", "numbers"},
		{"Hi", "Hi", "codes"}, // a code was invented
		{"{n, plural, one {# file} other {# files}}", "{n, plural, one {# Datei} other {# Dateien}}", ""},
		{"You have {n, plural, one {# file} other {# files}} left", "Du hast {n, plural, one {# Datei} other {# Dateien}} übrig", "in-parts"},
		{"One.<br>Two", "Eins.<br>Zwei", "in-parts"}, // <br> is a code with a text here
		{"One.\nTwo", "Eins.\nZwei", ""},
		{"Two\nOne.", "Zwei\nEins.", "in-parts"},
		{"  Two\n", "  Zwei\n", ""},
		{"Nothing", "Nothing", "untranslated"},
		{"%s {n} https://x.org", "%s {n} https://x.org", ""},
	} {
		s := Segment{Pieces: pieces(c.in)}
		target, why := s.resolve(func(text string) (string, bool) { x, ok := dictionary[text]; return x, ok })
		if target == nil {
			target = s.Pieces
		}
		got := ""
		for _, p := range target {
			if p.Kind == Plain {
				got += p.Text
			} else {
				got += p.Raw
			}
		}
		reasons := ""
		for _, r := range why {
			reasons += string(r)
		}
		if got != c.want || reasons != c.why {
			t.Errorf("%q: got %q %s, want %q %s", c.in, got, reasons, c.want, c.why)
		}
	}
}

// TestDigit: the digits of every script, and those of mathematics, which are five rows in one
// range (𝟎 to 𝟿).
func TestDigit(t *testing.T) {
	zeros := "0٠۰߀०০੦૦୦௦౦೦൦෦๐໐༠၀႐០᠐᥆᧐᪀᪐᭐᮰᱀᱐꘠꣐꤀꧐꧰꩐꯰０𐒠𝟎𝟘𝟢𝟬𝟶"
	for _, zero := range zeros {
		for i := range rune(10) {
			if got := digit(zero + i); got != int(i) {
				t.Errorf("%c is %d, want %d", zero+i, got, i)
			}
		}
	}
	// What digit relies on: a range of digits begins with a zero and has rows of ten.
	for _, g := range unicode.Nd.R16 {
		if g.Stride != 1 || (g.Hi-g.Lo+1)%10 != 0 {
			t.Errorf("%x-%x", g.Lo, g.Hi)
		}
	}
	for _, g := range unicode.Nd.R32 {
		if g.Stride != 1 || (g.Hi-g.Lo+1)%10 != 0 {
			t.Errorf("%x-%x", g.Lo, g.Hi)
		}
	}
	for _, r := range "a²½Ⅷ〇" {
		if digit(r) >= 0 {
			t.Errorf("%c is a digit", r)
		}
	}
	if sameDigits(pieces("x = 𝟏𝟎"), pieces("x = 01")) == false || sameDigits(pieces("10"), pieces("11")) {
		t.Error("sameDigits")
	}
}

func FuzzResolve(f *testing.F) {
	f.Add(uint64(1), "Hallo <b>Welt</b> %s")
	f.Fuzz(func(t *testing.T, seed uint64, translation string) {
		s := randomSegment(rand.New(rand.NewPCG(seed, 1)))
		target, _ := s.resolve(func(text string) (string, bool) {
			if len(text)%3 == 0 {
				return translation, true
			}
			return text + translation, true
		})
		if target != nil && codesOf(target) != codesOf(s.Pieces) {
			t.Fatalf("%+v became %+v", s.Pieces, target)
		}
	})
}
