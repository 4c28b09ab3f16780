package text

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// InWord reports whether a character is a letter or a digit of a script that puts spaces
// between words. Two of them side by side belong to one word. Scripts without such spaces
// are Chinese, Japanese, Thai, Lao, Khmer, Burmese and Tibetan. The classes are
// fixed ranges, as in [Pattern].
func InWord(r rune) bool {
	c := classOf(r)
	return (c == letter || c == digit) && !Spaceless(r)
}

// Spaceless reports whether a character is of a script that puts no spaces between words, by
// the ranges of [InWord].
func Spaceless(r rune) bool {
	switch {
	case 0x0E00 <= r && r <= 0x109F, // Thai, Lao, Tibetan, Burmese
		0x1780 <= r && r <= 0x17FF,   // Khmer
		0x2E80 <= r && r <= 0x30FF,   // radicals, Kana
		0x3100 <= r && r <= 0x312F,   // Bopomofo
		0x31A0 <= r && r <= 0x9FFF,   // more Bopomofo and Kana, Han
		0xF900 <= r && r <= 0xFAFF,   // more Han
		0xFF66 <= r && r <= 0xFF9F,   // narrow Kana
		0x20000 <= r && r <= 0x3FFFF: // more Han
		return true
	}
	return false
}

// Edges says, by token, whether a token can touch a word. joins are the tokens that go on
// with a word that ends in front of them. opens are the tokens behind which a word begins.
// A token with no text, or with a part of a character at its edge, is taken for the inside
// of a word.
func Edges(written []string) (joins, opens []bool) {
	joins, opens = make([]bool, len(written)), make([]bool, len(written))
	for id, s := range written {
		r, _ := utf8.DecodeRuneInString(s)
		joins[id] = r == utf8.RuneError || InWord(r)
		r, _ = utf8.DecodeLastRuneInString(s)
		opens[id] = r != utf8.RuneError && !InWord(r)
	}
	return joins, opens
}

// Edges returns the [Edges] of the vocabulary.
func (t *BPE) Edges() (joins, opens []bool) { return Edges(t.pieces) }

// Edges returns the [Edges] of the vocabulary.
func (m *Marian) Edges() (joins, opens []bool) { return Edges(m.written) }

// Spell returns the ids of a part of a text: behind a space, and directly behind other
// characters. bare is nil if the vocabulary has no such ids. The ids may stand for another
// text where the vocabulary lacks a character: compare Decode.
func (t *BPE) Spell(s string) (spaced, bare []int32) {
	if s == "" {
		return nil, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for rest := s; rest != ""; {
		n := wordLen(rest)
		bare = append(bare, t.word(rest[:n])...)
		rest = rest[n:]
	}
	for rest := " " + s; rest != ""; {
		n := wordLen(rest)
		spaced = append(spaced, t.word(rest[:n])...)
		rest = rest[n:]
	}
	return spaced, bare
}

// Spell returns the ids of a part of a text, as [BPE.Spell]. SentencePiece puts a space in
// front of every text, so bare has the spaced ids with that space taken off the first piece.
func (m *Marian) Spell(s string) (spaced, bare []int32) {
	return m.spell(m.Target(s))
}

// spell adds the bare ids of a part of a text to the spaced ones.
func (m *Marian) spell(spaced []int32) (_, bare []int32) {
	if len(spaced) == 0 {
		return nil, nil
	}
	first, ok := strings.CutPrefix(m.written[spaced[0]], " ")
	if !ok { // a vocabulary that puts no space in front
		return spaced, nil
	}
	if first == "" {
		return spaced, spaced[1:]
	}
	if id, ok := m.ids[first]; ok && m.written[id] == first {
		return spaced, slices.Concat([]int32{id}, spaced[1:])
	}
	return spaced, nil
}
