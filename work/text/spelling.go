package text

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Lengths gives the fewest and the most tokens, limit at most, of which Decode
// makes s. It is not ok where no limit tokens or fewer give s. Of a text that holds
// U+FFFD, which may stand for any bytes that are not UTF-8, least is a lower bound
// and most an upper one.
func (t *BPE) Lengths(s string, limit int) (least, most int, ok bool) {
	t.once.Do(func() { t.spelling = newBPESpelling(t.pieces) })
	spelt, at := s, anywhere
	if strings.HasPrefix(s, " ") {
		spelt = " " + s // of the two spaces Decode took one away
	} else {
		at |= first
	}
	if least, ok = t.spelling.fewest(spelt, at, limit); !ok {
		return 0, 0, false
	}
	if strings.ContainsRune(s, unicode.ReplacementChar) {
		return least, limit, true
	}
	return least, min(len(s)+1, limit), true // each token gives a byte or more
}

// Lengths gives the fewest tokens of which Decode makes s, and limit as the most:
// tokens that stand for no text may be among them. It is not ok where no limit
// tokens or fewer give s. Of a text that holds U+FFFD, which may stand for any bytes
// that are not UTF-8, least is a lower bound.
func (m *Marian) Lengths(s string, limit int) (least, most int, ok bool) {
	m.once.Do(func() { m.spelling = newMarianSpelling(m.written) })
	least, ok = m.spelling.fewest(s, anywhere|first|last|only, limit)
	return least, limit, ok
}

// Longest is the most bytes that one token gives to a text.
func (t *BPE) Longest() int { return longest(t.pieces) }

// Longest is the most bytes that one token gives to a text.
func (m *Marian) Longest() int { return longest(m.written) }

// longest counts three bytes for each that is not ASCII: such a byte may become
// a U+FFFD.
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

// places says where in a text a piece may stand.
type places uint8

const (
	anywhere places = 1 << iota
	first           // at the beginning
	last            // at the end
	only            // as the whole
)

// spelling finds how few pieces a text can be put together from.
type spelling struct {
	pieces  map[string]places
	longest [256]int // by first byte: the bytes of the longest piece
	most    int      // of longest
}

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

// newBPESpelling knows the pieces of a BPE, and that Decode takes away one space
// at the beginning.
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

// newMarianSpelling knows what the tokens of a Marian vocabulary write, and that
// Decode takes away white space at both ends.
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

// fewest gives the fewest pieces that make s, each at one of the places in at where
// s.pieces allows it. It is not ok where more than limit are needed.
func (s *spelling) fewest(text string, at places, limit int) (n int, ok bool) {
	const fffd = "\uFFFD"
	if n := strings.Count(text, fffd); n > 0 {
		// Bytes that are not UTF-8 may lie within a piece, beside the text's own.
		own := len(text) - n*len(fffd)
		least := max(1, (own+s.most-1)/s.most)
		return least, least <= limit
	}
	if len(text)/max(s.most, 1) > limit {
		return 0, false
	}
	// few[i] is the fewest pieces that make the first i bytes.
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

// extend sets few after each piece that may begin at byte i.
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
