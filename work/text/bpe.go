package text

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// The ids of every BPE. Encode never returns Pad, BOS or EOS.
const (
	Pad        int32 = 0         // padding
	BOS        int32 = 1         // beginning of a sentence
	EOS        int32 = 2         // end of a sentence
	FirstByte  int32 = 3         // byte b has the id FirstByte+b
	FirstMerge int32 = MinPieces // merge number r has the id FirstMerge+r
)

const (
	// MinPieces is the size of the smallest vocabulary: three special ids and 256 bytes.
	MinPieces = 259
	// MaxPieces is the size of the largest vocabulary that Train makes and Parse accepts.
	MaxPieces = 1 << 16

	maxPiece = 4 * (maxWord + 1) // bytes of a piece: no word is longer
	maxCache = 1 << 15           // words remembered by Encode
)

var special = [FirstByte]string{Pad: "<pad>", BOS: "<s>", EOS: "</s>"}

// pair is two adjacent pieces. The merge with rank r joins a pair to the piece FirstMerge+r.
// Encode applies lower ranks first.
type pair struct{ left, right int32 }

// BPE is a byte-level byte-pair encoding. It does not change after it was made, and several
// goroutines may use it at once.
type BPE struct {
	pieces []string         // by id: its bytes; "" for the special ids
	ids    map[string]int32 // by bytes: the id, without the special ids
	merges []pair           // by rank
	ranks  map[pair]int32   // by pair: the rank of its merge

	mu    sync.Mutex         // guards cache
	cache map[string][]int32 // by word: its ids

	once     sync.Once // makes spelling
	spelling *spelling
}

// newBPE returns the BPE without merges.
func newBPE() *BPE {
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

// add appends a merge. It returns an error for a merge that training never makes. In
// particular training never makes the same bytes from two pairs, because equal bytes are
// merged in the same way everywhere.
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
		return fmt.Errorf("merge %d makes a piece that exists already", len(t.merges))
	}
	t.ids[s] = int32(len(t.pieces))
	t.pieces = append(t.pieces, s)
	t.ranks[p] = int32(len(t.merges))
	t.merges = append(t.merges, p)
	return nil
}

// Pieces returns the size of the vocabulary. Ids are 0 to Pieces()-1.
func (t *BPE) Pieces() int { return len(t.pieces) }

// Encode returns the ids of a text. It does not normalise the text and adds neither BOS nor
// EOS. A text such as "<s>" has the ids of its characters, never a special id.
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

// Source normalises a source text and returns its ids.
func (t *BPE) Source(s string) []int32 { return t.Encode(Normalize(s)) }

// Target normalises a target text and returns its ids.
func (t *BPE) Target(s string) []int32 { return t.Encode(Normalize(s)) }

// word returns the ids of one word, from the cache if the word is there. t.mu must be locked.
func (t *BPE) word(w string) []int32 {
	if ids, ok := t.cache[w]; ok {
		return ids
	}
	// Again and again, apply the merge with the lowest rank, at its first place.
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
		clear(t.cache) // the cache only saves time
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

// Decode returns the text of ids without the space that Encode put in front. It ignores special
// ids and ids outside the vocabulary. A model may produce bytes that are not UTF-8; they
// become U+FFFD.
func (t *BPE) Decode(ids []int32) string {
	var b strings.Builder
	for _, id := range ids {
		if id >= FirstByte && int(id) < len(t.pieces) {
			b.WriteString(t.pieces[id])
		}
	}
	return strings.ToValidUTF8(strings.TrimPrefix(b.String(), " "), "\uFFFD")
}
