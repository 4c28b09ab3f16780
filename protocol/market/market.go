// Package market is the market for work as pure state machines: a board of offers
// and a book of leases. Time is an argument.
//
// A [Board] is what a node knows of the offers of all publishers. It bounds what
// strangers may put on it, and each offer on it ends at the time that its publisher
// signed.
//
// A [Book] is the state that one publisher, a coordinator or a customer, keeps
// of one work: its units, the miners that bid for it, and the leases. Events go
// in with the time at which they happened. Actions come out: issue a ticket,
// cancel a ticket, tell a miner why it has no unit. The book has no clock,
// goroutine or randomness; the same events give the same actions.
//
//	var book market.Book
//	actions, err := book.Apply(now, market.AddUnits{Units: units})
//	actions, err = book.Apply(now, market.MinerJoined{Miner: bid.Account, MFLOPS: bid.Capability.MFLOPS, InFlight: bid.InFlight})
//	for _, a := range actions {
//		switch a := a.(type) {
//		case market.IssueTicket:  // sign and send a protocol.Ticket
//		case market.CancelTicket: // send protocol.Cancel
//		case market.TellIdle:     // send protocol.Idle
//		}
//	}
//
// Units are scheduled by earliest completion time (PROTOCOL.md, section 7.3).
// T is the earliest time at which the miners together could finish all open
// units. A unit is leased to a miner only if the miner would finish the unit
// by T. So a slow machine does not delay the end of a round, and still
// computes wherever it helps. When no unit is open, an idle miner gets a copy
// of the unit that is expected last, if the copy would be finished first.
package market

import (
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Unit is a piece of the work.
type Unit struct {
	ID    block.Link
	Cost  uint64 // MFLOP
	Order uint64 // units of lower order are leased first
}

// An Event is something that happened to a work.
type Event interface{ event() }

// AddUnits adds units to the work. Units that the book has stay unchanged.
type AddUnits struct{ Units []Unit }

// DropUnits removes units from the work and cancels their leases. Units that
// the book does not have are ignored.
type DropUnits struct{ Units []block.Link }

// MinerJoined is a miner's bid. A later bid of the same miner replaces it.
type MinerJoined struct {
	Miner    protocol.Account
	MFLOPS   uint64 // the speed it claims, MFLOP per second
	InFlight uint32 // units it wants at a time
}

// MinerLeft says that a miner is gone. The units leased to it are open again.
type MinerLeft struct{ Miner protocol.Account }

// UnitProgress says which part of a unit a miner has computed. It extends the
// lease of a miner that is slower than estimated, up to [MaxLease].
type UnitProgress struct {
	Miner   protocol.Account
	Unit    block.Link
	DonePPM uint32 // parts per million
}

// Computed is the DonePPM of a unit whose result is being fetched. Its lease does
// not expire during the transfer, except by [MaxLease].
const Computed = 1_000_000

// UnitDone says that a miner's result of a unit was checked and stored. It
// counts after the lease has expired, too, if the unit is not done yet.
type UnitDone struct {
	Miner protocol.Account
	Unit  block.Link
}

// UnitFailed says that a miner gave a unit up, or that its result was refused.
type UnitFailed struct {
	Miner protocol.Account
	Unit  block.Link
}

// Tick says that time has passed. The publisher sends one at least every second.
type Tick struct{}

func (AddUnits) event()     {}
func (DropUnits) event()    {}
func (MinerJoined) event()  {}
func (MinerLeft) event()    {}
func (UnitProgress) event() {}
func (UnitDone) event()     {}
func (UnitFailed) event()   {}
func (Tick) event()         {}

// An Action is something that the publisher must do.
type Action interface{ action() }

// IssueTicket leases a unit to a miner.
type IssueTicket struct {
	Unit    block.Link
	Miner   protocol.Account
	Seconds uint32
	Copy    bool // the unit is leased to another miner as well
}

// CancelTicket ends a lease, and tells the miner the reason.
type CancelTicket struct {
	Unit  block.Link
	Miner protocol.Account
	Code  protocol.Reason
}

// TellIdle tells a miner why it has no unit. It is repeated only when the reason
// changes.
type TellIdle struct {
	Miner protocol.Account
	Code  protocol.Reason
}

func (IssueTicket) action()  {}
func (CancelTicket) action() {}
func (TellIdle) action()     {}

// The book's constants: PROTOCOL.md, sections 7.3 to 7.5.
const (
	minLease  = 10 * time.Second
	maxLeases = 2           // of one unit at the same time
	minWait   = time.Second // a copy must save at least this much

	forgiveAfter = 10 * time.Second // of idle time
	probation    = 2                // units in flight of a miner that has done no unit
	patience     = 3                // failures in a row before a miner must wait
	minBackOff   = 10 * time.Second
	maxBackOff   = 10 * time.Minute
)

// MaxLease is the longest time from a ticket to the end of its lease, however
// much progress extends the lease. After it neither side waits for the unit.
const MaxLease = 15 * time.Minute
