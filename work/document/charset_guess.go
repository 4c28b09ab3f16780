package document

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"

	"github.com/alia-network/alia/work/language"
)

// charsets are those that guessCharset knows, by the names of the Encoding Standard (WHATWG),
// with the languages that were written in them. In Latin and Cyrillic script a wrong charset
// gives words of no language. Charsets of other scripts are missing: there, any bytes look like
// words.
var charsets = []struct{ name, languages string }{
	{"windows-1252", "en de fr es pt it nl da sv no nb nn fi is fo ca gl eu et sq af ga oc"},
	{"windows-1250", "pl cs sk hu ro hr sl bs sq"},
	{"iso-8859-2", "pl cs sk hu ro hr sl bs sq"},
	{"windows-1254", "tr"},
	{"windows-1257", "lt lv et"},
	{"windows-1251", "ru uk bg be mk sr"},
	{"koi8-r", "ru bg"},
	{"koi8-u", "uk ru"},
	{"iso-8859-5", "ru uk bg be mk sr"},
	{"ibm866", "ru be"},
}

// letters are the letters of a language in Latin script that ASCII lacks, in lower case, with
// those of frequent foreign words.
var letters = map[string]string{
	"en": "éèêëïöçñàâäüô", "de": "äöüßéèáàç", "fr": "àâæçéèêëîïôœùûüÿ", "es": "áéíñóúüçª", "pt": "áâãàçéêíóôõúüª", "it": "àèéìíîòóùúª", "nl": "áéëïóöüèêàç",
	"da": "æøåéö", "sv": "åäöéàü", "no": "æøåéòôèêó", "nb": "æøåéòôèêó", "nn": "æøåéòôèêó", "fi": "äöåšžé", "is": "áéíóúýðþæö", "fo": "áíóúýðæø",
	"ca": "àçéèíïóòúü", "gl": "áéíñóúüïç", "eu": "ñüç", "et": "äõöüšžé", "sq": "çëâ", "af": "êëèéôûîïöáà", "ga": "áéíóú", "oc": "àáçèéíïòóúü",
	"pl": "ąćęłńóśźżé", "cs": "áčďéěíňóřšťúůýžö", "sk": "áäčďéíĺľňóôŕšťúýž", "hu": "áéíóöőúüű", "ro": "ăâîșțşţ", "hr": "čćđšž", "sl": "čšžćđ", "bs": "čćđšž",
	"tr": "çğıöşüâîûi̇", "lt": "ąčęėįšųūž", "lv": "āčēģīķļņōŗšūž",
}

// Bounds of guessCharset: it reads so many bytes; at least so many per cent of the letters besides
// ASCII have to be those of the language, for the others are in foreign names; a text in Cyrillic
// script has at least so many letters, and so many per cent of them are vowels (in Russian 42).
const (
	maxSample   = 16 << 10
	wantLetters = 90
	minCyrillic = 24
	wantVowels  = 33
)

// markupTag is a tag, whose words are not in the language of the text. A tag may go over lines; a lone < is none.
var markupTag = regexp.MustCompile(`<[a-zA-Z/!?][^<>]*>`)

// guessCharset names the charset of a text that is no UTF-8 and does not say what it is. In the
// right charset the text is in a language of the charset, with the letters of the language.
// A short text may be in no language for sure: then only characters count that Windows-1252
// shares with the charsets around it. Where no charset fits, or two fit equally well and differ
// in the text, it has none: a wrong guess would spoil the letters without a word.
func guessCharset(data []byte) (string, encoding.Encoding, error) {
	sample := lettersOf(markupTag.ReplaceAll(data, []byte(" ")))
	type guess struct {
		name, text string
		code       encoding.Encoding
		good       int // letters of the language
	}
	var best []guess // all as good
	for _, c := range charsets {
		code, err := htmlindex.Get(c.name)
		if err != nil {
			return "", nil, fmt.Errorf("charset %s: %w", c.name, err) // a name above is wrong
		}
		decoded, err := code.NewDecoder().Bytes(sample)
		text := string(decoded)
		if err != nil || !plausible(text) {
			continue
		}
		l := language.Detect(text).Language
		good, all := inLetters(text, l)
		known := slices.Contains(strings.Fields(c.languages), l) && good*100 >= all*wantLetters
		if !known && (c.name != "windows-1252" || l != "" || !sharedOnly(text)) {
			continue
		}
		switch {
		case len(best) == 0 || good > best[0].good:
			best = []guess{{c.name, text, code, good}}
		case good == best[0].good && text != best[0].text:
			best = append(best, guess{c.name, text, code, good})
		}
	}
	if len(best) == 1 {
		return best[0].name, best[0].code, nil
	}
	at, from, what := invalid(data), "CHARSET", "and the text does not show its charset"
	if len(best) > 1 {
		from, what = best[0].name, fmt.Sprintf("and the text may be in %s or %s", best[0].name, best[1].name)
	}
	return "", nil, fmt.Errorf("line %d: the byte 0x%02x is no UTF-8, %s: convert it to UTF-8, such as by iconv -f %s -t UTF-8", lineOf(data, at), data[at], what, from)
}

