package document

import (
	"fmt"
	"slices"
	"strings"
)

// DOCX is the format of Word: Office Open XML, WordprocessingML (ECMA-376, part 1,
// section 17). A paragraph is a segment.
const DOCX Format = "docx"

// docxTexts are the ends of the content types of members with paragraphs, in the sequence
// in which their segments come.
var docxTexts = []string{
	"main+xml", "wordprocessingml.header+xml", "wordprocessingml.footer+xml", "wordprocessingml.footnotes+xml",
	"wordprocessingml.endnotes+xml", "wordprocessingml.comments+xml",
}

func parseDOCX(data []byte) (*Document, error) {
	a, types, err := openOffice(DOCX, "wordprocessingml", "ms-word", data)
	if err != nil {
		return nil, err
	}
	for _, end := range docxTexts {
		for _, name := range types.named(end) {
			if err := a.addDOCX(name); err != nil {
				return nil, err
			}
		}
	}
	if err := a.addDrawings(types); err != nil {
		return nil, err
	}
	for _, name := range types.named("wordprocessingml.styles+xml") {
		if err := a.addDOCXStyles(name); err != nil {
			return nil, err
		}
	}
	if err := a.addCoreTitle(types); err != nil {
		return nil, err
	}
	return a.doc, nil
}

// docxPart reads the paragraphs of one member.
type docxPart struct {
	*paragraphs
	data []byte
	// bidi are the marks of the direction of paragraphs: the styles say it.
	bidi []edit
	// tables are those of tables whose columns go from right to left, and places for them.
	tables, noTables []edit
}

func (a *archive) addDOCX(name string) error {
	data, err := a.read(name)
	if err != nil {
		return err
	}
	p := &docxPart{paragraphs: newParagraphs(a.doc, name, data), data: data}
	err = walkXML(name, data, func(name string) verdict {
		if name == "w:p" || name == "w:tblPr" {
			return take
		}
		return enter
	}, func(e *xmlElement) error {
		if e.name == "w:p" {
			p.paragraph(e)
		} else {
			p.table(e)
		}
		return a.doc.room()
	})
	if err != nil {
		return fmt.Errorf("the %s file: %w", a.kind, err)
	}
	part := p.done()
	part.edits = func(t Translations) []edit {
		if isRightToLeft(t.Target) {
			return slices.Concat(p.bidi, p.tables)
		}
		return slices.Concat(p.bidi, p.noTables)
	}
	a.add(part, data)
	return nil
}

// table notes where a table says the direction of its columns, or would (w:tblPr is a
// sequence: ECMA-376, part 1, section 17.4.59).
func (p *docxPart) table(e *xmlElement) {
	if k := e.kid("w:bidiVisual"); k != nil {
		p.noTables = append(p.noTables, edit{k.at, k.end, ""})
		return
	}
	at := e.inner
	for _, k := range e.kids {
		if k.name == "w:tblStyle" || k.name == "w:tblpPr" || k.name == "w:tblOverlap" {
			at = k.end
		}
	}
	if !e.closesItself() {
		p.tables = append(p.tables, edit{at, at, "<" + e.prefix(p.data) + "bidiVisual/>"})
	}
}

// paragraph makes the segments of a w:p, and of the paragraphs in its text boxes.
func (p *docxPart) paragraph(e *xmlElement) {
	if p.text == nil {
		prefix := e.prefix(p.data)
		p.text = func(b []byte, text string) []byte { return wText(b, prefix, text) }
	}
	if pPr := e.kid("w:pPr"); pPr != nil {
		if k := pPr.kid("w:bidi"); k != nil {
			p.bidi = append(p.bidi, edit{k.at, k.end, ""})
		}
	}
	p.add(p.fields(p.items(e.kids)))
	p.nested(e)
}

// nested makes the segments of the paragraphs inside of a paragraph.
func (p *docxPart) nested(e *xmlElement) {
	for _, k := range e.kids {
		if k.name == "w:p" {
			p.paragraph(k)
		} else {
			p.nested(k)
		}
	}
}

