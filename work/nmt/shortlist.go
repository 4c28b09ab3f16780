package nmt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// Shortlist limits the tokens that a translation may contain, to make decoding faster: a few
// candidates for each token of the source, and some that are always candidates. An
// [Engine] with a shortlist computes no logits of other tokens. A translation still
// depends on its own source only.
type Shortlist struct {
	always []int32 // ascending
	starts []int32 // by source token, and one more: the index in each of its first candidate
	each   []int32 // the candidates of each source token, ascending
}

// shortlistMagic is the beginning of a shortlist's file.
const shortlistMagic = "ALIASL1\n"

// Encode returns the contents of a shortlist's file.
//
// They are the 8 bytes "ALIASL1\n", the size of the vocabulary, the list of the tokens that
// are always candidates, and the list of each token of the vocabulary in sequence. A list
// is the number of its tokens, the first token, and for each further token how many tokens
// lie between it and the one before; lists ascend. Numbers are varints of 7 bits in a byte,
// the low bits first, in as few bytes as possible, as in encoding/binary.
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

// vocabularyError is the error of a shortlist for n tokens with a model of vocab tokens.
func vocabularyError(n uint64, vocab int) error {
	return fmt.Errorf("nmt: the shortlist is for %d tokens but the model has %d: build it with this model", n, vocab)
}

// ParseShortlist reads the contents of a shortlist's file for a vocabulary of vocab tokens.
// It accepts only the bytes that [Shortlist.Encode] returns.
func ParseShortlist(data []byte, vocab int) (*Shortlist, error) {
	if len(data) < len(shortlistMagic) || string(data[:len(shortlistMagic)]) != shortlistMagic {
		return nil, fmt.Errorf("%w: it does not begin with %q", errShortlist, shortlistMagic)
	}
	r := listReader{data: data[len(shortlistMagic):], vocab: vocab}
	if n := r.number(); r.err == nil && n != uint64(vocab) {
		return nil, vocabularyError(n, vocab)
	}
	// The reader keeps its first error, which the loop checks for each list.
	s := &Shortlist{always: r.list(nil), starts: []int32{0}}
	for range vocab {
		if s.each = r.list(s.each); r.err != nil {
			return nil, r.err
		}
		s.starts = append(s.starts, int32(len(s.each)))
	}
	if len(r.data) > 0 {
		return nil, fmt.Errorf("%w: %d bytes follow its end", errShortlist, len(r.data))
	}
	return s, nil
}

// listReader reads numbers and lists until the first error, which it keeps.
type listReader struct {
	data  []byte
	vocab int
	err   error
}

func (r *listReader) number() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 || n > 1 && r.data[n-1] == 0 {
		r.err = fmt.Errorf("%w: it ends early, or a number has more bytes than it needs", errShortlist)
		return 0
	}
	r.data = r.data[n:]
	return v
}

// list appends a list to ids.
func (r *listReader) list(ids []int32) []int32 {
	next := uint64(0)
	for n := r.number(); n > 0 && r.err == nil; n-- {
		// The minimum keeps the sum from wrapping around; it is out of bounds anyway.
		id := next + min(r.number(), uint64(r.vocab))
		if r.err == nil && id >= uint64(r.vocab) {
			r.err = fmt.Errorf("%w: a list goes beyond the last token, %d", errShortlist, r.vocab-1)
		}
		ids = append(ids, int32(id))
		next = id + 1
	}
	return ids
}

func (s *Shortlist) vocab() int { return len(s.starts) - 1 }

// of returns the candidates of a source token.
func (s *Shortlist) of(id int32) []int32 { return s.each[s.starts[id]:s.starts[id+1]] }

// Candidates returns the tokens that a translation of source may contain, ascending. EOS is
// always one of them, Pad and BOS never.
func (s *Shortlist) Candidates(source []int32, marks Marks) []int32 {
	c := newTokenSet(s.vocab()) // its tokens come out ascending, each once
	c.add(s.always)
	for _, id := range source {
		c.add(s.of(id))
	}
	c.add([]int32{marks.EOS})
	return slices.DeleteFunc(c.tokens(nil), marks.hidden)
}

// tokenSet is a set of tokens, with one bit for each.
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
