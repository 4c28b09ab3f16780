package node

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work/unit"
)

// Publisher has the units of one work, a run or a job, done by miners. It
// repeats the work's offer, takes bids, leases units as its [market.Book]
// says, fetches and checks results, and keeps what it accepted in a journal.
// It is a [work.Crew]: Do may be called while Run runs.
type Publisher struct {
	Peer    *Peer
	Journal *Journal
	Work    block.Link
	Price   uint64 // units per GFLOP, on tickets; 0 where the ledger mints
	// Hints are addresses of peers, beside this one, that hold inputs of units.
	Hints []string
	// Offer makes the work's offer, unsigned, and Topic is where it goes.
	Offer func(seq uint64, addrs []string) protocol.Signed
	Topic string
	// Estimate is about what a unit costs, in MFLOP. Only scheduling reads it.
	Estimate func(unit.Unit) uint64
	Report   Reporter

	mu      sync.Mutex // guards the rest
	book    market.Book
	bidders map[protocol.Account]*bidder
	units   map[block.Link]*pending // open units
	tickets map[block.Link]issued   // by the ticket's CID
	number  uint64                  // of the last ticket
	alone   time.Time               // since when no miner is here
	ended   bool
}

// bidder is a miner with a session open.
type bidder struct {
	session *mesh.Session
	out     chan protocol.Record // what its writer sends
	ctx     context.Context      // ends with the session
	end     context.CancelFunc
	told    protocol.Reason // why it has no unit, as last told
}

// pending is a unit that is to be done.
type pending struct {
	unit    unit.Unit
	started time.Time     // of its last lease
	done    chan struct{} // closed when outcome is set
	outcome unit.Outcome
}

// issued is a ticket that is out.
type issued struct {
	unit  block.Link
	miner protocol.Account
}

const (
	bidTimeout = 10 * time.Second
	tickEvery  = 250 * time.Millisecond
	aloneAfter = 3 * time.Second
	outQueue   = 256
	endTimeout = 2 * time.Second
	endPoll    = 10 * time.Millisecond
)

// Run offers the work and deals with miners until ctx ends.
func (p *Publisher) Run(ctx context.Context) error {
	p.mu.Lock()
	p.init()
	p.mu.Unlock()
	p.Peer.Mesh.HandleMarket(func(mctx context.Context, s *mesh.Session) {
		mctx, cancel := context.WithCancel(mctx)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		p.serve(mctx, s)
	})
	defer p.Peer.Mesh.HandleMarket(nil)
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	var offered time.Time
	for {
		if now := time.Now(); now.Sub(offered) >= offerEvery {
			if err := p.offer(ctx, now); err != nil {
				p.Peer.Log.Warn("offer not published", "err", err)
			}
			offered = now
		}
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			p.mu.Lock()
			p.apply(now, market.Tick{})
			p.watch(now)
			p.mu.Unlock()
		}
	}
}

func (p *Publisher) init() {
	if p.bidders == nil {
		p.bidders = map[protocol.Account]*bidder{}
		p.units = map[block.Link]*pending{}
		p.tickets = map[block.Link]issued{}
		p.alone = time.Now()
	}
}

// End tells every miner that the work has ended, and that no more will come,
// and lets them close their sessions.
func (p *Publisher) End() {
	p.mu.Lock()
	p.ended = true
	var sessions []*mesh.Session
	for _, b := range p.bidders {
		sessions = append(sessions, b.session)
	}
	p.mu.Unlock()
	p.Peer.Offers.End(p.Work)
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	for _, s := range sessions {
		if err := send(ctx, s, &protocol.Idle{Version: protocol.Version, Code: protocol.WorkEnded}); err != nil {
			p.Peer.Log.Debug("end not sent", "err", err)
		}
	}
	for p.crowd() > 0 && ctx.Err() == nil {
		time.Sleep(endPoll)
	}
}

// crowd is the number of miners with a session open.
func (p *Publisher) crowd() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.bidders)
}

func (p *Publisher) offer(ctx context.Context, now time.Time) error {
	p.mu.Lock()
	ended := p.ended
	p.mu.Unlock()
	if ended {
		return nil
	}
	o := p.Offer(uint64(now.UnixMilli()), p.Peer.Mesh.Addrs())
	body, err := protocol.Sign(p.Peer.Key, p.Peer.Net, o)
	if err != nil {
		return err
	}
	if err := p.Peer.hear(o.Type(), body); err != nil {
		return err
	}
	return p.Peer.Mesh.Publish(ctx, p.Topic, body)
}

