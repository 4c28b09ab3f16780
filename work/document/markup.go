package document

import (
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

// markup is how text is written in a kind of markup.
type markup struct {
	xml  bool // XML, in which only numbers and five names are known references
	html bool // the names of HTML are known references too
	attr byte // the quote around an attribute's value, or 0 for text between tags
	keep bool // white space stays as it is
}

var (
	htmlText = markup{html: true}
	xmlText  = markup{xml: true}
)

// reader reads the text of one segment, which may stand in many pieces of a file.
type reader struct {
	markup
	space bool // the text so far is empty or ends with a space: more white space is not seen
}

// unit is a character as the file has it.
type unit struct {
	text string // what a reader sees; "" for what has no text
	n    int    // bytes of the file
	code bool   // it cannot be written in another way, and is kept
}

// next reads the character, or the reference to one, at the start of raw.
func (m markup) next(raw string) unit {
	c := raw[0]
	switch {
	case c == '&':
		return m.reference(raw)
	case c == '\t' || c == '\n' || c == '\r' || c == '\f' && !m.xml:
		return unit{text: raw[:1], n: 1}
	case c < ' ' || c == 0x7f:
		return unit{n: 1, code: true}
	case c < utf8.RuneSelf:
		return unit{text: raw[:1], n: 1}
	}
	r, n := utf8.DecodeRuneInString(raw)
	if r == utf8.RuneError && n == 1 {
		return unit{n: 1, code: true}
	}
	return unit{text: raw[:n], n: n}
}

// reference reads a character reference (HTML, section 13.2.5.72; XML 1.0, section 4.1).
func (m markup) reference(raw string) unit {
	end := 1
	if end < len(raw) && raw[end] == '#' {
		end++
	}
	for end < len(raw) && end < 40 && (isAlnum(raw[end]) || m.xml && strings.IndexByte("_-.:", raw[end]) >= 0) {
		end++
	}
	closed := end < len(raw) && raw[end] == ';'
	name := raw[:end]
	if closed {
		name = raw[:end+1]
	}
	text := html.UnescapeString(name)
	switch {
	case text == name: // no reference, or an entity that HTML does not know
		if m.xml && closed {
			return unit{n: len(name), code: true}
		}
		return unit{text: "&", n: 1}
	case !closed && m.attr != 0:
		// In an attribute "&copy=1" and "&copyright" are no references.
		if end < len(raw) && raw[end] == '=' || html.UnescapeString(name+";") != text {
			return unit{text: "&", n: 1}
		}
	case closed && m.xml && !m.html && name[1] != '#' && !strings.Contains(" &amp; &lt; &gt; &quot; &apos; ", " "+name+" "):
		return unit{n: len(name), code: true}
	case !closed || text[len(text)-1] == ';':
		// HTML knows some names without a semicolon, such as "&copy": the shortest beginning
		// that gives all of the text but what follows it.
		for n := 2; n <= end; n++ {
			if t := html.UnescapeString(raw[:n]); t != raw[:n] && t+name[n:] == text {
				if m.attr != 0 {
					return unit{text: "&", n: 1}
				}
				return unit{text: t, n: n}
			}
		}
	}
	if r, _ := utf8.DecodeRuneInString(text); unicode.IsControl(r) && !unicode.IsSpace(r) {
		return unit{n: len(name), code: true}
	}
	return unit{text: text, n: len(name)}
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// pieces reads text. at is where it stands in the part. White space becomes one space,
// unless it has to be kept; what HTML does not show has no text.
func (r *reader) pieces(raw string, at int) (all []Piece) {
	var text []byte
	var places []int32 // in raw, of each byte of text
	start := 0         // of the piece in raw
	flush := func(end int) {
		if start < end {
			all = append(all, cutPlaceholders(raw[start:end], string(text), places, start, at)...)
		}
		text, places, start = text[:0], places[:0], end
	}
	for i := 0; i < len(raw); {
		if len(all) > maxRun { // [Parse] refuses the document
			return append(all, Piece{Kind: Code, Raw: raw[start:], at: at + start})
		}
		u := r.next(raw[i:])
		if u.code {
			flush(i)
			start = i + u.n
			all = append(all, Piece{Kind: Code, Raw: raw[i:start], at: at + i})
			r.space = false
		}
		// A reference to white space, such as "&#10;", is meant. No-break space is no white
		// space of HTML.
		white := len(u.text) == 1 && u.n == 1 && strings.IndexByte(" \t\n\r\f", u.text[0]) >= 0
		if white && !r.keep {
			if u.text = " "; r.space {
				u.text = ""
			}
		}
		if u.text != "" {
			r.space = white
		}
		for range len(u.text) {
			places = append(places, int32(i))
		}
		text = append(text, u.text...)
		i += u.n
	}
	flush(len(raw))
	return all
}

// cutPlaceholders makes pieces of a text and its bytes. places are those of the text's
// bytes in the file's text, whose first byte is start.
func cutPlaceholders(raw, text string, places []int32, start, at int) []Piece {
	all := placeholders(text)
	if len(all) < 2 && (len(all) == 0 || all[0].Kind == Plain) {
		return []Piece{{Kind: Plain, Text: text, Raw: raw, at: at + start}}
	}
	done, n := 0, 0 // in raw, in text
	for i := range all {
		n += len(all[i].Text)
		end := len(raw)
		if i < len(all)-1 {
			end = int(places[n]) - start
		}
		all[i].Raw, all[i].at = raw[done:end], at+start+done
		done = end
	}
	return all
}

// write appends pieces. What has no Raw is escaped.
func (m markup) write(b []byte, pieces []Piece) []byte {
	for _, p := range pieces {
		if p.Raw != "" {
			b = append(b, p.Raw...)
		} else {
			b = m.escape(b, p.Text)
		}
	}
	return b
}

// escape appends text. Characters that XML cannot have (XML 1.0, section 2.2) become
// U+FFFD.
func (m markup) escape(b []byte, text string) []byte {
	for _, r := range text {
		switch {
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r == '"' && m.attr == '"':
			b = append(b, "&quot;"...)
		case r == '\'' && m.attr == '\'':
			b = append(b, "&#39;"...)
		case r == '\u00a0' && m.html && !m.xml:
			b = append(b, "&nbsp;"...)
		case r == '\u00a0' && m.html:
			b = append(b, "&#160;"...)
		case r == '\t' || r == '\n':
			b = utf8.AppendRune(b, r)
		case r == '\r':
			b = append(b, '\n')
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == '\ufffe' || r == '\uffff':
			b = append(b, "\ufffd"...)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}
