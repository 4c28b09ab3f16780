package document

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mark is where a piece that is no text goes in a translated whole.
type mark struct {
	at, end int // at == end for a tag
	piece   Piece
}

// put puts the codes and tags of a run into the translation of the whole. It returns nil
// where the place of one is not certain: a code must stand in the translation as often as
// in the source, in the same sequence; the translation of the text between two tags must
// stand in it exactly once.
func put(pieces []Piece, whole string, of func(string) (string, bool)) []Piece {
	source := textOf(pieces)
	if source == whole {
		return pieces
	}
	if invents(source, whole) {
		return nil
	}
	if plain(pieces) {
		return []Piece{{Kind: Plain, Text: whole}}
	}
	codes := findCodes(pieces, source, whole)
	tags := findTags(pieces, whole, of)
	if codes == nil || tags == nil {
		return nil
	}
	for _, t := range tags {
		for _, m := range codes {
			if t.at > m.at && t.at < m.end {
				return nil
			}
		}
	}
	return cutAt(whole, tags, codes, pieces)
}

// tagStart is what begins a tag or a comment.
var tagStart = regexp.MustCompile(`<[a-zA-Z/!?]`)

// invents reports whether a translation has a code that its source has not, or the begin of
// a tag, which could swallow the tag after it: in catalogs tags are text. A brace beside the
// codes could end an arm of an ICU message.
func invents(source, translation string) bool {
	if n := len(tagStart.FindAllStringIndex(translation, -1)); n > 0 && n > len(tagStart.FindAllStringIndex(source, -1)) {
		return true
	}
	count, braces := map[string]int{}, [2]int{}
	for _, p := range placeholders(source) {
		if p.Kind == Code {
			count[p.Text]++
		} else {
			braces[0] += strings.Count(p.Text, "{")
			braces[1] += strings.Count(p.Text, "}")
		}
	}
	for _, p := range placeholders(translation) {
		if p.Kind == Code {
			if count[p.Text]--; count[p.Text] < 0 {
				return true
			}
		} else {
			braces[0] -= strings.Count(p.Text, "{")
			braces[1] -= strings.Count(p.Text, "}")
		}
	}
	return braces[0] < 0 || braces[1] < 0
}

