package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	"golang.org/x/sync/errgroup"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/unit"
)

// Miner does units for whoever offers them: it hears of offers, bids on
// them, computes what it is leased, and signs what it computed.
type Miner struct {
	Peer *Peer
	// Workers do a unit each at a time; there is at least one.
	Workers []*work.Worker
	// Check, unless nil, says what is wrong with a device. It is asked about a
	// GPU's, which may come to give wrong bits without a word, before each of its
	// results is signed.
	Check func(dev kernel.Device) error
	// Replace, unless nil, gives the worker that goes on in the place of one whose
	// device broke down.
	Replace func(broken *work.Worker, why error) (*work.Worker, error)
	// Capability is what bids say of this machine. Run sets Numerics.
	Capability protocol.Capability
	Report     Reporter

	queue chan lease

	mu       sync.Mutex // guards the rest
	sessions map[block.Link]struct{}
	idle     map[block.Link]protocol.Reason // the reason last reported, by work
	recent   []computed                     // units done, oldest first
}

// inFlight is the units a miner wants of a publisher at a time, for each worker:
// one computing and one waiting, so that it need not ask between them.
const inFlight = 2

// keepUnits is how many units' blocks a miner goes on serving.
const keepUnits = 64

// computed is a unit that this miner did, or tried to do.
type computed struct {
	unit   block.Link
	kind   string
	took   time.Duration
	blocks []cid.Cid // those it fetched or made
}

// lease is a ticket and the session it came by.
type lease struct {
	ticket  protocol.Ticket
	id      block.Link
	session *mesh.Session
	ctx     context.Context // ends when the unit is done, the lease cancelled or the session over
	end     context.CancelFunc
}

// Run mines until ctx ends.
func (m *Miner) Run(ctx context.Context) error {
	m.queue = make(chan lease, 64)
	m.sessions = map[block.Link]struct{}{}
	m.idle = map[block.Link]protocol.Reason{}
	m.Capability.Numerics = kernel.Numerics
	g, ctx := errgroup.WithContext(ctx)
	for _, w := range m.Workers {
		g.Go(func() error { return m.compute(ctx, w) })
	}
	g.Go(func() error { return m.seek(ctx) })
	return g.Wait()
}

// seek opens a session with the publisher of every open offer.
func (m *Miner) seek(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	waiting := false
	for {
		open := m.Peer.Offers.Open(time.Now())
		if len(open) == 0 && !waiting {
			m.idles(block.Link{}, protocol.NoOffer, "waiting for one")
		}
		waiting = len(open) == 0
		for _, o := range open {
			if o.Publisher == m.Peer.Account() || !m.claim(o.Work) {
				continue
			}
			wg.Go(func() {
				defer m.release(o.Work)
				m.serve(ctx, o)
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-m.Peer.Offers.Changed():
		case <-tick.C:
		}
	}
}

func (m *Miner) claim(w block.Link) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, busy := m.sessions[w]; busy {
		return false
	}
	m.sessions[w] = struct{}{}
	return true
}

func (m *Miner) release(w block.Link) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, w)
}

