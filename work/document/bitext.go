package document

import (
	"fmt"
	"slices"
	"strings"
)

// bitext reads the formats that keep a text and its translation: XLIFF and TMX. Their
// inline elements stand for the tags and codes of another format.
type bitext struct {
	d    *Document
	part part
	// inline says what an inline element is. key pairs an Open with its Close, where these
	// are two elements; an Open without key is an element with text in it.
	inline func(n *node) (kind PieceKind, key, text string)
}

// fragment is a text, a tag or a code of a segment.
type fragment struct {
	kind    PieceKind
	node    *node // of a text
	at, end int
	key     string
	text    string
}

// pieces reads the content of an element. split says that some Raw are not the bytes of the
// file, because the text stands in a CDATA section.
func (b *bitext) pieces(n *node) (all []Piece, split bool) {
	var flat []fragment
	b.flatten(n, &flat)
	pair := make([]int, len(flat))
	open, pairs := map[string]int{}, 0
	for i, f := range flat {
		if f.kind == Open {
			open[f.key] = i
		} else if f.kind == Close {
			if from, ok := open[f.key]; ok {
				pairs++
				pair[from], pair[i] = pairs, pairs
				delete(open, f.key)
			}
		}
	}
	read := reader{markup: xmlText}
	read.keep = n.inherited("xml:space") == "preserve"
	for i, f := range flat {
		raw := string(b.part.data[f.at:f.end])
		switch {
		case f.kind == Plain:
			if s, ok := cdata(raw); ok {
				split = true
				raw = string(xmlText.escape(nil, s))
			}
			all = append(all, read.pieces(raw, f.at)...)
		case f.kind != Code && pair[i] > 0:
			all = append(all, Piece{Kind: f.kind, Raw: raw, Pair: pair[i], at: f.at})
		default:
			all = append(all, Piece{Kind: Code, Raw: raw, Text: f.text, at: f.at})
			read.space = false
		}
	}
	return all, split
}

// flatten lists what stands in an element. The depth is bounded by the reader of XML.
func (b *bitext) flatten(n *node, flat *[]fragment) {
	for _, k := range n.kids {
		if k.name == "" {
			*flat = append(*flat, fragment{kind: Plain, node: k, at: k.at, end: k.end})
			continue
		}
		kind, key, text := Code, "", ""
		if k.name != "!" {
			kind, key, text = b.inline(k)
		}
		if kind != Open || key != "" || k.open == k.end {
			if start := b.subflows(k, k.at, flat); start > k.at {
				*flat = append(*flat, fragment{kind: Code, at: start, end: k.end})
				continue
			}
			if kind == Open && key == "" {
				kind = Code // <g/>, with nothing in it
			}
			*flat = append(*flat, fragment{kind: kind, at: k.at, end: k.end, key: key, text: text})
			continue
		}
		key = fmt.Sprintf("at %d", k.at)
		*flat = append(*flat, fragment{kind: Open, at: k.at, end: k.open, key: key})
		b.flatten(k, flat)
		*flat = append(*flat, fragment{kind: Close, at: k.close, end: k.end, key: key})
	}
}

// subflows lists the texts inside a code, such as the title of an image, and the parts of
// the code before each. It returns where the rest of the code starts.
func (b *bitext) subflows(n *node, start int, flat *[]fragment) int {
	for _, k := range n.kids {
		if k.name != "sub" || k.open == k.end {
			start = b.subflows(k, start, flat)
			continue
		}
		*flat = append(*flat, fragment{kind: Code, at: start, end: k.open})
		b.flatten(k, flat)
		start = k.close
	}
	return start
}

// content appends the pieces of a target. old is what stands in the file for own.
func content(out []byte, target, own []Piece, split bool, old []byte) []byte {
	if split && slices.Equal(target, own) {
		return append(out, old...)
	}
	return xmlText.write(out, target)
}

// placeholder returns a text that is one placeholder and nothing else, or "". A model can
// be trusted with a placeholder, but not with the code of another format.
func placeholder(text string) string {
	text = strings.TrimSpace(text)
	if p := placeholders(text); len(p) == 1 && p[0].Kind == Code && !strings.HasPrefix(text, "<") {
		return text
	}
	return ""
}

// native is what the model sees of an inline element that has a code of another format in
// it.
func (b *bitext) native(n *node) string { return placeholder(n.text(b.part.data)) }

// asItWas reports whether a target is what stands in the file.
func asItWas(target, own []Piece) bool {
	return len(target) == 0 || len(own) > 0 && &target[0] == &own[0]
}

// parseMarkup decodes a file of XML.
func (b *bitext) parse(data []byte, what Format, enter func(*node) (bool, error), leave func(*node) error) (*Document, error) {
	text, recode, err := decodeMarkup(data, true)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	if err := manyQuotes(text); err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	b.d = &Document{Format: what}
	b.part = part{data: text, recode: recode}
	r := xmlReader{data: text, enter: enter, leave: leave}
	if err := r.read(); err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	return b.d, nil
}