// lettersOf is a sample of the lines that have bytes besides ASCII.
func lettersOf(data []byte) (sample []byte) {
	for line := range bytes.Lines(data) {
		for !ascii(line) && len(sample) < maxSample {
			// Of a long line, what is around the first such byte.
			from := max(0, bytes.IndexFunc(line, func(r rune) bool { return r >= utf8.RuneSelf })-200)
			if k := bytes.IndexByte(line[:from], ' '); k >= 0 && from > 0 {
				from -= len(line[:from]) - 1 - bytes.LastIndexByte(line[:from], ' ')
			}
			n := min(len(line)-from, 1000)
			if k := bytes.LastIndexByte(line[from:from+n], ' '); n == 1000 && k > 600 {
				n = k // not within a word, or a character of two bytes
			}
			sample = append(append(sample, line[from:from+n]...), '\n')
			line = line[from+n:]
		}
	}
	return sample
}

// plausible reports whether a text has few of the things that a wrong charset gives: control
// characters, the lines of boxes, signs within words as in "zosta³o", words in two scripts as in
// "rijeиi", and more capitals than small letters as in "яОЮАНП". A few words of Cyrillic do not
// tell, and words of few vowels are none: "дйщтш" is Hebrew.
func plausible(text string) bool {
	odd, all, cyrillic, capitals, vowels, before, sign := 0, 0, 0, 0, 0, ' ', false
	for _, r := range text {
		letter := unicode.IsLetter(r)
		switch {
		case r == utf8.RuneError, r >= 0x80 && unicode.IsControl(r), r >= '─' && r <= '▟', sign && letter:
			return false
		case letter && r >= utf8.RuneSelf:
			all++
			if unicode.IsLower(before) && unicode.IsUpper(r) {
				odd++
			}
		}
		if unicode.Is(unicode.Cyrillic, r) {
			cyrillic++
			if unicode.IsUpper(r) {
				capitals++
			}
			if strings.ContainsRune("аеёиоуыэюяіїєў", unicode.ToLower(r)) {
				vowels++
			}
		}
		if letter && unicode.IsLetter(before) && unicode.Is(unicode.Cyrillic, r) != unicode.Is(unicode.Cyrillic, before) {
			odd++
		}
		sign = r >= utf8.RuneSelf && unicode.IsLetter(before) && !letter && !unicode.In(r, unicode.Mark, unicode.White_Space) && !strings.ContainsRune(between, r)
		before = r
	}
	return odd*20 <= all && (cyrillic == 0 || cyrillic >= minCyrillic && capitals*2 <= cyrillic && vowels*100 >= cyrillic*wantVowels)
}

// between are signs that stand between the letters of a word, or of two words.
const between = "’‘·–—…«»“”„\u00ad"

// inLetters counts the letters of a text besides those of ASCII, and those that are of a language.
func inLetters(text, language string) (good, all int) {
	own := letters[language]
	for _, r := range text {
		if r < utf8.RuneSelf || !unicode.IsLetter(r) {
			continue
		}
		all++
		if own == "" && unicode.Is(unicode.Cyrillic, r) || strings.ContainsRune(own, unicode.ToLower(r)) {
			good++
		}
	}
	return good, all
}

// sharedOnly reports whether the characters of a text besides ASCII are the same in the charsets
// of the West, of the middle of Europe and of the Baltic, and stand as they do in these.
func sharedOnly(text string) bool {
	run, high, low := 0, 0, 0
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf:
			run = 0
			if unicode.IsLetter(r) {
				low++
			}
			continue
		case unicode.IsLetter(r):
			high++
		}
		if run++; run > 2 || !strings.ContainsRune("ÄÉÓÖÜäéóöüß§©®«»°±·€…‘’“”„–—™\u00a0\u00ad", r) {
			return false
		}
	}
	return high <= low
}
