package document

import (
	"fmt"
	"strings"
)

// PPTX is the format of PowerPoint: Office Open XML, PresentationML. Its paragraphs are
// those of DrawingML (ECMA-376, part 1, section 21.1.2), which charts and diagrams of Word
// have as well.
const PPTX Format = "pptx"

func parsePPTX(data []byte) (*Document, error) {
	a, types, err := openOffice(PPTX, "presentationml", "ms-powerpoint", data)
	if err != nil {
		return nil, err
	}
	// Masters and layouts have prompts, such as "Click to edit": no reader sees them.
	for _, end := range []string{"presentationml.slide+xml", "presentationml.notesSlide+xml"} {
		for _, name := range types.named(end) {
			if err := a.addDrawing(name); err != nil {
				return nil, err
			}
		}
	}
	if err := a.addDrawings(types); err != nil {
		return nil, err
	}
	for _, end := range []string{"main+xml", "slideMaster+xml"} {
		for _, name := range types.named(end) {
			if err := a.addDefaultLanguage(name); err != nil {
				return nil, err
			}
		}
	}
	if err := a.addCoreTitle(types); err != nil {
		return nil, err
	}
	return a.doc, nil
}

// addDrawings adds the titles of charts and the texts of diagrams. A diagram has its text
// twice: as data, and as it was drawn last.
func (a *archive) addDrawings(types *contentTypes) error {
	for _, end := range []string{"drawingml.chart+xml", "drawingml.diagramData+xml", "drawingml.diagramDrawing+xml"} {
		for _, name := range types.named(end) {
			if err := a.addDrawing(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// drawing reads the paragraphs of a member with DrawingML.
type drawing struct {
	*paragraphs
	data []byte
	all  []turned
	// langs are tags outside of segments that name a language.
	langs []*xmlElement
}

// turned is a paragraph whose direction may change.
type turned struct {
	p, pPr *xmlElement // pPr is nil where there is none
}

func (a *archive) addDrawing(name string) error {
	data, err := a.read(name)
	if err != nil {
		return err
	}
	p := &drawing{paragraphs: newParagraphs(a.doc, name, data), data: data}
	err = walkXML(name, data, func(name string) verdict {
		if name == "a:p" {
			return take
		}
		return enter
	}, func(e *xmlElement) error {
		p.paragraph(e)
		return a.doc.room()
	})
	if err != nil {
		return fmt.Errorf("the %s file: %w", a.kind, err)
	}
	part := p.done()
	part.edits = p.edits
	a.add(part, data)
	return nil
}

// paragraph makes the segments of an a:p.
func (p *drawing) paragraph(e *xmlElement) {
	if p.text == nil {
		prefix := e.prefix(p.data)
		p.text = func(b []byte, text string) []byte {
			b = append(append(append(b, '<'), prefix...), "t>"...)
			b = escapedXML(b, text)
			return append(append(append(b, "</"...), prefix...), "t>"...)
		}
	}
	var all []paraItem
	for _, k := range e.kids {
		in := paraItem{kind: inCode, at: k.at, end: k.end}
		switch k.name {
		case "", "a:pPr", "a:endParaRPr":
			continue
		case "a:r":
			t := k.kid("a:t")
			if t == nil {
				break
			}
			in.kind, in.text, in.run = inWords, t.content(), p.format(k)
		case "a:br":
			in.kind = inLine
		case "a:fld":
			if t := k.kid("a:t"); t != nil {
				in.text = t.content()
			}
		}
		all = append(all, in)
	}
	before := len(p.doc.Segments)
	p.add(all)
	if len(p.doc.Segments) > before {
		p.all = append(p.all, turned{&xmlElement{at: e.at, inner: e.inner}, e.kid("a:pPr")})
	}
	if end := e.kid("a:endParaRPr"); end != nil && end.attr("lang") != "" {
		p.langs = append(p.langs, end)
	}
}

// format is the run of an a:r, without what is about the source's text: its language, and
// the marks of the check of spelling.
func (p *drawing) format(e *xmlElement) *textRun {
	r := &textRun{open: p.src[e.at:e.inner], close: p.src[e.innerEnd:e.end]}
	r.newOpen, r.newClose = r.open, r.close
	rPr := e.kid("a:rPr")
	if rPr == nil {
		return r
	}
	r.open += p.src[rPr.at:rPr.end]
	at := rPr.at
	for _, a := range rPr.attrs {
		switch a.name {
		case "lang", "altLang", "dirty", "err", "smtClean", "noProof":
			if _, end, from, ok := rPr.value(p.data, a.name); ok {
				r.key += p.src[at:from]
				at = end + 1
			}
		}
	}
	r.key += p.src[at:rPr.end]
	if len(rPr.kids) == 0 && strings.Trim(strings.TrimPrefix(r.key, "<"+rPr.prefix(p.data)+"rPr"), " /\t\r\n>") == "" {
		r.key = ""
	}
	r.newOpen += r.key
	return r
}

// edits sets the direction of paragraphs with segments, and the language of the marks of
// their ends.
func (p *drawing) edits(t Translations) (edits []edit) {
	for _, e := range p.langs {
		if at, end, _, ok := e.value(p.data, "lang"); ok {
			edits = append(edits, edit{at, end, string(escapedXML(nil, t.Target))})
		}
	}
	rtl := isRightToLeft(t.Target)
	for _, e := range p.all {
		switch {
		case e.pPr != nil:
			edits = append(edits, p.turn(e.pPr, rtl)...)
		case rtl:
			// With its tag: a segment may begin behind it.
			edits = append(edits, edit{e.p.at, e.p.inner, p.src[e.p.at:e.p.inner] + "<" + e.p.prefix(p.data) + `pPr algn="r" rtl="1"/>`})
		}
	}
	return edits
}

// turn sets the direction of a paragraph that has properties. A paragraph at the side where
// its lines begin stays there.
func (p *drawing) turn(pPr *xmlElement, rtl bool) (edits []edit) {
	name := pPr.at + 1 + len(pPr.prefix(p.data)) + len("pPr")
	is := pPr.attr("rtl") == "1" || pPr.attr("rtl") == "true"
	set := func(attribute, value string) {
		if at, end, _, ok := pPr.value(p.data, attribute); ok {
			edits = append(edits, edit{at, end, value})
		} else {
			edits = append(edits, edit{name, name, " " + attribute + `="` + value + `"`})
		}
	}
	algn := pPr.attr("algn")
	switch {
	case rtl && !is:
		if set("rtl", "1"); algn == "" || algn == "l" {
			set("algn", "r")
		}
	case !rtl && is:
		if set("rtl", "0"); algn == "r" {
			set("algn", "l")
		}
	}
	return edits
}

// addDefaultLanguage sets the language that text has by default: a:defRPr names it.
func (a *archive) addDefaultLanguage(name string) error {
	data, err := a.read(name)
	if err != nil {
		return err
	}
	var all []*xmlElement
	err = walkXML(name, data, func(name string) verdict {
		if name == "a:defRPr" {
			return take
		}
		return enter
	}, func(e *xmlElement) error {
		if e.attr("lang") != "" {
			all = append(all, e)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("the %s file: %w", a.kind, err)
	}
	a.add(part{name: name, data: data, edits: func(t Translations) (edits []edit) {
		for _, e := range all {
			if at, end, _, ok := e.value(data, "lang"); ok {
				edits = append(edits, edit{at, end, string(escapedXML(nil, t.Target))})
			}
		}
		return edits
	}}, data)
	return nil
}
