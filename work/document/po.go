package document

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// poEntry is a message of a PO file (GNU gettext manual, "The Format of PO Files").
type poEntry struct {
	at      int // where the line of flags or the first keyword starts
	keyword int // where the first keyword's line starts
	number  int // of that line
	flags   string
	id      *poString
	plural  *poString
	strs    []*poString
	str     int // where the first msgstr starts
	end     int // of the last string
	eol     string
}

// poString is the string after a keyword, with the lines that go on with it.
type poString struct {
	spelled
	at, end int // with its quotes
}

func (e *poEntry) flag(name string) bool {
	for f := range strings.SplitSeq(e.flags, ",") {
		if strings.TrimSpace(f) == name {
			return true
		}
	}
	return false
}

// poCharset finds the charset that the header declares.
var poCharset = regexp.MustCompile(`(?i)"Content-Type:[^"\n]*charset=([A-Za-z0-9_:.-]+)`)

// parsePO reads a gettext catalog. An entry without a translation is a segment; for an entry
// with plural forms, its two texts are. Comments, entries with translations and obsolete
// entries stay.
func parsePO(data []byte) (*Document, error) {
	declared := ""
	if m := poCharset.FindSubmatch(data[:min(len(data), 64<<10)]); m != nil && !strings.EqualFold(string(m[1]), "CHARSET") {
		declared = string(m[1])
	}
	text, cs, err := decode(data, declared)
	if err != nil {
		return nil, err
	}
	entries, err := readPO(string(text))
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 && strings.TrimSpace(string(text)) != "" && !strings.HasPrefix(strings.TrimSpace(string(text)), "#") {
		return nil, fmt.Errorf("there is no msgid")
	}
	d := cs.document(text)
	c := &poCatalog{text: string(text), entries: entries, charset: cs.name}
	c.segments(d, 0, 0)
	d.parts[0].edits = c.header
	d.localize = func(t Translations) *Document {
		again := cs.document(text)
		n, one := c.forms(t.Target)
		c.segments(again, n, one)
		again.parts[0].edits = c.header
		return again
	}
	return d, nil
}

// poCatalog is a PO file that was read.
type poCatalog struct {
	text    string
	entries []*poEntry
	charset string
}

// segments adds the entries to a document. forms is the number of plural forms to write, and
// one the form of a single thing; 0 writes as many as the file has.
func (c *poCatalog) segments(d *Document, forms, one int) {
	for _, e := range c.entries {
		if e.id.text.Len() == 0 {
			continue // the header
		}
		raw := c.text[e.at:e.end]
		s := Segment{Where: fmt.Sprintf("line %d", e.number), Pieces: e.id.pieces(cutString), Target: []Piece{{Kind: Code, Raw: raw}}}
		for _, str := range e.strs {
			s.Keep = s.Keep || str.text.Len() > 0
		}
		if e.plural != nil {
			s.Pieces = append(append(s.Pieces, Piece{Kind: Code, Text: "\n\n", Raw: poPlural}), after(e.plural.pieces(cutString), s.Pieces)...)
		}
		s.odd = !s.Keep && e.percent() && strings.Contains(plainOf(s.Pieces), "%")
		n := len(e.strs)
		if forms > 0 {
			n = forms
		}
		if e.plural != nil && n > 2 {
			s.doubt = Plurals // which form takes which ending, the model was not asked
		}
		d.add(&d.parts[0], e.at, e.end, s, func(b []byte, target []Piece, flagged bool) []byte {
			if len(target) == 1 && target[0].Kind == Code && target[0].Raw == raw {
				return append(b, raw...)
			}
			return e.write(b, c.text, target, flagged, n, one)
		})
	}
}

// poPlural stands between the texts of an entry with plural forms. No PO file has a NUL.
const poPlural = "\x00"

// after gives the pairs of pieces numbers that those before do not have.
func after(pieces, before []Piece) []Piece {
	most := 0
	for _, p := range before {
		most = max(most, p.Pair)
	}
	for i := range pieces {
		if pieces[i].Pair > 0 {
			pieces[i].Pair += most
		}
	}
	return pieces
}

