package document

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Segment is text that is translated as a whole, such as a paragraph, with the tags and
// placeholders inside it.
type Segment struct {
	Where string // for people, such as "line 12" or "word/document.xml, paragraph 3"
	// Pieces are those of the source, in their sequence.
	Pieces []Piece
	// Target is the pieces that stand in the place of the translation, for formats that
	// keep source and translation, such as PO. nil: the source stands there.
	Target []Piece
	// Keep leaves the segment as it is: it has a translation already, or the file says that
	// it is not to be translated.
	Keep bool
	// odd says that the parser cannot tell text and tags apart: the segment stays as it is,
	// and is flagged.
	odd bool
	// doubt is a reason to flag every translation of the segment, or "".
	doubt Reason
	// Has names the languages in which the file has a translation of the segment already,
	// for formats that keep more than two languages, such as TMX.
	Has []string
}

// Piece is a piece of a segment.
type Piece struct {
	Kind PieceKind
	// Text is what a reader sees: the characters of Plain; of Code, such as "%s", what the
	// model sees in its place; "" for what has no text, such as a line break.
	Text string
	// Raw is the bytes of the file, with its escapes. A piece that a translation made has
	// no Raw: the format writes its Text.
	Raw string
	// Pair numbers the tags of a segment: an Open and its Close have the same.
	Pair int

	at int // where Raw of a tag or code stands in the part, for segments in its attributes
}

// PieceKind says what a piece is.
type PieceKind uint8

const (
	// Plain is text to translate.
	Plain PieceKind = iota
	// Code stands by itself and is kept: a placeholder, a line break, a footnote's mark.
	Code
	// Open and Close are a pair of tags around other pieces, such as <b> and </b>.
	Open
	Close
)

// Text is the segment as a reader sees it.
func (s *Segment) Text() string {
	var b strings.Builder
	for _, p := range s.Pieces {
		b.WriteString(p.Text)
	}
	return b.String()
}

// has reports whether the file has a translation of the segment into a language.
func (s *Segment) has(language string) bool {
	return slices.ContainsFunc(s.Has, func(l string) bool { return languagesAgree(l, language) })
}

// own returns the pieces that stand in the segment's place.
func (s *Segment) own() []Piece {
	if s.Target != nil {
		return s.Target
	}
	return s.Pieces
}

// hasText reports whether a string has something to translate.
func hasText(s string) bool { return strings.IndexFunc(s, unicode.IsLetter) >= 0 }

// trim divides a string into its text and the white space around it.
func trim(s string) (before, text, after string) {
	text = strings.TrimLeftFunc(s, unicode.IsSpace)
	before = s[:len(s)-len(text)]
	text = strings.TrimRightFunc(text, unicode.IsSpace)
	return before, text, s[len(before)+len(text):]
}

// maxWhole bounds the pieces of a run that is translated as a whole: no sentence has more,
// and finding the places again takes the square of their number.
const maxWhole = 256

// maxCopies bounds the bytes of the texts in pairs of tags to a byte of their run, past a short
// one. Pairs inside pairs have the text of the innermost once each: 100 around a book would
// make a hundred books to translate.
const (
	maxCopies  = 4
	freeCopies = 4 << 10 // bytes of a run that are let pass
)

// translatedWhole reports whether a run is translated as a whole, before its parts.
func translatedWhole(pieces []Piece) bool {
	if plain(pieces) {
		return len(pieces) <= maxWhole
	}
	if len(pieces) > maxWhole {
		return false
	}
	at, copied := 0, 0
	from := map[int]int{} // by pair: where its text starts
	for _, p := range pieces {
		switch p.Kind {
		case Open:
			from[p.Pair] = at
		case Close:
			if start, ok := from[p.Pair]; ok {
				copied += at - start
			}
		}
		at += len(p.Text)
	}
	return copied <= max(freeCopies, maxCopies*at)
}

// run is a part of a segment between barriers: pieces that make one text.
type run struct {
	pieces []Piece
	// barrier is the one piece of a run that stays as it is.
	barrier bool
	// follows says that the run before ends a sentence, and this one begins the next.
	follows bool
}

// runs divides a segment at its barriers: what no translation of a text can show the place
// of. These are codes without a visible text, such as line breaks, the syntax of ICU
// messages, and the tags of a pair that has a barrier inside.
func (s *Segment) runs() (all []run) {
	pieces, barriers := s.Pieces, barriers(s.Pieces)
	for from, i := 0, 0; i <= len(pieces); i++ {
		if i < len(pieces) && !barriers[i] {
			continue
		}
		if i > from {
			for _, r := range core(pieces[from:i]) {
				all = append(all, r.sentences()...)
			}
		}
		if i < len(pieces) {
			all = append(all, run{pieces: pieces[i : i+1], barrier: true})
		}
		from = i + 1
	}
	return all
}

