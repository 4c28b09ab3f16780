package node

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work/kernel"
)

// This file is the publisher's side of a session with one miner, in the order of
// the messages: the bid, then progress, attestations and cancels.

// serve serves a session from its bid on, until the session, its context or run ends.
func (c *counter) serve(run, ctx context.Context, s *mesh.Session, bid protocol.Bid) {
	if !c.begin() {
		return
	}
	defer c.sessions.Done()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	defer context.AfterFunc(run, func() { end(run.Err()) })()
	err := c.checked(bid)
	b := &bidder{session: s, out: make(chan message, outQueue), end: end}
	if err == nil {
		err = c.join(b, bid)
	}
	if err != nil {
		if run.Err() == nil {
			c.refuse(ctx, s, block.Link{}, err)
		}
		return
	}
	// One goroutine writes, so that a slow miner never delays the counter.
	var writer sync.WaitGroup
	writer.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case m := <-b.out:
				if err := s.Send(ctx, m.typ, m.body); err != nil {
					end(err)
					return
				}
			}
		}
	})
	err = c.listen(ctx, b)
	if cause := context.Cause(ctx); cause != nil {
		err = cause // the end of the context ends the stream with a less helpful error
	}
	end(nil)
	writer.Wait()
	c.leave(run, b, err)
}

// checked refuses a bid that does not fit the offer.
func (c *counter) checked(bid protocol.Bid) error {
	switch {
	case bid.Price > c.price:
		return protocol.Refuse(protocol.PriceTooHigh, "the bid asks %s ALIA for a GFLOP, the offer pays %s", protocol.FormatAmount(bid.Price), protocol.FormatAmount(c.price))
	case bid.Capability.Numerics != kernel.Numerics:
		return protocol.Refuse(protocol.WrongSoftware, "the miner computes %q, this work needs %q", bid.Capability.Numerics, kernel.Numerics)
	}
	return nil
}

// join adds a miner to the book, in place of an older session of the miner.
func (c *counter) join(b *bidder, bid protocol.Bid) error {
	miner, able := b.session.Peer, bid.Capability
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.empty != nil {
		return protocol.Refuse(protocol.WorkEnded, "%s is done", c.work)
	}
	if old := c.bidders[miner]; old != nil {
		old.end(errReplaced)
		c.drop(miner)
	}
	c.bidders[miner] = b
	text := fmt.Sprintf("%s on %s, %d threads, %s, %s", able.Kernel, able.Device, able.Threads, able.Numerics, able.Software)
	c.report(MinerJoined{Miner: miner, Miners: len(c.bidders), MFLOP: able.MFLOPS, Text: text})
	c.apply(market.MinerJoined{Miner: miner, MFLOPS: able.MFLOPS, InFlight: bid.InFlight})
	return nil
}

// leave takes a miner from the book when its session has ended, unless the miner
// has a newer session.
func (c *counter) leave(run context.Context, b *bidder, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	miner := b.session.Peer
	if c.bidders[miner] != b {
		return
	}
	c.drop(miner)
	if c.empty != nil {
		if len(c.bidders) == 0 {
			close(c.empty)
		}
	} else if run.Err() == nil {
		c.report(MinerLeft{Miner: miner, Miners: len(c.bidders), Why: gone(err)})
	}
}

// gone returns the reason why a session ended.
func gone(err error) Why {
	code := protocol.ReasonOf(err)
	switch {
	case err == io.EOF:
		return newWhy(protocol.PeerGone, "the peer closed the session")
	case code == protocol.Unspecified:
		code = protocol.PeerGone
	}
	return newWhy(code, err.Error())
}

// drop takes a miner and its leases from the book. The caller holds mu.
func (c *counter) drop(miner protocol.Account) {
	delete(c.bidders, miner)
	c.forget(func(t ticket) bool { return t.miner == miner })
	c.apply(market.MinerLeft{Miner: miner})
}

// refuse tells a miner why its bid or its attestation is refused. The session
// may have ended already.
func (c *counter) refuse(ctx context.Context, s *mesh.Session, ticket block.Link, err error) {
	code, text := protocol.ReasonOf(err), err.Error()
	if code == protocol.Unspecified { // the miner is gone: there is nobody to tell
		c.peer.Log.Debug("session ended", "miner", s.Peer, "err", err)
		return
	}
	c.report(Refused{Miner: s.Peer, Why: newWhy(code, text)})
	if err := tellRefusal(ctx, s, ticket, code, text); err != nil {
		c.peer.Log.Debug("refusal not sent", "err", err)
	}
}

// listen handles a miner's messages until its session ends.
func (c *counter) listen(ctx context.Context, b *bidder) error {
	s := b.session
	for {
		t, body, err := s.Recv(ctx)
		if err != nil {
			return err
		}
		switch t {
		case protocol.TypeProgress:
			var p protocol.Progress
			if err := protocol.Parse(body, c.peer.Net, &p); err != nil {
				return err
			}
			c.progress(s.Peer, p)
		case protocol.TypeTicket:
			if err := c.shown(b, body); err != nil {
				c.refuse(ctx, s, protocol.ID(body), err)
				return err
			}
		case protocol.TypeAttestation:
			var a protocol.Attestation
			if err := protocol.Parse(body, c.peer.Net, &a); err != nil {
				return err
			}
			if err := c.attested(ctx, b, a); err != nil {
				c.refuse(ctx, s, a.Ticket, err)
			}
		case protocol.TypeCancel:
			var cancel protocol.Cancel
			if err := protocol.Parse(body, c.peer.Net, &cancel); err != nil {
				return err
			}
			c.failed(s.Peer, cancel.Ticket, newWhy(cancel.Code, cancel.Detail))
		default:
			return protocol.Refuse(protocol.Malformed, "a miner does not send a %s", t)
		}
	}
}

