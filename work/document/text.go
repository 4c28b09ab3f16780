package document

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// line is a line of a text: the bytes at to end, without its line end, which goes to next.
type line struct {
	at, end, next int
	text          string
}

// splitLines cuts a text at \n, \r\n and \r.
func splitLines(text string) (all []line) {
	for at := 0; at < len(text); {
		end, next := len(text), len(text)
		if i := strings.IndexAny(text[at:], "\r\n"); i >= 0 {
			end, next = at+i, at+i+1
			if strings.HasPrefix(text[end:], "\r\n") {
				next++
			}
		}
		all = append(all, line{at, end, next, text[at:end]})
		at = next
	}
	return all
}

func (l line) blank() bool { return strings.TrimSpace(l.text) == "" }

// parseText reads plain text. A line is a segment; the lines of a paragraph that was broken
// at a width are one segment, whose translation is broken at the same width.
func parseText(data []byte) (*Document, error) {
	decoded, cs, err := decode(data, "")
	if err != nil {
		return nil, err
	}
	d := cs.document(decoded)
	p := &d.parts[0]
	text := string(decoded)
	lines := splitLines(text)
	for i := 0; i < len(lines); i++ {
		from := i
		for i+1 < len(lines) && !lines[i].blank() && !lines[i+1].blank() {
			i++
		}
		paragraph := lines[from : i+1]
		if width := brokenAt(paragraph); width > 0 {
			d.addBroken(p, text, paragraph, from+1, width)
			continue
		}
		for n, l := range paragraph {
			if !hasText(l.text) {
				continue
			}
			s := Segment{Where: fmt.Sprintf("line %d", from+n+1), Pieces: pairTags(placeholders(l.text))}
			d.add(p, l.at, l.end, s, func(b []byte, target []Piece, _ bool) []byte {
				return append(b, spell(target, func(s string) string { return s })...)
			})
		}
	}
	return d, nil
}

// addBroken adds the lines of a paragraph as one segment.
func (d *Document) addBroken(p *part, text string, paragraph []line, number, width int) {
	var s spelled
	brk := ""
	for i, l := range paragraph {
		if i == 0 {
			s.add(l.text, l.text)
			continue
		}
		before := paragraph[i-1]
		spaces := len(before.text) - len(strings.TrimRight(before.text, " "))
		start := l.at + len(l.text) - len(strings.TrimLeft(l.text, " "))
		if i == 1 {
			brk = text[before.end:start]
		}
		// The spaces at the end of the line before are text already; one of them is the
		// space between the words.
		if spaces == 0 {
			s.add(" ", text[before.end:start])
		} else {
			s.add("", text[before.end:start])
		}
		s.add(text[start:l.end], text[start:l.end])
	}
	last := paragraph[len(paragraph)-1]
	segment := Segment{
		Where:  fmt.Sprintf("lines %d to %d", number, number+len(paragraph)-1),
		Pieces: s.pieces(func(s string) []Piece { return pairTags(placeholders(s)) }),
	}
	d.add(p, paragraph[0].at, last.end, segment, func(b []byte, target []Piece, _ bool) []byte {
		same := func(s string) string { return s }
		if untouched(target) {
			return append(b, spell(target, same)...)
		}
		return append(b, fill(target, width, brk, false, same, bullet)...)
	})
}

// brokenAt returns the width at which the lines of a paragraph were broken, or 0 where the
// ends of the lines have a meaning, as in a list, a poem or an address.
//
// Lines were broken at a width when each but the last had no room for the first word of the
// next. Sentences and entries that stand on lines of their own can look so by accident;
// therefore the longest line has 50 to 120 characters, and some line goes on in lower case.
func brokenAt(paragraph []line) int {
	if len(paragraph) < 2 {
		return 0
	}
	width, goesOn := 0, false
	for _, l := range paragraph {
		width = max(width, utf8.RuneCountInString(strings.TrimRight(l.text, " ")))
	}
	if width < 50 || width > 120 {
		return 0
	}
	indent := -1
	for i, l := range paragraph {
		body := strings.Trim(l.text, " ")
		if strings.ContainsRune(body, '\t') || strings.Contains(body, "   ") {
			return 0 // columns
		}
		if i == 0 {
			continue
		}
		spaces := strings.Index(l.text, body)
		if indent < 0 {
			indent = spaces
		}
		first, _, _ := strings.Cut(body, " ")
		before := strings.TrimRight(paragraph[i-1].text, " ")
		room := width - utf8.RuneCountInString(before) - 1
		if spaces != indent || bullet(first) || strings.HasSuffix(before, "-") || utf8.RuneCountInString(first) <= room {
			return 0
		}
		r, _ := utf8.DecodeRuneInString(body)
		goesOn = goesOn || unicode.IsLower(r)
	}
	if !goesOn {
		return 0
	}
	return width
}

// bullet reports whether a word at the start of a line looks like the mark of a list.
func bullet(word string) bool {
	r, _ := utf8.DecodeRuneInString(word)
	return strings.ContainsRune("-*+•·–—>|#=~_", r) || strings.Trim(word, "0123456789") == "." || strings.Trim(word, "0123456789") == ")"
}
