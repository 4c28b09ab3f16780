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
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/unit"
)

// The publisher's side of a session with one miner, in the order of a unit's
// way: the bid, the attestation, the fetch of the result, the acceptance.

// serve is one session with a miner.
func (p *Publisher) serve(ctx context.Context, s *mesh.Session) {
	bid, err := p.bid(ctx, s)
	if err != nil {
		p.refuse(ctx, s, block.Link{}, err)
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b := &bidder{session: s, out: make(chan protocol.Record, outQueue), ctx: ctx, end: cancel}
	p.mu.Lock()
	if old := p.bidders[s.Peer]; old != nil {
		old.end()
		p.apply(time.Now(), market.MinerLeft{Miner: s.Peer})
	}
	p.bidders[s.Peer] = b
	p.Report(MinerJoined{Miner: s.Peer, Miners: len(p.bidders), MFLOP: bid.Capability.MFLOPS, Text: describe(bid.Capability)})
	p.apply(time.Now(), market.MinerJoined{Miner: s.Peer, MFLOPS: bid.Capability.MFLOPS, InFlight: bid.InFlight})
	p.mu.Unlock()
	var writer sync.WaitGroup
	writer.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case r := <-b.out:
				if err := send(ctx, s, r); err != nil {
					cancel()
					return
				}
			}
		}
	})
	err = p.listen(ctx, b)
	cancel()
	writer.Wait()
	p.leave(b, err)
}

// describe says what a miner computes with.
func describe(c protocol.Capability) string {
	return fmt.Sprintf("%s on %s, %d threads, %s, %s", c.Kernel, c.Device, c.Threads, c.Numerics, c.Software)
}

// leave takes a miner from the book when its session, and no newer one of
// its own, has ended.
func (p *Publisher) leave(b *bidder, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	miner := b.session.Peer
	if p.bidders[miner] != b {
		return
	}
	delete(p.bidders, miner)
	for id, t := range p.tickets {
		if t.miner == miner {
			delete(p.tickets, id)
		}
	}
	p.apply(time.Now(), market.MinerLeft{Miner: miner})
	if !p.ended {
		p.Report(MinerLeft{Miner: miner, Miners: len(p.bidders), Why: because(protocol.PeerGone, err.Error())})
	}
}

// bid reads and checks a session's first message.
func (p *Publisher) bid(ctx context.Context, s *mesh.Session) (protocol.Bid, error) {
	ctx, cancel := context.WithTimeout(ctx, bidTimeout)
	defer cancel()
	var bid protocol.Bid
	t, body, err := s.Recv(ctx)
	if err != nil {
		return bid, err
	}
	if t != protocol.TypeBid {
		return bid, protocol.Refuse(protocol.Malformed, "a session begins with a bid, not a %s", t)
	}
	if err := protocol.Parse(body, p.Peer.Net, &bid); err != nil {
		return bid, err
	}
	p.mu.Lock()
	ended := p.ended
	p.mu.Unlock()
	switch {
	case bid.Account != s.Peer:
		return bid, protocol.Refuse(protocol.WrongAccount, "the bid of %s came from %s", bid.Account.Short(), s.Peer.Short())
	case bid.Work != p.Work:
		return bid, protocol.Refuse(protocol.UnknownWork, "the bid is for %s, this publisher offers %s", bid.Work, p.Work)
	case ended:
		return bid, protocol.Refuse(protocol.WorkEnded, "%s is done", p.Work)
	case bid.Price > p.Price:
		return bid, protocol.Refuse(protocol.PriceTooHigh, "the bid asks %s ALIA for a GFLOP, the offer pays %s", protocol.FormatAmount(bid.Price), protocol.FormatAmount(p.Price))
	case bid.Capability.Numerics != kernel.Numerics:
		return bid, protocol.Refuse(protocol.WrongSoftware, "the miner computes %q, this work needs %q", bid.Capability.Numerics, kernel.Numerics)
	}
	return bid, nil
}

// refuse tells the other side why, as far as it still listens.
func (p *Publisher) refuse(ctx context.Context, s *mesh.Session, ticket block.Link, err error) {
	code, text := protocol.ReasonOf(err), err.Error()
	p.Report(Refused{Miner: s.Peer, Why: because(code, text)})
	var r protocol.Record = &protocol.Reject{Version: protocol.Version, Ticket: ticket, Code: code, Detail: text[:min(len(text), 200)]}
	if code == protocol.WorkEnded {
		r = &protocol.Idle{Version: protocol.Version, Code: code}
	}
	if err := send(ctx, s, r); err != nil {
		p.Peer.Log.Debug("refusal not sent", "err", err)
	}
}

