package text

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// SentencePiece is a unigram model in the file format of Google's
// SentencePiece (Kudo and Richardson, 2018), as the public OPUS-MT models have
// one for each language. It gives the ids that the library itself gives. It
// does not change once made, and may be used from several goroutines at once.
type SentencePiece struct {
	pieces  []spPiece
	ids     map[string]int32 // of the pieces that text can be made of
	longest int              // of those, in bytes
	unknown int32
	least   float32 // scores of normal pieces
	most    float32

	rules    charsMap
	prefix   bool            // a space goes before the text
	suffix   bool            // that space goes after it instead
	trim     bool            // white space at the ends goes, and runs of it become one
	escape   bool            // a space is written as U+2581
	byteBack bool            // unknown characters become pieces of their bytes
	defined  map[string]bool // the pieces that are always taken whole

	longestDefined int   // of those, in bytes
	firstByte      int32 // the first of the bytes' pieces
}

// spPiece is one piece of the vocabulary.
type spPiece struct {
	text  string
	score float32 // log-probability
	kind  uint64
}

// Kinds of pieces, as sentencepiece_model.proto numbers them.
const (
	spNormal      = 1
	spUnknown     = 2
	spControl     = 3
	spUserDefined = 4
	spUnused      = 5
	spByte        = 6
)

const (
	spSpace = "\u2581"
	// spUnigram is the model type this program reads; 2 is BPE, 3 words, 4 characters.
	spUnigram = 1
	// spMaxFile bounds a model file, spMaxTarget what a rule of normalisation
	// makes of a character, in bytes, and spMaxPieces the vocabulary.
	spMaxFile   = 64 << 20
	spMaxTarget = 1 << 10
	spMaxPieces = 1 << 18
	// spMaxPiece bounds a piece, and what a rule of normalisation reads, and
	// spMaxText a normalised text, all in bytes, so that no model of a stranger's
	// makes the work grow faster than the text. What is beyond is left out.
	spMaxPiece = 1 << 8
	spMaxText  = 1 << 16
)

