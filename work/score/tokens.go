package score

import (
	"fmt"
	"strings"
	"unicode"
)

// WordSplitter divides a segment into the words that BLEU compares.
type WordSplitter struct {
	Name string // in the signature, and of the option --tokenize
	// Cut divides a segment. White space in a token separates it once more, so no token has any.
	Cut func(segment string) []string
}

// Tokenizers lists the tokenizers of this package. Each gives the same tokens as sacreBLEU's
// tokenizer of that name.
//
//   - 13a is mteval-v13a: white space and most ASCII punctuation separate tokens.
//   - zh makes each Chinese character a token, and divides the rest as 13a does.
//   - intl is mteval-v14: all punctuation and symbols of Unicode separate tokens. Their
//     categories are those of the Unicode version of this program, see [unicode.Version].
//   - char makes each character a token.
//   - none divides at white space, for text that is tokenized already.
func Tokenizers() []WordSplitter {
	return []WordSplitter{
		{"13a", mteval13a}, {"zh", chinese}, {"intl", international}, {"char", characters}, {"none", fields},
	}
}

// TokenizerOf returns the tokenizer with a name.
func TokenizerOf(name string) (WordSplitter, error) {
	var names []string
	for _, t := range Tokenizers() {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return WordSplitter{}, fmt.Errorf("no tokenizer is called %q: want one of %s", name, strings.Join(names, ", "))
}

// words divides a segment by t, and each token once more at white space, as sacreBLEU does.
func (t WordSplitter) words(s string) []string {
	tokens := t.Cut(strings.TrimRightFunc(s, white))
	for _, token := range tokens {
		if token == "" || strings.IndexFunc(token, white) >= 0 {
			return fields(strings.Join(tokens, " "))
		}
	}
	return tokens
}

// mteval13a divides a segment as mteval-v13a does. Entities are replaced by their characters.
// White space and most ASCII punctuation separate tokens. Full stops, commas and hyphens inside
// numbers do not. The steps are the regular expressions of sacreBLEU, in the same sequence.
func mteval13a(s string) []string {
	s = strings.ReplaceAll(s, "<skipped>", "")
	s = strings.ReplaceAll(s, "-\n", "")
	return fields(western(" " + entities(s) + " "))
}

// entities replaces the entities of XML by their characters. An ampersand that comes of one may
// begin the next.
func entities(s string) string {
	for _, e := range [][2]string{{"&quot;", `"`}, {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}} {
		s = strings.ReplaceAll(s, e[0], e[1])
	}
	return s
}

// western puts spaces around the punctuation of a text in a Western language.
func western(s string) string {
	return string(numbers(symbols([]rune(s))))
}

// symbols makes most ASCII punctuation a token of its own.
func symbols(in []rune) []rune { return apart(in, symbol) }

// numbers separates full stops and commas, unless digits are on both sides, and hyphens after a
// digit.
func numbers(in []rune) []rune {
	in = spread(in, after, func(a, b rune) bool { return !digit(a) && stop(b) })
	in = spread(in, before, func(a, b rune) bool { return stop(a) && !digit(b) })
	return spread(in, after, func(a, b rune) bool { return digit(a) && b == '-' })
}

// apart puts a space before and after each character that match is true for.
func apart(in []rune, match func(rune) bool) []rune {
	out := make([]rune, 0, len(in)+8)
	for _, r := range in {
		if match(r) {
			out = append(out, ' ', r, ' ')
		} else {
			out = append(out, r)
		}
	}
	return out
}

// spread finds adjacent characters a and b that match, from left to right without overlap. It puts
// a space between them, and another space before a or after b.
func spread(in []rune, side side, match func(a, b rune) bool) []rune {
	out := make([]rune, 0, len(in)+8)
	for i := 0; i < len(in); i++ {
		switch {
		case i+1 == len(in) || !match(in[i], in[i+1]):
			out = append(out, in[i])
			continue
		case side == before:
			out = append(out, ' ', in[i], ' ', in[i+1])
		default:
			out = append(out, in[i], ' ', in[i+1], ' ')
		}
		i++
	}
	return out
}

// side says where spread puts the second space.
type side bool

const (
	before side = false
	after  side = true
)

// chinese makes each Chinese character a token, and divides the rest as 13a does, but without
// the entities and without a space before the first character.
func chinese(s string) []string {
	in := apart([]rune(strings.TrimFunc(s, white)), han)
	return fields(string(numbers(symbols(in))))
}

// han reports whether r is a Chinese character for sacreBLEU. Its list holds two ranges beyond
// U+FFFF that Python reads otherwise than they were meant: they cover U+2001 to U+2A6D, such as
// quotation marks, dashes and arrows, and no character of Extension B. Equal figures need equal
// mistakes.
func han(r rune) bool {
	for _, x := range [...][2]rune{
		{0x2001, 0x2A6D}, {0x2E80, 0x2EFF}, {0x2F00, 0x2FDF}, {0x2FF0, 0x303F}, {0x3100, 0x312F}, {0x31A0, 0x31BF},
		{0x31C0, 0x31EF}, {0x3200, 0x33FF}, {0x3400, 0x4DB5}, {0x4E00, 0x9FBB}, {0xF900, 0xFA2D}, {0xFA30, 0xFA6A},
		{0xFA70, 0xFAD9}, {0xFE10, 0xFE1F}, {0xFE30, 0xFE4F}, {0xFF00, 0xFFEF},
	} {
		if x[0] <= r && r <= x[1] {
			return true
		}
	}
	return false
}

// international divides a segment as mteval-v14 does: punctuation is separated where it does not
// stand between digits, and symbols always. A full stop after a number at the end of a segment
// stays with the number, as it does there.
func international(s string) []string {
	in := []rune(s)
	in = spread(in, after, func(a, b rune) bool { return !unicode.IsNumber(a) && unicode.IsPunct(b) })
	in = spread(in, before, func(a, b rune) bool { return unicode.IsPunct(a) && !unicode.IsNumber(b) })
	return fields(string(apart(in, unicode.IsSymbol)))
}

// characters returns the characters of s, one string each, without white space.
func characters(s string) []string {
	var out []string
	for _, r := range s {
		if !white(r) {
			out = append(out, string(r))
		}
	}
	return out
}

// fields divides a text at white space.
func fields(s string) []string { return strings.FieldsFunc(s, white) }

// symbol reports whether r is ASCII punctuation that is always a token of its own: all except
// apostrophe, comma, hyphen and full stop.
func symbol(r rune) bool {
	switch {
	case '!' <= r && r <= '&', '(' <= r && r <= '+', r == '/',
		':' <= r && r <= '@', '[' <= r && r <= '`', '{' <= r && r <= '~':
		return true
	}
	return false
}

func digit(r rune) bool { return '0' <= r && r <= '9' }
func stop(r rune) bool  { return r == '.' || r == ',' }

// white reports whether r is white space for Python's str.split, which sacreBLEU uses.
func white(r rune) bool { return unicode.IsSpace(r) || 0x1C <= r && r <= 0x1F }
