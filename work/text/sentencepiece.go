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

// SentencePiece is a model in the file format of Google's SentencePiece (Kudo and Richardson,
// 2018), of any of its types: unigram, BPE, words or characters. The public OPUS-MT models have one for each language. Its ids are those
// of Google's library. A SentencePiece does not change after it was made, and several
// goroutines may use it at once.
type SentencePiece struct {
	pieces  []spPiece
	ids     map[string]int32 // of the pieces that a text may have
	longest int              // length of the longest of them, in bytes
	unknown int32            // the id of the unknown piece
	kind    uint64           // the model's type
	surface string           // what Decode writes for the unknown piece
	least   float32          // the lowest score of a normal piece
	most    float32          // and the highest, at least 2^-126

	rules    charsMap        // normalisation
	prefix   bool            // a space is put in front of the text
	suffix   bool            // this space is put behind the text instead
	trim     bool            // white space at the ends is removed, and runs of it become one space
	escape   bool            // a space is written as U+2581
	byteBack bool            // unknown characters become the pieces of their bytes
	defined  map[string]bool // the user-defined pieces, which are never divided

	longestDefined int   // length of the longest user-defined piece, in bytes
	firstByte      int32 // the id of the piece of byte 0
}

// spPiece is one piece of the vocabulary.
type spPiece struct {
	text  string
	score float32 // log-probability
	kind  uint64
}

// The kinds of pieces, with their numbers in sentencepiece_model.proto.
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
	// The types of models, with their numbers in sentencepiece_model.proto.
	spUnigram = 1
	spBPE     = 2
	spWord    = 3
	spChar    = 4
	// The limits of a model file and of the text that a normalisation rule writes, in bytes,
	// and of the vocabulary.
	spMaxFile   = 64 << 20
	spMaxTarget = 1 << 10
	spMaxPieces = 1 << 18
	// The limits of a piece (and of the text that a normalisation rule reads) and of a
	// normalised text, in bytes. With them no model of a stranger makes the work grow faster
	// than the text. Text beyond the limit is left out.
	spMaxPiece = 1 << 8
	spMaxText  = 1 << 16
)

