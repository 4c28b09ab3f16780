package document

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Bounds of XML. A real file has 30 attributes in all of the elements around a text.
const (
	maxXMLDepth = 256     // elements inside one another
	maxXMLNodes = 1 << 18 // elements and texts in one that is read whole, such as a paragraph
	maxXMLAttrs = 1000    // of all elements inside one another: each is looked through for each text
)

// node is an element of XML, or what stands between elements.
type node struct {
	name   string // without prefix; "" for text, "!" for a comment or an instruction
	prefix string // with its ":"
	space  string // namespace
	attr   []xml.Attr
	parent *node
	kids   []*node // of elements that are read whole
	line   int

	// at and end are its bytes; its content stands from open to close. An element
	// without content, such as <x/>, has open == close == end.
	at, open, close, end int

	spaces map[string]string // namespaces that it declares, by prefix
}

// xmlReader reads a file of XML once. It reads no document type, so an entity of one is an
// error, and no file is ever opened.
type xmlReader struct {
	data []byte
	// enter sees each start tag, but for those inside an element that is read whole. Where it
	// returns true, the element is read whole.
	enter func(n *node) (whole bool, err error)
	// leave sees each end tag of what enter saw.
	leave func(n *node) error

	top   *node // the innermost open element
	whole *node // that is being read, or nil
	depth int
	nodes int // in whole
	attrs int // of the open elements
	roots int
}

// read reads the file from its first byte. Its errors say line and column.
func (r *xmlReader) read() error {
	start := 0
	if bytes.HasPrefix(r.data, []byte("\xef\xbb\xbf")) {
		start = 3
	}
	x := xml.NewDecoder(bytes.NewReader(r.data[start:]))
	// The data is in UTF-8 here, whatever it says.
	x.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	for {
		at := start + int(x.InputOffset())
		line, column := x.InputPos()
		t, err := x.RawToken()
		if err == io.EOF && r.top != nil {
			err = fmt.Errorf("<%s> of line %d is not closed", r.top.prefix+r.top.name, r.top.line)
		} else if err == io.EOF && r.roots == 0 {
			err = errors.New("there is no element")
		} else if err == io.EOF {
			return nil
		}
		if err == nil {
			err = r.token(t, at, start+int(x.InputOffset()), line)
		} else {
			line, column = x.InputPos()
		}
		var syntax *xml.SyntaxError
		if errors.As(err, &syntax) {
			err = errors.New(syntax.Msg)
		}
		if err != nil {
			return fmt.Errorf("line %d, column %d: %w", line, column, err)
		}
	}
}

func (r *xmlReader) token(t xml.Token, at, end, line int) error {
	if r.whole != nil {
		if r.nodes++; r.nodes > 2*maxXMLNodes { // start and end tags
			return fmt.Errorf("<%s> of line %d has more than %d elements and texts: divide it", r.whole.name, r.whole.line, maxXMLNodes)
		}
	}
	switch t := t.(type) {
	case xml.StartElement:
		return r.start(t, at, end, line)
	case xml.EndElement:
		return r.stop(t.Name, at, end)
	case xml.CharData:
		if r.top == nil && len(bytes.TrimSpace(t)) > 0 {
			return errors.New("text outside of the element")
		}
		r.add(&node{at: at, open: at, close: end, end: end, line: line})
	case xml.Directive:
		if bytes.Contains(r.data[at:end], []byte("<!ENTITY")) {
			return errors.New("the document type declares entities: ALIA reads none; replace them by their text")
		}
	default:
		r.add(&node{name: "!", at: at, open: end, close: end, end: end, line: line})
	}
	return nil
}

// add adds what is no element to the element that is read whole.
func (r *xmlReader) add(n *node) {
	if r.whole != nil {
		n.parent = r.top
		r.top.kids = append(r.top.kids, n)
	}
}

