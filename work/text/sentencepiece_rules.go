package text

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// normalize applies the model's normalisation to s, as normalizer.cc of Google's library does.
func (m *SentencePiece) normalize(s string) string {
	// White space at the start, in the rules' sense: also characters that become a space.
	if m.trim {
		for s != "" {
			to, n := m.rule(s)
			if to != " " {
				break
			}
			s = s[n:]
		}
	}
	if s == "" {
		return ""
	}
	space := " "
	if m.escape {
		space = spSpace
	}
	var b strings.Builder
	if m.prefix && !m.suffix {
		b.WriteString(space)
	}
	// Rule after rule, with one space for a run of white space.
	spaced := m.trim // the text so far ends with a space
	for s != "" && b.Len() < spMaxText {
		// A rule may write several characters, or none.
		to, n := m.rule(s)
		if spaced {
			to = strings.TrimLeft(to, " ")
		}
		if to != "" {
			b.WriteString(strings.ReplaceAll(to, " ", space))
			spaced = strings.HasSuffix(to, " ")
		}
		s = s[n:]
		if !m.trim {
			spaced = false
		}
	}
	// White space at the end, and the space that replaces the one in front.
	out := b.String()
	if m.trim {
		for strings.HasSuffix(out, space) {
			out = strings.TrimSuffix(out, space)
		}
	}
	if m.prefix && m.suffix {
		out += space
	}
	return out
}

// rule returns the normal form of the beginning of s, and how many bytes of s it replaces. A
// user-defined piece stays unchanged; else the longest rule that matches applies; else one
// character stays unchanged.
func (m *SentencePiece) rule(s string) (to string, n int) {
	// The longest user-defined piece first.
	for n := min(m.longestDefined, len(s)); n > 0; n-- {
		if m.defined[s[:n]] {
			return s[:n], n
		}
	}
	if to, n = m.rules.longest(s); n > 0 {
		return to, n
	}
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n <= 1 {
		return "\uFFFD", 1
	}
	return s[:n], n
}

// charsMap is the normalisation rules of a model (its precompiled_charsmap): a trie from byte
// strings to offsets in targets, where each target ends with NUL. The trie is a double array
// in the layout of Darts-clone (Yata).
type charsMap struct {
	units   []uint32
	targets string
}

// parseCharsMap reads the size of the trie (4 bytes), the trie and the targets.
func parseCharsMap(b []byte) (charsMap, error) {
	if len(b) == 0 {
		return charsMap{}, nil
	}
	if len(b) < 4 {
		return charsMap{}, errors.New("normalisation rules: they are cut short")
	}
	size := uint64(binary.LittleEndian.Uint32(b))
	if size%4 != 0 || size+4 > uint64(len(b)) {
		return charsMap{}, fmt.Errorf("normalisation rules: %d bytes are too few for a table of %d", len(b), size)
	}
	c := charsMap{units: make([]uint32, size/4), targets: string(b[4+size:])}
	for target := range strings.SplitSeq(c.targets, "\x00") {
		if len(target) > spMaxTarget {
			return charsMap{}, fmt.Errorf("normalisation rules: a rule writes %d bytes, the limit is %d",
				len(target), spMaxTarget)
		}
	}
	for i := range c.units {
		c.units[i] = binary.LittleEndian.Uint32(b[4+4*i:])
	}
	return c, nil
}

// longest returns the target of the longest key that s begins with, and the key's length, or 0 if
// there is none. The table comes from a stranger, so an offset outside it ends the search.
func (c charsMap) longest(s string) (to string, n int) {
	// A unit holds the byte that leads to it (bits 0 to 7), whether a key ends below it (bit
	// 8), and the offset of its children; a leaf has bit 31 and an offset in targets.
	at := uint32(0)
	unit := func() (u uint32, ok bool) {
		if int64(at) >= int64(len(c.units)) {
			return 0, false
		}
		return c.units[at], true
	}
	offset := func(u uint32) uint32 { return u >> 10 << (u & (1 << 9) >> 6) }
	u, ok := unit()
	if !ok {
		return "", 0
	}
	at ^= offset(u)
	for i := range min(len(s), spMaxPiece) {
		at ^= uint32(s[i])
		if u, ok = unit(); !ok || u&(1<<31|0xFF) != uint32(s[i]) {
			break
		}
		at ^= offset(u)
		if u>>8&1 == 0 { // no key ends here
			continue
		}
		leaf, ok := unit()
		if from := leaf & (1<<31 - 1); ok && uint64(from) < uint64(len(c.targets)) {
			to, n = c.targets[from:], i+1
		}
	}
	if end := strings.IndexByte(to, 0); end >= 0 {
		to = to[:end]
	}
	return to, n
}
