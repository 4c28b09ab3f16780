package ledger

import (
	"fmt"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// The records of the state (LEDGER.md, section 3). Amounts of money are in 1e-8 ALIA, costs of work
// in MFLOP, times in heights. A record is stored in canonical encoding under
// the key that its comment names; keys.go makes the keys.

// AccountState is a member's money: key a/<account>. An account that was
// never written has no balance and nonce 0.
type AccountState struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Balance uint64 // amount
	Nonce   uint64 // of the account's last transaction
}

// Escrow is a customer's deposit for one job: key e/<job><customer>.
// Opened = Left + Released + Burned at every height.
type Escrow struct {
	_        struct{} `cbor:",toarray"`
	Version  uint16
	Job      block.Link
	Customer protocol.Account
	Price    uint64 // amount per GFLOP
	Opened   uint64 // amount
	Left     uint64 // amount
	Released uint64 // amount, to miners and the audit pool
	Burned   uint64 // amount
	Deadline uint64 // height after which the customer may close the escrow
}

// RunStatus says whether the validators let a run mint.
type RunStatus uint8

// A run mints only while it is Approved.
const (
	Proposed RunStatus = iota + 1
	Approved
	Refused
)

// String returns the status in words.
func (s RunStatus) String() string {
	switch s {
	case Proposed:
		return "proposed"
	case Approved:
		return "approved"
	case Refused:
		return "refused"
	}
	return fmt.Sprintf("status %d", uint8(s))
}

// RunState is the money side of a training run: key n/<run>.
type RunState struct {
	_           struct{} `cbor:",toarray"`
	Version     uint16
	Run         block.Link
	Status      RunStatus
	Proposer    protocol.Account
	Coordinator protocol.Account
	Rounds      uint64     // rounds committed, which is the number of the next round
	Params      block.Link // parameters after the last committed round
	Active      uint64     // height of the proposal, the approval or the last RoundCommit
	Budget      uint64     // MFLOP that the run may mint for
	Spent       uint64     // MFLOP that the run has minted for
	Yes         []protocol.Account
	No          []protocol.Account
}

// CommittedRound is a finished round of a run: key l/<run><round>.
type CommittedRound struct {
	_           struct{} `cbor:",toarray"`
	Version     uint16
	Run         block.Link
	Round       uint64
	Params      block.Link // parameters after the round
	Log         block.Link // the round's log
	Coordinator protocol.Account
	Height      uint64
}

// Settlement is a unit of work that was paid: key u/<unit>. The record is
// never deleted, because its presence is what prevents a second payment.
type Settlement struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Unit    block.Link
	Work    block.Link // the run or the job
	Miner   protocol.Account
	Result  block.Link
	Cost    uint64 // MFLOP
	Paid    uint64 // amount, to the miner
	Minted  uint64 // amount; the part of Paid that is newly minted
	Height  uint64
}

// Supply is the token's books: key m/supply. At every height
// Minted - Burned = the sum of all balances + Escrowed + Pool.
type Supply struct {
	_        struct{} `cbor:",toarray"`
	Version  uint16
	Minted   uint64 // amount, since genesis
	Burned   uint64 // amount, since genesis
	Escrowed uint64 // amount in open escrows
	Pool     uint64 // amount in the audit pool
}

// Total returns the amount of all tokens that exist.
func (s Supply) Total() uint64 { return s.Minted - s.Burned }

// Schedule is the rates of pay at a height: key s/<height>. The height before writes it.
type Schedule struct {
	_           struct{} `cbor:",toarray"`
	Version     uint16
	Height      uint64
	Training    uint64 // millionths of an amount per GFLOP of training
	Translation uint64 // millionths of an amount per GFLOP, the most that translation adds to its price
	Budget      uint64 // amount that the height should mint
	Cap         uint64 // amount that the height can mint
}

// proposals lists the runs that still await votes: key m/proposals.
type proposals struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Runs    []block.Link
}
