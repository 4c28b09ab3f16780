package unit

import "github.com/alia-network/alia/protocol/block"

// Text is segments in order: the input and the output of a Translate unit.
type Text struct {
	_        struct{} `cbor:",toarray"`
	Version  uint16
	Segments []string
}

// Job is the record of a document to translate; its CID is the job's name,
// and keeps two customers' equal sentences apart.
type Job struct {
	_        struct{} `cbor:",toarray"`
	Version  uint16
	Customer [32]byte
	// Sequence tells a customer's jobs apart.
	Sequence uint64
	Model    block.Link
	Input    block.Link // Text: every segment of the document
	Decoding Decoding
}

// Decoding is how a text is decoded.
type Decoding struct {
	_ struct{} `cbor:",toarray"`
	// Beam is the hypotheses kept for a sentence; 1 is greedy.
	Beam uint16
	// LengthPPM is the exponent of the length penalty, in parts per million, at
	// most MaxLengthPPM: the score of a hypothesis is its log probability
	// divided by the so-manieth power of its length in tokens.
	LengthPPM uint32
}

// MaxLengthPPM keeps the powers of lengths within binary32.
const MaxLengthPPM = 10_000_000

// Greedy is the decoding of one hypothesis, the best piece at each step.
var Greedy = Decoding{Beam: 1, LengthPPM: 1_000_000}
