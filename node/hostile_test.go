package node_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/unit"
)

// TestHostilePublisher: a publisher that accepts a unit which the miner has not
// computed does not make the miner tell its user of a unit done.
func TestHostilePublisher(t *testing.T) {
	v := newVillage(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p, m := v.peer("publisher"), v.peer("miner")
	u := unit.Unit{Version: 1, Kind: unit.Average, Work: named("work"), Inputs: []block.Link{named("a"), named("b")}}
	p.Mesh.HandleMarket(func(ctx context.Context, s *mesh.Session) {
		if _, _, err := s.Recv(ctx); err != nil { // the bid
			return
		}
		for _, r := range []protocol.Signed{
			&protocol.Ticket{Work: u.Work, Number: 1, Unit: u.ID(), Spec: u.Spec(), Miner: s.Peer, LeaseSeconds: 60},
			&protocol.Accept{Work: u.Work, Unit: u.ID(), Miner: s.Peer, Result: named("result")},
		} {
			body, err := protocol.Sign(p.Key, p.Net, r)
			if err != nil || s.Send(ctx, r.Type(), body) != nil {
				return
			}
		}
		<-ctx.Done()
	})
	offer := &protocol.RunOffer{Run: u.Work, Time: clock(), Rounds: 1, Units: 1, Addrs: p.Mesh.Addrs()}
	body, err := protocol.Sign(p.Key, p.Net, offer)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Offers.Take(time.Now(), "peer", "", protocol.EncodedOffer{Type: offer.Type(), Body: body}); err != nil {
		t.Fatal(err)
	}
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	why := ""
	miner := &node.Miner{Peer: m, Policy: node.Policy{WorkForFree: true}, Workers: []*work.Worker{work.NewWorker(dev)}, Report: func(n node.Notice) {
		switch n := n.(type) {
		case node.UnitDone:
			t.Errorf("the miner tells of a unit that it has not done: %v", n)
			cancel()
		case node.MinerIdle:
			why = n.Code
			cancel()
		}
	}}
	if err := miner.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if want := protocol.ResultMismatch.String(); why != want {
		t.Errorf("the session ends for %q, want %q", why, want)
	}
}

// TestOtherNumerics: a miner does not bid where the publisher computes by other numerics,
// and says which numerics each has.
func TestOtherNumerics(t *testing.T) {
	v := newVillage(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m := v.peer("miner")
	newer, err := mesh.New(ctx, mesh.Config{
		Key: key("newer"), Net: m.Net, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Blocks: new(block.MemoryStore), Numerics: "ALIA-F32 v2",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer newer.Close()
	newer.HandleMarket(func(ctx context.Context, s *mesh.Session) {
		if typ, _, err := s.Recv(ctx); err == nil {
			t.Errorf("the miner sent a %s", typ)
		}
	})
	offer := &protocol.RunOffer{Run: named("run"), Time: clock(), Rounds: 1, Units: 1, Addrs: newer.Addrs()}
	body, err := protocol.Sign(key("newer"), m.Net, offer)
	if err == nil {
		err = m.Offers.Take(time.Now(), "peer", "", protocol.EncodedOffer{Type: offer.Type(), Body: body})
	}
	if err != nil {
		t.Fatal(err)
	}
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	var why node.MinerIdle
	miner := &node.Miner{Peer: m, Policy: node.Policy{WorkForFree: true}, Workers: []*work.Worker{work.NewWorker(dev)}, Report: func(n node.Notice) {
		if n, ok := n.(node.MinerIdle); ok {
			why = n
			cancel()
		}
	}}
	if err := miner.Run(ctx); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`computes by "ALIA-F32 v2" and this miner by %q: install the version`, kernel.Numerics)
	if why.Code != protocol.WrongSoftware.String() || !strings.Contains(why.Text, want) {
		t.Errorf("the miner is idle for %q: %s", why.Code, why.Text)
	}
	s, err := newer.OpenMarket(t.Context(), m.Account(), m.Mesh.Addrs())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Numerics != kernel.Numerics {
		t.Errorf("a node says that it computes by %q, want %q", s.Numerics, kernel.Numerics)
	}
}

// TestProgressFlood: of thousands of messages of progress that a miner sends at
// once, the publisher takes a few; the run ends in the model of an honest one.
func TestProgressFlood(t *testing.T) {
	want := local(t)
	v := newVillage(t)
	p, flooder := v.peer("coordinator"), v.peer("flooder")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go flooder.Listen(ctx, nil)
	go func() { // the honest miner comes when all is sent
		err := flood(ctx, flooder)
		if err != nil {
			t.Errorf("flood: %v", err)
		}
		v.miner("honest", "portable")
	}()
	var taken atomic.Int32
	out := v.coordinate(p, func(n node.Notice) {
		if n, ok := n.(node.UnitProgress); ok && n.Miner == flooder.Account() {
			taken.Add(1)
		}
	})
	if n := taken.Load(); n == 0 || n > floods/10 {
		t.Errorf("%d of %d messages of progress were taken", n, floods)
	}
	if out.Model != want {
		t.Errorf("the model is %s, an honest run's %s", out.Model, want)
	}
}

const floods = 5000 // messages

// flood bids on the first offer, and sends progress of its unit, as much as it
// can. It returns when the publisher has read all of it.
func flood(ctx context.Context, p *node.Peer) error {
	var open []market.OpenOffer
	for open = p.Offers.Open(time.Now()); len(open) == 0; open = p.Offers.Open(time.Now()) {
		select {
		case <-p.Offers.Changed():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s, err := p.Mesh.OpenMarket(ctx, open[0].Publisher, open[0].Addrs)
	if err != nil {
		return err
	}
	defer s.Close()
	able := protocol.Capability{Numerics: kernel.Numerics, Kernel: "floods", Threads: 1, MFLOPS: 1000}
	bid := &protocol.Bid{Work: open[0].Work, InFlight: 1, Capability: able}
	body, err := protocol.Sign(p.Key, p.Net, bid)
	if err == nil {
		err = s.Send(ctx, bid.Type(), body)
	}
	for err == nil {
		var typ protocol.RecordType
		if typ, body, err = s.Recv(ctx); err != nil || typ != protocol.TypeTicket {
			continue
		}
		id := protocol.ID(body)
		for i := range floods {
			r := &protocol.Progress{Version: protocol.Version, Ticket: id, DonePPM: uint32(i + 1)}
			if body, err = protocol.Encode(r); err != nil {
				return err
			}
			if err = s.Send(ctx, r.Type(), body); err != nil {
				return err
			}
		}
		c := &protocol.Cancel{Version: protocol.Version, Ticket: id, Code: protocol.UnitFailed}
		if body, err = protocol.Encode(c); err != nil {
			return err
		}
		// The publisher reads in sequence: what it sends next follows the last message.
		if err = s.Send(ctx, c.Type(), body); err != nil {
			return err
		}
		_, _, err = s.Recv(ctx)
		return err
	}
	return err
}

// TestFloodOverMesh: while a peer floods the network with offers of accounts that it
// made up, a run is trained. Few of the offers are taken, the others are counted by
// reason, and nobody dials the addresses in them.
func TestFloodOverMesh(t *testing.T) {
	want := local(t)
	v := newVillage(t)
	flooder, p := v.peer("flooder"), v.peer("coordinator")
	dialled, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer dialled.Close()
	var dials atomic.Int32
	go func() {
		for {
			conn, err := dialled.Accept()
			if err != nil {
				return
			}
			dials.Add(1)
			conn.Close()
		}
	}()
	v.miner("miner", "portable")
	miner := v.miners[0]
	limited := func() int64 { return miner.Peer.Mesh.Traffic().Rejections[protocol.RateLimited.String()] }
	n := 0
	for ; limited() < 2000 && n < 100_000; n++ { // the first ones are lost, before the peers have met
		k := key(fmt.Sprint("fresh ", n))
		id, err := mesh.PeerOf(protocol.AccountOf(k))
		if err != nil {
			t.Fatal(err)
		}
		addr := fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/p2p/%s", dialled.Addr().(*net.TCPAddr).Port, id)
		body, err := protocol.Sign(k, p.Net, &protocol.RunOffer{Run: named(fmt.Sprint(n)), Time: clock(), Rounds: 1, Units: 1, Addrs: []string{addr}})
		if err == nil {
			err = flooder.Mesh.Publish(t.Context(), protocol.RunTopic(p.Net), body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if out := v.coordinate(p, nil); out.Model != want {
		t.Errorf("the model is %s, without a flood %s", out.Model, want)
	}
	refused, open := miner.Peer.Mesh.Traffic().Rejections, len(miner.Peer.Offers.Open(time.Now()))
	t.Logf("of %d offers %d are open, refused %v, passed over %d", n, open, refused, len(miner.PassedOver()))
	if limited() < 2000 || open > 1500 {
		t.Errorf("of %d offers %d are open, refused %v", n, open, refused)
	}
	if d := dials.Load(); d > 0 {
		t.Errorf("addresses of the flood were dialled %d times", d)
	}
}

// TestModelTooLarge: a miner gives back a unit that takes more memory than is free. It
// does not fetch the model.
func TestModelTooLarge(t *testing.T) {
	_, _, m, _, d, k := taskTestWith(t, 1000)
	close(m.gate)
	d.lease(k, d.units[0])
	var back protocol.Cancel
	if k.next(&back); back.Code != protocol.TooLarge || !strings.Contains(back.Detail, "memory") {
		t.Errorf("the ticket is given back as %v, %q", back.Code, back.Detail)
	}
	if m.peer.Store.Has(d.units[0].Inputs[0].Cid) {
		t.Error("the parameters were fetched")
	}
}

// TestTicketForGigabytes: a ticket whose input is a set of 20 GB, for a model of some
// kilobytes, is given back with its reason before a byte of the set is fetched.
func TestTicketForGigabytes(t *testing.T) {
	_, _, m, _, d, k := taskTest(t)
	close(m.gate)
	c, err := public(d.peer).Put(d.ctx, block.Raw, vast[:block.LeafSize])
	if err != nil {
		t.Fatal(err)
	}
	u := d.units[0]
	u.Inputs = slices.Clone(u.Inputs)
	u.Inputs[0] = stored(d.peer, state.SetRecord{Version: 1, Data: state.File{Size: 20_000 * block.LeafSize, Leaves: slices.Repeat([]block.Link{{Cid: c}}, 20_000)}})
	d.lease(k, u)
	var back protocol.Cancel
	if k.next(&back); back.Code != protocol.TooLarge {
		t.Errorf("the ticket is given back as %v, %q", back.Code, back.Detail)
	}
	m.hears(d.ctx, 1, func(n node.Notice) bool {
		r, ok := n.(node.Refused)
		return ok && r.Code == protocol.TooLarge.String()
	})
	if m.peer.Store.Has(c) {
		t.Error("a leaf was fetched")
	}
	d.lease(k, d.units[0]) // the next honest one is computed
	var a protocol.Attestation
	k.next(&a)
}

// TestPublisherThatNeverPays: a miner works no longer for a publisher that takes result
// after result and accepts none, whatever reason it gives. An acceptance begins the count
// again, and a new session does not.
func TestPublisherThatNeverPays(t *testing.T) {
	_, _, m, _, d, k := taskTest(t)
	close(m.gate)
	index := uint32(1000)
	unpaid := func(n int) {
		for range n {
			index++
			u := d.units[0]
			u.Index = index
			id := d.lease(k, u)
			var a protocol.Attestation
			k.next(&a)
			k.say(&protocol.Reject{Version: protocol.Version, Ticket: id, Code: protocol.Superseded})
		}
	}
	unpaid(node.MaxUnpaid - 1)
	d.lease(k, d.units[0])
	var a protocol.Attestation
	k.next(&a)
	k.accept(a)
	unpaid(node.MaxUnpaid / 2)
	k.Close()
	k = d.meet()
	unpaid(node.MaxUnpaid / 2)
	d.lease(k, d.units[1])
	m.hears(d.ctx, 1, func(n node.Notice) bool {
		i, ok := n.(node.MinerIdle)
		return ok && i.Code == protocol.Unpaid.String()
	})
	if n := m.computed.Load(); n != 2*node.MaxUnpaid {
		t.Errorf("computed %d units, want %d", n, 2*node.MaxUnpaid)
	}
}

// TestEndInsteadOfAnswer: a customer reads a result and then says that its job has ended. The
// ticket stays its promise: the unit waits in the journal until the miner claims it. A unit
// that nothing pays does not wait.
func TestEndInsteadOfAnswer(t *testing.T) {
	for _, paid := range []bool{true, false} {
		_, _, m, stop, d, k := taskTest(t)
		close(m.gate)
		var proof []protocol.SlotProof
		if u := d.units[0]; paid { // as a customer proves a unit of a job
			slot := protocol.Slot{Kind: uint16(u.Kind), Index: u.Index, Task: u.ID(), Most: 1}
			proof = append(proof, protocol.Prove([]protocol.Slot{slot}, 0, nil))
		}
		d.lease(k, d.units[0], proof...)
		var a protocol.Attestation
		k.next(&a)
		k.say(&protocol.Idle{Version: protocol.Version, Code: protocol.WorkEnded})
		m.hears(d.ctx, 1, func(n node.Notice) bool {
			i, ok := n.(node.MinerIdle)
			return ok && i.Code == protocol.WorkEnded.String()
		})
		stop()
		j, err := m.peer.OpenJournal(m.peer.Home.MinerJournal())
		if err != nil {
			t.Fatal(err)
		}
		e, ok, err := j.Get(journal.Key{Unit: a.Unit})
		if err != nil || !ok || (e.State == journal.Unaccepted) != paid {
			t.Errorf("paid %v: the journal has %+v, %v, %v", paid, e, ok, err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
