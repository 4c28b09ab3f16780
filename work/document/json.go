package document

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// parseJSON reads a catalog of strings in JSON, such as those of i18next, Chrome's
// messages.json and Flutter's .arb. The values are texts, nested or not; what describes them
// to translators and programs stays.
func parseJSON(data []byte) (*Document, error) {
	text, cs, err := decode(data, "")
	if err != nil {
		return nil, err
	}
	d := cs.escaping(text)
	if strings.TrimSpace(string(text)) == "" {
		return d, nil
	}
	var raw json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		if syntax := new(json.SyntaxError); errors.As(err, &syntax) {
			return nil, fmt.Errorf("line %d: %w", lineOf(text, min(int(syntax.Offset), len(text))), err)
		}
		return nil, err
	}
	c := &jsonCatalog{s: string(text), d: d, charset: cs}
	c.escapes = ascii(text) && strings.Contains(c.s, `\u`)
	root := c.value()
	if c.nodes > maxPieces {
		d.full = true
		return d, nil
	}
	c.add(root, nil)
	d.parts[0].edits = func(t Translations) []edit { return c.language(root, t) }
	return d, nil
}

// jsonCatalog is a JSON file that is read.
type jsonCatalog struct {
	s       string
	i       int
	nodes   int
	d       *Document
	charset charset
	escapes bool // the file writes what is not ASCII as \u
	line    int  // line ends before at
	at      int
}

// jsonNode is a string, an object or an array. Other values are no nodes.
type jsonNode struct {
	key      string // its name in an object
	keyAt    int    // where the name starts and ends, with its quotes
	keyEnd   int
	at, end  int // with the quotes
	object   bool
	members  []*jsonNode
	isString bool
}

func (c *jsonCatalog) space() {
	for c.i < len(c.s) && strings.IndexByte(" \t\r\n", c.s[c.i]) >= 0 {
		c.i++
	}
}

// value reads a value. The text is valid JSON; the nesting is bounded by encoding/json.
func (c *jsonCatalog) value() *jsonNode {
	c.space()
	n := &jsonNode{at: c.i}
	c.nodes++
	switch b := c.s[c.i]; b {
	case '"':
		n.isString = true
		c.str()
	case '{', '[':
		n.object = b == '{'
		for c.i++; ; c.i++ {
			c.space()
			if b := c.s[c.i]; b == '}' || b == ']' {
				c.i++
				break
			} else if b == ',' {
				continue
			}
			var key string
			from, to := c.i, c.i
			if n.object {
				c.str()
				to = c.i
				key = unquoteJSON(c.s[from:to])
				c.space()
				c.i++ // the colon
			}
			m := c.value()
			m.key, m.keyAt, m.keyEnd = key, from, to
			if (m.isString || m.members != nil) && c.nodes <= maxPieces {
				n.members = append(n.members, m)
			}
			c.i-- // the loop goes on by one
		}
	default:
		for c.i < len(c.s) && strings.IndexByte(",]} \t\r\n", c.s[c.i]) < 0 {
			c.i++
		}
	}
	n.end = c.i
	return n
}

// str goes to the end of a string.
func (c *jsonCatalog) str() {
	for c.i++; c.s[c.i] != '"'; c.i++ {
		if c.s[c.i] == '\\' {
			c.i++
		}
	}
	c.i++
}

func unquoteJSON(s string) string {
	var out string
	if json.Unmarshal([]byte(s), &out) != nil {
		return s
	}
	return out
}

// about are the names of members that describe a message; the first ones are the message.
var about = []string{"message", "defaultMessage", "string", "translation", "description", "placeholders", "id", "comment", "context",
	"meaning", "type", "examples", "developer_comment", "character_limit", "note", "file"}

// message is the member of an object that is its text, where the object is a message with a
// description, or nil.
func (n *jsonNode) message() *jsonNode {
	var found *jsonNode
	for _, m := range n.members {
		i := slices.Index(about, m.key)
		if i < 0 {
			return nil
		}
		if i < 4 && m.isString && found == nil {
			found = m
		}
	}
	return found
}

