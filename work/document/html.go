package document

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// parseHTML reads a page, or a part of one (HTML Living Standard, section 13.2). A file
// with a declaration of XML is read as HTML too, as browsers do.
func parseHTML(data []byte) (*Document, error) { return parsePage(data, false) }

// parseXHTML reads a page in XML, which files named .xhtml are.
func parseXHTML(data []byte) (*Document, error) { return parsePage(data, true) }

func parsePage(data []byte, xhtml bool) (*Document, error) {
	d := &Document{Format: "html"}
	p, err := htmlPart(d, "", data, xhtml)
	if err != nil {
		return nil, err
	}
	d.parts = []part{p}
	return d, nil
}

// htmlPart adds the segments of a file of HTML, or of XHTML, to a document. name is the
// file's name for people.
func htmlPart(d *Document, name string, data []byte, xhtml bool) (part, error) {
	text, recode, err := decodeMarkup(data, xhtml)
	if err != nil {
		if name == "" {
			name = "HTML"
		}
		return part{}, fmt.Errorf("read %s: %w", name, err)
	}
	p := htmlSegments(d, name, text, xhtml)
	p.recode = recode
	return p, nil
}

// htmlReader goes through the tokens of a page once, as a browser does, but builds no
// tree. The text between two blocks is a run: one segment.
type htmlReader struct {
	markup
	d    *Document
	part part
	line lineFinder

	open  []element
	count map[string]int // of each name in open
	run   []item
	attrs []attribute // that people read, since the run began
	edits []langEdit
}

// element is a start tag without its end tag yet.
type element struct {
	name  string
	block int  // index of the block that it is in, or its own; -1 for none
	skip  bool // its content is not translated
	// item is the index + 1 of its code in the run, for an element that is kept whole
	// inside a text, such as <code>.
	item int
}

// item is a text, a tag or a code of a run.
type item struct {
	kind    PieceKind
	name    string // of a tag
	at, end int
	text    []byte // of an element that is kept whole
}

// htmlSegments reads a page in UTF-8. Whatever the page is, it has segments or none: HTML
// has no errors.
func htmlSegments(d *Document, name string, data []byte, xhtml bool) part {
	r := &htmlReader{markup: htmlText, d: d, count: map[string]int{}}
	r.xml = xhtml
	r.part = part{name: name, data: data}
	r.line = lineFinder{name: name, data: data, line: 1}
	start := 0
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		start = 3
	}
	instructions := true // some "<?" may have its "?>"
	for start >= 0 {
		z := html.NewTokenizer(bytes.NewReader(data[start:]))
		z.AllowCDATA(xhtml)
		start = r.tokens(z, start, &instructions)
	}
	r.flush()
	if edits := r.edits; len(edits) > 0 {
		r.part.edits = func(t Translations) (all []edit) {
			for _, e := range edits {
				all = append(all, e.edits(data, t)...)
			}
			return all
		}
	}
	return r.part
}

