package unit

import (
	"errors"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
)

// Defect says why a unit has no outputs. It is a function of the unit: every
// machine finds the same one.
type Defect uint16

const (
	// NonFinite: an output holds a NaN or an infinity, whose bits differ
	// between processors.
	NonFinite Defect = iota + 1
)

// Result is the result of a unit: PROTOCOL.md, section 8.2. An attestation signs
// its CID.
type Result struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Unit    block.Link
	// Defect, unless 0, is why there are no outputs, and Detail where it arose.
	Defect Defect
	Detail string
	// Outputs are those that the unit's kind says, in that order.
	Outputs []block.Link
	// Loss and NLL are sums over Tokens target tokens, as bits of binary32:
	// label-smoothed cross-entropy and negative log-likelihood, in nats. They are
	// 0 for units that neither learn nor evaluate.
	Loss, NLL uint32
	// Tokens is the target tokens read, or those that Translate wrote.
	Tokens uint32
	// Cost is the canonical cost of the unit's operations, in FLOP.
	Cost uint64
}

// maxOutputs is the most outputs of any kind.
const maxOutputs = 4

// MaxDetail bounds the detail of a defect, in bytes.
const MaxDetail = 1024

// ParseResult reads a result from its canonical bytes, which a peer may have
// sent. [Fits] checks it against its unit.
func ParseResult(data []byte) (Result, error) {
	var r Result
	if err := block.Decode(data, &r); err != nil {
		return Result{}, fmt.Errorf("result: %w", err)
	}
	if err := CheckVersion("result", r.Version); err != nil {
		return Result{}, err
	}
	switch {
	case !r.Unit.Defined():
		return Result{}, errors.New("result: no unit")
	case len(r.Outputs) > maxOutputs:
		return Result{}, fmt.Errorf("result: %d outputs, want at most %d", len(r.Outputs), maxOutputs)
	case len(r.Detail) > MaxDetail || r.Defect == 0 && r.Detail != "":
		return Result{}, fmt.Errorf("result: %d bytes of detail", len(r.Detail))
	case r.Defect > NonFinite:
		return Result{}, fmt.Errorf("result: defect %d is unknown", r.Defect)
	}
	return r, nil
}

// MFLOP is the cost as attestations and the ledger count it: in millions of
// operations, rounded up.
func (r Result) MFLOP() uint64 { return (r.Cost + 999_999) / 1_000_000 }

// Fits checks that r is a result of u, with as many outputs as u's kind has.
func Fits(u Unit, r Result) error {
	if want := u.Kind.Outputs(); r.Unit != u.ID() || len(r.Outputs) != want {
		return fmt.Errorf("%s unit %s: the result is of unit %s with %d outputs, want %d", u.Kind, u.ID(), r.Unit, len(r.Outputs), want)
	}
	return nil
}

// ErrDefect is wrapped by the error of a result that has a defect. Every machine
// would find the same defect, so the run or job cannot continue as configured.
var ErrDefect = errors.New("the result holds a NaN or an infinity")

// Err is nil for a result without a defect. For a defect it is an
// [ErrDefect] that says where in the run, and where in the unit, the defect arose.
func (r Result) Err(u Unit) error {
	if r.Defect == 0 {
		return nil
	}
	return fmt.Errorf("%s unit %d of round %d, %s: %s: %w: lower the learning rate", u.Kind, u.Index, u.Round, u.ID(), r.Detail, ErrDefect)
}
