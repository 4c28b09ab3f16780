package text

import (
	"strings"
	"unicode/utf8"
)

// item is the label of a list item at the start of a sentence, such as "2." or "• b)". The
// items of a list on one line are sentences.
type item struct {
	bullet rune   // 0: none
	style  byte   // '1', 'a' or 'A'; 0: the label is only a bullet
	value  int    // of the number or letter
	tail   string // behind it: ".", ")" or ".)"
}

// bullets begin list items.
const bullets = "•‣⁃▪◦●○∙■□▸►"

// itemAt returns the label at the start of s; that of no item is zero.
func itemAt(s string) (m item) {
	if r, n := utf8.DecodeRuneInString(s); strings.ContainsRune(bullets, r) && n > 1 {
		m.bullet = r
		s = s[n:]
		s = strings.TrimLeft(s, " \u00a0")
	}
	plain := item{bullet: m.bullet}
	n := 0
	for n < len(s) && n < 3 && '0' <= s[n] && s[n] <= '9' {
		m.value = 10*m.value + int(s[n]-'0')
		n++
	}
	switch {
	case n > 0:
		m.style = '1'
	case s == "":
		return plain
	case 'a' <= s[0] && s[0] <= 'z':
		m.style, m.value, n = 'a', int(s[0]-'a'), 1
	case 'A' <= s[0] && s[0] <= 'Z':
		m.style, m.value, n = 'A', int(s[0]-'A'), 1
	default:
		return plain
	}
	for _, m.tail = range []string{".)", ")", "."} {
		if rest, ok := strings.CutPrefix(s[n:], m.tail); ok && rest != "" {
			if r, _ := utf8.DecodeRuneInString(rest); blank(r) && !newline(r) {
				return m
			}
		}
	}
	return plain
}

// itemEnds reports whether the list item that begins s ends at the white space at s[at:],
// because the next item of the list follows.
func (r *rules) itemEnds(m item, s string, at int) bool {
	if m == (item{}) {
		return false
	}
	next := itemAt(s[at+skipSpace(s[at:]):])
	if m.bullet != next.bullet || m.style != next.style || m.tail != next.tail {
		return false
	}
	switch {
	case m.style == 0 || m.bullet != 0:
		return true
	case m.tail == "." && (m.style == 'A' || m.style == '1' && r.ordinals):
		return false // initials, and dates such as "3. Mai bis 4. Juni"
	}
	return next.value == m.value+1
}

// label reports whether a text, in front of a full stop, is nothing but the label of a list
// item or a chapter: a number, a letter or a Roman number.
func label(s string) bool {
	if len(s) > 24 {
		return false
	}
	s = strings.TrimLeft(s, bullets+" \u00a0([")
	return s != "" && (len(s) <= 3 && (digits(s) || roman(s)) || initial(s))
}
