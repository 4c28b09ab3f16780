// Package terms is a glossary: which words a translation must use for which words of the
// source.
//
// [Parse] reads a glossary from lines of two columns, and [New] takes its lines. [Glossary.Of]
// finds the terms in a segment and returns what its translation must contain, verbatim.
//
//	g, err := terms.Parse(data)
//	g.Of("The invoice is due.") // [Rechnung]
//
// A source term is found as whole words: "art" is not in "party". Between characters of scripts
// without spaces, such as Chinese, every place is the edge of a word. A term in lower case
// is found in any case, and a term with a capital only as it is written: "us" is found in
// "US", and "US" is not found in "us". At each place the longest term counts, of equal
// ones the one as it is written, and terms do not overlap. Words are not inflected:
// "invoice" is not found in "invoices", which needs a line of its own. A target that several
// words of a segment ask for must stand in its translation once.
package terms

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// The limits of a glossary.
const (
	MaxSize  = 4 << 20 // bytes of a file
	MaxLines = 50_000  // terms
)

// TermError is the error for a term that a model or the network cannot use. Its text names the
// term.
type TermError struct{ Err error }

func (e *TermError) Error() string { return "glossary: " + e.Err.Error() }

func (e *TermError) Unwrap() error { return e.Err }

// Glossary is a list of terms. It does not change after it was made, and several
// goroutines may use it at once.
type Glossary struct {
	lines []unit.Term
	first map[rune]*entries // by the first character in lower case
}

// entries are terms to look for, in the sequence of their sources. Those with a capital, which
// are exact, must stand in the segment, and the others in the segment in lower case.
type entries struct{ exact, folded []entry }

// entry is a term to look for.
type entry struct {
	source []rune
	line   int // in lines
}

// Parse reads a glossary. Each line has a source term, a tab and a target term. Spaces around
// the terms do not count, and neither do empty lines, lines that begin with #, and a
// byte-order mark. An error names the line.
func Parse(data []byte) (*Glossary, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("the glossary has %d bytes, at most %d are read", len(data), MaxSize)
	}
	var lines []unit.Term
	type place struct{ line, index int }
	at := map[string]place{} // by source: its line in the file, and its index in lines
	n := 0
	for line := range bytes.Lines(bytes.TrimPrefix(data, []byte("\uFEFF"))) {
		n++
		s := string(bytes.TrimRight(line, "\r\n"))
		if strings.TrimSpace(s) == "" || s[0] == '#' {
			continue
		}
		t, err := parseLine(s)
		if err != nil {
			return nil, fmt.Errorf("line %d of the glossary: %w", n, err)
		}
		if before, ok := at[t.Source]; ok {
			other := lines[before.index].Target
			if other == t.Target {
				continue
			}
			return nil, fmt.Errorf("line %d of the glossary: %q is %q here and %q in line %d: leave one", n, t.Source, t.Target, other, before.line)
		}
		if len(lines) == MaxLines {
			return nil, fmt.Errorf("line %d of the glossary: more than %d terms", n, MaxLines)
		}
		at[t.Source] = place{n, len(lines)}
		lines = append(lines, t)
	}
	return newGlossary(lines), nil
}

// parseLine reads the two columns of a line.
func parseLine(s string) (unit.Term, error) {
	if !utf8.ValidString(s) {
		return unit.Term{}, fmt.Errorf("%q is not UTF-8: save the file as UTF-8", s)
	}
	source, target, ok := strings.Cut(s, "\t")
	if !ok || strings.Contains(target, "\t") {
		return unit.Term{}, fmt.Errorf("%.80q has %d tabs: write the source term, one tab, and the target term", s, strings.Count(s, "\t"))
	}
	t := unit.Term{Source: text.Normalize(source), Target: text.Normalize(target)}
	return t, check(t)
}

// check returns an error if t is not a term as New takes them.
func check(t unit.Term) error {
	for _, s := range []string{t.Source, t.Target} {
		switch {
		case s == "":
			return fmt.Errorf("%q stands for %q: a term is missing", t.Source, t.Target)
		case len(s) > unit.MaxTerm:
			return fmt.Errorf("the term %.40q... has %d bytes, at most %d are allowed", s, len(s), unit.MaxTerm)
		case s != text.Normalize(s):
			return fmt.Errorf("the term %q is not normalised", s)
		}
	}
	return nil
}

