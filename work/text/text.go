package text

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Normalize returns s in Unicode's NFC form on one line. Each run of white space and control
// characters becomes one space; there is none at the ends. Soft hyphens, zero-width spaces
// and byte-order marks are removed. Bytes that are not UTF-8 become U+FFFD. Normalizing a
// normalised text changes nothing.
func Normalize(s string) string {
	if plain(s) {
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	var b strings.Builder
	b.Grow(len(s))
	gap := false // white space was read and a space is still to be written
	for _, r := range s {
		switch {
		case r == 0xAD || r == 0x200B || r == 0xFEFF:
		case unicode.IsSpace(r) || unicode.IsControl(r):
			gap = true
		default:
			if gap && b.Len() > 0 {
				b.WriteByte(' ')
			}
			gap = false
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String())
}

// plain reports whether a text is normalised because all of it is ASCII without anything to
// change: most lines of a corpus are, in some languages.
func plain(s string) bool {
	before := byte(' ')
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7F || s[i] == ' ' && before == ' ' {
			return false
		}
		before = s[i]
	}
	return before != ' ' || s == ""
}
