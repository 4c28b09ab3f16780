package language

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/alia-network/alia/work/language/profile"
)

// Language is a language that Detect knows.
type Language struct {
	Code        string // ISO 639-1, or 639-3 where that has none
	Name        string // in English
	OwnName     string // in the language itself
	Script      string // ISO 15924: the script it is mostly written in
	RightToLeft bool
}

// ownNames are those that CLDR, as golang.org/x/text has it, lacks.
var ownNames = map[string]string{
	"ba": "башҡорт теле", "cv": "чӑваш", "dv": "ދިވެހިބަސް", "ht": "kreyòl ayisyen", "ia": "interlingua", "iu": "ᐃᓄᒃᑎᑐᑦ", "jv": "Jawa", "ku": "kurdî (kurmancî)",
	"la": "Latina", "oc": "occitan", "rm": "rumantsch", "sa": "संस्कृत भाषा", "sat": "ᱥᱟᱱᱛᱟᱲᱤ", "tl": "Tagalog", "tn": "Setswana", "xh": "isiXhosa",
}

// Languages lists what Detect knows, sorted by code.
func Languages() []Language { return slices.Clone(known()) }

var known = sync.OnceValue(func() []Language {
	codes := map[string]bool{}
	for _, g := range load() {
		for _, l := range g.Languages {
			code, _, _ := strings.Cut(l.Code, "-")
			codes[code] = true
		}
	}
	for s := range profile.Scripts {
		code, _ := alone(s)
		codes[code] = true
	}
	delete(codes, "")
	delete(codes, profile.Unknown)
	var out []Language
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		tag := language.Make(code)
		script, _ := tag.Script()
		own := ownNames[code]
		if own == "" {
			own = display.Self.Name(tag)
		}
		l := Language{Code: code, Name: display.English.Languages().Name(tag), OwnName: own, Script: script.String()}
		if code == "tl" {
			l.Name = "Tagalog" // CLDR knows its standard form, Filipino
		}
		l.RightToLeft = slices.Contains([]string{"Arab", "Hebr", "Thaa"}, l.Script)
		out = append(out, l)
	}
	return out
})

// Normalise is the code that Languages has for a language, whatever form its code is in: a BCP 47 tag
// (pt-BR, zh-Hans), a locale of POSIX (zh_TW, de_DE.UTF-8), ISO 639-2 (deu) or a code that was replaced (iw).
// For a language that Languages lacks it is the shortest code of ISO 639. It is "" if the code is none.
func Normalise(code string) string {
	code, _, _ = strings.Cut(code, ".")
	code, _, _ = strings.Cut(code, "@")
	if len(code) > 64 {
		return ""
	}
	tag, err := language.Parse(code)
	if err != nil {
		return ""
	}
	base, confidence := tag.Base()
	if confidence != language.Exact && !strings.HasPrefix(strings.ToLower(code), base.String()) {
		return "" // a script or a region alone
	}
	switch b := base.String(); b {
	case "no":
		return "nb"
	case "fil":
		return "tl"
	case "und":
		return ""
	default:
		return b
	}
}