// New is the glossary of lines, such as those of a job. It takes the terms that Parse makes,
// each source once.
func New(lines []unit.Term) (*Glossary, error) {
	seen := map[string]bool{}
	for i, t := range lines {
		if err := check(t); err != nil {
			return nil, fmt.Errorf("term %d: %w", i, err)
		}
		if seen[t.Source] {
			return nil, fmt.Errorf("term %d: %q is there twice", i, t.Source)
		}
		seen[t.Source] = true
	}
	return newGlossary(slices.Clone(lines)), nil
}

func newGlossary(lines []unit.Term) *Glossary {
	g := &Glossary{lines: lines, first: map[rune]*entries{}}
	for i, t := range lines {
		r, _ := utf8.DecodeRuneInString(lower(t.Source))
		of := g.first[r]
		if of == nil {
			of = &entries{}
			g.first[r] = of
		}
		e := entry{source: []rune(t.Source), line: i}
		if lower(t.Source) != t.Source {
			of.exact = append(of.exact, e)
		} else {
			of.folded = append(of.folded, e)
		}
	}
	for _, of := range g.first { // order-free: each by itself
		for _, list := range [][]entry{of.exact, of.folded} {
			slices.SortFunc(list, func(a, b entry) int { return slices.Compare(a.source, b.source) })
		}
	}
	return g
}

// lower is s in lower case, with as many characters as s.
func lower(s string) string { return strings.Map(unicode.ToLower, s) }

// Lines are the terms of the glossary, in their sequence.
func (g *Glossary) Lines() []unit.Term { return slices.Clone(g.lines) }

// Of returns the targets that the translation of a segment must contain, each once, in the
// sequence in which their sources stand in the segment.
func (g *Glossary) Of(segment string) (targets []string) {
	return g.targets(g.find(segment))
}

// targets are those of lines, each once.
func (g *Glossary) targets(lines []int) (targets []string) {
	seen := map[string]bool{}
	for _, i := range lines {
		if t := g.lines[i].Target; !seen[t] {
			seen[t] = true
			targets = append(targets, t)
		}
	}
	return targets
}

// All returns the targets of each segment, and the lines that some segment needs, in the
// sequence of the glossary. A glossary of these lines alone finds the same in the segments.
func (g *Glossary) All(segments []string) (targets [][]string, used []unit.Term) {
	needed := make([]bool, len(g.lines))
	targets = make([][]string, len(segments))
	for k, s := range segments {
		found := g.find(s)
		targets[k] = g.targets(found)
		for _, i := range found {
			needed[i] = true
		}
	}
	for i, t := range g.lines {
		if needed[i] {
			used = append(used, t)
		}
	}
	return targets, used
}

// find returns the lines whose sources stand in a segment, from left to right.
func (g *Glossary) find(segment string) (lines []int) {
	_, s := text.Code(text.Normalize(segment)) // the code of a language is no text
	folded := []rune(lower(s))
	runes := []rune(s)
	for at := 0; at < len(runes); {
		e, n := g.longest(runes, folded, at)
		if n == 0 {
			at++
			continue
		}
		lines, at = append(lines, e.line), at+n
	}
	return lines
}

// longest returns the longest entry that stands at a place, of two as long the exact one, and
// its length; 0 is none.
func (g *Glossary) longest(runes, folded []rune, at int) (entry, int) {
	of := g.first[folded[at]]
	if of == nil || at > 0 && text.InWord(runes[at-1]) && text.InWord(runes[at]) {
		return entry{}, 0 // inside a word
	}
	ends := func(n int) bool {
		end := at + n
		return end == len(runes) || !text.InWord(runes[end-1]) || !text.InWord(runes[end])
	}
	best, n := longest(of.folded, folded[at:], ends)
	if exact, k := longest(of.exact, runes[at:], ends); k >= n && k > 0 {
		best, n = exact, k
	}
	return best, n
}

// longest returns the longest of sorted entries that a text begins with, and its length. ends
// says whether a word may end after so many characters. It goes through the characters of the
// text, and not through the entries: a glossary may have thousands of one beginning.
func longest(list []entry, in []rune, ends func(n int) bool) (best entry, n int) {
	for d := 0; len(list) > 0; d++ {
		// All that are left begin with in[:d], so one that has no more comes first.
		if len(list[0].source) == d {
			if ends(d) {
				best, n = list[0], d
			}
			list = list[1:]
		}
		if d == len(in) {
			break
		}
		from, _ := slices.BinarySearchFunc(list, in[d], func(e entry, r rune) int { return cmp.Compare(e.source[d], r) })
		to, _ := slices.BinarySearchFunc(list[from:], in[d]+1, func(e entry, r rune) int { return cmp.Compare(e.source[d], r) })
		list = list[from : from+to]
	}
	return best, n
}
