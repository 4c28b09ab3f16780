package document

import (
	"strings"
	"testing"
)

// attacks are translations that a poor model or a malicious miner may give for any text.
var attacks = []string{
	"<b>x</b> y", "x <!-- y", "x ]]> <![CDATA[ y", "x & y &amp; &lt;z &#0; &", `"x" 'y' \ "`, `x\`, "x\n\ny\r\nz", "1. x", "- x", "# x #", "> x", "--- x",
	"* * * x *", "_x_ __y__ a_b_", "=== x", "``` x", "~~~ x ~", "[x]: /y", "[^x]: y", "[x](y) ![z](w)", "x | y", "[ ] x", "x: y # z", "no", "&x *y !z",
	"x, y]} {[ z", "\tx\ty\t", "  x   y  ", "x\x00y\x1b[31m\u0085", "x\u2028y\ufeffw\uffff", "x\u202e\u2066y", "x\xff\xed\xa0\x80y", "(x)", "x!", "x~",
}

// TestAttacks: whatever a translator says, the text that is read from the outcome is what was
// written: nothing becomes syntax, and no syntax is lost.
func TestAttacks(t *testing.T) {
	for _, c := range [][2]string{
		{"x.md", "&#9;foo\n"}, {"x.md", "&#10;&#32;foo *bar*\n"}, {"x.md", "foo\\\nbar\n"}, {"x.md", "[foo]: /url\n\"title\" ok\n"}, {"x.md", "[\nfoo\n]: /url\nbar\n"},
		{"x.md", "one *two*\r\rthree\r- four\r"}, {"x.md", "1. one\n2. two `c`\n   three\n\n> q [l](m) *e*\n> r\n\n| a | b |\n|---|---|\n| c | d |\n"},
		{"x.json", `["<b>Hi</b> {name}","{n, plural, =0 {none} one {# file} other {# files of {who}}}","a\\b \"c\""]`},
		{"x.yaml", "en:\n  a: one two\n  b: 'it''s'\n  c: |\n    d e\n    f\n  g: [h, \"i j\"]\n"},
		{"x.html", "<p>One <b>two</b>. Three <i>four</i> five.<p title='a b'>x&nbsp;y"},
	} {
		d := checkIdentical(t, c[0], []byte(c[1]))
		for _, attack := range attacks {
			of := func(string) (string, bool) { return attack, true }
			var want, have []string
			for i := range d.Segments {
				target, _ := d.Segments[i].resolve(of)
				want = append(want, strings.Fields(textOf(target))...)
			}
			out, _, err := d.Rebuild(Translations{Source: "en", Target: "de", Of: of})
			if err != nil {
				t.Fatalf("%q: %q: %v", c[1], attack, err)
			}
			again, err := Parse(c[0], out)
			if err != nil {
				t.Errorf("%q: %q: %v", c[1], attack, err)
				continue
			}
			for i := range again.Segments {
				have = append(have, strings.Fields(again.Segments[i].Text())...)
			}
			if strings.Join(have, " ") != strings.Join(want, " ") {
				t.Errorf("%q by %q became %q:\nread %q\nwant %q", c[1], attack, out, have, want)
			}
		}
	}
}

// TestSentences: a tag that is lost spoils its sentence alone; parts keep their punctuation;
// a tag is found around words with other endings.
func TestSentences(t *testing.T) {
	dictionary := map[string]string{
		"He wears a red shirt today.": "Er ist heute in einem roten Hemd.", "a red shirt": "Ein rotes Hemd.",
		"Stop the old mill, now.": "Das ist weg.", "Stop": "Halt.", "the old mill": "die alte Mühle.", "now.": "jetzt.", "It rains.": "Es regnet.",
		"%s: no such file": "nichts", "no such file": "Keine Datei", "File:": "Datei.", "File: %s": "nichts", "File": "Datei.",
	}
	for _, c := range []struct{ in, want, why string }{
		{"It rains. He wears <b>a red shirt</b> today.", "Es regnet. Er ist heute in <b>einem roten Hemd</b>.", ""},
		{"Stop <b>the old mill</b>, now. It rains.", "Halt <b>die alte Mühle</b>, jetzt. Es regnet.", "in-parts"},
		{"%s: no such file", "%s: Keine Datei", ""},
		{"File: %s", "Datei: %s", ""},
	} {
		s := Segment{Pieces: pieces(c.in)}
		asked := strings.Join(s.texts(), "\n")
		target, why := s.resolve(func(text string) (string, bool) {
			if !strings.Contains(asked, text) {
				t.Errorf("%q: asks for %q", c.in, text)
			}
			x, ok := dictionary[text]
			return x, ok
		})
		got, reasons := "", ""
		for _, p := range target {
			if got += p.Raw; p.Raw == "" {
				got += p.Text
			}
		}
		for _, r := range why {
			reasons += string(r)
		}
		if got != c.want || reasons != c.why {
			t.Errorf("%q: got %q %q, want %q %q", c.in, got, reasons, c.want, c.why)
		}
	}
}

// TestPOCharset: a catalog of ASCII that declares Latin-1 is written, and declared, in UTF-8.
func TestPOCharset(t *testing.T) {
	in := "msgid \"\"\nmsgstr \"Content-Type: text/plain; charset=ISO-8859-1\\n\"\n\nmsgid \"Hello\"\nmsgstr \"\"\n"
	out, _ := rebuilt(t, "x.po", in, func(string) (string, bool) { return "слово", true })
	if !strings.Contains(out, "charset=UTF-8") || !strings.Contains(out, "слово") {
		t.Errorf("%q", out)
	}
	if _, err := Parse("x.po", []byte(out)); err != nil {
		t.Error(err)
	}
}
