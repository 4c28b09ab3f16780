package document

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// spelled is a text as a reader sees it, and as the file spells it: "é" and "\u00e9".
type spelled struct {
	text, raw strings.Builder
	at        []int32 // by byte of text: where the spelling of its character starts in raw
}

// add appends characters that the file spells raw. An empty text is a part of the spelling
// of what comes before.
func (s *spelled) add(text, raw string) {
	for i := range len(text) {
		if text != raw {
			i = 0 // one character, or several that no piece may divide
		}
		s.at = append(s.at, int32(s.raw.Len()+i))
	}
	s.text.WriteString(text)
	s.raw.WriteString(raw)
}

// pieces divides the text by cut, of which each piece has a Raw that is its part of the text.
// The Raw of the result is the spelling.
func (s *spelled) pieces(cut func(string) []Piece) []Piece {
	text, raw := s.text.String(), s.raw.String()
	if text == "" {
		if raw == "" {
			return nil
		}
		return []Piece{{Kind: Code, Raw: raw}}
	}
	pieces := cut(text)
	at := 0
	for i := range pieces {
		n := len(pieces[i].Raw)
		from, to := int(s.at[at]), len(raw)
		if at == 0 {
			from = 0
		}
		if at += n; at < len(text) {
			to = int(s.at[at])
		}
		pieces[i].Raw = raw[from:to]
	}
	return pieces
}

// cutString divides the string of a catalog at its placeholders, tags and line ends.
func cutString(text string) []Piece { return pairTags(cutLines(placeholders(text))) }

// cutLines makes codes of the line ends and tabs in plain pieces, with the white space around them:
// a catalog's string has them for its layout, and the model translates lines. Past maxRun
// pieces nothing is cut: [Parse] refuses the document.
func cutLines(pieces []Piece) (all []Piece) {
	for _, p := range pieces {
		if len(all) > maxRun {
			all = append(all, p)
			continue
		}
		if p.Kind != Plain || !strings.ContainsAny(p.Text, "\n\r\t\f\v") {
			all = append(all, p)
			continue
		}
		for text := p.Text; text != ""; {
			i := strings.IndexAny(text, "\n\r\t\f\v")
			if i < 0 || len(all) > maxRun {
				all = append(all, Piece{Kind: Plain, Text: text, Raw: text})
				break
			}
			from := len(strings.TrimRightFunc(text[:i], unicode.IsSpace))
			to := len(text) - len(strings.TrimLeftFunc(text[i:], unicode.IsSpace))
			if from > 0 {
				all = append(all, Piece{Kind: Plain, Text: text[:from], Raw: text[:from]})
			}
			all = append(all, Piece{Kind: Code, Text: text[from:to], Raw: text[from:to]})
			text = text[to:]
		}
	}
	return all
}

// pairTags makes pairs of the codes that are tags, such as <b> and </b>. A tag without a
// partner stays a code.
func pairTags(pieces []Piece) []Piece {
	type open struct {
		at   int
		name string
	}
	var stack []open
	pairs := 0
	for i, p := range pieces {
		name, shut := tagName(p)
		if name == "" {
			continue
		}
		if !shut {
			if len(stack) < maxCodes {
				stack = append(stack, open{i, name})
			}
			continue
		}
		// The partner is the innermost tag of the name. Tags inside it that nobody closed,
		// such as <br>, have none. Looking past a few of them would take quadratic time.
		for k := len(stack) - 1; k >= max(0, len(stack)-16); k-- {
			if stack[k].name != name {
				continue
			}
			pairs++
			for at, kind := range map[int]PieceKind{stack[k].at: Open, i: Close} { // order-free: two separate pieces
				pieces[at].Kind, pieces[at].Text, pieces[at].Pair = kind, "", pairs
			}
			stack = stack[:k]
			break
		}
	}
	return pieces
}

// tagName is the name of the tag that a code is, or "".
func tagName(p Piece) (name string, shut bool) {
	if p.Kind != Code || len(p.Text) < 3 || p.Text[0] != '<' || p.Text[len(p.Text)-1] != '>' || strings.HasSuffix(p.Text, "/>") {
		return "", false
	}
	s, shut := strings.CutPrefix(p.Text[1:], "/")
	if !wordByte(s[0]) {
		return "", false
	}
	return strings.ToLower(s[:strings.IndexFunc(s, func(r rune) bool { return r == '>' || r == '.' || unicode.IsSpace(r) })]), shut
}

// spell writes pieces as the file spells them; plain spells the new ones.
func spell(pieces []Piece, plain func(string) string) string {
	var b strings.Builder
	for _, p := range pieces {
		if p.Raw == "" {
			b.WriteString(plain(p.Text))
		} else {
			b.WriteString(p.Raw)
		}
	}
	return b.String()
}

// untouched reports whether all pieces are of the file.
func untouched(pieces []Piece) bool {
	for _, p := range pieces {
		if p.Raw == "" && p.Text != "" {
			return false
		}
	}
	return true
}

// word is a run of a text without a place to break a line.
type word struct {
	raw   string
	width int // characters that a reader sees
	glued bool
}

// fill writes pieces in lines of at most width characters, as far as the words allow, with
// brk between the lines. plain writes the text of a new piece. keep says before which words
// no line may be broken. balanced makes the lines about as long as one another.
func fill(pieces []Piece, width int, brk string, balanced bool, plain func(string) string, keep func(string) bool) string {
	var words []word
	var raw strings.Builder // of the word that is being read: it may have thousands of pieces
	seen, total := 0, 0     // characters of it, and of all words and the spaces between them
	add := func(text string, width int) {
		raw.WriteString(text)
		seen, total = seen+width, total+width
	}
	end := func() {
		words = append(words, word{raw: raw.String(), width: seen})
		raw.Reset()
		seen = 0
	}
	for _, p := range pieces {
		if p.Kind != Plain {
			add(p.Raw, utf8.RuneCountInString(p.Text)) // with its spaces, at which no line may be broken
			continue
		}
		for i, w := range strings.Split(p.Text, " ") {
			if i > 0 {
				end()
				total++
			}
			add(plain(w), utf8.RuneCountInString(w))
		}
	}
	end()
	for i := range words {
		words[i].glued = i == 0 || words[i].raw == "" || words[i-1].raw == "" || keep != nil && keep(words[i].raw)
	}
	if !balanced || total <= width {
		text, _ := lines(words, width, brk)
		return text
	}
	want := (total + width - 1) / width
	for w := (total + want - 1) / want; w < width; w++ {
		if text, n := lines(words, w, brk); n <= want {
			return text
		}
	}
	text, _ := lines(words, width, brk)
	return text
}

// lines breaks words greedily, and counts the lines.
func lines(words []word, width int, brk string) (string, int) {
	var b strings.Builder
	at, n := 0, 1
	for i, w := range words {
		switch {
		case i == 0:
		case !w.glued && at+1+w.width > width:
			b.WriteString(brk)
			at = 0
			n++
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(w.raw)
		at += w.width
	}
	return b.String(), n
}
