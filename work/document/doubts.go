package document

import (
	"strings"
	"unicode"

	"github.com/alia-network/alia/work/text"
)

// Doubts says what looks wrong in a translation by a model: [Empty], [Repeats], [Length] and
// [Copied], in this sequence. from and to are languages, such as "en"; "" is one that is not
// known. It sees the two texts alone, so it knows no fault of grammar or sense, and a good
// translation may look wrong. Placeholders, tags and addresses do not count as words.
//
// The bounds were chosen on translations by people: 1,639,217 entries of gettext catalogs from
// English into 189 languages and variants, and 88,454 sentences from English into German, of the
// help of LibreOffice, the handbooks of Debian, Wesnoth and Multi30k. Each was measured in both
// directions. These percentages of the
// translations have the doubt:
//
//	             catalogs  sentences
//	Empty          0.005     0.002
//	Repeats        0.036     0.040
//	Length         0.025     0.081
//	Copied         0.300     0.050
//	any            0.365     0.173
//	any but Copied 0.065     0.123
//
// Most that are Copied are true copies: entries that were left in English, such as a fifth of
// the Hebrew and a sixth of the Macedonian ones. Of the 95 languages with at least 2,000
// entries, eight have a doubt in more than 0.5 per cent; without Copied only Assamese has.
// Many of the other doubts are right too: the two texts do not belong together.
func Doubts(source, translation, from, to string) (all []Reason) {
	if !text.HasLetters(source) {
		return nil
	}
	if !text.HasLetters(translation) {
		return []Reason{Empty}
	}
	a, b := wordsOf(source), wordsOf(translation)
	if repeats(a.words, b.words) {
		all = append(all, Repeats)
	}
	if lopsided(source, translation) {
		all = append(all, Length)
	}
	if from == "" || to == "" || text.Short(from) != text.Short(to) {
		if copies(a, b) {
			all = append(all, Copied)
		}
	}
	return all
}

// doubtful is the words of a text, without its placeholders, tags and addresses.
type doubtful struct {
	words []string // in small letters; a character of a script without spaces is a word
	plain int      // words that are no names, abbreviations or numbers, as far as their letters say
}

// wordsOf finds the words of a text.
func wordsOf(s string) (d doubtful) {
	for _, p := range placeholders(s) {
		if p.Kind == Plain {
			d.add(p.Text)
		}
	}
	return d
}

// add adds the words of a part of the text. Marks belong to the character in front of them.
func (d *doubtful) add(s string) {
	start, alone := -1, false // the word that goes on, and whether it is one character
	end := func(i int) {
		if start >= 0 {
			d.words = append(d.words, strings.ToLower(s[start:i]))
			if ordinary(s[start:i], alone) {
				d.plain++
			}
		}
		start = -1
	}
	for i, r := range s {
		letter := unicode.IsLetter(r) || unicode.IsDigit(r)
		switch {
		case unicode.IsMark(r) && start >= 0:
			continue
		case !letter:
			end(i)
			continue
		case start < 0:
		case alone || text.Spaceless(r):
			end(i)
		}
		if start < 0 {
			start, alone = i, text.Spaceless(r)
		}
	}
	end(len(s))
}

// ordinary reports whether a word has the letters of an ordinary one: more than one, without
// digits, and no capital in front.
func ordinary(word string, alone bool) bool {
	for i, r := range word {
		if unicode.IsDigit(r) || i == 0 && (unicode.IsUpper(r) || unicode.IsTitle(r)) {
			return false
		}
		if i > 0 && unicode.IsLetter(r) {
			return true
		}
	}
	return alone
}

// The bounds of repeats. They count what the translation has more than the source.
const (
	moreWords   = 2 // times that a word follows itself: "the the the"
	morePairs   = 2 // times that two or three words do: "of the of the of the"
	morePhrases = 1 // times that four words or more do
	moreLetters = 8 // letters of a word that repeats a part of itself at least three times
	moreTriples = 3 // times that three words come together, wherever
	moreOfOne   = 5 // times that one word comes, if it is a quarter of all

	longestPhrase = 32 // words
	longestPart   = 12 // letters, of a word
)

// repeats reports whether a translation says the same again and again, and its source does not.
func repeats(source, translation []string) bool {
	for _, c := range []struct{ from, to, more int }{{1, 1, moreWords}, {2, 3, morePairs}, {4, longestPhrase, morePhrases}} {
		if row(translation, c.from, c.to)-row(source, c.from, c.to) >= c.more {
			return true
		}
	}
	// "Ha ha ha!" may be one word in the other language.
	if stutter(translation)-stutter([]string{strings.Join(source, "")}) >= moreLetters || most(translation, 3)-most(source, 3) >= moreTriples {
		return true
	}
	one := most(translation, 1)
	return one-most(source, 1) >= moreOfOne && 4*one >= len(translation)
}

// row is how often from to to items come in a row at most: at least once.
func row[T comparable](items []T, from, to int) int {
	times := 1
	for n := from; n <= min(to, len(items)/2); n++ {
		same := 0 // items that are what stands n in front of them
		for i := n; i < len(items); i++ {
			if items[i] != items[i-n] {
				same = 0
				continue
			}
			same++
			times = max(times, same/n+1)
		}
	}
	return times
}

// stutter is the letters of the longest part of a word that is a shorter part three times or
// more, such as 12 of "Hahahahahahaus".
func stutter(words []string) (letters int) {
	for _, w := range words {
		if len(w) < moreLetters {
			continue
		}
		r := []rune(w)
		for n := 1; n <= longestPart; n++ {
			if times := row(r, n, n); times >= 3 {
				letters = max(letters, n*times)
			}
		}
	}
	return letters
}

// most is how often the same n words come together at most.
func most(words []string, n int) (times int) {
	count := map[string]int{}
	for i := 0; i+n <= len(words); i++ {
		key := strings.Join(words[i:i+n], " ")
		count[key]++
		times = max(times, count[key])
	}
	return times
}

// lopsided reports whether one text is more than two and a half times as long as the other, and
// 20 letters.
func lopsided(source, translation string) bool {
	a, b := weight(source), weight(translation)
	return 2*max(a, b) > 5*min(a, b)+2*20*letterWeight
}

// letterWeight is the weight of a letter of an alphabet.
const letterWeight = 2

// weight is the length of a text in half letters, which one text has in any language, about:
// in the catalogs the median of the translations from English is between 0.8 and 1.3 times as
// long. A Chinese character is three letters, a Korean one two, a Japanese one and a half,
// and a mark a half, such as an Indic vowel. White space is nothing.
func weight(s string) (n int) {
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
		case unicode.IsMark(r):
			n++
		case unicode.Is(unicode.Han, r):
			n += 3 * letterWeight
		case unicode.Is(unicode.Hangul, r):
			n += 2 * letterWeight
		case unicode.In(r, unicode.Hiragana, unicode.Katakana):
			n += 3
		default:
			n += letterWeight
		}
	}
	return n
}

// enough is how many ordinary words a text has of which a copy is no accident. Fewer are a
// command, a title or a name.
const enough = 4

// copies reports whether at least nine of ten words of each text are in the other.
func copies(source, translation doubtful) bool {
	if source.plain < enough {
		return false
	}
	count := map[string]int{}
	for _, w := range source.words {
		count[w]++
	}
	common := 0
	for _, w := range translation.words {
		if count[w] > 0 {
			count[w]--
			common++
		}
	}
	return 10*common >= 9*max(len(source.words), len(translation.words))
}
