package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/unit"
)

// counter is the part of a publisher that deals with miners: it has the book of the work,
// a session with each miner, and the tickets that are out.
type counter struct {
	peer       *Peer
	work       block.Link
	price      uint64
	hints      []string
	estimate   func(unit.Unit) uint64
	report     Reporter
	acceptance acceptance
	now        func() time.Time // time.Now; tests have a clock of their own
	sessions   sync.WaitGroup
	ended      chan struct{} // closed by end
	broken     chan error    // of capacity 1: why the publisher cannot continue

	mu      sync.Mutex // guards the fields below
	book    market.Book
	bidders map[protocol.Account]*bidder
	units   map[block.Link]*pending // that are not done
	tickets map[block.Link]ticket   // by CID; those of pending units
	number  uint64                  // of the last ticket
	alone   time.Time               // when a miner was connected last
	empty   chan struct{}           // set by end; closed when no miner is left
	closed  bool
}

// bidder is a miner with a session.
type bidder struct {
	session *mesh.Session
	out     chan message // sent by the session's writer
	end     context.CancelCauseFunc
	shown   int // tickets of earlier sessions; the session's reader uses it
}

// message is a record to be sent.
type message struct {
	typ  protocol.RecordType
	body []byte
}

// pending is a unit that waits for its result.
type pending struct {
	unit    unit.Unit
	expect  *check.Expectation
	leased  time.Time     // at last
	done    chan struct{} // closed when outcome is set
	outcome unit.Outcome
}

// ticket is a lease that was issued. An expired one is kept: its result counts
// as long as the unit is not done.
type ticket struct {
	unit  block.Link
	miner protocol.Account
	told  time.Time // when progress was last taken
}

const (
	tickEvery  = 250 * time.Millisecond
	aloneAfter = 3 * time.Second
	outQueue   = 256 // messages
	// maxShown bounds the tickets of earlier sessions that a miner may show.
	maxShown = 64

	// progressAtMost is the least time between two messages of progress that count
	// for a lease. It is shorter than progressEvery, because messages that a miner
	// sends in time may arrive one close behind the other.
	progressAtMost = progressEvery / 4
	maxDetail      = 200 // bytes of a refusal's detail
)

func newCounter(c PublisherConfig) *counter {
	return &counter{
		peer: c.Peer, work: c.Work, price: c.Price, hints: c.Hints, estimate: c.Estimate, report: c.Report,
		acceptance: acceptance{peer: c.Peer, journal: c.Journal, checker: check.New(), confirm: c.Confirm}, now: time.Now,
		ended: make(chan struct{}), broken: make(chan error, 1),
		bidders: map[protocol.Account]*bidder{}, units: map[block.Link]*pending{}, tickets: map[block.Link]ticket{},
		alone: time.Now(),
	}
}

// run tells the book the time until ctx ends.
func (c *counter) run(ctx context.Context) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-c.broken:
			return err
		case <-tick.C:
			c.mu.Lock()
			c.apply(market.Tick{})
			c.watch()
			c.mu.Unlock()
		}
	}
}

// watch reports when units wait and no miner is connected.
func (c *counter) watch() {
	now := c.now()
	if len(c.bidders) > 0 || len(c.units) == 0 {
		c.alone = now
		return
	}
	if now.Sub(c.alone) >= aloneAfter {
		c.alone = now
		c.report(Waiting{Units: len(c.units), Why: newWhy(protocol.NoMiner, "")})
	}
}

// add gives units to the book, except those that were accepted before.
func (c *counter) add(ctx context.Context, units []unit.Unit) ([]*pending, error) {
	waits := make([]*pending, len(units))
	var open []market.Unit
	for i, u := range units {
		e, err := c.acceptance.checker.Expect(ctx, c.peer.Store, u)
		if err != nil {
			return nil, err
		}
		w := &pending{unit: u, expect: e, done: make(chan struct{})}
		o, ok, err := c.acceptance.earlier(ctx, e)
		if err != nil {
			return nil, err
		}
		if ok {
			w.outcome = o
			close(w.done)
		} else {
			open = append(open, market.Unit{ID: e.Unit, Cost: c.estimate(u), Order: uint64(u.Round)<<32 | uint64(u.Index)})
		}
		waits[i] = w
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range waits {
		if w.outcome.Link == (block.Link{}) {
			c.units[w.expect.Unit] = w
		}
	}
	if len(open) > 0 {
		c.apply(market.AddUnits{Units: open})
	}
	return waits, ctx.Err()
}

// end tells every miner that the work has ended. It returns a channel that is
// closed when the last miner has left.
func (c *counter) end() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.empty == nil {
		c.empty = make(chan struct{})
		close(c.ended)
		if len(c.bidders) == 0 {
			close(c.empty)
		}
		for _, b := range c.bidders {
			c.push(b, &protocol.Idle{Version: protocol.Version, Code: protocol.WorkEnded})
		}
	}
	return c.empty
}

