package node

import (
	"cmp"
	"context"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work/unit"
)

// This file is the miner's side of a session with one publisher: the messages of
// tasks, not the tasks themselves, which outlive it.

// minerSession is a miner's session with one publisher.
type minerSession struct {
	miner    *Miner
	offer    market.Offer
	stream   *mesh.Session
	reported time.Time // when progress was sent last; the lock of tasks guards it

	givenBack int // tickets that the miner did not take
}

// maxGivenBack bounds the tickets that a publisher may send in vain in one session.
const maxGivenBack = 64

// session bids on an offer and handles the publisher's messages until the
// session ends.
func (m *Miner) session(ctx context.Context, o market.Offer) error {
	stream, err := m.Peer.Mesh.OpenMarket(ctx, o.Publisher, o.Addrs)
	if err != nil {
		return err
	}
	defer stream.Close()
	// A publisher that does not say by which numerics it computes compares those of the bid.
	if theirs, ours := stream.Numerics, m.Capability.Numerics; theirs != "" && theirs != ours {
		return protocol.Refuse(protocol.WrongSoftware, "the publisher computes by %.64q and this miner by %q: install the version of alia that the publisher has", theirs, ours)
	}
	bid := &protocol.Bid{
		Work: o.Work, Price: o.Price, InFlight: uint32(inFlight * len(m.Workers)), Capability: m.Capability,
	}
	body, err := protocol.Sign(m.Peer.Key, m.Peer.Net, bid)
	if err != nil {
		return err
	}
	if err := stream.Send(ctx, bid.Type(), body); err != nil {
		return err
	}
	s := &minerSession{miner: m, offer: o, stream: stream}
	shown := m.tasks.attach(s, int(bid.InFlight))
	defer func() { m.tasks.detach(s, m.now()) }()
	for _, t := range shown {
		if err := m.submit(t); err != nil {
			return err
		}
	}
	for answered := false; ; answered = true {
		typ, body, err := stream.Recv(ctx)
		if err != nil {
			return err
		}
		if !answered && typ != protocol.TypeReject { // only after an answer: a miner bids again and again to a publisher that has stopped
			m.Report(Bidding{Work: o.Work.String(), Text: o.Text})
		}
		if err := s.message(ctx, typ, body); err != nil {
			return err
		}
		if m.rested(o.OfferKey) {
			return errResting
		}
	}
}

// message handles one message of the publisher.
func (s *minerSession) message(ctx context.Context, typ protocol.RecordType, body []byte) error {
	net := s.miner.Peer.Net
	switch typ {
	case protocol.TypeTicket:
		return s.take(ctx, body)
	case protocol.TypeCancel:
		var c protocol.Cancel
		if err := protocol.Parse(body, net, &c); err != nil {
			return err
		}
		return s.cancelled(c)
	case protocol.TypeAccept:
		var a protocol.Accept
		if err := protocol.Parse(body, net, &a); err != nil {
			return err
		}
		return s.accepted(a)
	case protocol.TypeReject:
		var r protocol.Reject
		if err := protocol.Parse(body, net, &r); err != nil {
			return err
		}
		return s.rejected(r)
	case protocol.TypeIdle:
		var i protocol.Idle
		if err := protocol.Parse(body, net, &i); err != nil {
			return err
		}
		return s.idle(i.Code)
	}
	return protocol.Refuse(protocol.Malformed, "a publisher does not send a %s", typ)
}

// task finds the task of a ticket.
func (s *minerSession) task(ticket block.Link) *task {
	return s.miner.tasks.find(s.offer.OfferKey, func(t *task) bool { return t.ticketID == ticket })
}

// cancelled ends a task that the publisher cancels. If only its lease has ended, a
// worker that has begun the unit goes on: a late result counts while the unit waits.
func (s *minerSession) cancelled(c protocol.Cancel) error {
	m, t := s.miner, s.task(c.Ticket)
	if t == nil {
		return nil
	}
	m.Peer.Log.Debug("lease cancelled", "unit", t.key.unit, "reason", c.Code)
	if c.Code != protocol.LeaseExpired { // nobody's fault
		return m.discard(t, c.Code, c.Detail)
	}
	// The user's machine was too slow.
	m.Report(Refused{Unit: t.key.unit.String(), Why: newWhy(c.Code, c.Detail)})
	if !m.tasks.expire(t, m.now()) {
		return m.discard(t, c.Code, c.Detail)
	}
	return nil
}

