package document

import (
	"regexp"
	"strconv"
	"strings"
)

// pluralForms are the plural forms of languages (GNU gettext manual, "Plural forms"; Unicode
// CLDR for those that the manual does not have). A language that is not here is taken to
// have two, of one and of many.
var pluralForms = map[string]string{
	"ja zh ko vi th id ms lo my km jv su bo dz yo ig to ka": "nplurals=1; plural=0;",
	"fr pt_BR hy am fa hi bn gu kn zu ff kab mg ti wa oc":   "nplurals=2; plural=(n > 1);",
	"ru uk be sr bs hr sh":                                  "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);",
	"pl":                                                    "nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);",
	"cs sk":                                                 "nplurals=3; plural=(n==1 ? 0 : n>=2 && n<=4 ? 1 : 2);",
	"lt":                                                    "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && (n%100<10 || n%100>=20) ? 1 : 2);",
	"lv":                                                    "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n!=0 ? 1 : 2);",
	"ro mo":                                                 "nplurals=3; plural=(n==1 ? 0 : (n==0 || (n%100>0 && n%100<20)) ? 1 : 2);",
	"sl":                                                    "nplurals=4; plural=(n%100==1 ? 0 : n%100==2 ? 1 : n%100==3 || n%100==4 ? 2 : 3);",
	"ga":                                                    "nplurals=5; plural=(n==1 ? 0 : n==2 ? 1 : n<7 ? 2 : n<11 ? 3 : 4);",
	"gd":                                                    "nplurals=4; plural=(n==1 || n==11 ? 0 : n==2 || n==12 ? 1 : n>2 && n<20 ? 2 : 3);",
	"cy":                                                    "nplurals=4; plural=(n==1 ? 0 : n==2 ? 1 : n!=8 && n!=11 ? 2 : 3);",
	"mt":                                                    "nplurals=4; plural=(n==1 ? 0 : n==0 || (n%100>1 && n%100<11) ? 1 : n%100>10 && n%100<20 ? 2 : 3);",
	"ar":                                                    "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5);",
	"is mk":                                                 "nplurals=2; plural=(n%10==1 && n%100!=11 ? 0 : 1);",
}

// pluralsOf returns the value of Plural-Forms for a language.
func pluralsOf(language string) string {
	language = strings.ReplaceAll(language, "-", "_")
	base, _, _ := strings.Cut(language, "_")
	for _, want := range []string{language, base} {
		found := ""
		for names, rule := range pluralForms { // order-free: a language stands in one line
			for name := range strings.FieldsSeq(names) {
				if strings.EqualFold(name, want) {
					found = rule
				}
			}
		}
		if found != "" {
			return found
		}
	}
	return "nplurals=2; plural=(n != 1);"
}

var (
	poLanguage = regexp.MustCompile(`(?:"|\\n)(Language:[^\\]*\\n)`)
	poForms    = regexp.MustCompile(`(?:"|\\n)(Plural-Forms:(?:[^\\]|\\[^n])*\\n)`)
	poNumber   = regexp.MustCompile(`nplurals\s*=\s*(\d+)`)
)

// headerEntry is the entry with the empty msgid, or nil.
func (c *poCatalog) headerEntry() *poEntry {
	for _, e := range c.entries {
		if e.id.text.Len() == 0 && e.plural == nil {
			return e
		}
	}
	return nil
}

// field is a field of the header, such as "Language".
func (c *poCatalog) field(name string) string {
	h := c.headerEntry()
	if h == nil {
		return ""
	}
	for l := range strings.SplitSeq(h.strs[0].text.String(), "\n") {
		if value, ok := strings.CutPrefix(l, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// keeps reports whether the header's rule for plurals stays: the file is of the target
// language already.
func (c *poCatalog) keeps(target string) bool {
	base := func(s string) string {
		s, _, _ = strings.Cut(strings.ReplaceAll(s, "-", "_"), "_")
		return strings.ToLower(s)
	}
	return base(c.field("Language")) == base(target) && poNumber.MatchString(c.field("Plural-Forms"))
}

// forms returns how many plural forms the target language has, and which one is of a single
// thing.
func (c *poCatalog) forms(target string) (n, one int) {
	rule := pluralsOf(target)
	if c.keeps(target) {
		rule = c.field("Plural-Forms")
	}
	n = 2
	if m := poNumber.FindStringSubmatch(rule); m != nil {
		n, _ = strconv.Atoi(m[1]) // digits; what is too large is bounded below
	}
	n = min(max(n, 1), 8) // no language has more than six
	if n == 6 {
		one = 1 // Arabic counts from zero
	}
	return n, one
}

// header returns the edits of the header for a target language: Language, Plural-Forms, a
// template's charset, and no "fuzzy", with which gettext would ignore the header.
func (c *poCatalog) header(t Translations) (edits []edit) {
	plural := false
	for _, e := range c.entries {
		plural = plural || e.plural != nil
	}
	language := "Language: " + strings.ReplaceAll(t.Target, "-", "_") + `\n`
	forms := "Plural-Forms: " + pluralsOf(t.Target) + `\n`
	h := c.headerEntry()
	if h == nil {
		if len(c.entries) == 0 {
			return nil
		}
		eol := c.entries[0].eol
		lines := []string{`msgid ""`, `msgstr ""`, `"MIME-Version: 1.0\n"`, `"Content-Type: text/plain; charset=` + c.charset + `\n"`,
			`"Content-Transfer-Encoding: 8bit\n"`, `"` + language + `"`}
		if plural {
			lines = append(lines, `"`+forms+`"`)
		}
		return []edit{{0, 0, strings.Join(lines, eol) + eol + eol}}
	}
	s := h.strs[0]
	raw := c.text[s.at:s.end]
	added := ""
	set := func(re *regexp.Regexp, value string) {
		if m := re.FindStringSubmatchIndex(raw); m != nil {
			edits = append(edits, edit{s.at + m[2], s.at + m[3], value})
		} else {
			added += h.eol + `"` + value + `"`
		}
	}
	if !c.keeps(t.Target) {
		set(poLanguage, language)
		if plural || c.field("Plural-Forms") != "" {
			set(poForms, forms)
		}
	}
	// A template has no charset, and one of another charset than UTF-8 may be ASCII: what the
	// translation is written in counts.
	if m := poCharset.FindStringSubmatchIndex(raw); m != nil && !strings.EqualFold(raw[m[2]:m[3]], c.charset) {
		edits = append(edits, edit{s.at + m[2], s.at + m[3], c.charset})
	}
	if added != "" {
		edits = append(edits, edit{s.end, s.end, added})
	}
	if h.flag("fuzzy") {
		flags := c.text[h.at:h.keyword]
		if strings.Trim(h.flags, ", ") == "fuzzy" {
			_, rest, _ := strings.Cut(flags, "\n")
			edits = append(edits, edit{h.at, h.keyword, rest})
		} else {
			edits = append(edits, edit{h.at, h.keyword, regexp.MustCompile(`(,\s*fuzzy\b)`).ReplaceAllString(flags, "")})
		}
	}
	return edits
}
