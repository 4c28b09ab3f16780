package document

import (
	"fmt"
	"strings"
)

// xliff reads XLIFF (OASIS, versions 1.2 and 2.1).
type xliff struct {
	bitext
	version int // 1 or 2
	space   string
	// tags are the start tags that name the target language: <file> of version 1, <xliff>
	// of version 2.
	tags     []*node
	existing string            // a target language that the file names and has translations in
	data     map[string]string // original data of the unit, by id
}

// parseXLIFF reads a file of XLIFF 1.0 to 1.2 or 2.0 to 2.2. The target of a unit is put
// in after its source; one that is there stays, unless its state says that it is to be
// translated.
func parseXLIFF(data []byte) (*Document, error) {
	x := &xliff{}
	x.inline = x.inlineElement
	d, err := x.parse(data, "xliff", x.enter, x.leave)
	if err != nil {
		return nil, err
	}
	x.part.edits = x.edits
	d.parts = []part{x.part}
	existing := x.existing
	d.accept = func(t Translations) error {
		if t.Target != "" && existing != "" && !languagesAgree(existing, t.Target) {
			return fmt.Errorf("the XLIFF file has translations into %s already: translate into %s, or take them out", existing, existing)
		}
		return nil
	}
	return d, nil
}

func (x *xliff) enter(n *node) (whole bool, err error) {
	if n.parent == nil {
		x.space = n.space
		switch version := n.get("version"); {
		case n.name != "xliff":
			return false, fmt.Errorf("the file's element is <%s>, want <xliff>", n.name)
		case version == "1.0" || version == "1.1" || version == "1.2":
			x.version = 1
		case version == "2.0" || version == "2.1" || version == "2.2":
			x.version = 2
			x.tags = append(x.tags, n)
		default:
			return false, fmt.Errorf("XLIFF has the version %q, want 1.0 to 1.2 or 2.0 to 2.2", version)
		}
		return false, nil
	}
	if n.space != x.space {
		return false, nil
	}
	if x.version == 1 && n.name == "file" {
		x.tags = append(x.tags, n)
	}
	return x.version == 1 && n.name == "trans-unit" || x.version == 2 && n.name == "unit", nil
}

func (x *xliff) leave(n *node) error {
	switch {
	case n.space != x.space:
	case x.d.full:
		return errFull
	case x.version == 1 && n.name == "trans-unit":
		return x.unit1(n)
	case x.version == 2 && n.name == "unit":
		return x.unit2(n)
	}
	return nil
}

// unit1 reads a trans-unit of version 1.
func (x *xliff) unit1(n *node) error {
	source, target := n.child("source"), n.child("target")
	if source == nil {
		return fmt.Errorf("the trans-unit of line %d has no source", n.line)
	}
	if seg := n.child("seg-source"); seg != nil {
		source = seg
	}
	// The header of a PO catalog is no text, but its converters make a unit of it.
	untouched := n.inherited("translate") == "no" || n.get("restype") == "x-gettext-domain-header"
	if target != nil && !target.blank(x.part.data) {
		switch target.get("state") {
		case "new", "needs-translation", "needs-adaptation", "needs-l10n":
			untouched = untouched || n.get("approved") == "yes"
		default:
			untouched = true
		}
	}
	x.segment(n, source, target, x.own(target), untouched, func(flagged bool) []string {
		if flagged {
			return []string{"state", "needs-review-translation"}
		}
		return []string{"state", "translated"}
	})
	return nil
}

// unit2 reads a unit of version 2, which has one segment or more.
func (x *xliff) unit2(n *node) error {
	x.data = map[string]string{}
	if all := n.child("originalData"); all != nil {
		for _, k := range all.kids {
			if k.name == "data" {
				x.data[k.get("id")] = k.text(x.part.data)
			}
		}
	}
	for _, k := range n.kids {
		if k.name != "segment" || k.space != x.space {
			continue // notes, and ignorable text between segments
		}
		source, target := k.child("source"), k.child("target")
		if source == nil {
			return fmt.Errorf("the segment of line %d has no source", k.line)
		}
		state := k.get("state")
		untouched := n.inherited("translate") == "no" || state == "reviewed" || state == "final" ||
			target != nil && !target.blank(x.part.data) && state != "initial"
		own := x.own(target)
		x.segment(k, source, target, own, untouched, nil, place{at: k.at, end: k.open, encode: x.state2(k, own)})
	}
	return nil
}

// own returns the pieces of a target. Those of no target are none, but not nil.
func (x *xliff) own(target *node) []Piece {
	own := []Piece{}
	if target != nil {
		pieces, _ := x.pieces(target)
		own = append(own, pieces...)
	}
	return own
}

