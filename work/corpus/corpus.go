// Package corpus is parallel text in, clean deduplicated batches out.
//
// [Open] reads a directory of line-aligned files or one file of tab-separated
// pairs, [Phrasebook] generates the project's own English-German corpus.
// [Corpus.Clean] normalises and drops what would not teach anything;
// [Marshal] gives a list of pairs the one sequence of bytes that its CID names;
// [Batches] cuts the tokenised pairs of an epoch into batches.
//
//	c, err := corpus.Open("multi30k", "en", "de")
//	fmt.Println(c.Clean())            // 29000 pairs: 28995 kept, 0 empty, ...
//	data := corpus.Marshal(c.Train)   // content-addressed by the caller
//	for _, batch := range corpus.Batches(lengths, 1024, seed, epoch) {
//		// batch holds indices of pairs
//	}
//
// Only Open touches files, and everything is integer arithmetic: the same
// corpus gives the same pairs, bytes and batches on every machine.
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

// Corpus is parallel text in three parts: pairs to train on, pairs to watch
// training by, and any number of tests. Source and Target are languages as the
// corpus names them ("en").
type Corpus struct {
	Source, Target string
	Train, Valid   []Pair
	Tests          []Split
}

const (
	// MaxSentence is the longest side of a training pair that Clean keeps, in bytes.
	MaxSentence = 1024
	// MaxRatio bounds how much longer one side of a training pair may be: sides
	// of a and b bytes are kept when a <= MaxRatio*b + ratioSlack, both ways.
	MaxRatio   = 3
	ratioSlack = 20
)

// Report counts the training pairs that Clean saw, and dropped, by reason; a
// pair is dropped for the first reason that applies.
type Report struct {
	Pairs     int // before
	Empty     int // a side without text
	Long      int // a side longer than MaxSentence
	Lopsided  int // sides too different in length
	HeldOut   int // also in Valid or Tests
	Duplicate int // the same pair stands earlier
}

// Kept returns the number of training pairs left.
func (r Report) Kept() int {
	return r.Pairs - r.Empty - r.Long - r.Lopsided - r.HeldOut - r.Duplicate
}

// String writes the report as one line.
func (r Report) String() string {
	return fmt.Sprintf("%d pairs: %d kept, %d empty, %d too long, %d lopsided, %d held out, %d duplicate",
		r.Pairs, r.Kept(), r.Empty, r.Long, r.Lopsided, r.HeldOut, r.Duplicate)
}

// Clean normalises every pair (see [text.Normalize]) and drops training pairs
// that are empty, too long, lopsided, held out for validation or a test, or
// there already. Valid and Tests keep all their pairs, so that figures measured
// on them can be compared with those of others.
func (c *Corpus) Clean() Report {
	report := Report{Pairs: len(c.Train)}
	held := make(map[Pair]bool)
	for _, pairs := range append([][]Pair{c.Valid}, pairsOf(c.Tests)...) {
		for i, p := range pairs {
			pairs[i] = Pair{text.Normalize(p.Source), text.Normalize(p.Target)}
			held[pairs[i]] = true
		}
	}
	seen := make(map[Pair]bool, len(c.Train))
	kept := c.Train[:0]
	for _, p := range c.Train {
		p = Pair{text.Normalize(p.Source), text.Normalize(p.Target)}
		a, b := len(p.Source), len(p.Target)
		switch {
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

// holdOut moves some of Train to Valid: a twentieth of the pairs, at most 500,
// drawn by their text alone, so that adding pairs to a corpus or sorting it
// hardly changes which. Equal pairs go together.
func (c *Corpus) holdOut() {
	const most, share = 500, 20
	want := min(most, (len(c.Train)+share-1)/share)
	order := make([]uint64, len(c.Train))
	for i, p := range c.Train {
		order[i] = hash(p.Source + "\t" + p.Target)
	}
	limit := quantile(order, want)
	var train []Pair
	for i, p := range c.Train {
		if order[i] <= limit {
			c.Valid = append(c.Valid, p)
		} else {
			train = append(train, p)
		}
	}
	c.Train = train
}

// Lines returns the sentences of pairs, source then target of each: what a
// tokenizer shared by both languages is trained on.
func Lines(pairs []Pair) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, p := range pairs {
			if !yield(p.Source) || !yield(p.Target) {
				return
			}
		}
	}
}

// cutTab returns the two columns of a line of tab-separated values.
func cutTab(line string) (Pair, bool) {
	source, target, ok := strings.Cut(line, "\t")
	return Pair{source, target}, ok && !strings.Contains(target, "\t")
}

// Sides gives the sources and the targets of pairs.
func Sides(pairs []Pair) (sources, targets []string) {
	for _, p := range pairs {
		sources, targets = append(sources, p.Source), append(targets, p.Target)
	}
	return sources, targets
}
