// Package protocol is what peers say to each other: offers, bids, tickets,
// attestations, receipts, how each is encoded, signed and checked.
//
// A record is a struct encoded as the canonical array of its fields
// ([block.Encode]). Every hand-over leaves a signed one: an offer says what is
// to be done, a bid who could, a ticket who shall, an attestation what came
// out, an accept that it is good. What a peer sent is hostile until [Parse] has
// bounded its size, then its shape, then its signature; a refusal carries a
// [Reason]. Amounts are in 1e-8 ALIA (1 ALIA is [Coin]), prices in 1e-8 ALIA per
// GFLOP, costs in MFLOP of the table of operations, times in ledger heights.
//
//	offer := protocol.RunOffer{Run: run, Rounds: 40, K: 4, Addrs: addrs}
//	err := protocol.Sign(key, net, &offer)
//	data, err := protocol.Encode(&offer)
//	...
//	var got protocol.RunOffer
//	err := protocol.Parse(data, net, &got) // got.Account signed it for this network
package protocol

import (
	"encoding/hex"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
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

// Type numbers a kind of record, in frames and under signatures.
type Type uint16

// The kinds of records. TypeTx is the ledger's transaction, which is signed as
// records are but kept in its own room.
const (
	TypeRunOffer Type = iota + 1
	TypeJobOffer
	TypeCapability
	TypeBid
	TypeTicket
	TypeAttestation
	TypeAccept
	TypeReject
	TypeCancel
	TypeProgress
	TypeCredit
	TypeIdle
	TypeOfferQuery
	TypeOfferPage
	TypeHead
	TypeReceipt
	TypeTx
)

// The sizes that bound a record before anything else is looked at, in bytes.
const (
	MaxGossip  = 8 << 10   // a record that travels by gossip
	MaxMessage = 256 << 10 // any frame's body
)

// kind is what the package knows of a type.
type kind struct {
	name string
	max  int // bytes
}

var kinds = [...]kind{
	TypeRunOffer:    {"run offer", MaxGossip},
	TypeJobOffer:    {"job offer", MaxGossip},
	TypeCapability:  {"capability", 2 << 10},
	TypeBid:         {"bid", 4 << 10},
	TypeTicket:      {"ticket", 128 << 10},
	TypeAttestation: {"attestation", 1 << 10},
	TypeAccept:      {"accept", 1 << 10},
	TypeReject:      {"reject", 1 << 10},
	TypeCancel:      {"cancel", 1 << 10},
	TypeProgress:    {"progress", 1 << 10},
	TypeCredit:      {"credit", 64},
	TypeIdle:        {"idle", 1 << 10},
	TypeOfferQuery:  {"offer query", 64},
	TypeOfferPage:   {"offer page", 64 << 10},
	TypeHead:        {"head", 1 << 10},
	TypeReceipt:     {"receipt", block.MaxSize},
	TypeTx:          {"transaction", MaxMessage},
}

// String returns the type's name, for people.
func (t Type) String() string {
	if int(t) < len(kinds) && kinds[t].name != "" {
		return kinds[t].name
	}
	return fmt.Sprintf("type %d", uint16(t))
}

// The names of gossip topics.

// RunTopic is where coordinators offer training runs.
func RunTopic(n Net) string { return "/alia/" + n.Short() + "/offer/nmt/1" }

// JobTopic is where customers offer documents to be translated from src to dst.
func JobTopic(n Net, src, dst string) string {
	return "/alia/" + n.Short() + "/offer/mt/" + src + "-" + dst + "/1"
}

// AttestTopic is where miners publish attestations, for relays.
func AttestTopic(n Net) string { return "/alia/" + n.Short() + "/attest/1" }

// HeadTopic is where ledger nodes publish their newest height.
func HeadTopic(n Net) string { return "/alia/" + n.Short() + "/head/1" }
