package document

import (
	"unicode"
)

// sameDigits reports whether the digits of the target are those of the source, however
// they are grouped and in whatever sequence.
func sameDigits(source, target []Piece) bool {
	count := func(pieces []Piece) (n [10]int) {
		for _, p := range pieces {
			if p.Kind != Plain {
				continue
			}
			for _, r := range p.Text {
				if d := digit(r); d >= 0 {
					n[d]++
				}
			}
		}
		return n
	}
	return count(source) == count(target)
}

// digit is the value of a decimal digit of any script, or -1. Each script has its digits
// from zero to nine one after another; the mathematical digits are five such rows, and so a
// range has a multiple of ten (Unicode, chapter 4.6).
func digit(r rune) int {
	if r >= '0' && r <= '9' {
		return int(r - '0')
	}
	if !unicode.IsDigit(r) {
		return -1
	}
	for _, g := range unicode.Nd.R16 {
		if r >= rune(g.Lo) && r <= rune(g.Hi) {
			return int(r-rune(g.Lo)) % 10
		}
	}
	for _, g := range unicode.Nd.R32 {
		if r >= rune(g.Lo) && r <= rune(g.Hi) {
			return int(r-rune(g.Lo)) % 10
		}
	}
	return -1
}
