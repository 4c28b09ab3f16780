// Package market is the market for work as pure state machines: a board of offers
// and a book of leases. Time is an argument.
//
// A [Board] is what a node knows of the offers of all publishers. It bounds what
// strangers may put on it, and each offer on it ends at the time that its publisher
// signed.
//
// A [Book] is the state that one publisher, a coordinator or a customer, keeps
// of one work: its units, the miners that bid for it, their tickets, and what is
// known of their results. Events go in with the time at which they happened.
// Actions come out: issue a ticket, check a result, accept or refuse a result,
// tell a miner why it has no unit. The book has no clock, goroutine or
// randomness; the same events give the same actions.
//
//	var book market.Book
//	actions, err := book.Apply(now, market.AddUnits{Units: units})
//	actions, err = book.Apply(now, market.MinerJoined{Miner: bid.Account, MFLOPS: bid.Capability.MFLOPS, InFlight: bid.InFlight})
//	for _, a := range actions {
//		switch a := a.(type) {
//		case market.IssueTicket:  // sign and send a protocol.Ticket, and tell the book its CID: TicketSigned
//		case market.CheckResult:  // fetch and check the result, and tell the book: Checked
//		case market.AcceptResult: // write the result to the journal, then send protocol.Accept
//		}
//	}
//
// Units are scheduled by earliest completion time (PROTOCOL.md, section 7.3).
// T is the earliest time at which the miners together could finish all open
// units. A unit is leased to a miner only if the miner would finish the unit
// by T. So a slow machine does not delay the end of a round, and still
// computes wherever it helps. When no unit is open, an idle miner gets a copy
// of the unit that is expected last, if the copy would be finished first.
//
// A bid is only a claim. A miner is proven when a result of it was accepted and
// timed. Fresh keys cost nothing, so unproven miners are not believed to be faster
// than the slowest proven one, and hold a share of the units together.
//
// A ticket outlives its lease. The end of a lease frees the miner's place and
// permits that another miner gets the unit. The first right result counts,
// whoever sends it, as long as the unit waits.
package market