// tokens reads the tokens from a place on. It returns where to read on after an
// instruction with a ">" in it, such as PHP's, or -1.
func (r *htmlReader) tokens(z *html.Tokenizer, at int, instructions *bool) (again int) {
	for {
		if len(r.run) > maxRun || len(r.attrs) > maxRun || r.d.full { // [Parse] refuses the document
			r.d.full, r.run, r.attrs = true, nil, nil
			return -1
		}
		kind := z.Next()
		raw := z.Raw()
		end := at + len(raw)
		switch kind {
		case html.ErrorToken:
			return -1
		case html.TextToken:
			if bytes.HasPrefix(raw, []byte("<![CDATA[")) {
				r.code(at, end, "")
			} else {
				r.textToken(at, end)
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name, _ := z.TagName()
			r.startTag(string(name), at, end, kind == html.SelfClosingTagToken)
			if r.xml || string(name) == "noscript" || string(name) == "noframes" {
				z.NextIsNotRawText()
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			r.endTag(string(name), at, end)
		case html.CommentToken:
			if *instructions && bytes.HasPrefix(r.part.data[at:], []byte("<?")) {
				n := bytes.Index(r.part.data[at:], []byte("?>"))
				*instructions = n >= 0
				if *instructions && at+n+2 > end {
					r.code(at, at+n+2, "")
					return at + n + 2
				}
			}
			r.code(at, end, "")
		case html.DoctypeToken:
			if in := r.within(); in != nil {
				in.end = end
			} else {
				r.flush()
			}
		}
		at = end
	}
}

// within returns the code of the run that everything now is part of, or nil.
func (r *htmlReader) within() *item {
	if n := len(r.open); n > 0 && r.open[n-1].item > 0 {
		return &r.run[r.open[n-1].item-1]
	}
	return nil
}

func (r *htmlReader) skipping() bool { n := len(r.open); return n > 0 && r.open[n-1].skip }

func (r *htmlReader) textToken(at, end int) {
	switch in := r.within(); {
	case in != nil:
		in.end = end
		in.text = append(in.text, r.part.data[at:end]...)
	case !r.skipping():
		r.run = append(r.run, item{kind: Plain, at: at, end: end})
	}
}

// code adds what has no text, such as a comment or an image, to the run.
func (r *htmlReader) code(at, end int, name string) {
	if in := r.within(); in != nil {
		in.end = end
	} else if !r.skipping() {
		r.run = append(r.run, item{kind: Code, name: name, at: at, end: end})
	}
}

func (r *htmlReader) startTag(name string, at, end int, closed bool) {
	data := r.part.data
	tag := readTag(data, at, end)
	foreign := r.count["svg"] > 0 || r.count["math"] > 0
	closed = closed && (r.xml || foreign)
	role := roles[atom.Lookup([]byte(name))]
	if in := r.within(); in != nil {
		in.end = end
		if role != void && !closed {
			r.push(name, true, -1)
			r.open[len(r.open)-1].item = r.open[len(r.open)-2].item
		}
		return
	}
	if foreign {
		role = inline
	}
	if role == block || role == voidBlock || role == whole && !wholeInText[name] {
		r.implyEnds(name)
		r.flush()
	}
	if name == "html" && len(r.edits) == 0 || name == "meta" && len(r.edits) > 0 {
		r.edits = append(r.edits, langEdit{name: name, tag: tag, at: at, xml: r.xml})
	}
	skip := r.skipping()
	switch v := tag.value(data, "translate"); {
	case tag.has("translate"):
		skip = v == "no" || skip && v != "yes" && v != ""
	case hasClass(tag.value(data, "class"), "notranslate"):
		skip = true
	}
	if !skip {
		r.attributes(name, tag)
	}
	untouched := skip || role == whole || tag.has("contenteditable") && tag.value(data, "contenteditable") != "false"
	switch {
	case role == void || closed && role != block:
		if name == "br" && r.afterBreak() {
			r.flush()
		}
		r.code(at, end, name)
	case role == voidBlock || closed:
	case r.skipping() && !skip: // translate="yes" in what is not translated
		r.push(name, false, at)
	case untouched && !r.skipping() && (role == inline || wholeInText[name]):
		r.run = append(r.run, item{kind: Code, name: name, at: at, end: end})
		r.push(name, true, -1)
		r.open[len(r.open)-1].item = len(r.run)
	case role == inline && !skip:
		r.run = append(r.run, item{kind: Open, name: name, at: at, end: end})
		r.push(name, untouched, -1)
	case role == inline:
		r.push(name, untouched, -1)
	default:
		r.push(name, untouched, at)
	}
}

// push opens an element. at is -1 for one inside a text, and 0 or more for a block.
func (r *htmlReader) push(name string, skip bool, at int) {
	e := element{name: name, skip: skip, block: len(r.open)}
	if at < 0 {
		if e.block = -1; len(r.open) > 0 {
			e.block = r.open[len(r.open)-1].block
		}
	}
	r.open = append(r.open, e)
	r.count[name]++
}

// pop closes the elements from an index on.
func (r *htmlReader) pop(to int) {
	for _, e := range r.open[to:] {
		r.count[e.name]--
	}
	r.open = r.open[:to]
}

// implyEnds closes the elements whose end tag may be left out before a block (HTML,
// section 13.1.2.4).
func (r *htmlReader) implyEnds(name string) {
	for len(r.open) > 0 {
		b := r.open[len(r.open)-1].block
		if b < 0 || r.open[b].name != "p" && !slices.Contains(endedBy[r.open[b].name], name) {
			return
		}
		r.flush()
		r.pop(b)
	}
}

func (r *htmlReader) endTag(name string, at, end int) {
	role := roles[atom.Lookup([]byte(name))]
	if in := r.within(); in != nil && r.count[name] == 0 {
		in.end = end
		return
	}
	if r.count[name] == 0 { // nothing to close
		switch {
		case role == block || role == voidBlock:
			r.flush()
		default:
			r.code(at, end, name)
		}
		return
	}
	to := len(r.open) - 1
	for r.open[to].name != name {
		to--
	}
	e := r.open[to]
	in, isBlock := r.within(), e.block == to
	if in != nil && e.item > 0 {
		in.end = end // inside what is kept whole, or its end
		r.pop(to)
		return
	}
	wasSkipped := to > 0 && r.open[to-1].skip
	r.pop(to)
	switch {
	case isBlock:
		r.flush()
	case !wasSkipped && !e.skip:
		r.run = append(r.run, item{kind: Close, name: name, at: at, end: end})
	}
}

// afterBreak reports whether a line break ends the text before it: that ends with a line
// break already, or with the end of a sentence.
func (r *htmlReader) afterBreak() bool {
	for i := len(r.run) - 1; i >= 0; i-- {
		switch it := r.run[i]; it.kind {
		case Code:
			return it.name == "br"
		case Plain:
			if text := bytes.TrimSpace(r.part.data[it.at:it.end]); len(text) > 0 {
				last, _ := utf8.DecodeLastRune(text)
				return strings.ContainsRune(".!?:…。！？：؟।", last)
			}
		}
	}
	return false
}
