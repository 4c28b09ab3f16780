package unit

// Decoding is the settings of the search for a translation.
type Decoding struct {
	_ struct{} `cbor:",toarray"`
	// Beam is the hypotheses kept for a sentence, at most [MaxBeam]; 1 is greedy.
	Beam uint16
	// LengthPPM is the exponent of the length penalty, in parts per million, at
	// most [MaxLengthPPM]. A hypothesis scores its log probability divided by its
	// length in tokens to the power of LengthPPM/1e6.
	LengthPPM uint32
}

// The limits of a decoding from outside.
const (
	// MaxBeam bounds the memory and the time that a unit can ask for.
	MaxBeam = 8
	// MaxLengthPPM keeps the powers of lengths within binary32.
	MaxLengthPPM = 10_000_000
)

// Greedy is the decoding of one hypothesis, the best piece at each step.
var Greedy = Decoding{Beam: 1, LengthPPM: 1_000_000}
