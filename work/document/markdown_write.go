package document

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mdWriter writes the segments of a block of Markdown.
type mdWriter struct {
	table bool   // a cell
	brk   string // between lines; "" writes one line
	width int
	// labels are of the links whose text is their label, by pair. Translated, such a link
	// names its label: [text][label].
	labels map[int]string
	// follows says that a line with text stands right before the block, such as the definition
	// of a link: a quotation could be its title.
	follows bool
	can     func(rune) bool // the charset of the file has the character
}

// encode writes a target so that a parser finds the marks of the source in it, and no other.
func (e mdWriter) encode(b []byte, target []Piece, _ bool) []byte {
	if untouched(target) {
		return append(b, spell(target, nil)...)
	}
	out := make([]Piece, 0, len(target))
	for i, p := range target {
		newLine := i == 0 || strings.ContainsAny(target[i-1].Raw, "\r\n") && target[i-1].Kind != Plain
		switch {
		case p.Kind == Plain:
			p.Text, p.Raw = e.escape(p.Text, newLine, i+1 < len(target), i+1 < len(target) && target[i+1].Kind == Open), ""
			if e.follows && i == 0 && p.Text != "" && strings.IndexByte(`"'(`, p.Text[0]) >= 0 {
				p.Text = `\` + p.Text
			}
			if n := len(out); n > 0 && out[n-1].Kind == Plain {
				out[n-1].Text += p.Text
				continue
			}
		case p.Kind == Open && i > 0 && target[i-1].Kind == Close && isMark(p.Raw) && isMark(target[i-1].Raw):
			// Two marks beside each other may be read as one.
			out = append(out, Piece{Kind: Plain, Text: " "})
		case p.Kind == Close && e.labels[p.Pair] != "":
			p.Raw = "][" + e.labels[p.Pair] + "]"
		}
		out = append(out, p)
	}
	flank(out)
	same := func(s string) string { return s }
	if e.brk == "" {
		return append(b, spell(out, same)...)
	}
	// A line may begin with what begins no block.
	keep := func(w string) bool { r, _ := utf8.DecodeRuneInString(w); return !unicode.IsLetter(r) }
	return append(b, fill(out, e.width, e.brk, false, same, keep)...)
}

// isMark reports whether a tag is the mark of emphasis or of strikethrough.
func isMark(raw string) bool { return raw != "" && strings.Trim(raw, "*_~") == "" }

// escape writes text so that none of it is Markdown (CommonMark 2.4). more says that
// something follows, and link that it is a tag, which is a link's perhaps.
func (e mdWriter) escape(text string, newLine, more, link bool) string {
	var b strings.Builder
	for i, r := range text {
		first := newLine && strings.TrimSpace(text[:i]) == ""
		escape := false
		switch r {
		case '\n', '\r', '\t': // the file spelled them as entities: as they are, they are its layout
			fmt.Fprintf(&b, "&#%d;", r)
			continue
		case ' ':
			if newLine && i == 0 { // four of them begin code
				b.WriteString("&#32;")
				continue
			}
		case '~':
			if i == len(text)-1 { // the mark of strikethrough does not follow it
				b.WriteString("&#126;")
				continue
			}
			escape = true
		case '\\':
			if more && i == len(text)-1 { // beside the backslash of a line break, some parsers count wrongly
				b.WriteString("&#92;")
				continue
			}
			escape = true
		case '*', '_', '`', '[', ']', '<':
			escape = true
		case '&':
			escape = entityLength(text[i:]) > 0 || i == len(text)-1
		case '|':
			escape = e.table
		case '!':
			escape = link && i == len(text)-1
		case '#':
			escape = i == 0 || first || text[i-1] == ' ' || text[i-1] == '#'
		case '>', '-', '+', '=':
			escape = first
		case '.', ')':
			escape = newLine && i > 0 && strings.Trim(text[:i], " 0123456789") == ""
		}
		switch {
		case !e.can(r):
			fmt.Fprintf(&b, "&#%d;", r)
			continue
		case escape:
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// flank makes the marks of emphasis work beside letters. A mark beside punctuation on its
// inside opens or closes only if its outside is no letter, and "_" never does beside a
// letter (CommonMark 6.2). The letter is written as an entity then, which begins and ends
// with punctuation: "Wort&#101;" for "Worte".
func flank(pieces []Piece) {
	raw := func(i int) string {
		if pieces[i].Kind == Plain {
			return pieces[i].Text
		}
		return pieces[i].Raw
	}
	letter := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }
	for i, p := range pieces {
		if p.Kind != Open && p.Kind != Close || !isMark(p.Raw) {
			continue
		}
		if p.Kind == Open && i > 0 && pieces[i-1].Kind == Plain && i+1 < len(pieces) {
			t := &pieces[i-1].Text
			out, n := utf8.DecodeLastRuneInString(*t)
			in, _ := utf8.DecodeRuneInString(raw(i + 1))
			if letter(out) && (p.Raw[0] == '_' || !letter(in)) {
				*t = (*t)[:len(*t)-n] + fmt.Sprintf("&#%d;", out)
			}
		}
		if p.Kind == Close && i > 0 && i+1 < len(pieces) && pieces[i+1].Kind == Plain {
			t := &pieces[i+1].Text
			out, n := utf8.DecodeRuneInString(*t)
			in, _ := utf8.DecodeLastRuneInString(raw(i - 1))
			if letter(out) && (p.Raw[0] == '_' || !letter(in)) {
				*t = fmt.Sprintf("&#%d;", out) + (*t)[n:]
			}
		}
	}
}
