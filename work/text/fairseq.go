package text

import (
	"encoding/json"
	"fmt"
	"strings"
)

// The files of a [Fairseq] tokenizer in a model's directory, beside [VocabFile].
const (
	FairseqFile   = "sentencepiece.bpe.model" // a SentencePiece model for all languages
	LanguagesFile = "languages.json"          // the pieces of the two languages
)

// FairseqFiles is the contents of [FairseqFile], [VocabFile] and [LanguagesFile].
type FairseqFiles struct{ Pieces, Vocab, Languages []byte }

// Fairseq is the tokenizer of the multilingual models M2M-100 (Fan et al., 2020) and NLLB (NLLB
// Team, 2022) for one pair of their languages. One SentencePiece model divides text in any
// language. The vocabulary has its pieces, pieces of languages such as "__de__" or "deu_Latn",
// and marks. The piece of the source's language stands in front of every source. A Fairseq does
// not change after it was made, and several goroutines may use it at once.
type Fairseq struct {
	*Marian
	files          FairseqFiles
	source, target int32 // the languages
	special        map[int32]bool
}

// Languages is the pieces of the source's and the target's language: the contents of
// [LanguagesFile].
type Languages struct {
	Source string `json:"source"`
	Target string `json:"target"`
}

// ParseFairseq reads the files of a tokenizer. It returns an error that names the file when a file
// is damaged, when the ids of the vocabulary are not 0 to n-1, each once, when a mark is missing,
// or when a language has no piece of its own.
func ParseFairseq(f FairseqFiles) (*Fairseq, error) {
	pieces, err := ParseSentencePiece(f.Pieces)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", FairseqFile, err)
	}
	ids, names, err := vocabulary(VocabFile, f.Vocab, MarianPad, MarianEOS, MarianUnknown)
	if err != nil {
		return nil, err
	}
	t := &Fairseq{files: f, special: map[int32]bool{}}
	t.Marian = &Marian{source: pieces, target: pieces, ids: ids, written: make([]string, len(names))}
	// What is no piece of text is a mark or a language: no text contains it, and it is not written.
	for id, name := range names {
		if pieces.writes(name) {
			t.written[id] = pieces.written(name)
		} else {
			t.special[int32(id)] = true
		}
	}
	var l Languages
	if json.Unmarshal(f.Languages, &l) != nil {
		return nil, fmt.Errorf("%s: the file is not JSON, or has a value of the wrong kind", LanguagesFile)
	}
	for _, side := range []struct {
		name string
		to   *int32
	}{{l.Source, &t.source}, {l.Target, &t.target}} {
		id, ok := ids[side.name]
		if !ok || !t.special[id] || strings.HasPrefix(side.name, "<") {
			return nil, fmt.Errorf("%s: %.100q is no language of %s", LanguagesFile, side.name, VocabFile)
		}
		*side.to = id
	}
	return t, nil
}

// Files returns the files that the tokenizer was made from, by name.
func (t *Fairseq) Files() map[string][]byte {
	return map[string][]byte{FairseqFile: t.files.Pieces, VocabFile: t.files.Vocab, LanguagesFile: t.files.Languages}
}

// Marks returns the ids of [MarianPad], [MarianEOS] and the target's language.
func (t *Fairseq) Marks() (pad, eos, language int32) {
	return t.ids[MarianPad], t.ids[MarianEOS], t.target
}

// Languages returns the pieces of the source's and the target's language.
func (t *Fairseq) Languages() (source, target string) {
	names := t.Names()
	return names[t.source], names[t.target]
}

// Special returns a function that reports whether a piece is a mark or a language, with an id of at
// least from.
func (t *Fairseq) Special(from int32) func(piece string) bool {
	return func(piece string) bool {
		id := t.ids[piece]
		return id >= from && t.special[id]
	}
}

// Source returns the ids of a source text behind that of its language, and none for no text.
func (t *Fairseq) Source(s string) []int32 {
	ids := t.Target(s)
	if len(ids) == 0 {
		return nil
	}
	return append([]int32{t.source}, ids...)
}

// Target returns the ids of a target text.
func (t *Fairseq) Target(s string) []int32 {
	var ids []int32
	for _, piece := range t.Marian.target.Split(s) {
		id, ok := t.ids[piece]
		if !ok || t.special[id] {
			id = t.ids[MarianUnknown]
		}
		ids = append(ids, id)
	}
	return ids
}

// Spell returns the ids of a part of a text, as [Marian.Spell].
func (t *Fairseq) Spell(s string) (spaced, bare []int32) { return t.spell(t.Target(s)) }
