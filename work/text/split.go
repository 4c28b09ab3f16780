package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxSentence is the longest sentence, in bytes, that Split makes. A longer
// one is cut at white space, or inside a word when there is none.
const MaxSentence = 1024

// Layout is a plain text taken apart: its sentences, and the white space
// before, between and after them.
type Layout struct {
	Sentences []string
	Cuts      int      // between sentences that are pieces of one that was too long
	gaps      []string // len(Sentences)+1; gaps[i] stands before sentence i
}

// Split takes a plain text apart. A sentence never spans two lines. Within a
// line it ends after ".", "!", "?" or "…" and any closing quotes or brackets,
// when white space follows and then something that can begin a sentence; it
// does not end after an abbreviation of English or German, after a single
// letter, or after an ordinal ("am 3. Mai", "Nr. 5"). The rules are fixed, so
// a text has one Layout; joining its own sentences gives the text back.
func Split(s string) Layout { return split(s, MaxSentence) }

// Whole takes a line to be one sentence, which may be long.
func Whole(line string) Layout {
	s := strings.TrimSpace(line)
	if s == "" {
		return Layout{gaps: []string{line}}
	}
	start := len(line) - len(strings.TrimLeftFunc(line, unicode.IsSpace))
	return Layout{Sentences: []string{s}, gaps: []string{line[:start], line[start+len(s):]}}
}

// split is Split with sentences of at most longest bytes, at least 4.
func split(s string, longest int) Layout {
	var l Layout
	gap := 0 // where the white space before the next sentence starts
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

// Fit returns l with each sentence that does not fit cut into halves, until
// all fit or have nothing left to cut.
func (l Layout) Fit(fits func(sentence string) bool) Layout {
	fitted := Layout{Cuts: l.Cuts}
	var add func(gap, sentence string)
	add = func(gap, sentence string) {
		if len(sentence) < 8 || fits(sentence) {
			fitted.gaps, fitted.Sentences = append(fitted.gaps, gap), append(fitted.Sentences, sentence)
			return
		}
		halves := split(sentence, (len(sentence)+1)/2)
		fitted.Cuts += halves.Cuts
		for i, half := range halves.Sentences {
			add(gap+halves.gaps[i], half)
			gap = ""
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

// SplitPart takes apart the beginning s of a longer line, as far as it can be
// by itself, and says how many bytes that is: all before the last sentence,
// which may go on, or all of s where nothing stands before it.
func SplitPart(s string) (Layout, int) {
	for cut := max(1, len(s)-utf8.UTFMax+1); cut < len(s); cut++ {
		if utf8.RuneStart(s[cut]) && !utf8.FullRuneInString(s[cut:]) {
			s = s[:cut]
		}
	}
	l := Split(s)
	if n := len(l.Sentences) - 1; n >= 0 {
		if whole := len(s) - len(l.gaps[n+1]) - len(l.Sentences[n]); whole > 0 {
			l.Sentences, l.gaps = l.Sentences[:n], l.gaps[:n+1]
			return l, whole
		}
	}
	return l, len(s)
}

// Join puts translations in the places of the sentences, one for each. Line
// breaks inside a translation become spaces, so that lines stay lines.
func (l Layout) Join(translations []string) (string, error) {
	if len(translations) != len(l.Sentences) {
		return "", fmt.Errorf("join text: %d translations for %d sentences", len(translations), len(l.Sentences))
	}
	if len(l.gaps) == 0 {
		return "", nil
	}
	var b strings.Builder
	b.WriteString(l.gaps[0])
	for i, t := range translations {
		if strings.IndexFunc(t, newline) >= 0 {
			t = strings.Map(flat, t)
		}
		b.WriteString(t)
		b.WriteString(l.gaps[i+1])
	}
	return b.String(), nil
}

// flat replaces the characters that end a line.
func flat(r rune) rune {
	if newline(r) {
		return ' '
	}
	return r
}

// newline reports whether r ends a line, as Unicode has it.
func newline(r rune) bool {
	return '\n' <= r && r <= '\r' || r == 0x85 || r == 0x2028 || r == 0x2029
}

// sentenceLen returns the length of the sentence that s, which starts with
// something visible, begins with, and whether it goes on beyond longest bytes.
// No white space is at its end.
func sentenceLen(s string, longest int) (n int, cut bool) {
	end := 0  // after the last visible character
	room := 0 // the last end of a word
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case !unicode.IsSpace(r):
			if i+n > longest && room > 0 {
				return room, true
			}
			if i+n > longest {
				return end, true
			}
			end = i + n
		case newline(r), i == end && boundary(s[:end], s[i:]):
			return end, false
		default:
			room = end
		}
		i += n
	}
	return end, false
}

const (
	closers = `"')]}»«›‹”“’‘`
	openers = `"'([{«»‹›„“‚‘”’¿¡–—-`
)

// boundary reports whether one sentence ends where before does and another
// begins in after, which starts with white space.
func boundary(before, after string) bool {
	after = strings.TrimLeft(strings.TrimLeftFunc(after, unicode.IsSpace), openers)
	next, n := utf8.DecodeRuneInString(after)
	if n == 0 || unicode.IsLower(next) || unicode.IsPunct(next) {
		return false
	}
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
		return false // an ordinal
	case strings.HasSuffix(word, "str"):
		return false // a street
	}
	word = " " + strings.ToLower(word) + " "
	return !strings.Contains(abbreviations, word) && !(unicode.IsDigit(next) && strings.Contains(counted, word))
}

// Words that end with a full stop and do not end a sentence: anywhere, and
// before a number. Those with a full stop inside stand without their last one.
const (
	abbreviations = " mr mrs ms dr prof st sr jr vs etc approx dept est eds inc ltd e.g i.e u.s u.k" +
		" jan feb apr jun jul aug sept oct nov dec jän okt dez" +
		" z.b d.h u.a u.s.w o.ä s.o s.u i.d.r v.chr n.chr u.u z.t bzw usw ca ggf inkl exkl evtl vgl" +
		" str tel jh jhd mio mrd std hr fr frl geb gest hrsg allg bsp dipl kath lt tägl urspr zzgl nr "
	counted = " no fig vol p pp art abs bd kap abb ed mar mrz ch sec "
)