// percent reports whether % has a meaning in the strings of the entry.
func (e *poEntry) percent() bool {
	for f := range strings.SplitSeq(e.flags, ",") {
		f = strings.TrimSpace(f)
		if strings.HasSuffix(f, "-format") && !strings.HasPrefix(f, "no-") && !strings.Contains(f, "brace") {
			return true
		}
	}
	return false
}

// write writes the entry with a translation. A flagged one is fuzzy: gettext does not use it
// until a person has looked at it.
func (e *poEntry) write(b []byte, text string, target []Piece, flagged bool, n, one int) []byte {
	plain := func(s string) string { return s }
	if e.percent() {
		plain = func(s string) string { return strings.ReplaceAll(s, "%", "%%") }
	}
	var parts [2]strings.Builder
	k := 0
	for _, p := range target {
		switch {
		case p.Raw == poPlural:
			k = 1
		case p.Kind == Plain:
			parts[k].WriteString(plain(p.Text))
		case p.Text == "": // a tag, whose literal may be spelled with escapes
			var s spelled
			spellPO(&s, p.Raw)
			parts[k].WriteString(s.text.String())
		default:
			parts[k].WriteString(p.Text)
		}
	}
	single, plural := parts[0].String(), parts[1].String()
	head := text[e.at:e.keyword]
	if flagged && !e.flag("fuzzy") {
		if strings.HasPrefix(head, "#,") {
			head = "#, fuzzy," + head[2:]
		} else {
			head = "#, fuzzy" + e.eol + head
		}
	}
	b = append(append(b, head...), text[e.keyword:e.str]...)
	if e.plural == nil {
		return append(append(b, "msgstr "...), quotePO(single, len("msgstr "), e.eol)...)
	}
	for i := range n {
		form := plural
		if i == one && n > 1 {
			form = single
		}
		key := "msgstr[" + strconv.Itoa(i) + "] "
		if i > 0 {
			b = append(b, e.eol...)
		}
		b = append(append(b, key...), quotePO(form, len(key), e.eol)...)
	}
	return b
}

// quotePO writes a string as gettext's tools do: on one line, or after an empty string on
// lines that end at a line end or before 79 columns.
func quotePO(s string, indent int, eol string) string {
	escape := strings.NewReplacer("\\", `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`, "\a", `\a`, "\b", `\b`, "\f", `\f`, "\v", `\v`)
	whole := escape.Replace(s)
	if inner := strings.TrimSuffix(s, "\n"); !strings.Contains(inner, "\n") && utf8.RuneCountInString(whole)+indent+2 <= 79 {
		return `"` + whole + `"`
	}
	var b strings.Builder
	b.WriteString(`""`)
	for l := range strings.SplitAfterSeq(s, "\n") {
		for l != "" {
			cut, width, space := len(l), 0, 0 // space is after the last one
			for i, r := range l {
				if width += utf8.RuneCountInString(escape.Replace(string(r))); width > 76 && space > 0 {
					cut = space
					break
				}
				if r == ' ' {
					space = i + 1
				}
			}
			b.WriteString(eol + `"` + escape.Replace(l[:cut]) + `"`)
			l = l[cut:]
		}
	}
	return b.String()
}

// add adds the string of a keyword, whose line starts at start. It returns nil where the
// keyword may not stand.
func (e *poEntry) add(keyword string, start int) *poString {
	s := &poString{}
	switch {
	case keyword == "msgctxt" && e.id == nil:
	case keyword == "msgid" && e.id == nil:
		e.id = s
	case keyword == "msgid_plural" && e.id != nil && e.plural == nil:
		e.plural = s
	case keyword == "msgstr" && e.plural == nil && len(e.strs) == 0, keyword == fmt.Sprintf("msgstr[%d]", len(e.strs)) && e.plural != nil:
		if e.strs = append(e.strs, s); len(e.strs) == 1 {
			e.str = start
		}
	default:
		return nil
	}
	return s
}