// state2 writes the start tag of a segment of version 2 with the state of its target.
func (x *xliff) state2(n *node, own []Piece) func([]byte, []Piece, bool, Translations) []byte {
	return func(b []byte, target []Piece, flagged bool, _ Translations) []byte {
		raw := x.part.data[n.at:n.open]
		switch {
		case asItWas(target, own):
			return append(b, raw...)
		case flagged:
			return append(b, withAttributes(raw, "state", "initial")...)
		}
		return append(b, withAttributes(raw, "state", "translated")...)
	}
}

// segment adds the segment of a source, and the place of its target after those of more.
func (x *xliff) segment(unit, source, target *node, own []Piece, untouched bool, state func(flagged bool) []string, more ...place) {
	s := Segment{Where: where("", source.line), Keep: untouched, Target: own}
	if id := unit.get("id"); id != "" {
		s.Where += ", " + id
	}
	s.Pieces, _ = x.pieces(source)
	at, end := source.end, source.end
	if target != nil {
		at, end = target.at, target.end
		if untouched && !target.blank(x.part.data) && x.existing == "" {
			x.existing = x.language(unit)
		}
	}
	x.d.addPlaces(&x.part, s, append(more, place{at: at, end: end, encode: x.target(source, target, own, state)})...)
}

// target writes the target of a source.
func (x *xliff) target(source, target *node, own []Piece, state func(flagged bool) []string) func([]byte, []Piece, bool, Translations) []byte {
	data := x.part.data
	split := false
	if target != nil {
		_, split = x.pieces(target)
	}
	before := indent(data, source.at)
	return func(b []byte, pieces []Piece, flagged bool, t Translations) []byte {
		if target != nil && asItWas(pieces, own) {
			b = append(b, data[target.at:target.open]...)
			b = content(b, own, own, split, data[target.open:target.close])
			return append(b, data[target.close:target.end]...)
		}
		if len(pieces) == 0 {
			return b
		}
		var set []string
		if state != nil {
			set = state(flagged)
		}
		like := target
		if target == nil {
			like = source
		}
		if like.get("xml:lang") != "" && t.Target != "" {
			set = append(set, "xml:lang", t.Target)
		}
		if target != nil {
			b = append(b, withAttributes(data[target.at:target.open], set...)...)
		} else {
			if s := source.get("xml:space"); s != "" {
				set = append(set, "xml:space", s)
			}
			b = append(b, before...)
			b = append(b, withAttributes([]byte("<"+source.prefix+"target>"), set...)...)
		}
		b = xmlText.write(b, pieces)
		return append(b, "</"+source.prefix+"target>"...)
	}
}

// language is the target language that the file names for a unit.
func (x *xliff) language(n *node) string {
	if x.version == 2 {
		return n.inherited("trgLang")
	}
	return n.inherited("target-language")
}

// edits names the target language.
func (x *xliff) edits(t Translations) (all []edit) {
	name := "target-language"
	if x.version == 2 {
		name = "trgLang"
	}
	for _, n := range x.tags {
		if languagesAgree(n.get(name), t.Target) {
			continue
		}
		tag := readTag(x.part.data, n.at, n.open)
		all = append(all, tag.set(x.part.data, n.at, name, t.Target))
	}
	return all
}

// inlineElement says what an inline element is (XLIFF 1.2, section 2.4; 2.1, section 4.7).
func (x *xliff) inlineElement(n *node) (kind PieceKind, key, text string) {
	if n.space != x.space {
		return Code, "", ""
	}
	first := func(names ...string) string {
		for _, name := range names {
			if v := n.get(name); v != "" {
				return v
			}
		}
		return ""
	}
	switch n.name {
	case "g", "pc":
		return Open, "", ""
	case "mrk":
		if n.get("translate") == "no" || n.get("mtype") == "protected" {
			return Code, "", strings.TrimSpace(n.text(x.part.data))
		}
		return Open, "", ""
	case "bx", "bpt":
		return Open, "pair " + first("rid", "id"), ""
	case "ex", "ept":
		return Close, "pair " + first("rid", "id"), ""
	case "sc", "sm":
		return Open, n.name[1:] + " " + n.get("id"), ""
	case "ec", "em":
		if n.get("isolated") == "yes" {
			return Code, "", ""
		}
		return Close, n.name[1:] + " " + n.get("startRef"), ""
	case "x":
		// Angular writes the tags of its templates as START_… and CLOSE_….
		if name, ok := strings.CutPrefix(n.get("id"), "START_"); ok {
			return Open, "tag " + name, ""
		} else if name, ok := strings.CutPrefix(n.get("id"), "CLOSE_"); ok {
			return Close, "tag " + name, ""
		}
		return Code, "", placeholder(n.get("equiv-text"))
	case "ph":
		if x.version == 2 {
			if s := placeholder(x.data[n.get("dataRef")]); s != "" {
				return Code, "", s
			}
			return Code, "", placeholder(first("equiv", "disp"))
		}
		return Code, "", x.native(n)
	case "it":
		return Code, "", x.native(n)
	}
	return Code, "", ""
}
