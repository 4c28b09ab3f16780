package node

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/unit"
)

// This file is the miner's side of a session with one publisher, in the order of
// a unit: the bid, the ticket, the computation, the attestation, the answer.

// minerSession is a miner's session with one publisher, and its leases.
type minerSession struct {
	miner  *Miner
	offer  market.Offer
	stream *mesh.Session

	mu       sync.Mutex // guards the fields below
	leases   map[block.Link]*lease
	reported time.Time                           // when progress was sent last
	said     map[block.Link]protocol.Attestation // not accepted yet, by unit
}

// lease is a unit leased to this miner, until the publisher's answer to its
// result.
type lease struct {
	ticket protocol.Ticket
	id     block.Link // of the ticket
	unit   unit.Unit
	taken  time.Time
	end    context.CancelCauseFunc
	took   time.Duration // of the computation; guarded by the session's mu
}

// The causes for which a miner stops to compute a unit.
var (
	errCancelled = errors.New("the publisher no longer needs the unit")
	errMaxLease  = protocol.Refuse(protocol.LeaseExpired, "the unit is not computed after %v", market.MaxLease)
)

// session bids on an offer and handles the publisher's messages until the
// session ends.
func (m *Miner) session(ctx context.Context, o market.Offer) error {
	stream, err := m.Peer.Mesh.OpenMarket(ctx, o.Publisher, o.Addrs)
	if err != nil {
		return err
	}
	defer stream.Close()
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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the computation of all leases
	s := &minerSession{miner: m, offer: o, stream: stream, leases: map[block.Link]*lease{}, said: map[block.Link]protocol.Attestation{}}
	for answered := false; ; answered = true {
		typ, body, err := stream.Recv(ctx)
		if err != nil {
			return err
		}
		if !answered { // told late: a publisher that has stopped is asked again and again
			m.Report(Bidding{Work: o.Work.String(), Text: o.Text})
		}
		if err := s.message(ctx, typ, body); err != nil {
			return err
		}
	}
}

// message handles one message of the publisher.
func (s *minerSession) message(ctx context.Context, typ protocol.RecordType, body []byte) error {
	m := s.miner
	switch typ {
	case protocol.TypeTicket:
		return s.take(ctx, body)
	case protocol.TypeCancel:
		var c protocol.Cancel
		if err := protocol.Parse(body, m.Peer.Net, &c); err != nil {
			return err
		}
		if l := s.remove(func(l *lease) bool { return l.id == c.Ticket }); l != nil {
			l.end(errCancelled)
			m.Peer.Log.Debug("lease cancelled", "unit", l.unit.ID(), "reason", c.Code)
			if c.Code == protocol.LeaseExpired { // the user's machine was too slow; other reasons are nobody's fault
				m.Report(Refused{Unit: l.unit.ID().String(), Why: newWhy(c.Code, c.Detail)})
			}
		}
	case protocol.TypeAccept:
		var a protocol.Accept
		if err := protocol.Parse(body, m.Peer.Net, &a); err != nil {
			return err
		}
		if err := s.accepted(a); err != nil {
			return err
		}
		if l := s.remove(func(l *lease) bool { return l.ticket.Unit == a.Unit }); l != nil {
			m.Report(UnitDone{
				Unit: a.Unit.String(), Task: l.unit.Kind.String(), MFLOP: a.Cost, Seconds: l.took.Seconds(), Price: s.offer.Price,
			})
		}
	case protocol.TypeReject:
		var r protocol.Reject
		if err := protocol.Parse(body, m.Peer.Net, &r); err != nil {
			return err
		}
		if !r.Ticket.Defined() { // the bid is refused
			return protocol.Refuse(r.Code, "%s", r.Detail)
		}
		why := newWhy(r.Code, r.Detail)
		if l := s.remove(func(l *lease) bool { return l.id == r.Ticket }); l != nil {
			m.Report(Refused{Unit: l.ticket.Unit.String(), Why: why})
		}
	case protocol.TypeIdle:
		var i protocol.Idle
		if err := protocol.Parse(body, m.Peer.Net, &i); err != nil {
			return err
		}
		if i.Code == protocol.WorkEnded {
			return protocol.Refuse(protocol.WorkEnded, "%s", s.offer.Work)
		}
		m.idles(s.offer.OfferKey, newWhy(i.Code, ""))
	default:
		return protocol.Refuse(protocol.Malformed, "a publisher does not send a %s", typ)
	}
	return nil
}

