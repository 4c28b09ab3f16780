package model

import (
	"fmt"
	"unicode/utf8"

	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// maxTermTokens is the most tokens of all terms of a segment.
const maxTermTokens = 64

// Spell spells the terms of one segment in a model's tokens. It refuses a term that the model cannot
// write, and terms with too many tokens, by name.
//
// A term has two spellings: behind a space, and directly behind other characters, such as
// a quotation mark. Behind the last letter its word must end. A term that begins in a script
// without spaces between words has only the spelling without a space.
func Spell(tok Tokenizer, terms []string) ([]nmt.Term, error) {
	all := make([]nmt.Term, len(terms))
	tokens := 0
	for i, s := range terms {
		t, err := spell(tok, s)
		if err != nil {
			return nil, err
		}
		if tokens += len(t.Spellings[0].Tokens); tokens > maxTermTokens {
			return nil, fmt.Errorf("the terms up to %q have %d tokens of the model, at most %d are allowed for a segment", s, tokens, maxTermTokens)
		}
		all[i] = t
	}
	return all, nil
}

// spell spells one term.
func spell(tok Tokenizer, s string) (nmt.Term, error) {
	if s == "" || s != text.Normalize(s) {
		return nmt.Term{}, fmt.Errorf("the term %q is not in the form that a model writes, which is %q", s, text.Normalize(s))
	}
	first, _ := utf8.DecodeRuneInString(s)
	last, _ := utf8.DecodeLastRuneInString(s)
	spaced, bare := tok.Spell(s)
	var t nmt.Term
	if tok.Decode(spaced) == s {
		t.Spellings = append(t.Spellings, nmt.Spelling{Tokens: spaced})
	}
	if len(bare) > 0 && tok.Decode(bare) == s {
		inner := nmt.Spelling{Tokens: bare, Inner: text.InWord(first)}
		if text.Spaceless(first) {
			t.Spellings = nil // it needs no space
		}
		if len(t.Spellings) > 0 || !inner.Inner {
			t.Spellings = append(t.Spellings, inner)
		}
	}
	if len(t.Spellings) == 0 {
		return nmt.Term{}, fmt.Errorf("the model cannot write the term %q: its vocabulary lacks a character of it, or it changes it", s)
	}
	t.Closed = text.InWord(last)
	return t, nil
}

// wanted is the segments of a text with tokens, with and without terms. Each is decoded in
// its own way.
type wanted struct {
	sources [][]int32
	at      []int      // by source: its segment
	terms   [][]string // by source; nil for those without terms
}

// divide sorts the segments of a text with tokens. It refuses terms that the model cannot
// write.
func divide(tok Tokenizer, in unit.Text) (plain, termed wanted, err error) {
	for i, s := range in.Segments {
		ids := tok.Source(s)
		if len(ids) == 0 {
			continue
		}
		to := &plain
		if list := in.TermsOf(i); len(list) > 0 {
			if _, err := Spell(tok, list); err != nil {
				return plain, termed, fmt.Errorf("segment %d: %w", i, err)
			}
			to = &termed
			to.terms = append(to.terms, list)
		}
		to.sources, to.at = append(to.sources, ids[:min(len(ids), maxSource)]), append(to.at, i)
	}
	return plain, termed, nil
}
