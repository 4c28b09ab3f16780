package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/unit"
)

// counter is the part of a publisher that deals with miners. The book of the work
// decides; the counter tells it what happened, and carries out what it says: it
// signs and sends, and has results fetched, checked and written to the journal.
type counter struct {
	peer       *Peer
	work       block.Link
	price      uint64
	hints      []string
	estimate   func(unit.Unit) uint64
	proof      func(context.Context, unit.Unit) []protocol.SlotProof                     // nil: the work is not paid
	escrow     uint64                                                                    // that pays; 0 where none does
	only       func(unit.Unit) protocol.Account                                          // nil: every miner may do every unit
	miners     []protocol.Account                                                        // that may bid; nil: every miner
	verify     func(context.Context, unit.Unit, protocol.Attestation, unit.Result) error // nil: nothing is recomputed
	acceptance acceptance
	recorder   recorder
	reports    reports
	now        func() time.Time // time.Now; tests have a clock of their own
	sessions   sync.WaitGroup
	ended      chan struct{} // closed by end
	broken     chan error    // of capacity 1: why the publisher cannot continue

	// mu is held for moments: never while the disk, the network or the terminal is
	// waited for. It guards the fields below.
	mu      sync.Mutex
	book    market.Book
	bidders map[protocol.Account]*bidder // the sessions
	pending map[block.Link]*pending      // what Do waits for; the book decides about it
	barred  []protocol.Account           // whose results were wrong
	empty   chan struct{}                // set by end; closed when no miner is left
	closed  bool
}

// bidder is a miner with a session.
type bidder struct {
	session *mesh.Session
	out     chan message // sent by the session's writer
	end     context.CancelCauseFunc
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
	proof   []protocol.SlotProof // that the ledger pays for the unit
	done    chan struct{}        // closed when outcome is set
	outcome unit.Outcome

	confirming sync.Mutex // guards computed
	computed   block.Link // the result that this node found, once a miner claimed a defect
}

const (
	tickEvery = 250 * time.Millisecond
	outQueue  = 256 // messages
	maxDetail = 200 // bytes of a refusal's detail
)

func newCounter(c PublisherConfig) *counter {
	return &counter{
		peer: c.Peer, work: c.Work, price: c.Price, hints: c.Hints, estimate: c.Estimate, proof: c.Proof, escrow: c.Escrow, only: c.Only, miners: c.Miners, verify: c.Verify, barred: slices.Clone(c.Barred),
		acceptance: acceptance{peer: c.Peer, journal: c.Journal, checker: check.New(), confirm: c.Confirm, secret: c.Secret},
		recorder:   newRecorder(c.Journal), reports: newReports(c.Report, c.Peer.Log), now: time.Now,
		ended: make(chan struct{}), broken: make(chan error, 1),
		bidders: map[protocol.Account]*bidder{}, pending: map[block.Link]*pending{},
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
			c.tell(market.Tick{})
		}
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
		if waits[i] = c.waiting(e.Unit); waits[i] != nil { // for an earlier Do that was interrupted
			continue
		}
		p, err := c.acceptance.past(ctx, e)
		if err != nil {
			return nil, err
		}
		waits[i] = &pending{unit: u, expect: e, done: make(chan struct{})}
		if c.proof != nil {
			waits[i].proof = c.proof(ctx, u)
		}
		if p.found {
			waits[i].outcome = p.outcome
			close(waits[i].done)
			continue
		}
		m := market.Unit{ID: e.Unit, Slot: p.slot, Cost: c.estimate(u), Order: uint64(u.Round)<<32 | uint64(u.Index), Barred: p.barred}
		if c.only != nil {
			if m.Only = c.only(u); c.isBarred(m.Only) {
				return nil, errTaken(u, m.Only)
			}
		}
		open = append(open, m)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range waits {
		if w.outcome.Link == (block.Link{}) {
			c.pending[w.expect.Unit] = w
		}
	}
	if len(open) > 0 {
		c.apply(market.AddUnits{Units: open})
	}
	return waits, ctx.Err()
}

