package document

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// yamlWriter writes a scalar.
type yamlWriter struct {
	charset charset
	flow    bool   // in brackets or braces
	style   byte   // how it begins: " ' | > or 0 for a plain one
	value   string // of the source
	raw     string // the source, with the tail
	tail    string // the white space after a plain scalar, up to its last tab
	header  string // of a block
	indent  string
	eol     string
}

func (w yamlWriter) encode(b []byte, target []Piece, _ bool) []byte {
	value := spell(target, func(s string) string { return s })
	if value == w.value || w.raw == "" {
		return append(b, w.raw...)
	}
	out := w.scalar(value)
	if strings.HasPrefix(out, `"`) { // after quotes, no line may begin with a tab
		return append(append(b, out...), strings.ReplaceAll(w.tail, "\t", "")...)
	}
	return append(append(b, out...), w.tail...)
}

// scalar writes a value in the style of the source, or in double quotes where that style
// would give another value: a plain "no" is a boolean, and "a: b" a mapping.
func (w yamlWriter) scalar(value string) string {
	s := ""
	switch w.style {
	case '"':
		return w.quote(value)
	case '\'':
		s = "'" + strings.ReplaceAll(value, "'", "''") + "'"
	case '|', '>':
		s = w.block(value)
	default:
		if s = value; notText.MatchString(value) {
			return w.quote(value)
		}
	}
	if !w.reads(s, value) {
		return w.quote(value)
	}
	return s
}

// notText is what parsers of YAML 1.1, such as Ruby's, take for booleans, nothing, numbers,
// times and the default and merge keys (yaml.org/type).
var notText = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null|~|=|<<|[-+]?[0-9._:]+)$`)

// reads reports whether a parser reads s as the string value, in the place of the scalar.
func (w yamlWriter) reads(s, value string) bool {
	if s == "" || w.header == "" && strings.ContainsAny(s, "\r\n") {
		return false
	}
	if strings.HasPrefix(s, "---") || strings.HasPrefix(s, "...") { // without a key before it, the begin or end of a document
		return false
	}
	for _, r := range s {
		if !w.charset.can(r) {
			return false
		}
	}
	var n yaml.Node
	text := "k: " + s + "\n"
	if w.flow {
		text = "k: [" + s + ", x]\n"
	}
	if yaml.Unmarshal([]byte(text), &n) != nil || len(n.Content) != 1 || len(n.Content[0].Content) != 2 {
		return false
	}
	v := n.Content[0].Content[1]
	if w.flow {
		if len(v.Content) != 2 {
			return false
		}
		v = v.Content[0]
	}
	if w.header != "" { // how many line ends a block has is said by its header and what follows
		return v.ShortTag() == "!!str" && strings.TrimRight(v.Value, "\n") == strings.TrimRight(value, "\n")
	}
	return v.Kind == yaml.ScalarNode && v.ShortTag() == "!!str" && v.Value == value
}

// block writes a literal or folded block with the header of the source.
func (w yamlWriter) block(value string) string {
	value = strings.TrimRight(value, "\n")
	same := func(s string) string { return s }
	var b strings.Builder
	b.WriteString(w.header)
	for i, l := range strings.Split(value, "\n") {
		if w.style == '>' && i > 0 && l != "" {
			b.WriteString(w.eol) // of two line ends, one is folded
		}
		b.WriteString(w.eol)
		if l == "" {
			continue
		}
		b.WriteString(w.indent)
		if w.style == '>' && strings.Contains(w.raw[len(w.header):], "\n"+w.indent) {
			l = fill([]Piece{{Kind: Plain, Text: l}}, max(40, 80-len(w.indent)), w.eol+w.indent, false, same, nil)
		}
		b.WriteString(l)
	}
	return b.String()
}

// quote writes a value in double quotes (YAML 1.1, 5.6).
func (w yamlWriter) quote(value string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range value {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r > 0xffff && (!unicode.IsPrint(r) || !w.charset.can(r)):
			fmt.Fprintf(&b, `\U%08x`, r)
		case r != ' ' && !unicode.IsPrint(r) || !w.charset.can(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
