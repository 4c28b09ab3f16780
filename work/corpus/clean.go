package corpus

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/alia-network/alia/work/text"
)

// Rules is the version of the rules by which text is cleaned. It changes when any corpus keeps
// other pairs. The record of a cleaned corpus names it, so runs on text that was cleaned by
// other rules have other CIDs.
//
// Version 1 compared lengths in bytes, which dropped most pairs of languages whose script
// takes three bytes a character.
const Rules = 2

const (
	// MaxSentence is the length in characters of the longest sentence of a training pair.
	MaxSentence = 1024
	// MaxRatio bounds the ratio of the lengths of a training pair, see [Weights].
	MaxRatio   = 3
	ratioSlack = 20 // characters of the language that needs more of them

	maxKept = 1 << 25 // pairs of a cleaned corpus
)

// Rule is a reason to drop a pair, or the line that should have one. A pair is dropped by the
// first rule that applies.
type Rule uint8

// The rules. The first four are faults of a file: more than one line in a hundred of them is
// an error.
const (
	NotUTF8   Rule = iota + 1 // a line is not UTF-8
	LongLine                  // a line is longer than MaxLine
	Columns                   // a line has another number of columns than the file
	Control                   // a line has NUL or another control character
	Empty                     // a sentence has no text
	Long                      // a sentence is longer than MaxSentence
	Lopsided                  // the lengths are too different, see Weights
	HeldOut                   // the pair is also in the validation or a test
	Duplicate                 // the same pair came before
	blank                     // an empty line at the end of a file: no pair
	rules
)

// ruleNames are the names of the rules, in JSON and in words. For a faulty line, they say what
// it is and what to do.
var ruleNames = [rules]struct{ name, text, is, remedy string }{
	NotUTF8:   {"not_utf8", "not UTF-8", "is not UTF-8", "convert the file, such as with iconv -t UTF-8"},
	LongLine:  {"long_line", "with a line too long", "is longer than 65536 bytes", "break the lines, so that each has one sentence"},
	Columns:   {"columns", "with a wrong number of columns", "is not two columns separated by a tab", "put a sentence, a tab and its translation on it, or choose two columns of a table (--columns)"},
	Control:   {"control", "with control characters", "has a control character", "give plain text in UTF-8"},
	Empty:     {name: "empty", text: "empty"},
	Long:      {name: "too_long", text: "too long"},
	Lopsided:  {name: "lopsided", text: "lopsided"},
	HeldOut:   {name: "held_out", text: "held out"},
	Duplicate: {name: "duplicate", text: "duplicate"},
}

// String is the rule's name in JSON, such as "not_utf8".
func (r Rule) String() string { return ruleNames[r].name }

// Text says the rule in words: a pair is "too long".
func (r Rule) Text() string { return ruleNames[r].text }

// faulty reports whether the rule is a fault of the file.
func (r Rule) faulty() bool { return r >= NotUTF8 && r <= Control }

// Rejected is a pair that was dropped. A faulty line has no text.
type Rejected struct {
	Rule           Rule
	File           string // of line-aligned files both
	Line           int    // from 1; 0 if the pair was in memory
	Source, Target string // at most sampleText characters
}

const (
	samples    = 3 // of each rule
	sampleText = 120
)

// Report counts the training pairs that were read and dropped. Pairs that were held out for
// validation do not count.
type Report struct {
	Pairs      int        // pairs before cleaning, and lines that should have one
	Dropped    [rules]int // by Rule
	Blank      int        // empty lines at the end of a file: no pairs
	Validation int        // other pairs, held out for validation
	Copies     int        // kept pairs whose translation is the source itself
	Weights    Weights    // by which lengths were compared
	Samples    []Rejected // the first dropped pairs of each rule
}

// Kept returns the number of training pairs left.
func (r *Report) Kept() int {
	n := r.Pairs
	for _, d := range r.Dropped {
		n -= d
	}
	return n
}

// String writes the report as one line, with the reasons for which pairs were dropped.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d pairs: %d kept", r.Pairs, r.Kept())
	for rule, n := range r.Dropped {
		if n > 0 {
			fmt.Fprintf(&b, ", %d %s", n, Rule(rule).Text())
		}
	}
	if r.Blank > 0 {
		fmt.Fprintf(&b, ", and %d empty at the end of the file", r.Blank)
	}
	return b.String()
}

// drop counts a dropped row, and keeps the first as samples.
func (r *Report) drop(rule Rule, at row) {
	r.Pairs++
	if r.Dropped[rule]++; r.Dropped[rule] <= samples {
		r.Samples = append(r.Samples, Rejected{rule, at.file, at.line, cut(at.Source), cut(at.Target)})
	}
}

// cut returns the beginning of a text.
func cut(s string) string {
	n := 0
	for i := range s {
		if n++; n > sampleText {
			return strings.Clone(s[:i]) + "…"
		}
	}
	return strings.Clone(s)
}