// watch reports when units wait and no miner is there to do them.
func (p *Publisher) watch(now time.Time) {
	if len(p.bidders) > 0 || len(p.units) == 0 {
		p.alone = now
		return
	}
	if now.Sub(p.alone) >= aloneAfter {
		p.alone = now
		p.Report(Waiting{Units: len(p.units), Why: because(protocol.NoMiner, "")})
	}
}

// Do has units done by miners, and gives their outcomes in order. Units
// accepted before, in this process or an earlier one, are not done again.
func (p *Publisher) Do(ctx context.Context, units []unit.Unit) ([]unit.Outcome, error) {
	waits := make([]*pending, len(units))
	var open []market.Unit
	p.mu.Lock()
	p.init()
	for i, u := range units {
		w := &pending{unit: u, done: make(chan struct{})}
		if o, ok := p.accepted(ctx, u); ok {
			w.outcome = o
			close(w.done)
		} else {
			p.units[u.ID()] = w
			open = append(open, market.Unit{ID: u.ID(), Cost: p.Estimate(u), Order: uint64(u.Round)<<32 | uint64(u.Index)})
		}
		waits[i] = w
	}
	if len(open) > 0 {
		p.apply(time.Now(), market.AddUnits{Units: open})
	}
	p.mu.Unlock()
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

// accepted finds in the journal what a unit gave, if its blocks are still here.
func (p *Publisher) accepted(ctx context.Context, u unit.Unit) (unit.Outcome, bool) {
	a, ok := p.Journal.Get(u.ID())
	if !ok {
		return unit.Outcome{}, false
	}
	data, err := p.Peer.Store.Get(ctx, a.Attestation.Result.Cid)
	if err != nil {
		return unit.Outcome{}, false
	}
	r, err := unit.ParseResult(data)
	if err != nil {
		return unit.Outcome{}, false
	}
	for _, l := range r.Outputs {
		if !whole(ctx, p.Peer.Store, l.Cid) {
			return unit.Outcome{}, false
		}
	}
	return outcome(a, r), true
}

func outcome(a Accepted, r unit.Result) unit.Outcome {
	return unit.Outcome{
		Link: a.Attestation.Result, Result: r, Miner: a.Attestation.Account,
		Effort: a.Effort,
	}
}

// apply gives the book an event and does what it says. The caller holds mu.
func (p *Publisher) apply(now time.Time, e market.Event) {
	actions, err := p.book.Apply(now, e)
	if err != nil {
		p.Peer.Log.Debug("market", "event", fmt.Sprintf("%T", e), "err", err)
		return
	}
	for _, a := range actions {
		switch a := a.(type) {
		case market.IssueTicket:
			p.lease(now, a)
		case market.CancelTicket:
			p.cancel(a)
		case market.TellIdle:
			if b := p.bidders[a.Miner]; b != nil && b.told != a.Code {
				b.told = a.Code
				p.push(b, &protocol.Idle{Version: protocol.Version, Code: a.Code})
			}
		}
	}
}

// lease sends a ticket.
func (p *Publisher) lease(now time.Time, l market.IssueTicket) {
	b, w := p.bidders[l.Miner], p.units[l.Unit]
	if b == nil || w == nil {
		return
	}
	p.number++
	t := &protocol.Ticket{
		Work: p.Work, Number: uint64(now.UnixMilli())<<16 | p.number&0xffff, Unit: l.Unit, Spec: w.unit.Spec(), Miner: l.Miner,
		LeaseSeconds: l.Seconds, Hints: p.hints(),
	}
	body, err := protocol.Sign(p.Peer.Key, p.Peer.Net, t)
	if err != nil {
		p.Peer.Log.Error("ticket not signed", "err", err)
		return
	}
	p.tickets[protocol.ID(body)] = issued{l.Unit, l.Miner}
	w.started, b.told = now, protocol.Unspecified
	p.push(b, t)
}

// hints are the addresses on a ticket, as many as it may have.
func (p *Publisher) hints() []string {
	all := append(p.Peer.Mesh.Addrs(), p.Hints...)
	return all[:min(len(all), protocol.MaxAddrs)]
}

func (p *Publisher) cancel(c market.CancelTicket) {
	for id, t := range p.tickets {
		if t.unit == c.Unit && t.miner == c.Miner {
			delete(p.tickets, id)
			if b := p.bidders[c.Miner]; b != nil {
				p.push(b, &protocol.Cancel{Version: protocol.Version, Ticket: id, Code: c.Code})
			}
		}
	}
}

// push hands a record to the session's writer; a miner that does not read
// loses its session rather than holding up the others.
func (p *Publisher) push(b *bidder, r protocol.Record) {
	select {
	case b.out <- r:
	default:
		b.end()
	}
}