// shown takes back a ticket that a miner got in an earlier session, perhaps from an
// earlier process. An attestation of its unit then counts if the unit still waits.
func (c *counter) shown(b *bidder, body []byte) error {
	var t protocol.Ticket
	if err := protocol.Parse(body, c.peer.Net, &t); err != nil {
		return err
	}
	if t.Account != c.peer.Account() || t.Miner != b.session.Peer || t.Work != c.work {
		return protocol.Refuse(protocol.WrongAccount, "ticket %d of %s is not for %s and this work", t.Number, t.Account.Short(), b.session.Peer.Short())
	}
	if b.shown++; b.shown > maxShown {
		return protocol.Refuse(protocol.RateLimited, "more than %d tickets of earlier sessions", maxShown)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.units[t.Unit] != nil {
		c.tickets[protocol.ID(body)] = ticket{unit: t.Unit, miner: t.Miner}
	}
	return nil
}

// progress reports a miner's progress to the book and to the user. Progress of a lease
// that has ended crossed the Cancel on its way, and is ignored.
func (c *counter) progress(miner protocol.Account, p protocol.Progress) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.tickets[p.Ticket]
	if !ok || t.miner != miner {
		return
	}
	// Each message has the book make its schedule again, while every other miner
	// waits: a miner that sends thousands must not stop the run.
	now := c.now()
	if now.Sub(t.told) < progressAtMost {
		return
	}
	t.told = now
	c.tickets[p.Ticket] = t
	// Only an attestation makes a unit count as computed.
	c.apply(market.UnitProgress{Miner: miner, Unit: t.unit, DonePPM: min(p.DonePPM, market.Computed-1)})
	c.report(UnitProgress{Miner: miner, Unit: t.unit.String(), Task: c.units[t.unit].unit.Kind.String(), Done: float64(p.DonePPM) / 1e6})
}

// failed gives a unit back to the book.
func (c *counter) failed(miner protocol.Account, id block.Link, why Why) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.tickets[id]
	if !ok || t.miner != miner {
		return
	}
	delete(c.tickets, id)
	c.report(Refused{Miner: miner, Unit: t.unit.String(), Why: why})
	c.apply(market.UnitFailed{Unit: t.unit, Miner: miner})
}

// attested handles an attestation: it has the result fetched and checked, and
// accepts the first good result of a unit.
func (c *counter) attested(ctx context.Context, b *bidder, a protocol.Attestation) error {
	w, err := c.claimed(b, a)
	if err != nil {
		return err
	}
	r, in, err := c.acceptance.fetch(ctx, w, a, b.session.Addr())
	if err == nil {
		if err := c.acceptance.secure(context.WithoutCancel(ctx), a.Result, r); err != nil { // no fault of the miner
			c.fail(err)
			return nil
		}
	}
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.tickets, a.Ticket)
		c.apply(market.UnitFailed{Unit: a.Unit, Miner: a.Account})
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.units[a.Unit] != w { // another result came during the fetch
		return protocol.Refuse(protocol.Superseded, "unit %s is done", a.Unit)
	}
	record, accept, err := c.acceptance.accept(w.unit.Round, a, effort(w.leased, c.now(), in, uint64(len(w.unit.Spec()))))
	if err != nil { // a result that is not in the journal would be lost by a crash
		c.fail(err)
		return nil
	}
	w.outcome = outcome(record, r)
	close(w.done)
	c.send(b, message{protocol.TypeAccept, accept})
	c.report(UnitDone{
		Miner: a.Account, Unit: a.Unit.String(), Task: w.unit.Kind.String(), MFLOP: a.Cost,
		Seconds: float64(record.Took) / 1000, Price: c.price,
	})
	// The book cancels the other leases of the unit before the unit goes.
	c.apply(market.UnitDone{Unit: a.Unit, Miner: a.Account})
	c.apply(market.DropUnits{Units: []block.Link{a.Unit}})
	delete(c.units, a.Unit)
	c.forget(func(t ticket) bool { return t.unit == a.Unit })
	return nil
}

// claimed finds the pending unit that an attestation is for, and tells the book
// that the unit is computed.
func (c *counter) claimed(b *bidder, a protocol.Attestation) (*pending, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.tickets[a.Ticket]
	w := c.units[a.Unit]
	switch {
	case a.Account != b.session.Peer:
		return nil, protocol.Refuse(protocol.WrongAccount, "the attestation of %s came from %s", a.Account.Short(), b.session.Peer.Short())
	case a.Work != c.work:
		return nil, protocol.Refuse(protocol.UnknownWork, "the attestation is for %s, this publisher offers %s", a.Work, c.work)
	case w == nil:
		return nil, protocol.Refuse(protocol.Superseded, "unit %s is done, or never was", a.Unit)
	case !ok || t.unit != a.Unit || t.miner != a.Account:
		return nil, protocol.Refuse(protocol.NotLeased, "unit %s", a.Unit)
	}
	c.apply(market.UnitProgress{Miner: a.Account, Unit: a.Unit, DonePPM: market.Computed})
	return w, nil
}
