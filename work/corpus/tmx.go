package corpus

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Bounds of a TMX file that somebody else wrote.
const (
	maxDepth    = 16       // elements in one another; TMX has 6
	maxVariants = 256      // languages of a translation unit
	maxProp     = 1 << 10  // bytes of a property or an attribute
	maxToken    = 16 << 20 // bytes of a tag, a text between tags or a comment
)

// TranslationUnit is a translation unit of a TMX file (LISA, version 1.4b).
type TranslationUnit struct {
	Line     int
	Source   string            // the language that the unit is translated from, or "*all*"
	Props    map[string]string // those that the reader was asked for
	Variants []Variant
	Codes    bool // a text has codes of a file format in it
}

// Variant is a text of a unit in one language.
type Variant struct {
	Language string // tag, as the file has it
	Text     string // without the codes; a longer one is cut to one byte more than the reader's limit
}

// ReadTMX yields the translation units of a TMX file. maxBytes bounds the file, maxText is the
// longest text in bytes, and props are the types of properties to keep. No document type is
// read, so no entity of one is known. The sequence ends with the first error.
func ReadTMX(r io.Reader, maxBytes int64, maxText int, props ...string) iter.Seq2[TranslationUnit, error] {
	return func(yield func(TranslationUnit, error) bool) {
		limited := &io.LimitedReader{R: r, N: maxBytes + 1}
		t := &tmxReader{maxText: maxText, props: map[string]bool{}}
		for _, p := range props {
			t.props[p] = true
		}
		// The byte-order mark decides on UTF-16, which TMX files often are in.
		t.raw.in = transform.NewReader(limited, unicode.BOMOverride(transform.Nop))
		t.in = xml.NewDecoder(&t.raw)
		t.in.CharsetReader = charset
		for {
			u, err := t.next()
			if limited.N <= 0 {
				err = fmt.Errorf("more than %d bytes: divide the file", maxBytes)
			}
			if err == io.EOF {
				return
			}
			if err != nil {
				line, _ := t.in.InputPos()
				yield(TranslationUnit{}, fmt.Errorf("TMX: line %d: %w", line, err))
				return
			}
			if !yield(u, nil) {
				return
			}
		}
	}
}

// charset reads the encodings that an XML declaration may name.
func charset(label string, in io.Reader) (io.Reader, error) {
	if strings.HasPrefix(strings.ToLower(label), "utf-16") { // BOMOverride has seen to it
		return in, nil
	}
	e, err := htmlindex.Get(label)
	if err != nil {
		return nil, fmt.Errorf("encoding %q is unknown: convert the file to UTF-8", label)
	}
	return e.NewDecoder().Reader(in), nil
}

// paced is a reader from which one token can take only so much: the decoder keeps a token
// whole.
type paced struct {
	in io.Reader
	n  int // bytes since the last token
}

func (p *paced) Read(b []byte) (int, error) {
	if p.n > maxToken {
		return 0, fmt.Errorf("a tag, a text or a comment with more than %d bytes", maxToken)
	}
	n, err := p.in.Read(b)
	p.n += n
	return n, err
}

// tmxReader reads the units of a TMX file one by one.
type tmxReader struct {
	raw     paced
	in      *xml.Decoder
	maxText int
	props   map[string]bool
	open    []string // names of the elements around
	source  string   // language of the header
	begun   bool

	unit *TranslationUnit // that is being read
	prop string
	text bytes.Buffer
}

// next reads to the end of the next unit.
func (t *tmxReader) next() (TranslationUnit, error) {
	for {
		t.raw.n = 0
		token, err := t.in.Token()
		if err == io.EOF && !t.begun {
			return TranslationUnit{}, errors.New("the file is not TMX: no <tmx> in it")
		} else if err != nil {
			return TranslationUnit{}, err
		}
		switch e := token.(type) {
		case xml.StartElement:
			if err := t.start(e); err != nil {
				return TranslationUnit{}, err
			}
		case xml.EndElement:
			t.open = t.open[:len(t.open)-1]
			switch {
			case t.unit == nil:
			case e.Name.Local == "tuv" && len(t.unit.Variants) > 0:
				t.unit.Variants[len(t.unit.Variants)-1].Text = t.text.String()
			case e.Name.Local == "tu":
				u := *t.unit
				t.unit = nil
				return u, nil
			}
		case xml.CharData:
			if err := t.chars(e); err != nil {
				return TranslationUnit{}, err
			}
		}
	}
}