// ParseSentencePiece reads a model file. It returns an error when the file is damaged, cut short,
// or of a type that the library does not have.
func ParseSentencePiece(data []byte) (*SentencePiece, error) {
	if len(data) > spMaxFile {
		return nil, fmt.Errorf("sentencepiece model: it has %d bytes, the limit is %d", len(data), spMaxFile)
	}
	m := &SentencePiece{
		ids: map[string]int32{}, unknown: -1, kind: spUnigram, surface: " \u2047 ", defined: map[string]bool{}, prefix: true, trim: true, escape: true,
	}
	// The fields that are read, by their numbers in sentencepiece_model.proto. The values
	// above and here are the defaults there.
	err := fields(data, func(num protowire.Number, v uint64, b []byte) error {
		switch num {
		case 1:
			return m.addPiece(b)
		case 2: // trainer_spec
			return fields(b, func(num protowire.Number, v uint64, b []byte) error {
				switch num {
				case 3:
					m.kind = v
				case 44:
					m.surface = string(b)
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
	if m.kind < spUnigram || m.kind > spChar || !utf8.ValidString(m.surface) || len(m.surface) > spMaxPiece {
		return nil, fmt.Errorf("sentencepiece model: its type is %d, want %d (unigram) to %d (characters), "+
			"or its text for unknown pieces is damaged", m.kind, spUnigram, spChar)
	}
	return m, m.finish()
}

// addPiece reads one piece. Its id is the number of pieces before.
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
		return fmt.Errorf("there are more than %d pieces", spMaxPieces)
	case p.text == "" || !utf8.ValidString(p.text):
		return fmt.Errorf("piece %d is empty or not UTF-8", id)
	case len(p.text) > spMaxPiece:
		return fmt.Errorf("piece %d has %d bytes, the limit is %d", id, len(p.text), spMaxPiece)
	case p.score != p.score || math.IsInf(float64(p.score), 0):
		return fmt.Errorf("piece %d, %q: its score is not a finite number", id, p.text)
	case p.kind < spNormal || p.kind > spByte:
		return fmt.Errorf("piece %d, %q: kind %d is unknown", id, p.text, p.kind)
	}
	m.pieces = append(m.pieces, p)
	return nil
}

// finish checks the pieces together and fills the fields that encoding needs.
func (m *SentencePiece) finish() error {
	// The library begins with the smallest positive number of binary32, FLT_MIN, where the
	// most negative was meant. So no highest score is below it, and user-defined pieces of
	// any length have scores of about -0.1.
	m.least, m.most = float32(math.MaxFloat32), 0x1p-126
	bytes := 0
	for id, p := range m.pieces {
		switch p.kind {
		case spUnknown:
			if m.unknown >= 0 {
				return fmt.Errorf("sentencepiece model: pieces %d and %d are both the unknown piece", m.unknown, id)
			}
			m.unknown = int32(id)
		case spByte:
			// The pieces of bytes come in the sequence of the bytes.
			if bytes == 0 {
				m.firstByte = int32(id)
			}
			if p.text != byteName(byte(bytes)) {
				return fmt.Errorf("sentencepiece model: piece %d is %q, want byte %s",
					id, p.text, byteName(byte(bytes)))
			}
			bytes++
		// Control pieces are missing from m.ids, so no text can contain them.
		case spNormal, spUserDefined, spUnused:
			if _, twice := m.ids[p.text]; twice {
				return fmt.Errorf("sentencepiece model: piece %d, %q, occurs twice", id, p.text)
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
		return errors.New("sentencepiece model: the unknown piece is missing: the file is cut short, or not a model")
	case m.byteBack && bytes != 256:
		return fmt.Errorf("sentencepiece model: there are %d pieces for bytes, want 256", bytes)
	}
	return nil
}

// byteName is the text of a byte's piece.
func byteName(b byte) string { return fmt.Sprintf("<0x%02X>", b) }

// fields calls f for each field of a protobuf message: with v for a number, with b for bytes.
func fields(b []byte, f func(num protowire.Number, v uint64, b []byte) error) error {
	for len(b) > 0 {
		// A negative length is protowire's error code.
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
		default: // skipped
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

// Pieces returns the size of the vocabulary. Ids are 0 to Pieces()-1.
func (m *SentencePiece) Pieces() int { return len(m.pieces) }

// Piece returns the text of a piece, in which a space is U+2581.
func (m *SentencePiece) Piece(id int32) string { return m.pieces[id].text }

// Encode returns the ids of a text, as EncodeAsIds of Google's library: the pieces of its
// normalised form, by a unigram model those of the most probable segmentation.
func (m *SentencePiece) Encode(s string) []int32 {
	s = m.normalize(s)
	var ids []int32
	for _, span := range m.segment(s) {
		if span.id != m.unknown {
			ids = append(ids, span.id)
			continue
		}
		// An unknown character: its bytes, if the model has pieces for them.
		if m.byteBack {
			for _, b := range []byte(s[span.from:span.until]) {
				ids = append(ids, m.byteID(b))
			}
			continue
		}
		if len(ids) == 0 || ids[len(ids)-1] != m.unknown { // adjacent unknown characters become one id
			ids = append(ids, m.unknown)
		}
	}
	return ids
}

// Split returns the pieces of a text, as EncodeAsPieces of Google's library: pieces of the
// vocabulary, and unknown characters unchanged.
func (m *SentencePiece) Split(s string) []string {
	s = m.normalize(s)
	var pieces []string
	unknown := false // the last piece is unknown
	for _, span := range m.segment(s) {
		p := s[span.from:span.until]
		switch {
		case span.id != m.unknown:
			pieces, unknown = append(pieces, p), false
		case m.byteBack:
			for _, b := range []byte(p) {
				pieces = append(pieces, byteName(b))
			}
		case unknown: // adjacent unknown characters become one piece
			pieces[len(pieces)-1] += p
		default:
			pieces, unknown = append(pieces, p), true
		}
	}
	return pieces
}

// writes reports whether a piece may be part of a text.
func (m *SentencePiece) writes(piece string) bool {
	if id, ok := m.ids[piece]; ok {
		return m.pieces[id].kind != spUnused
	}
	var b byte
	n, err := fmt.Sscanf(piece, "<0x%02X>", &b)
	return m.byteBack && n == 1 && err == nil && piece == byteName(b)
}

// written is the text that a piece means inside a text.
func (m *SentencePiece) written(piece string) string {
	var b byte
	if n, err := fmt.Sscanf(piece, "<0x%02X>", &b); m.byteBack && n == 1 && err == nil && piece == byteName(b) {
		return string([]byte{b})
	}
	return strings.ReplaceAll(piece, spSpace, " ")
}

// byteID is the id of a byte's piece.
func (m *SentencePiece) byteID(b byte) int32 {
	return m.firstByte + int32(b)
}

// span is a piece of a text: the bytes from to until-1.
type span struct {
	id          int32
	from, until int
}

// segment divides a normalised text.
func (m *SentencePiece) segment(s string) []span {
	switch m.kind {
	case spBPE:
		return m.bpe(s)
	case spWord:
		return m.words(s)
	case spChar:
		return m.chars(s)
	}
	return m.best(s)
}

// unknownPenalty is the difference between the score of an unknown character and the lowest score
// of a normal piece.
const unknownPenalty = 10

// best returns the segmentation of s with the highest sum of scores, by the Viterbi algorithm. The
// sums are rounded as in Google's library: a score is added in float64, compared with a sum
// in float32, and then rounded.
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
	// reach offers a piece that ends at until; the best one stays.
	reach := func(from, until int, id int32, score float64) {
		n := &ends[until]
		if total := score + float64(ends[from].score); n.from < 0 || total > float64(n.score) {
			*n = node{id, from, float32(total)}
		}
	}
	for from := 0; from < len(s); {
		// Every piece of the vocabulary that begins here.
		_, char := utf8.DecodeRuneInString(s[from:])
		single := false
		for until := from + 1; until <= min(len(s), from+m.longest); until++ {
			id, ok := m.ids[s[from:until]]
			if !ok || m.pieces[id].kind == spUnused {
				continue
			}
			score := float64(m.pieces[id].score)
			// A user-defined piece gets a score that few other segmentations reach.
			if m.pieces[id].kind == spUserDefined {
				score = float64(float32(until-from)*m.most) - 0.1
			}
			reach(from, until, id, score)
			single = single || until-from == char
		}
		// Without a piece for the character alone, it is unknown.
		if !single {
			reach(from, from+char, m.unknown, float64(m.least-unknownPenalty))
		}
		from += char
	}
	// Back from the end, along the best pieces.
	var path []span
	for at := len(s); at > 0; at = ends[at].from {
		path = append(path, span{ends[at].id, ends[at].from, at})
	}
	slices.Reverse(path)
	return path
}

// Decode returns the text of ids. It ignores control pieces and ids outside the vocabulary, and
// writes the model's unk_surface for the unknown piece, which is " ⁇ " in most models.
func (m *SentencePiece) Decode(ids []int32) string {
	var b strings.Builder
	begun := false // the space in front of the text has been passed
	for _, id := range ids {
		if id < 0 || int(id) >= len(m.pieces) {
			continue
		}
		switch p := m.pieces[id]; p.kind {
		case spControl:
			continue
		case spUnknown:
			b.WriteString(m.surface)
		case spByte:
			b.WriteByte(byte(id - m.byteID(0)))
		default:
			// The space that encoding put in front is removed.
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
