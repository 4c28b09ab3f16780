package text

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// normalize applies the model's rules to s, as normalizer.cc does.
func (m *SentencePiece) normalize(s string) string {
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
	spaced := m.trim // the last thing written was a space
	for s != "" && b.Len() < spMaxText {
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

// rule is what the beginning of s becomes, and how many bytes that takes: a
// user-defined piece itself, the longest rule, or a character itself.
func (m *SentencePiece) rule(s string) (to string, n int) {
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

// charsMap is a precompiled_charsmap: a double array in the layout of
// Darts-clone (Yata) from byte strings to places in targets, which end in NUL.
type charsMap struct {
	units   []uint32
	targets string
}

func parseCharsMap(b []byte) (charsMap, error) {
	if len(b) == 0 {
		return charsMap{}, nil
	}
	if len(b) < 4 {
		return charsMap{}, errors.New("normalisation rules: cut short")
	}
	size := uint64(binary.LittleEndian.Uint32(b))
	if size%4 != 0 || size+4 > uint64(len(b)) {
		return charsMap{}, fmt.Errorf("normalisation rules: %d bytes for a table of %d", len(b), size)
	}
	c := charsMap{units: make([]uint32, size/4), targets: string(b[4+size:])}
	for target := range strings.SplitSeq(c.targets, "\x00") {
		if len(target) > spMaxTarget {
			return charsMap{}, fmt.Errorf("normalisation rules: a character becomes %d bytes, at most %d are taken", len(target), spMaxTarget)
		}
	}
	for i := range c.units {
		c.units[i] = binary.LittleEndian.Uint32(b[4+4*i:])
	}
	return c, nil
}

// longest is the target of the longest key that s begins with, and its length;
// n is 0 when there is none. The table is a stranger's: places outside it end
// the search.
func (c charsMap) longest(s string) (to string, n int) {
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
		if u>>8&1 == 0 {
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
