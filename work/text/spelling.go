package text

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Lengths returns the smallest and the largest number of tokens, at most limit, from which Decode makes s. ok
// is false if limit tokens or fewer cannot give s.
//
// A text with U+FFFD is special, because Decode writes U+FFFD for any bytes that are not UTF-8. For it, least
// is a lower bound and most an upper bound.
func (t *BPE) Lengths(s string, limit int) (least, most int, ok bool) {
	t.once.Do(func() { t.spelling = newBPESpelling(t.pieces) })
	spelt, at := s, anywhere
	if strings.HasPrefix(s, " ") {
		spelt = " " + s // Decode has removed one of two spaces
	} else {
		at |= first
	}
	if least, ok = t.spelling.fewest(spelt, at, limit); !ok {
		return 0, 0, false
	}
	if strings.ContainsRune(s, unicode.ReplacementChar) {
		return least, limit, true
	}
	return least, min(len(s)+1, limit), true // each token writes at least one byte
}

// Lengths returns the smallest number of tokens from which Decode makes s. The largest number is limit, because
// tokens without text may be among them. ok is false if limit tokens or fewer cannot give s. For a text with
// U+FFFD, which Decode writes for any bytes that are not UTF-8, least is a lower bound.
func (m *Marian) Lengths(s string, limit int) (least, most int, ok bool) {
	m.once.Do(func() { m.spelling = newMarianSpelling(m.written) })
	least, ok = m.spelling.fewest(s, anywhere|first|last|only, limit)
	return least, limit, ok
}

// Longest returns the largest number of bytes that one token adds to a text.
func (t *BPE) Longest() int { return longest(t.pieces) }

// Longest returns the largest number of bytes that one token adds to a text.
func (m *Marian) Longest() int { return longest(m.written) }

// longest counts three bytes for each byte that is not ASCII, since it may become a U+FFFD.
func longest(pieces []string) int {
	most := 0
	for _, p := range pieces {
		n := len(p)
		for i := range len(p) {
			if p[i] >= utf8.RuneSelf {
				n += 2
			}
		}
		most = max(most, n)
	}
	return most
}

// places is the set of places in a text where a piece may be.
type places uint8

const (
	anywhere places = 1 << iota
	first           // at the beginning
	last            // at the end
	only            // as the whole
)

// spelling finds the smallest number of pieces that make a text.
type spelling struct {
	pieces  map[string]places
	longest [256]int // by first byte: the length of the longest piece
	most    int      // the largest of longest
}

// add allows a piece at the given places.
func (s *spelling) add(piece string, at places) {
	if piece == "" {
		return
	}
	if s.pieces == nil {
		s.pieces = map[string]places{}
	}
	s.pieces[piece] |= at
	s.longest[piece[0]] = max(s.longest[piece[0]], len(piece))
	s.most = max(s.most, len(piece))
}

// newBPESpelling returns the spelling of a BPE, whose Decode removes one space at the beginning.
func newBPESpelling(pieces []string) *spelling {
	s := &spelling{}
	for _, p := range pieces {
		s.add(p, anywhere)
		if rest, ok := strings.CutPrefix(p, " "); ok {
			s.add(rest, first)
		}
	}
	return s
}

// newMarianSpelling returns the spelling of a Marian vocabulary, whose Decode removes white space at both ends.
// written is the text of each token.
func newMarianSpelling(written []string) *spelling {
	s := &spelling{}
	for _, w := range written {
		s.add(w, anywhere)
		s.add(strings.TrimLeftFunc(w, unicode.IsSpace), first)
		s.add(strings.TrimRightFunc(w, unicode.IsSpace), last)
		s.add(strings.TrimSpace(w), only)
	}
	return s
}

// fewest returns the smallest number of pieces that make text. Each piece must be at a place that s.pieces allows
// and that is in at. ok is false if more than limit pieces are needed.
func (s *spelling) fewest(text string, at places, limit int) (n int, ok bool) {
	const fffd = "\uFFFD"
	if n := strings.Count(text, fffd); n > 0 {
		// One piece may have bytes that are not UTF-8 and bytes of the text itself. Only the
		// latter give a bound.
		own := len(text) - n*len(fffd)
		least := max(1, (own+s.most-1)/s.most)
		return least, least <= limit
	}
	if len(text)/max(s.most, 1) > limit { // too long even for the longest pieces
		return 0, false
	}
	// few[i] is the smallest number of pieces that make the first i bytes.
	few := make([]int32, len(text)+1)
	for i := range few[1:] {
		few[1+i] = math.MaxInt32
	}
	for i := range len(text) { // every byte: a piece may begin within a character
		s.extend(text, i, at, few)
	}
	n = int(few[len(text)])
	return n, n <= limit
}

// extend updates few at the end of each piece that may begin at byte i.
func (s *spelling) extend(text string, i int, at places, few []int32) {
	if few[i] == math.MaxInt32 {
		return
	}
	for end := i + 1; end <= min(len(text), i+s.longest[text[i]]); end++ {
		may := s.pieces[text[i:end]] & at
		if i > 0 {
			may &^= first | only
		}
		if end < len(text) {
			may &^= last | only
		}
		if may != 0 {
			few[end] = min(few[end], few[i]+1)
		}
	}
}
