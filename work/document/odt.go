package document

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ODT, ODP and ODS are the formats of LibreOffice: OpenDocument 1.3 of text, presentations
// and tables. Their paragraphs are the same (part 3, section 5.1), and are segments.
const (
	ODT Format = "odt"
	ODP Format = "odp"
	ODS Format = "ods"
)

// odfTypes begin the types of files (OpenDocument 1.3, part 2, section 3.3): templates have
// the same with an ending.
var odfTypes = []struct {
	begin  string
	format Format
}{
	{"application/vnd.oasis.opendocument.text", ODT},
	{"application/vnd.oasis.opendocument.presentation", ODP},
	{"application/vnd.oasis.opendocument.spreadsheet", ODS},
}

func parseODT(data []byte) (*Document, error) {
	a, err := openArchive(ODT, data)
	if err != nil {
		return nil, err
	}
	if err := a.checkODF(); err != nil {
		return nil, err
	}
	s := &odfStyles{plain: map[string]bool{}}
	if a.has("styles.xml") {
		if err := a.odfLanguage("styles.xml", s); err != nil {
			return nil, err
		}
	}
	names := []string{"content.xml"}
	for _, f := range a.members {
		if strings.HasSuffix(f.Name, "/content.xml") { // a chart in the document
			names = append(names, f.Name)
		}
	}
	if a.has("styles.xml") {
		names = append(names, "styles.xml") // headers and footers
	}
	slices.SortStableFunc(names[1:], byNumber)
	for _, name := range names {
		if err := a.addODF(name, s); err != nil {
			return nil, err
		}
	}
	if a.has("meta.xml") {
		if err := a.addProperties("meta.xml", []string{"dc:title"}); err != nil {
			return nil, err
		}
	}
	return a.doc, nil
}

