package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/unit"
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
	err := c.invites(s.Peer)
	if err == nil {
		err = c.fits(bid)
	}
	b := &bidder{session: s, out: make(chan message, outQueue), end: end}
	if err == nil {
		err = c.join(b, bid)
	}
	if err != nil {
		c.refuse(ctx, s, err)
		return
	}
	var writer sync.WaitGroup
	writer.Go(func() { b.write(ctx) })
	err = c.listen(ctx, b)
	if cause := context.Cause(ctx); cause != nil {
		err = cause // the end of the context ends the stream with a less helpful error
	}
	c.leave(run, b, err)
	close(b.out) // nobody sends any more
	if protocol.ReasonOf(err) == protocol.Unspecified {
		end(nil) // the miner is gone
	}
	writer.Wait()
	c.refuse(ctx, s, err)
}

// write sends the messages of a session. One goroutine writes, so that a slow miner
// never delays the counter.
func (b *bidder) write(ctx context.Context) {
	for m := range b.out {
		if err := b.session.Send(ctx, m.typ, m.body); err != nil {
			b.end(err)
			return
		}
	}
}

// invites refuses a miner that the publisher has not chosen, and one that gave a wrong result.
func (c *counter) invites(miner protocol.Account) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.barred, miner) {
		return errWrong
	}
	if c.miners == nil || slices.Contains(c.miners, miner) {
		return nil
	}
	return protocol.Refuse(protocol.NotChosen, "the customer has chosen other miners")
}

// fits refuses a bid that does not fit the offer.
func (c *counter) fits(bid protocol.Bid) error {
	switch {
	case bid.Price > c.price:
		return protocol.Refuse(protocol.PriceTooHigh, "the bid asks %s ALIA for a GFLOP, the offer pays %s", protocol.FormatAmount(bid.Price), protocol.FormatAmount(c.price))
	case bid.Capability.Numerics != kernel.Numerics:
		return protocol.Refuse(protocol.WrongSoftware, "the miner computes by %.64q and this work needs %q: install the version of alia that the publisher has", bid.Capability.Numerics, kernel.Numerics)
	}
	return nil
}

