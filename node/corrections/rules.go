package corrections

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/work/document"
	"github.com/alia-network/alia/work/language"
	"github.com/alia-network/alia/work/score"
)

// Rules is the version of the quality rules. It changes when they decide any correction
// another way, and stands in each review that they sign.
const Rules = 1

// Judgement is what the rules say of a correction.
type Judgement int

const (
	AskPerson Judgement = iota // the rules cannot tell
	Good                       // they approve
	Bad                        // they reject
)

// The bounds of the rules.
const (
	ratio      = 4  // the longer text has at most ratio times the characters of the shorter, and slack
	slack      = 20 // characters
	leastChrF  = 30 // of the human translation against the machine's
	shortText  = 20 // letters: no language is asked for of a shorter text
	longestRun = 3  // equal characters one after another
)

// Judge applies the rules to a correction. They see texts alone, so the same correction has
// the same verdict everywhere. The reason is for people.
func Judge(c *protocol.Correction) (v Judgement, reason string) {
	human, machine := words(c.Human), words(c.Machine)
	switch {
	// What no person need look at.
	case c.Human == c.Machine:
		return Bad, "unchanged: it is the machine's translation"
	case c.Machine != "" && strings.Join(strings.Fields(c.Human), "") == strings.Join(strings.Fields(c.Machine), ""):
		return Bad, "noise: only spaces differ from the machine's translation"
	case runOf(c.Human) > max(longestRun, runOf(c.Source), runOf(c.Machine)):
		return Bad, fmt.Sprintf("noise: a character stands %d times in a row", runOf(c.Human))
	case len(human) == 0 && len(words(c.Source)) > 0:
		return Bad, "noise: it has no word"
	case len(machine) > 0 && len(human) > len(machine) && slices.Equal(once(human), once(machine)):
		return Bad, "noise: it repeats words of the machine's translation"
	case slices.Contains(document.Faults(c.Source, c.Human), document.Codes):
		return Bad, "codes: the placeholders, tags or addresses are not those of the source"
	// What only a person can tell.
	case !c.Model.Defined():
		return AskPerson, "own: nobody knows what a machine made of the source"
	case c.Human == c.Source:
		return AskPerson, "copy: it is the source itself"
	case slices.Equal(human, machine):
		return AskPerson, "small: only punctuation or case differ from the machine's translation"
	case contains(human, machine):
		return AskPerson, "added: it has all words of the machine's translation, and more"
	case slices.Contains(document.Faults(c.Source, c.Human), document.Numbers):
		return AskPerson, "numbers: the digits are not those of the source"
	case lopsided(c.Source, c.Human):
		return AskPerson, "length: it is much longer or shorter than the source"
	case foreign(c.Human, c.Dst) != "":
		return AskPerson, fmt.Sprintf("language: it seems to be in %q, not in %q", foreign(c.Human, c.Dst), c.Dst)
	}
	if chrf, err := score.NewChrF().Metric().Score([]string{c.Human}, score.References([]string{c.Machine})); err != nil || chrf < leastChrF {
		return AskPerson, fmt.Sprintf("far: its chrF against the machine's translation is %.0f, below %d", chrf, leastChrF)
	}
	return Good, fmt.Sprintf("it keeps the rules of version %d", Rules)
}

// words are the words of a text in lower case, without punctuation.
func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
}

// once is a list without those equal to the one before.
func once(list []string) []string { return slices.Compact(slices.Clone(list)) }

// contains reports whether the words of part stand in whole, in their sequence.
func contains(whole, part []string) bool {
	for _, w := range whole {
		if len(part) > 0 && w == part[0] {
			part = part[1:]
		}
	}
	return len(part) == 0
}

// runOf is the length of the longest run of one character, digits aside.
func runOf(s string) (longest int) {
	n, before := 0, rune(-1)
	for _, r := range s {
		if n++; r != before {
			n, before = 1, r
		}
		if !unicode.IsDigit(r) {
			longest = max(longest, n)
		}
	}
	return longest
}

func lopsided(a, b string) bool {
	x, y := utf8.RuneCountInString(a), utf8.RuneCountInString(b)
	return max(x, y) > ratio*min(x, y)+slack
}

// foreign is the language of a text that is not in the language expected, or "". A short
// text, and one whose language is not known, are in any language.
func foreign(s, expected string) string {
	letters := 0
	for _, r := range s {
		if unicode.IsLetter(r) {
			letters++
		}
	}
	found := language.Detect(s).Language
	want, _, _ := strings.Cut(language.Normalise(expected), "-")
	if letters < shortText || found == "" || found == want || !slices.ContainsFunc(language.Languages(), func(l language.Language) bool { return l.Code == want }) {
		return ""
	}
	return found
}