// serve bids on one offer and takes tickets until the session ends. The next
// round of seek opens another while the offer stands.
func (m *Miner) serve(ctx context.Context, o Offer) {
	err := m.session(ctx, o)
	var refused *protocol.Error
	switch {
	case ctx.Err() != nil:
	case errors.As(err, &refused) && refused.Reason == protocol.WorkEnded:
		m.Peer.Offers.End(o.Work)
		m.idles(o.Work, protocol.WorkEnded, "")
	case err != nil:
		m.Peer.Log.Debug("market session ended", "work", o.Work, "err", err)
		m.idles(o.Work, protocol.PeerGone, err.Error())
		select { // let a publisher that restarts come up
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// idles reports why the miner has nothing to do for work, once for each
// change of the reason.
func (m *Miner) idles(w block.Link, code protocol.Reason, detail string) {
	m.mu.Lock()
	same := m.idle[w] == code
	m.idle[w] = code
	m.mu.Unlock()
	if !same {
		m.Report(MinerIdle{because(code, detail)})
	}
}

// busy notes that there is work again, so that the next idle time is reported.
func (m *Miner) busy(w block.Link) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.idle, w)
	delete(m.idle, block.Link{})
}

func (m *Miner) session(ctx context.Context, o Offer) error {
	s, err := m.Peer.Mesh.OpenMarket(ctx, o.Publisher, o.Addrs)
	if err != nil {
		return fmt.Errorf("open market with %s: %w", o.Publisher.Short(), err)
	}
	defer s.Close()
	bid := &protocol.Bid{
		Work: o.Work, Price: o.Price, InFlight: uint32(inFlight * len(m.Workers)), Capability: m.Capability,
	}
	body, err := protocol.Sign(m.Peer.Key, m.Peer.Net, bid)
	if err != nil {
		return err
	}
	if err := s.Send(ctx, bid.Type(), body); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	leases := map[block.Link]lease{}
	for {
		t, body, err := s.Recv(ctx)
		if err != nil {
			return err
		}
		if err := m.message(ctx, o, s, leases, t, body); err != nil {
			return err
		}
	}
}

// send encodes a record and sends it.
func send(ctx context.Context, s *mesh.Session, r protocol.Record) error {
	body, err := protocol.Encode(r)
	if err != nil {
		return err
	}
	return s.Send(ctx, r.Type(), body)
}

// message acts on one message of a publisher.
func (m *Miner) message(ctx context.Context, o Offer, s *mesh.Session, leases map[block.Link]lease, t protocol.RecordType, body []byte) error {
	switch t {
	case protocol.TypeTicket:
		var ticket protocol.Ticket
		if err := protocol.Parse(body, m.Peer.Net, &ticket); err != nil {
			return err
		}
		if ticket.Account != o.Publisher || ticket.Miner != m.Peer.Account() || ticket.Work != o.Work {
			return protocol.Refuse(protocol.WrongAccount, "ticket %d is not for this miner and work", ticket.Number)
		}
		id := protocol.ID(body)
		maps.DeleteFunc(leases, func(_ block.Link, l lease) bool { return l.ctx.Err() != nil })
		l := lease{ticket: ticket, id: id, session: s}
		l.ctx, l.end = context.WithCancel(ctx)
		leases[id] = l
		m.busy(o.Work)
		select {
		case m.queue <- l:
		default:
			return protocol.Refuse(protocol.OverInFlight, "more than %d tickets wait", cap(m.queue))
		}
	case protocol.TypeCancel:
		var c protocol.Cancel
		if err := protocol.Parse(body, m.Peer.Net, &c); err != nil {
			return err
		}
		if l, ok := leases[c.Ticket]; ok {
			l.end()
		}
	case protocol.TypeAccept:
		var a protocol.Accept
		if err := protocol.Parse(body, m.Peer.Net, &a); err != nil {
			return err
		}
		c := m.lookUp(a.Unit)
		m.Report(UnitDone{Unit: a.Unit.String(), Task: c.kind, MFLOP: a.Cost, Seconds: c.took.Seconds()})
	case protocol.TypeReject:
		var r protocol.Reject
		if err := protocol.Parse(body, m.Peer.Net, &r); err != nil {
			return err
		}
		m.Report(Refused{Why: because(r.Code, r.Detail)})
	case protocol.TypeIdle:
		var i protocol.Idle
		if err := protocol.Parse(body, m.Peer.Net, &i); err != nil {
			return err
		}
		if i.Code == protocol.WorkEnded {
			return protocol.Refuse(protocol.WorkEnded, "%s", o.Work)
		}
		m.idles(o.Work, i.Code, "")
	default:
		return protocol.Refuse(protocol.Malformed, "a publisher does not send a %s", t)
	}
	return nil
}

// compute does leased units one after another. When the worker's device breaks
// down, its unit is given back, and another worker goes on.
func (m *Miner) compute(ctx context.Context, w *work.Worker) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case l := <-m.queue:
			if l.ctx.Err() != nil {
				continue
			}
			err := m.unit(w, l)
			if !errors.Is(err, kernel.ErrDevice) {
				continue
			}
			if m.Replace == nil {
				return fmt.Errorf("miner: %w", err)
			}
			if w, err = m.Replace(w, err); err != nil {
				return fmt.Errorf("miner: %w", err)
			}
		}
	}
}

