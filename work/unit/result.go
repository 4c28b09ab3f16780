package unit

import (
	"errors"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
)

// Fault says why a unit has no bytes to show.
type Defect uint16

const (
	// NonFinite: an output holds a NaN or an infinity, whose bits differ between processors.
	NonFinite Defect = iota + 1
)

// Result is what a unit gives: PROTOCOL.md, section 8.2. Its CID is what an
// attestation signs.
type Result struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Unit    block.Link
	// Fault, unless 0, is why there are no outputs, and Detail where it arose.
	Defect Defect
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
const MaxDetail = 1024

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
	case len(r.Detail) > MaxDetail || r.Defect == 0 && r.Detail != "":
		return Result{}, fmt.Errorf("result: %d bytes of detail", len(r.Detail))
	case r.Defect > NonFinite:
		return Result{}, fmt.Errorf("result: fault %d is unknown", r.Defect)
	}
	return r, nil
}

// MFLOP is the cost in the unit attestations and the ledger count in, rounded up.
func (r Result) MFLOP() uint64 { return (r.Cost + 999_999) / 1_000_000 }

// Fits checks that a result has the outputs its unit's kind gives.
func Fits(u Unit, r Result) error {
	if r.Unit != u.ID() || len(r.Outputs) != kinds[u.Kind].outputs {
		return fmt.Errorf("%s unit %s: the result is of unit %s with %d outputs", u.Kind, u.ID(), r.Unit, len(r.Outputs))
	}
	return nil
}

// ErrFault is wrapped when a unit's own result is a fault, which every
// machine would find again: the run cannot go on as configured.
var ErrDefect = errors.New("the result is not finite: lower the learning rate")

// faulty is the [ErrFault] of a unit: where in the run, of what, and where in it.
func Faulty(u Unit, r Result) error {
	return fmt.Errorf("%s unit %d of round %d, %s: %s: %w", u.Kind, u.Index, u.Round, u.ID(), r.Detail, ErrDefect)
}
