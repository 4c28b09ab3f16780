package text

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Rules is the version of the rules by which [Split] divides a text, and [Layout.Fit] leaves
// lines without letters out. Whoever changes which sentences a text has counts it up: orders,
// receipts and translation memories name it.
//
// Version 1 knew the stops of Latin script, and the abbreviations of English and German.
// Version 2 gave models lines without letters.
const Rules = 3

// MaxSentence is the length in bytes of the longest sentence that Split makes. It cuts a longer
// sentence behind a mark between clauses, or else at white space, or else between characters.
const MaxSentence = 1024

// Layout is a plain text divided into sentences and the white space around them.
type Layout struct {
	Sentences []string
	Cuts      int      // how many cuts were made inside sentences that were too long
	gaps      []string // len(Sentences)+1; gaps[i] is what is copied in front of sentence i
	code      string   // see Coded
}

// Split divides a plain text into sentences, by the rules of a language such as "en", "eng" or
// "pt-BR". A language without rules of its own, such as "", has those common to all. A
// sentence never spans two lines. The package's comment has the rules. They are fixed, so a
// text has one Layout. Joining the sentences themselves gives the text back. The time is
// linear in the length of s.
func Split(language, s string) Layout { return rulesOf(language).split(s) }

// Whole returns the Layout of a line that is one sentence, however long.
func Whole(line string) Layout {
	start := skipSpace(line)
	s := trimSpaceRight(line[start:])
	if s == "" {
		return Layout{gaps: []string{line}}
	}
	return Layout{Sentences: []string{s}, gaps: []string{line[:start], line[start+len(s):]}}
}

// split is [Split] by the rules r.
func (r *rules) split(s string) Layout {
	return divide(s, func(s string) (int, bool) { return r.sentence(s, MaxSentence) })
}

// divide divides a text: white space and a sentence in turn, to the end. first returns the
// length of the first sentence of a text, which begins with a visible character, and whether
// the sentence was cut.
func divide(s string, first func(string) (n int, cut bool)) Layout {
	var l Layout
	gap := 0 // the start of the white space in front of the next sentence
	for {
		start := gap + skipSpace(s[gap:])
		l.gaps = append(l.gaps, s[gap:start])
		if start == len(s) {
			return l
		}
		n, cut := first(s[start:])
		if gap = start + n; cut {
			l.Cuts++
		}
		l.Sentences = append(l.Sentences, s[start:gap])
	}
}

// Fit returns l with the sentences that a model translates. Those that do not fit are cut into
// halves, again and again, until each sentence fits or is shorter than 8 bytes. The code of l is
// in front of each sentence that fits is asked for.
//
// What has no letters is no sentence: see [HasLetters]. Such a line is copied, and so is the end
// of a line behind the last sentence with letters. In front of a sentence with letters it
// belongs to that sentence, as "12:30." in "12:30. Lunch.": so a receipt, which has only the
// lengths of sentences, tells where they begin, by [SkipCopied]. Only where both together do
// not fit the model it has a sentence without letters.
func (l Layout) Fit(fits func(sentence string) bool) Layout { return l.halve(fits).leave(fits) }

// halve cuts the sentences that do not fit.
func (l Layout) halve(fits func(sentence string) bool) Layout {
	fitted := Layout{Cuts: l.Cuts, code: l.code}
	var add func(gap, sentence string)
	add = func(gap, sentence string) {
		if len(sentence) < len(l.code)+8 || fits(sentence) {
			fitted.gaps, fitted.Sentences = append(fitted.gaps, gap), append(fitted.Sentences, sentence)
			return
		}
		// Halves are cut where Split would cut a sentence that is too long.
		sentence = sentence[len(l.code):]
		longest := (len(sentence) + 1) / 2
		halves := divide(sentence, func(s string) (int, bool) {
			if len(s) <= longest {
				return len(s), false
			}
			return cut(s, longest), true
		})
		fitted.Cuts += halves.Cuts
		for i, half := range halves.Sentences {
			add(gap+halves.gaps[i], l.code+half)
			gap = "" // the white space in front belongs to the first half
		}
	}
	for i, s := range l.Sentences {
		add(l.gaps[i], s)
	}
	if len(l.gaps) > 0 {
		fitted.gaps = append(fitted.gaps, l.gaps[len(l.gaps)-1])
	}
	return fitted
}

