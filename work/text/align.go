package text

import (
	"fmt"
	"sort"
	"strings"
	"unicode"
)

// WordLink says that a word of a translation stands for a word of its source. Words are counted
// from 0, as [Words] finds them.
type WordLink struct{ Source, Target int }

// Traced is a translated sentence, and what the model knows of it.
type Traced struct {
	Text string
	// Cut says that the translation has as many tokens as the model may make of the sentence:
	// the model did not end it.
	Cut   bool
	Links []WordLink // nil where nobody asked
}

// Pharaoh writes links in the format of the decoder Pharaoh, which alignment tools read:
// "0-0 1-2", source first. The links are sorted, and each is written once.
func Pharaoh(links []WordLink) string {
	var b strings.Builder
	for i, l := range SortLinks(links) {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%d-%d", l.Source, l.Target)
	}
	return b.String()
}

// SortLinks returns links by source and target, each once.
func SortLinks(links []WordLink) (all []WordLink) {
	links = append([]WordLink(nil), links...)
	sort.Slice(links, func(i, j int) bool {
		a, b := links[i], links[j]
		return a.Source < b.Source || a.Source == b.Source && a.Target < b.Target
	})
	for i, l := range links {
		if i == 0 || l != links[i-1] {
			all = append(all, l)
		}
	}
	return all
}

// Span is a part of a text, in bytes.
type Span struct{ From, To int }

// Words returns where the words of a text stand: what white space separates. In scripts without
// spaces between words a word is one letter, with the marks and the punctuation behind it:
// "你好，Ada!" has the words "你", "好，" and "Ada!".
func Words(s string) (words []Span) {
	from, alone, lettered := -1, false, false // the word that goes on
	end := func(at int) {
		if from >= 0 {
			words = append(words, Span{from, at})
		}
		from, alone, lettered = -1, false, false
	}
	for i, r := range s {
		starts := isLetter(r) || numeral(r) // and does not follow what it belongs to
		wide := starts && Spaceless(r) && !unicode.Is(marks, r)
		switch {
		case blank(r):
			end(i)
			continue
		case from < 0:
			from = i
		case wide && lettered, starts && alone && !unicode.Is(marks, r):
			end(i)
			from = i
		}
		alone, lettered = alone || wide, lettered || starts
	}
	end(len(s))
	return words
}

// core is where the first letter or digit of a word stands, or else the word: the punctuation in
// front of it may belong to another word in a longer text.
func (w Span) core(s string) int {
	if i := strings.IndexFunc(s[w.From:w.To], func(r rune) bool { return isLetter(r) || numeral(r) }); i > 0 {
		return w.From + i
	}
	return w.From
}

// Links are the links of a whole text between its words: those of the sentences, by their own
// words, and of each word that is copied to itself. translations are those of [Layout.Join].
func (l Layout) Links(translations []string, links [][]WordLink) (all []WordLink) {
	if len(l.gaps) == 0 {
		return nil
	}
	var source, target strings.Builder
	var pairs []Span // of places in both texts; the To is that in the target
	copied := func(gap string) {
		for _, w := range Words(gap) {
			at := w.core(gap)
			pairs = append(pairs, Span{source.Len() + at, target.Len() + at})
		}
		source.WriteString(gap)
		target.WriteString(gap)
	}
	copied(l.gaps[0])
	for i := range l.Sentences {
		s, t := l.Source(i), strings.Map(flat, translations[i])
		from, to := Words(s), Words(t)
		for _, link := range links[i] {
			if link.Source < len(from) && link.Target < len(to) {
				pairs = append(pairs, Span{source.Len() + from[link.Source].core(s), target.Len() + to[link.Target].core(t)})
			}
		}
		source.WriteString(s)
		target.WriteString(t)
		copied(l.gaps[i+1])
	}
	// A word of a sentence may be a part of a word of the whole text.
	from, to := Words(source.String()), Words(target.String())
	word := func(words []Span, at int) int {
		return sort.Search(len(words), func(i int) bool { return words[i].From > at }) - 1
	}
	for _, p := range pairs {
		if x, y := word(from, p.From), word(to, p.To); x >= 0 && y >= 0 {
			all = append(all, WordLink{x, y})
		}
	}
	return SortLinks(all)
}

// Source returns sentence i without the code of the layout.
func (l Layout) Source(i int) string { return l.Sentences[i][len(l.code):] }