// add adds the texts of a value as segments.
func (c *jsonCatalog) add(n *jsonNode, path []string) {
	if n.isString {
		c.addString(n, path)
		return
	}
	if m := n.message(); n.object && m != nil {
		c.addString(m, append(path, m.key))
		return
	}
	for i, m := range n.members {
		if m.key != "" && strings.ContainsRune("@$", rune(m.key[0])) || m.key == "//" || m.key == "_comment" {
			continue // of .arb, of JSON Schema, and comments
		}
		key := m.key
		if !n.object {
			key = fmt.Sprint(i)
		}
		c.add(m, append(path, key))
	}
}

func (c *jsonCatalog) addString(n *jsonNode, path []string) {
	var s spelled
	spellJSON(&s, c.s[n.at+1:n.end-1])
	pieces := s.pieces(cutString)
	if !hasText(plainOf(pieces)) {
		return
	}
	c.line += strings.Count(c.s[c.at:n.at], "\n")
	c.at = n.at
	where := fmt.Sprintf("line %d", c.line+1)
	if path = path[:min(len(path), 8)]; len(path) > 0 {
		where += ", " + strings.Join(path, ".")
	}
	c.d.add(&c.d.parts[0], n.at+1, n.end-1, Segment{Where: where, Pieces: pieces}, func(b []byte, target []Piece, _ bool) []byte {
		return append(b, spell(elide(target), c.escape)...)
	})
}

// elide writes an elision before a placeholder, as in l'{name}, with the apostrophe of
// typography: in ICU messages the other one would begin a quotation.
func elide(target []Piece) []Piece {
	out := slices.Clone(target)
	for i := range len(out) - 1 {
		p := &out[i]
		word, ok := strings.CutSuffix(p.Text, "'")
		if r, _ := utf8.DecodeLastRuneInString(word); ok && p.Kind == Plain && p.Raw == "" && unicode.IsLetter(r) && strings.HasPrefix(out[i+1].Text, "{") {
			p.Text = word + "’"
		}
	}
	return out
}

// spellJSON adds the inside of a string (RFC 8259, 7).
func spellJSON(s *spelled, raw string) {
	for i := 0; i < len(raw); {
		from := i
		for i < len(raw) && raw[i] != '\\' {
			i++
		}
		s.add(raw[from:i], raw[from:i])
		if i == len(raw) {
			return
		}
		n := 2
		if raw[i+1] == 'u' {
			n = 6
			// A pair of surrogates is one character.
			if r := hex4(raw[i+2 : i+6]); utf16.IsSurrogate(r) && strings.HasPrefix(raw[i+6:], `\u`) && utf16.DecodeRune(r, hex4(raw[i+8:i+12])) != utf8.RuneError {
				n = 12
			}
		}
		s.add(unquoteJSON(`"`+raw[i:i+n]+`"`), raw[i:i+n])
		i += n
	}
}

// hex4 is the value of four hexadecimal digits.
func hex4(s string) (r rune) {
	for _, d := range s {
		r = r<<4 | rune(strings.IndexRune("0123456789abcdef", unicode.ToLower(d)))
	}
	return r
}

// escape writes text inside a string.
func (c *jsonCatalog) escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ', r >= utf8.RuneSelf && (c.escapes || !c.charset.can(r)):
			for _, u := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, u)
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// language returns the edits that give a catalog another language: the value of @@locale,
// and the one name at the root that is the source language.
func (c *jsonCatalog) language(root *jsonNode, t Translations) (edits []edit) {
	for _, m := range root.members {
		switch {
		case m.key == "@@locale" && m.isString:
			edits = append(edits, edit{m.at + 1, m.end - 1, c.escape(strings.ReplaceAll(t.Target, "-", "_"))})
		case len(root.members) == 1 && m.members != nil && sameLanguage(m.key, t.Source):
			edits = append(edits, edit{m.keyAt + 1, m.keyEnd - 1, c.escape(t.Target)})
		}
	}
	return edits
}
