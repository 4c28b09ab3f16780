package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
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
			&protocol.Accept{Work: u.Work, Unit: u.ID(), Miner: s.Peer, Result: named("result"), Cost: 1 << 40},
		} {
			body, err := protocol.Sign(p.Key, p.Net, r)
			if err != nil || s.Send(ctx, r.Type(), body) != nil {
				return
			}
		}
		<-ctx.Done()
	})
	offer := &protocol.RunOffer{Run: u.Work, Seq: 1, Rounds: 1, Units: 1, Addrs: p.Mesh.Addrs()}
	body, err := protocol.Sign(p.Key, p.Net, offer)
	if err != nil {
		t.Fatal(err)
	}
	o, err := m.Offers.Parse(protocol.EncodedOffer{Type: offer.Type(), Body: body})
	if err == nil {
		err = m.Offers.Add(time.Now(), o)
	}
	if err != nil {
		t.Fatal(err)
	}
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	why := ""
	miner := &node.Miner{Peer: m, Workers: []*work.Worker{work.NewWorker(dev)}, Report: func(n node.Notice) {
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
