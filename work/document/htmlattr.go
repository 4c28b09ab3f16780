package document

import (
	"fmt"
	"strings"

	"golang.org/x/net/html/atom"
)

// tag is the attributes of a start tag.
type tag []attribute

// attribute is where an attribute of a tag stands.
type attribute struct {
	name    string // in lower case
	at, end int    // its value, without quotes; at == end == the name's end for none
	quote   byte   // 0 for none
}

// readTag finds the attributes of a start tag (HTML, sections 13.2.5.32 to 13.2.5.40).
func readTag(data []byte, at, end int) (t tag) {
	space := func() {
		for at < end && strings.IndexByte(" \t\n\r\f/", data[at]) >= 0 {
			at++
		}
	}
	until := func(stop string) int {
		for at < end && strings.IndexByte(stop, data[at]) < 0 {
			at++
		}
		return at
	}
	until(" \t\n\r\f/>")
	for {
		space()
		if at >= end || data[at] == '>' {
			return t
		}
		start := at
		at++ // a name may begin with "="
		a := attribute{name: strings.ToLower(string(data[start:until(" \t\n\r\f/>=")]))}
		a.at, a.end = at, at
		for at < end && strings.IndexByte(" \t\n\r\f", data[at]) >= 0 {
			at++
		}
		if at < end && data[at] == '=' {
			at++
			for at < end && strings.IndexByte(" \t\n\r\f", data[at]) >= 0 {
				at++
			}
			if at < end && (data[at] == '"' || data[at] == '\'') {
				a.quote = data[at]
				at++
				a.at = at
				a.end = until(string(a.quote))
				at++
			} else {
				a.at = at
				a.end = until(" \t\n\r\f>")
			}
		}
		t = append(t, a)
	}
}

// get returns the first attribute of a name, which is the one that counts.
func (t tag) get(name string) (attribute, bool) {
	for _, a := range t {
		if a.name == name {
			return a, true
		}
	}
	return attribute{}, false
}

func (t tag) has(name string) bool { _, ok := t.get(name); return ok }

// value returns the value of an attribute in lower case, or "".
func (t tag) value(data []byte, name string) string {
	a, _ := t.get(name)
	return strings.ToLower(strings.TrimSpace(string(data[a.at:a.end])))
}

// set sets an attribute of the tag that begins at a place.
func (t tag) set(data []byte, at int, name, value string) edit {
	with := string(markup{attr: '"'}.escape(nil, value))
	a, ok := t.get(strings.ToLower(name))
	switch {
	case !ok:
		for at++; at < len(data) && strings.IndexByte(" \t\n\r\f/>", data[at]) < 0; at++ {
		}
		return edit{at, at, fmt.Sprintf(` %s="%s"`, name, with)}
	case a.quote == '\'':
		return edit{a.at, a.end, strings.ReplaceAll(with, "'", "&#39;")}
	case a.quote == '"':
		return edit{a.at, a.end, with}
	case a.at < a.end || strings.IndexByte("= \t\n\r\f", data[a.at-1]) >= 0:
		return edit{a.at, a.end, `"` + with + `"`} // lang=en, or "lang=" without a value
	default:
		return edit{a.at, a.end, `="` + with + `"`} // lang alone
	}
}

func hasClass(classes, class string) bool {
	for c := range strings.FieldsSeq(classes) {
		if c == class {
			return true
		}
	}
	return false
}

// peopleRead names the attributes that people read, of any element.
var peopleRead = map[string]bool{
	"title": true, "alt": true, "placeholder": true, "aria-label": true, "aria-description": true,
	"aria-placeholder": true, "aria-roledescription": true, "aria-valuetext": true,
}

// attributes keeps the attributes of a tag that people read.
func (r *htmlReader) attributes(name string, t tag) {
	seen := 0 // an attribute that stands twice counts once
	for i, a := range t {
		ok := peopleRead[a.name]
		switch a.name {
		case "label":
			ok = name == "option" || name == "optgroup" || name == "track"
		case "abbr":
			ok = name == "th"
		case "summary":
			ok = name == "table"
		case "value":
			k := t.value(r.part.data, "type")
			ok = name == "input" && (k == "submit" || k == "button" || k == "reset")
		case "content":
			ok = name == "meta" && (metaNames[t.value(r.part.data, "name")] || metaNames[t.value(r.part.data, "property")])
		}
		if !ok || a.at == a.end {
			continue
		}
		if first, _ := t.get(a.name); first.at == t[i].at && seen < 32 {
			seen++
			r.attrs = append(r.attrs, a)
		}
	}
}

// metaNames are the names and properties of <meta> whose content is text for people.
var metaNames = map[string]bool{
	"description": true, "keywords": true, "abstract": true, "application-name": true, "apple-mobile-web-app-title": true,
	"og:title": true, "og:description": true, "og:site_name": true, "og:image:alt": true,
	"twitter:title": true, "twitter:description": true, "twitter:image:alt": true, "dcterms.title": true, "dc.title": true, "dc.description": true,
}