// join adds a miner to the book, in place of an older session of the miner.
func (c *counter) join(b *bidder, bid protocol.Bid) error {
	miner, able := b.session.Peer, bid.Capability
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.bidders[miner]
	c.bidders[miner] = b
	if _, err := c.apply(market.MinerJoined{Miner: miner, MFLOPS: able.MFLOPS, InFlight: bid.InFlight}); err != nil {
		if c.bidders[miner] = old; old == nil {
			delete(c.bidders, miner)
		}
		return err
	}
	if old != nil {
		old.end(errReplaced)
	}
	text := fmt.Sprintf("%s on %s, %d threads, %s, %s", able.Kernel, able.Device, able.Threads, able.Numerics, able.Software)
	c.reports.add(MinerJoined{Miner: miner, Miners: len(c.bidders), MFLOP: able.MFLOPS, Text: text})
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
	delete(c.bidders, miner)
	c.apply(market.MinerLeft{Miner: miner})
	if c.empty != nil {
		if len(c.bidders) == 0 {
			close(c.empty)
		}
	} else if run.Err() == nil {
		c.reports.add(MinerLeft{Miner: miner, Miners: len(c.bidders), Why: gone(err)})
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
	return newWhy(code, because(err))
}

// refuse tells a miner why its bid is refused or its session has ended. The session
// may have ended already.
func (c *counter) refuse(ctx context.Context, s *mesh.Session, err error) {
	code, text := protocol.ReasonOf(err), because(err)
	if code == protocol.Unspecified { // the miner is gone: there is nobody to tell
		c.peer.Log.Debug("session ended", "miner", s.Peer, "err", err)
		return
	}
	if code != protocol.WorkEnded {
		c.reports.add(Refused{Miner: s.Peer, Why: newWhy(code, text)})
	}
	if err := tellRefusal(ctx, s, block.Link{}, code, text); err != nil {
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
			err = c.progress(s.Peer, body)
		case protocol.TypeTicket:
			err = c.shown(b, body)
		case protocol.TypeAttestation:
			err = c.attested(ctx, b, body)
		case protocol.TypeCancel:
			err = c.failed(s.Peer, body)
		default:
			err = protocol.Refuse(protocol.Malformed, "a miner does not send a %s", t)
		}
		if err != nil {
			return err
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
	own, _ := c.tell(market.TicketShown{Miner: t.Miner, Unit: t.Unit, Ticket: protocol.ID(body)})
	for _, a := range own {
		switch a := a.(type) {
		case market.EndSession:
			return a.Err
		case market.RefuseResult:
			done := c.acceptance.accepted(t.Unit)
			switch {
			case protocol.ReasonOf(a.Err) != protocol.Superseded:
				c.reject(a)
			case done == nil || done.Attestation.Account != t.Miner:
				c.say(t.Miner, &protocol.Cancel{Version: protocol.Version, Ticket: a.Ticket, Code: protocol.Superseded})
			} // else its result was accepted: its attestation is answered so
		}
	}
	return nil
}

// progress reports a miner's progress to the book and to the user. Progress of a
// ticket that has ended crossed the Cancel on its way, and is ignored.
func (c *counter) progress(miner protocol.Account, body []byte) error {
	var p protocol.Progress
	if err := protocol.Parse(body, c.peer.Net, &p); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Only an attestation makes a unit count as computed.
	if _, err := c.apply(market.UnitProgress{Miner: miner, Ticket: p.Ticket, DonePPM: min(p.DonePPM, 999_999)}); err != nil {
		return nil
	}
	u, _ := c.book.UnitOf(miner, p.Ticket)
	c.reports.add(UnitProgress{Miner: miner, Unit: u.String(), Task: c.pending[u].unit.Kind.String(), Done: float64(p.DonePPM) / 1e6})
	return nil
}

// failed gives a unit back to the book.
func (c *counter) failed(miner protocol.Account, body []byte) error {
	var cancel protocol.Cancel
	if err := protocol.Parse(body, c.peer.Net, &cancel); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if u, ok := c.book.UnitOf(miner, cancel.Ticket); ok {
		c.reports.add(Refused{Miner: miner, Unit: u.String(), Why: newWhy(cancel.Code, cancel.Detail)})
		c.apply(market.UnitFailed{Miner: miner, Ticket: cancel.Ticket})
	}
	return nil
}

// attested handles an attestation: it has the result fetched and checked. The book
// accepts the first good result of a unit.
func (c *counter) attested(ctx context.Context, b *bidder, body []byte) error {
	var at protocol.Attestation
	if err := protocol.Parse(body, c.peer.Net, &at); err != nil {
		return err
	}
	switch {
	case at.Account != b.session.Peer:
		return protocol.Refuse(protocol.WrongAccount, "the attestation of %s came from %s", at.Account.Short(), b.session.Peer.Short())
	case at.Work != c.work:
		return protocol.Refuse(protocol.UnknownWork, "the attestation is for %s, this publisher offers %s", at.Work, c.work)
	case at.Publisher != c.peer.Account():
		return protocol.Refuse(protocol.WrongAccount, "the attestation is for publisher %s, this is %s", at.Publisher.Short(), c.peer.Account().Short())
	}
	own, err := c.tell(market.Attested{Miner: at.Account, Unit: at.Unit, Ticket: at.Ticket})
	if err != nil {
		return nil // another session of the miner has begun
	}
	if len(own) == 0 {
		return nil
	}
	if _, check := own[0].(market.CheckResult); !check {
		return c.answer(at, nil, unit.Result{}, 0, own)
	}
	w := c.waiting(at.Unit)
	if w == nil {
		c.fail(errDisagree)
		return nil
	}
	if at.Place != placeOf(w.unit) {
		return protocol.Refuse(protocol.Malformed, "the attestation of unit %s has the place of another", at.Unit)
	}
	r, in, err := c.acceptance.fetch(ctx, w, at)
	var wrong error
	if err == nil && c.verify != nil {
		switch err = c.verify(ctx, w.unit, at, r); {
		case err == nil || ctx.Err() != nil:
		case protocol.ReasonOf(err) == protocol.Unspecified:
			c.fail(err)
			return nil
		default:
			wrong = errWrong
			c.mu.Lock()
			c.barred = append(c.barred, at.Account)
			c.mu.Unlock()
			if c.only != nil && c.only(w.unit) == at.Account {
				c.fail(errTaken(w.unit, at.Account))
			}
		}
	}
	if err == nil {
		if err := c.acceptance.secure(context.WithoutCancel(ctx), at.Result, r); err != nil { // no fault of the miner
			c.fail(err)
			return nil
		}
	} else if ctx.Err() != nil { // the session is lost; the miner shows its ticket in the next
		return ctx.Err()
	}
	own, _ = c.tell(market.Checked{Miner: at.Account, Unit: at.Unit, Ticket: at.Ticket, Err: err})
	return cmp.Or(c.answer(at, w, r, in, own), wrong)
}

// errWrong ends the session with a miner for good.
var errWrong = protocol.Refuse(protocol.Barred, "a result of this miner was wrong")

// ErrTaken is returned, wrapped, for a unit that nobody can do any more: the ledger has the
// claim of a miner whose result was wrong, and pays no other.
var ErrTaken = errors.New("the ledger pays it to a miner whose result was wrong, and to no other")

func errTaken(u unit.Unit, miner protocol.Account) error {
	return fmt.Errorf("unit %d, miner %s: %w", u.Index, miner, ErrTaken)
}

// answer carries out what the book says of a result: accept it, refuse it, or end
// the session.
func (c *counter) answer(at protocol.Attestation, w *pending, r unit.Result, in uint64, own []market.Action) error {
	for _, a := range own {
		switch a := a.(type) {
		case market.AcceptResult:
			if err := c.accept(at, w, r, in, a); err != nil { // a result that is not in the journal would be lost by a crash
				c.fail(err)
			}
		case market.RefuseResult:
			done := c.acceptance.accepted(at.Unit)
			if done != nil && done.Attestation.Account == at.Account && done.Attestation.Result == at.Result {
				c.say(at.Account, &done.Accept) // the miner does not know that it was accepted
			} else {
				c.reject(a)
			}
		case market.EndSession:
			return a.Err
		}
	}
	return nil
}

// accept writes a result to the journal, and then tells the miner and whoever waits.
func (c *counter) accept(at protocol.Attestation, w *pending, r unit.Result, in uint64, a market.AcceptResult) error {
	record, body, err := c.acceptance.sign(w.unit.Round, at, effort(a.Began, c.now(), in, uint64(len(w.unit.Spec()))))
	if err != nil {
		return err
	}
	if err := c.recorder.append(journal.Line{Key: journal.Key{Unit: a.Unit, Slot: a.Slot}, Record: record}); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.send(at.Account, message{protocol.TypeAccept, body})
	c.reports.add(UnitDone{
		Miner: at.Account, Unit: at.Unit.String(), Task: w.unit.Kind.String(), MFLOP: r.MFLOP(),
		Seconds: float64(record.Took) / 1000, Price: c.price,
	})
	delete(c.pending, a.Unit)
	w.outcome = outcome(record, r)
	close(w.done)
	return nil
}

// reject tells a miner, and the user, why a result or a ticket does not count.
func (c *counter) reject(a market.RefuseResult) {
	code := protocol.ReasonOf(a.Err)
	c.reports.add(Refused{Miner: a.Miner, Unit: a.Unit.String(), Why: newWhy(code, because(a.Err))})
	c.say(a.Miner, &protocol.Reject{Version: protocol.Version, Ticket: a.Ticket, Code: code, Detail: detail(toPeer(a.Err))})
}

// say is push for callers that do not hold mu.
func (c *counter) say(miner protocol.Account, r protocol.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.push(miner, r)
}
