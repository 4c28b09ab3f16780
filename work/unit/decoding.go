package unit

import (
	"fmt"

	"github.com/alia-network/alia/protocol/block"
)

// Decoding is the settings of the search for a translation.
//
// A decoding without NoRepeat and RepetitionPPM is a record of two fields, as it was before
// there were these two.
type Decoding struct {
	_ struct{} `cbor:",toarray"`
	// Beam is the hypotheses kept for a sentence, at most [MaxBeam]; 1 is greedy.
	Beam uint16
	// LengthPPM is the exponent of the length penalty, in parts per million, at
	// most [MaxLengthPPM]. A hypothesis scores its log probability divided by its
	// length in tokens to the power of LengthPPM/1e6.
	LengthPPM uint32
	// NoRepeat is the size of the n-grams of tokens that no translation has twice, at most
	// [MaxNoRepeat]; 0 lets all repeat.
	NoRepeat uint16
	// RepetitionPPM is the repetition penalty, in parts per million: more than a million, and
	// at most [MaxRepetitionPPM]; 0 is no penalty. The logit of a token that the translation
	// has already is divided by it, or multiplied where it is not positive (Keskar et al.,
	// 2019, "CTRL", arXiv 1909.05858, section 4.1).
	RepetitionPPM uint32
}

// The limits of a decoding from outside.
const (
	// MaxBeam bounds the memory and the time that a unit can ask for.
	MaxBeam = 8
	// MaxLengthPPM keeps the powers of lengths within binary32.
	MaxLengthPPM = 10_000_000
	// MaxNoRepeat is more than any repetition that a search should end.
	MaxNoRepeat = 64
	// MaxRepetitionPPM keeps logits within binary32.
	MaxRepetitionPPM = 10_000_000
)

// million is a penalty of 1, which changes nothing.
const million = 1_000_000

// Greedy is the decoding of one hypothesis, the best piece at each step.
var Greedy = Decoding{Beam: 1, LengthPPM: million}

// Validate returns an error if no search has these settings. A setting that changes nothing
// has one form: 0.
func (d Decoding) Validate() error {
	switch {
	case d.Beam < 1 || d.Beam > MaxBeam:
		return fmt.Errorf("beam %d, want 1 to %d", d.Beam, MaxBeam)
	case d.LengthPPM > MaxLengthPPM:
		return fmt.Errorf("a length penalty of %d parts per million, want at most %d", d.LengthPPM, MaxLengthPPM)
	case d.NoRepeat > MaxNoRepeat:
		return fmt.Errorf("no repeated n-gram of %d tokens, want at most %d", d.NoRepeat, MaxNoRepeat)
	case d.RepetitionPPM != 0 && (d.RepetitionPPM <= million || d.RepetitionPPM > MaxRepetitionPPM):
		return fmt.Errorf("a repetition penalty of %d parts per million, want 0 for none, or more than %d and at most %d", d.RepetitionPPM, million, MaxRepetitionPPM)
	}
	return nil
}

// Same reports whether two decodings are one function of a text. Greedy search has no
// length penalty.
func (d Decoding) Same(other Decoding) bool {
	if d.Beam == 1 && other.Beam == 1 {
		d.LengthPPM = other.LengthPPM
	}
	return d == other
}

// shortDecoding is the record of a decoding that lets all repeat.
type shortDecoding struct {
	_         struct{} `cbor:",toarray"`
	Beam      uint16
	LengthPPM uint32
}

// longDecoding is the record of any other.
type longDecoding struct {
	_             struct{} `cbor:",toarray"`
	Beam          uint16
	LengthPPM     uint32
	NoRepeat      uint16
	RepetitionPPM uint32
}

// MarshalCBOR is the encoding of an array: of two fields if the other two are zero, and else
// of four.
func (d Decoding) MarshalCBOR() ([]byte, error) {
	if d.NoRepeat == 0 && d.RepetitionPPM == 0 {
		return block.Encode(shortDecoding{Beam: d.Beam, LengthPPM: d.LengthPPM})
	}
	return block.Encode(longDecoding{Beam: d.Beam, LengthPPM: d.LengthPPM, NoRepeat: d.NoRepeat, RepetitionPPM: d.RepetitionPPM})
}

// UnmarshalCBOR reads an array.
func (d *Decoding) UnmarshalCBOR(data []byte) error {
	n, err := block.Len(data)
	if err != nil {
		return err
	}
	if n == 2 {
		var s shortDecoding
		err := block.Decode(data, &s)
		*d = Decoding{Beam: s.Beam, LengthPPM: s.LengthPPM}
		return err
	}
	var l longDecoding
	err = block.Decode(data, &l)
	*d = Decoding{Beam: l.Beam, LengthPPM: l.LengthPPM, NoRepeat: l.NoRepeat, RepetitionPPM: l.RepetitionPPM}
	return err
}
