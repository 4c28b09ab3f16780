package profile

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Word is a run of letters of one script, in lower case.
type Word struct {
	Script  Script
	Letters []rune
}

// Words reads the text word by word. What is no prose is left out: tags, entities, addresses,
// placeholders in braces or with %, and names such as fooBar, x86 or file.txt.
// Each call of yield gets a slice that the next call writes over. The result is the number of
// letters that were left out. The time is linear in the length of the text.
func Words(text string, yield func(Word)) (leftOut int) {
	r := reader{yield: yield}
	for i := 0; i < len(text); {
		if n := markup(text[i:]); n > 0 {
			r.token()
			i += n
			continue
		}
		c, n := utf8.DecodeRuneInString(text[i:])
		if i += n; unicode.IsSpace(c) || c == utf8.RuneError || ScriptOf(c).spaceless() != r.spaceless {
			r.token()
			r.spaceless = ScriptOf(c).spaceless()
		}
		if !unicode.IsSpace(c) && c != utf8.RuneError {
			r.runes = append(r.runes, c)
		}
		if len(r.runes) >= longestToken {
			r.token()
		}
	}
	r.token()
	return r.leftOut
}

// longestToken bounds the memory that a text without spaces takes, in runes.
const longestToken = 1024

// longestMarkup bounds how far the end of a tag, a placeholder or an entity is looked for, in bytes.
const longestMarkup = 256

// markup is the length of the tag, entity or placeholder that the text begins with, or 0.
func markup(s string) int {
	switch s[0] {
	case '<':
		if len(s) > 1 && (isASCIILetter(s[1]) || s[1] == '/' || s[1] == '!' || s[1] == '?') {
			return closed(s, '>', "<")
		}
	case '{':
		return closed(s, '}', "{ \t\r\n")
	case '&':
		if n := closed(s, ';', "& \t\r\n"); n <= 10 {
			return n
		}
	case '%':
		i := 1
		for i < len(s) && i < 8 && strings.IndexByte("0123456789$.-+#l", s[i]) >= 0 {
			i++
		}
		if i < len(s) && strings.IndexByte("sdiufxgc@", s[i]) >= 0 && (i+1 == len(s) || !isASCIILetter(s[i+1])) {
			return i + 1
		}
	}
	return 0
}

// closed is the length of s up to the byte end, or 0 if a byte of stop, or nothing, comes before it.
func closed(s string, end byte, stop string) int {
	for i := 1; i < len(s) && i < longestMarkup; i++ {
		if s[i] == end {
			return i + 1
		}
		if strings.IndexByte(stop, s[i]) >= 0 {
			return 0
		}
	}
	return 0
}

func isASCIILetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// reader collects a token, the runes between two spaces, and cuts it into words.
type reader struct {
	yield     func(Word)
	runes     []rune
	spaceless bool // the token is in a script that puts no spaces between words
	leftOut   int
}

func (r *reader) token() {
	token := r.runes
	r.runes = r.runes[:0]
	if len(token) == 0 {
		return
	}
	if !r.spaceless && isName(token) {
		for _, c := range token {
			if ScriptOf(c) != 0 {
				r.leftOut++
			}
		}
		return
	}
	start := -1
	for i, c := range token {
		s := ScriptOf(c)
		if s == inherited && start >= 0 {
			continue
		}
		if start >= 0 && (s != ScriptOf(token[start])) {
			r.word(token[start:i])
			start = -1
		}
		if start < 0 && s != 0 && s != inherited {
			start = i
		}
	}
	if start >= 0 {
		r.word(token[start:])
	}
}

// word yields letters in lower case. An apostrophe within a word is a letter: l'eau, don't, o‘zbek.
func (r *reader) word(letters []rune) {
	script := ScriptOf(letters[0])
	for i, c := range letters {
		switch c {
		case '’', '‘', 'ʼ', 'ʻ', '`', '´':
			letters[i] = '\''
		case 'İ':
			letters[i] = 'i'
		default:
			letters[i] = unicode.ToLower(c)
		}
	}
	for len(letters) > 0 && letters[len(letters)-1] == '\'' {
		letters = letters[:len(letters)-1]
	}
	if len(letters) > 0 {
		r.yield(Word{script, letters})
	}
}

// isName reports that a token is no word of prose: an address, a name in a program or a file's name.
func isName(token []rune) bool {
	for len(token) > 0 && ScriptOf(token[0]) == 0 && !unicode.IsDigit(token[0]) && !strings.ContainsRune("/\\@$_#", token[0]) {
		token = token[1:]
	}
	for len(token) > 0 && ScriptOf(token[len(token)-1]) == 0 && !unicode.IsDigit(token[len(token)-1]) && token[len(token)-1] != '/' {
		token = token[:len(token)-1]
	}
	slashes := 0
	for i, c := range token {
		var before, after rune
		if i > 0 {
			before = token[i-1]
		}
		if i+1 < len(token) {
			after = token[i+1]
		}
		switch {
		case strings.ContainsRune("\\_@$#{}<>=|~^%&", c):
			return true
		case c == '/':
			if slashes++; i == 0 || i+1 == len(token) || slashes > 1 || before == '/' {
				return true
			}
		case c == '.' || c == ':' || c == '(':
			if isLatinLower(before) && isLatinLower(after) && i+2 < len(token) && i > 1 {
				return true
			}
		case unicode.IsDigit(c):
			if isLatin(before) || isLatin(after) {
				return true
			}
		case unicode.IsUpper(c) && isLatinLower(before) && isLatinLower(after) && i > 1:
			return true
		}
	}
	return false
}

func isLatin(c rune) bool      { return ScriptOf(c) == Latin }
func isLatinLower(c rune) bool { return isLatin(c) && unicode.IsLower(c) }
