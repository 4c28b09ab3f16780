package document

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// tagLength is the length of the tag, comment or template mark that s begins with, or 0.
// "<b>" and "<a href=x>" are tags; "<your name here>" is text.
func tagLength(s string) int {
	s = s[:min(len(s), maxCode)]
	for _, mark := range [][2]string{{"<!--", "-->"}, {"<%", "%>"}, {"<![CDATA[", "]]>"}} {
		if strings.HasPrefix(s, mark[0]) {
			if n := strings.Index(s, mark[1]); n > 0 {
				return n + len(mark[1])
			}
			return 0
		}
	}
	i := 1
	if i < len(s) && s[i] == '/' {
		i++
	}
	name := i
	for i < len(s) && (wordByte(s[i]) || i > name && strings.IndexByte(":.-", s[i]) >= 0) {
		i++
	}
	if i == name || i >= len(s) || s[name] == '_' {
		return 0
	}
	// The end is the first > outside of quotes.
	var quote byte
	for j := i; j < len(s); j++ {
		switch {
		case quote != 0:
			if s[j] == quote {
				quote = 0
			}
		case (s[j] == '"' || s[j] == '\'') && s[j-1] == '=':
			quote = s[j]
		case s[j] == '<':
			return 0
		case s[j] == '>':
			attributes := strings.TrimSpace(strings.TrimSuffix(s[i:j], "/"))
			if attributes != "" && (!strings.Contains(attributes, "=") || !unicode.IsSpace(rune(s[i]))) {
				return 0
			}
			return j + 1
		}
	}
	return 0
}

// entityLength is the length of the entity that s begins with, such as &nbsp; or &#160;,
// or 0.
func entityLength(s string) int {
	n := strings.IndexByte(s[:min(len(s), 34)], ';')
	if n < 3 { // no entity has a name of one letter
		return 0
	}
	name, digits := s[1:n], "0123456789"
	if name[0] == '#' {
		if name = name[1:]; name != "" && (name[0] == 'x' || name[0] == 'X') {
			name, digits = name[1:], "0123456789abcdefABCDEF"
		}
		if name == "" || len(name) > 7 || strings.Trim(name, digits) != "" {
			return 0
		}
		return n + 1
	}
	if name[0] >= '0' && name[0] <= '9' {
		return 0
	}
	for i := range len(name) {
		if !wordByte(name[i]) || name[i] == '_' {
			return 0
		}
	}
	return n + 1
}

// addressLength is the length of the address that s begins with, without the punctuation
// of the sentence around it, or 0.
func addressLength(s string) int {
	s = s[:min(len(s), maxCode)]
	start := 0
	for _, p := range []string{"https://", "http://", "ftp://", "mailto:", "www."} {
		if len(s) > len(p) && strings.EqualFold(s[:len(p)], p) {
			start = len(p)
			break
		}
	}
	if start == 0 {
		return 0
	}
	end, open := start, 0
	for i, r := range s[start:] {
		if unicode.IsSpace(r) || strings.ContainsRune("<>\"'`{}|\\^«»“”„‘’。、，", r) || r == utf8.RuneError {
			break
		}
		switch r {
		case '(':
			open++
		case ')':
			open--
		}
		if open < 0 {
			break
		}
		end = start + i + utf8.RuneLen(r)
	}
	end = len(strings.TrimRight(s[:end], ".,;:!?*_~"))
	if end <= start || !wordRune(runeAt(s, start)) {
		return 0
	}
	return end
}
