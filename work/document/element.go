package document

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Bounds of the XML in an archive. Word nests about 60 deep in the worst real tables.
const (
	maxNesting  = 500
	maxElements = 1 << 20 // in one paragraph, or other element that is taken as a whole
	maxQuotes   = 1 << 16 // in a tag with the text behind it: more are too many attributes
	maxPrefixes = 200     // of names, at one place
)

// xmlElement is an element of an XML file with the places of its bytes, or a text in it.
type xmlElement struct {
	name  string // with the usual prefix, such as "w:p", whatever the file's prefix is; "" for a text
	attrs []xmlAttr
	text  string // of a text, without escapes
	kids  []*xmlElement
	// The tags are [at, inner) and [innerEnd, end). A tag that closes itself has no inside,
	// and inner == end.
	at, inner, innerEnd, end int
}

// xmlAttr is an attribute of an element.
type xmlAttr struct {
	name  string // with the usual prefix
	raw   string // with the file's prefix
	value string
}

// usualPrefix has the prefixes by which this package knows the names of elements. Files may have
// others for the same names; the "strict" files of Office 2013 have other names too.
var usualPrefix = map[string]string{
	"http://schemas.openxmlformats.org/wordprocessingml/2006/main":       "w",
	"http://purl.oclc.org/ooxml/wordprocessingml/main":                   "w",
	"http://schemas.openxmlformats.org/drawingml/2006/main":              "a",
	"http://purl.oclc.org/ooxml/drawingml/main":                          "a",
	"http://schemas.openxmlformats.org/package/2006/content-types":       "ct",
	"http://purl.org/dc/elements/1.1/":                                   "dc",
	"http://www.idpf.org/2007/opf":                                       "opf",
	"http://www.daisy.org/z3986/2005/ncx/":                               "ncx",
	"http://www.w3.org/2001/04/xmlenc#":                                  "enc",
	"urn:oasis:names:tc:opendocument:xmlns:container":                    "container",
	"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0":                 "manifest",
	"urn:oasis:names:tc:opendocument:xmlns:office:1.0":                   "office",
	"urn:oasis:names:tc:opendocument:xmlns:text:1.0":                     "text",
	"urn:oasis:names:tc:opendocument:xmlns:style:1.0":                    "style",
	"urn:oasis:names:tc:opendocument:xmlns:table:1.0":                    "table",
	"urn:oasis:names:tc:opendocument:xmlns:drawing:1.0":                  "draw",
	"urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0":        "fo",
	"http://openoffice.org/2009/office":                                  "officeooo",
	"http://www.w3.org/XML/1998/namespace":                               "xml",
	"http://schemas.openxmlformats.org/markup-compatibility/2006":        "mc",
	"http://schemas.openxmlformats.org/officeDocument/2006/math":         "m",
	"http://purl.oclc.org/ooxml/officeDocument/math":                     "m",
	"http://schemas.openxmlformats.org/officeDocument/2006/bibliography": "b",
}

// Verdicts of walk's caller on an element.
type verdict uint8

const (
	enter verdict = iota // look at the elements inside
	take                 // give the element as a whole
	leave                // nothing inside is wanted
)

// walkXML reads an XML file, and gives the elements that the caller takes, in their sequence.
// Entities that the file defines are not expanded: a use of one is an error.
func walkXML(member string, data []byte, judge func(name string) verdict, taken func(*xmlElement) error) error {
	if err := utf8XML(data); err != nil {
		return fmt.Errorf("%s: %w", member, err)
	}
	w := walker{data: data, dec: xml.NewDecoder(bytes.NewReader(data)), judge: judge, taken: taken}
	// The bytes were found to be UTF-8, or ASCII, whatever name the file gives them.
	w.dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	for {
		at := int(w.dec.InputOffset())
		tok, err := w.dec.RawToken()
		if errors.Is(err, io.EOF) && len(w.open) == 0 && w.seen {
			return nil
		}
		if errors.Is(err, io.EOF) {
			err = errors.New("the XML ends before its last element does")
		}
		if err == nil {
			err = w.token(tok, at, int(w.dec.InputOffset()))
		}
		if err != nil {
			return fmt.Errorf("%s: line %d: %w", member, 1+bytes.Count(data[:at], []byte("\n")), err)
		}
	}
}

