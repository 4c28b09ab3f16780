package corpus

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	heldOutPairs = 500 // pairs for validation, and as many for the test
	perSentence  = 150 // the largest number of pairs from one pattern
	richSentence = 50  // the smallest number of a pattern's pairs of which some are held out
)

// Phrasebook returns the project's own English-German corpus: travel, lodging, food, shopping,
// weather, time, numbers, directions and health. It is generated from a lexicon and sentence
// patterns written for this project, and always has the same pairs in the same sequence.
//
// Every English sentence has one translation, and every German sentence one source. Valid, and
// Tests[0] with the name "test", have 500 pairs each. None of their sentences, in either language,
// occurs elsewhere in the corpus.
func Phrasebook() *Corpus {
	lex := newLexicon()
	seen := make(map[string]bool)
	var all, held []Pair
	for n, pattern := range patterns() {
		made := pattern.fill(lex, &stream{key: uint64(n)})
		// Drop pairs of which a sentence occurred before. A tab marks German sentences.
		fresh := slices.DeleteFunc(made, func(p Pair) bool {
			if seen[p.Source] || seen["\t"+p.Target] {
				return true
			}
			seen[p.Source], seen["\t"+p.Target] = true, true
			return false
		})
		// A tenth of a pattern's pairs may be held out, if it has many.
		out := 0
		if len(fresh) >= richSentence {
			out = len(fresh) / 10
		}
		held = append(held, fresh[:out]...)
		all = append(all, fresh[out:]...)
	}
	// The rest of the candidates for holding out goes back to training.
	shuffle(held, &stream{key: 'h'})
	all = append(all, held[2*heldOutPairs:]...)
	shuffle(all, &stream{key: 'a'})
	return &Corpus{
		Source: "en", Target: "de",
		Train: all,
		Valid: held[:heldOutPairs:heldOutPairs],
		Tests: []Split{{"test", held[heldOutPairs : 2*heldOutPairs : 2*heldOutPairs]}},
	}
}

// pattern is a sentence in both languages with slots for words.
type pattern struct {
	source, target []part
	classes        []string // the variables of the slots, each once
}

// part is literal text or, if variable is set, a slot.
type part struct {
	literal    string
	determiner string   // the word in front of a noun, which inflects it; "" for none
	adjective  string   // the variable of an adjective between them, if any
	variable   string   // a class of the lexicon; digits distinguish several words of a class
	forms      []string // the forms of a verb, of which the variable's person chooses one
}

// patterns reads the sentence patterns, one on each line: English = German.
func patterns() []pattern {
	var out []pattern
	for line := range strings.Lines(sentences + moreSentences) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		source, target, _ := strings.Cut(line, " = ")
		p := pattern{source: parts(source), target: parts(target)}
		for _, s := range p.source {
			for _, v := range []string{s.adjective, s.variable} {
				if v != "" && !slices.Contains(p.classes, v) {
					p.classes = append(p.classes, v)
				}
			}
		}
		out = append(out, p)
	}
	return out
}

// parts divides one language of a pattern at its slots.
func parts(s string) []part {
	var out []part
	for s != "" {
		before, rest, _ := strings.Cut(s, "{") // literal text in front of a slot
		if before != "" {
			out = append(out, part{literal: before})
		}
		slot, after, ok := strings.Cut(rest, "}")
		if ok {
			out = append(out, newSlot(slot))
		}
		s = after
	}
	return out
}

// newSlot reads {VARIABLE}, {DETERMINER NOUN}, {DETERMINER ADJECTIVE NOUN} or
// {VARIABLE:FIRST|THIRD|PLURAL}.
func newSlot(s string) part {
	if v, forms, ok := strings.Cut(s, ":"); ok {
		return part{variable: v, forms: strings.Split(forms, "|")}
	}
	words := strings.Fields(s)
	p := part{variable: words[len(words)-1]}
	if len(words) > 1 {
		p.determiner = words[0]
	}
	if len(words) > 2 {
		p.adjective = words[1]
	}
	return p
}

// fill returns the pattern with words in its slots: all combinations, or perSentence of them if
// there are more. Each word of a class is used about as often as the others.
func (p pattern) fill(lex lexicon, draw *stream) []Pair {
	ways := 1
	decks := make([]deck, len(p.classes))
	for i, c := range p.classes {
		decks[i].words = slices.Clone(lex.words(c))
		ways *= len(decks[i].words)
	}
	// Twice as many combinations as wanted, since some repeat a word or a pair.
	var out []Pair
	chosen := make(map[string]word, len(p.classes))
	for n := range min(ways, 2*perSentence) {
		way := n
		for i, c := range p.classes {
			// Few combinations are counted through, of many some are drawn.
			if words := decks[i].words; ways <= 2*perSentence {
				chosen[c] = words[way%len(words)]
				way /= len(words)
			} else {
				chosen[c] = decks[i].deal(draw)
			}
		}
		pair := Pair{sentence(p.source, chosen, english), sentence(p.target, chosen, german)}
		if !repeats(p.classes, chosen) && !slices.Contains(out, pair) {
			out = append(out, pair)
		}
	}
	shuffle(out, draw)
	return out[:min(len(out), perSentence)]
}

