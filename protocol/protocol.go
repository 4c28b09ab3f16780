// Package protocol is the records that peers send to each other: their fields,
// encoding, signatures and checks.
//
// A record is a struct that is encoded as the canonical array of its fields
// ([block.Encode]). Signed records document who is responsible for each step.
// An offer asks for work, a bid answers the offer, a ticket leases a unit to a
// miner, an attestation states the unit's result, an accept states that the
// publisher takes the result.
//
// Bytes from a peer are hostile until [Parse] has checked their size, their
// shape and their signature, in this order. A refusal is an [Error] with a
// [Reason]. Amounts of money are in 1e-8 ALIA ([Coin] is 1 ALIA), a price is
// the amount for a GFLOP, costs are in MFLOP of the table of operations.
//
//	offer := protocol.RunOffer{Run: run, Rounds: 40, Units: 4, Addrs: addrs}
//	data, err := protocol.Sign(key, net, &offer)
//	...
//	var got protocol.RunOffer
//	err := protocol.Parse(data, net, &got) // got.Account signed it for this network
package protocol

import (
	"encoding/hex"
	"fmt"
)

// Version is the version of every record of this package.
const Version = 1

// Net names a network: the SHA-256 of its genesis document. Every signature
// covers it, so that nothing said on one network can be replayed on another.
type Net [32]byte

// ParseNet reads the text form of a network, 64 hexadecimal digits.
func ParseNet(s string) (Net, error) {
	var n Net
	return n, n.UnmarshalText([]byte(s))
}

// String returns the network as 64 hexadecimal digits.
func (n Net) String() string { return hex.EncodeToString(n[:]) }

// Short returns the first 16 digits, which stand in topics and protocol names.
func (n Net) Short() string { return hex.EncodeToString(n[:8]) }

// MarshalText is String.
func (n Net) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText is ParseNet.
func (n *Net) UnmarshalText(text []byte) error { return unhex("network", n[:], text) }

func unhex(what string, dst, text []byte) error {
	if len(text) != 2*len(dst) {
		return fmt.Errorf("%s %q: %d characters, want %d hexadecimal digits", what, text, len(text), 2*len(dst))
	}
	if _, err := hex.Decode(dst, text); err != nil {
		return fmt.Errorf("%s %q: %w", what, text, err)
	}
	return nil
}

// RecordType numbers a kind of record, in frames and under signatures.
type RecordType uint16

// The kinds of records: PROTOCOL.md, section 3.1. Numbers are part of the
// protocol and are never reused; 3, 11 and 15 were used before the first
// public network. TypeTx is the ledger's transaction and TypeNetwork the network
// file. Both are signed as records are, see packages ledger and node.
const (
	TypeRunOffer    RecordType = 1
	TypeJobOffer    RecordType = 2
	TypeBid         RecordType = 4
	TypeTicket      RecordType = 5
	TypeAttestation RecordType = 6
	TypeAccept      RecordType = 7
	TypeReject      RecordType = 8
	TypeCancel      RecordType = 9
	TypeProgress    RecordType = 10
	TypeIdle        RecordType = 12
	TypeOfferQuery  RecordType = 13
	TypeOfferPage   RecordType = 14
	TypeReceipt     RecordType = 16
	TypeTx          RecordType = 17
	TypeNetwork     RecordType = 18
	TypeModelQuery  RecordType = 19
	TypeModelPage   RecordType = 20
	TypeCorrection  RecordType = 24
	TypeReview      RecordType = 25
	TypeBudget      RecordType = 26
)

// The bounds that are checked before a record is decoded, in bytes.
const (
	MaxGossip  = 8 << 10    // a record that travels by gossip
	MaxMessage = 256 << 10  // any frame's body
	maxReceipt = 1023 << 10 // with a proof of the ledger it is less than a block
)

// typeInfo is the name of a record type, for people, and the most bytes of a
// record of the type.
type typeInfo struct {
	name string
	max  int
}

var types = [...]typeInfo{
	TypeRunOffer:    {"run offer", MaxGossip},
	TypeJobOffer:    {"job offer", MaxGossip},
	TypeBid:         {"bid", 4 << 10},
	TypeTicket:      {"ticket", 128 << 10},
	TypeAttestation: {"attestation", 1 << 10},
	TypeAccept:      {"accept", 1 << 10},
	TypeReject:      {"reject", 1 << 10},
	TypeCancel:      {"cancel", 1 << 10},
	TypeProgress:    {"progress", 1 << 10},
	TypeIdle:        {"idle", 64},
	TypeOfferQuery:  {"offer query", 64},
	TypeOfferPage:   {"offer page", 64 << 10},
	TypeReceipt:     {"receipt", maxReceipt},
	TypeTx:          {"transaction", MaxMessage},
	TypeNetwork:     {"network file", 1 << 20},
	TypeModelQuery:  {"model query", 128},
	TypeModelPage:   {"model page", 64 << 10},
	TypeCorrection:  {"correction", MaxGossip},
	TypeReview:      {"review", 1 << 10},
	TypeBudget:      {"budget of corrections", 4 << 10},
}

// known reports whether the protocol has the type.
func (t RecordType) known() bool { return int(t) < len(types) && types[t].max > 0 }

// String returns the type's name, for people.
func (t RecordType) String() string {
	if t.known() {
		return types[t].name
	}
	return fmt.Sprintf("record of type %d", uint16(t))
}

// The names of gossip topics.

// RunTopic is where coordinators offer training runs.
func RunTopic(n Net) string { return "/alia/" + n.Short() + "/offer/nmt/1" }

// JobTopic is where customers offer documents to be translated from src to dst.
func JobTopic(n Net, src, dst string) string {
	return "/alia/" + n.Short() + "/offer/mt/" + src + "-" + dst + "/1"
}
