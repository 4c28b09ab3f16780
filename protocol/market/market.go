// Package market is who should do which offer next, decided from messages alone.
//
// A [Book] is what one publisher, a coordinator or a customer, knows about one
// work: its units, the miners that bid for it, and who has leased what. Events
// go in with the time at which they happened, actions come out: tickets to
// issue, leases to cancel, miners to tell why they have nothing to do. The book
// has no clock, goroutine or randomness; the same events give the same actions.
//
//	var book market.Book
//	actions, err := book.Apply(now, market.Add{Units: units})
//	actions, err = book.Apply(now, market.Join{Miner: bid.Account, MFLOPS: bid.MFLOPS, InFlight: bid.InFlight})
//	for _, a := range actions {
//		switch a := a.(type) {
//		case market.Lease:  // sign and send a ticket
//		case market.Cancel: // send protocol.Cancel
//		case market.Idle:   // send protocol.Idle
//		}
//	}
//
// Units go by earliest completion time. T is the soonest that the miners
// together could finish all that is open; a miner is given a unit only if it
// would be done with it by T. So a slow machine does not hold up the end of a
// round, and still works wherever it helps. When nothing is open, an idle miner
// is given a copy of the unit expected last, if the copy would win.
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
	Order uint64 // lower ones are leased first
}

// An Event is something that happened to a work.
type Event interface{ event() }

// Add brings units that are to be done. Units known already stay as they are.
type Add struct{ Units []Unit }

// Drop takes units back: their leases are cancelled and they are forgotten.
// Units that are not known are passed over.
type Drop struct{ Units []block.Link }

// Join is a bid, a miner's first or one that replaces it.
type Join struct {
	Miner    protocol.Account
	MFLOPS   uint64 // the speed it claims, MFLOP per second
	InFlight uint32 // units it wants at a time
	Price    uint64 // units per GFLOP
}

// Credit changes how many units a miner wants at a time.
type Credit struct {
	Miner    protocol.Account
	InFlight uint32
}

// Leave says that a miner is gone. Its units are open again.
type Leave struct{ Miner protocol.Account }

// Progress says how far a miner is with a unit.
type Progress struct {
	Miner   protocol.Account
	Unit    block.Link
	DonePPM uint32
}

// Done says that a miner's result of a unit was checked and kept. It counts
// after the lease has run out, too, if the unit is still to be done.
type Done struct {
	Miner protocol.Account
	Unit  block.Link
}

// Fail says that a miner gave a unit up, or that its result is no good.
type Fail struct {
	Miner protocol.Account
	Unit  block.Link
}

// Tick says that time has passed. The publisher sends one at least every second.
type Tick struct{}

func (Add) event()      {}
func (Drop) event()     {}
func (Join) event()     {}
func (Credit) event()   {}
func (Leave) event()    {}
func (Progress) event() {}
func (Done) event()     {}
func (Fail) event()     {}
func (Tick) event()     {}

// An Action is something the publisher is to do.
type Action interface{ action() }

// Lease issues a ticket.
type Lease struct {
	Unit    block.Link
	Miner   protocol.Account
	Seconds uint32
	Copy    bool // another miner has the unit leased as well
}

// Cancel ends a lease, and tells the miner why.
type Cancel struct {
	Unit  block.Link
	Miner protocol.Account
	Code  protocol.Reason
}

// Idle tells a miner that has no unit why. It is given again only when the
// reason changes.
type Idle struct {
	Miner protocol.Account
	Code  protocol.Reason
}

func (Lease) action()  {}
func (Cancel) action() {}
func (Idle) action()   {}

// The book's constants.
const (
	minLease  = 10 * time.Second
	maxLease  = 15 * time.Minute
	maxLeases = 2 // of one unit at a time
	minWait   = time.Second

	forgiveAfter = 10 * time.Second // idle
	probation    = 2                // units in flight of a miner that has done none
	patience     = 3                // failures in a row before a miner must wait
	minBackOff   = 10 * time.Second
	maxBackOff   = 10 * time.Minute
)
