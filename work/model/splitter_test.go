package model_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/text"
)

// several is a model with the codes deu, fra, cmn_Hans and cmn_Hant.
func several(t *testing.T) *model.Head {
	t.Helper()
	tok, err := model.ParseMarian(func(name string) ([]byte, error) {
		data, err := os.ReadFile(filepath.Join("../format/testdata/marian", name))
		if name == text.VocabFile {
			for piece, code := range map[string]string{"clock": "fra", "kommen": "cmn_Hans", "chter": "cmn_Hant"} {
				old := `"` + piece + `"`
				if !strings.Contains(string(data), old) {
					t.Fatalf("the vocabulary has no %s", old)
				}
				data = []byte(strings.Replace(string(data), old, `">>`+code+`<<"`, 1))
			}
		}
		return data, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return &model.Head{Model: model.Model{Source: "en", Target: "mul"}, Tokenizer: tok}
}

func TestSplitter(t *testing.T) {
	h := several(t)
	long := strings.Repeat("the long train, ", 60) + "ends."
	for _, c := range []struct {
		to, in string
		want   []string // nil: the first and the last of long's parts
		err    string
	}{
		{to: "fra", in: "One. Two!", want: []string{">>fra<< One.", ">>fra<< Two!"}},
		{to: "fr-CA", in: "One.", want: []string{">>fra<< One."}},
		{to: "de", in: "Mr. Hale came.", want: []string{">>deu<< Mr. Hale came."}},
		{to: "zh_hant", in: "One.", want: []string{">>cmn_Hant<< One."}},
		{to: "fra", in: ">>deu<<One. Two!", want: []string{">>deu<< One.", ">>deu<< Two!"}},
		{to: "fra", in: "He said >>deu<< to me. >>every day<< he did.", want: []string{">>fra<< He said >>deu<< to me. >>every day<< he did."}},
		{to: "fra", in: ">>every day<< he did.", want: []string{">>fra<< >>every day<< he did."}},
		{to: "mul", in: ">>fra<< One.\n Two.", want: []string{">>fra<< One.", ">>fra<< Two."}},
		{to: "", in: " \n", want: []string{}},
		{to: "fra", in: long},
		{to: "zh", in: "One.", err: "does not translate into zh: it has cmn_Hans, cmn_Hant, deu, fra"},
		{to: "it", in: "One.", err: "does not translate into it: it has cmn_Hans, cmn_Hant, deu, fra"},
		{to: "fra", in: ">>ita<< One.", err: "code >>ita<<, which the model does not have: it has cmn_Hans, cmn_Hant, deu, fra"},
		{to: "", in: "One.", err: "several languages to translate into: name one (--to)"},
	} {
		s, err := h.Splitter(c.to)
		var l text.Layout
		if err == nil {
			l, err = s.Split(c.in)
		}
		if c.err != "" || err != nil {
			if err == nil || c.err == "" || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q into %q: %v, want %q", c.in, c.to, err, c.err)
			}
			continue
		}
		if c.want != nil && !slices.Equal(l.Sentences, c.want) {
			t.Errorf("%q into %q: %q, want %q", c.in, c.to, l.Sentences, c.want)
		}
		// Each part has the code, and fits; without the codes they are the text.
		var parts []string
		for _, s := range l.Sentences {
			code, rest := text.Code(s)
			if code == "" || !h.Fits(s) {
				t.Errorf("%q into %q: the part %q has no code, or is too long", c.in, c.to, s)
			}
			parts = append(parts, strings.TrimPrefix(rest, " "))
		}
		_, rest := text.Code(c.in)
		if strings.HasPrefix(c.in, ">>every") {
			rest = c.in
		}
		if got, err := l.Join(parts); err != nil || got != strings.TrimLeft(rest, " ") && c.in != " \n" {
			t.Errorf("%q into %q joins to %q, %v", c.in, c.to, got, err)
		}
	}
	// What has no letters needs no code, and has no sentence with one.
	if s, err := h.Splitter("mul"); err != nil {
		t.Error(err)
	} else {
		for in, want := range map[string]string{"12:30 – 5 %": "12:30 – 5 %", ">>fra<< 7": "7", ">>deu<<": ""} { // order-free: each by itself
			l, err := s.Split(in)
			if err != nil || len(l.Sentences) != 0 {
				t.Errorf("%q has the sentences %q, %v", in, l.Sentences, err)
			} else if got, err := l.Join(nil); err != nil || got != want {
				t.Errorf("%q is copied as %q, %v", in, got, err)
			}
		}
	}
	// A model without codes takes all text as it is.
	s, err := small(t).Splitter("de")
	if err != nil {
		t.Fatal(err)
	}
	if l, err := s.Split(">>fra<< One."); err != nil || !slices.Equal(l.Sentences, []string{">>fra<< One."}) {
		t.Errorf("a model without codes: %q, %v", l.Sentences, err)
	}
}

// TestSplitterSource: a source that a model is trained on has the code that it has when it is
// translated, and no text is refused for its look.
func TestSplitterSource(t *testing.T) {
	h := several(t)
	for _, c := range []struct{ to, in, want, err string }{
		{to: "fr", in: "One.", want: ">>fra<< One."},
		{to: "de", in: ">>fra<< One.", want: ">>fra<< One."},
		{to: "de", in: ">>ita<< One.", want: ">>deu<< >>ita<< One."},
		{to: "de", in: ">>x", want: ">>deu<< >>x"},
		{to: "mul", in: ">>cmn_Hant<< One.", want: ">>cmn_Hant<< One."},
		{to: "mul", in: "One.", err: `the source "One." begins with the code of none: name one (--tgt)`},
	} {
		s, err := h.Splitter(c.to)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Source(c.in)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q into %q: %q, %v; want %q, %q", c.in, c.to, got, err, c.want, c.err)
		}
	}
}
