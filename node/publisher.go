package node

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work/unit"
)

// PublisherConfig says which work a publisher offers.
type PublisherConfig struct {
	Peer    *Peer
	Journal *journal.Journal
	Work    block.Link
	Price   uint64 // the highest price of a bid, an amount for a GFLOP; 0 where the ledger mints
	// Hints are addresses of other peers that have inputs of units.
	Hints []string
	// Offer makes the work's offer, unsigned. time is in milliseconds since 1970.
	Offer func(time uint64, addrs []string) protocol.Signed
	// Proof shows that the ledger pays for a unit, for its tickets; nil, or no proof, where
	// it does not.
	Proof func(context.Context, unit.Unit) []protocol.SlotProof
	// Escrow is the number of the escrow that pays for the units of a job; 0 where none does.
	Escrow uint64
	// Only is the one miner that may do a unit, because the ledger has its claim already, and
	// no account for a unit that every miner may do; nil says so of all units.
	Only func(unit.Unit) protocol.Account
	// Miners are those that may bid; nil: every miner.
	Miners []protocol.Account
	// Secret says that nothing of the work may lie on the disk as it is: neither its texts,
	// whose owner is [SecretOwner], nor its results.
	Secret bool
	// Estimate is the approximate cost of a unit in MFLOP, for scheduling.
	Estimate func(unit.Unit) uint64
	// Confirm computes a unit in this process if its miner reports that the result is not
	// finite. It is nil if this process has no worker; then no such result is accepted.
	Confirm unit.Crew
	// Verify compares a result, whose blocks are in the store, with what this process finds
	// itself, before it is accepted; nil compares none. An error with a reason refuses the result,
	// and the miner gets no unit of the work any more. Any other error ends the publisher.
	Verify func(ctx context.Context, u unit.Unit, at protocol.Attestation, r unit.Result) error
	// Barred are miners that get no unit, because of what Verify found earlier.
	Barred []protocol.Account
	Report Reporter
}

// Publisher has the units of one work, a run or a job, done by miners. It
// repeats the work's offer, deals with miners, and journals the results that it
// accepts. It is a [unit.Crew]: Do may be called while Run runs.
type Publisher struct {
	peer     *Peer
	work     block.Link
	offering offering
	counter  *counter
}

// endTimeout bounds how long End waits for miners to close their sessions.
const endTimeout = 2 * time.Second

// NewPublisher returns a publisher, which does nothing before Run.
func NewPublisher(c PublisherConfig) *Publisher {
	return &Publisher{
		peer: c.Peer, work: c.Work,
		offering: offering{peer: c.Peer, record: c.Offer},
		counter:  newCounter(c),
	}
}

// Run offers the work and deals with miners until ctx ends. One process has at most
// one publisher of a work at a time.
func (p *Publisher) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	leave, err := p.peer.desk.open(p.work, deskWork{
		serve: func(session context.Context, s *mesh.Session, bid protocol.Bid) {
			p.counter.serve(ctx, session, s, bid)
		},
		lends: p.counter.lends,
	})
	if err != nil {
		return err
	}
	var own sync.WaitGroup
	defer own.Wait()
	own.Go(p.counter.recorder.run)
	own.Go(p.counter.reports.run)
	defer p.counter.close()
	defer leave()
	g.Go(func() error { p.offering.repeat(ctx, p.counter.ended); return nil })
	g.Go(func() error { return p.counter.run(ctx) })
	return g.Wait()
}

// Do has units computed by miners, and returns the outcomes in the sequence of units.
// Units that were accepted before, in this process or an earlier one, are not
// done again.
func (p *Publisher) Do(ctx context.Context, units []unit.Unit) ([]unit.Outcome, error) {
	waits, err := p.counter.add(ctx, units)
	if err != nil {
		return nil, err
	}
	out := make([]unit.Outcome, len(units))
	for i, w := range waits {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-w.done:
			out[i] = w.outcome
		}
	}
	return out, nil
}

// DoEach is Do that calls done with each outcome when it is there, and the index of its
// unit. The calls are made one after the other, in any sequence of units.
func (p *Publisher) DoEach(ctx context.Context, units []unit.Unit, done func(i int, o unit.Outcome)) error {
	waits, err := p.counter.add(ctx, units)
	if err != nil {
		return err
	}
	var waiting sync.WaitGroup
	defer waiting.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	there := make(chan int, len(waits))
	for i, w := range waits {
		select {
		case <-w.done: // of an earlier process
			there <- i
			continue
		default:
		}
		waiting.Go(func() {
			select {
			case <-ctx.Done():
			case <-w.done:
				there <- i
			}
		})
	}
	for range waits {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case i := <-there:
			done(i, waits[i].outcome)
		}
	}
	return nil
}

// Void has the accepted results of a unit count no more, because the work cannot go
// on with them. The next Do has the unit done again, by another miner.
func (p *Publisher) Void(unit block.Link, code protocol.Reason, text string) error {
	miners, err := p.counter.acceptance.void(unit, code, text)
	for _, m := range miners {
		p.counter.tell(market.ResultVoided{Miner: m})
	}
	return err
}

// End tells every miner that the work has ended, and waits a moment for the
// miners to close their sessions.
func (p *Publisher) End(ctx context.Context) {
	p.peer.Offers.End(time.Now(), market.OfferKey{Work: p.work, Publisher: p.peer.Account()})
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	select {
	case <-p.counter.end():
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			p.peer.Log.Debug("some miners did not close their sessions")
		}
	}
}
