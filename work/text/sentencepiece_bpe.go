package text

import (
	"container/heap"
	"strings"
	"unicode/utf8"
)

// The three types of models beside unigram models, as bpe_model.cc, word_model.cc and char_model.cc
// of Google's library divide a normalised text.

// start is the length of the beginning of s that no model divides: of the longest user-defined
// piece, which does not become part of another piece, or else of one character.
func (m *SentencePiece) start(s string) (n int, defined bool) {
	for n := min(m.longestDefined, len(s)); n > 0; n-- {
		if m.defined[s[:n]] {
			return n, true
		}
	}
	_, n = utf8.DecodeRuneInString(s)
	return n, false
}

// idOf is the id of a part of a text.
func (m *SentencePiece) idOf(part string) int32 {
	if id, ok := m.ids[part]; ok {
		return id
	}
	return m.unknown
}

// chars divides s into characters and user-defined pieces.
func (m *SentencePiece) chars(s string) (path []span) {
	for at := 0; at < len(s); {
		n, _ := m.start(s[at:])
		path = append(path, span{m.idOf(s[at : at+n]), at, at + n})
		at += n
	}
	return path
}

// words divides s in front of each space.
func (m *SentencePiece) words(s string) (path []span) {
	for at := 0; at < len(s); {
		until := len(s)
		if n := strings.Index(s[at+1:], spSpace); n >= 0 {
			until = at + 1 + n
		}
		path = append(path, span{m.idOf(s[at:until]), at, until})
		at = until
	}
	return path
}

// symbol is a part of a text while pairs of parts become pieces. It is empty after it became part
// of the one in front.
type symbol struct {
	from, until int
	before      int  // the indexes of its neighbours; -1 for none
	after       int  // likewise
	whole       bool // a user-defined piece
}

// merge is two neighbours that are a piece together.
type merge struct {
	left, right int // their indexes
	size        int // their bytes together
	score       float32
}

// merges is a heap of merges: the highest score first, then the leftmost.
type merges []merge

func (h merges) Len() int      { return len(h) }
func (h merges) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h merges) Less(i, j int) bool {
	if h[i].score != h[j].score {
		return h[i].score > h[j].score
	}
	return h[i].left < h[j].left
}
func (h *merges) Push(x any) { *h = append(*h, x.(merge)) }
func (h *merges) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// bpe divides s by merges (Sennrich et al., 2016): of all pairs of neighbours that are a piece
// together, that with the highest score becomes one, until there is none.
func (m *SentencePiece) bpe(s string) (path []span) {
	var all []symbol
	for at := 0; at < len(s); {
		n, whole := m.start(s[at:])
		all = append(all, symbol{at, at + n, len(all) - 1, len(all) + 1, whole})
		at += n
	}
	if len(all) == 0 {
		return nil
	}
	all[len(all)-1].after = -1
	var agenda merges
	cuts := map[string]int{} // by unused piece: where it is divided again
	offer := func(left, right int) {
		if left < 0 || right < 0 || all[left].whole || all[right].whole {
			return
		}
		part := s[all[left].from:all[right].until]
		id, ok := m.ids[part]
		if !ok {
			return
		}
		heap.Push(&agenda, merge{left, right, len(part), m.pieces[id].score})
		if m.pieces[id].kind == spUnused {
			cuts[part] = all[left].until - all[left].from
		}
	}
	for i := 1; i < len(all); i++ {
		offer(i-1, i)
	}
	for len(agenda) > 0 {
		top := heap.Pop(&agenda).(merge)
		left, right := &all[top.left], &all[top.right]
		size := right.until - right.from
		if size == 0 || left.until == left.from || left.until-left.from+size != top.size {
			continue // one of them has become part of another piece
		}
		left.until, left.after = right.until, right.after
		if right.after >= 0 {
			all[right.after].before = top.left
		}
		right.from = right.until
		offer(left.before, top.left)
		offer(top.left, left.after)
	}
	for i := 0; i >= 0; i = all[i].after {
		path = m.used(path, cuts, s, all[i].from, all[i].until)
	}
	return path
}

// used appends a part of s to a path: as it is, or divided again where it is an unused piece.
func (m *SentencePiece) used(path []span, cuts map[string]int, s string, from, until int) []span {
	part := s[from:until]
	id := m.idOf(part)
	cut, ok := cuts[part]
	if !ok || id == m.unknown || m.pieces[id].kind != spUnused {
		return append(path, span{id, from, until})
	}
	return m.used(m.used(path, cuts, s, from, from+cut), cuts, s, from+cut, until)
}
