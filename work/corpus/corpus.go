// Package corpus turns parallel text into clean pairs and batches.
//
// A [Corpus] is pairs of sentences and their translations. [Open] reads one from files: those of
// a directory with a sentence on each line, tables, translation memories and gettext catalogs.
// It normalises the pairs and drops those that training cannot use; a [Report] says which, and
// by which [Rule]. The training pairs stay in the files, and [Corpus.Pairs] reads them again each
// time, so a corpus of any length takes little memory. [Phrasebook] generates the project's own
// English-German corpus, in memory. [Marshal] encodes pairs in one form, to which content
// addresses (CIDs, hashes of bytes) refer. [Batches] divides the tokenised pairs of an epoch into batches.
//
//	c, report, err := corpus.Open("multi30k", corpus.Selection{Source: "en", Target: "de"})
//	if err != nil {
//		return err
//	}
//	fmt.Println(report) // 29000 pairs: 28995 kept, ...
//	for pair, err := range c.Pairs() {
//		// tokenise
//	}
//	for _, batch := range corpus.Batches(lengths, 1024, seed, epoch) {
//		// batch has indexes of pairs
//	}
//
// Only Open and Pairs touch files, and all arithmetic is in integers: the same corpus gives the
// same pairs, bytes and batches on every machine. [Rules] is the version of the rules for
// dropping pairs.
package corpus

import (
	"fmt"
	"iter"
	"math/bits"

	"github.com/alia-network/alia/work/text"
)

// Pair is a sentence and its translation.
type Pair struct{ Source, Target string }

// Split is a named part of a corpus.
type Split struct {
	Name  string
	Pairs []Pair
}

// Corpus is parallel text in three parts: pairs for training, pairs for validation during
// training, and any number of tests. Source and Target are the names of the languages, such as
// "en".
type Corpus struct {
	Source, Target string
	Train          []Pair // in memory; none where Stream is given
	Valid          []Pair
	Tests          []Split

	// Stream, unless nil, reads the training pairs from where they lie, in the same sequence
	// each time. The sequence ends with the first error.
	Stream func() iter.Seq2[Pair, error]

	count int // pairs of Stream
}

// Streamed returns a corpus whose training pairs, count of them, are read by stream.
func Streamed(src, tgt string, count int, stream func() iter.Seq2[Pair, error]) *Corpus {
	return &Corpus{Source: src, Target: tgt, Stream: stream, count: count}
}

// Len returns the number of training pairs.
func (c *Corpus) Len() int {
	if c.Stream != nil {
		return c.count
	}
	return len(c.Train)
}

// Pairs reads the training pairs. The sequence ends with the first error; pairs in memory have
// none.
func (c *Corpus) Pairs() iter.Seq2[Pair, error] {
	if c.Stream != nil {
		return c.Stream()
	}
	return func(yield func(Pair, error) bool) {
		for _, p := range c.Train {
			if !yield(p, nil) {
				return
			}
		}
	}
}

// Load reads the training pairs into memory, as Train.
func (c *Corpus) Load() error {
	if c.Stream == nil {
		return nil
	}
	train := make([]Pair, 0, c.count)
	size := 0
	for p, err := range c.Stream() {
		if err != nil {
			return err
		}
		if size += len(p.Source) + len(p.Target); size > MaxMarshal {
			return fmt.Errorf("the corpus has more than %d bytes of text: give a part of it", MaxMarshal)
		}
		train = append(train, p)
	}
	c.Train, c.Stream, c.count = train, nil, 0
	return nil
}

// MaxLearned is the bytes of text that a tokenizer is trained on. More text makes hardly any
// other pieces, and takes memory for every word that it has.
const MaxLearned = 1 << 25

// Tokenizer trains the tokenizer of both languages on the training pairs. Of a corpus with more
// than MaxLearned bytes it reads a part, chosen by hashes of the pairs, so that the sequence of
// the pairs has no influence.
func (c *Corpus) Tokenizer(pieces int) (*text.BPE, error) {
	var failure error
	t, err := text.Train(c.learned(MaxLearned, &failure), pieces)
	if failure != nil {
		return nil, fmt.Errorf("train tokenizer: %w", failure)
	}
	return t, err
}

// learned yields the sentences for a tokenizer, of most bytes or a few more. It sets failure if
// not all could be read.
func (c *Corpus) learned(most uint64, failure *error) iter.Seq[string] {
	return func(yield func(string) bool) {
		size := uint64(0)
		for p, err := range c.Pairs() {
			if err != nil {
				*failure = err
				return
			}
			size += uint64(len(p.Source) + len(p.Target))
		}
		limit := ^uint64(0)
		if size > most {
			limit, _ = bits.Div64(most, 0, size) // the part most/size of all hashes
		}
		for p, err := range c.Pairs() {
			if err != nil {
				*failure = err
				return
			}
			if hashOf(p) <= limit && (!yield(p.Source) || !yield(p.Target)) {
				return
			}
		}
	}
}

// Sides returns the sources and the targets of pairs.
func Sides(pairs []Pair) (sources, targets []string) {
	for _, p := range pairs {
		sources, targets = append(sources, p.Source), append(targets, p.Target)
	}
	return sources, targets
}