// leave leaves out what has no letters.
func (l Layout) leave(fits func(sentence string) bool) Layout {
	if len(l.Sentences) == 0 {
		return l
	}
	left := Layout{Cuts: l.Cuts, code: l.code}
	copied := ""          // in front of the next sentence
	var waits [][2]string // gaps and texts without letters, of a line that may have letters yet
	leave := func() {
		for _, w := range waits {
			copied += w[0] + w[1]
		}
		waits = waits[:0]
	}
	add := func(gap, s string) {
		left.gaps, left.Sentences = append(left.gaps, copied+gap), append(left.Sentences, l.code+s)
		copied = ""
	}
	for i, s := range l.Sentences {
		gap, s := l.gaps[i], s[len(l.code):]
		if strings.IndexFunc(gap, newline) >= 0 {
			leave()
		}
		if !HasLetters(s) {
			waits = append(waits, [2]string{gap, s})
			continue
		}
		// As many as fit belong to the sentence.
		for n := len(waits); n > 0; n = len(waits) {
			w := waits[n-1]
			whole := w[1] + gap + s
			if len(whole) > MaxSentence || !fits(l.code+whole) {
				break
			}
			gap, s, waits = w[0], whole, waits[:n-1]
		}
		for _, w := range waits {
			add(w[0], w[1])
		}
		waits = waits[:0]
		add(gap, s)
	}
	leave()
	left.gaps = append(left.gaps, copied+l.gaps[len(l.gaps)-1])
	if len(left.Sentences) == 0 {
		left.Cuts = 0 // of what is copied, so nothing is cut
	}
	return left
}

// SkipCopied returns the length of what [Layout.Fit] copies at the start of a text, whatever its
// language: white space and lines without letters. The text may begin behind a sentence.
func SkipCopied(s string) int {
	at := 0
	for {
		at += skipSpace(s[at:])
		line := s[at:]
		if i := strings.IndexFunc(line, newline); i >= 0 {
			line = line[:i]
		}
		if line == "" || HasLetters(line) {
			return at
		}
		at += len(line)
	}
}

// SplitPart divides the first part s of a line that is still being read, as Split divides the
// whole line. It returns the Layout of the sentences that are complete, and the number of
// bytes they take. A sentence may go on after s, or end elsewhere because of what comes there,
// so those at the end are left out, unless there is one sentence only.
func SplitPart(language, s string) (Layout, int) {
	// A character may be cut at the end of s.
	for cut := max(1, len(s)-utf8.UTFMax+1); cut < len(s); cut++ {
		if utf8.RuneStart(s[cut]) && !utf8.FullRuneInString(s[cut:]) {
			s = s[:cut]
		}
	}
	r := rulesOf(language)
	var cuts []int // up to the end of each sentence
	l := divide(s, func(s string) (int, bool) {
		n, cut := r.sentence(s, MaxSentence)
		before := 0
		if len(cuts) > 0 {
			before = cuts[len(cuts)-1]
		}
		if cut {
			before++
		}
		cuts = append(cuts, before)
		return n, cut
	})
	// Sentence n is complete if there is enough behind the white space that follows it.
	whole := len(s) - len(l.gaps[len(l.gaps)-1])
	for n := len(l.Sentences) - 1; n > 0; n-- {
		if whole -= len(l.Sentences[n]); len(s)-whole >= ahead {
			return Layout{Sentences: l.Sentences[:n], Cuts: cuts[n-1], gaps: l.gaps[:n+1]}, whole
		}
		whole -= len(l.gaps[n])
	}
	return l, len(s)
}

// Join returns the text with translations in the places of the sentences. There must be one for
// each sentence. Line breaks inside a translation become spaces, so that the text keeps its
// lines.
func (l Layout) Join(translations []string) (string, error) {
	if len(translations) != len(l.Sentences) {
		return "", fmt.Errorf("join text: %d translations for %d sentences", len(translations), len(l.Sentences))
	}
	if len(l.gaps) == 0 {
		return "", nil
	}
	var b strings.Builder
	b.WriteString(l.gaps[0]) // then each translation and the white space behind it
	for i, t := range translations {
		if strings.IndexFunc(t, newline) >= 0 {
			t = strings.Map(flat, t)
		}
		b.WriteString(t)
		b.WriteString(l.gaps[i+1])
	}
	return b.String(), nil
}

// flat returns a space for a character that ends a line, and other characters unchanged.
func flat(r rune) rune {
	if newline(r) {
		return ' '
	}
	return r
}