import (
	"slices"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Unit is a piece of the work that waits for a result.
type Unit struct {
	ID    block.Link
	Slot  uint32 // of the unit that the result is for; a unit whose accepted result is lost has another
	Cost  uint64 // MFLOP, an estimate
	Order uint64 // units of lower order are leased first
	// Barred are miners whose earlier result of the unit was wrong. They do not get
	// the unit, and their results of the unit are refused.
	Barred []protocol.Account
	// Only is the one miner that may have the unit, because the ledger has its claim
	// already; zero is every miner.
	Only protocol.Account
}

// bars reports whether a miner may not have the unit.
func (u *Unit) bars(miner protocol.Account) bool {
	return u.Only != (protocol.Account{}) && u.Only != miner || slices.Contains(u.Barred, miner)
}

// An Event is something that happened to a work.
type Event interface{ event() }

// AddUnits adds units to the work. Units that wait already stay unchanged.
type AddUnits struct{ Units []Unit }

// MinerJoined is the bid of a miner that opened a session, in place of an earlier
// session of the miner. It is refused (RateLimited, BackedOff, WorkEnded) if the miner comes too
// often, if its last session was ended, or if the work has ended.
type MinerJoined struct {
	Miner    protocol.Account
	MFLOPS   uint64 // the speed it claims, MFLOP per second
	InFlight uint32 // units it wants at a time
}

// MinerLeft says that a miner's session has ended. The units leased to it are open
// again. The miner may show its tickets in a later session.
type MinerLeft struct{ Miner protocol.Account }

// TicketSigned says which CID the ticket of an [IssueTicket] has.
type TicketSigned struct {
	Miner  protocol.Account
	Unit   block.Link
	Ticket block.Link
}

// TicketShown says that a miner shows a ticket of an earlier session, whose
// signature was verified. The miner computes the unit, or has its result.
type TicketShown struct {
	Miner  protocol.Account
	Unit   block.Link
	Ticket block.Link
}

// UnitProgress says which part of a unit a miner has computed. It extends the
// lease of a miner that is slower than estimated. It is refused as RateLimited,
// and changes nothing, soon after the last message of the lease.
type UnitProgress struct {
	Miner   protocol.Account
	Ticket  block.Link
	DonePPM uint32 // parts per million
}

// UnitFailed says that a miner gave a unit up.
type UnitFailed struct {
	Miner  protocol.Account
	Ticket block.Link
}

// Attested says that a miner attests a result. The book answers with
// [CheckResult] or [RefuseResult].
type Attested struct {
	Miner  protocol.Account
	Unit   block.Link
	Ticket block.Link
}

// Checked answers [CheckResult]: the result is right in all that was checked and
// is stored, or Err says why it is not. The book answers with [AcceptResult] or
// [RefuseResult]. It counts also after the miner has left.
type Checked struct {
	Miner  protocol.Account
	Unit   block.Link
	Ticket block.Link
	Err    error
}

// ResultVoided says that an accepted result of a miner proved wrong.
type ResultVoided struct{ Miner protocol.Account }

// AllDone says that the work has ended.
type AllDone struct{}

// Tick says that time has passed. The publisher sends one at least every second.
type Tick struct{}

func (AddUnits) event()     {}
func (MinerJoined) event()  {}
func (MinerLeft) event()    {}
func (TicketSigned) event() {}
func (TicketShown) event()  {}
func (UnitProgress) event() {}
func (UnitFailed) event()   {}
func (Attested) event()     {}
func (Checked) event()      {}
func (ResultVoided) event() {}
func (AllDone) event()      {}
func (Tick) event()         {}

// An Action is something that the publisher must do. Actions about a miner are
// given only while the miner has a session.
type Action interface{ action() }

// IssueTicket leases a slot of a unit to a miner. The publisher answers with
// [TicketSigned] before the next event.
type IssueTicket struct {
	Number  uint64 // of the ticket; no other ticket of the publisher has it
	Unit    block.Link
	Slot    uint32
	Miner   protocol.Account
	Seconds uint32
	Copy    bool // the unit is leased to another miner as well
}

// CancelTicket tells a miner that a lease has ended. After LeaseExpired the
// miner's result still counts. After Superseded nobody needs the result.
type CancelTicket struct {
	Unit   block.Link
	Ticket block.Link
	Miner  protocol.Account
	Code   protocol.Reason
}

// CheckResult has an attested result fetched and checked.
type CheckResult struct {
	Unit   block.Link
	Ticket block.Link
	Miner  protocol.Account
}

// AcceptResult takes a checked result as the unit's. The unit waits no more.
type AcceptResult struct {
	Unit  block.Link
	Slot  uint32
	Miner protocol.Account
	Began time.Time // when the unit was leased to the miner
}

// RefuseResult tells a miner why a ticket or a result does not count.
type RefuseResult struct {
	Unit   block.Link
	Ticket block.Link
	Miner  protocol.Account
	Err    error
}

// EndSession ends a miner's session, and tells the miner the reason.
type EndSession struct {
	Miner protocol.Account
	Err   error
}

// TellIdle tells a miner why it has no unit. It is repeated only when the reason
// changes.
type TellIdle struct {
	Miner protocol.Account
	Code  protocol.Reason
}

// TellWaiting says why units wait that no miner computes.
type TellWaiting struct {
	Units int
	Code  protocol.Reason
}

func (IssueTicket) action()  {}
func (CancelTicket) action() {}
func (CheckResult) action()  {}
func (AcceptResult) action() {}
func (RefuseResult) action() {}
func (EndSession) action()   {}
func (TellIdle) action()     {}
func (TellWaiting) action()  {}

// The book's constants: PROTOCOL.md, sections 7.2 to 7.5.
const (
	minLease  = 10 * time.Second
	maxLeases = 2           // of one unit at the same time
	minWait   = time.Second // a copy must save at least this much
	// checkTime is the time that the lease lasts at least while a result is fetched.
	checkTime = 2 * time.Minute
	// progressLimit is the least time between two messages of progress that count
	// for a lease.
	progressLimit = 500 * time.Millisecond

	forgiveAfter = 10 * time.Second // of idle time
	probation    = 2                // units in flight of an unproven miner
	provenShare  = 4                // unproven miners hold one unit in so many, when a miner is proven
	turnAfter    = 10 * time.Second // without a unit, while none is proven; then a miner has its turn
	patience     = 3                // failures in a row before a miner must wait
	minBackOff   = 10 * time.Second
	maxBackOff   = 10 * time.Minute

	maxInFlight  = 256              // units of a miner at a time, whatever it bids
	maxLate      = 16               // units of a miner whose leases have expired
	maxNames     = 4                // tickets of one miner for one unit
	maxFailed    = 64               // miners remembered that failed a unit
	refusedBurst = 100              // results refused before a miner's session is ended
	refusedEvery = 10 * time.Second // one more is allowed
	joinBurst    = 16               // bids of a miner before one is refused
	joinEvery    = 5 * time.Second  // one more is allowed
	forgetMiner  = time.Hour        // after it left
	maxGone      = 4096             // miners remembered that left

	waitingEvery = 3 * time.Second // between two of TellWaiting
)

// MaxLease is the longest time after a ticket to which progress extends its lease, unless the
// lease was longer from the start.
const MaxLease = 15 * time.Minute

// MaxShown is the most tickets of earlier sessions that a miner may show in a session.
const MaxShown = 64
