package text

import (
	"slices"
	"strings"
)

// Code divides a text into the code of a language at its very beginning, such as ">>fra<<",
// and the rest. It tells a model with several target languages into which to translate. Text
// of this form anywhere else is text. The rule is that of MarianTokenizer in Hugging Face's
// transformers since June 2025: a code ends with the first "<<".
func Code(s string) (code, rest string) {
	if !strings.HasPrefix(s, ">>") {
		return "", s
	}
	end := strings.Index(s, "<<")
	if end < 0 {
		return "", s
	}
	return s[:end+2], s[end+2:]
}

// Coded returns l with a code, such as ">>fra<<", in front of each sentence. Those of the cuts
// of [Layout.Fit] have it, too. An empty code changes nothing.
func (l Layout) Coded(code string) Layout {
	if code == "" {
		return l
	}
	coded := Layout{Cuts: l.Cuts, gaps: l.gaps, code: code + " "}
	for _, s := range l.Sentences {
		coded.Sentences = append(coded.Sentences, coded.code+s)
	}
	return coded
}

// Codes returns the languages of the codes among the pieces of a vocabulary, sorted: "fra" for
// ">>fra<<".
func Codes(pieces []string) (languages []string) {
	for _, p := range pieces {
		if code, rest := Code(p); rest == "" && len(code) > len(">><<") {
			languages = append(languages, code[2:len(code)-2])
		}
	}
	slices.Sort(languages)
	return languages
}

// Targets returns the languages that a text can ask for with a code; nil is none.
func (m *Marian) Targets() []string { return Codes(m.Names()) }

// VocabTargets returns the Targets of the tokenizer with a [VocabFile].
func VocabTargets(vocab []byte) ([]string, error) {
	ids, err := parseVocab(vocab)
	if err != nil {
		return nil, err
	}
	var pieces []string
	for p := range ids { // order-free: sorted by Codes
		pieces = append(pieces, p)
	}
	return Codes(pieces), nil
}

// Tag returns a code of a language in one form, by which codes are compared: "fr" for "fra",
// "pt-br" for "pt_BR", "zh-hant" for "cmn_Hant".
func Tag(language string) string {
	language = strings.ReplaceAll(strings.ToLower(language), "_", "-")
	_, variant, ok := strings.Cut(language, "-")
	if !ok {
		return Short(language)
	}
	return Short(language) + "-" + variant
}