// deck deals words like cards: all of them in a random sequence, then again in another.
type deck struct {
	words []word
	dealt int
}

func (d *deck) deal(draw *stream) word {
	if d.dealt%len(d.words) == 0 { // the deck is used up
		shuffle(d.words, draw)
	}
	d.dealt++
	return d.words[(d.dealt-1)%len(d.words)]
}

// repeats reports whether two variables have the same word.
func repeats(classes []string, chosen map[string]word) bool {
	for i, a := range classes {
		for _, b := range classes[:i] {
			if chosen[a].source == chosen[b].source {
				return true
			}
		}
	}
	return false
}

// sentence puts the chosen words into the slots by the grammar of a language, and capitalises the
// first letter.
func sentence(parts []part, chosen map[string]word, grammar func(part, word, word) string) string {
	var b strings.Builder
	for _, s := range parts {
		w := chosen[s.variable]
		switch {
		case s.variable == "":
			b.WriteString(s.literal)
		case s.forms != nil:
			b.WriteString(s.forms[w.person])
		default:
			b.WriteString(grammar(s, w, chosen[s.adjective]))
		}
	}
	first, n := utf8.DecodeRuneInString(b.String())
	return string(unicode.ToUpper(first)) + b.String()[n:]
}

// word is an entry of the lexicon.
type word struct {
	source, sources string // English, and its plural
	target, targets string // German, and its plural
	gender          gender // of a noun
	person          int    // of a subject: the index of a verb's form
}

// lexicon is the words of each class.
type lexicon map[string][]word

// words returns the words of a variable's class.
func (l lexicon) words(variable string) []word {
	words := l[strings.TrimRight(variable, "123")]
	if len(words) == 0 {
		panic(fmt.Sprintf("corpus: the phrasebook has no words of class %s", variable))
	}
	return words
}

// newLexicon reads the lexicon: the name of a class in brackets, then its entries, several on a line
// separated by semicolons.
//
//	ENGLISH[, PLURAL] = GERMAN[/STEM][ TAG][, PLURAL]
//
// An English plural that is not given ends with -s. The tag is the gender m, f or n of a noun, or
// the person 1 (I), 3 (he, she) or 6 (we, they) of a subject. The stem of an adjective is given if
// its endings do not simply follow the word.
func newLexicon() lexicon {
	n := numbers() // classes of numbers are ranges: 2 to 99, 20 to 99, ...
	l := lexicon{"number": n, "age": n[18:], "minutes": n[:58], "degrees": n[:34], "couple": n[:4]}
	class := ""
	for line := range strings.Lines(vocabulary) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			class = strings.Trim(line, "[]")
			continue
		}
		for entry := range strings.SplitSeq(line, ";") {
			if entry = strings.TrimSpace(entry); entry != "" {
				l[class] = append(l[class], newWord(entry))
			}
		}
	}
	return l
}

// newWord reads one entry.
func newWord(entry string) word {
	source, target, ok := strings.Cut(entry, " = ")
	if !ok {
		panic(fmt.Sprintf("corpus: the entry %q of the phrasebook has no translation", entry))
	}
	var w word
	if w.source, w.sources, ok = strings.Cut(source, ", "); !ok {
		w.sources = source + "s"
	}
	// The tag is the last two characters of the German word.
	w.target, w.targets, _ = strings.Cut(target, ", ")
	tag := w.target[max(len(w.target)-2, 0):]
	switch tag {
	case " m":
		w.gender = masculine
	case " f":
		w.gender = feminine
	case " n":
		w.gender = neuter
	case " 1":
		w.person = 0
	case " 3":
		w.person = 1
	case " 6":
		w.person = 2
	default:
		return w
	}
	w.target = strings.TrimSuffix(w.target, tag)
	return w
}

// numbers returns the numbers from 2 to 99 in words.
func numbers() []word {
	units := strings.Fields("- one two three four five six seven eight nine ten eleven twelve thirteen fourteen" +
		" fifteen sixteen seventeen eighteen nineteen")
	einer := strings.Fields("- ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn" +
		" fünfzehn sechzehn siebzehn achtzehn neunzehn")
	tens := strings.Fields("- - twenty thirty forty fifty sixty seventy eighty ninety")
	zehner := strings.Fields("- - zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig")
	var out []word
	for n := 2; n < 100; n++ {
		switch {
		case n < 20:
			out = append(out, word{source: units[n], target: einer[n]})
		case n%10 == 0:
			out = append(out, word{source: tens[n/10], target: zehner[n/10]})
		default:
			out = append(out, word{source: tens[n/10] + "-" + units[n%10], target: einer[n%10] + "und" + zehner[n/10]})
		}
	}
	return out
}
