package main

import (
	"strings"
	"testing"

	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/model"
)

// latin is a tokenizer that knows the letters of ASCII, and one unknown token for other characters.
type latin struct{ model.Tokenizer }

func (latin) Source(s string) []int32 { return latin{}.Target(s) }

func (latin) Target(s string) (tokens []int32) {
	for _, r := range s {
		tokens = append(tokens, min(r, 128))
	}
	return tokens
}

func (latin) Decode(tokens []int32) string {
	var b strings.Builder
	for _, t := range tokens {
		if t < 128 {
			b.WriteByte(byte(t))
		}
	}
	return b.String()
}

// TestSpellings: a script that a tokenizer cannot write is named, and a few foreign characters are
// not.
func TestSpellings(t *testing.T) {
	c := &corpus.Corpus{Source: "de", Target: "zh", Train: []corpus.Pair{{Source: "ein schönes Haus", Target: "漂亮的房子"}}}
	sides, err := spellings(latin{}, c)
	if err != nil {
		t.Fatal(err)
	}
	if got := sides[0].warning("de"); got != "" {
		t.Errorf("German: %s", got)
	}
	if got := sides[1].warning("zh"); !strings.Contains(got, "no pieces for 100 % of the characters of the corpus in zh") {
		t.Errorf("Chinese: %q", got)
	}
}
