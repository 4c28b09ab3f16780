package document

import (
	"bytes"
	"fmt"
	"html"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// markdown is the parser: CommonMark 0.31 with tables, strikethrough, task lists and
// footnotes. Bare addresses are placeholders, so no parser looks for them. There is no
// transformer of trees: the text of a footnote that nobody refers to is text, too.
func markdown() parser.Parser {
	return parser.NewParser(
		parser.WithBlockParsers(append(parser.DefaultBlockParsers(), util.Prioritized(extension.NewFootnoteBlockParser(), 999))...),
		parser.WithInlineParsers(append(parser.DefaultInlineParsers(),
			util.Prioritized(extension.NewTaskCheckBoxParser(), 0),
			util.Prioritized(extension.NewFootnoteParser(), 101),
			util.Prioritized(extension.NewStrikethroughParser(), 500))...),
		parser.WithParagraphTransformers(append(parser.DefaultParagraphTransformers(), util.Prioritized(extension.NewTableParagraphTransformer(), 200))...),
	)
}

// parseMarkdown reads Markdown. A paragraph, a heading and a cell of a table are segments.
// Code, HTML blocks, front matter and the definitions of links stay as they are.
func parseMarkdown(data []byte) (*Document, error) {
	decoded, cs, err := decode(data, "")
	if err != nil {
		return nil, err
	}
	if len(decoded) > maxTree {
		return nil, fmt.Errorf("it has %d MiB, and may have %d: divide it", len(decoded)>>20, maxTree>>20)
	}
	if err := tame(string(decoded)); err != nil {
		return nil, err
	}
	d := cs.escaping(decoded)
	skip := frontMatter(decoded)
	src := decoded[skip:]
	m := &mdDocument{d: d, can: cs.can, skip: skip, src: src, lf: lineFeeds(src), line: lineOf(decoded, skip)}
	root := markdown().Parse(text.NewReader(m.lf))
	err = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n.Kind() {
		case ast.KindParagraph, ast.KindTextBlock, ast.KindHeading, extast.KindTableCell:
			m.block(n)
			return ast.WalkSkipChildren, nil
		case ast.KindCodeBlock, ast.KindFencedCodeBlock, ast.KindHTMLBlock:
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
	d.sort()
	return d, err
}

// lineFeeds is a text of the same length whose lines end with line feeds: the parser does not
// know the carriage returns of old Macs as line ends (CommonMark 2.1).
func lineFeeds(src []byte) []byte {
	if bytes.Count(src, []byte("\r")) == bytes.Count(src, []byte("\r\n")) {
		return src
	}
	src = bytes.Clone(src)
	for i, b := range src {
		if b == '\r' && (i+1 == len(src) || src[i+1] != '\n') {
			src[i] = '\n'
		}
	}
	return src
}

// sort brings the segments in the sequence of the file: the tree has the footnotes together.
func (d *Document) sort() {
	d.inSequence()
	segments := make([]Segment, len(d.Segments))
	for i := range d.parts[0].places {
		p := &d.parts[0].places[i]
		segments[i] = d.Segments[p.segment]
		p.segment = i
	}
	d.Segments = segments
}

// tame refuses what the parser would take the square of its length in time for: quotes and
// lists inside one another, links that begin inside the target of a link, paragraphs with too many marks,
// footnotes, and tables with too many cells: the parser fills every row up to the columns of the
// first, so that a row of one byte makes thousands of cells. No text has more than a few.
func tame(s string) error {
	const deep, links, marks, notes, wide = 100, 1 << 26, 40_000, 20_000, 1000
	if n := strings.Count(s, "[^"); n > notes {
		return fmt.Errorf("it has %d footnotes and references to them; %d are read: divide it", n, notes)
	}
	found, squares := 0, 0 // marks in lines without a blank one between; the time for them and those before
	written := 0           // lines with text: the tree has a node for each
	columns, cells := 0, 0 // of the table that the line may be in; of all tables
	for i, l := range splitLines(s) {
		indent := len(l.text) - len(strings.TrimLeft(l.text, " \t"))
		if n := containers(l.text); n > deep || n > 0 && indent > 4*deep {
			return fmt.Errorf("line %d: quotes and lists are nested more than %d deep", i+1, deep)
		}
		for word := range strings.FieldsSeq(l.text) {
			if len(word) > 4096 && strings.Count(word, "](")*len(word) > links {
				return fmt.Errorf("line %d: thousands of links are nested", i+1)
			}
		}
		if l.blank() {
			squares += found * found
			found, columns = 0, 0
		} else if written++; written > maxSegments {
			return fmt.Errorf("it has more than %d lines with text: divide it", maxSegments)
		}
		if strings.Trim(l.text, "|:-> \t") == "" && strings.Contains(l.text, "-") { // under the head of a table
			columns = max(columns, 1+strings.Count(l.text, "|"))
		}
		if cells += columns; columns > wide || cells > maxPieces {
			return fmt.Errorf("line %d: tables have more than %d columns, or %d cells in all: divide them", i+1, wide, maxPieces)
		}
		for _, mark := range []string{"*", "_", "[", "~", "`", "<"} {
			found += strings.Count(l.text, mark)
		}
		if squares+found*found > marks*marks {
			return fmt.Errorf("line %d: a paragraph, or all together, have too many marks such as * and [ (one may have %d): divide the file", i+1, marks)
		}
	}
	return nil
}

// containers counts the marks of quotes and of items of lists that a line begins with
// (CommonMark 5.1 and 5.2). A line of such marks alone may be a thematic break.
func containers(l string) (n int) {
	for {
		l = strings.TrimLeft(l, " \t")
		mark := len(l) - len(strings.TrimLeft(l, "0123456789"))
		if l == "" || mark > 9 || mark == len(l) || strings.IndexByte(">-*+.)", l[mark]) < 0 || (mark > 0) != (strings.IndexByte(".)", l[mark]) >= 0) {
			return n
		}
		if l[mark] != '>' && mark+1 < len(l) && l[mark+1] != ' ' && l[mark+1] != '\t' {
			return n
		}
		if n == 0 && strings.IndexByte("-*", l[0]) >= 0 && strings.Trim(l, l[:1]+" \t") == "" {
			return 0
		}
		n, l = n+1, l[mark+1:]
	}
}

// frontMatter is the length of the YAML or TOML at the start of a file, between lines
// "---" or "+++".
func frontMatter(src []byte) int {
	lines := splitLines(string(src[:min(len(src), 1<<20)]))
	if len(lines) == 0 {
		return 0
	}
	mark := strings.TrimRight(lines[0].text, " \t")
	if mark != "---" && mark != "+++" {
		return 0
	}
	for i, l := range lines[1:] {
		end := strings.TrimRight(l.text, " \t")
		if end == mark || mark == "---" && end == "..." {
			return l.next
		}
		if i == 0 && end == "" {
			return 0 // a rule
		}
	}
	return 0
}

// mdDocument is a Markdown file that is read.
type mdDocument struct {
	d    *Document
	skip int // bytes of front matter before src
	src  []byte
	lf   []byte          // src as the parser reads it
	can  func(rune) bool // the charset of the file has the character
	at   int             // line is the number of the line that has the byte at of src
	line int
}

// block adds a block with inline content as a segment.
func (m *mdDocument) block(n ast.Node) {
	lines := n.Lines()
	if lines == nil || lines.Len() == 0 {
		return
	}
	first, last := lines.At(0), lines.At(lines.Len()-1)
	w := &inlines{src: m.src, n: n}
	for i := range lines.Len() {
		s := lines.At(i)
		w.lines = append(w.lines, [2]int{s.Start, s.Stop})
	}
	start := w.skipSpace(first.Start)
	w.pos = start
	ok := w.walk(n)
	w.flush()
	end := w.pos
	odd := !ok || end > last.Stop
	if odd {
		end = start + len(strings.TrimRightFunc(string(m.src[start:last.Stop]), unicode.IsSpace))
		raw := string(m.src[start:end])
		w.pieces, w.html = []Piece{{Kind: Plain, Text: raw, Raw: raw}}, nil
	}
	if len(w.pieces) == 0 || !hasText(plainOf(w.pieces)) {
		return
	}
	if start >= m.at {
		m.line += bytes.Count(m.lf[m.at:start], []byte("\n"))
	} else {
		m.line -= bytes.Count(m.lf[start:m.at], []byte("\n"))
	}
	m.at = start
	e := mdWriter{table: n.Kind() == extast.KindTableCell, brk: w.brk, labels: w.labels, follows: m.follows(start), can: m.can}
	if n.Kind() == ast.KindParagraph || n.Kind() == ast.KindTextBlock {
		for _, l := range w.lines {
			e.width = max(e.width, utf8.RuneCount(bytes.TrimSpace(m.src[l[0]:l[1]])))
		}
	} else {
		e.brk = ""
	}
	s := Segment{Where: fmt.Sprintf("line %d", m.line), Pieces: pairTags(w.pieces), odd: odd}
	for i := range s.Pieces {
		if p := &s.Pieces[i]; p.Kind == Code && w.html[i] {
			p.Text = "" // a tag without a partner shows nothing
		}
	}
	m.d.add(&m.d.parts[0], m.skip+start, m.skip+end, s, e.encode)
}

// follows reports whether a line with text stands right before the paragraph at a byte,
// outside of the list item that the paragraph may begin.
func (m *mdDocument) follows(at int) bool {
	line := bytes.LastIndexAny(m.src[:at], "\r\n") + 1
	if len(bytes.Trim(m.src[line:at], "> \t")) > 0 {
		return false
	}
	head := bytes.TrimSuffix(bytes.TrimSuffix(m.src[:line], []byte("\n")), []byte("\r"))
	return len(bytes.TrimSpace(head[bytes.LastIndexAny(head, "\r\n")+1:])) > 0
}

// inlines reads the inline content of a block: forward, with the tree to say what comes, so
// that each byte is of one piece.
type inlines struct {
	src    []byte
	n      ast.Node
	next   int      // the line to look at next
	lines  [][2]int // of the block, without the marks of quotes and lists around it
	pos    int
	pieces []Piece
	text   spelled // since the last piece
	html   map[int]bool
	pairs  int
	brk    string         // the first line end with the marks of the next line
	labels map[int]string // by pair: of links whose text is their label, too
}

// tagPairs keeps the numbers of pairs of marks apart from those of pairTags.
const tagPairs = 1 << 24

func (w *inlines) flush() {
	w.pieces = append(w.pieces, w.text.pieces(placeholders)...)
	w.text = spelled{}
}

// piece adds the source up to end as a piece.
func (w *inlines) piece(kind PieceKind, end, pair int, text string) {
	w.flush()
	w.pieces = append(w.pieces, Piece{Kind: kind, Text: text, Raw: string(w.src[w.pos:end]), Pair: pair})
	w.pos = end
}

func (w *inlines) skipSpace(at int) int {
	for at < len(w.src) && (w.src[at] == ' ' || w.src[at] == '\t') {
		at++
	}
	return at
}

// nextLine is where the line after the one with the byte at starts, or -1. Text is read
// forward, and so are the lines.
func (w *inlines) nextLine(at int) int {
	for ; w.next < len(w.lines)-1; w.next++ {
		if l := w.lines[w.next]; at >= l[0] && at <= l[1] {
			return w.skipSpace(w.lines[w.next+1][0])
		}
	}
	return -1
}

// has reports whether the source goes on with s.
func (w *inlines) has(s string) bool { return bytes.HasPrefix(w.src[w.pos:], []byte(s)) }

// walk reads the children of a node. It returns false where the source is not as expected.
func (w *inlines) walk(n ast.Node) bool {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		ok := false
		switch c := c.(type) {
		case *ast.Text:
			ok = w.leaf(c)
		case *ast.CodeSpan:
			ok = w.codeSpan()
		case *ast.Emphasis:
			ok = w.marked(c, c.Level, "*_")
		case *extast.Strikethrough:
			n := 1
			if w.has("~~") {
				n = 2
			}
			ok = w.marked(c, n, "~")
		case *ast.Link:
			ok = w.link(c, "[")
		case *ast.Image:
			ok = w.link(c, "![")
		case *ast.AutoLink:
			ok = w.until("<", ">")
		case *extast.FootnoteLink:
			ok = w.until("[^", "]")
		case *ast.RawHTML:
			if k := c.Segments.Len(); k > 0 && c.Segments.At(0).Start == w.pos {
				if w.flush(); w.html == nil {
					w.html = map[int]bool{}
				}
				w.html[len(w.pieces)] = true
				stop := c.Segments.At(k - 1).Stop
				w.piece(Code, stop, 0, string(w.src[w.pos:stop]))
				ok = true
			}
		case *extast.TaskCheckBox:
			if ok = w.has("["); ok {
				w.piece(Code, w.skipSpace(w.pos+3), 0, "")
			}
		}
		if !ok {
			return false
		}
	}
	return true
}

// leaf reads text, with the line end after it.
func (w *inlines) leaf(c *ast.Text) bool {
	s := c.Segment
	if s.Start < w.pos || s.Padding > 0 || strings.TrimSpace(string(w.src[w.pos:s.Start])) != "" {
		return false
	}
	if s.Start > w.pos {
		w.text.add("", string(w.src[w.pos:s.Start]))
	}
	spellMarkdown(&w.text, string(w.src[s.Start:s.Stop]))
	w.pos = s.Stop
	if !c.SoftLineBreak() && !c.HardLineBreak() {
		return true
	}
	next := w.nextLine(s.Stop)
	if next < s.Stop {
		return false
	}
	raw := string(w.src[s.Stop:next])
	if c.HardLineBreak() {
		w.piece(Code, next, 0, "")
		return true
	}
	if w.brk == "" {
		w.brk = strings.TrimLeft(raw, " \t")
	}
	w.text.add(" ", raw)
	w.pos = next
	return true
}

// spellMarkdown adds text with backslashes and entities (CommonMark 2.4, 2.5).
func spellMarkdown(s *spelled, raw string) {
	for i := 0; i < len(raw); {
		from := i
		for i < len(raw) && raw[i] != '\\' && raw[i] != '&' {
			i++
		}
		s.add(raw[from:i], raw[from:i])
		if i == len(raw) {
			return
		}
		n, t := 1, raw[i:i+1]
		if raw[i] == '\\' && i+1 < len(raw) && util.IsPunct(raw[i+1]) {
			n, t = 2, raw[i+1:i+2]
		} else if k := entityLength(raw[i:]); k > 0 {
			if u := html.UnescapeString(raw[i : i+k]); utf8.RuneCountInString(u) == 1 {
				n, t = k, u
			}
		}
		s.add(t, raw[i:i+n])
		i += n
	}
}

// codeSpan reads a code span: it ends with as many backticks as it begins (CommonMark 6.1).
func (w *inlines) codeSpan() bool {
	n := 0
	for w.pos+n < len(w.src) && w.src[w.pos+n] == '`' {
		n++
	}
	for i := w.pos + n; n > 0 && i < w.lines[len(w.lines)-1][1]; {
		k := 0
		for i+k < len(w.src) && w.src[i+k] == '`' {
			k++
		}
		if k == n {
			w.piece(Code, i+k, 0, strings.Join(strings.Fields(string(w.src[w.pos:i+k])), " "))
			return true
		}
		i += max(k, 1)
	}
	return false
}

// marked reads a node between n marks of one of the given characters.
func (w *inlines) marked(c ast.Node, n int, chars string) bool {
	if w.pos >= len(w.src) || strings.IndexByte(chars, w.src[w.pos]) < 0 {
		return false
	}
	mark := strings.Repeat(string(w.src[w.pos]), n)
	if !w.has(mark) {
		return false
	}
	w.pairs++
	pair := tagPairs + w.pairs
	w.piece(Open, w.pos+n, pair, "")
	if !w.walk(c) || !w.has(mark) {
		return false
	}
	w.piece(Close, w.pos+n, pair, "")
	return true
}