// utf8XML refuses a file whose bytes are not UTF-8, because its places would not be those of
// bytes, and one whose tags would fill the memory.
func utf8XML(data []byte) error {
	if bytes.HasPrefix(data, []byte("\xFE\xFF")) || bytes.HasPrefix(data, []byte("\xFF\xFE")) ||
		bytes.HasPrefix(data, []byte("\x00<")) || bytes.HasPrefix(data, []byte("<\x00")) {
		return errors.New("the XML is UTF-16; only UTF-8 is supported: open the document in its program and save it again")
	}
	if !utf8.Valid(data) {
		return errors.New("the XML is not UTF-8: open the document in its program and save it again")
	}
	return manyQuotes(data)
}

// manyQuotes refuses a file with a tag of so many attributes that they would fill the memory
// before the first is looked at.
func manyQuotes(data []byte) error {
	quotes := 0
	for _, c := range data {
		switch c {
		case '<':
			quotes = 0
		case '"', '\'':
			if quotes++; quotes > maxQuotes {
				return fmt.Errorf("the XML has a tag or a text with more than %d quotation marks", maxQuotes)
			}
		}
	}
	return nil
}

// walker is where a walk is.
type walker struct {
	data   []byte
	dec    *xml.Decoder
	judge  func(string) verdict
	taken  func(*xmlElement) error
	seen   bool // an element
	open   []opened
	whole  *xmlElement // that is being taken
	inside []*xmlElement
	count  int // elements in whole
	left   int // depth at which an element to leave stands; 0: none
}

// opened is an element whose end has not come.
type opened struct {
	raw    xml.Name
	spaces map[string]string // the file's prefixes from here on
}

func (w *walker) token(tok xml.Token, at, end int) error {
	switch tok := tok.(type) {
	case xml.StartElement:
		return w.start(tok, at, end)
	case xml.EndElement:
		return w.end(tok, at, end)
	case xml.CharData:
		if w.whole != nil {
			return w.grow(&xmlElement{text: string(tok), at: at, inner: at, innerEnd: end, end: end}, false)
		}
	}
	return nil
}

func (w *walker) start(tok xml.StartElement, at, end int) error {
	w.seen = true
	if len(w.open) >= maxNesting {
		return fmt.Errorf("elements are nested more than %d deep", maxNesting)
	}
	var spaces map[string]string
	if len(w.open) > 0 {
		spaces = w.open[len(w.open)-1].spaces
	}
	copied := false
	for _, a := range tok.Attr {
		prefix := a.Name.Local
		if a.Name.Space != "xmlns" {
			if a.Name.Space != "" || prefix != "xmlns" {
				continue
			}
			prefix = ""
		}
		if _, bound := spaces[prefix]; !bound && usualPrefix[a.Value] == "" {
			continue // a prefix that is not known has no name that is
		}
		if len(spaces) > maxPrefixes {
			return fmt.Errorf("more than %d prefixes are declared", maxPrefixes)
		}
		if !copied {
			of := spaces
			spaces, copied = make(map[string]string, len(of)+1), true
			for k, v := range of { // order-free: it copies a map
				spaces[k] = v
			}
		}
		spaces[prefix] = usualPrefix[a.Value]
	}
	w.open = append(w.open, opened{tok.Name, spaces})
	if w.left > 0 {
		return nil
	}
	name := known(spaces, tok.Name, spaces[""])
	v := take
	if w.whole == nil {
		v = w.judge(name)
	}
	if v == leave {
		w.left = len(w.open)
	}
	if v != take {
		return nil
	}
	e := &xmlElement{name: name, at: at, inner: end, innerEnd: end, end: end}
	for _, a := range tok.Attr {
		raw := a.Name.Local
		if a.Name.Space != "" {
			raw = a.Name.Space + ":" + raw
		}
		e.attrs = append(e.attrs, xmlAttr{known(spaces, a.Name, ""), raw, a.Value})
	}
	return w.grow(e, true)
}

// known is a name with its usual prefix.
func known(spaces map[string]string, n xml.Name, alone string) string {
	prefix := alone
	switch {
	case n.Space == "xml":
		prefix = "xml"
	case n.Space != "":
		// A name of a space that this package does not know is like no name that it does.
		if prefix = spaces[n.Space]; prefix == "" {
			prefix = "?"
		}
	}
	if prefix == "" {
		return n.Local
	}
	return prefix + ":" + n.Local
}