// wText appends a w:t. White space at its ends counts only where the file says so.
func wText(b []byte, prefix, text string) []byte {
	b = append(append(b, '<'), prefix...)
	b = append(b, 't')
	if strings.TrimSpace(text) != text {
		b = append(b, ` xml:space="preserve"`...)
	}
	b = escapedXML(append(b, '>'), text)
	b = append(append(b, "</"...), prefix...)
	return append(b, "t>"...)
}

// items are the items of what stands in a paragraph, or in an element like w:hyperlink
// inside of one.
func (p *docxPart) items(kids []*xmlElement) (all []paraItem) {
	for _, e := range kids {
		raw := func(from, to int) string { return p.src[from:to] }
		one := paraItem{kind: inCode, at: e.at, end: e.end}
		switch e.name {
		case "", "w:pPr", "w:rPr", "w:hyperlinkPr", "w:sdtPr", "w:sdtEndPr", "w:smartTagPr", "w:customXmlPr", "w:fldData":
			continue
		case "w:r":
			all = append(all, p.runOf(e)...)
			continue
		case "w:proofErr":
			one.kind = inAnchor
		case "w:bookmarkStart", "w:commentRangeStart", "w:permStart", "w:moveToRangeStart", "w:moveFromRangeStart":
			one.kind, one.before = inAnchor, raw(e.at, e.end)
		case "w:bookmarkEnd", "w:commentRangeEnd", "w:permEnd", "w:moveToRangeEnd", "w:moveFromRangeEnd":
			one.kind, one.after = inAnchor, raw(e.at, e.end)
		case "w:hyperlink", "w:smartTag", "w:customXml", "w:ins", "w:moveTo", "w:dir", "w:bdo", "w:sdt":
			in := e
			if e.name == "w:sdt" {
				in = e.kid("w:sdtContent")
			}
			if in == nil || in.closesItself() {
				break
			}
			one.kind = inPair
			one.inside = p.fields(p.items(in.kids))
			one.open, one.close = raw(e.at, in.inner), raw(in.innerEnd, e.end)
		case "w:fldSimple":
			one.text = visible(p.fields(p.items(e.kids)))
		}
		if one.kind == inCode && e.has("w:p") {
			one.kind = inNested
		}
		all = append(all, one)
	}
	return all
}

// runOf are the items of a w:r. They share its bytes: the first begins where it does, and
// the last ends where it does.
func (p *docxPart) runOf(e *xmlElement) (all []paraItem) {
	r := p.format(e)
	at := e.at
	for _, k := range e.kids {
		if k.name == "" || k.name == "w:rPr" {
			continue
		}
		in := paraItem{kind: inCode, at: at, end: k.end, left: r, right: r}
		if at == e.at {
			in.left = nil
		}
		switch k.name {
		case "w:t":
			in.kind, in.text, in.run = inWords, k.content(), r
			if k.attr("xml:space") != "preserve" {
				in.text = strings.Trim(in.text, " \t\r\n")
			}
		case "w:noBreakHyphen":
			in.kind, in.text, in.run = inWords, "\u2011", r
		case "w:softHyphen", "w:lastRenderedPageBreak":
			in.kind = inAnchor
		case "w:commentReference":
			in.kind, in.after = inAnchor, r.open+p.src[k.at:k.end]+r.close
		case "w:tab", "w:ptab":
			in.kind = inStop
		case "w:cr":
			in.kind = inLine
		case "w:br":
			if in.kind = inLine; k.attr("w:type") != "" && k.attr("w:type") != "textWrapping" {
				in.kind = inStop
			}
		case "w:fldChar":
			in.text = fieldMark + k.attr("w:fldCharType")
		case "w:instrText":
			in.text = fieldMark + "=" + k.content()
		case "w:ruby":
			if base := k.kid("w:rubyBase"); base != nil {
				in.text = visible(p.fields(p.items(base.kids)))
			}
		default:
			if k.has("w:p") {
				in.kind = inNested
			}
		}
		all = append(all, in)
		at = k.end
	}
	if len(all) == 0 {
		return []paraItem{{kind: inAnchor, at: e.at, end: e.end}}
	}
	all[len(all)-1].end, all[len(all)-1].right = e.end, nil
	return all
}

