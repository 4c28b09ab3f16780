package document

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/language"
)

// maxLacking is how many letters are named that a charset lacks: a few show which script it is.
const maxLacking = 8

// lacks says which characters of a text the charset cannot write, and what to do; "" if there
// is none.
func (cs charset) lacks(text string) string {
	if cs.code == nil || cs.name == "UTF-16" || ascii([]byte(text)) {
		return ""
	}
	if _, err := cs.code.NewEncoder().String(text); err == nil {
		return ""
	}
	var names []string
	for _, r := range text {
		if name := fmt.Sprintf("%q", r); len(names) < maxLacking && !cs.can(r) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return fmt.Sprintf("%s has no %s: %s", cs.name, strings.Join(names, ", "), cs.advice())
}

// advice says how a file gets a charset with all letters.
func (cs charset) advice() string {
	if cs.declared { // a converter that does not change the declaration would spoil the file
		return "convert the file to UTF-8 first, such as by msgconv -t UTF-8"
	}
	return "convert the file to UTF-8 first, such as by iconv -f " + cs.name + " -t UTF-8"
}

// scripts are the letters of the scripts that languages are written in, by the code of the
// script (ISO 15924). Latin is missing: each charset has ASCII, which is most of its letters.
var scripts = map[string]*unicode.RangeTable{
	"Arab": unicode.Arabic, "Armn": unicode.Armenian, "Beng": unicode.Bengali, "Cyrl": unicode.Cyrillic, "Deva": unicode.Devanagari,
	"Ethi": unicode.Ethiopic, "Geor": unicode.Georgian, "Grek": unicode.Greek, "Gujr": unicode.Gujarati, "Guru": unicode.Gurmukhi,
	"Hans": unicode.Han, "Hant": unicode.Han, "Hebr": unicode.Hebrew, "Jpan": unicode.Hiragana, "Khmr": unicode.Khmer,
	"Knda": unicode.Kannada, "Kore": unicode.Hangul, "Laoo": unicode.Lao, "Mlym": unicode.Malayalam, "Mymr": unicode.Myanmar,
	"Orya": unicode.Oriya, "Sinh": unicode.Sinhala, "Taml": unicode.Tamil, "Telu": unicode.Telugu, "Thaa": unicode.Thaana,
	"Thai": unicode.Thai, "Tibt": unicode.Tibetan,
}

// fewLetters are no alphabet. The charset of old Macintoshes has the Greek letters of formulas.
const fewLetters = 8

// spells reports whether the charset has letters of a language's script. It has them if the
// script is not known: some languages, such as Serbian, have two.
func (cs charset) spells(target string) bool {
	tag, err := language.Parse(strings.ReplaceAll(target, "_", "-"))
	if err != nil || cs.code == nil || cs.name == "UTF-16" {
		return true
	}
	code, sure := tag.Script()
	table := scripts[code.String()]
	// Which of its two scripts Chinese is in, makes no difference here.
	if table == nil || sure < language.High && table != unicode.Han {
		return true
	}
	letters := 0
	for _, in := range table.R16 {
		for r := rune(in.Lo); r <= rune(in.Hi); r += rune(in.Stride) {
			if cs.can(r) {
				letters++
			}
			if letters > fewLetters {
				return true
			}
		}
	}
	return false
}

// misread is an error if a file in a charset that was guessed would be taken for another.
// Where nothing can be guessed of the bytes, a reader has to be told their charset, and reads
// them.
func misread(out []byte, name string, code encoding.Encoding) error {
	refuse := func(other string) error {
		return fmt.Errorf("the file does not say that its charset is %s, and its translation would be read as %s: "+
			"convert the file to UTF-8 first, such as by iconv -f %s -t UTF-8", name, other, name)
	}
	switch {
	case ascii(out):
		return nil
	case utf8.Valid(out):
		return refuse("UTF-8")
	}
	other, otherCode, err := guessCharset(out)
	if err != nil || other == name {
		return nil
	}
	text, err := code.NewDecoder().Bytes(out)
	if err != nil {
		return fmt.Errorf("read %s again: %w", name, err)
	}
	if again, err := otherCode.NewDecoder().Bytes(out); err == nil && !bytes.Equal(again, text) {
		return refuse(other)
	}
	return nil
}