// close waits for the sessions, whose contexts are cancelled. No new session
// begins.
func (c *counter) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.sessions.Wait()
}

// begin reports whether a session may begin. If so, sessions.Done must follow.
func (c *counter) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.sessions.Add(1)
	}
	return !c.closed
}

// apply gives the book an event and carries out its actions. The caller holds
// mu. An event that does not fit the book is only logged: it comes from a miner
// that lags behind. An action that cannot be carried out ends the publisher.
func (c *counter) apply(e market.Event) {
	now := c.now()
	actions, err := c.book.Apply(now, e)
	if err != nil {
		c.peer.Log.Debug("event refused by the book", "event", fmt.Sprintf("%T", e), "err", err)
		return
	}
	for _, a := range actions {
		switch a := a.(type) {
		case market.IssueTicket:
			if err := c.issue(now, a); err != nil {
				c.fail(fmt.Errorf("lease unit %s to miner %s: %w", a.Unit, a.Miner.Short(), err))
			}
		case market.CancelTicket:
			c.cancel(a)
		case market.TellIdle:
			if b := c.bidders[a.Miner]; b != nil {
				c.push(b, &protocol.Idle{Version: protocol.Version, Code: a.Code})
			}
		}
	}
}

// fail ends the publisher with an error.
func (c *counter) fail(err error) {
	select {
	case c.broken <- err:
	default: // an earlier error ends it already
	}
}

var errDisagree = errors.New("the book has a miner or a unit that the publisher does not have")

// issue signs a ticket and sends it.
func (c *counter) issue(now time.Time, l market.IssueTicket) error {
	b, w := c.bidders[l.Miner], c.units[l.Unit]
	if b == nil || w == nil {
		return errDisagree
	}
	c.number++
	hints := append(c.peer.Mesh.Addrs(), c.hints...)
	body, err := protocol.Sign(c.peer.Key, c.peer.Net, &protocol.Ticket{
		Work: c.work, Number: uint64(now.UnixMilli())<<16 | c.number&0xffff, Unit: l.Unit, Spec: w.unit.Spec(), Miner: l.Miner,
		LeaseSeconds: l.Seconds, Hints: hints[:min(len(hints), protocol.MaxAddrs)],
	})
	if err != nil {
		return err
	}
	c.tickets[protocol.ID(body)] = ticket{unit: l.Unit, miner: l.Miner}
	w.leased = now
	c.send(b, message{protocol.TypeTicket, body})
	return nil
}

// cancel tells a miner that a lease has ended.
func (c *counter) cancel(a market.CancelTicket) {
	for id, t := range c.tickets {
		if t.unit != a.Unit || t.miner != a.Miner {
			continue
		}
		if a.Code != protocol.LeaseExpired {
			delete(c.tickets, id)
		}
		if b := c.bidders[a.Miner]; b != nil {
			c.push(b, &protocol.Cancel{Version: protocol.Version, Ticket: id, Code: a.Code})
		}
	}
}

// forget deletes the tickets that match. The caller holds mu.
func (c *counter) forget(match func(ticket) bool) {
	for id, t := range c.tickets { // order-free: each is judged alone
		if match(t) {
			delete(c.tickets, id)
		}
	}
}

// push encodes a record that is not signed, and sends it.
func (c *counter) push(b *bidder, r protocol.Record) {
	body, err := protocol.Encode(r)
	if err != nil {
		c.peer.Log.Error("message not sent", "err", err)
		return
	}
	c.send(b, message{r.Type(), body})
}

// send hands a message to the session's writer. A miner that does not read
// loses its session, so that it does not delay the others.
func (c *counter) send(b *bidder, m message) {
	select {
	case b.out <- m:
	default:
		b.end(errSlowReader)
	}
}

// The causes for which the publisher ends a session.
var (
	errSlowReader = fmt.Errorf("the miner reads too slowly: %d messages wait", outQueue)
	errReplaced   = errors.New("the miner has opened another session")
)