// start takes the beginning of an element.
func (t *tmxReader) start(e xml.StartElement) error {
	name := e.Name.Local
	if len(t.open) == 0 && name != "tmx" {
		return fmt.Errorf("the file is not TMX: it begins with <%s>", name)
	}
	t.begun = true
	if t.open = append(t.open, name); len(t.open) > maxDepth {
		return fmt.Errorf("more than %d elements in one another", maxDepth)
	}
	switch {
	case name == "header":
		t.source = attribute(e, "srclang")
	case name == "tu":
		if t.unit != nil {
			return errors.New("a <tu> inside a <tu>")
		}
		line, _ := t.in.InputPos()
		t.unit = &TranslationUnit{Line: line, Source: t.source}
		if s := attribute(e, "srclang"); s != "" {
			t.unit.Source = s
		}
	case t.unit == nil:
	case name == "prop":
		t.prop = attribute(e, "type")
	case name == "tuv":
		if len(t.unit.Variants) == maxVariants {
			return fmt.Errorf("a <tu> with more than %d languages", maxVariants)
		}
		t.text.Reset()
		t.unit.Variants = append(t.unit.Variants, Variant{Language: attribute(e, "lang")}) // xml:lang, or lang of TMX 1.1
	case name != "seg" && name != "hi" && t.inside("seg"):
		t.unit.Codes = true
	}
	return nil
}

// inside reports whether an element is open.
func (t *tmxReader) inside(name string) bool {
	for _, o := range t.open {
		if o == name {
			return true
		}
	}
	return false
}

// chars takes characters. Those of a segment count, but for the codes in it.
func (t *tmxReader) chars(s []byte) error {
	if t.unit == nil || len(t.open) == 0 {
		return nil
	}
	switch top := t.open[len(t.open)-1]; {
	case top == "prop" && t.props[t.prop]:
		if t.unit.Props == nil {
			t.unit.Props = map[string]string{}
		}
		if t.unit.Props[t.prop] += string(s); len(t.unit.Props[t.prop]) > maxProp {
			return fmt.Errorf("a <prop> with more than %d bytes", maxProp)
		}
	case len(t.unit.Variants) > 0 && t.plain():
		t.text.Write(s[:min(len(s), max(0, t.maxText+1-t.text.Len()))])
	}
	return nil
}

// plain reports whether the innermost element is a segment, or highlighted text in one.
func (t *tmxReader) plain() bool {
	for i := len(t.open) - 1; i >= 0 && (t.open[i] == "hi" || t.open[i] == "seg"); i-- {
		if t.open[i] == "seg" {
			return true
		}
	}
	return false
}

// attribute is the value of an attribute, whatever its namespace; "" where there is none, or
// one that is too long.
func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name && len(a.Value) <= maxProp {
			return a.Value
		}
	}
	return ""
}

// readTMX reads the pairs of a translation memory: of each unit the text of the source language
// with that of the target language.
func readTMX(path string, c *Corpus, o Selection) (iter.Seq2[row, error], error) {
	if o.Columns != "" {
		return nil, fmt.Errorf("%s has no columns: leave --columns out", path)
	}
	src, tgt := c.Source, c.Target
	return func(yield func(row, error) bool) {
		in, err := open(path)
		if err != nil {
			yield(row{}, err)
			return
		}
		defer in.Close()
		found := false
		languages := map[string]bool{}
		for u, err := range ReadTMX(in, maxBytes, MaxLine) {
			if err != nil {
				yield(row{}, fmt.Errorf("%s: %w", path, damage(err)))
				return
			}
			r, ok := row{file: path, line: u.Line}, false
			if r.Pair, ok = u.pair(src, tgt); !ok {
				for _, v := range u.Variants {
					if len(languages) < maxVariants {
						languages[v.Language] = true
					}
				}
				continue // of other languages
			}
			found = true
			if len(r.Source) > MaxLine || len(r.Target) > MaxLine {
				r.Pair, r.bad = Pair{}, LongLine
			}
			if !yield(r, nil) {
				return
			}
		}
		if !found {
			yield(row{}, fmt.Errorf("%s has no translation from %s to %s: it has %s (--src and --tgt)", path, src, tgt, listed(languages)))
		}
	}, nil
}

// pair is the texts of a unit in two languages. A variant with the very tag counts before one
// of the language, such as de-AT for de.
func (u TranslationUnit) pair(src, tgt string) (p Pair, ok bool) {
	find := func(tag string) (string, bool) {
		for _, same := range []func(a, b string) bool{sameTag, sameLanguage} {
			for _, v := range u.Variants {
				if same(v.Language, tag) {
					return v.Text, true
				}
			}
		}
		return "", false
	}
	p.Source, ok = find(src)
	if ok {
		p.Target, ok = find(tgt)
	}
	return p, ok
}
