package document

import (
	"bytes"
	"strings"
	"unicode"

	"github.com/yuin/goldmark/ast"
)

// link reads a link or an image.
func (w *inlines) link(c ast.Node, open string) bool {
	if !w.has(open) {
		return false
	}
	w.pairs++
	pair := tagPairs + w.pairs
	w.piece(Open, w.pos+len(open), pair, "")
	if !w.walk(c) || !w.has("]") {
		return false
	}
	ref := reference(c)
	end := w.target(w.pos+1, ref)
	if end < 0 {
		return false
	}
	if ref != nil && ref.Type != ast.ReferenceLinkFull {
		if w.labels == nil {
			w.labels = map[int]string{}
		}
		w.labels[pair] = strings.Join(strings.Fields(string(ref.Value)), " ")
	}
	w.piece(Close, end, pair, "")
	return true
}

// reference is the reference of a link or an image, or nil for an inline one.
func reference(c ast.Node) *ast.ReferenceLink {
	switch c := c.(type) {
	case *ast.Link:
		return c.Reference
	case *ast.Image:
		return c.Reference
	}
	return nil
}

// target returns where the target of a link ends that starts at i, after the "]" of the
// link's text, or -1 (CommonMark 6.3).
func (w *inlines) target(i int, ref *ast.ReferenceLink) int {
	last := w.lines[len(w.lines)-1][1]
	if ref != nil {
		if ref.Type == ast.ReferenceLinkShortcut {
			return i
		}
		if i >= last || w.src[i] != '[' {
			return -1
		}
		for i++; i < last; i++ {
			switch w.src[i] {
			case '\\':
				i++
			case ']':
				return i + 1
			}
		}
		return -1
	}
	if i >= last || w.src[i] != '(' {
		return -1
	}
	depth := 0
	var quote byte
	for first := true; i < last; i++ {
		b := w.src[i]
		space := b == ' ' || b == '\t' || b == '\n' || b == '\r'
		switch {
		case b == '\\':
			i++
			first = false
		case quote != 0:
			if b == quote {
				quote = 0
			}
		case b == '<' && first:
			quote = '>'
		case (b == '"' || b == '\'') && unicode.IsSpace(rune(w.src[i-1])) && !first:
			quote = b
		case b == '(':
			depth++
			if depth > 1 {
				first = false
			}
			continue
		case b == ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		if !space && b != '(' {
			first = false
		}
	}
	return -1
}

// until reads a code from open to shut.
func (w *inlines) until(open, shut string) bool {
	if !w.has(open) {
		return false
	}
	n := bytes.Index(w.src[w.pos:], []byte(shut))
	if n < 0 {
		return false
	}
	w.piece(Code, w.pos+n+len(shut), 0, string(w.src[w.pos:w.pos+n+len(shut)]))
	return true
}
