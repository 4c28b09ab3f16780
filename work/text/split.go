package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxSentence is the length in bytes of the longest sentence that Split makes. It cuts a longer
// sentence at white space, or inside a word if there is none.
const MaxSentence = 1024

// Layout is a plain text divided into sentences and the white space around them.
type Layout struct {
	Sentences []string
	Cuts      int      // how many cuts were made inside sentences that were too long
	gaps      []string // len(Sentences)+1; gaps[i] is the white space in front of sentence i
}

// Split divides a plain text into sentences.
//
// A sentence never spans two lines. Within a line a sentence ends after ".", "!", "?" or "…"
// and any closing quotes or brackets, if white space follows and then a character that can
// begin a sentence. It does not end after an abbreviation of English or German, after a
// single letter, or after an ordinal ("am 3. Mai", "Nr. 5"). The rules are fixed, so a text
// has one Layout. Joining the sentences themselves gives the text back.
func Split(s string) Layout { return split(s, MaxSentence) }

// Whole returns the Layout of a line that is one sentence, however long.
func Whole(line string) Layout {
	s := strings.TrimSpace(line)
	if s == "" {
		return Layout{gaps: []string{line}}
	}
	start := len(line) - len(strings.TrimLeftFunc(line, unicode.IsSpace))
	return Layout{Sentences: []string{s}, gaps: []string{line[:start], line[start+len(s):]}}
}

// split is [Split] with sentences of at most longest bytes. longest is at least 4, the bytes of
// one character.
func split(s string, longest int) Layout {
	// White space and a sentence in turn, to the end.
	var l Layout
	gap := 0 // the start of the white space in front of the next sentence
	for {
		start := gap + len(s[gap:]) - len(strings.TrimLeftFunc(s[gap:], unicode.IsSpace))
		l.gaps = append(l.gaps, s[gap:start])
		if start == len(s) {
			return l
		}
		n, cut := sentenceLen(s[start:], longest)
		if gap = start + n; cut {
			l.Cuts++
		}
		l.Sentences = append(l.Sentences, s[start:gap])
	}
}

// Fit returns l with the sentences that do not fit cut into halves, again and again, until each
// sentence fits or is shorter than 8 bytes.
func (l Layout) Fit(fits func(sentence string) bool) Layout {
	fitted := Layout{Cuts: l.Cuts}
	var add func(gap, sentence string)
	add = func(gap, sentence string) {
		if len(sentence) < 8 || fits(sentence) {
			fitted.gaps, fitted.Sentences = append(fitted.gaps, gap), append(fitted.Sentences, sentence)
			return
		}
		// Halves are cut where Split would cut a sentence that is too long.
		halves := split(sentence, (len(sentence)+1)/2)
		fitted.Cuts += halves.Cuts
		for i, half := range halves.Sentences {
			add(gap+halves.gaps[i], half)
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

// SplitPart divides the first part s of a line that is still being read. It returns the Layout
// of the sentences that are complete, and the number of bytes they take. The last sentence
// may go on after s, so it is left out, unless it is the only one.
func SplitPart(s string) (Layout, int) {
	// A character may be cut at the end of s.
	for cut := max(1, len(s)-utf8.UTFMax+1); cut < len(s); cut++ {
		if utf8.RuneStart(s[cut]) && !utf8.FullRuneInString(s[cut:]) {
			s = s[:cut]
		}
	}
	// Everything in front of the last sentence is complete.
	l := Split(s)
	if n := len(l.Sentences) - 1; n >= 0 {
		if whole := len(s) - len(l.gaps[n+1]) - len(l.Sentences[n]); whole > 0 {
			l.Sentences, l.gaps = l.Sentences[:n], l.gaps[:n+1]
			return l, whole
		}
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

// newline reports whether r ends a line according to Unicode (Standard Annex 14, "mandatory
// break").
func newline(r rune) bool {
	return '\n' <= r && r <= '\r' || r == 0x85 || r == 0x2028 || r == 0x2029
}

// sentenceLen returns the length of the first sentence of s, without white space at its end, and
// whether the sentence was cut because it has more than longest bytes. s must begin with a
// visible character.
func sentenceLen(s string, longest int) (n int, cut bool) {
	end := 0     // after the last visible character
	lastEnd := 0 // after the last word that has white space behind it
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case !unicode.IsSpace(r):
			// Too long: cut at the last white space, or here.
			if i+n > longest && lastEnd > 0 {
				return lastEnd, true
			}
			if i+n > longest {
				return end, true
			}
			end = i + n
		case newline(r), i == end && boundary(s[:end], s[i:]):
			return end, false
		default:
			lastEnd = end
		}
		i += n
	}
	return end, false
}

const (
	closers = `"')]}»«›‹”“’‘`
	openers = `"'([{«»‹›„“‚‘”’¿¡–—-`
)

// boundary reports whether a sentence ends at the end of before and another begins in after,
// which starts with white space.
func boundary(before, after string) bool {
	// The next sentence must not begin with a small letter or punctuation.
	after = strings.TrimLeft(strings.TrimLeftFunc(after, unicode.IsSpace), openers)
	next, n := utf8.DecodeRuneInString(after)
	if n == 0 || unicode.IsLower(next) || unicode.IsPunct(next) {
		return false
	}
	// This one must end with a final mark. Only a full stop can mean something else.
	before = strings.TrimRight(before, closers)
	last, n := utf8.DecodeLastRuneInString(before)
	if last != '.' {
		return last == '!' || last == '?' || last == '…'
	}
	before = before[:len(before)-n]
	word := strings.TrimLeft(before[strings.LastIndexFunc(before, unicode.IsSpace)+1:], openers)
	letter, n := utf8.DecodeRuneInString(word)
	switch {
	case n > 0 && n == len(word) && unicode.IsLetter(letter):
		return false // an initial
	case word != "" && len(word) <= 2 && strings.Trim(word, "0123456789") == "":
		return false // an ordinal, in German
	case strings.HasSuffix(word, "str"):
		return false // a street, as in Hauptstr.
	}
	// Spaces make the word match only whole words of the lists.
	word = " " + strings.ToLower(word) + " "
	return !strings.Contains(abbreviations, word) && !(unicode.IsDigit(next) && strings.Contains(counted, word))
}

// Words whose full stop does not end a sentence: abbreviations anywhere, counted words in front
// of a number. The last full stop is left out, as in "z.b" for "z.B.".
const (
	abbreviations = " mr mrs ms dr prof st sr jr vs etc approx dept est eds inc ltd e.g i.e u.s u.k" +
		" jan feb apr jun jul aug sept oct nov dec jän okt dez" +
		" z.b d.h u.a u.s.w o.ä s.o s.u i.d.r v.chr n.chr u.u z.t bzw usw ca ggf inkl exkl evtl vgl" +
		" str tel jh jhd mio mrd std hr fr frl geb gest hrsg allg bsp dipl kath lt tägl urspr zzgl nr "
	counted = " no fig vol p pp art abs bd kap abb ed mar mrz ch sec "
)
