package score

import (
	"strings"
	"unicode"
)

// Tokens cuts a segment as mteval-v13a does: entities are resolved, white space
// and most ASCII punctuation separate tokens, and full stops, commas and
// hyphens stay inside numbers. It is sacreBLEU's tokenizer "13a". The steps
// are its regular expressions, in its order.
func Tokens(s string) []string {
	s = strings.ReplaceAll(s, "<skipped>", "")
	s = strings.ReplaceAll(s, "-\n", "")
	for _, e := range [][2]string{{"&quot;", `"`}, {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}} {
		s = strings.ReplaceAll(s, e[0], e[1])
	}
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
	in = spread(in, after, func(a, b rune) bool { return !digit(a) && stop(b) })
	in = spread(in, before, func(a, b rune) bool { return stop(a) && !digit(b) })
	in = spread(in, after, func(a, b rune) bool { return digit(a) && b == '-' })
	return strings.FieldsFunc(string(in), white)
}

// spread finds, from the left and without overlap, the neighbours a and b that
// match, and puts a space between them and another at the given side.
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

// side is where spread puts its second space.
type side bool

const (
	before side = false
	after  side = true
)

// symbol reports the ASCII punctuation that always stands alone: all but the
// apostrophe, comma, hyphen and full stop.
func symbol(r rune) bool {
	switch {
	case '!' <= r && r <= '&', '(' <= r && r <= '+', r == '/', ':' <= r && r <= '@', '[' <= r && r <= '`', '{' <= r && r <= '~':
		return true
	}
	return false
}

func digit(r rune) bool { return '0' <= r && r <= '9' }
func stop(r rune) bool  { return r == '.' || r == ',' }

// white reports white space as Python's str.split does.
func white(r rune) bool { return unicode.IsSpace(r) || 0x1C <= r && r <= 0x1F }
