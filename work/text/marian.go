package text

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// The special pieces of a Marian vocabulary, which mean no text.
const (
	MarianPad     = "<pad>"
	MarianEOS     = "</s>"
	MarianUnknown = "<unk>"
)

// The files of a [Marian] tokenizer in a model's directory.
const (
	SourceFile = "source.spm" // a SentencePiece model
	TargetFile = "target.spm" // a SentencePiece model
	VocabFile  = "vocab.json" // an object of pieces and their ids
)

// MarianFiles is the contents of [SourceFile], [TargetFile] and [VocabFile].
type MarianFiles struct{ Source, Target, Vocab []byte }

// Marian is the tokenizer of the public OPUS-MT models (Tiedemann and Thottingal, 2020). A
// SentencePiece model for each language divides text into pieces, and one vocabulary has
// their ids. The ids are those of MarianTokenizer in Hugging Face's transformers. A Marian
// does not change after it was made, and several goroutines may use it at once.
type Marian struct {
	files          MarianFiles
	source, target *SentencePiece
	ids            map[string]int32
	written        []string // by id: its text in a translation
	unknown        int32    // the id of [MarianUnknown]

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
	if m.ids, err = parseVocab(f.Vocab); err != nil {
		return nil, fmt.Errorf("%s: %w", VocabFile, err)
	}
	m.written = make([]string, len(m.ids))
	// n pieces whose ids are below n and all different have the ids 0 to n-1.
	for piece, id := range m.ids { // order-free: each id once
		if int(id) >= len(m.ids) || m.written[id] != "" {
			return nil, fmt.Errorf("%s: the ids of its %d pieces are not 0 to %d, each once",
				VocabFile, len(m.ids), len(m.ids)-1)
		}
		m.written[id] = piece
	}
	// Special pieces are not written. Others are written as the target's model spells them.
	for _, special := range []string{MarianPad, MarianEOS, MarianUnknown} {
		id, ok := m.ids[special]
		if !ok {
			return nil, fmt.Errorf("%s: the piece %s is missing", VocabFile, special)
		}
		m.written[id] = ""
	}
	m.unknown = m.ids[MarianUnknown]
	for id, piece := range m.written {
		m.written[id] = m.target.surface(piece)
	}
	return m, nil
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
			return nil, fmt.Errorf("piece %q: %w", piece, err)
		}
		if _, twice := ids[piece]; twice || piece == "" || id >= spMaxPieces {
			return nil, fmt.Errorf("piece %q, id %d: it is empty, occurs twice, or its id is not below %d",
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
	return map[string][]byte{SourceFile: m.files.Source, TargetFile: m.files.Target, VocabFile: m.files.Vocab}
}

// Unknown returns the piece of characters that the vocabulary does not have.
func (m *Marian) Unknown() string { return MarianUnknown }

// Pieces returns the size of the vocabulary. Ids are 0 to Pieces()-1.
func (m *Marian) Pieces() int { return len(m.written) }

// Names returns the pieces by id.
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

// languageCode is the mark in front of a source text that names the target language, for models
// with several, such as ">>fra<<". Anything of this form inside the text is removed.
var languageCode = regexp.MustCompile(`>>.+<<`)

// Source returns the ids of a source text.
func (m *Marian) Source(s string) []int32 { return m.encode(m.source, s) }

// Target returns the ids of a target text.
func (m *Marian) Target(s string) []int32 { return m.encode(m.target, s) }

// encode returns the ids of the pieces of s by the model of one language.
func (m *Marian) encode(model *SentencePiece, s string) []int32 {
	var pieces []string
	if at := languageCode.FindStringIndex(s); at != nil {
		if at[0] == 0 {
			pieces = append(pieces, s[:at[1]])
		}
		s = languageCode.ReplaceAllString(s, "")
	}
	var ids []int32
	for _, piece := range append(pieces, model.Split(s)...) {
		// A text must not be able to contain special pieces.
		id, ok := m.ids[piece]
		if !ok || slices.Contains([]string{MarianPad, MarianEOS, "<s>"}, piece) {
			id = m.unknown
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
