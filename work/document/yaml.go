package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// parseYAML reads a catalog of strings in YAML, such as those of Rails. The strings among
// the values are texts; each is written in its own style.
func parseYAML(data []byte) (*Document, error) {
	text, cs, err := decode(data, "")
	if err != nil {
		return nil, err
	}
	if len(text) > maxTree {
		return nil, fmt.Errorf("it has %d MiB, and may have %d: divide it", len(text)>>20, maxTree>>20)
	}
	// The parser takes half a kilobyte for a value, and reads all of them before the first is seen.
	if bytes.Count(text, []byte("\n"))+bytes.Count(text, []byte(",")) > 2*maxSegments {
		return nil, fmt.Errorf("it has more than %d lines and commas: divide it", 2*maxSegments)
	}
	c := &yamlCatalog{s: string(text), d: cs.escaping(text), charset: cs}
	c.findLines()
	var roots []*yaml.Node
	for dec := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var n yaml.Node
		if err := dec.Decode(&n); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		c.walk(&n, nil, false)
		roots = append(roots, &n)
	}
	c.d.parts[0].edits = func(t Translations) []edit { return c.language(roots, t) }
	return c.d, nil
}

// yamlCatalog is a YAML file that is read.
type yamlCatalog struct {
	s       string
	d       *Document
	charset charset
	lines   []int // where the lines start, as YAML 1.1 counts them
	// at is the byte at a line and a column: those that offset was asked for last.
	line, column, at int
}

// findLines finds the starts of the lines: the parser counts three more line ends than
// splitLines (YAML 1.1, 5.4).
func (c *yamlCatalog) findLines() {
	c.lines = []int{0}
	for i, r := range c.s {
		switch r {
		case '\r':
			if !strings.HasPrefix(c.s[i+1:], "\n") {
				c.lines = append(c.lines, i+1)
			}
		case '\n', '\u0085', '\u2028', '\u2029':
			c.lines = append(c.lines, i+utf8.RuneLen(r))
		}
	}
}

// offset is the byte at a line and a column, which count from 1, or -1.
func (c *yamlCatalog) offset(line, column int) int {
	if line < 1 || line > len(c.lines) {
		return -1
	}
	// Nodes come forward; a line may have many.
	if line != c.line || column < c.column {
		c.line, c.column, c.at = line, 1, c.lines[line-1]
	}
	for ; c.column < column; c.column++ {
		if c.at >= len(c.s) {
			c.line = 0
			return -1
		}
		_, n := utf8.DecodeRuneInString(c.s[c.at:])
		c.at += n
	}
	return c.at
}

// walk adds the strings of a node. flow says that it stands in brackets or braces.
func (c *yamlCatalog) walk(n *yaml.Node, path []string, flow bool) {
	flow = flow || n.Style&yaml.FlowStyle != 0
	switch n.Kind {
	case yaml.DocumentNode:
		for _, m := range n.Content {
			c.walk(m, path, flow)
		}
	case yaml.SequenceNode:
		for i, m := range n.Content {
			c.walk(m, append(path, fmt.Sprint(i)), flow)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			c.walk(n.Content[i+1], append(path, n.Content[i].Value), flow)
		}
	case yaml.ScalarNode:
		plain := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) == 0
		if n.ShortTag() == "!!str" && !symbol.MatchString(n.Value) && !(plain && notText.MatchString(n.Value)) {
			c.scalar(n, path, flow)
		}
	}
}

// symbol is a symbol of Ruby, such as :year.
var symbol = regexp.MustCompile(`^:[a-z_]+$`)

// scalar adds a string as a segment.
func (c *yamlCatalog) scalar(n *yaml.Node, path []string, flow bool) {
	pieces := pairTags(cutLines(placeholders(n.Value)))
	if !hasText(plainOf(pieces)) {
		return
	}
	s := Segment{Where: fmt.Sprintf("line %d", n.Line), Pieces: pieces}
	if path = path[:min(len(path), 8)]; len(path) > 0 {
		s.Where += ", " + strings.Join(path, ".")
	}
	w := yamlWriter{charset: c.charset, flow: flow, value: n.Value}
	at, end := c.extent(n, &w)
	if at < 0 || end < at {
		s.odd = true
		at, end = max(0, c.offset(n.Line, 1)), max(0, c.offset(n.Line, 1))
	} else if space := c.s[end : len(c.s)-len(strings.TrimLeft(c.s[end:], " \t\r\n"))]; w.style == 0 && !flow {
		w.tail = space[:1+strings.LastIndexByte(space, '\t')]
		end += len(w.tail)
	}
	w.raw = c.s[at:end]
	c.d.add(&c.d.parts[0], at, end, s, w.encode)
}

