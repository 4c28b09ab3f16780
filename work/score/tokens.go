package score

import (
	"strings"
	"unicode"
)

// Tokens divides a segment into words as mteval-v13a does (the tokenizer "13a" of sacreBLEU).
// Entities are replaced by their characters. White space and most ASCII punctuation separate
// tokens. Full stops, commas and hyphens inside numbers do not. The steps are the regular
// expressions of sacreBLEU, in the same sequence.
func Tokens(s string) []string {
	s = strings.ReplaceAll(s, "<skipped>", "")
	s = strings.ReplaceAll(s, "-\n", "")
	for _, e := range [][2]string{{"&quot;", `"`}, {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}} {
		s = strings.ReplaceAll(s, e[0], e[1])
	}
	// Most punctuation is a token of its own.
	in := make([]rune, 0, len(s)+8)
	in = append(in, ' ')
	for _, r := range s {
		if symbol(r) {
			in = append(in, ' ', r, ' ')
		} else {
			in = append(in, r)
		}
	}
	in = append(in, ' ')
	// Full stops and commas, unless digits are on both sides; hyphens after a digit.
	in = spread(in, after, func(a, b rune) bool { return !digit(a) && stop(b) })
	in = spread(in, before, func(a, b rune) bool { return stop(a) && !digit(b) })
	in = spread(in, after, func(a, b rune) bool { return digit(a) && b == '-' })
	return strings.FieldsFunc(string(in), white)
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
