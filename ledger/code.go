package ledger

import (
	"errors"
	"fmt"

	"github.com/alia-network/alia/protocol"
)

// Code says why a transaction was refused. A Code is an error; details are
// wrapped around it. The numbers are part of what validators agree on
// (LEDGER.md, section 12) and are never used again.
type Code uint32

// The codes. Number 15 was used before the first public network.
const (
	OK                Code = iota
	Malformed              // the bytes are not a transaction
	WrongNetwork           // made for another network
	BadSignature           // a signature does not verify
	BadNonce               // not above the nonce of the account's last transaction
	BadExpiry              // expired, or expiring too far ahead
	FeeTooLow              // below the price of the gas
	InsufficientFunds      // the account or the escrow has less
	Already                // done before; nothing to do
	UnknownRun             // the account has no such run
	UnknownEscrow          // the customer has no escrow for the job
	_                      // 11 was used before the first public network
	NotApproved            // the run may not mint, or not yet
	NotCoordinator         // the account does not coordinate the run
	NotValidator           // the sender is not a validator
	_                      // 15
	OverBudget             // would exceed the run's plan
	BadRound               // not the run's next round
	BadAmount              // an amount or a price is zero
	BadDeadline            // not in the future, or too far ahead
	NotDue                 // it is too early
	Mismatch               // the parts do not agree, or are not what was approved
	TooLarge               // more entries or bytes than allowed
	Busy                   // too many of a kind are open
	NoStake                // less is locked than must be
	BadPayout              // the account cannot be a payout
	Retired                // the account's key was replaced
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
	UnknownRun:        "the account has no such run on the ledger",
	UnknownEscrow:     "the account has no escrow for the job",
	NotApproved:       "the validators have not approved the run",
	NotCoordinator:    "the account does not coordinate the run",
	NotValidator:      "the account is not a validator",
	OverBudget:        "over what was approved for the run",
	BadRound:          "not the run's next round",
	BadAmount:         "amount is zero",
	BadDeadline:       "deadline is not in the future, or is too far ahead",
	NotDue:            "too early",
	Mismatch:          "the parts do not agree",
	TooLarge:          "too large",
	Busy:              "too many are open",
	NoStake:           "too little is locked",
	BadPayout:         "the account cannot be a payout",
	Retired:           "the account's key was replaced",
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
