package text

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// The special pieces of a Marian vocabulary, which mean no text.
const (
	MarianPad     = "<pad>"
	MarianEOS     = "</s>"
	MarianUnknown = "<unk>"
	MarianBOS     = "<s>" // which few vocabularies have
)

// The files of a [Marian] tokenizer in a model's directory. TargetVocabFile is there where the
// languages have no vocabulary in common; then VocabFile is the source's.
const (
	SourceFile      = "source.spm" // a SentencePiece model
	TargetFile      = "target.spm" // a SentencePiece model
	VocabFile       = "vocab.json" // an object of pieces and their ids
	TargetVocabFile = "target_vocab.json"
)

// MarianFiles is the contents of [SourceFile], [TargetFile], [VocabFile] and [TargetVocabFile],
// which is nil where one vocabulary serves both languages.
type MarianFiles struct{ Source, Target, Vocab, TargetVocab []byte }

// Marian is the tokenizer of the public OPUS-MT models (Tiedemann and Thottingal, 2020). A
// SentencePiece model for each language divides text into pieces, and one vocabulary has
// their ids. The ids are those of MarianTokenizer in Hugging Face's transformers. A Marian
// does not change after it was made, and several goroutines may use it at once.
type Marian struct {
	files          MarianFiles
	source, target *SentencePiece
	ids            map[string]int32 // of the target's vocabulary, and of the source's too where from is nil
	written        []string         // by id: its text in a translation

	from map[string]int32 // of the source's vocabulary, where it is another one

	once     sync.Once // makes spelling
	spelling *spelling
}

// ParseMarian reads the files of a tokenizer. It checks bounds before it allocates memory. It
// returns an error that names the file when a file is damaged, when the ids of the vocabulary
// are not 0 to n-1, each once, or when [MarianPad], [MarianEOS] or [MarianUnknown] is missing.
func ParseMarian(f MarianFiles) (*Marian, error) {
	m := &Marian{files: f}
	var err error
	if m.source, err = ParseSentencePiece(f.Source); err != nil {
		return nil, fmt.Errorf("%s: %w", SourceFile, err)
	}
	if m.target, err = ParseSentencePiece(f.Target); err != nil {
		return nil, fmt.Errorf("%s: %w", TargetFile, err)
	}
	file, data := VocabFile, f.Vocab
	if f.TargetVocab != nil {
		// No source has a <pad>, and Marian's own vocabularies have none.
		if m.from, _, err = vocabulary(VocabFile, f.Vocab, MarianEOS, MarianUnknown); err != nil {
			return nil, err
		}
		file, data = TargetVocabFile, f.TargetVocab
	}
	if m.ids, m.written, err = vocabulary(file, data, MarianPad, MarianEOS, MarianUnknown); err != nil {
		return nil, err
	}
	// Special pieces are not written. Others are written as the target's model spells them.
	for _, special := range []string{MarianPad, MarianEOS, MarianUnknown} {
		m.written[m.ids[special]] = ""
	}
	for id, piece := range m.written {
		m.written[id] = m.target.written(piece)
	}
	return m, nil
}

// vocabulary reads a file of pieces and ids, and gives the pieces by their ids too. The ids must be
// 0 to n-1, each once, and the special pieces be there.
func vocabulary(file string, data []byte, specials ...string) (ids map[string]int32, names []string, err error) {
	if ids, err = parseVocab(data); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	names = make([]string, len(ids))
	// n pieces whose ids are below n and all different have the ids 0 to n-1.
	for piece, id := range ids { // order-free: each id once
		if int(id) >= len(ids) || names[id] != "" {
			return nil, nil, fmt.Errorf("%s: the ids of its %d pieces are not 0 to %d, each once", file, len(ids), len(ids)-1)
		}
		names[id] = piece
	}
	for _, special := range specials {
		if _, ok := ids[special]; !ok {
			return nil, nil, fmt.Errorf("%s: the piece %s is missing", file, special)
		}
	}
	return ids, names, nil
}

// ParseVocab reads a [VocabFile], and gives the pieces by their ids.
func ParseVocab(data []byte) ([]string, error) {
	_, names, err := vocabulary(VocabFile, data, MarianPad, MarianEOS, MarianUnknown)
	return names, err
}

