package document

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alia-network/alia/work/text"
)

// sentences divides a run with tags or codes into its sentences, as the engines divide a
// text. A tag that finds no place in the translation then spoils one sentence and not the
// paragraph. Sentences inside the same pair of tags stay together.
func (r run) sentences() []run {
	if r.barrier || plain(r.pieces) {
		return []run{r}
	}
	ends := sentenceEnds(textOf(r.pieces))
	var all []run
	var now []Piece
	cut := func() {
		if len(now) == 0 {
			return
		}
		for i, s := range core(now) {
			s.follows = i == 0 && len(all) > 0
			all = append(all, s)
		}
		now = nil
	}
	at, depth := 0, 0
	for _, p := range r.pieces {
		switch p.Kind {
		case Open:
			depth++
		case Close:
			depth--
		case Plain:
			from := at
			for at += len(p.Text); len(ends) > 0 && ends[0] < at; ends = ends[1:] {
				if k := ends[0] - from; k >= 0 && depth == 0 {
					if k > 0 {
						now = append(now, p.part(0, k))
					}
					cut()
					p, from = p.part(k, len(p.Text)), ends[0]
				}
			}
			now = append(now, p)
			continue
		}
		at += len(p.Text)
		now = append(now, p)
	}
	cut()
	return all
}

// part is a part of a plain piece. Where the file spells the text in another way, the part has
// no Raw.
func (p Piece) part(from, to int) Piece {
	switch {
	case from == 0 && to == len(p.Text):
		return p
	case p.Raw == p.Text:
		return Piece{Kind: Plain, Text: p.Text[from:to], Raw: p.Raw[from:to]}
	}
	return Piece{Kind: Plain, Text: p.Text[from:to]}
}

// sentenceEnds are the places in a text where sentences end and others follow.
func sentenceEnds(s string) (ends []int) {
	sentences, at := text.Split("", s).Sentences, 0
	for i, sentence := range sentences {
		at += strings.Index(s[at:], sentence) + len(sentence)
		// Not where a sentence is cut because it is too long.
		if i+1 < len(sentences) && finished(sentence) {
			ends = append(ends, at)
		}
	}
	return ends
}

// closers are the quotes and brackets after the mark that ends a sentence.
const closers = `"')]}»«›‹”“’‘`

// finished reports whether a text ends as a sentence does.
func finished(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(strings.TrimRight(s, closers))
	return strings.ContainsRune(".!?…。！？।؟۔", r)
}

// trimPart divides a part of a sentence into its words, and the white space and punctuation
// around them: no model translates ", and" well. The mark that ends a sentence stays.
func trimPart(s string) (before, words, after string) {
	words = strings.TrimLeftFunc(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;:.!?)]”»…–—", r) })
	before = s[:len(s)-len(words)]
	words = strings.TrimRightFunc(words, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;:([“„«–—", r) })
	return before, words, s[len(before)+len(words):]
}

// noStop is the translation of a part of a sentence without the full stop that a model adds
// to what is no sentence. An abbreviation keeps its own.
func noStop(source, translation string) string {
	t, ok := strings.CutSuffix(translation, ".")
	if !ok || finished(source) {
		return translation
	}
	word := t[strings.LastIndexFunc(t, unicode.IsSpace)+1:]
	if utf8.RuneCountInString(word) <= 3 || strings.Contains(word, ".") {
		return translation
	}
	return t
}

// beside reports whether the codes of a run stand beside its text, and not in it: after a
// colon or the end of a sentence, or before a colon, as in "%s: no such file".
func beside(pieces []Piece) bool {
	for i, p := range pieces {
		if p.Kind == Open || p.Kind == Close {
			return false
		}
		t := strings.TrimSpace(p.Text)
		if p.Kind == Code || !hasText(t) {
			continue
		}
		if i > 0 && !strings.HasPrefix(t, ":") || i+1 < len(pieces) && !strings.HasSuffix(t, ":") && !finished(t) {
			return false
		}
	}
	return true
}

// sameText reports whether pieces have the same text between the same codes.
func sameText(a, b []Piece) bool {
	flat := func(pieces []Piece) string {
		var s strings.Builder
		for _, p := range pieces {
			if p.Kind != Plain {
				s.WriteByte(0)
			}
			s.WriteString(p.Text)
			if p.Kind != Plain {
				s.WriteByte(0)
			}
		}
		return s.String()
	}
	return flat(a) == flat(b)
}