// barriers says which pieces are barriers.
func barriers(pieces []Piece) []bool {
	barriers := make([]bool, len(pieces))
	for i, p := range pieces {
		barriers[i] = p.Kind == Code && (strings.TrimSpace(p.Text) == "" || syntax(p.Text))
	}
	closes := map[int]int{} // by pair
	for i, p := range pieces {
		if p.Kind == Close {
			closes[p.Pair] = i
		}
	}
	partner := func(i int) int { // of the Open at i, or -1
		j, ok := closes[pieces[i].Pair]
		if !ok || j < i {
			return -1
		}
		return j
	}
	// A pair with a barrier inside is a barrier. Properly nested pairs need one pass; pairs
	// that overlap may need more, and after a few all of them are barriers.
	for again, n := true, 0; again; n++ {
		again = false
		before := make([]int, len(pieces)+1)
		mates := make([]bool, len(pieces))
		for i := range pieces {
			before[i+1] = before[i]
			if barriers[i] {
				before[i+1]++
			}
		}
		for i, p := range pieces {
			if p.Kind != Open {
				continue
			}
			j := partner(i)
			if j < 0 || mates[j] { // a second tag of the same number
				again = again || !barriers[i]
				barriers[i] = true
				continue
			}
			mates[j] = true
			if broken := before[j]-before[i] > 0 || n > 3; broken && !(barriers[i] && barriers[j]) {
				barriers[i], barriers[j], again = true, true, true
			}
		}
		for i, p := range pieces {
			if p.Kind == Close && !mates[i] && !barriers[i] {
				barriers[i], again = true, true
			}
		}
	}
	return barriers
}

// core makes barriers of the tags at the ends of a run: their places are certain. They are
// pairs around the whole run, and pairs around nothing.
func core(pieces []Piece) []run {
	var head, tail []run
	pair := func(a, b Piece) bool { return a.Kind == Open && b.Kind == Close && a.Pair == b.Pair }
	for n := len(pieces); n > 1; n = len(pieces) {
		switch {
		case pair(pieces[0], pieces[1]):
			head = append(head, run{pieces: pieces[:1], barrier: true}, run{pieces: pieces[1:2], barrier: true})
			pieces = pieces[2:]
			continue
		case pair(pieces[n-2], pieces[n-1]):
			tail = append(tail, run{pieces: pieces[n-1:], barrier: true}, run{pieces: pieces[n-2 : n-1], barrier: true})
			pieces = pieces[:n-2]
			continue
		case pair(pieces[0], pieces[n-1]):
			head, tail = append(head, run{pieces: pieces[:1], barrier: true}), append(tail, run{pieces: pieces[n-1:], barrier: true})
			pieces = pieces[1 : n-1]
			continue
		}
		break
	}
	if len(pieces) > 0 {
		head = append(head, run{pieces: pieces})
	}
	slices.Reverse(tail)
	return append(head, tail...)
}

// syntax reports whether a code is a part of the syntax around the texts of an ICU message,
// such as "} other {": the braces in it do not close one another.
func syntax(code string) bool {
	depth := 0
	for _, b := range []byte(code) {
		switch b {
		case '{':
			depth++
		case '}':
			if depth--; depth < 0 {
				return true
			}
		}
	}
	return depth != 0
}

// textOf is what a reader sees of pieces.
func textOf(pieces []Piece) string {
	if len(pieces) == 1 {
		return pieces[0].Text
	}
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.Text)
	}
	return b.String()
}

// plain reports whether pieces are text alone.
func plain(pieces []Piece) bool {
	return !slices.ContainsFunc(pieces, func(p Piece) bool { return p.Kind != Plain })
}