// ParseSentencePiece reads a model file. It says what is wrong with one that
// is cut short, or of a type other than unigram.
func ParseSentencePiece(data []byte) (*SentencePiece, error) {
	if len(data) > spMaxFile {
		return nil, fmt.Errorf("sentencepiece model: %d bytes, at most %d are read", len(data), spMaxFile)
	}
	m := &SentencePiece{ids: map[string]int32{}, unknown: -1, defined: map[string]bool{}, prefix: true, trim: true, escape: true}
	model := uint64(spUnigram)
	err := fields(data, func(num protowire.Number, v uint64, b []byte) error {
		switch num {
		case 1:
			return m.addPiece(b)
		case 2: // trainer_spec
			return fields(b, func(num protowire.Number, v uint64, _ []byte) error {
				switch num {
				case 3:
					model = v
				case 24:
					m.suffix = v != 0
				case 35:
					m.byteBack = v != 0
				}
				return nil
			})
		case 3: // normalizer_spec
			return fields(b, func(num protowire.Number, v uint64, b []byte) (err error) {
				switch num {
				case 2:
					m.rules, err = parseCharsMap(b)
				case 3:
					m.prefix = v != 0
				case 4:
					m.trim = v != 0
				case 5:
					m.escape = v != 0
				}
				return err
			})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sentencepiece model: %w", err)
	}
	if model != spUnigram {
		return nil, fmt.Errorf("sentencepiece model: it is of type %d, this program reads unigram models (type %d)", model, spUnigram)
	}
	return m, m.finish()
}

// addPiece reads one piece, the next id.
func (m *SentencePiece) addPiece(b []byte) error {
	p := spPiece{kind: spNormal}
	if err := fields(b, func(num protowire.Number, v uint64, b []byte) error {
		switch num {
		case 1:
			p.text = string(b)
		case 2:
			p.score = math.Float32frombits(uint32(v))
		case 3:
			p.kind = v
		}
		return nil
	}); err != nil {
		return fmt.Errorf("piece %d: %w", len(m.pieces), err)
	}
	switch id := len(m.pieces); {
	case id == spMaxPieces:
		return fmt.Errorf("more than %d pieces", spMaxPieces)
	case p.text == "" || !utf8.ValidString(p.text):
		return fmt.Errorf("piece %d is empty or not UTF-8", id)
	case len(p.text) > spMaxPiece:
		return fmt.Errorf("piece %d has %d bytes, at most %d are taken", id, len(p.text), spMaxPiece)
	case p.score != p.score || math.IsInf(float64(p.score), 0):
		return fmt.Errorf("piece %d, %q: its score is not a number", id, p.text)
	case p.kind < spNormal || p.kind > spByte:
		return fmt.Errorf("piece %d, %q: kind %d is unknown", id, p.text, p.kind)
	}
	m.pieces = append(m.pieces, p)
	return nil
}

// finish makes what encoding needs.
func (m *SentencePiece) finish() error {
	m.least, m.most = float32(math.MaxFloat32), float32(-math.MaxFloat32)
	bytes := 0
	for id, p := range m.pieces {
		switch p.kind {
		case spUnknown:
			if m.unknown >= 0 {
				return fmt.Errorf("sentencepiece model: pieces %d and %d are both the unknown one", m.unknown, id)
			}
			m.unknown = int32(id)
		case spByte:
			if bytes == 0 {
				m.firstByte = int32(id)
			}
			if p.text != byteName(byte(bytes)) {
				return fmt.Errorf("sentencepiece model: piece %d is %q where byte %s is due", id, p.text, byteName(byte(bytes)))
			}
			bytes++
		case spNormal, spUserDefined, spUnused:
			if _, twice := m.ids[p.text]; twice {
				return fmt.Errorf("sentencepiece model: piece %d, %q, is there already", id, p.text)
			}
			m.ids[p.text] = int32(id)
			m.longest = max(m.longest, len(p.text))
			if p.kind == spUserDefined {
				m.defined[p.text] = true
				m.longestDefined = max(m.longestDefined, len(p.text))
			}
			if p.kind == spNormal {
				m.least, m.most = min(m.least, p.score), max(m.most, p.score)
			}
		}
	}
	switch {
	case m.unknown < 0:
		return errors.New("sentencepiece model: no unknown piece: the file is cut short or is something else")
	case m.byteBack && bytes != 256:
		return fmt.Errorf("sentencepiece model: %d pieces for bytes, want 256", bytes)
	}
	return nil
}

// byteName is the piece of a byte.
func byteName(b byte) string { return fmt.Sprintf("<0x%02X>", b) }

// fields calls f for each field of a protobuf message, with its number or its
// bytes.
func fields(b []byte, f func(num protowire.Number, v uint64, b []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("damaged or cut short: %w", protowire.ParseError(n))
		}
		b = b[n:]
		var v uint64
		var inner []byte
		switch typ {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var w uint32
			w, n = protowire.ConsumeFixed32(b)
			v = uint64(w)
		case protowire.BytesType:
			inner, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return fmt.Errorf("damaged or cut short: %w", protowire.ParseError(n))
		}
		b = b[n:]
		if err := f(num, v, inner); err != nil {
			return err
		}
	}
	return nil
}

// Pieces returns the size of the vocabulary: ids are 0 to Pieces()-1.
func (m *SentencePiece) Pieces() int { return len(m.pieces) }

// Piece returns the text of a piece, with U+2581 for a space.
func (m *SentencePiece) Piece(id int32) string { return m.pieces[id].text }

// Encode returns the ids of a text: the most probable segmentation of its
// normalised form, as the library's EncodeAsIds.
func (m *SentencePiece) Encode(s string) []int32 {
	s = m.normalize(s)
	var ids []int32
	for _, span := range m.best(s) {
		if span.id != m.unknown {
			ids = append(ids, span.id)
			continue
		}
		if m.byteBack {
			for _, b := range []byte(s[span.from:span.until]) {
				ids = append(ids, m.byteID(b))
			}
			continue
		}
		if len(ids) == 0 || ids[len(ids)-1] != m.unknown { // neighbours are one
			ids = append(ids, m.unknown)
		}
	}
	return ids
}

// Split returns the pieces of a text as the library's EncodeAsPieces does:
// those of the vocabulary, and what is unknown as it stands.
func (m *SentencePiece) Split(s string) []string {
	s = m.normalize(s)
	var pieces []string
	unknown := false // the last piece is
	for _, span := range m.best(s) {
		p := s[span.from:span.until]
		switch {
		case span.id != m.unknown:
			pieces, unknown = append(pieces, p), false
		case m.byteBack:
			for _, b := range []byte(p) {
				pieces = append(pieces, byteName(b))
			}
		case unknown: // neighbours are one
			pieces[len(pieces)-1] += p
		default:
			pieces, unknown = append(pieces, p), true
		}
	}
	return pieces
}

// surface is what a piece stands for inside a text.
func (m *SentencePiece) surface(piece string) string {
	var b byte
	if n, err := fmt.Sscanf(piece, "<0x%02X>", &b); m.byteBack && n == 1 && err == nil && piece == byteName(b) {
		return string([]byte{b})
	}
	return strings.ReplaceAll(piece, spSpace, " ")
}

// byteID is the id of a byte's piece; bytes have consecutive ids from the first.
func (m *SentencePiece) byteID(b byte) int32 {
	return m.firstByte + int32(b)
}

// span is a piece of a text, in bytes.
type span struct {
	id          int32
	from, until int
}

// unknownPenalty is how much less probable an unknown character is than the
// least probable piece.
const unknownPenalty = 10

// best is the Viterbi path through s. Sums are the library's: a score and a
// path's are added in float64, compared with a rounded one, then rounded.
func (m *SentencePiece) best(s string) []span {
	type node struct {
		id    int32
		from  int // -1 when nothing ends here
		score float32
	}
	ends := make([]node, len(s)+1)
	for i := range ends {
		ends[i].from = -1
	}
	reach := func(from, until int, id int32, score float64) {
		n := &ends[until]
		if total := score + float64(ends[from].score); n.from < 0 || total > float64(n.score) {
			*n = node{id, from, float32(total)}
		}
	}
	for from := 0; from < len(s); {
		_, char := utf8.DecodeRuneInString(s[from:])
		single := false
		for until := from + 1; until <= min(len(s), from+m.longest); until++ {
			id, ok := m.ids[s[from:until]]
			if !ok || m.pieces[id].kind == spUnused {
				continue
			}
			score := float64(m.pieces[id].score)
			if m.pieces[id].kind == spUserDefined { // always taken
				score = float64(float32(until-from)*m.most) - 0.1
			}
			reach(from, until, id, score)
			single = single || until-from == char
		}
		if !single {
			reach(from, from+char, m.unknown, float64(m.least-unknownPenalty))
		}
		from += char
	}
	var path []span
	for at := len(s); at > 0; at = ends[at].from {
		path = append(path, span{ends[at].id, ends[at].from, at})
	}
	slices.Reverse(path)
	return path
}

// Decode returns the text of ids. Control pieces and ids outside the
// vocabulary stand for nothing, an unknown piece for " ⁇ ".
func (m *SentencePiece) Decode(ids []int32) string {
	var b strings.Builder
	begun := false // what follows stands after the space before the text
	for _, id := range ids {
		if id < 0 || int(id) >= len(m.pieces) {
			continue
		}
		switch p := m.pieces[id]; p.kind {
		case spControl:
			continue
		case spUnknown:
			b.WriteString(" \u2047 ")
		case spByte:
			b.WriteByte(byte(id - m.byteID(0)))
		default:
			s := p.text
			if !begun && (m.prefix || m.trim) {
				s = strings.TrimPrefix(s, spSpace)
				begun = !m.trim && s != p.text
			}
			if m.escape {
				s = strings.ReplaceAll(s, spSpace, " ")
			}
			b.WriteString(s)
		}
		begun = begun || b.Len() > 0
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}