// accepted checks that the publisher accepts what this miner attested. Otherwise a
// publisher could make the miner tell of units and pay that never were.
func (s *minerSession) accepted(a protocol.Accept) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.said[a.Unit]
	if !ok || a.Account != s.offer.Publisher || a.Miner != at.Account || a.Work != at.Work || a.Result != at.Result || a.Cost != at.Cost {
		return protocol.Refuse(protocol.ResultMismatch, "the publisher accepts a result of unit %s that this miner did not send", a.Unit)
	}
	delete(s.said, a.Unit)
	return nil
}

// take takes a ticket and queues its unit for a worker.
func (s *minerSession) take(ctx context.Context, body []byte) error {
	m := s.miner
	l := &lease{id: protocol.ID(body)}
	if err := protocol.Parse(body, m.Peer.Net, &l.ticket); err != nil {
		return err
	}
	if l.ticket.Account != s.offer.Publisher || l.ticket.Miner != m.Peer.Account() || l.ticket.Work != s.offer.Work {
		return protocol.Refuse(protocol.WrongAccount, "ticket %d is not for this miner and work", l.ticket.Number)
	}
	var err error
	if l.unit, err = unit.Parse(l.ticket.Spec); err != nil {
		return protocol.Refuse(protocol.UnknownUnit, "%w", err)
	}
	if l.unit.Work != l.ticket.Work {
		return protocol.Refuse(protocol.UnknownUnit, "the ticket is for work %s, its unit for %s", l.ticket.Work, l.unit.Work)
	}
	l.taken = m.now()
	ctx, l.end = context.WithCancelCause(ctx)
	s.mu.Lock()
	s.leases[l.id] = l
	s.mu.Unlock()
	m.busy(s.offer.OfferKey)
	select {
	case m.queue <- func(w *work.Worker) error { return s.do(ctx, w, l) }:
	default:
		return protocol.Refuse(protocol.OverInFlight, "more than %d tickets wait", queued)
	}
	return nil
}

// remove takes the lease that matches from the leases. It returns nil if none
// matches.
func (s *minerSession) remove(match func(*lease) bool) *lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, l := range s.leases { // order-free: one lease matches at most
		if match(l) {
			delete(s.leases, id)
			return l
		}
	}
	return nil
}

// do computes a leased unit and sends the attestation. If it cannot, it gives
// the unit back. It returns the error of the computation.
func (s *minerSession) do(ctx context.Context, w *work.Worker, l *lease) error {
	defer l.end(nil)
	if ctx.Err() != nil { // cancelled while it waited
		return nil
	}
	m := s.miner
	began := m.now()
	if s.expired(l, began) {
		s.giveUp(l, protocol.Refuse(protocol.LeaseExpired, "no worker was free within the %d s of the lease", l.ticket.LeaseSeconds))
		return nil
	}
	timer := time.AfterFunc(market.MaxLease-began.Sub(l.taken), func() { l.end(errMaxLease) })
	defer timer.Stop()
	blocks := &remote{store: m.Peer.Store, mesh: m.Peer.Mesh, hints: l.ticket.Hints, owner: "task/" + l.id.String()}
	if l.unit.Kind == unit.Translate {
		blocks.root = l.unit.Inputs[0].Cid // the customer may not have the model
	}
	body, err := s.attest(ctx, w, l, blocks)
	s.mu.Lock()
	l.took = m.now().Sub(began)
	s.mu.Unlock()
	if err == nil {
		err = s.send(protocol.TypeAttestation, body)
	}
	if cause := context.Cause(ctx); cause == errMaxLease {
		err = cause
	}
	if err != nil && (ctx.Err() == nil || context.Cause(ctx) == errMaxLease) {
		s.giveUp(l, err)
	}
	m.keep(blocks.owner)
	return err
}

