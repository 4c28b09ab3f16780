package ledger

import (
	"errors"
	"fmt"

	"github.com/alia-network/alia/protocol"
)

// Code says why a transaction, or one entry of a [Settle], was refused. A Code
// is an error; details are wrapped around it. The numbers are part of what
// validators agree on (LEDGER.md, section 12) and are never used again.
type Code uint32

// The codes.
const (
	OK                Code = iota
	Malformed              // the bytes are not a transaction
	WrongNetwork           // made for another network
	BadSignature           // a signature does not verify
	BadNonce               // not above the nonce of the account's last transaction
	BadExpiry              // expired, or expiring too far ahead
	FeeTooLow              // below the network's least fee
	InsufficientFunds      // the account or the escrow has less
	Already                // done before; nothing to do
	UnknownRun             // the run was never proposed
	UnknownEscrow          // the sender has no escrow for the job
	UnknownWork            // neither a run nor a job with an escrow of the accepting account
	NotApproved            // the run may not mint, or not yet
	NotCoordinator         // the sender or accepting account does not coordinate the run
	NotValidator           // the sender is not a validator
	_                      // 15 is not used again
	OverBudget             // would exceed the run's budget
	BadRound               // not the run's next round
	BadAmount              // an amount or a price is zero
	BadDeadline            // not in the future, or too far ahead
	NotDue                 // the escrow's deadline has not passed
	Mismatch               // attestation and accept do not agree
	TooLarge               // more entries or bytes than allowed
	Busy                   // too many proposals are open
)

var codeTexts = [...]string{
	OK:                "ok",
	Malformed:         "not a transaction",
	WrongNetwork:      "made for another network",
	BadSignature:      "signature does not verify",
	BadNonce:          "nonce is not above that of the account's last transaction",
	BadExpiry:         "expired, or expires too far ahead",
	FeeTooLow:         "fee is too low",
	InsufficientFunds: "insufficient funds",
	Already:           "already done",
	UnknownRun:        "the ledger does not know the run",
	UnknownEscrow:     "the account has no escrow for the job",
	UnknownWork:       "the work is neither a known run nor a job with an escrow",
	NotApproved:       "the validators have not approved the run",
	NotCoordinator:    "the account does not coordinate the run",
	NotValidator:      "the account is not a validator",
	OverBudget:        "over the run's budget",
	BadRound:          "not the run's next round",
	BadAmount:         "amount is zero",
	BadDeadline:       "deadline is not in the future, or is too far ahead",
	NotDue:            "the escrow's deadline has not passed",
	Mismatch:          "attestation and accept do not agree",
	TooLarge:          "too large",
	Busy:              "too many proposals are open",
}

// String returns a text for people.
func (c Code) String() string {
	if int(c) < len(codeTexts) && codeTexts[c] != "" {
		return codeTexts[c]
	}
	return fmt.Sprintf("code %d", uint32(c))
}

// Error makes a Code an error.
func (c Code) Error() string { return c.String() }

// codeReasons has the pairs of a Code and a [protocol.Reason] that mean the same.
// Peers refuse each other's records with a Reason; the ledger refuses transactions
// with a Code. Both functions below read the table.
var codeReasons = map[Code]protocol.Reason{
	Malformed:    protocol.Malformed,
	WrongNetwork: protocol.WrongNetwork,
	BadSignature: protocol.BadSignature,
	TooLarge:     protocol.TooLarge,
	UnknownRun:   protocol.UnknownWork,
	NotApproved:  protocol.NotApproved,
	OverBudget:   protocol.OverBudget,
}

// ReasonOf returns the reason that means the same as the Code in err's chain. It
// returns [protocol.Unspecified] if err has no Code, or no reason means the same.
func ReasonOf(err error) protocol.Reason {
	var c Code
	if !errors.As(err, &c) {
		return protocol.Unspecified
	}
	return codeReasons[c] // the zero Reason is Unspecified
}

// codeOf returns the Code that an error wraps. For an error without a Code it
// returns the Code that means the same as the error's reason, or else Malformed.
func codeOf(err error) Code {
	var c Code
	if err == nil || errors.As(err, &c) {
		return c
	}
	reason := protocol.ReasonOf(err)
	for code, r := range codeReasons { // order-free: reasons differ
		if r == reason {
			return code
		}
	}
	return Malformed
}

// Refusal is an error that wraps a Code. Its text is complete without the text of
// the Code.
type Refusal struct {
	Code Code
	Text string
}

// Error returns the text.
func (r *Refusal) Error() string { return r.Text }

// Unwrap returns the Code.
func (r *Refusal) Unwrap() error { return r.Code }

// alia writes an amount for an error message.
func alia(amount uint64) string {
	return protocol.FormatAmount(amount) + " ALIA"
}
