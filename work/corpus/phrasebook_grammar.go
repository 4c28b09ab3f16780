package corpus

import (
	"fmt"
	"strings"
)

// gender is the gender of a German noun. The plural counts as a fourth, because its declension is
// the same for all three.
type gender uint8

const (
	masculine gender = iota
	feminine
	neuter
	plural
)

// grammaticalCase is a column of endings.
type grammaticalCase uint8

const (
	nominative grammaticalCase = iota
	accusative
	dative
	genitive
)

// endings has a row for each gender, the plural included, with an ending for each of the four cases.
type endings [plural + 1][genitive + 1]string

var (
	ofDer = endings{
		{"er", "en", "em", "es"}, {"ie", "ie", "er", "er"}, {"as", "as", "em", "es"}, {"ie", "ie", "en", "er"}}
	ofDieser = endings{
		{"er", "en", "em", "es"}, {"e", "e", "er", "er"}, {"es", "es", "em", "es"}, {"e", "e", "en", "er"}}
	ofEin = endings{
		{"", "en", "em", "es"}, {"e", "e", "er", "er"}, {"", "", "em", "es"}, {"e", "e", "en", "er"}}
	// Adjectives after der or dieser, after ein, and after nothing.
	weak = endings{
		{"e", "en", "en", "en"}, {"e", "e", "en", "en"}, {"e", "e", "en", "en"}, {"en", "en", "en", "en"}}
	mixed = endings{
		{"er", "en", "en", "en"}, {"e", "e", "en", "en"}, {"es", "es", "en", "en"}, {"en", "en", "en", "en"}}
	strong = endings{
		{"er", "en", "em", "en"}, {"e", "e", "er", "er"}, {"es", "es", "em", "en"}, {"e", "e", "en", "er"}}
)

// determiner is the declension of a word in front of a noun, and of an adjective between them.
type determiner struct {
	stem      string
	endings   endings
	adjective endings
	fused     [plural + 1]string // by gender: preposition and article in one word
}

// masculineForms are the determiners. A slot names its determiner by the masculine form, which differs
// in each case (der, den, dem, des), so the name says the case too.
var masculineForms = []struct {
	forms string
	determiner
}{
	{"der den dem des", determiner{stem: "d", endings: ofDer, adjective: weak}},
	{"dieser diesen diesem dieses", determiner{stem: "dies", endings: ofDieser, adjective: weak}},
	{"welcher welchen welchem welches", determiner{stem: "welch", endings: ofDieser, adjective: weak}},
	{"ein einen einem eines", determiner{stem: "ein", endings: ofEin, adjective: mixed}},
	{"kein keinen keinem keines", determiner{stem: "kein", endings: ofEin, adjective: mixed}},
	{"mein meinen meinem meines", determiner{stem: "mein", endings: ofEin, adjective: mixed}},
	{"Ihr Ihren Ihrem Ihres", determiner{stem: "Ihr", endings: ofEin, adjective: mixed}},
	{"nom akk dat gen", determiner{adjective: strong}},
	{"- - zum -", determiner{adjective: weak, fused: [...]string{"zum", "zur", "zum", "zu den"}}},
	{"- - vom -", determiner{adjective: weak, fused: [...]string{"vom", "von der", "vom", "von den"}}},
	{"- - am -", determiner{adjective: weak, fused: [...]string{"am", "an der", "am", "an den"}}},
	{"- - im -", determiner{adjective: weak, fused: [...]string{"im", "in der", "im", "in den"}}},
	{"- ins - -", determiner{adjective: weak, fused: [...]string{"in den", "in die", "ins", "in die"}}},
}

// inflection returns the determiner and the case that a slot names.
func inflection(name string) (determiner, grammaticalCase) {
	for _, d := range masculineForms {
		for c, form := range strings.Fields(d.forms) {
			if form == name {
				return d.determiner, grammaticalCase(c)
			}
		}
	}
	panic(fmt.Sprintf("corpus: the phrasebook has no determiner %q", name))
}

// german declines determiner, adjective and noun. A plus behind the determiner's name means the plural.
func german(s part, noun, adjective word) string {
	if s.determiner == "" {
		return strings.Split(noun.target, "/")[0]
	}
	name, many := strings.CutSuffix(s.determiner, "+")
	d, c := inflection(name)
	g := noun.gender
	if many {
		g = plural
	}
	// Determiner, adjective and noun, each with its ending.
	var words []string
	if d.fused[g] != "" {
		words = append(words, d.fused[g])
	} else if d.stem != "" {
		words = append(words, d.stem+d.endings[g][c])
	}
	if s.adjective != "" {
		// An adjective's stem follows a slash where it differs.
		stem := adjective.target[strings.IndexByte(adjective.target, '/')+1:]
		words = append(words, stem+d.adjective[g][c])
	}
	return strings.Join(append(words, declined(noun, g, c)), " ")
}

// declined returns a noun with its ending: -s or -es in the genitive of masculine and neuter nouns, -n
// in the dative of plurals that do not end with -n or -s.
func declined(noun word, g gender, c grammaticalCase) string {
	switch {
	case g == plural && noun.targets == "":
		panic(fmt.Sprintf("corpus: the noun %s of the phrasebook has no plural", noun.target))
	case g == plural && c == dative && !strings.HasSuffix(noun.targets, "n") && !strings.HasSuffix(noun.targets, "s"):
		return noun.targets + "n"
	case g == plural:
		return noun.targets
	case c == genitive && g != feminine && strings.ContainsAny(noun.target[len(noun.target)-1:], "sxz"):
		return noun.target + "es"
	case c == genitive && g != feminine:
		return noun.target + "s"
	}
	return noun.target
}

// english writes determiner, adjective and noun. "a" becomes "an" in front of a vowel, a plus behind
// the determiner's name means the plural, and "0" means no determiner.
func english(s part, noun, adjective word) string {
	name, many := strings.CutSuffix(s.determiner, "+")
	phrase := noun.source
	if many {
		phrase = noun.sources
	}
	if s.adjective != "" {
		phrase = adjective.source + " " + phrase
	}
	switch {
	case name == "" || name == "0":
		return phrase
	case name == "a" && strings.ContainsAny(phrase[:1], "aeiouAEIOU") && !strings.HasPrefix(phrase, "uni"):
		return "an " + phrase
	}
	return name + " " + phrase
}