// listen takes a miner's messages until its session ends.
func (p *Publisher) listen(ctx context.Context, b *bidder) error {
	s := b.session
	for {
		t, body, err := s.Recv(ctx)
		if err != nil {
			return err
		}
		switch t {
		case protocol.TypeAttestation:
			var a protocol.Attestation
			if err := protocol.Parse(body, p.Peer.Net, &a); err != nil {
				return err
			}
			if err := p.attested(ctx, b, a); err != nil {
				p.refuse(ctx, s, a.Ticket, err)
			}
		case protocol.TypeCancel:
			var c protocol.Cancel
			if err := protocol.Parse(body, p.Peer.Net, &c); err != nil {
				return err
			}
			p.Report(Refused{Miner: s.Peer, Why: because(c.Code, c.Detail)})
			p.failed(s.Peer, c.Ticket)
		case protocol.TypeProgress:
		default:
			return protocol.Refuse(protocol.Malformed, "a miner does not send a %s", t)
		}
	}
}

// failed gives a unit back to the book.
func (p *Publisher) failed(miner protocol.Account, ticket block.Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.tickets[ticket]
	if !ok || t.miner != miner {
		return
	}
	delete(p.tickets, ticket)
	p.apply(time.Now(), market.UnitFailed{Unit: t.unit, Miner: miner})
}

// attested takes a miner's statement of a result (PROTOCOL.md, section 7.6):
// it fetches the result and its outputs, checks what can be checked without
// computing, and accepts.
func (p *Publisher) attested(ctx context.Context, b *bidder, a protocol.Attestation) error {
	w, err := p.claimed(b, a)
	if err != nil {
		return err
	}
	blocks := &remote{store: p.Peer.Store, mesh: p.Peer.Mesh, hints: []string{b.session.Addr()}}
	r, err := p.fetch(ctx, blocks, w.unit, a)
	if err != nil {
		p.failed(b.session.Peer, a.Ticket)
		return err
	}
	accept := protocol.Accept{Work: a.Work, Unit: a.Unit, Miner: a.Account, Result: a.Result, Cost: a.Cost}
	if _, err := protocol.Sign(p.Peer.Key, p.Peer.Net, &accept); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.units[a.Unit] != w {
		return protocol.Refuse(protocol.Superseded, "unit %s is done", a.Unit)
	}
	now := time.Now()
	line := Accepted{
		Attestation: a, Accept: accept, Effort: unit.Effort{
			Started: uint64(w.started.UnixMilli()), Took: uint64(now.Sub(w.started).Milliseconds()),
			BytesIn: blocks.in, BytesOut: uint64(len(w.unit.Spec())),
		},
	}
	if err := p.Journal.Add(line); err != nil {
		return err
	}
	w.outcome = outcome(line, r)
	close(w.done)
	delete(p.units, a.Unit)
	delete(p.tickets, a.Ticket)
	p.push(b, &accept)
	p.Report(UnitDone{Miner: a.Account, Unit: a.Unit.String(), Task: w.unit.Kind.String(), MFLOP: a.Cost, Seconds: float64(line.Took) / 1000})
	p.apply(now, market.UnitDone{Unit: a.Unit, Miner: a.Account})
	p.apply(now, market.DropUnits{Units: []block.Link{a.Unit}})
	return nil
}

// claimed finds the open unit an attestation is about.
func (p *Publisher) claimed(b *bidder, a protocol.Attestation) (*pending, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.tickets[a.Ticket]
	w := p.units[a.Unit]
	switch {
	case a.Account != b.session.Peer:
		return nil, protocol.Refuse(protocol.WrongAccount, "the attestation of %s came from %s", a.Account.Short(), b.session.Peer.Short())
	case a.Work != p.Work:
		return nil, protocol.Refuse(protocol.UnknownWork, "the attestation is for %s, this publisher offers %s", a.Work, p.Work)
	case w == nil:
		return nil, protocol.Refuse(protocol.Superseded, "unit %s is done, or never was", a.Unit)
	case !ok || t.unit != a.Unit || t.miner != a.Account:
		return nil, protocol.Refuse(protocol.NotLeased, "unit %s", a.Unit)
	}
	return w, nil
}

// fetch brings a result and its outputs here and checks their form.
func (p *Publisher) fetch(ctx context.Context, blocks *remote, u unit.Unit, a protocol.Attestation) (unit.Result, error) {
	data, err := blocks.one(ctx, a.Result.Cid)
	if err != nil {
		return unit.Result{}, protocol.Refuse(protocol.ResultUnavailable, "%w", err)
	}
	r, err := unit.ParseResult(data)
	if err != nil {
		return unit.Result{}, protocol.Refuse(protocol.Malformed, "%w", err)
	}
	if err := unit.Fits(u, r); err != nil {
		return unit.Result{}, protocol.Refuse(protocol.ResultMismatch, "%w", err)
	}
	if r.MFLOP() != a.Cost {
		return unit.Result{}, protocol.Refuse(protocol.CostMismatch, "the result says %d MFLOP, the attestation %d", r.MFLOP(), a.Cost)
	}
	for _, l := range r.Outputs {
		if _, err := blocks.Get(ctx, l.Cid); err != nil {
			return unit.Result{}, protocol.Refuse(protocol.ResultUnavailable, "%w", err)
		}
	}
	return r, nil
}
