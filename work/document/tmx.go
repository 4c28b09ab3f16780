package document

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// tmx reads TMX, a translation memory (LISA, version 1.4b).
type tmx struct {
	bitext
	source string // language of the file's texts, or "*all*"
}

// parseTMX reads a translation memory. A translation unit gets a variant in the target
// language after the one in the source language; a variant with text stays.
func parseTMX(data []byte) (*Document, error) {
	m := &tmx{source: "*all*"}
	m.inline = m.inlineElement
	d, err := m.parse(data, "tmx", m.enter, m.leave)
	if err != nil {
		return nil, err
	}
	d.parts = []part{m.part}
	d.accept = func(t Translations) error {
		if t.Target == "" {
			return errors.New("a TMX file names the language of each text: say into which language it is translated")
		}
		return nil
	}
	return d, nil
}

func (m *tmx) enter(n *node) (whole bool, err error) {
	if n.parent == nil && n.name != "tmx" {
		return false, fmt.Errorf("the file's element is <%s>, want <tmx>", n.name)
	}
	if n.name == "header" && n.get("srclang") != "" {
		m.source = n.get("srclang")
	}
	return n.name == "tu", nil
}

// maxVariants bounds the languages of a translation unit: each is compared with all others.
const maxVariants = 256

// variant is a text of a translation unit in one language.
type variant struct {
	tuv, seg *node
	language string
}

func (m *tmx) leave(n *node) error {
	if n.name != "tu" {
		return nil
	}
	var all []variant
	for _, k := range n.kids {
		seg := k.child("seg")
		if k.name != "tuv" || seg == nil {
			continue
		}
		language := k.get("xml:lang")
		if language == "" {
			language = k.get("lang") // TMX 1.1
		}
		if language == "" {
			return fmt.Errorf("the tuv of line %d names no language", k.line)
		}
		if all = append(all, variant{k, seg, language}); len(all) > maxVariants {
			return fmt.Errorf("the tu of line %d has more than %d languages", n.line, maxVariants)
		}
	}
	want := m.source
	if s := n.get("srclang"); s != "" {
		want = s
	}
	i := slices.IndexFunc(all, func(v variant) bool { return want == "*all*" || languagesAgree(v.language, want) })
	if i < 0 || all[i].seg.blank(m.part.data) {
		return nil
	}
	m.add(n, all, all[i])
	return m.d.room()
}

// add adds the segment of a unit. Its place depends on the target language: the variant
// that is there without text, or a new one.
func (m *tmx) add(n *node, all []variant, source variant) {
	s := Segment{Where: where("", source.seg.line), Target: []Piece{}}
	if id := n.get("tuid"); id != "" {
		s.Where += ", " + id
	}
	s.Pieces, _ = m.pieces(source.seg)
	data := m.part.data
	var empty []string // languages of variants without text
	for _, v := range all {
		if !v.seg.blank(data) {
			s.Has = append(s.Has, v.language)
		} else {
			empty = append(empty, v.language)
		}
	}
	var places []place
	for _, v := range all {
		if v.seg.blank(data) {
			first := true // a second one of the language stays empty
			for _, l := range empty[:slices.Index(empty, v.language)] {
				first = first && !languagesAgree(l, v.language)
			}
			places = append(places, place{at: v.seg.at, end: v.seg.end, encode: m.fill(v, first)})
		}
		if v.tuv == source.tuv {
			places = append(places, place{at: v.tuv.end, end: v.tuv.end, encode: m.insert(source, empty)})
		}
	}
	m.d.addPlaces(&m.part, s, places...)
}

// fill writes a text that was empty.
func (m *tmx) fill(v variant, first bool) func([]byte, []Piece, bool, Translations) []byte {
	data := m.part.data
	return func(b []byte, target []Piece, _ bool, t Translations) []byte {
		if !first || len(target) == 0 || !languagesAgree(v.language, t.Target) {
			return append(b, data[v.seg.at:v.seg.end]...)
		}
		b = append(b, withAttributes(data[v.seg.at:v.seg.open])...)
		b = xmlText.write(b, target)
		return append(b, "</"+v.seg.prefix+"seg>"...)
	}
}

// insert writes a new variant after that of the source.
func (m *tmx) insert(source variant, empty []string) func([]byte, []Piece, bool, Translations) []byte {
	data := m.part.data
	name := "xml:lang"
	if source.tuv.get(name) == "" {
		name = "lang"
	}
	between := func(at, end int) string {
		if s := string(data[at:end]); strings.TrimSpace(s) == "" {
			return s
		}
		return ""
	}
	tuv, seg := source.tuv, source.seg
	return func(b []byte, target []Piece, _ bool, t Translations) []byte {
		filled := slices.ContainsFunc(empty, func(l string) bool { return languagesAgree(l, t.Target) })
		if len(target) == 0 || t.Target == "" || filled {
			return b
		}
		b = append(b, indent(data, tuv.at)...)
		b = append(b, withAttributes([]byte("<"+tuv.prefix+"tuv>"), name, t.Target)...)
		b = append(b, between(tuv.open, seg.at)+"<"+seg.prefix+"seg>"...)
		b = xmlText.write(b, target)
		return append(b, "</"+seg.prefix+"seg>"+between(seg.end, tuv.close)+"</"+tuv.prefix+"tuv>"...)
	}
}

// inlineElement says what an inline element is (TMX 1.4b, "Content Markup").
func (m *tmx) inlineElement(n *node) (kind PieceKind, key, text string) {
	switch n.name {
	case "bpt":
		return Open, "pair " + n.get("i"), ""
	case "ept":
		return Close, "pair " + n.get("i"), ""
	case "hi":
		return Open, "", ""
	}
	return Code, "", m.native(n)
}
