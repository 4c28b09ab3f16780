package ledger

import (
	"encoding/binary"
	"fmt"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// What the state keeps: LEDGER.md, section 3. Amounts are in units, 1 ALIA =
// 1e8 units; costs in MFLOP; heights count blocks. Every record is stored in
// canonical encoding under the key its section names.

// AccountState is a member's money: key a/<account>. An account nobody has written
// reads as zero.
type AccountState struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Balance uint64 // units
	Nonce   uint64 // of its last transaction
}

// Escrow is a customer's deposit for one job: key e/<job><customer>.
// Opened = Left + Released + Burned at every height.
type Escrow struct {
	_        struct{} `cbor:",toarray"`
	Version  uint16
	Job      block.Link
	Customer protocol.Account
	Price    uint64 // units per GFLOP
	Opened   uint64 // units
	Left     uint64 // units
	Released uint64 // units, to miners and the audit pool
	Burned   uint64 // units
	Deadline uint64 // height after which it may be closed
}

// RunStatus is where a run stands.
type RunStatus uint8

// A run mints only while Approved.
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

// RunState is a training run: key n/<run>.
type RunState struct {
	_           struct{} `cbor:",toarray"`
	Version     uint16
	Run         block.Link
	Status      RunStatus
	Proposer    protocol.Account
	Coordinator protocol.Account
	Rounds      uint64     // rounds committed; the next round's number
	Params      block.Link // after the last round
	Active      uint64     // height of the coordinator's last sign of life
	Budget      uint64     // MFLOP it may mint for
	Spent       uint64     // MFLOP minted for
	Yes         []protocol.Account
	No          []protocol.Account
}

// CommittedRound is a committed round of a run: key l/<run><round>.
type CommittedRound struct {
	_           struct{} `cbor:",toarray"`
	Version     uint16
	Run         block.Link
	Round       uint64
	Params      block.Link
	Log         block.Link
	Coordinator protocol.Account
	Height      uint64
}

// Settlement is a unit of work that was paid: key u/<unit>. It is never
// deleted: it is what makes paying twice impossible.
type Settlement struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Unit    block.Link
	Work    block.Link // the run or job
	Miner   protocol.Account
	Result  block.Link
	Cost    uint64 // MFLOP
	Paid    uint64 // units, to the miner
	Minted  uint64 // units of Paid that are new
	Height  uint64
}

// Supply is the token's books: key m/supply. At every height
// Minted - Burned = sum of balances + Escrowed + Pool.
type Supply struct {
	_        struct{} `cbor:",toarray"`
	Version  uint16
	Minted   uint64 // units ever minted
	Burned   uint64 // units ever burned
	Escrowed uint64 // units in open escrows
	Pool     uint64 // units in the audit pool
}

// Total returns the tokens there are, in units.
func (s Supply) Total() uint64 { return s.Minted - s.Burned }

// Schedule is what a block pays: key s/<height>, written by the block before.
type Schedule struct {
	_           struct{} `cbor:",toarray"`
	Version     uint16
	Height      uint64
	Training    uint64 // millionths of a unit per GFLOP, for training
	Translation uint64 // millionths of a unit per GFLOP, bounding the bonus of translation
	Costs       uint64 // version of the cost table
	Budget      uint64 // units a block should mint
	Cap         uint64 // units a block can mint
}

// proposals lists the runs not yet decided: key m/proposals.
type proposals struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Runs    []block.Link
}

// Keys of the state. Each names its record in the proofs.

// AccountKey returns the key of an [AccountState].
func AccountKey(a protocol.Account) []byte { return append([]byte("a/"), a[:]...) }

// EscrowKey returns the key of an [Escrow].
func EscrowKey(job block.Link, customer protocol.Account) []byte {
	return append(append([]byte("e/"), job.Bytes()...), customer[:]...)
}

// RunKey returns the key of a [RunState].
func RunKey(run block.Link) []byte { return append([]byte("n/"), run.Bytes()...) }

// RoundKey returns the key of a [CommittedRound].
func RoundKey(run block.Link, round uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte("l/"), run.Bytes()...), round)
}

// UnitKey returns the key of a [Settlement].
func UnitKey(unit block.Link) []byte { return append([]byte("u/"), unit.Bytes()...) }

// ScheduleKey returns the key of a [Schedule].
func ScheduleKey(height uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte("s/"), height)
}

// SupplyKey returns the key of the [Supply].
func SupplyKey() []byte { return []byte("m/supply") }

// GenesisKey returns the key of the [Genesis].
func GenesisKey() []byte { return []byte("m/genesis") }

var proposalsKey = []byte("m/proposals")

// QueryKey returns the key that a query path and its argument name: "account"
// and an account, "escrow" and a job and its customer, "run" and a run, "round"
// and a run and a big-endian number, "unit" and a unit, "schedule" and a
// big-endian height, "supply", "genesis".
func QueryKey(path string, arg []byte) ([]byte, error) {
	prefix := map[string]string{
		"account": "a/", "escrow": "e/", "run": "n/", "round": "l/", "unit": "u/",
		"schedule": "s/", "supply": "m/supply", "genesis": "m/genesis",
	}[path]
	if prefix == "" {
		return nil, fmt.Errorf("unknown query %q", path)
	}
	return append([]byte(prefix), arg...), nil
}
