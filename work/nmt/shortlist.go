package nmt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// Shortlist names the tokens that a translation may be written in, given the
// tokens of its source: some for each source token, and some always. What is
// written of a sentence depends on its own candidates and on no other's. An
// Engine that has one computes the logits of no other token.
type Shortlist struct {
	always []int32 // ascending
	starts []int32 // by source token, and one more: where its own begin in each
	each   []int32 // ascending by source token
}

// shortlistMagic begins a file of a shortlist.
const shortlistMagic = "ALIASL1\n"

// Encode gives the contents of a shortlist's file: the 8 bytes "ALIASL1\n", the
// size of the vocabulary, the list of what is always a candidate, and the list
// of each token of the vocabulary in order. A list is the number of its tokens,
// the first token, and for each further one how many lie between it and the one
// before: lists ascend. Numbers are varints of 7 bits a byte, the low ones
// first, as in encoding/binary, in as few bytes as they fit.
func (s *Shortlist) Encode() []byte {
	b := binary.AppendUvarint([]byte(shortlistMagic), uint64(s.vocab()))
	b = appendList(b, s.always)
	for id := range s.vocab() {
		b = appendList(b, s.of(int32(id)))
	}
	return b
}

func appendList(b []byte, ids []int32) []byte {
	b = binary.AppendUvarint(b, uint64(len(ids)))
	next := int32(0)
	for _, id := range ids {
		b = binary.AppendUvarint(b, uint64(id-next))
		next = id + 1
	}
	return b
}

var errShortlist = errors.New("nmt: damaged shortlist")

// ParseShortlist reads the contents of a shortlist's file, for a vocabulary of
// that many tokens. It accepts what Encode gives and nothing else.
func ParseShortlist(data []byte, vocab int) (*Shortlist, error) {
	if len(data) < len(shortlistMagic) || string(data[:len(shortlistMagic)]) != shortlistMagic {
		return nil, fmt.Errorf("%w: it does not begin with %q", errShortlist, shortlistMagic)
	}
	r := listReader{data: data[len(shortlistMagic):], vocab: vocab}
	if n := r.number(); r.err == nil && n != uint64(vocab) {
		return nil, fmt.Errorf("nmt: the shortlist is of %d tokens, the model has %d: build it with this model", n, vocab)
	}
	s := &Shortlist{always: r.list(nil), starts: []int32{0}}
	for range vocab {
		if s.each = r.list(s.each); r.err != nil {
			return nil, r.err
		}
		s.starts = append(s.starts, int32(len(s.each)))
	}
	if len(r.data) > 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", errShortlist, len(r.data))
	}
	return s, nil
}

// listReader reads lists until the first error.
type listReader struct {
	data  []byte
	vocab int
	err   error
}

func (r *listReader) number() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 || n > 1 && r.data[n-1] == 0 {
		r.err = fmt.Errorf("%w: it ends early, or a number is not as short as it could be", errShortlist)
		return 0
	}
	r.data = r.data[n:]
	return v
}

// list appends a list to ids.
func (r *listReader) list(ids []int32) []int32 {
	next := uint64(0)
	for n := r.number(); n > 0 && r.err == nil; n-- {
		id := next + min(r.number(), uint64(r.vocab))
		if r.err == nil && id >= uint64(r.vocab) {
			r.err = fmt.Errorf("%w: a list passes token %d, the last", errShortlist, r.vocab-1)
		}
		ids = append(ids, int32(id))
		next = id + 1
	}
	return ids
}

func (s *Shortlist) vocab() int { return len(s.starts) - 1 }

// of is the candidates of a source token.
func (s *Shortlist) of(id int32) []int32 { return s.each[s.starts[id]:s.starts[id+1]] }

// Candidates gives the tokens that a translation of source may be written in,
// ascending, marks.EOS among them and none that is never written.
func (s *Shortlist) Candidates(source []int32, marks Marks) []int32 {
	c := newTokenSet(s.vocab())
	c.add(s.always)
	for _, id := range source {
		c.add(s.of(id))
	}
	c.add([]int32{marks.EOS})
	return slices.DeleteFunc(c.tokens(nil), marks.hidden)
}

// tokenSet is a bit for each token.
type tokenSet []uint64

func newTokenSet(vocab int) tokenSet { return make(tokenSet, (vocab+63)/64) }

func (s tokenSet) add(ids []int32) {
	for _, id := range ids {
		s[id/64] |= 1 << (id % 64)
	}
}

// tokens appends the set's tokens, ascending.
func (s tokenSet) tokens(ids []int32) []int32 {
	for i, word := range s {
		for ; word != 0; word &= word - 1 {
			ids = append(ids, int32(64*i+bits.TrailingZeros64(word)))
		}
	}
	return ids
}