func (r *htmlReader) addAttribute(a attribute) {
	m := r.markup
	if m.attr = a.quote; a.quote == 0 {
		m.attr = '"'
	}
	raw := string(r.part.data[a.at:a.end])
	read := reader{markup: m, space: true}
	pieces := read.pieces(raw, a.at)
	if !worth(pieces) {
		return
	}
	s := Segment{Where: r.line.where(a.at) + ", " + a.name, Pieces: trimPieces(pieces)}
	start, last := pieces[0].at, pieces[len(pieces)-1]
	r.d.add(&r.part, start, last.at+len(last.Raw), s, func(b []byte, target []Piece, _ bool) []byte {
		if a.quote != 0 {
			return m.write(b, target)
		}
		for _, p := range target {
			if p.Raw != "" {
				continue
			}
			// New text needs quotes, and then what is kept must have none in it.
			b = append(b, '"')
			for _, p := range target {
				if p.Kind == Code && p.Text == "" {
					b = append(b, p.Raw...)
				} else {
					b = m.escape(b, p.Text)
				}
			}
			return append(b, '"')
		}
		return m.write(b, target)
	})
}

// langEdit is a tag that names the language of the page.
type langEdit struct {
	name string // html or meta
	tag  tag
	at   int // of the tag
	xml  bool
}

// edits gives the tag the language and the direction of a translation.
func (e langEdit) edits(data []byte, t Translations) (all []edit) {
	set := func(name, with string, must bool) {
		a, ok := e.tag.get(name)
		if ok && !strings.EqualFold(string(data[a.at:a.end]), with) || !ok && must {
			all = append(all, e.tag.set(data, e.at, name, with))
		}
	}
	if e.name == "meta" {
		switch {
		case e.tag.value(data, "http-equiv") == "content-language":
			set("content", t.Target, false)
		case e.tag.value(data, "property") == "og:locale":
			set("content", strings.ReplaceAll(t.Target, "-", "_"), false)
		}
		return all
	}
	xml := e.tag.has("xml:lang")
	set("xml:lang", t.Target, false)
	set("lang", t.Target, !xml || !e.xml)
	if isRightToLeft(t.Target) {
		set("dir", "rtl", true)
	} else if e.tag.value(data, "dir") == "rtl" {
		set("dir", "ltr", true)
	}
	return all
}

// role is what an element is to the text around it.
type role uint8

const (
	inline    role = iota // it stands in a text, as every element that HTML does not know
	block                 // it ends a text
	whole                 // its content is no text, or not to be translated
	void                  // it stands in a text and has no content
	voidBlock             // it ends a text and has no content
)

var roles = func() map[atom.Atom]role {
	m := map[atom.Atom]role{}
	add := func(r role, names string) {
		for name := range strings.FieldsSeq(names) {
			m[atom.Lookup([]byte(name))] = r
		}
	}
	add(block, `address article aside audio blockquote body button canvas caption center colgroup datalist dd
		details dialog dir div dl dt fieldset figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 head header
		hgroup html label legend li main map menu nav noframes noscript object ol optgroup option p search
		section select slot summary table tbody td tfoot th thead title tr ul video marquee`)
	add(whole, `code samp var svg math script style template textarea pre listing xmp plaintext iframe noembed`)
	add(void, `br img input wbr embed image keygen source param`)
	add(voidBlock, `hr area base basefont bgsound col frame link meta track`)
	delete(m, 0) // names that this library does not know are inline
	return m
}()

// wholeInText are the elements that are kept whole inside a text.
var wholeInText = map[string]bool{
	"code": true, "samp": true, "var": true, "svg": true, "math": true, "script": true, "style": true, "template": true,
	"textarea": true, "iframe": true, "noembed": true,
}

// hidden are the elements kept whole whose content the model does not see in their place.
var hidden = map[string]bool{
	"svg": true, "math": true, "script": true, "style": true, "template": true, "textarea": true, "iframe": true, "noembed": true,
}

// endedBy are the elements that end an element without its end tag (HTML, section
// 13.1.2.4). Every block ends a paragraph.
var endedBy = map[string][]string{
	"li": {"li"}, "dt": {"dt", "dd"}, "dd": {"dt", "dd"}, "option": {"option", "optgroup"}, "optgroup": {"optgroup"},
	"td": {"td", "th", "tr", "tbody", "thead", "tfoot"}, "th": {"td", "th", "tr", "tbody", "thead", "tfoot"},
	"tr": {"tr", "tbody", "thead", "tfoot"}, "thead": {"tbody", "tfoot"}, "tbody": {"tbody", "tfoot", "thead"}, "tfoot": {"tbody"},
	"head": {"body"}, "caption": {"tr", "td", "th", "tbody", "thead"}, "colgroup": {"tr", "tbody", "thead", "tfoot"},
}
