package score

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// lower is Python's str.lower: the full mapping of Unicode, in which a capital sigma at the end of
// a word becomes a final one, and a capital I with a dot becomes two characters. Package strings
// maps each character alone. (Where a modifier letter such as U+02B0 stands before a sigma, Python
// looks at the letter before it; this does not.)
func lower(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return cases.Lower(language.Und).String(s)
		}
	}
	return strings.ToLower(s)
}