// parseVocab reads a JSON object of pieces and ids. A map of encoding/json would keep only the
// last of two equal keys, so the keys are read one by one.
func parseVocab(data []byte) (map[string]int32, error) {
	if len(data) > maxJSON {
		return nil, fmt.Errorf("it has %d bytes, the limit is %d", len(data), maxJSON)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, cmp.Or(err, fmt.Errorf("it begins with %v, want a JSON object", t))
	}
	// A key and a number in turn.
	ids := map[string]int32{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		piece, _ := t.(string) // the decoder takes nothing else for a key
		var id uint32
		if err := d.Decode(&id); err != nil {
			return nil, fmt.Errorf("piece %.200q: %w", piece, err)
		}
		if _, twice := ids[piece]; twice || piece == "" || id >= spMaxPieces {
			return nil, fmt.Errorf("piece %.200q, id %d: it is empty, occurs twice, or its id is not below %d",
				piece, id, spMaxPieces)
		}
		ids[piece] = int32(id)
	}
	// The closing brace, and only white space behind it.
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if rest := bytes.TrimSpace(data[d.InputOffset():]); len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes follow the JSON object", len(rest))
	}
	return ids, nil
}

// Files returns the files that the tokenizer was made from, by name.
func (m *Marian) Files() map[string][]byte {
	files := map[string][]byte{SourceFile: m.files.Source, TargetFile: m.files.Target, VocabFile: m.files.Vocab}
	if m.from != nil {
		files[TargetVocabFile] = m.files.TargetVocab
	}
	return files
}

// SourcePieces returns the size of the source's vocabulary, and 0 where it is the target's too.
func (m *Marian) SourcePieces() int { return len(m.from) }

// SourceEOS returns the id of [MarianEOS] in the source's vocabulary, and 0 where it is the
// target's too.
func (m *Marian) SourceEOS() int32 { return m.from[MarianEOS] }

// Unknown returns the piece of characters that the vocabulary does not have.
func (m *Marian) Unknown() string { return MarianUnknown }

// Pieces returns the size of the target's vocabulary. Its ids are 0 to Pieces()-1.
func (m *Marian) Pieces() int { return len(m.written) }

// Names returns the pieces of the target's vocabulary by id.
func (m *Marian) Names() []string {
	names := make([]string, len(m.ids))
	for piece, id := range m.ids { // order-free: each id once
		names[id] = piece
	}
	return names
}

// ID returns the id of a piece, and whether the vocabulary has it.
func (m *Marian) ID(piece string) (int32, bool) {
	id, ok := m.ids[piece]
	return id, ok
}

// Source returns the ids of a source text.
func (m *Marian) Source(s string) []int32 {
	if m.from != nil {
		return m.encode(m.source, m.from, s)
	}
	return m.encode(m.source, m.ids, s)
}

// Target returns the ids of a target text.
func (m *Marian) Target(s string) []int32 { return m.encode(m.target, m.ids, s) }

// encode returns the ids of the pieces of s by the model and the vocabulary of one language,
// behind that of its [Code].
func (m *Marian) encode(model *SentencePiece, vocab map[string]int32, s string) []int32 {
	var pieces []string
	code, s := Code(s)
	if code != "" {
		pieces = append(pieces, code)
	}
	var ids []int32
	unknown := vocab[MarianUnknown]
	for _, piece := range append(pieces, model.Split(s)...) {
		// A text must not be able to contain special pieces.
		id, ok := vocab[piece]
		if !ok || slices.Contains([]string{MarianPad, MarianEOS, MarianBOS}, piece) {
			id = unknown
		}
		ids = append(ids, id)
	}
	return ids
}

// Decode returns the text of ids. It ignores special pieces, the unknown piece and ids outside
// the vocabulary.
func (m *Marian) Decode(ids []int32) string {
	var b strings.Builder
	for _, id := range ids {
		if id >= 0 && int(id) < len(m.written) {
			b.WriteString(m.written[id])
		}
	}
	return strings.ToValidUTF8(strings.TrimSpace(b.String()), "\uFFFD")
}
