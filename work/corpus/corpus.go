// Package corpus turns parallel text into clean pairs and batches.
//
// A [Corpus] is pairs of sentences and their translations. [Open] reads one from a directory
// of line-aligned files or from a file of tab-separated pairs. [Phrasebook] generates the
// project's own English-German corpus. [Corpus.Clean] normalises pairs and drops those that
// training cannot use. [Marshal] encodes pairs in the only form that content addresses (CIDs)
// refer to. [Batches] divides the tokenised pairs of an epoch into batches.
//
//	c, err := corpus.Open("multi30k", "en", "de")
//	if err != nil {
//		return err
//	}
//	fmt.Println(c.Clean())          // 29000 pairs: 28995 kept, 0 empty, ...
//	data := corpus.Marshal(c.Train) // content-addressed by the caller
//	for _, batch := range corpus.Batches(lengths, 1024, seed, epoch) {
//		// batch has indexes of pairs
//	}
//
// Only Open touches files, and all arithmetic is in integers: the same corpus gives the same
// pairs, bytes and batches on every machine.
package corpus

import (
	"fmt"
	"iter"
	"strings"

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
	Train, Valid   []Pair
	Tests          []Split
}

const (
	// MaxSentence is the length in bytes of the longest sentence that Clean keeps in a
	// training pair.
	MaxSentence = 1024
	// MaxRatio bounds the ratio of the lengths of a training pair: Clean keeps sentences of
	// a and b bytes if a <= MaxRatio*b + ratioSlack and b <= MaxRatio*a + ratioSlack.
	MaxRatio   = 3
	ratioSlack = 20
)

// Report counts the training pairs that Clean read and dropped, by reason. A pair counts for the
// first reason that applies.
type Report struct {
	Pairs     int // pairs before cleaning
	Empty     int // dropped: a sentence without text
	Long      int // dropped: a sentence longer than MaxSentence
	Lopsided  int // dropped: lengths too different, see MaxRatio
	HeldOut   int // dropped: also in Valid or Tests
	Duplicate int // dropped: the same pair came before
}

// Kept returns the number of training pairs left.
func (r Report) Kept() int {
	return r.Pairs - r.Empty - r.Long - r.Lopsided - r.HeldOut - r.Duplicate
}

// String writes the report as one line, with the reasons for which pairs were dropped.
func (r Report) String() string {
	line := fmt.Sprintf("%d pairs: %d kept", r.Pairs, r.Kept())
	for _, dropped := range []struct {
		pairs int
		why   string
	}{{r.Empty, "empty"}, {r.Long, "too long"}, {r.Lopsided, "lopsided"}, {r.HeldOut, "held out"}, {r.Duplicate, "duplicate"}} {
		if dropped.pairs > 0 {
			line += fmt.Sprintf(", %d %s", dropped.pairs, dropped.why)
		}
	}
	return line
}

// Clean normalises every pair (see [text.Normalize]). It drops training pairs that are empty, too
// long or lopsided, that also occur in Valid or Tests, or that are duplicates. Valid and Tests
// keep all their pairs, so that scores measured on them can be compared with published ones.
func (c *Corpus) Clean() Report {
	// First the pairs that training must not see.
	report := Report{Pairs: len(c.Train)}
	held := make(map[Pair]bool)
	for _, pairs := range append([][]Pair{c.Valid}, pairsOf(c.Tests)...) {
		for i, p := range pairs {
			pairs[i] = Pair{text.Normalize(p.Source), text.Normalize(p.Target)}
			held[pairs[i]] = true
		}
	}
	// Then the training pairs, in place: those kept never outrun those read.
	seen := make(map[Pair]bool, len(c.Train))
	kept := c.Train[:0]
	for _, p := range c.Train {
		p = Pair{text.Normalize(p.Source), text.Normalize(p.Target)}
		a, b := len(p.Source), len(p.Target)
		switch { // in the sequence of Report's fields
		case a == 0 || b == 0:
			report.Empty++
		case max(a, b) > MaxSentence:
			report.Long++
		case max(a, b) > MaxRatio*min(a, b)+ratioSlack:
			report.Lopsided++
		case held[p]:
			report.HeldOut++
		case seen[p]:
			report.Duplicate++
		default:
			seen[p] = true
			kept = append(kept, p)
		}
	}
	c.Train = kept
	return report
}

// pairsOf returns the pairs of each split.
func pairsOf(splits []Split) [][]Pair {
	out := make([][]Pair, len(splits))
	for i, s := range splits {
		out[i] = s.Pairs
	}
	return out
}

// holdOut moves a twentieth of Train, at most 500 pairs, to Valid. It chooses by a hash of the
// text, so that adding pairs to a corpus, or sorting it, changes the choice very little. Equal
// pairs stay together.
func (c *Corpus) holdOut() {
	const most, share = 500, 20
	want := min(most, (len(c.Train)+share-1)/share)
	// The pairs with the smallest hashes are held out.
	hashes := make([]uint64, len(c.Train))
	for i, p := range c.Train {
		hashes[i] = hash(p.Source + "\t" + p.Target)
	}
	limit := quantile(hashes, want)
	var train []Pair
	for i, p := range c.Train {
		if hashes[i] <= limit {
			c.Valid = append(c.Valid, p)
		} else {
			train = append(train, p)
		}
	}
	c.Train = train
}

// Lines returns the sentences of pairs, the source and then the target of each, to train a
// tokenizer for both languages.
func Lines(pairs []Pair) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, p := range pairs {
			if !yield(p.Source) || !yield(p.Target) {
				return
			}
		}
	}
}

// cutTab returns the two columns of a line of tab-separated values, and whether there are two.
func cutTab(line string) (Pair, bool) {
	source, target, ok := strings.Cut(line, "\t")
	return Pair{source, target}, ok && !strings.Contains(target, "\t")
}

// Sides returns the sources and the targets of pairs.
func Sides(pairs []Pair) (sources, targets []string) {
	for _, p := range pairs {
		sources, targets = append(sources, p.Source), append(targets, p.Target)
	}
	return sources, targets
}
