package text

import (
	"testing"
	"unicode"
)

func TestHasLetters(t *testing.T) {
	for s, want := range map[string]bool{
		"": false, " \t": false, "12.5 %": false, "030 / 123-45": false, "-- * --": false, "№ 7": false, "™": false,
		"٢٠٢٤": false, "१२।": false, "。！？": false, "，、": false, "Ⅳ": false, "㎞": false, "①": false, "€ 5,–": false,
		"👍🏽": false, "👨‍👩‍👧": false, "1️⃣": false, "❤️": false, "🇩🇪": false, "\uFFFD": false, "\xff": false, "\uE000": false,
		"5 km": true, "a": true, "É": true, "e\u0301": true, "三": true, "々": true, "ー": true, "한": true, "ก": true, "ﷺ": true, "ﺏ": true,
		"1º": true, "µ": true, "ﾀ": true, "Ａ": true, "क्": true, "\u093F": true, "𐐀": true, "𝐀": true, ">>deu<<": true,
	} {
		if got := HasLetters(s); got != want {
			t.Errorf("%q has letters: %v, want %v", s, got, want)
		}
	}
}

// TestLettersAreUnicodes: the fixed table is the one of Unicode 15.0. What Go's tables call a
// letter, also of later versions, has to be one: others leave texts without such letters out.
func TestLettersAreUnicodes(t *testing.T) {
	emoji := func(r rune) bool {
		return 0xFE00 <= r && r <= 0xFE0F || 0x20D0 <= r && r <= 0x20F0 || 0xE0100 <= r && r <= 0xE01EF
	}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		named := unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs)
		want := unicode.In(r, unicode.L, unicode.M) && !emoji(r)
		if got := isLetter(r); got != want && (named && unicode.Version == "15.0.0" || unicode.IsLetter(r)) {
			t.Fatalf("U+%04X is a letter: %v, want %v", r, got, want)
		}
	}
}