// plainOf is the text to translate of pieces.
func plainOf(pieces []Piece) string {
	var b strings.Builder
	for _, p := range pieces {
		if p.Kind == Plain {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}

// inner is what stands between the tags of each pair, by the place of the Open tag.
func inner(pieces []Piece) map[int][]Piece {
	all := map[int][]Piece{}
	for i, p := range pieces {
		if p.Kind != Open {
			continue
		}
		all[i] = pieces[i+1:]
		for j, q := range all[i] {
			if q.Kind == Close && q.Pair == p.Pair {
				all[i] = all[i][:j]
				break
			}
		}
	}
	return all
}

// texts returns the texts of which resolve may need the translations.
func (s *Segment) texts() (all []string) {
	if s.Keep || s.odd || !hasText(plainOf(s.Pieces)) {
		return nil
	}
	add := func(pieces []Piece) {
		if hasText(plainOf(pieces)) {
			_, t, _ := trim(textOf(pieces))
			all = append(all, t)
		}
	}
	for _, r := range s.runs() {
		if r.barrier {
			continue
		}
		whole := translatedWhole(r.pieces)
		if whole {
			add(r.pieces)
			in := inner(r.pieces)
			for i, p := range r.pieces {
				if p.Kind == Open {
					add(in[i])
				}
			}
		}
		if !whole || !plain(r.pieces) {
			for i, p := range r.pieces {
				if p.Kind == Plain && hasText(p.Text) {
					_, t, _ := trimPart(r.pieces[i].Text)
					all = append(all, t)
				}
			}
		}
	}
	return all
}

// resolve makes the target of a segment. A nil target leaves the segment as it is.
//
// Whatever the translations are, the codes and tags of the target are those of the source,
// each once, in their sequence.
func (s *Segment) resolve(of func(string) (string, bool)) (target []Piece, why []Reason) {
	if s.Keep || !hasText(plainOf(s.Pieces)) {
		return nil, nil
	}
	if s.odd {
		return nil, []Reason{Untranslated}
	}
	reasons := map[Reason]bool{}
	last := "" // the text of the run before
	between := ""
	for _, r := range s.runs() {
		if r.barrier {
			target = append(target, r.pieces...)
			between += r.pieces[0].Text
			continue
		}
		text := plainOf(r.pieces)
		pieces, reason := resolve(r.pieces, of)
		target = append(target, pieces...)
		if reason != "" {
			reasons[reason] = true
		}
		if !hasText(text) {
			last += text
			continue
		}
		if last != "" && hasText(last) && !r.follows && !apart(last, between) {
			reasons[InParts] = true
		}
		last, between = text, ""
	}
	if reasons[Untranslated] {
		return nil, []Reason{Untranslated}
	}
	for _, r := range []Reason{Codes, InParts} {
		if reasons[r] {
			why = append(why, r)
		}
	}
	if sameText(s.Pieces, target) {
		target = s.Pieces // as the file spells it
	}
	if !sameDigits(s.Pieces, target) {
		why = append(why, Numbers)
	}
	return target, why
}

// apart reports whether the text before and after barriers are sentences of their own: arms
// of an ICU message, paragraphs, or the text before ends as a sentence does.
func apart(before, between string) bool {
	between = strings.Trim(between, " \t\r")
	if strings.HasPrefix(between, "}") && strings.HasSuffix(between, "{") || strings.Count(between, "\n") > 1 {
		return true
	}
	before = strings.TrimRightFunc(before, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("\"'”’»)", r) })
	r, _ := utf8.DecodeLastRuneInString(before)
	return strings.ContainsRune(".!?:;…。！？：；।؟۔", r)
}

// clean is a translation as a text of one line: a model may give anything. Control characters
// and what XML cannot write become spaces (XML 1.0, 2.2).
func clean(t string) string {
	t = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), r == '\u2028', r == '\u2029', r == '\ufeff', r == '\ufffe', r == '\uffff':
			return ' '
		}
		return r
	}, strings.ToValidUTF8(t, "\ufffd"))
	_, t, _ = trim(t)
	return t
}

// resolve makes the target of a run, as a whole or else part by part.
func resolve(pieces []Piece, of func(string) (string, bool)) (target []Piece, why Reason) {
	if !hasText(plainOf(pieces)) {
		return pieces, ""
	}
	lookUp := func(text string) (string, bool) {
		t, ok := of(text)
		if !ok {
			return "", false
		}
		if t != text {
			t = clean(t)
		}
		return t, t != ""
	}
	invented := false
	if translatedWhole(pieces) {
		before, text, after := trim(textOf(pieces))
		t, ok := lookUp(text)
		if ok {
			if target := put(pieces, before+t+after, lookUp); target != nil {
				return target, ""
			}
		}
		if plain(pieces) {
			if ok {
				return pieces, Codes
			}
			return nil, Untranslated
		}
	}
	// Part by part: the codes keep their places between the parts.
	for _, p := range pieces {
		before, text, after := trimPart(p.Text)
		if p.Kind != Plain || !hasText(text) {
			target = append(target, p)
			continue
		}
		t, ok := lookUp(text)
		t = noStop(text, t)
		switch {
		case !ok:
			return nil, Untranslated
		case t == text:
			target = append(target, p)
		case invents(text, t):
			invented = true
			target = append(target, p)
		default:
			target = append(target, Piece{Kind: Plain, Text: before + t + after})
		}
	}
	switch {
	case invented:
		return target, Codes
	case beside(pieces):
		return target, ""
	}
	return target, InParts
}