// isBarred reports whether a result of a miner was wrong.
func (c *counter) isBarred(miner protocol.Account) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.barred, miner)
}

// lends reports whether a block is an input of a unit that is leased to a miner.
func (c *counter) lends(miner protocol.Account, input cid.Cid) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.book.Leased(miner), func(u block.Link) bool {
		return slices.Contains(c.pending[u].unit.Inputs, block.Link{Cid: input})
	})
}

// waiting returns what waits for a unit, or nil.
func (c *counter) waiting(u block.Link) *pending {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pending[u]
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
		c.apply(market.AllDone{})
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
	c.recorder.close()
	c.reports.close()
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

// tell is apply for callers that do not hold mu.
func (c *counter) tell(e market.Event) ([]market.Action, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.apply(e)
}

// apply gives the book an event and carries out the actions that concern other
// miners than the event's. It returns the others: they concern a result, and the
// session that brought the event carries them out, without mu. An error says that
// the event does not fit the book: it comes from a miner that lags behind. The caller holds mu.
func (c *counter) apply(e market.Event) (own []market.Action, err error) {
	actions, err := c.book.Apply(c.now(), e)
	if err != nil {
		c.peer.Log.Debug("event refused by the book", "event", fmt.Sprintf("%T", e), "err", err)
		return nil, err
	}
	for _, a := range actions {
		switch a := a.(type) {
		case market.IssueTicket:
			if err := c.issue(a); err != nil { // no ticket, no unit: the publisher cannot go on
				c.fail(fmt.Errorf("lease unit %s to miner %s: %w", a.Unit, a.Miner.Short(), err))
			}
		case market.CancelTicket:
			c.push(a.Miner, &protocol.Cancel{Version: protocol.Version, Ticket: a.Ticket, Code: a.Code})
		case market.TellIdle:
			c.push(a.Miner, &protocol.Idle{Version: protocol.Version, Code: a.Code})
		case market.TellWaiting:
			c.reports.add(Waiting{Units: a.Units, Why: newWhy(a.Code, "")})
		default:
			own = append(own, a)
		}
	}
	return own, nil
}

// fail ends the publisher with an error.
func (c *counter) fail(err error) {
	select {
	case c.broken <- err:
	default: // an earlier error ends it already
	}
}

var errDisagree = errors.New("the book has a miner or a unit that the publisher does not have")

// issue signs a ticket and sends it. The caller holds mu.
func (c *counter) issue(a market.IssueTicket) error {
	w := c.pending[a.Unit]
	if w == nil || c.bidders[a.Miner] == nil {
		return errDisagree
	}
	hints := append(c.peer.Mesh.Addrs(), c.hints...)
	body, err := protocol.Sign(c.peer.Key, c.peer.Net, &protocol.Ticket{
		Work: c.work, Number: a.Number, Unit: a.Unit, Spec: w.unit.Spec(), Miner: a.Miner,
		LeaseSeconds: a.Seconds, Hints: hints[:min(len(hints), protocol.MaxAddrs)], Proof: w.proof, Escrow: c.escrow,
	})
	if err != nil {
		return err
	}
	if _, err := c.apply(market.TicketSigned{Miner: a.Miner, Unit: a.Unit, Ticket: protocol.ID(body)}); err != nil {
		return err
	}
	c.send(a.Miner, message{protocol.TypeTicket, body})
	return nil
}

// push encodes a record that is not signed, and sends it. The caller holds mu.
func (c *counter) push(miner protocol.Account, r protocol.Record) {
	body, err := protocol.Encode(r)
	if err != nil {
		c.peer.Log.Error("message not sent", "err", err)
		return
	}
	c.send(miner, message{r.Type(), body})
}

// send hands a message to the writer of the miner's session, if the miner has one.
// A miner that does not read loses its session, so that it does not delay the
// others. The caller holds mu.
func (c *counter) send(miner protocol.Account, m message) {
	b := c.bidders[miner]
	if b == nil {
		return
	}
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