// format is the run of a w:r. The language, the check of spelling, and the direction of the
// source's letters are not those of the translation: its text takes them from the styles.
func (p *docxPart) format(e *xmlElement) *textRun {
	r := &textRun{open: p.src[e.at:e.inner], close: p.src[e.innerEnd:e.end]}
	if e.closesItself() {
		return r
	}
	r.newOpen, r.newClose = r.open, r.close
	rPr := e.kid("w:rPr")
	if rPr == nil {
		return r
	}
	r.open += p.src[rPr.at:rPr.end]
	for _, k := range rPr.kids {
		switch k.name {
		case "", "w:lang", "w:noProof", "w:rtl", "w:cs":
		default:
			r.key += p.src[k.at:k.end]
		}
	}
	if r.key != "" {
		r.newOpen += p.src[rPr.at:rPr.inner] + r.key + p.src[rPr.innerEnd:rPr.end]
	}
	return r
}

// fieldMark begins the text of a code that is a part of a field, until fields has put the
// parts together. No text of an XML file has the character.
const fieldMark = "\x00"

// maxFields bounds the fields inside fields. Word has three or four.
const maxFields = 20

// fields puts the parts of fields together (ECMA-376, part 1, section 17.16.18): a link is
// a pair of tags; another field, such as a page number, is a code with its result as text.
func (p *docxPart) fields(all []paraItem) []paraItem { return p.fieldsIn(all, maxFields) }

func (p *docxPart) fieldsIn(all []paraItem, depth int) (out []paraItem) {
	ends := map[int]int{} // of fields, by their beginnings
	var open []int
	for i, in := range all {
		switch in.text {
		case fieldMark + "begin":
			open = append(open, i)
		case fieldMark + "end":
			if len(open) > 0 {
				ends[open[len(open)-1]] = i
				open = open[:len(open)-1]
			}
		}
	}
	for i := 0; i < len(all); i++ {
		in := all[i]
		if in.kind == inCode && strings.HasPrefix(in.text, fieldMark) {
			in.text = "" // a field that goes over paragraphs
			if end := ends[i]; end > 0 {
				in = p.field(all[i:end+1], depth)
				i = end
			}
		}
		out = append(out, in)
	}
	return out
}

// field is the paraItem of a whole field.
func (p *docxPart) field(all []paraItem, fields int) paraItem {
	first, last := all[0], all[len(all)-1]
	in := paraItem{kind: inCode, at: first.at, end: last.end, left: first.left, right: last.right}
	instruction, depth, inside := "", 0, len(all)-1
	for i, k := range all {
		switch mark, _ := strings.CutPrefix(k.text, fieldMark); {
		case mark == "begin":
			depth++
		case mark == "end":
			depth--
		case mark == "separate" && depth == 1:
			inside = i + 1
		case strings.HasPrefix(k.text, fieldMark+"=") && depth == 1:
			instruction += mark[1:]
		}
	}
	if countNested(all) > 0 {
		in.kind = inNested
	}
	if fields == 0 {
		return in
	}
	result := p.fieldsIn(all[min(inside, len(all)-1):len(all)-1], fields-1)
	name, _, _ := strings.Cut(strings.TrimSpace(instruction), " ")
	if slices.Contains([]string{"HYPERLINK", "TOC", "INDEX"}, strings.ToUpper(name)) && len(result) > 0 {
		sep := all[inside-1]
		in.kind, in.inside = inPair, result
		in.open = alone(paraItem{left: first.left, right: sep.right}, p.src[first.at:sep.end])
		in.close = alone(last, p.src[last.at:last.end])
		return in
	}
	in.text = visible(result)
	return in
}
