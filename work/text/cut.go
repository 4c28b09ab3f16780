package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// cut returns where a sentence is cut that has more than longest bytes: behind the last mark
// between clauses in the second half of them; a semicolon counts more than a comma. Else in
// front of the last white space, or behind the last mark between syllables of scripts without
// spaces. Else between two characters. longest is at least 4, the bytes of one character, and
// a character with many marks may be cut.
func cut(s string, longest int) int {
	var strong, weak, white, syllable int
	visible := 0 // behind the last visible character
	for i := 0; i <= longest; {
		r, n := utf8.DecodeRuneInString(s[i:])
		end := i + n
		if blank(r) {
			white, i = visible, end
			continue
		}
		if end > longest {
			break
		}
		i, visible = end, end
		next, _ := utf8.DecodeRuneInString(s[end:])
		switch {
		case strings.ContainsRune("；;：:—–。！？", r) && (r >= 0x2E80 || blank(next)) || strings.ContainsRune("؛፤፥፦។៖։।॥။", r):
			strong = end
		case strings.ContainsRune(",،՝·၊", r) && blank(next) || strings.ContainsRune("，、፣", r):
			weak = end
		case r == '་' || r == '፡' || r == '၊' || r == 0x200B: // Tibetan, Ethiopic, and where no space is seen
			syllable = end
		}
	}
	switch {
	case strong > longest/2:
		return strong
	case weak > longest/2:
		return weak
	case white > 0:
		return white
	case syllable > 0:
		return syllable
	}
	return between(s, longest)
}

// between returns the last place between two characters that is at most longest.
func between(s string, longest int) int {
	whole := longest // between two code points
	for whole > 1 && whole > longest-utf8.UTFMax && !utf8.RuneStart(s[whole]) {
		whole--
	}
	if !utf8.RuneStart(s[whole]) { // no UTF-8
		return longest
	}
	for at := whole; at > 0 && at > whole-128; {
		before, n := utf8.DecodeLastRuneInString(s[:at])
		after, _ := utf8.DecodeRuneInString(s[at:])
		if !joined(before, after) && (!flag(before) || !flag(after) || flags(s[:at])%2 == 0) {
			return at
		}
		at -= n
	}
	return whole
}

// joined reports whether two characters look like one, by the rules of Unicode's Standard
// Annex 29 that matter for text. It takes more for joined than these where a table would be
// long: a Hangul vowel with any Hangul part in front of it.
func joined(before, after rune) bool {
	switch {
	case unicode.Is(marks, after), invisible(after) && after != 0x200B:
		return true
	case before == 0x200D, 0x1F3FB <= after && after <= 0x1F3FF, 0xE0020 <= after && after <= 0xE01EF:
		return true
	case indic(before) && before&0x7F == 0x4D, before == 0x1039, before == 0x17D2: // the sign of a lost vowel
		return true
	case 0x1160 <= after && after <= 0x11FF: // parts of a Hangul syllable
		return true
	}
	return false
}

// flag reports whether r is half a flag.
func flag(r rune) bool { return 0x1F1E6 <= r && r <= 0x1F1FF }

// flags counts the halves of flags at the end of s, of the last 128 bytes.
func flags(s string) (n int) {
	for n < 32 {
		r, size := utf8.DecodeLastRuneInString(s)
		if !flag(r) {
			return n
		}
		s, n = s[:len(s)-size], n+1
	}
	return n
}
