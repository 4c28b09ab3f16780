package main

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func TestDifferences(t *testing.T) {
	for _, c := range []struct {
		got, want string
		spans     []span
	}{
		{"a b c", "a b c", []span{{"a b c", true}}},
		{"a x c", "a b c", []span{{"a", true}, {"x", false}, {"c", true}}},
		{"x y", "a b", []span{{"x y", false}}},
		{"a b c d", "b d", []span{{"a", false}, {"b", true}, {"c", false}, {"d", true}}},
		{"b", "a b c", []span{{"b", true}}},
		{"", "a", nil},
		{"a", "", []span{{"a", false}}},
	} {
		if got := differences(strings.Fields(c.got), strings.Fields(c.want), " "); !reflect.DeepEqual(got, c.spans) && len(got)+len(c.spans) > 0 {
			t.Errorf("%q for %q: %v, want %v", c.got, c.want, got, c.spans)
		}
	}
	if got, want := differences(strings.Split("我买了书", ""), strings.Split("我卖了书", ""), ""), []span{{"我", true}, {"买", false}, {"了书", true}}; !reflect.DeepEqual(got, want) {
		t.Errorf("characters: %v, want %v", got, want)
	}
	// So many words are not compared, in bounded memory.
	long := strings.Fields(strings.Repeat("a ", 3000))
	if got := differences(long, long[1:], " "); len(got) != 1 || !got[0].Same {
		t.Errorf("a long line has %d spans", len(got))
	}
}

// TestTokenizerModel: a SentencePiece model in a file cuts texts for BLEU. Its bytes are its name,
// unless the user says that it is one of the official models.
func TestTokenizerModel(t *testing.T) {
	for tokenize, want := range map[string]string{"spm": "^spm-[0-9a-f]{8}$", "flores200": "^flores200$"} {
		s := scoring{tokenize: tokenize, spm: "../../work/text/testdata/sentencepiece/plain.model"}
		tok, err := s.tokenizer("th")
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(want).MatchString(tok.Name) {
			t.Errorf("--tokenize %s: the signature says %s, want %s", tokenize, tok.Name, want)
		}
		if got := tok.Cut("Hello world"); len(got) < 2 || !strings.HasPrefix(got[0], "\u2581") {
			t.Errorf("--tokenize %s cuts %q", tokenize, got)
		}
	}
}
