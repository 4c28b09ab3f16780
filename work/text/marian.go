package text

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The pieces of a Marian vocabulary that stand for no text.
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

// MarianFiles are the contents of [SourceFile], [TargetFile] and [VocabFile].
type MarianFiles struct{ Source, Target, Vocab []byte }

// Marian is the tokenizer of the public OPUS-MT models (Tiedemann and
// Thottingal, 2020): SentencePiece models of both languages cut text into
// pieces, and one vocabulary gives their ids. It gives the ids that
// MarianTokenizer of Hugging Face's transformers gives. It does not change
// once made, and may be used from several goroutines at once.
type Marian struct {
	files          MarianFiles
	source, target *SentencePiece
	ids            map[string]int32
	written        []string // by id: what it stands for in a translation
	unknown        int32
}

// ParseMarian reads the files of a tokenizer. Bounds are checked before memory
// is taken; a vocabulary without ids 0 to n-1, each once, or without the pieces
// of [MarianPad], [MarianEOS] and [MarianUnknown] is refused.
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
	for piece, id := range m.ids { // order-free: each id once
		if int(id) >= len(m.ids) || m.written[id] != "" {
			return nil, fmt.Errorf("%s: %d pieces do not have the ids 0 to %d, each once", VocabFile, len(m.ids), len(m.ids)-1)
		}
		m.written[id] = piece
	}
	for _, special := range []string{MarianPad, MarianEOS, MarianUnknown} {
		id, ok := m.ids[special]
		if !ok {
			return nil, fmt.Errorf("%s: no piece %s", VocabFile, special)
		}
		m.written[id] = ""
	}
	m.unknown = m.ids[MarianUnknown]
	for id, piece := range m.written {
		m.written[id] = m.target.surface(piece)
	}
	return m, nil
}

// parseVocab reads an object of pieces and ids.
func parseVocab(data []byte) (map[string]int32, error) {
	if len(data) > maxJSON {
		return nil, fmt.Errorf("%d bytes, at most %d are read", len(data), maxJSON)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, cmp.Or(err, fmt.Errorf("%v where an object should be", t))
	}
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
			return nil, fmt.Errorf("piece %q, id %d: empty, there already, or beyond %d ids", piece, id, spMaxPieces)
		}
		ids[piece] = int32(id)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if rest := bytes.TrimSpace(data[d.InputOffset():]); len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes after the object", len(rest))
	}
	return ids, nil
}

// Files gives the files that the tokenizer was made of, by name.
func (m *Marian) Files() map[string][]byte {
	return map[string][]byte{SourceFile: m.files.Source, TargetFile: m.files.Target, VocabFile: m.files.Vocab}
}

// Unknown is the piece that stands for characters without a piece.
func (m *Marian) Unknown() string { return MarianUnknown }

// Pieces returns the size of the vocabulary: ids are 0 to Pieces()-1.
func (m *Marian) Pieces() int { return len(m.written) }

// Names returns the pieces by their ids.
func (m *Marian) Names() []string {
	names := make([]string, len(m.ids))
	for piece, id := range m.ids { // order-free: each id once
		names[id] = piece
	}
	return names
}

// ID returns the id of a piece.
func (m *Marian) ID(piece string) (int32, bool) {
	id, ok := m.ids[piece]
	return id, ok
}

// languageCode is the mark before a source text that names the language to
// translate to, for models of several. What looks like one is no text.
var languageCode = regexp.MustCompile(`>>.+<<`)

// Source returns the ids of a source text.
func (m *Marian) Source(s string) []int32 { return m.encode(m.source, s) }

// Target returns the ids of a target text.
func (m *Marian) Target(s string) []int32 { return m.encode(m.target, s) }

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
		id, ok := m.ids[piece]
		if !ok || slices.Contains([]string{MarianPad, MarianEOS, "<s>"}, piece) {
			id = m.unknown
		}
		ids = append(ids, id)
	}
	return ids
}

// Decode returns the text of ids. Special pieces, unknown ones and ids outside
// the vocabulary stand for nothing.
func (m *Marian) Decode(ids []int32) string {
	var b strings.Builder
	for _, id := range ids {
		if id >= 0 && int(id) < len(m.written) {
			b.WriteString(m.written[id])
		}
	}
	return strings.ToValidUTF8(strings.TrimSpace(b.String()), "\uFFFD")
}
