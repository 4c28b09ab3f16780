package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The classes of characters by which sentences are found. They are fixed here, because
// Unicode's tables, and Go's with them, grow.

// newline reports whether r ends a line according to Unicode (Standard Annex 14, "mandatory
// break").
func newline(r rune) bool {
	return '\n' <= r && r <= '\r' || r == 0x85 || r == 0x2028 || r == 0x2029
}

// blank reports whether r is white space. Unicode's White_Space has been the same since 2013.
func blank(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return r == ' ' || '\t' <= r && r <= '\r'
	case 0x2000 <= r && r <= 0x200A:
		return true
	}
	switch r {
	case 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000:
		return true
	}
	return false
}

// skipSpace returns the length of the white space at the start of s.
func skipSpace(s string) int {
	return len(s) - len(strings.TrimLeftFunc(s, blank))
}

func trimSpaceRight(s string) string { return strings.TrimRightFunc(s, blank) }

// invisible reports whether r has no shape: joiners, directions and byte-order marks.
func invisible(r rune) bool {
	switch {
	case r < 0xAD:
		return false
	case 0x200B <= r && r <= 0x200F, 0x202A <= r && r <= 0x202E, 0x2060 <= r && r <= 0x2069:
		return true
	}
	return r == 0xAD || r == 0x61C || r == 0xFEFF
}

// cased reports whether r is in a block of Latin, Greek, Cyrillic or Armenian letters. These
// blocks have been full since Unicode 11, and a pair of a capital and a small letter never
// changes. So Go's tables may be asked for the case of their letters.
func cased(r rune) bool { return r < 0x590 || 0x1E00 <= r && r <= 0x1FFF }

// small reports whether r is a small letter.
func small(r rune) bool { return cased(r) && unicode.IsLower(r) }

// capital reports whether r is a capital.
func capital(r rune) bool { return cased(r) && unicode.IsUpper(r) }

// fold returns s in lower case, without invisible characters.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case invisible(r):
			return -1
		case cased(r) && r != 0x130: // its small letter is a pair of characters in some programs
			return unicode.ToLower(r)
		}
		return r
	}, s)
}

// numeral reports whether r is a decimal digit of a script in use.
func numeral(r rune) bool {
	switch {
	case '0' <= r && r <= '9', 0x660 <= r && r <= 0x669, 0x6F0 <= r && r <= 0x6F9, 0xFF10 <= r && r <= 0xFF19:
		return true
	case 0x900 <= r && r <= 0xDFF: // Devanagari to Malayalam: each script has its digits in one place
		return r&0x7F >= 0x66 && r&0x7F <= 0x6F
	}
	return 0xE50 <= r && r <= 0xE59 || 0xED0 <= r && r <= 0xED9 || 0xF20 <= r && r <= 0xF29 ||
		0x1040 <= r && r <= 0x1049 || 0x17E0 <= r && r <= 0x17E9
}

// ideograph reports whether r is a Chinese character or Kana.
func ideograph(r rune) bool { return r >= 0x2E80 && Spaceless(r) }

func greek(r rune) bool    { return 0x370 <= r && r <= 0x3FF || 0x1F00 <= r && r <= 0x1FFF }
func armenian(r rune) bool { return 0x531 <= r && r <= 0x588 }
func indic(r rune) bool    { return 0x900 <= r && r <= 0xDFF }

// thai reports whether r is a letter or sign of Thai or Lao, which end a sentence with a
// space. The signs of repetition and abbreviation have a space behind them anywhere.
func thai(r rune) bool {
	return 0xE01 <= r && r <= 0xE4E && r != 0xE2F && r != 0xE46 && r != 0xE3F ||
		0xE81 <= r && r <= 0xECE && r != 0xEAF && r != 0xEC6
}

// The kinds of marks that end a sentence.
type mark int

const (
	noMark mark = iota
	dot         // a full stop, which can mean something else
	spaced      // ends a sentence if white space follows
	wide        // ends a sentence without white space behind it
)

// markAt returns the kind of the mark at the start of s[i:], and its length.
func markAt(s string, i int) (mark, int) {
	r, n := utf8.DecodeRuneInString(s[i:])
	switch r {
	case '.':
		return dot, n
	case '!', '?', '…', '‥', 0x37E, // Greek question mark
		'།', '༎', '༏', '༐', '༑', // Tibetan
		'๚', '๛', '‼', '⁇', '⁈', '⁉', '⸮', '‽':
		return spaced, n
	case '。', '｡', '．', '！', '？', '︒', '﹒', '﹖', '﹗',
		'।', '॥', '۔', '؟', '։', '።', '፧', '፨', '။', '។', '៕', '៚',
		'᠃', '᠉', '꓿', '꘎', '꘏', '꛳', '꛷', '᙮', '᜵', '᜶', '᭚', '᭛', '᭞', '᭟', '꩝', '꩞', '꩟',
		'᱾', '᱿', '꫰', '꫱', '꯫', '꣎', '꣏', '߹', '܀', '܁', '܂', '꧈', '꧉', '᪨', '᪩', '᪪', '᪫', '᰻', '᰼', '෴', 0x11047, 0x11048:
		return wide, n
	case '፡': // a word space, twice a full stop
		if strings.HasPrefix(s[i+n:], "፡") {
			return wide, 2 * n
		}
	case ';':
		if greek(lastVisible(s[:i])) {
			return spaced, n
		}
	case ':':
		if armenian(lastVisible(s[:i])) {
			return spaced, n
		}
	case '|':
		if indic(lastVisible(trimSpaceRight(s[:i]))) {
			return spaced, n
		}
	}
	return noMark, n
}

// lastVisible returns the last character of s that has a shape.
func lastVisible(s string) rune {
	for s != "" {
		r, n := utf8.DecodeLastRuneInString(s)
		if !invisible(r) {
			return r
		}
		s = s[:len(s)-n]
	}
	return utf8.RuneError
}

const (
	// closers are quotes and brackets behind the mark that ends a sentence, openers those in
	// front of the next sentence, and dashes.
	closers = `"')]}»«›‹”“’‘」』》〉】〕）］｝｠﹂﹄〞〟＂＇༽`
	openers = `"'([{«»‹›„“‚‘”’¿¡–—―-「『《〈【〔（［｛｟﹁﹃〝＂＇༼`
	// spacedClosers may stand behind a space that follows the mark, as in French.
	spacedClosers = `»”›’"`
	// continuing are marks with which no sentence begins.
	continuing = `,;:)]}»…%‰/\&=+<>~、，；：）］｝」』》〉】〕·・،؛՝፣፤፥፦၊៖๏ฯๆ°`
)

// brackets are pairs inside which no sentence ends.
var brackets = [...][2]rune{{'(', ')'}, {'[', ']'}, {'（', '）'}, {'《', '》'}, {'〈', '〉'}, {'【', '】'}}
