package ledger

import "fmt"

// Code says why a transaction or an entry of a settlement was refused. It is
// an error; details are wrapped around it. Numbers are part of the protocol:
// LEDGER.md, section 12.
type Code uint32

// The codes.
const (
	OK                Code = iota
	Malformed              // the bytes are not a transaction
	WrongNetwork           // made for another network
	BadSignature           // a signature does not verify
	BadNonce               // not above the account's last nonce
	BadExpiry              // expired, or expiring too far ahead
	FeeTooLow              // below the network's least fee
	InsufficientFunds      // the account or the escrow holds less
	Already                // done before; nothing to do
	UnknownRun             // no run of that name
	UnknownEscrow          // no escrow of that job and customer
	UnknownWork            // neither a run nor a job with an escrow of the accepting account
	NotApproved            // the run may not mint, or not yet
	NotCoordinator         // not the run's coordinator
	NotValidator           // not a validator's account
	NotSilent              // the run's coordinator is not silent long enough
	OverBudget             // would exceed the run's budget
	BadRound               // not the run's next round
	BadAmount              // zero, or too large
	BadDeadline            // not in the future, or too far
	NotDue                 // the escrow's deadline is not past
	Mismatch               // attestation and accept speak of different things
	TooLarge               // more entries or bytes than allowed
	Busy                   // too many proposals are open
)

var codeTexts = [...]string{
	OK:                "ok",
	Malformed:         "not a transaction",
	WrongNetwork:      "made for another network",
	BadSignature:      "signature does not verify",
	BadNonce:          "nonce is not above the account's last",
	BadExpiry:         "expired, or expires too far ahead",
	FeeTooLow:         "fee is too low",
	InsufficientFunds: "insufficient funds",
	Already:           "already done",
	UnknownRun:        "unknown run",
	UnknownEscrow:     "unknown escrow",
	UnknownWork:       "unknown work: no such run, and no escrow for such a job",
	NotApproved:       "run is not approved",
	NotCoordinator:    "not the run's coordinator",
	NotValidator:      "not a validator",
	NotSilent:         "the run's coordinator is not silent long enough",
	OverBudget:        "over the run's budget",
	BadRound:          "not the run's next round",
	BadAmount:         "amount is zero or too large",
	BadDeadline:       "deadline is not in the future, or too far",
	NotDue:            "the escrow's deadline is not past",
	Mismatch:          "attestation and accept do not agree",
	TooLarge:          "too large",
	Busy:              "too many open proposals",
}

// String returns a readable text.
func (c Code) String() string {
	if int(c) < len(codeTexts) {
		return codeTexts[c]
	}
	return fmt.Sprintf("code %d", uint32(c))
}

// Error makes a Code an error.
func (c Code) Error() string { return c.String() }
