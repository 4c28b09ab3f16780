package score

import "strings"

// words divides a segment into the words that TER compares, as Tercom's normaliser does.
func (o TER) words(s string) []string {
	s = strings.TrimRightFunc(s, white)
	if !o.CaseSensitive {
		s = lower(s)
	}
	if o.Normalized {
		s = normalized(s)
		if o.Asian {
			s = string(apart([]rune(s), asian))
		}
	}
	if o.NoPunctuation {
		s = strings.Map(func(r rune) rune {
			if strings.ContainsRune(`.,?:;!"()`, r) || o.Asian && asianPunctuation(r) {
				return -1
			}
			return r
		}, s)
	}
	return fields(s)
}

// normalized is a segment with the hyphens at line ends, entities, punctuation and possessives of
// Western languages as Tercom has them.
func normalized(s string) string {
	s = strings.ReplaceAll(s, "\n-", "")
	in := symbols([]rune(" " + entities(strings.ReplaceAll(s, "\n", " ")) + " "))
	s = strings.ReplaceAll(string(in), "'s ", " 's ")
	return string(numbers([]rune(s)))
}

// asian reports whether Tercom makes r a word of its own: Chinese characters, kanji, marks beside
// them, and punctuation. The range from 3200 ends at 3F22, as in sacreBLEU. Kana stay together:
// Tercom's rules for them match only a segment without spaces, which a normalised one never is.
func asian(r rune) bool {
	for _, x := range [...][2]rune{
		{0x2E80, 0x2EFF}, {0x31C0, 0x31EF}, {0x3200, 0x3F22}, {0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xF900, 0xFAFF}, {0xFE30, 0xFE4F},
	} {
		if x[0] <= r && r <= x[1] {
			return true
		}
	}
	return asianPunctuation(r)
}

// asianPunctuation reports whether r is East Asian or full-width punctuation of Tercom.
func asianPunctuation(r rune) bool {
	switch {
	case r == 0x3001, r == 0x3002, 0x3008 <= r && r <= 0x3011, 0x3014 <= r && r <= 0x301F, 0xFF61 <= r && r <= 0xFF65, r == 0x30FB:
		return true
	}
	return strings.ContainsRune("．，？：；！＂（）", r)
}
