package document

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// contentTypes has the content type of each member ([Content_Types].xml, ECMA-376, part 2,
// section 7.2).
type contentTypes struct {
	names []string // sorted
	of    map[string]string
}

// openOffice opens an archive of Office, and refuses one of another program. word and own
// are parts of the content type of the main member: with macros it has the second.
func openOffice(format Format, word, own string, data []byte) (*archive, *contentTypes, error) {
	a, err := openArchive(format, data)
	if err != nil {
		return nil, nil, err
	}
	const list = "[Content_Types].xml"
	if !a.has(list) {
		return nil, nil, fmt.Errorf("no %s file: it is a ZIP archive without the member %s, which each document of Office has", a.kind, list)
	}
	xml, err := a.read(list)
	if err != nil {
		return nil, nil, err
	}
	t := &contentTypes{of: map[string]string{}}
	defaults := map[string]string{}
	err = walkXML(list, xml, func(name string) verdict {
		if name == "ct:Default" || name == "ct:Override" {
			return take
		}
		return enter
	}, func(e *xmlElement) error {
		if e.name == "ct:Default" {
			defaults[strings.ToLower(e.attr("Extension"))] = e.attr("ContentType")
		} else {
			t.of[strings.TrimPrefix(e.attr("PartName"), "/")] = e.attr("ContentType")
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("the %s file: %w", a.kind, err)
	}
	for _, f := range a.members {
		if t.of[f.Name] == "" {
			t.of[f.Name] = defaults[strings.ToLower(f.Name[strings.LastIndexByte(f.Name, '.')+1:])]
		}
		t.names = append(t.names, f.Name)
	}
	slices.SortFunc(t.names, byNumber)
	main := t.named("main+xml")
	for _, name := range main {
		if typ := t.of[name]; strings.Contains(typ, word) || strings.Contains(typ, own) {
			return a, t, nil
		}
	}
	if len(main) > 0 {
		return nil, nil, fmt.Errorf("no %s file: its main member %s is of the type %s", a.kind, main[0], t.of[main[0]])
	}
	return nil, nil, fmt.Errorf("no %s file: no member has the type of a main document", a.kind)
}

// named are the members whose content type ends so: slide2 before slide10.
func (t *contentTypes) named(end string) (names []string) {
	for _, name := range t.names {
		if strings.HasSuffix(t.of[name], end) {
			names = append(names, name)
		}
	}
	return names
}

// byNumber compares names: those that are alike up to a number by the number.
func byNumber(a, b string) int {
	split := func(s string) (string, int) {
		i := strings.IndexAny(s, "0123456789")
		if i < 0 {
			return s, 0
		}
		n := 0
		for _, c := range s[i:] {
			if c < '0' || c > '9' || n > 1<<20 {
				break
			}
			n = 10*n + int(c-'0')
		}
		return s[:i], n
	}
	pa, na := split(a)
	pb, nb := split(b)
	return cmp.Or(strings.Compare(pa, pb), cmp.Compare(na, nb), strings.Compare(a, b))
}

// addCoreTitle adds the title and the language of the document's properties (ECMA-376,
// part 2, section 8).
func (a *archive) addCoreTitle(types *contentTypes) error {
	for _, name := range types.named("core-properties+xml") {
		if err := a.addProperties(name, []string{"dc:title"}); err != nil {
			return err
		}
	}
	return nil
}

// addProperties adds a member of which some elements are texts. Its dc:language becomes the
// target's.
func (a *archive) addProperties(name string, texts []string) error {
	data, err := a.read(name)
	if err != nil {
		return err
	}
	p := newParagraphs(a.doc, name, data)
	p.text = escapedXML
	var language []edit
	err = walkXML(name, data, func(name string) verdict {
		if name == "dc:language" {
			return take
		}
		for _, t := range texts {
			if t == name {
				return take
			}
		}
		return enter
	}, func(e *xmlElement) error {
		if e.name == "dc:language" {
			if !e.closesItself() {
				language = append(language, edit{at: e.inner, end: e.innerEnd})
			}
			return nil
		}
		for _, k := range e.kids {
			if k.name != "" {
				return nil // no text alone
			}
		}
		if !e.closesItself() {
			p.add([]paraItem{{kind: inWords, at: e.inner, end: e.innerEnd, text: e.content(), run: &textRun{}}})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("the %s file: %w", a.kind, err)
	}
	part := p.done()
	part.edits = func(t Translations) (edits []edit) {
		for _, e := range language {
			edits = append(edits, edit{e.at, e.end, string(escapedXML(nil, t.Target))})
		}
		return edits
	}
	a.add(part, data)
	return nil
}