// findCodes returns the places of the codes in the translation of the whole, or nil. The
// texts of all codes must come up in the translation in the sequence in which they come up
// in the source, be it as codes or, such as a footnote's "1", as text.
func findCodes(pieces []Piece, source, whole string) []mark {
	codes := []mark{} // with their places in the source
	var texts []string
	at := 0
	for _, p := range pieces {
		if p.Kind == Code {
			codes = append(codes, mark{at, at + len(p.Text), p})
			texts = append(texts, p.Text)
		}
		at += len(p.Text)
	}
	if len(codes) == 0 {
		return codes
	}
	// At one place, the longest text counts: "{{n}}" before "{n}".
	slices.SortFunc(texts, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	texts = slices.Compact(texts)
	a, b := findAll(source, texts), findAll(whole, texts)
	if len(a) != len(b) {
		return nil
	}
	next := 0
	for i := range a {
		if source[a[i].at:a[i].end] != whole[b[i].at:b[i].end] {
			return nil
		}
		if next < len(codes) && a[i].at == codes[next].at && a[i].end == codes[next].end {
			codes[next].at, codes[next].end = b[i].at, b[i].end
			next++
		}
	}
	if next < len(codes) {
		return nil
	}
	return codes
}

// findAll returns where texts, the longest first, stand in s.
func findAll(s string, texts []string) (all []mark) {
	for i := 0; i < len(s); {
		n := 1
		for _, t := range texts {
			if strings.HasPrefix(s[i:], t) {
				all = append(all, mark{at: i, end: i + len(t)})
				n = len(t)
				break
			}
		}
		i += n
	}
	return all
}

// findTags returns the places of the tags in the translation of the whole, in the sequence
// of the source, or nil.
func findTags(pieces []Piece, whole string, of func(string) (string, bool)) []mark {
	tags := []mark{}
	in := inner(pieces)
	ends := map[int]int{} // by pair
	for i, p := range pieces {
		switch p.Kind {
		case Open:
			_, t, _ := trim(textOf(in[i]))
			if source := t; hasText(plainOf(in[i])) {
				var ok bool
				if t, ok = of(source); !ok {
					return nil
				}
				t = noStop(source, t)
			}
			start, end := findOnce(whole, t)
			if start < 0 {
				return nil
			}
			tags = append(tags, mark{start, start, p})
			ends[p.Pair] = end
		case Close:
			end, ok := ends[p.Pair]
			if !ok {
				return nil
			}
			tags = append(tags, mark{end, end, p})
		}
	}
	if !slices.IsSortedFunc(tags, func(a, b mark) int { return cmp.Compare(a.at, b.at) }) {
		return nil
	}
	return tags
}

// cutAt cuts a text at its marks. The codes and tags come in the sequence of the source.
func cutAt(whole string, tags, codes []mark, source []Piece) (pieces []Piece) {
	at := 0
	for _, p := range source {
		var m mark
		switch p.Kind {
		case Plain:
			continue
		case Code:
			m, codes = codes[0], codes[1:]
		default:
			m, tags = tags[0], tags[1:]
		}
		if m.at < at {
			return nil // a code that stood inside a pair has left it
		}
		if m.at > at {
			pieces = append(pieces, Piece{Kind: Plain, Text: whole[at:m.at]})
		}
		pieces = append(pieces, m.piece)
		at = m.end
	}
	if at < len(whole) {
		pieces = append(pieces, Piece{Kind: Plain, Text: whole[at:]})
	}
	return pieces
}

// findOnce returns where text starts and ends in whole, if it stands there exactly once, as
// whole words. A first letter of another case counts as the same, and so do other endings
// of the words if nothing else is found. Otherwise start is -1.
func findOnce(whole, text string) (start, end int) {
	if text == "" {
		return -1, -1
	}
	found := -1
	for i := range whole {
		if len(whole)-i < len(text) {
			break
		}
		if !alikeButFirst(whole[i:i+len(text)], text) || !wordEdge(whole, i) || !wordEdge(whole, i+len(text)) {
			continue
		}
		if found >= 0 {
			return -1, -1
		}
		found = i
	}
	if found < 0 {
		return findInflected(whole, text)
	}
	return found, found + len(text)
}

// maxInflected bounds the words of a text that findInflected looks for.
const maxInflected = 16

// findInflected is findOnce for words with other endings: a text by itself has another case
// than in a sentence, as "ein rotes Hemd" and "in einem roten Hemd".
func findInflected(whole, text string) (start, end int) {
	want, have := words(text), words(whole)
	if len(want) == 0 || len(want) > maxInflected {
		return -1, -1
	}
	start = -1
	for i := 0; i+len(want) <= len(have); i++ {
		alike, stems := true, false
		for j, w := range want {
			a, b := strings.ToLower(text[w[0]:w[1]]), strings.ToLower(whole[have[i+j][0]:have[i+j][1]])
			ok, stem := sameStem(a, b)
			alike, stems = alike && ok, stems || stem
		}
		if !alike || !stems {
			continue
		}
		if start >= 0 {
			return -1, -1
		}
		start, end = have[i][0], have[i+len(want)-1][1]
	}
	if start < 0 {
		return -1, -1
	}
	return start, end
}

// words are the words of a text, by where they start and end. What is no word, such as
// punctuation inside, has to be between them in both texts or in none; so it counts as one.
func words(s string) (all [][2]int) {
	start := -1
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }
	for i, r := range s {
		switch {
		case word(r):
			if start < 0 {
				start = i
			}
			continue
		case start >= 0:
			all = append(all, [2]int{start, i})
			start = -1
		}
		if !unicode.IsSpace(r) {
			all = append(all, [2]int{i, i + utf8.RuneLen(r)})
		}
	}
	if start >= 0 {
		all = append(all, [2]int{start, len(s)})
	}
	return all
}

// sameStem reports whether two words of small letters differ in their endings at most, by up
// to three letters, and whether what they share is long enough to be the stem of a word.
func sameStem(a, b string) (same, stem bool) {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	for n > 0 && n < len(a) && !utf8.RuneStart(a[n]) {
		n--
	}
	k, x, y := utf8.RuneCountInString(a[:n]), utf8.RuneCountInString(a), utf8.RuneCountInString(b)
	return a == b || k >= 2 && max(x, y)-k <= min(3, k), k >= 4
}

// alikeButFirst compares two texts of equal length, whatever the case of the first letter.
func alikeButFirst(a, b string) bool {
	if a == b {
		return true
	}
	_, n := utf8.DecodeRuneInString(a)
	_, m := utf8.DecodeRuneInString(b)
	return n == m && a[n:] == b[m:] && strings.EqualFold(a[:n], b[:m])
}

// wordEdge reports whether no word goes over the place at in s. Scripts without spaces
// between words do not tell.
func wordEdge(s string, at int) bool {
	if at == 0 || at == len(s) {
		return true
	}
	before, _ := utf8.DecodeLastRuneInString(s[:at])
	after, _ := utf8.DecodeRuneInString(s[at:])
	if unicode.In(before, spaceless...) || unicode.In(after, spaceless...) {
		return true
	}
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }
	return !word(before) || !word(after)
}

// spaceless are the scripts that write words without spaces between them.
var spaceless = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Tibetan}