// row is a line of a corpus's files, or a unit of another format.
type row struct {
	Pair
	file string
	line int
	bad  Rule // of a faulty line, which has no pair
}

// rowsOf gives pairs in memory as rows.
func rowsOf(pairs []Pair) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		for _, p := range pairs {
			if !yield(row{Pair: p}, nil) {
				return
			}
		}
	}
}

// Clean normalises every pair (see [text.Normalize]), and drops training pairs by the rules.
// It learns [Weights] from the training pairs. Valid and Tests keep all their pairs, so that
// scores measured on them can be compared with published ones. [Open] has cleaned already.
func (c *Corpus) Clean() Report {
	s := newCleaning(c)
	train := c.Train
	err := s.survey(rowsOf(train))
	kept := train[:0] // in place: those kept never outrun those read
	if err == nil {
		err = s.sift(rowsOf(train), func(_ int, p Pair) { kept = append(kept, p) })
	}
	if err != nil {
		panic("corpus: pairs in memory: " + err.Error()) // they have no faulty lines
	}
	c.Train = kept
	return s.report
}

// cleaning is a corpus that is being cleaned: its rows are surveyed, and then sifted.
type cleaning struct {
	path   string // of the corpus, for errors
	report Report
	held   map[uint64]bool // hashes of pairs of validation and tests
	hold   bool            // pairs are to be held out for validation
	rows   int             // surveyed
	usable int             // of them
	ratios ratios
	chosen []candidate // for validation: the smallest hashes, sorted
	limit  uint64      // the largest hash of those held out
}

// candidate is a pair that may be held out for validation.
type candidate struct {
	hash        uint64
	pair        Pair
	at          int // its first row
	times, a, b int
}

// newCleaning normalises the pairs that training must not see.
func newCleaning(c *Corpus) *cleaning {
	s := &cleaning{held: map[uint64]bool{}}
	for _, pairs := range append([][]Pair{c.Valid}, pairsOf(c.Tests)...) {
		for i, p := range pairs {
			pairs[i] = normal(p)
			s.held[hashOf(pairs[i])] = true
		}
	}
	return s
}

func normal(p Pair) Pair { return Pair{text.Normalize(p.Source), text.Normalize(p.Target)} }

// survey reads all rows for what the rules need of the whole corpus: the faulty lines, the
// weights, and which pairs are held out for validation.
func (s *cleaning) survey(rows iter.Seq2[row, error]) error {
	for r, err := range rows {
		if err != nil {
			return err
		}
		if r.bad == blank {
			s.report.Blank++
			continue
		}
		if s.rows++; r.bad != 0 {
			s.report.drop(r.bad, r)
		} else {
			p := normal(r.Pair)
			if a, b := utf8.RuneCountInString(p.Source), utf8.RuneCountInString(p.Target); badLength(a, b) == 0 {
				s.usable++
				s.ratios.add(a, b, 1)
				s.consider(p, a, b)
			}
		}
		if err := s.hopeless(); err != nil {
			return err
		}
	}
	s.choose()
	if err := s.faults(100); err != nil {
		return err
	}
	s.report.Weights = s.ratios.weights()
	return nil
}

// A file that is no text is refused early.
const (
	earlyRows  = 10_000
	uselessRun = 1 << 20
)

// hopeless refuses a corpus whose first rows are of no use.
func (s *cleaning) hopeless() error {
	if s.rows == earlyRows {
		return s.faults(2)
	}
	if s.rows == uselessRun && s.usable == 0 {
		return fmt.Errorf("%s: none of the first %d lines has a pair that training can use (%v)", s.path, s.rows, s.report)
	}
	return nil
}

// faults refuses a corpus of which more than one row of many is faulty. One faulty row of a
// small corpus is not many, unless nothing is left without it.
func (s *cleaning) faults(many int) error {
	n, worst := 0, Rule(0)
	for rule := range rules {
		if rule.faulty() {
			if n += s.report.Dropped[rule]; worst == 0 || s.report.Dropped[rule] > s.report.Dropped[worst] {
				worst = rule
			}
		}
	}
	if n <= max(1, s.rows/many) && s.usable > len(s.chosen) || n == 0 {
		return nil
	}
	var lines []string
	file := ""
	for _, x := range s.report.Samples {
		if x.Rule == worst {
			file = cmp.Or(file, x.File)
			lines = append(lines, strconv.Itoa(x.Line))
		}
	}
	also := ""
	if len(lines) > 1 {
		also = fmt.Sprintf(", such as lines %s", strings.Join(lines, ", "))
	}
	return fmt.Errorf("%s: line %s %s: %s (%d of %d lines are faulty%s: more than 1 in 100, so nothing is read)",
		file, lines[0], ruleNames[worst].is, ruleNames[worst].remedy, n, s.rows, also)
}

