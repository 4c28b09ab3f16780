package protocol

import (
	"errors"
	"fmt"
)

// Reason says why something was refused, failed or is missing. It travels in
// Reject, Cancel and Idle, and names the counters of rejections.
type Reason uint16

// The reasons: PROTOCOL.md, section 9. Numbers are part of the protocol and
// are never reused: 20, 21, 24, 25, 33, 44, 46, 62, 66, 81 and 84 were used
// before the first public network.
const (
	Unspecified Reason = 0

	// The received bytes are wrong in themselves.
	Malformed    Reason = 1
	TooLarge     Reason = 2
	WrongVersion Reason = 3
	WrongNetwork Reason = 4
	BadSignature Reason = 5
	WrongAccount Reason = 6
	BadBlock     Reason = 7

	// The received record does not fit the receiver's state.
	RateLimited   Reason = 22
	UnknownWork   Reason = 23
	UnknownUnit   Reason = 26
	NotLeased     Reason = 27
	LeaseExpired  Reason = 28
	Superseded    Reason = 29
	CostMismatch  Reason = 30
	PriceTooHigh  Reason = 31
	WrongSoftware Reason = 32
	WrongTime     Reason = 34
	BoardFull     Reason = 35
	OtherLanguage Reason = 36

	// The work failed.
	UnitFailed        Reason = 40
	ResultMismatch    Reason = 41
	ResultUnavailable Reason = 42
	InputUnavailable  Reason = 43
	Conformance       Reason = 45
	PeerGone          Reason = 47
	TimedOut          Reason = 48
	DiskFull          Reason = 49

	// There is no unit for a miner, or no miner for a unit, now.
	NoOpenUnits  Reason = 60
	OverInFlight Reason = 61
	TooSlow      Reason = 63
	BackedOff    Reason = 64
	WorkEnded    Reason = 65
	NoOffer      Reason = 67
	NoMiner      Reason = 68
	Unproven     Reason = 69
	Barred       Reason = 70
	Paused       Reason = 71
	NotChosen    Reason = 72
	NoPeer       Reason = 73

	// The ledger is the reason.
	ChainUnreachable Reason = 80
	NotApproved      Reason = 82
	OverBudget       Reason = 83
	Unpaid           Reason = 85
)

// reasons gives each reason its code, for scripts and counters, and its text,
// for people. A text is true for the sender and for the receiver of a reason.
var reasons = map[Reason][2]string{
	Unspecified:       {"unspecified", "no reason was given"},
	Malformed:         {"malformed", "the bytes are not one canonical record of their type"},
	TooLarge:          {"too-large", "the record or block is larger than its type allows"},
	WrongVersion:      {"wrong-version", "the record's version is unknown to the receiver"},
	WrongNetwork:      {"wrong-network", "the record belongs to another network"},
	BadSignature:      {"bad-signature", "the signature is not the account's"},
	WrongAccount:      {"wrong-account", "the account has no right to send this record"},
	BadBlock:          {"bad-block", "the block's bytes do not match its CID"},
	RateLimited:       {"rate-limited", "the account sends too many of these records"},
	UnknownWork:       {"unknown-work", "the publisher does not offer this run or job"},
	UnknownUnit:       {"unknown-unit", "the work has no such unit"},
	NotLeased:         {"not-leased", "the unit is not leased to this miner"},
	LeaseExpired:      {"lease-expired", "the lease expired before the result came"},
	Superseded:        {"superseded", "another miner's result came first"},
	CostMismatch:      {"cost-mismatch", "the cost differs from the cost that the cost table gives"},
	PriceTooHigh:      {"price-too-high", "more is asked than the offer pays"},
	WrongSoftware:     {"wrong-software", "the arithmetic follows another specification"},
	WrongTime:         {"wrong-time", "the record is out of date, or ahead of the receiver's clock"},
	BoardFull:         {"board-full", "the node has no room for another offer"},
	OtherLanguage:     {"other-language", "the miner does not translate between these languages"},
	UnitFailed:        {"unit-failed", "the unit could not be computed"},
	ResultMismatch:    {"result-mismatch", "the result does not fit the unit"},
	ResultUnavailable: {"result-unavailable", "the result's blocks could not be fetched"},
	InputUnavailable:  {"input-unavailable", "the unit's input blocks could not be fetched"},
	Conformance:       {"conformance", "the device's kernels do not give the published digests"},
	PeerGone:          {"peer-gone", "the connection between miner and publisher was lost"},
	TimedOut:          {"timed-out", "the peer did not answer in time"},
	DiskFull:          {"disk-full", "no space is left on the miner's disk"},
	NoOpenUnits:       {"no-open-units", "every unit is leased or done"},
	OverInFlight:      {"over-in-flight", "the miner already has all the units it can queue"},
	TooSlow:           {"too-slow", "other miners would finish every open unit sooner"},
	BackedOff:         {"backed-off", "the miner failed several units and must wait"},
	WorkEnded:         {"work-ended", "the run or job is finished"},
	NoOffer:           {"no-offer", "no offer is open"},
	NoMiner:           {"no-miner", "no miner is connected"},
	Unproven:          {"unproven", "miners without an accepted result hold their share of the units"},
	Barred:            {"barred", "an earlier result of the miner was wrong"},
	Paused:            {"paused", "the miner takes no new units, as its user wants"},
	NotChosen:         {"not-chosen", "the customer has chosen other miners"},
	NoPeer:            {"no-peer", "no peer of the network is connected"},
	ChainUnreachable:  {"chain-unreachable", "the ledger cannot be reached; the program tries again"},
	NotApproved:       {"not-approved", "the run is not approved for minting"},
	OverBudget:        {"over-budget", "the budget of the run or job is spent"},
	Unpaid:            {"unpaid", "no escrow pays for the job"},
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
	return "the peer gave a reason that this program does not know"
}

// Misbehaviour reports whether only a broken or hostile peer sends such a
// record: the record is wrong whatever the receiver knows. An honest peer may
// lag or run a newer version, which is no misbehaviour.
func (r Reason) Misbehaviour() bool {
	switch r {
	case Malformed, TooLarge, WrongNetwork, BadSignature, WrongAccount, BadBlock:
		return true
	}
	return false
}

// Error is an error with a reason that a peer may be told.
type Error struct {
	Reason Reason
	Err    error // the detail: what was refused, and where
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