// extent returns where a scalar starts and ends, or -1 where the source does not say so.
func (c *yamlCatalog) extent(n *yaml.Node, w *yamlWriter) (at, end int) {
	at = c.offset(n.Line, n.Column)
	for at >= 0 && at < len(c.s) && (c.s[at] == '&' || c.s[at] == '!') { // an anchor, a tag
		k := strings.IndexAny(c.s[at:], " \t\r\n")
		if k < 0 {
			return -1, -1
		}
		at += len(c.s[at:]) - len(strings.TrimLeft(c.s[at+k:], " \t\r\n"))
	}
	if at < 0 || at >= len(c.s) {
		return -1, -1
	}
	w.style = c.s[at]
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0 && w.style == '"':
		for i := at + 1; i < len(c.s); i++ {
			switch c.s[i] {
			case '\\':
				i++
			case '"':
				return at, i + 1
			}
		}
	case n.Style&yaml.SingleQuotedStyle != 0 && w.style == '\'':
		for i := at + 1; i < len(c.s); i++ {
			if c.s[i] != '\'' {
				continue
			}
			if !strings.HasPrefix(c.s[i+1:], "'") {
				return at, i + 1
			}
			i++
		}
	case n.Style&yaml.LiteralStyle != 0 && w.style == '|', n.Style&yaml.FoldedStyle != 0 && w.style == '>':
		return c.block(at, w)
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0:
		w.style = 0
		return at, plainEnd(c.s, at, n.Value)
	}
	return -1, -1
}

// plainEnd is the end of the plain scalar at, whose value is known: one line end is a space
// in it, and of more line ends one is none (YAML 1.1, 5.1.2, line folding).
func plainEnd(s string, at int, value string) int {
	for i := 0; i < len(value); {
		space := len(s[at:]) - len(strings.TrimLeft(s[at:], " \t"))
		if at+space < len(s) && (s[at+space] == '\n' || s[at+space] == '\r') {
			rest := strings.TrimLeft(s[at:], " \t\r\n")
			gap := s[at : len(s)-len(rest)]
			ends := strings.Count(strings.ReplaceAll(strings.ReplaceAll(gap, "\r\n", "\n"), "\r", "\n"), "\n")
			want := " "
			if ends > 1 {
				want = strings.Repeat("\n", ends-1)
			}
			if !strings.HasPrefix(value[i:], want) {
				return -1
			}
			at, i = at+len(gap), i+len(want)
			continue
		}
		if at >= len(s) || s[at] != value[i] {
			return -1
		}
		at, i = at+1, i+1
	}
	return at
}

// block returns the extent of the block scalar at, without the line ends after it, and
// tells the writer its header and indentation.
func (c *yamlCatalog) block(at int, w *yamlWriter) (int, int) {
	first := at + len(c.s[at:])
	if i := strings.IndexByte(c.s[at:], '\n'); i >= 0 {
		first = at + i + 1
	}
	w.header = strings.TrimRight(c.s[at:first], "\r\n")
	w.eol = c.s[at+len(w.header) : first]
	end, indent, next := -1, -1, first
	for l := range strings.Lines(c.s[first:]) {
		next += len(l)
		text := strings.TrimRight(l, "\r\n")
		if strings.Trim(text, " ") == "" {
			continue
		}
		spaces := len(text) - len(strings.TrimLeft(text, " "))
		if indent < 0 {
			indent = spaces
		}
		if spaces < indent {
			break
		}
		end = next - len(l) + len(text)
	}
	indicator, _, _ := strings.Cut(w.header, "#")
	if indent < 1 || end < 0 || strings.ContainsAny(indicator, "123456789") {
		return -1, -1 // at the root, or with an indentation of its own
	}
	w.indent = strings.Repeat(" ", indent)
	var all []string
	for l := range strings.Lines(c.s[first:end]) {
		all = append(all, strings.TrimPrefix(strings.TrimRight(l, "\r\n"), w.indent))
	}
	// What was found must be the value: the words at least, where lines are folded.
	if strings.Join(strings.Fields(strings.Join(all, "\n")), " ") != strings.Join(strings.Fields(w.value), " ") {
		return -1, -1
	}
	return at, end
}

// language renames the one key at the root that is the source language.
func (c *yamlCatalog) language(roots []*yaml.Node, t Translations) (edits []edit) {
	for _, doc := range roots {
		if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode || len(doc.Content[0].Content) != 2 {
			continue
		}
		key, value := doc.Content[0].Content[0], doc.Content[0].Content[1]
		if value.Kind != yaml.MappingNode || !sameLanguage(key.Value, t.Source) {
			continue
		}
		w := yamlWriter{charset: c.charset, value: key.Value}
		if at, end := c.extent(key, &w); at >= 0 {
			edits = append(edits, edit{at, end, w.scalar(t.Target)})
		}
	}
	return edits
}