// expired reports whether a lease has ended while its unit waited for a worker.
// Progress of the unit before extends the lease, see [market.UnitProgress]. If
// the publisher does not extend it, the publisher cancels it.
func (s *minerSession) expired(l *lease, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Sub(l.taken) >= time.Duration(l.ticket.LeaseSeconds)*time.Second && !s.reported.After(l.taken)
}

// attest computes a unit and returns the signed attestation of its result.
func (s *minerSession) attest(ctx context.Context, w *work.Worker, l *lease, blocks *remote) (body []byte, err error) {
	m := s.miner
	pace := &pacer{every: m.progressEvery, at: m.now()}
	w.Progress = func(done float64) {
		if ppm := uint32(1e6 * done); pace.due(m.now(), ppm) {
			s.progress(l, ppm)
		}
	}
	r, err := w.Do(ctx, blocks, l.unit)
	w.Progress = nil
	if dev := w.Device(); err == nil && m.Check != nil {
		if wrong := m.Check(dev); wrong != nil {
			return nil, protocol.Refuse(protocol.Conformance, "%w", &kernel.DeviceError{Device: dev.Name(), Err: wrong})
		}
	}
	if errors.Is(err, block.ErrNotFound) {
		return nil, protocol.Refuse(protocol.InputUnavailable, "%w", err)
	} else if err != nil {
		return nil, err
	}
	result, err := block.PutNode(ctx, blocks, r)
	if err != nil {
		return nil, err
	}
	at := protocol.Attestation{Work: l.ticket.Work, Unit: l.ticket.Unit, Result: result, Cost: r.MFLOP(), Ticket: l.id}
	if body, err = protocol.Sign(m.Peer.Key, m.Peer.Net, &at); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.said[at.Unit] = at
	s.mu.Unlock()
	return body, nil
}

// giveUp tells the publisher, and the user, that the miner does not compute a
// unit.
func (s *minerSession) giveUp(l *lease, why error) {
	code, text := protocol.ReasonOf(why), why.Error()
	if code == protocol.Unspecified {
		code = protocol.UnitFailed
	}
	s.remove(func(o *lease) bool { return o == l })
	s.miner.Report(Refused{Unit: l.ticket.Unit.String(), Why: newWhy(code, text)})
	c := &protocol.Cancel{Version: protocol.Version, Ticket: l.id, Code: code, Detail: detail(text)}
	if err := s.say(c); err != nil {
		s.miner.Peer.Log.Debug("cancel not sent", "err", err)
	}
}

// progress reports the progress of a unit to the publisher and to the user.
func (s *minerSession) progress(l *lease, ppm uint32) {
	s.mu.Lock()
	s.reported = s.miner.now()
	s.mu.Unlock()
	s.miner.Report(UnitProgress{Unit: l.ticket.Unit.String(), Task: l.unit.Kind.String(), Done: float64(ppm) / 1e6})
	if err := s.say(&protocol.Progress{Version: protocol.Version, Ticket: l.id, DonePPM: ppm}); err != nil {
		s.miner.Peer.Log.Debug("progress not sent", "err", err)
	}
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

// Progress is sent after at least progressEvery and progressStep, whichever
// takes longer.
const (
	progressEvery = 2 * time.Second
	progressStep  = 50_000 // parts per million
)

// pacer limits how often progress is sent.
type pacer struct {
	every time.Duration
	at    time.Time // of the last message, at first the beginning of the unit
	ppm   uint32    // in the last message
}

// due reports whether progress is to be sent now, and remembers the time. The end
// of a unit needs no progress: the attestation reports it.
func (p *pacer) due(now time.Time, ppm uint32) bool {
	if now.Sub(p.at) < p.every || ppm < p.ppm+progressStep || ppm >= 1e6 {
		return false
	}
	p.at, p.ppm = now, ppm
	return true
}