// grow puts an element into the one that is being taken.
func (w *walker) grow(e *xmlElement, opens bool) error {
	if w.count++; w.count > maxElements {
		return fmt.Errorf("a paragraph has more than %d elements", maxElements)
	}
	if w.whole == nil {
		w.whole = e
	} else {
		parent := w.inside[len(w.inside)-1]
		parent.kids = append(parent.kids, e)
	}
	if opens {
		w.inside = append(w.inside, e)
	}
	return nil
}

func (w *walker) end(tok xml.EndElement, at, end int) error {
	if len(w.open) == 0 || w.open[len(w.open)-1].raw != tok.Name {
		return fmt.Errorf("the XML closes <%s>, which is not the open element", rawName(tok.Name))
	}
	if w.left == len(w.open) {
		w.left = 0
	}
	w.open = w.open[:len(w.open)-1]
	if w.whole == nil {
		return nil
	}
	e := w.inside[len(w.inside)-1]
	w.inside = w.inside[:len(w.inside)-1]
	e.innerEnd, e.end = at, end
	if len(w.inside) > 0 {
		return nil
	}
	w.whole, w.count = nil, 0
	return w.taken(e)
}

func rawName(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// attr is the value of an attribute, or "".
func (e *xmlElement) attr(name string) string {
	for _, a := range e.attrs {
		if a.name == name {
			return a.value
		}
	}
	return ""
}

// kid is the first element inside with a name, or nil.
func (e *xmlElement) kid(name string) *xmlElement {
	for _, k := range e.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

// each calls f for the element, and for every element inside, in their sequence. Where f
// returns false the inside is left out.
func (e *xmlElement) each(f func(*xmlElement) bool) {
	if !f(e) {
		return
	}
	for _, k := range e.kids {
		k.each(f)
	}
}

// has reports whether the element, or one inside, has one of the names.
func (e *xmlElement) has(names ...string) bool {
	found := false
	e.each(func(k *xmlElement) bool {
		for _, n := range names {
			found = found || k.name == n
		}
		return !found
	})
	return found
}

// content is the text inside.
func (e *xmlElement) content() string {
	var b strings.Builder
	e.each(func(k *xmlElement) bool {
		b.WriteString(k.text)
		return true
	})
	return b.String()
}

// prefix is the file's prefix of an element, with its colon.
func (e *xmlElement) prefix(data []byte) string {
	name := data[e.at+1 : e.inner]
	name = name[:bytes.IndexAny(name, " \t\r\n/>")]
	return string(name[:bytes.IndexByte(name, ':')+1])
}

// closesItself reports whether the element is a tag such as <w:br/>.
func (e *xmlElement) closesItself() bool { return e.inner == e.end }

// value is where the value of an attribute stands in the file, without its quotes; all is
// where the attribute stands with the white space before it.
func (e *xmlElement) value(data []byte, name string) (at, end, all int, ok bool) {
	raw := ""
	for _, a := range e.attrs {
		if a.name == name {
			raw = a.raw
		}
	}
	if raw == "" {
		return 0, 0, 0, false
	}
	tag := data[e.at:e.inner]
	i := bytes.IndexAny(tag, " \t\r\n")
	for i >= 0 && i < len(tag) {
		start := i
		for i < len(tag) && strings.IndexByte(" \t\r\n", tag[i]) >= 0 {
			i++
		}
		eq := bytes.IndexByte(tag[i:], '=')
		if eq < 0 {
			break
		}
		found := string(bytes.TrimSpace(tag[i:i+eq])) == raw
		for i += eq + 1; i < len(tag) && tag[i] != '"' && tag[i] != '\''; {
			i++
		}
		if i >= len(tag) {
			break
		}
		n := bytes.IndexByte(tag[i+1:], tag[i])
		if n < 0 {
			break
		}
		if found {
			return e.at + i + 1, e.at + i + 1 + n, e.at + start, true
		}
		i += n + 2
	}
	return 0, 0, 0, false
}

// escapedXML appends a text for an XML file, in an element or an attribute. Characters that
// XML 1.0, section 2.2, forbids are left out.
func escapedXML(b []byte, text string) []byte {
	for _, r := range text {
		switch {
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>': // "]]>" may not stand in a text
			b = append(b, "&gt;"...)
		case r == '"':
			b = append(b, "&quot;"...)
		case r == '\r':
			b = append(b, "&#13;"...)
		case r < ' ' && r != '\t' && r != '\n', r == 0xFFFE, r == 0xFFFF:
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}
