package node_test

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/unit"
)

// publish makes a publisher of the tiny run, with the units of its first round.
func (v *village) publish(p *node.Peer, report node.Reporter) (*node.Publisher, *run.Plan, []unit.Unit) {
	v.t.Helper()
	j, err := p.OpenJournal(filepath.Join(v.t.TempDir(), "journal"))
	if err != nil {
		v.t.Fatal(err)
	}
	return v.publishOn(p, j, report)
}

// publishOn is publish with a journal, which it closes when the test ends.
func (v *village) publishOn(p *node.Peer, j *journal.Journal, report node.Reporter) (*node.Publisher, *run.Plan, []unit.Unit) {
	t := v.t
	t.Helper()
	t.Cleanup(func() { j.Close() })
	c, cfg := tiny(t)
	plan, err := run.New(t.Context(), run.Fresh(p.Store), c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	from, err := plan.Begin(t.Context(), plan.Working(p.Store))
	if err != nil {
		t.Fatal(err)
	}
	units, err := plan.Units(t.Context(), plan.Working(p.Store), 0, from)
	if err != nil {
		t.Fatal(err)
	}
	return node.NewPublisher(node.PublisherConfig{
		Peer: p, Journal: j, Work: plan.Link, Estimate: plan.Estimate, Report: report,
		Offer: func(time uint64, addrs []string) protocol.Signed {
			return &protocol.RunOffer{Run: plan.Link, Time: time, Rounds: 1, Units: 1, Addrs: addrs}
		},
	}), plan, units
}

// talk is an end of a session, in the hands of a test.
type talk struct {
	*testing.T
	ctx  context.Context
	peer *node.Peer
	*mesh.Session
}

// bid opens a session with a publisher and bids for a unit at a time.
func bid(t *testing.T, ctx context.Context, p *node.Peer, to protocol.Account, addrs []string, work block.Link) *talk {
	t.Helper()
	s, err := p.Mesh.OpenMarket(ctx, to, addrs)
	if err != nil {
		t.Fatal(err)
	}
	k := &talk{t, ctx, p, s}
	k.sign(&protocol.Bid{Work: work, InFlight: 1, Capability: protocol.Capability{Numerics: kernel.Numerics, Kernel: "test", Threads: 1, MFLOPS: 1000}})
	return k
}

// sign signs a record, sends it, and returns its bytes.
func (k *talk) sign(r protocol.Signed) []byte {
	k.Helper()
	body, err := protocol.Sign(k.peer.Key, k.peer.Net, r)
	if err == nil {
		err = k.Send(k.ctx, r.Type(), body)
	}
	if err != nil {
		k.Fatal(err)
	}
	return body
}

// say sends a record that is not signed.
func (k *talk) say(r protocol.Record) {
	k.Helper()
	body, err := protocol.Encode(r)
	if err == nil {
		err = k.Send(k.ctx, r.Type(), body)
	}
	if err != nil {
		k.Fatal(err)
	}
}

// ticket receives messages until one is a ticket.
func (k *talk) ticket() (protocol.Ticket, []byte) {
	k.Helper()
	for {
		typ, body, err := k.Recv(k.ctx)
		if err != nil {
			k.Fatal(err)
		}
		if typ != protocol.TypeTicket {
			continue
		}
		var ticket protocol.Ticket
		if err := protocol.Parse(body, k.peer.Net, &ticket); err != nil {
			k.Fatal(err)
		}
		return ticket, body
	}
}

// refused receives messages until one is the refusal of a ticket's result, or of the
// session.
func (k *talk) refused(ticket block.Link) protocol.Reason {
	k.Helper()
	for {
		typ, body, err := k.Recv(k.ctx)
		if err != nil {
			k.Fatal(err)
		}
		var r protocol.Reject
		if typ == protocol.TypeReject {
			if err := protocol.Parse(body, k.peer.Net, &r); err != nil {
				k.Fatal(err)
			}
			if r.Ticket == ticket || !r.Ticket.Defined() {
				return r.Code
			}
		}
	}
}

// publisherEnd is a publisher in the hands of a test.
type publisherEnd struct {
	*testing.T
	ctx      context.Context
	peer     *node.Peer
	units    []unit.Unit
	sessions chan *mesh.Session
	number   uint64 // of the last ticket
	escrow   uint64 // number of the escrow that tickets name
}

// stand offers the units of a tiny run to a miner's peer.
func (v *village) stand(ctx context.Context, name string, miner *node.Peer) *publisherEnd {
	t := v.t
	t.Helper()
	p := v.peer(name)
	_, plan, units := v.publish(p, v.report(name))
	d := &publisherEnd{T: t, ctx: ctx, peer: p, units: units, sessions: sessionsOf(ctx, p)}
	d.offer(miner, &protocol.RunOffer{Run: plan.Link, Time: clock(), Rounds: 1, Units: 1, Addrs: p.Mesh.Addrs()})
	return d
}

// sessionsOf are the sessions that miners open with a peer.
func sessionsOf(ctx context.Context, p *node.Peer) chan *mesh.Session {
	sessions := make(chan *mesh.Session)
	p.Mesh.HandleMarket(func(session context.Context, s *mesh.Session) {
		select {
		case sessions <- s:
			<-session.Done()
		case <-ctx.Done():
		}
	})
	return sessions
}

// offer has a miner hear an offer.
func (d *publisherEnd) offer(miner *node.Peer, o protocol.Signed) {
	d.Helper()
	body, err := protocol.Sign(d.peer.Key, d.peer.Net, o)
	if err != nil {
		d.Fatal(err)
	}
	if err := miner.Offers.Take(time.Now(), "peer", "", protocol.EncodedOffer{Type: o.Type(), Body: body}); err != nil {
		d.Fatal(err)
	}
}

// meet waits for the miner's session and its bid.
func (d *publisherEnd) meet() *talk {
	d.Helper()
	select {
	case s := <-d.sessions:
		k := &talk{d.T, d.ctx, d.peer, s}
		var b protocol.Bid
		k.next(&b)
		return k
	case <-d.ctx.Done():
		d.Fatal("no session with the miner")
		return nil
	}
}

// lease sends a ticket, which may have a proof that the ledger pays, and returns its name.
func (d *publisherEnd) lease(k *talk, u unit.Unit, proof ...protocol.SlotProof) block.Link {
	d.Helper()
	d.number++
	return protocol.ID(k.sign(&protocol.Ticket{
		Work: u.Work, Number: d.number, Unit: u.ID(), Spec: u.Spec(), Miner: k.Peer, LeaseSeconds: 60, Hints: d.peer.Mesh.Addrs(), Proof: proof, Escrow: d.escrow,
	}))
}

// accept accepts an attestation.
func (k *talk) accept(a protocol.Attestation) {
	k.Helper()
	k.sign(acceptOf(a))
}

// next receives messages until one has the type of r, passing over progress.
func (k *talk) next(r protocol.Record) []byte {
	k.Helper()
	for {
		typ, body, err := k.Recv(k.ctx)
		if err != nil {
			k.Fatalf("no %v: %v", r.Type(), err)
		}
		if typ == protocol.TypeProgress {
			continue
		}
		if typ != r.Type() {
			k.Fatalf("a %v, want a %v", typ, r.Type())
		}
		if err := protocol.Parse(body, k.peer.Net, r); err != nil {
			k.Fatal(err)
		}
		return body
	}
}

// machine is a miner that a test starts and stops, whose device waits for the test.
type machine struct {
	v        *village
	peer     *node.Peer
	gate     chan struct{} // closed: the device computes
	began    chan struct{} // receives a value when a unit waits at the gate
	computed atomic.Int32  // units
	miner    *node.Miner   // that start made last
	memory   uint64        // bytes that are free; 0: as this computer has
	policy   node.Policy
	notices
}

func (v *village) machine(name string) *machine {
	m := &machine{v: v, peer: v.peer(name), gate: make(chan struct{}), began: make(chan struct{}, 1), policy: node.Policy{WorkForFree: true}}
	m.watch = v.report(name)
	return m
}

// hears waits for n notices that match.
func (m *machine) hears(ctx context.Context, n int, match func(node.Notice) bool) {
	m.v.t.Helper()
	if m.wait(ctx, n, match); m.count(match) < n {
		m.v.t.Errorf("the miner told of it %d times, want %d", m.count(match), n)
	}
}

// start runs the miner until stop is called, as a process that is killed.
func (m *machine) start() (stop func()) {
	t := m.v.t
	t.Helper()
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	waiting := &slow{dev, func() {
		select {
		case m.began <- struct{}{}:
		default:
		}
		select {
		case <-m.gate:
		case <-ctx.Done():
		}
	}}
	miner := &node.Miner{
		Peer: m.peer, Workers: []*work.Worker{work.NewWorker(waiting)}, Report: m.report, Policy: m.policy,
		Capability: protocol.Capability{Kernel: "slow", Threads: 1, MFLOPS: 1000},
		Check:      func(kernel.Device) error { m.computed.Add(1); return nil },
	}
	if m.memory > 0 {
		miner.SetFreeMemory(m.memory)
	}
	m.miner = miner
	var running sync.WaitGroup
	running.Go(func() {
		if err := miner.Run(ctx); err != nil {
			t.Errorf("miner: %v", err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return stop
}

// taskTest is a miner and a publisher with a session and a unit that is leased.
func taskTest(t *testing.T) (ctx context.Context, v *village, m *machine, stop func(), d *publisherEnd, k *talk) {
	t.Helper()
	return taskTestWith(t, 0)
}

// taskTestWith is taskTest with a miner that has so many bytes of free memory.
func taskTestWith(t *testing.T, memory uint64) (ctx context.Context, v *village, m *machine, stop func(), d *publisherEnd, k *talk) {
	t.Helper()
	v = newVillage(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	v.peer("bootstrap")
	m = v.machine("miner")
	m.memory = memory
	d = v.stand(ctx, "publisher", m.peer)
	stop = m.start()
	return ctx, v, m, stop, d, d.meet()
}
