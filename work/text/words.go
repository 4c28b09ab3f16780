package text

import "unicode/utf8"

// Pattern is the regular expression whose successive matches are the words of a text. The
// function wordLen finds the same words without a regular expression.
//
// A word is a run of letters with the space or apostrophe in front of it, one digit, a run of
// other characters, or white space. A space in front of a word belongs to the word. The
// classes are fixed ranges instead of Unicode's tables, because those grow with new releases
// of Go, and tokens must not change. A word has at most 32 characters after its first, so
// that the time of encoding grows linearly with the text.
const Pattern = `[ ']?[` + letters + `]{1,32}` +
	`| ?[0-9]` +
	`| ?[^` + letters + spaces + `0-9]{1,32}` +
	`|[` + spaces + `]{1,32}(?![^` + spaces + `])` +
	`|[` + spaces + `]{1,32}`

const (
	letters = `A-Za-z\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1FFF}\x{2C00}-\x{2DFF}` +
		`\x{2E80}-\x{2FFF}\x{3040}-\x{FEFF}\x{FF21}-\x{1EFFF}\x{1FB00}-\x{10FFFF}`
	spaces  = `\t\n\x0B\f\r `
	maxWord = 32
)

// class is a class of characters.
type class uint8

const (
	other class = iota // punctuation, symbols, bytes that are not UTF-8
	letter
	digit
	space
)

// classOf returns the class of a character, by the ranges of [Pattern].
func classOf(r rune) class {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z':
		return letter
	case '0' <= r && r <= '9':
		return digit
	case r == ' ', '\t' <= r && r <= '\r':
		return space
	case r < 0xC0, r == 0xD7, r == 0xF7,
		0x2000 <= r && r <= 0x2BFF,   // punctuation, currency, arrows, symbols
		0x2E00 <= r && r <= 0x2E7F,   // more punctuation
		0x3000 <= r && r <= 0x303F,   // CJK punctuation
		0xFF00 <= r && r <= 0xFF20,   // full-width punctuation
		0x1F000 <= r && r <= 0x1FAFF: // pictographs
		return other
	}
	return letter
}

// run returns the length in bytes of the characters of class c at the start of s, at most
// maxWord characters.
func run(s string, c class) int {
	n := 0
	for range maxWord {
		r, size := utf8.DecodeRuneInString(s[n:])
		if size == 0 {
			break
		}
		k := other // a byte that is not UTF-8
		if r != utf8.RuneError || size > 1 {
			k = classOf(r)
		}
		if k != c {
			break
		}
		n += size
	}
	return n
}

// wordLen returns the length in bytes of the first word of s, which must not be empty. The cases
// are in the sequence of the alternatives of [Pattern].
func wordLen(s string) int {
	lead := 0 // the length of a space in front of the word
	if s[0] == ' ' {
		lead = 1
	}
	if s[0] == ' ' || s[0] == '\'' {
		if n := run(s[1:], letter); n > 0 {
			return 1 + n
		}
	}
	if n := run(s, letter); n > 0 {
		return n
	}
	if lead < len(s) && classOf(rune(s[lead])) == digit {
		return lead + 1
	}
	if n := run(s[lead:], other); n > 0 {
		return lead + n
	}
	// White space. Its last character belongs to the word that follows.
	n := run(s, space)
	if n > 1 && n < len(s) && classOf(rune(s[n])) != space {
		n--
	}
	return n
}
