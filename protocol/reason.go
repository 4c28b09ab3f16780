package protocol

import (
	"errors"
	"fmt"
)

// Reason says why something was refused, failed or is not to be had. It travels
// in Reject, Cancel and Idle, and names the counters of rejections.
type Reason uint16

// The reasons. Numbers are part of the protocol and are never reused.
const (
	Unspecified Reason = 0

	// What was received is wrong in itself.
	Malformed    Reason = 1
	TooLarge     Reason = 2
	WrongVersion Reason = 3
	WrongNetwork Reason = 4
	BadSignature Reason = 5
	WrongAccount Reason = 6
	BadBlock     Reason = 7

	// It does not fit what the receiver knows.
	Expired       Reason = 20
	Duplicate     Reason = 21
	RateLimited   Reason = 22
	UnknownRun    Reason = 23
	UnknownJob    Reason = 24
	UnknownOffer  Reason = 25
	UnknownUnit   Reason = 26
	NotLeased     Reason = 27
	LeaseExpired  Reason = 28
	Superseded    Reason = 29
	CostMismatch  Reason = 30
	PriceTooHigh  Reason = 31
	WrongSoftware Reason = 32
	Full          Reason = 33

	// The work went wrong.
	UnitFailed        Reason = 40
	ResultMismatch    Reason = 41
	ResultUnavailable Reason = 42
	InputUnavailable  Reason = 43
	NonFinite         Reason = 44
	Conformance       Reason = 45
	OutOfMemory       Reason = 46
	PeerGone          Reason = 47
	TimedOut          Reason = 48

	// There is no unit for a miner now.
	NoOpenUnits  Reason = 60
	OverInFlight Reason = 61
	NoCredit     Reason = 62
	TooSlow      Reason = 63
	BackedOff    Reason = 64
	WorkEnded    Reason = 65
	Draining     Reason = 66
	NoOffer      Reason = 67

	// The ledger says so.
	ChainUnreachable Reason = 80
	AlreadySettled   Reason = 81
	NotApproved      Reason = 82
	OverBudget       Reason = 83
	NoEscrow         Reason = 84
)

// reasons gives each reason its code, for scripts and counters, and its text,
// for people.
var reasons = map[Reason][2]string{
	Unspecified:       {"unspecified", "no reason was given"},
	Malformed:         {"malformed", "the bytes are not one canonical record of their type"},
	TooLarge:          {"too-large", "it is larger than its type may be"},
	WrongVersion:      {"wrong-version", "the record's version is not known here"},
	WrongNetwork:      {"wrong-network", "it belongs to another network"},
	BadSignature:      {"bad-signature", "the signature is not that of the account"},
	WrongAccount:      {"wrong-account", "the account may not say this"},
	BadBlock:          {"bad-block", "the block's bytes do not match its CID"},
	Expired:           {"expired", "its height has passed"},
	Duplicate:         {"duplicate", "it was received before"},
	RateLimited:       {"rate-limited", "the account sends too many of these"},
	UnknownRun:        {"unknown-run", "no such run is known here"},
	UnknownJob:        {"unknown-job", "no such job is known here"},
	UnknownOffer:      {"unknown-offer", "the offer is not the one that stands"},
	UnknownUnit:       {"unknown-unit", "the work has no such unit"},
	NotLeased:         {"not-leased", "the unit is not leased to this miner"},
	LeaseExpired:      {"lease-expired", "the lease ran out before the result came"},
	Superseded:        {"superseded", "another miner's result came first"},
	CostMismatch:      {"cost-mismatch", "the cost is not that of the cost table"},
	PriceTooHigh:      {"price-too-high", "the price is above what the offer pays"},
	WrongSoftware:     {"wrong-software", "the software computes by another specification"},
	Full:              {"full", "there are bids enough"},
	UnitFailed:        {"unit-failed", "the unit could not be computed"},
	ResultMismatch:    {"result-mismatch", "the result differs from the recomputed one"},
	ResultUnavailable: {"result-unavailable", "the result's blocks could not be fetched"},
	InputUnavailable:  {"input-unavailable", "the unit's input blocks could not be fetched"},
	NonFinite:         {"non-finite", "the result holds an infinity or NaN"},
	Conformance:       {"conformance", "the device's kernels do not give the published digests"},
	OutOfMemory:       {"out-of-memory", "the unit needs more memory than the miner has"},
	PeerGone:          {"peer-gone", "the connection to the miner was lost"},
	TimedOut:          {"timed-out", "the peer did not answer in time"},
	NoOpenUnits:       {"no-open-units", "every unit is leased or done"},
	OverInFlight:      {"over-in-flight", "the miner has as many units as it asked for"},
	NoCredit:          {"no-credit", "the miner asks for no units"},
	TooSlow:           {"too-slow", "other miners would finish every open unit sooner"},
	BackedOff:         {"backed-off", "the miner failed several units and must wait"},
	WorkEnded:         {"work-ended", "the run or job is finished"},
	Draining:          {"draining", "the node is shutting down"},
	NoOffer:           {"no-offer", "no offer is open"},
	ChainUnreachable:  {"chain-unreachable", "the ledger cannot be reached; it is retried"},
	AlreadySettled:    {"already-settled", "the unit was settled before"},
	NotApproved:       {"not-approved", "the run is not approved for minting"},
	OverBudget:        {"over-budget", "the run's or job's budget is used up"},
	NoEscrow:          {"no-escrow", "the job has no escrow that covers it"},
}

// String returns the reason's code, such as "wrong-network".
func (r Reason) String() string {
	if s, ok := reasons[r]; ok {
		return s[0]
	}
	return fmt.Sprintf("reason-%d", uint16(r))
}

// Text returns the reason as a clause for people.
func (r Reason) Text() string {
	if s, ok := reasons[r]; ok {
		return s[1]
	}
	return "the peer gave a reason that is not known here"
}

// Fault reports whether only a faulty or hostile peer sends such a thing: it is
// wrong in itself, whatever the receiver knows. Honest peers may lag, or run a
// newer version.
func (r Reason) Fault() bool {
	switch r {
	case Malformed, TooLarge, WrongNetwork, BadSignature, WrongAccount, BadBlock:
		return true
	}
	return false
}

// Error is an error with a reason that a peer may be told.
type Error struct {
	Reason Reason
	Err    error // what was refused, and how
}

// Error returns the reason's code and the detail.
func (e *Error) Error() string { return e.Reason.String() + ": " + e.Err.Error() }

// Unwrap returns the detail.
func (e *Error) Unwrap() error { return e.Err }

// Refuse returns an [Error] with the reason and the formatted detail.
func Refuse(r Reason, format string, args ...any) error {
	return &Error{Reason: r, Err: fmt.Errorf(format, args...)}
}

// ReasonOf returns the reason of the first [Error] in err's chain, or
// Unspecified.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return Unspecified
}