// accepted handles the acceptance of a result.
func (s *minerSession) accepted(a protocol.Accept) error {
	m := s.miner
	t, err := m.accepted(s.offer, a)
	if err != nil || t == nil {
		return err
	}
	m.tasks.remove(t)
	m.keep(t)
	m.earn(s.offer, t.mflop)
	m.Report(UnitDone{
		Unit: a.Unit.String(), Task: t.unit.Kind.String(), MFLOP: t.mflop, Seconds: t.took.Seconds(), Price: s.offer.Price,
	})
	return nil
}

// rejected handles the refusal of the bid or of a result.
func (s *minerSession) rejected(r protocol.Reject) error {
	if !r.Ticket.Defined() { // the bid is refused
		return protocol.Refuse(r.Code, "%s", r.Detail)
	}
	t := s.task(r.Ticket)
	if t == nil {
		return nil
	}
	s.miner.Report(Refused{Unit: t.key.unit.String(), Why: newWhy(r.Code, r.Detail)})
	return s.miner.discard(t, r.Code, r.Detail)
}

// idle handles the publisher's reason to lease no unit.
func (s *minerSession) idle(code protocol.Reason) error {
	m := s.miner
	if code != protocol.WorkEnded {
		m.idles(s.offer.OfferKey, newWhy(code, ""))
		return nil
	}
	for _, t := range m.tasks.of(s.offer.OfferKey) {
		if err := m.discard(t, code, ""); err != nil {
			return err
		}
	}
	return protocol.Refuse(code, "%s", s.offer.Work)
}

// take takes a ticket. Its unit waits for a worker, unless a worker computes it
// already, or the journal has its result.
func (s *minerSession) take(ctx context.Context, body []byte) error {
	m := s.miner
	var ticket protocol.Ticket
	if err := protocol.Parse(body, m.Peer.Net, &ticket); err != nil {
		return err
	}
	t := newTask(ticket, body, m.now())
	t.session = s
	if t.ticket.Account != s.offer.Publisher || t.ticket.Miner != m.Peer.Account() || t.ticket.Work != s.offer.Work {
		return protocol.Refuse(protocol.WrongAccount, "ticket %d is not for this miner and work", t.ticket.Number)
	}
	var err error
	if t.unit, err = unit.Parse(t.ticket.Spec); err != nil {
		return protocol.Refuse(protocol.UnknownUnit, "%w", err)
	}
	if t.unit.Kind == unit.Translate && !s.offer.Run() {
		t.conceal()
	}
	if t.unit.Work != t.ticket.Work {
		return protocol.Refuse(protocol.UnknownUnit, "the ticket is for work %s, its unit for %s", t.ticket.Work, t.unit.Work)
	}
	if err := m.cheated(s.offer.OfferKey); err != nil {
		return err
	}
	if err := cmp.Or(m.pays(s.offer.OfferKey, t), m.spent(s.offer.OfferKey)); err != nil {
		return s.giveBack(t, err)
	}
	if w := m.wishes(); w != wishWork && !m.tasks.has(t.key) {
		return s.giveBack(t, protocol.Refuse(protocol.Paused, "the unit came after that"))
	}
	if err := m.answer(ctx, t); err != nil {
		return s.giveBack(t, err)
	}
	known, room := m.tasks.take(t)
	if !room {
		return s.giveBack(t, protocol.Refuse(protocol.OverInFlight, "%d units of this publisher wait", m.tasks.share))
	}
	m.busy(s.offer.OfferKey)
	if known != nil {
		if t = known; !s.offer.Run() {
			if err := m.promised(t); err != nil {
				return err
			}
		}
	}
	return m.submit(t)
}

// giveBack returns a ticket that the miner does not take.
func (s *minerSession) giveBack(t *task, why error) error {
	code := protocol.ReasonOf(why)
	if s.givenBack++; code == protocol.Unspecified || s.givenBack > maxGivenBack {
		return why
	}
	s.miner.Report(Refused{Unit: t.key.unit.String(), Why: newWhy(code, because(why))})
	return s.cancel(t.ticketID, code, toPeer(why))
}

// cancel tells the publisher that the miner does not compute the unit of a ticket.
func (s *minerSession) cancel(ticket block.Link, code protocol.Reason, text string) error {
	return s.say(&protocol.Cancel{Version: protocol.Version, Ticket: ticket, Code: code, Detail: detail(text)})
}

// send sends a message. A lease that is cancelled meanwhile does not interrupt it:
// half a message would end the session. The end of the session does.
func (s *minerSession) send(t protocol.RecordType, body []byte) error {
	return s.stream.Send(context.Background(), t, body)
}

// say encodes a record that is not signed, and sends it.
func (s *minerSession) say(r protocol.Record) error {
	body, err := protocol.Encode(r)
	if err != nil {
		return err
	}
	return s.send(r.Type(), body)
}
