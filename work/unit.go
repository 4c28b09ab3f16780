package work

import (
	"errors"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
)

// Kind says what a unit computes.
type Kind uint16

const (
	// Gradient is the gradient of a step's batches, quantised: parameters, batches -> delta.
	Gradient Kind = iota + 1
	// Combine is the next state of a run: parameters, first and second moments,
	// the outputs of the round's units in index order -> parameters, moments, update.
	Combine
	// Evaluate is the loss of one batch without dropout: parameters, batch -> nothing but sums.
	Evaluate
	// Translate is a slice of a document: model, text -> text.
	Translate
	// Steps is a worker's steps of a round, quantised: parameters, second moment,
	// batches -> delta, second moment.
	Steps
	// Average is the mean of parameters: sets of them -> parameters.
	Average
)

// kinds is, by kind, the name that reports and logs have, the least inputs and
// the most, and the outputs of a unit whose result is no fault.
var kinds = map[Kind]struct {
	name        string
	least, most int
	outputs     int
}{
	Gradient:  {"gradient", 2, 1 + maxMany, 1},
	Combine:   {"combine", 4, 3 + 2*maxMany, 4},
	Evaluate:  {"evaluate", 2, 2, 0},
	Translate: {"translate", 2, 2, 1},
	Steps:     {"steps", 3, 2 + maxMany, 2},
	Average:   {"average", 1, maxMany, 1},
}

// maxMany bounds, in a unit from outside, what there may be many of: batches,
// workers, sets.
const maxMany = 4096

// String gives the kind's name as reports and logs have it.
func (k Kind) String() string {
	if row, ok := kinds[k]; ok {
		return row.name
	}
	return fmt.Sprintf("kind %d", uint16(k))
}

// Unit is what is leased to a miner: a pure function of content-addressed
// inputs. Its CID is its name. It names no miner, no publisher and no time.
type Unit struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Kind    Kind
	// Work is what the unit belongs to: the record of the run ([Run]), or of
	// the customer's job ([Job]).
	Work block.Link
	// Round and Index place the unit in its run; Index is its slice of a document.
	Round, Index uint32
	// Inputs are what Kind lists, in that order.
	Inputs []block.Link
	// Base and Update, when set, are another road to Inputs[0]: the
	// parameters of the round before, and the quantised step from them. A
	// worker that holds Base fetches Update, a quarter of the bytes or less,
	// and must arrive at the same CID.
	Base, Update block.Link
	// Decoding is how Translate decodes; zero for the other kinds.
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

// ParseUnit reads a unit from its canonical bytes, which a peer may have sent.
func ParseUnit(spec []byte) (Unit, error) {
	var u Unit
	if err := block.Decode(spec, &u); err != nil {
		return Unit{}, fmt.Errorf("unit: %w", err)
	}
	return u, u.validate()
}

func (u Unit) validate() error {
	row, known := kinds[u.Kind]
	switch {
	case u.Version != 1:
		return fmt.Errorf("unit: version %d, this program knows 1", u.Version)
	case !known:
		return fmt.Errorf("unit: %s is unknown", u.Kind)
	case len(u.Inputs) < row.least || len(u.Inputs) > row.most:
		return fmt.Errorf("unit: %d inputs for %s", len(u.Inputs), u.Kind)
	case !u.Work.Defined():
		return errors.New("unit: it belongs to no run and no job")
	case u.Kind == Translate && (u.Decoding.Beam < 1 || u.Decoding.Beam > 8):
		return fmt.Errorf("unit: beam %d, want 1 to 8", u.Decoding.Beam)
	case u.Decoding.LengthPPM > MaxLengthPPM:
		return fmt.Errorf("unit: a length penalty of %d parts per million, want at most %d", u.Decoding.LengthPPM, MaxLengthPPM)
	case u.Kind != Translate && u.Decoding != Decoding{}:
		return fmt.Errorf("unit: %s with a decoding", u.Kind)
	case u.Base.Defined() != u.Update.Defined():
		return errors.New("unit: a base without an update, or the other way round")
	}
	for i, in := range u.Inputs {
		if !in.Defined() {
			return fmt.Errorf("unit: input %d is missing", i)
		}
	}
	return nil
}

// Spec is the unit's canonical bytes.
func (u Unit) Spec() []byte {
	b, err := block.Encode(u)
	if err != nil {
		panic("work: a unit that cannot be encoded: " + err.Error())
	}
	return b
}

// ID is the unit's name, the CID of its spec.
func (u Unit) ID() block.Link { return block.Link{Cid: block.Sum(block.CBOR, u.Spec())} }

// Fault says why a unit has no bytes to show.
type Fault uint16

const (
	// NonFinite: an output holds a NaN or an infinity, whose bits differ between processors.
	NonFinite Fault = iota + 1
)

// Result is what a unit gives. Its CID is what an attestation signs.
type Result struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Unit    block.Link
	// Fault, unless 0, is why there are no outputs, and Detail where it arose.
	Fault  Fault
	Detail string
	// Outputs are what the unit's kind lists, in that order.
	Outputs []block.Link
	// Loss and NLL are the bits of sums over Tokens target tokens: label-smoothed
	// cross-entropy and negative log-likelihood, in nats. Zero where nothing is learnt or measured.
	Loss, NLL uint32
	// Tokens is the target tokens read, or for Translate written.
	Tokens uint32
	// Cost is the canonical cost of the unit's operations, in FLOP.
	Cost uint64
}

// maxDetail bounds the detail of a fault, in bytes.
const maxDetail = 1024

// ParseResult reads a result from its canonical bytes.
func ParseResult(data []byte) (Result, error) {
	var r Result
	if err := block.Decode(data, &r); err != nil {
		return Result{}, fmt.Errorf("result: %w", err)
	}
	switch {
	case r.Version != 1:
		return Result{}, fmt.Errorf("result: version %d, this program knows 1", r.Version)
	case !r.Unit.Defined():
		return Result{}, errors.New("result: no unit")
	case len(r.Outputs) > 4:
		return Result{}, fmt.Errorf("result: %d outputs", len(r.Outputs))
	case len(r.Detail) > maxDetail || r.Fault == 0 && r.Detail != "":
		return Result{}, fmt.Errorf("result: %d bytes of detail", len(r.Detail))
	case r.Fault > NonFinite:
		return Result{}, fmt.Errorf("result: fault %d is unknown", r.Fault)
	}
	return r, nil
}

// MFLOP is the cost in the unit attestations and the ledger count in, rounded up.
func (r Result) MFLOP() uint64 { return (r.Cost + 999_999) / 1_000_000 }