func (r *xmlReader) start(t xml.StartElement, at, end, line int) error {
	if r.top == nil {
		if r.roots++; r.roots > 1 {
			return errors.New("a second element after the first")
		}
	}
	if r.depth++; r.depth > maxXMLDepth {
		return fmt.Errorf("more than %d elements inside one another", maxXMLDepth)
	}
	if r.attrs += len(t.Attr); r.attrs > maxXMLAttrs {
		return fmt.Errorf("<%s> and the elements around it have more than %d attributes", t.Name.Local, maxXMLAttrs)
	}
	n := &node{name: t.Name.Local, attr: slices.Clone(t.Attr), parent: r.top, line: line, at: at, open: end, close: end, end: end}
	seen := map[xml.Name]bool{}
	for _, a := range n.attr {
		if seen[a.Name] {
			return fmt.Errorf("<%s> has the attribute %s twice", t.Name.Local, a.Name.Local)
		}
		seen[a.Name] = true
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			if n.spaces == nil {
				n.spaces = map[string]string{}
			}
			n.spaces[strings.TrimPrefix(a.Name.Local, "xmlns")] = a.Value
		}
	}
	if t.Name.Space != "" {
		n.prefix = t.Name.Space + ":"
	}
	for up := n; up != nil; up = up.parent {
		if s, ok := up.spaces[t.Name.Space]; ok {
			n.space = s
			break
		}
	}
	r.top = n
	if r.whole != nil {
		n.parent.kids = append(n.parent.kids, n)
		return nil
	}
	whole, err := r.enter(n)
	if whole {
		r.whole, r.nodes = n, 0
	}
	return err
}

func (r *xmlReader) stop(name xml.Name, at, end int) error {
	n := r.top
	if n == nil {
		return fmt.Errorf("</%s> closes nothing", name.Local)
	}
	if prefix, _ := strings.CutSuffix(n.prefix, ":"); prefix != name.Space || n.name != name.Local {
		return fmt.Errorf("</%s> closes <%s%s> of line %d", name.Local, n.prefix, n.name, n.line)
	}
	n.close, n.end = at, end
	r.top = n.parent
	r.depth--
	r.attrs -= len(n.attr)
	if r.whole != nil && r.whole != n {
		return nil
	}
	r.whole = nil
	return r.leave(n)
}

// child returns the first element of a name in an element, of its namespace, or nil.
func (n *node) child(name string) *node {
	for _, k := range n.kids {
		if k.name == name && k.space == n.space {
			return k
		}
	}
	return nil
}

// get returns an attribute, "" for none. Its name may have the prefix "xml:".
func (n *node) get(name string) string {
	for _, a := range n.attr {
		if a.Name.Space == "" && a.Name.Local == name || a.Name.Space == "xml" && "xml:"+a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// inherited returns an attribute of the element, or of the nearest one around it that has
// it.
func (n *node) inherited(name string) string {
	for ; n != nil; n = n.parent {
		if v := n.get(name); v != "" {
			return v
		}
	}
	return ""
}

// blank reports whether there is nothing but white space in an element.
func (n *node) blank(data []byte) bool { return len(bytes.TrimSpace(data[n.open:n.close])) == 0 }

// text returns the text of an element and of those inside it.
func (n *node) text(data []byte) string {
	if n.name == "" {
		return charData(string(data[n.at:n.end]))
	}
	var b strings.Builder
	for _, k := range n.kids {
		b.WriteString(k.text(data))
	}
	return b.String()
}

// charData is the text between two tags as a reader sees it, white space and all.
func charData(raw string) string {
	if s, ok := cdata(raw); ok {
		return s
	}
	var b strings.Builder
	read := reader{markup: xmlText}
	read.keep = true
	for _, p := range read.pieces(raw, 0) {
		b.WriteString(p.Text)
	}
	return b.String()
}

func cdata(raw string) (string, bool) {
	s, ok := strings.CutPrefix(raw, "<![CDATA[")
	return strings.TrimSuffix(s, "]]>"), ok
}

// indent is the line end and the white space before a place, for what is put in after it.
func indent(data []byte, at int) string {
	start := at
	for start > 0 && (data[start-1] == ' ' || data[start-1] == '\t') {
		start--
	}
	if start == 0 || data[start-1] != '\n' {
		return ""
	}
	if start--; start > 0 && data[start-1] == '\r' {
		start--
	}
	return string(data[start:at])
}

// withAttributes gives a start tag with attributes set: names and values. The tag is no
// longer one without content.
func withAttributes(raw []byte, set ...string) string {
	out := slices.Clone(raw)
	for i := 0; i < len(set); i += 2 {
		e := readTag(out, 0, len(out)).set(out, 0, set[i], set[i+1])
		out = slices.Concat(out[:e.at], []byte(e.with), out[e.end:])
	}
	if s, ok := bytes.CutSuffix(out, []byte("/>")); ok {
		return string(bytes.TrimRight(s, " \t\r\n")) + ">"
	}
	return string(out)
}

// where names a line for people.
func where(name string, line int) string {
	if name == "" {
		return fmt.Sprintf("line %d", line)
	}
	return fmt.Sprintf("%s, line %d", name, line)
}
