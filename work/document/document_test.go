package document

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// checkIdentical parses a file, rebuilds it from its own segments, with and without a
// translator that gives each text back, and fails where a byte differs.
func checkIdentical(t *testing.T, name string, data []byte) *Document {
	t.Helper()
	d, err := Parse(name, data)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	identical(t, name, data, d)
	return d
}

// identical is checkIdentical for a document that was parsed.
func identical(t *testing.T, name string, data []byte, d *Document) {
	t.Helper()
	got, err := d.Check()
	if err != nil {
		t.Fatalf("%s: check: %v", name, err)
	}
	same(t, name+": rebuilt from its own segments", got, data)
	// A catalog keeps source and target apart: there, the source in the place of the target
	// is a change.
	for _, s := range d.Segments {
		if s.Target != nil {
			return
		}
	}
	got, _, err = d.Rebuild(Translations{Of: func(text string) (string, bool) { return text, true }})
	if err != nil {
		t.Fatalf("%s: rebuild: %v", name, err)
	}
	same(t, name+": translated into itself", got, data)
}

func same(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	at := 0
	for at < len(got) && at < len(want) && got[at] == want[at] {
		at++
	}
	cut := func(b []byte) []byte { return b[max(0, at-40):min(len(b), at+40)] }
	t.Fatalf("%s: byte %d differs:\n got %q\nwant %q", what, at, cut(got), cut(want))
}

// upper is a translator that writes text in capitals and keeps its codes.
func upper(text string) (string, bool) {
	var b strings.Builder
	for _, p := range placeholders(text) {
		if p.Kind == Plain {
			b.WriteString(strings.ToUpper(p.Text))
		} else {
			b.WriteString(p.Text)
		}
	}
	return b.String(), true
}

// rebuilt translates a file with upper.
func rebuilt(t *testing.T, name, data string, of func(string) (string, bool)) (string, []Doubt) {
	t.Helper()
	d := checkIdentical(t, name, []byte(data))
	out, flags, err := d.Rebuild(Translations{Source: "en", Target: "de", Of: of})
	if err != nil {
		t.Fatal(err)
	}
	return string(out), flags
}

// hostile is a translator that gives anything: it is a pure function of the text.
func hostile(seed uint64) func(string) (string, bool) {
	return func(text string) (string, bool) {
		h := seed
		for _, b := range []byte(text) {
			h = h*1099511628211 ^ uint64(b)
		}
		r := rand.New(rand.NewPCG(seed, h))
		junk := []string{"%s", "{n}", "</b>", "<b>", "\n", "\n\n", "\"", "\\", "'", "`", "**", "_", "[x](y)", "]", "# ", "- ", "-->", "&amp;", "&", "\x00", "\xff", "|",
			": ", " #", "---", "{", "}", "word", "Ünïcode", "漢字", "é", " ", text, "1. ", "> ", "<!--", "]]>", "00:00:01,000 --> 00:00:02,000", "msgid \"\"", "$x$", "~~", "\u2028", "😀"}
		switch r.IntN(8) {
		case 0:
			return "", false
		case 1:
			return "", true
		case 2:
			return text, true
		case 3:
			return upper(text)
		}
		var b strings.Builder
		for range r.IntN(4) {
			b.WriteString(junk[r.IntN(len(junk))])
		}
		b.WriteString("word") // a text without letters is no segment when it is read again
		for range r.IntN(4) {
			b.WriteString(junk[r.IntN(len(junk))])
		}
		return b.String(), true
	}
}

// checkHostile rebuilds a document with hostile translators. What comes out must be read
// again, with as many segments, and the codes of each must be those of the source.
func checkHostile(t *testing.T, name string, data []byte, seeds int) {
	t.Helper()
	d, err := Parse(name, data)
	if err != nil {
		return
	}
	for seed := range seeds {
		of := hostile(uint64(seed))
		out, _, err := d.Rebuild(Translations{Of: of})
		if err != nil {
			if strings.Contains(err.Error(), "the file does not say that its charset is") { // too short to show it
				continue
			}
			t.Fatalf("%s: seed %d: %v", name, seed, err)
		}
		again, err := Parse(name, out)
		if err != nil && (strings.Contains(err.Error(), "binary") || strings.Contains(err.Error(), "such as by iconv")) {
			continue // the translation has fewer letters than the source, or letters of no language
		}
		if err != nil {
			t.Fatalf("%s: seed %d: the outcome is not read: %v\n%s", name, seed, err, clip(out))
		}
		if got, want := tagsOf(again), tagsOf(d); got != want {
			t.Fatalf("%s: seed %d: the tags changed:\n got %s\nwant %s\n from %q\n to %q", name, seed, clip([]byte(got)), clip([]byte(want)), clip(data), clip(out))
		}
		for i := range d.Segments {
			s := &d.Segments[i]
			if target, _ := s.resolve(of); target != nil && codesOf(target) != codesOf(s.Pieces) {
				t.Fatalf("%s: seed %d: segment %d: the codes changed:\n got %s\nwant %s", name, seed, i, codesOf(target), codesOf(s.Pieces))
			}
		}
	}
}

func clip(b []byte) string { return string(b[:min(len(b), 1500)]) }

// codesOf lists the tags and codes of pieces.
func codesOf(pieces []Piece) string {
	var b strings.Builder
	for _, p := range pieces {
		if p.Kind != Plain {
			fmt.Fprintf(&b, "%d %d %q %q, ", p.Kind, p.Pair, p.Text, p.Raw)
		}
	}
	return b.String()
}

// tagsOf lists the tags of a document. What else looks like a code depends on the text
// around it ("5%d").
func tagsOf(d *Document) string {
	var b strings.Builder
	for _, s := range d.Segments {
		for _, p := range s.Pieces {
			if p.Kind == Open || p.Kind == Close {
				raw := p.Raw
				if strings.HasPrefix(raw, "]") && !strings.HasPrefix(raw, "](") {
					raw = "]" // Markdown: a link whose text was its label
				}
				fmt.Fprintf(&b, "%d %q, ", p.Kind, raw)
			}
		}
	}
	return b.String()
}