// unit does one unit and sends its attestation, or says why not.
func (m *Miner) unit(w *work.Worker, l lease) error {
	defer l.end()
	began := time.Now()
	blocks := &remote{store: m.Peer.Store, mesh: m.Peer.Mesh, hints: l.ticket.Hints}
	u, err := parseUnit(l.ticket)
	var body []byte
	if err == nil {
		body, err = m.attest(w, l, u, blocks)
	}
	// Before the result is sent: the acceptance may come while Send returns.
	m.letGo(computed{unit: l.ticket.Unit, kind: u.Kind.String(), took: time.Since(began), blocks: blocks.made})
	if err == nil {
		err = l.session.Send(l.ctx, protocol.TypeAttestation, body)
	}
	if err != nil && l.ctx.Err() == nil {
		code := protocol.ReasonOf(err)
		if code == protocol.Unspecified {
			code = protocol.UnitFailed
		}
		m.Report(Refused{Unit: l.ticket.Unit.String(), Why: because(code, err.Error())})
		text := err.Error()
		c := &protocol.Cancel{Version: protocol.Version, Ticket: l.id, Code: code, Detail: text[:min(len(text), 200)]}
		if err := send(l.ctx, l.session, c); err != nil {
			m.Peer.Log.Debug("cancel not sent", "err", err)
		}
	}
	return err
}

// parseUnit reads the unit that a ticket leases.
func parseUnit(t protocol.Ticket) (unit.Unit, error) {
	u, err := unit.Parse(t.Spec)
	if err != nil {
		return unit.Unit{}, protocol.Refuse(protocol.UnknownUnit, "%w", err)
	}
	if u.Work != t.Work {
		return unit.Unit{}, protocol.Refuse(protocol.UnknownUnit, "the ticket is for work %s, its unit for %s", t.Work, u.Work)
	}
	return u, nil
}

// attest computes a unit and signs what came out.
func (m *Miner) attest(w *work.Worker, l lease, u unit.Unit, blocks *remote) ([]byte, error) {
	if u.Kind == unit.Translate {
		blocks.root = u.Inputs[0].Cid // the customer need not have the model
	}
	r, err := w.Do(l.ctx, blocks, u)
	if dev := w.Device(); err == nil && m.Check != nil {
		if wrong := m.Check(dev); wrong != nil {
			err = protocol.Refuse(protocol.Conformance, "%w", &kernel.DeviceError{Device: dev.Name(), Err: wrong})
		}
	}
	if errors.Is(err, block.ErrNotFound) {
		return nil, protocol.Refuse(protocol.InputUnavailable, "%w", err)
	} else if err != nil {
		return nil, err
	}
	result, err := block.PutNode(l.ctx, blocks, r)
	if err != nil {
		return nil, err
	}
	a := &protocol.Attestation{
		Work: l.ticket.Work, Unit: l.ticket.Unit,
		Result: result, Cost: r.MFLOP(), Ticket: l.id,
	}
	return protocol.Sign(m.Peer.Key, m.Peer.Net, a)
}

// letGo remembers a unit done, and deletes the blocks of the oldest one when
// there are many, unless a newer unit needs them too.
func (m *Miner) letGo(c computed) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recent = append(m.recent, c)
	if len(m.recent) <= keepUnits {
		return
	}
	old := m.recent[0]
	m.recent = m.recent[1:]
	needed := map[cid.Cid]bool{}
	for _, newer := range m.recent {
		for _, c := range newer.blocks {
			needed[c] = true
		}
	}
	for _, c := range old.blocks {
		if needed[c] {
			continue
		}
		if err := m.Peer.Store.Delete(c); err != nil {
			m.Peer.Log.Warn("block not deleted", "cid", c, "err", err)
		}
	}
}

// lookUp returns the newest computation of a unit, or zero where the unit is
// not among the last ones.
func (m *Miner) lookUp(unit block.Link) computed {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range slices.Backward(m.recent) {
		if c.unit == unit {
			return c
		}
	}
	return computed{}
}