// checkODF finds the kind of the document, and refuses what is none, or is encrypted.
func (a *archive) checkODF() error {
	const manifest = "META-INF/manifest.xml"
	media, encrypted := "", a.has("encrypted-package")
	if a.has(manifest) {
		data, err := a.read(manifest)
		if err != nil {
			return err
		}
		err = walkXML(manifest, data, func(name string) verdict {
			if name == "manifest:file-entry" {
				return take
			}
			return enter
		}, func(e *xmlElement) error {
			encrypted = encrypted || e.kid("manifest:encryption-data") != nil
			if e.attr("manifest:full-path") == "/" {
				media = e.attr("manifest:media-type")
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("the %s file: %w", a.kind, err)
		}
	}
	if encrypted {
		return fmt.Errorf("the %s file is protected with a password: save a copy without the password", a.kind)
	}
	if a.has("mimetype") {
		data, err := a.read("mimetype")
		if err != nil {
			return err
		}
		if media = strings.TrimSpace(string(data)); len(media) > 100 || !utf8.ValidString(media) {
			return fmt.Errorf("no %s file: its member mimetype names no type", a.kind)
		}
	}
	for _, t := range odfTypes {
		if strings.HasPrefix(media, t.begin) {
			a.doc.Format, a.kind = t.format, strings.ToUpper(string(t.format))
			return nil
		}
	}
	if media == "" {
		return fmt.Errorf("no %s file: it is a ZIP archive that does not say that it is an OpenDocument (no member mimetype)", a.kind)
	}
	return fmt.Errorf("no %s file: it says that it is of the type %q", a.kind, media)
}

// odfStyles is what a document's styles say of its text.
type odfStyles struct {
	language string          // of the default style
	plain    map[string]bool // by member and name: automatic styles that change no look
}

// odfLanguage reads the language of the default style.
func (a *archive) odfLanguage(name string, s *odfStyles) error {
	data, err := a.read(name)
	if err != nil {
		return err
	}
	err = walkXML(name, data, func(name string) verdict {
		switch name {
		case "style:default-style":
			return take
		case "office:master-styles", "office:automatic-styles":
			return leave
		}
		return enter
	}, func(e *xmlElement) error {
		if k := e.kid("style:text-properties"); k != nil && s.language == "" {
			s.language = k.attr("fo:language")
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("the %s file: %w", a.kind, err)
	}
	return nil
}

// odfPart reads the paragraphs of a member.
type odfPart struct {
	*paragraphs
	data   []byte
	styles *odfStyles
	spaced bool // the text before ends with white space, or there is none
	// props are the tags with a language or a direction.
	props []odfProps
	fo    string // the file's prefix of fo, with its colon
}

// odfProps is an element with the properties of a style.
type odfProps struct {
	*xmlElement
	standard bool // of the default style
}

func (a *archive) addODF(name string, s *odfStyles) error {
	data, err := a.read(name)
	if err != nil {
		return err
	}
	p := &odfPart{paragraphs: newParagraphs(a.doc, name, data), data: data, styles: s}
	err = walkXML(name, data, func(name string) verdict {
		switch name {
		case "text:p", "text:h", "style:style", "style:default-style", "style:page-layout":
			return take
		case "text:tracked-changes": // what was deleted
			return leave
		}
		return enter
	}, func(e *xmlElement) error {
		if strings.HasPrefix(e.name, "text:") {
			p.paragraph(e)
		} else {
			p.style(e)
		}
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

// style notes what a style has that depends on the language.
func (p *odfPart) style(e *xmlElement) {
	standard := e.name == "style:default-style"
	onlyMarks := e.attr("style:parent-style-name") == ""
	e.each(func(k *xmlElement) bool {
		switch k.name {
		case "style:text-properties", "style:paragraph-properties", "style:page-layout-properties", "style:section-properties", "style:table-properties":
			p.props = append(p.props, odfProps{&xmlElement{name: k.name, attrs: k.attrs, at: k.at, inner: k.inner, end: k.end}, standard})
			for _, a := range k.attrs {
				if local, ok := strings.CutPrefix(a.name, "fo:"); ok {
					p.fo = strings.TrimSuffix(a.raw, local)
				}
				onlyMarks = onlyMarks && (a.name == "officeooo:rsid" || a.name == "officeooo:paragraph-rsid" ||
					strings.HasPrefix(a.name, "fo:language") || strings.HasPrefix(a.name, "fo:country") ||
					strings.HasPrefix(a.name, "style:language-") || strings.HasPrefix(a.name, "style:country-"))
			}
			onlyMarks = onlyMarks && len(k.kids) == 0
		case "style:style", "style:default-style", "":
		default:
			onlyMarks = false
		}
		return true
	})
	if e.attr("style:family") == "text" && onlyMarks {
		p.styles.plain[p.part.name+"\x00"+e.attr("style:name")] = true
	}
}

// paragraph makes the segments of a text:p or text:h, and of the paragraphs in its notes
// and frames.
func (p *odfPart) paragraph(e *xmlElement) {
	if p.text == nil {
		prefix := e.prefix(p.data)
		p.text = func(b []byte, text string) []byte { return odfText(b, prefix, text) }
	}
	p.spaced = true
	p.add(p.items(e.kids, &textRun{}))
	p.nested(e)
}

func (p *odfPart) nested(e *xmlElement) {
	for _, k := range e.kids {
		if k.name == "text:p" || k.name == "text:h" {
			p.paragraph(k)
		} else {
			p.nested(k)
		}
	}
}

// items are the items of what stands in a paragraph, or in a tag inside of one.
func (p *odfPart) items(kids []*xmlElement, r *textRun) (all []paraItem) {
	for _, e := range kids {
		in := paraItem{kind: inCode, at: e.at, end: e.end}
		raw := p.src[e.at:e.end]
		switch e.name {
		case "":
			in.kind, in.run, in.text = inWords, r, p.collapse(e.text)
		case "text:s":
			n, err := strconv.Atoi(e.attr("text:c"))
			if err != nil || n < 1 || n > 1000 {
				n = 1
			}
			in.kind, in.run, in.text, p.spaced = inWords, r, strings.Repeat(" ", n), false
		case "text:tab":
			in.kind, p.spaced = inStop, false
		case "text:line-break":
			in.kind, p.spaced = inLine, false
		case "text:soft-page-break":
			in.kind = inAnchor
		case "text:bookmark", "text:bookmark-start", "text:reference-mark", "text:reference-mark-start", "text:toc-mark", "text:toc-mark-start",
			"text:user-index-mark", "text:user-index-mark-start", "text:alphabetical-index-mark", "text:alphabetical-index-mark-start":
			in.kind, in.before = inAnchor, raw
		case "text:bookmark-end", "text:reference-mark-end", "text:toc-mark-end", "text:user-index-mark-end", "text:alphabetical-index-mark-end",
			"office:annotation-end":
			in.kind, in.after = inAnchor, raw
		case "text:span", "text:a", "text:meta":
			all = append(all, p.tagged(e, r)...)
			continue
		case "text:ruby":
			if base := e.kid("text:ruby-base"); base != nil {
				in.text = base.content()
			}
			p.spaced = false
		default:
			p.spaced = false
			if in.kind = inNested; !e.has("text:p", "text:h") {
				in.kind, in.text = inCode, e.content()
			}
		}
		all = append(all, in)
	}
	return all
}

// tagged are the items of a tag with text in it. A span without tags in it is a run of
// text; others are pairs.
func (p *odfPart) tagged(e *xmlElement, r *textRun) []paraItem {
	tag := paraItem{kind: inPair, at: e.at, end: e.end}
	if e.closesItself() || len(e.kids) == 0 {
		tag.kind = inAnchor
		return []paraItem{tag}
	}
	tag.open, tag.close = p.src[e.at:e.inner], p.src[e.innerEnd:e.end]
	flat := e.name == "text:span" && !slices.ContainsFunc(e.kids, func(k *xmlElement) bool {
		return k.name == "text:span" || k.name == "text:a" || k.name == "text:meta"
	})
	if !flat {
		tag.inside = p.items(e.kids, &textRun{})
		return []paraItem{tag}
	}
	within := &textRun{open: tag.open, close: tag.close}
	if !p.styles.plain[p.part.name+"\x00"+e.attr("text:style-name")] {
		within.key, within.newOpen, within.newClose = tag.open, tag.open, tag.close
	}
	all := p.items(e.kids, within)
	for i := range all {
		all[i].left, all[i].right = within, within
	}
	all[0].at, all[0].left = e.at, nil
	all[len(all)-1].end, all[len(all)-1].right = e.end, nil
	return all
}

// collapse makes one space of white space, and none after white space (OpenDocument 1.3,
// part 3, section 6.1.2).
func (p *odfPart) collapse(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == ' ' || r == '\t' || r == '\n' || r == '\r' {
			if !p.spaced {
				b.WriteByte(' ')
			}
			p.spaced = true
			continue
		}
		b.WriteRune(r)
		p.spaced = false
	}
	return b.String()
}

// odfText appends a text: white space that would collapse is written as elements.
func odfText(b []byte, prefix, text string) []byte {
	spaced := endsInSpace(b)
	from := 0
	for i, r := range text {
		tag := ""
		switch {
		case r == ' ' && spaced:
			tag = "s"
		case r == '\t':
			tag = "tab"
		case r == '\n':
			tag = "line-break"
		}
		spaced = r == ' '
		if tag != "" {
			b = escapedXML(b, text[from:i])
			b = append(append(append(append(b, '<'), prefix...), tag...), "/>"...)
			from = i + 1
		}
	}
	return escapedXML(b, text[from:])
}

// endsInSpace reports whether white space behind the bytes of a paragraph may collapse.
func endsInSpace(b []byte) bool {
	for len(b) > 0 && b[len(b)-1] == '>' {
		b = b[:bytes.LastIndexByte(b, '<')]
	}
	return len(b) == 0 || strings.IndexByte(" \t\r\n", b[len(b)-1]) >= 0
}

// edits sets the language and the direction of styles.
func (p *odfPart) edits(t Translations) (edits []edit) {
	ending := map[script]string{asian: "-asian", complexScript: "-complex"}[scriptOf(t.Target)]
	language, country := "fo:language", "fo:country"
	if ending != "" {
		language, country = "style:language"+ending, "style:country"+ending
	}
	rtl := isRightToLeft(t.Target)
	place := region(t.Target)
	if place == "" {
		place = "none"
	}
	for _, e := range p.props {
		set := func(name, value string) { edits = p.set(edits, e, name, value) }
		mode, align := e.attr("style:writing-mode"), e.attr("fo:text-align")
		switch {
		case e.name == "style:text-properties":
			if was := e.attr("fo:language"); e.standard || was != "" && sameTongue(was, p.styles.language) {
				set(language, string(escapedXML(nil, primary(t.Target))))
				set(country, place)
			}
		case rtl:
			if e.standard || mode == "lr-tb" || e.name == "style:page-layout-properties" || e.name == "style:table-properties" {
				set("style:writing-mode", "rl-tb")
			}
			// LibreOffice up to 7.4 has "start" at the left of any line.
			if e.name == "style:paragraph-properties" && (e.standard && align == "" || align == "start" || align == "left") {
				set("fo:text-align", "right")
			}
		case mode == "rl-tb":
			if set("style:writing-mode", "lr-tb"); align == "end" || align == "right" {
				set("fo:text-align", "left")
			}
		}
	}
	return edits
}

// set adds the edit that gives an element an attribute.
func (p *odfPart) set(edits []edit, e odfProps, name, value string) []edit {
	if at, end, _, ok := e.value(p.data, name); ok {
		return append(edits, edit{at, end, value})
	}
	space, local, _ := strings.Cut(name, ":")
	prefix := e.prefix(p.data) // that of style
	if space == "fo" {
		if prefix = p.fo; prefix == "" {
			return edits // the file has no name for it
		}
	}
	at := e.at + 1 + len(e.prefix(p.data)) + len(strings.TrimPrefix(e.name, "style:"))
	return append(edits, edit{at, at, " " + prefix + local + `="` + value + `"`})
}