// The share of the pairs that is held out for validation, and the most.
const (
	holdShare = 20
	holdMost  = 500
)

// consider takes a pair for validation if its hash is among the smallest. The choice depends on
// the text only, so adding pairs to a corpus, or sorting it, changes the choice very little.
// Equal pairs stay together.
func (s *cleaning) consider(p Pair, a, b int) {
	if !s.hold {
		return
	}
	h := hashOf(p)
	if len(s.chosen) == holdMost && h > s.chosen[holdMost-1].hash || s.held[h] {
		return
	}
	i, found := slices.BinarySearchFunc(s.chosen, h, func(c candidate, h uint64) int { return cmp.Compare(c.hash, h) })
	if found {
		s.chosen[i].times++
		return
	}
	s.chosen = slices.Insert(s.chosen, i, candidate{h, p, s.rows, 1, a, b})
	s.chosen = s.chosen[:min(len(s.chosen), holdMost)]
}

// choose decides which pairs are held out, and takes them out of what the weights are learned
// from.
func (s *cleaning) choose() {
	s.chosen = s.chosen[:min(len(s.chosen), (s.usable+holdShare-1)/holdShare)]
	for _, c := range s.chosen {
		s.ratios.add(c.a, c.b, -c.times)
		s.limit = c.hash
	}
}

// validation returns the pairs that are held out, in the sequence of the corpus.
func (s *cleaning) validation() (pairs []Pair) {
	slices.SortFunc(s.chosen, func(x, y candidate) int { return cmp.Compare(x.at, y.at) })
	for _, c := range s.chosen {
		if !s.report.Weights.lopsided(c.a, c.b) {
			pairs = append(pairs, c.pair)
		}
	}
	return pairs
}

// sift reads the same rows again, and calls keep with the number of each row that is kept,
// from 0, and its normalised pair. It remembers a hash of each: two different pairs of ten
// million have the same hash once in 400,000 corpora, and then one of them is dropped, on
// every machine.
func (s *cleaning) sift(rows iter.Seq2[row, error], keep func(int, Pair)) error {
	seen := make(map[uint64]struct{})
	n, kept := -1, 0
	for r, err := range rows {
		if err != nil {
			return err
		}
		if n++; r.bad != 0 {
			continue // the survey has counted it
		}
		p := normal(r.Pair)
		if rule := s.report.Weights.Drops(p); rule != 0 {
			s.report.drop(rule, r)
			continue
		}
		h := hashOf(p)
		_, again := seen[h]
		switch {
		case s.held[h]:
			s.report.drop(HeldOut, r)
		case again:
			s.report.drop(Duplicate, r)
		default:
			if seen[h] = struct{}{}; len(s.chosen) > 0 && h <= s.limit {
				s.report.Validation++
				continue
			}
			if kept++; kept > maxKept {
				return fmt.Errorf("%s: more than %d pairs are kept: give a part of them", s.path, maxKept)
			}
			if s.report.Pairs++; p.Source == p.Target {
				s.report.Copies++
			}
			keep(n, p)
		}
	}
	return nil
}

// pairsOf returns the pairs of each split.
func pairsOf(splits []Split) [][]Pair {
	out := make([][]Pair, len(splits))
	for i, s := range splits {
		out[i] = s.Pairs
	}
	return out
}

// cleanFiles cleans a corpus that lies in files. rows reads them from the beginning each time.
// The training pairs stay in the files: [Corpus.Stream] reads them again, and a bit for each
// row says whether the row is kept.
func (c *Corpus) cleanFiles(path string, rows iter.Seq2[row, error], hold bool) (Report, error) {
	s := newCleaning(c)
	s.path, s.hold = path, hold
	if err := s.survey(rows); err != nil {
		return s.report, err
	}
	var bits []uint64
	count, digest := 0, uint64(0)
	err := s.sift(rows, func(n int, p Pair) {
		for n/64 >= len(bits) {
			bits = append(bits, 0)
		}
		bits[n/64] |= 1 << (n % 64)
		count++
		digest = mix(digest ^ hashOf(p))
	})
	if err != nil {
		return s.report, err
	}
	if hold {
		c.Valid = s.validation()
	}
	c.count = count
	c.Stream = func() iter.Seq2[Pair, error] {
		return func(yield func(Pair, error) bool) {
			n, again := -1, uint64(0)
			for r, err := range rows {
				if err != nil {
					yield(Pair{}, err)
					return
				}
				if n++; r.bad != 0 || n/64 >= len(bits) || bits[n/64]&(1<<(n%64)) == 0 {
					continue
				}
				p := normal(r.Pair)
				again = mix(again ^ hashOf(p))
				if !yield(p, nil) {
					return
				}
			}
			if again != digest {
				yield(Pair{}, fmt.Errorf("read corpus: %s has changed while it was read: begin again", path))
			}
		}
	}
	return s.report, nil
}
