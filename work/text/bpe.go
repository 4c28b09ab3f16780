package text

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// The ids every tokenizer has. A byte b has the id FirstByte+b; merged pieces
// follow from FirstMerge on.
const (
	Pad        int32 = 0 // fills; never produced by Encode
	BOS        int32 = 1 // begins a sentence; never produced by Encode
	EOS        int32 = 2 // ends a sentence; never produced by Encode
	FirstByte  int32 = 3
	FirstMerge int32 = MinPieces
)

const (
	// MinPieces is the smallest vocabulary: three special ids and the bytes.
	MinPieces = 259
	// MaxPieces is the largest vocabulary that Train makes and Parse takes.
	MaxPieces = 1 << 16

	maxPiece = 4 * (maxWord + 1) // bytes of a piece: no word is longer
	maxCache = 1 << 15           // words remembered by Encode
)

var special = [FirstByte]string{Pad: "<pad>", BOS: "<s>", EOS: "</s>"}

// pair is two neighbouring pieces. Merging pair number r of a tokenizer makes
// piece FirstMerge+r; r is its rank, and lower ranks are applied first.
type pair struct{ left, right int32 }

// BPE is a byte-level byte-pair encoding. It does not change once made,
// and may be used from several goroutines at once.
type BPE struct {
	pieces []string         // id -> bytes; "" for the special ids
	ids    map[string]int32 // the reverse, special ids not included
	merges []pair
	ranks  map[pair]int32 // the reverse

	mu    sync.Mutex // guards cache
	cache map[string][]int32
}

// newTokenizer returns the tokenizer without merges.
func newTokenizer() *BPE {
	t := &BPE{
		pieces: make([]string, FirstMerge),
		ids:    make(map[string]int32),
		ranks:  make(map[pair]int32),
		cache:  make(map[string][]int32),
	}
	for b := range 256 {
		id, s := FirstByte+int32(b), string([]byte{byte(b)})
		t.pieces[id], t.ids[s] = s, id
	}
	return t
}

// add appends a merge. Training never makes the same bytes out of two pairs:
// inside the span of one piece the merges take the same course everywhere.
func (t *BPE) add(p pair) error {
	s := t.pieces[p.left] + t.pieces[p.right]
	switch {
	case len(t.pieces) == MaxPieces:
		return fmt.Errorf("more than %d pieces", MaxPieces)
	case p.left < FirstByte || p.right < FirstByte:
		return fmt.Errorf("merge %d has a special piece", len(t.merges))
	case len(s) > maxPiece:
		return fmt.Errorf("merge %d makes a piece of %d bytes, the limit is %d", len(t.merges), len(s), maxPiece)
	case slices.Contains(special[:], s):
		return fmt.Errorf("merge %d makes %q, the name of a special piece", len(t.merges), s)
	}
	if _, ok := t.ids[s]; ok {
		return fmt.Errorf("merge %d makes a piece that is there already", len(t.merges))
	}
	t.ids[s] = int32(len(t.pieces))
	t.pieces = append(t.pieces, s)
	t.ranks[p] = int32(len(t.merges))
	t.merges = append(t.merges, p)
	return nil
}

// Pieces returns the size of the vocabulary: ids are 0 to Pieces()-1.
func (t *BPE) Pieces() int { return len(t.pieces) }

// Encode returns the ids of a text. It neither normalises the text nor adds
// BOS or EOS; text that looks like a special piece ("<s>") is text.
func (t *BPE) Encode(s string) []int32 {
	if s == "" {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	ids := make([]int32, 0, len(s)/3+1)
	for s = " " + s; s != ""; {
		n := wordLen(s)
		ids = append(ids, t.word(s[:n])...)
		s = s[n:]
	}
	return ids
}

// Source returns the ids of a source text, normalised.
func (t *BPE) Source(s string) []int32 { return t.Encode(Normalize(s)) }

// Target returns the ids of a target text, normalised.
func (t *BPE) Target(s string) []int32 { return t.Encode(Normalize(s)) }

// word returns the ids of one word, from the cache where it is there.
func (t *BPE) word(w string) []int32 {
	if ids, ok := t.cache[w]; ok {
		return ids
	}
	ids := byteIDs(w)
	for len(ids) > 1 {
		best, at := int32(len(t.merges)), 0
		for i := range ids[1:] {
			if r, ok := t.ranks[pair{ids[i], ids[i+1]}]; ok && r < best {
				best, at = r, i
			}
		}
		if int(best) == len(t.merges) {
			break
		}
		ids[at] = FirstMerge + best
		ids = append(ids[:at+1], ids[at+2:]...)
	}
	if len(t.cache) >= maxCache {
		clear(t.cache) // what is remembered never changes an answer
	}
	t.cache[strings.Clone(w)] = ids
	return ids
}

// byteIDs returns the ids of the bytes of w.
func byteIDs(w string) []int32 {
	ids := make([]int32, len(w))
	for i := range len(w) {
		ids[i] = FirstByte + int32(w[i])
	}
	return ids
}

// Decode returns the text of ids, without the space that Encode put before it.
// Special ids, and ids outside the vocabulary, stand for nothing. Bytes that
// are not UTF-8, which a model may produce, become U+FFFD.
func (t *BPE) Decode(ids []int32) string {
	var b strings.Builder
	for _, id := range ids {
		if id >= FirstByte && int(id) < len(t.pieces) {
			b.WriteString(t.pieces[id])
		}
	}
	return strings.ToValidUTF8(strings.TrimPrefix(b.String(), " "), "\uFFFD")
}
