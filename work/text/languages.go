package text

import (
	_ "embed"
	"strings"
	"sync"
)

// rules are those of one language.
type rules struct {
	words    [kinds]map[string]bool // in lower case
	suffixes []string               // of abbreviations of title
	ordinals bool                   // a number and a full stop is an ordinal, as in "3. Mai"
}

// kind is what a word of the file of words means.
type kind int

const (
	title   kind = iota // its full stop never ends a sentence
	number              // its full stop ends no sentence in front of a number
	perhaps             // its full stop ends a sentence in front of a word that begins one
	begin               // it begins a sentence where it has a capital
	join                // it continues a sentence behind a space, in languages without stops
	kinds
)

var kindNames = map[string]kind{"title": title, "number": number, "perhaps": perhaps, "begin": begin, "join": join}

// unknown is the language of texts of which no language is known. It is "" in a map.
const unknown = "und"

//go:embed sentences.txt
var sentencesFile string

// byLanguage are the rules of each language of the file. Those of "" are common to all.
var byLanguage = sync.OnceValue(func() map[string]*rules { return parseRules(sentencesFile) })

// parseRules reads the file of words. Each line has a language, a kind and words. It panics
// if the file is wrong, which a test would see.
func parseRules(file string) map[string]*rules {
	all := map[string]*rules{}
	var common [][]string
	add := func(r *rules, f []string) {
		if f[1] == "ordinals" {
			r.ordinals = true
			return
		}
		k, ok := kindNames[f[1]]
		if !ok {
			panic("text: sentences.txt has the kind " + f[1])
		}
		if r.words[k] == nil {
			r.words[k] = map[string]bool{}
		}
		for _, w := range f[2:] {
			if suffix, ok := strings.CutPrefix(w, "-"); ok {
				r.suffixes = append(r.suffixes, suffix)
				continue
			}
			r.words[k][w] = true
		}
	}
	for line := range strings.Lines(file) {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if f[0] == "*" {
			common = append(common, f)
			continue
		}
		for language := range strings.SplitSeq(strings.TrimPrefix(f[0], unknown), ",") {
			if all[language] == nil {
				all[language] = &rules{}
			}
			add(all[language], f)
		}
	}
	for _, r := range all { // order-free: each by itself
		for _, f := range common {
			add(r, f)
		}
	}
	return all
}

// long are codes of ISO 639-2 and 639-3 by the codes of ISO 639-1 that the file has.
const long = "afr:af amh:am ara:ar bel:be bul:bg cat:ca ces:cs cze:cs cmn:zh dan:da deu:de ger:de ell:el gre:el eng:en epo:eo " +
	"est:et eus:eu baq:eu fas:fa per:fa fin:fi fra:fr fre:fr gle:ga glg:gl heb:he hin:hi hrv:hr hun:hu hye:hy arm:hy ind:id " +
	"isl:is ice:is ita:it kat:ka geo:ka kaz:kk lao:lo lav:lv lit:lt ltz:lb mar:mr mkd:mk mac:mk msa:ms may:ms mya:my nld:nl dut:nl " +
	"nno:nn nob:nb nor:no pol:pl por:pt ron:ro rum:ro rus:ru slk:sk slo:sk slv:sl spa:es sqi:sq alb:sq srp:sr swe:sv tha:th " +
	"tur:tr ukr:uk urd:ur vie:vi zho:zh chi:zh "

// Short returns the code of two letters of a language, if it has one that is known here, else
// the code itself, in lower case and without script and region: "de" for "deu" and "de_AT".
func Short(language string) string {
	language = strings.ToLower(language)
	if i := strings.IndexAny(language, "-_"); i >= 0 {
		language = language[:i]
	}
	if _, rest, ok := strings.Cut(" "+long, " "+language+":"); ok && language != "" {
		return rest[:2]
	}
	return language
}

// rulesOf returns the rules of a language.
func rulesOf(language string) *rules {
	all := byLanguage()
	if r := all[Short(language)]; r != nil {
		return r
	}
	return all[""]
}

// has reports whether a word, in lower case, is of a kind.
func (r *rules) has(k kind, word string) bool { return r.words[k][word] }

// suffixed reports whether a word ends as an abbreviation does, such as "hauptstr".
func (r *rules) suffixed(word string) bool {
	for _, s := range r.suffixes {
		if strings.HasSuffix(word, s) {
			return true
		}
	}
	return false
}

// joins reports whether a text begins with a word that continues a sentence.
func (r *rules) joins(s string) bool {
	for w := range r.words[join] { // order-free: any of them
		if strings.HasPrefix(s, w) {
			return true
		}
	}
	return false
}
