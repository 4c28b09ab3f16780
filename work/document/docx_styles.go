package document

import (
	"errors"
	"fmt"
	"slices"
)

// addDOCXStyles sets the language and the direction of the document's styles.
func (a *archive) addDOCXStyles(name string) error {
	data, err := a.read(name)
	if err != nil {
		return err
	}
	s := &docxStyles{data: data, at: -1}
	err = walkXML(name, data, func(name string) verdict {
		if name == "w:style" || name == "w:docDefaults" || name == "w:latentStyles" {
			return take
		}
		return enter
	}, s.style)
	if err != nil {
		return fmt.Errorf("the %s file: %w", a.kind, err)
	}
	if s.at >= 0 {
		a.add(part{name: name, data: data, edits: s.edits}, data)
	}
	return nil
}

// docxStyles are the styles of a document (ECMA-376, part 1, section 17.7).
type docxStyles struct {
	data     []byte
	at       int // of the first element: w:docDefaults stands there
	prefix   string
	standard *xmlElement // w:docDefaults, or nil
	was      string      // its language
	langs    []edit      // the marks of this language in other styles
	bidi     []edit      // the marks of a direction: the default has it
}

func (s *docxStyles) style(style *xmlElement) error {
	if s.at < 0 {
		s.at, s.prefix = style.at, style.prefix(s.data)
	}
	if style.name == "w:docDefaults" && s.standard != nil {
		return errors.New("there are two w:docDefaults")
	}
	if style.name == "w:docDefaults" {
		s.standard = style
	}
	style.each(func(e *xmlElement) bool {
		switch e.name {
		case "w:lang":
			if s.standard == style {
				s.was = e.attr("w:val")
			} else if s.was != "" && sameTongue(e.attr("w:val"), s.was) {
				s.langs = append(s.langs, edit{e.at, e.end, ""}) // the default has it
			}
		case "w:bidi", "w:rtl":
			if s.standard != style {
				s.bidi = append(s.bidi, edit{e.at, e.end, ""})
			}
		}
		return true
	})
	return nil
}

func (s *docxStyles) edits(t Translations) []edit {
	rtl := isRightToLeft(t.Target)
	edits := slices.Concat(s.langs, s.bidi)
	if s.standard != nil {
		edits = append(edits, s.defaults(t.Target, rtl))
	} else {
		edits = append(edits, edit{s.at, s.at, docDefaults(s.prefix, t.Target, rtl, "", "", "")})
	}
	return edits
}

// defaults makes the edit of w:docDefaults. Its two parts are written anew around what
// they hold besides the language and the direction.
func (s *docxStyles) defaults(target string, rtl bool) edit {
	e := s.standard
	within := func(outer, inner string) (before, after string) {
		k := e.kid("w:" + outer)
		if k == nil {
			return "", ""
		}
		if k = k.kid("w:" + inner); k == nil {
			return "", ""
		}
		to := &before
		for _, q := range k.kids {
			switch q.name {
			case "", "w:lang", "w:rtl", "w:bidi":
				continue
			}
			if slices.Contains(afterBidi, q.name) {
				to = &after
			}
			*to += string(s.data[q.at:q.end])
		}
		return before, after
	}
	rBefore, rAfter := within("rPrDefault", "rPr")
	pBefore, pAfter := within("pPrDefault", "pPr")
	return edit{e.at, e.end, docDefaults(s.prefix, target, rtl, rBefore+rAfter, pBefore, pAfter)}
}

// afterBidi are the elements that stand behind w:bidi in a w:pPr, which is a sequence
// (ECMA-376, part 1, section 17.3.1.26).
var afterBidi = []string{
	"w:adjustRightInd", "w:snapToGrid", "w:spacing", "w:ind", "w:contextualSpacing", "w:mirrorIndents", "w:suppressOverlap", "w:jc",
	"w:textDirection", "w:textAlignment", "w:textboxTightWrap", "w:outlineLvl", "w:divId", "w:cnfStyle", "w:rPr", "w:sectPr", "w:pPrChange",
}

// docDefaults is a w:docDefaults with the language in the attribute for its script.
func docDefaults(w, target string, rtl bool, rPr, pBefore, pAfter string) string {
	attribute := map[script]string{western: "val", asian: "eastAsia", complexScript: "bidi"}[scriptOf(target)]
	lang := string(escapedXML(nil, target))
	rtlTag, bidiTag := "", ""
	if rtl {
		rtlTag, bidiTag = "<"+w+"rtl/>", "<"+w+"bidi/>"
	}
	out := "<" + w + "docDefaults><" + w + "rPrDefault><" + w + "rPr>" + rPr + rtlTag + "<" + w + "lang " + w + attribute + `="` + lang + `"`
	if attribute != "val" {
		out += " " + w + `val="` + lang + `"`
	}
	out += "/></" + w + "rPr></" + w + "rPrDefault><" + w + "pPrDefault>"
	if pBefore+bidiTag+pAfter != "" {
		out += "<" + w + "pPr>" + pBefore + bidiTag + pAfter + "</" + w + "pPr>"
	}
	return out + "</" + w + "pPrDefault></" + w + "docDefaults>"
}