// readPO reads the entries of a file.
func readPO(text string) ([]*poEntry, error) {
	var all []*poEntry
	var e *poEntry // that goes on
	var s *poString
	flagsAt, flags := -1, ""
	oldAt := -1 // of the previous msgid, "#| msgid": flags stand before it
	finish := func(number int) error {
		if e != nil && (e.id == nil || len(e.strs) == 0) {
			return fmt.Errorf("line %d: the entry of line %d has no msgid or no msgstr", number, e.number)
		}
		if len(all) >= maxSegments {
			return fmt.Errorf("line %d: there are more than %d entries: divide the file", number, maxSegments)
		}
		if e != nil {
			all = append(all, e)
		}
		e, s = nil, nil
		return nil
	}
	for i, l := range splitLines(text) {
		number := i + 1
		start := l.at + len(l.text) - len(strings.TrimLeft(l.text, " \t\f\v\ufeff"))
		body := strings.TrimRight(text[start:l.end], " \t\f\v")
		switch {
		case body == "":
			continue
		case body[0] == '#':
			if e != nil && len(e.strs) > 0 {
				if err := finish(number); err != nil {
					return nil, err
				}
			}
			if strings.HasPrefix(body, "#,") && e == nil {
				if flags += "," + body[2:]; flagsAt < 0 {
					flagsAt = start
				}
			} else if strings.HasPrefix(body, "#~") {
				flagsAt, flags, oldAt = -1, "", -1
			} else if strings.HasPrefix(body, "#|") && e == nil && oldAt < 0 {
				oldAt = start
			}
			continue
		case body[0] == '"':
			if s == nil {
				return nil, fmt.Errorf("line %d: a string without a keyword", number)
			}
			s.add("", text[s.end-1:start+1])
			if err := s.read(body, start, number); err != nil {
				return nil, err
			}
			e.end = max(e.end, s.end)
			continue
		}
		quote := strings.IndexByte(body, '"')
		if quote < 0 {
			return nil, fmt.Errorf("line %d: no string in %q", number, body)
		}
		keyword := strings.TrimSpace(body[:quote])
		if e != nil && len(e.strs) > 0 && !strings.HasPrefix(keyword, "msgstr") {
			if err := finish(number); err != nil {
				return nil, err
			}
		}
		if e == nil {
			e = &poEntry{at: start, keyword: start, number: number, flags: flags, eol: "\n"}
			if flagsAt >= 0 {
				e.at = flagsAt
			} else if oldAt >= 0 {
				e.at = oldAt
			}
			if l.next > l.end {
				e.eol = text[l.end:l.next]
			}
			flagsAt, flags, oldAt = -1, "", -1
		}
		if s = e.add(keyword, start); s == nil {
			return nil, fmt.Errorf("line %d: %q is no keyword that may stand here", number, keyword)
		}
		if err := s.read(body[quote:], start+quote, number); err != nil {
			return nil, err
		}
		s.at = start + quote
		e.end = s.end
	}
	return all, finish(strings.Count(text, "\n") + 1)
}

// read adds a quoted string at the byte start.
func (s *poString) read(quoted string, start, number int) error {
	inner := quoted[1:]
	for i := 0; i < len(inner); i++ {
		switch inner[i] {
		case '\\':
			i++
		case '"':
			if i != len(inner)-1 {
				return fmt.Errorf("line %d: %q follows a string", number, inner[i+1:])
			}
			spellPO(&s.spelled, inner[:i])
			s.end = start + 1 + i + 1
			return nil
		}
	}
	return fmt.Errorf("line %d: a string without its end", number)
}

// spellPO adds a string with the escapes of C.
func spellPO(s *spelled, raw string) {
	letters := map[byte]string{'n': "\n", 't': "\t", 'r': "\r", 'a': "\a", 'b': "\b", 'f': "\f", 'v': "\v", '\\': "\\", '"': `"`}
	for i := 0; i < len(raw); {
		from := i
		for i < len(raw) && raw[i] != '\\' {
			i++
		}
		s.add(raw[from:i], raw[from:i])
		if i+1 < len(raw) && letters[raw[i+1]] != "" {
			s.add(letters[raw[i+1]], raw[i:i+2])
			i += 2
		} else if i < len(raw) {
			s.add(raw[i:i+1], raw[i:i+1])
			i++
		}
	}
}
