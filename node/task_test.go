package node_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/unit"
)

// publish makes a publisher of the tiny run, with the units of its first round.
func (v *village) publish(p *node.Peer, report node.Reporter) (*node.Publisher, *run.Plan, []unit.Unit) {
	t := v.t
	t.Helper()
	c, cfg := tiny(t)
	plan, err := run.New(t.Context(), p.Store, c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	from, err := plan.Begin(t.Context(), p.Store)
	if err != nil {
		t.Fatal(err)
	}
	units, err := plan.Units(t.Context(), p.Store, 0, from)
	if err != nil {
		t.Fatal(err)
	}
	j, err := p.OpenJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return node.NewPublisher(node.PublisherConfig{
		Peer: p, Journal: j, Work: plan.Link, Estimate: plan.Estimate, Report: report,
		Offer: func(time uint64, addrs []string) protocol.Signed {
			return &protocol.RunOffer{Run: plan.Link, Time: time, Rounds: 1, Units: 1, Addrs: addrs}
		},
	}), plan, units
}

// talk is a miner's end of a session, in the hands of a test.
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

// sign signs a record and sends it.
func (k *talk) sign(r protocol.Signed) {
	k.Helper()
	body, err := protocol.Sign(k.peer.Key, k.peer.Net, r)
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

// TestShownTicket: a ticket of an earlier session counts when the miner shows it
// again, and only if the publisher signed it for this miner.
func TestShownTicket(t *testing.T) {
	v := newVillage(t)
	p, m, thief := v.peer("publisher"), v.peer("miner"), v.peer("thief")
	publisher, plan, units := v.publish(p, v.report("publisher"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- node.Together(ctx, publisher.Run, func(ctx context.Context) error {
			_, err := publisher.Do(ctx, units[:1])
			return err
		})
	}()
	again := func(q *node.Peer) *talk { return bid(t, ctx, q, p.Account(), p.Mesh.Addrs(), plan.Link) }
	k := again(m)
	ticket, body := k.ticket()
	k.Close()
	id := protocol.ID(body)
	attest := func(k *talk) {
		k.sign(&protocol.Attestation{Work: ticket.Work, Unit: ticket.Unit, Result: block.Link{Cid: block.Sum(block.CBOR, []byte("nowhere"))}, Cost: 1, Ticket: id})
	}
	k = again(m)
	if attest(k); k.refused(id) != protocol.NotLeased {
		t.Error("a result counts for a ticket of an earlier session, which is not shown")
	}
	if err := k.Send(ctx, protocol.TypeTicket, body); err != nil {
		t.Fatal(err)
	}
	if attest(k); k.refused(id) != protocol.ResultUnavailable {
		t.Error("the publisher does not look for the result of a ticket that is shown")
	}
	k.Close()
	k = again(thief)
	if err := k.Send(ctx, protocol.TypeTicket, body); err != nil {
		t.Fatal(err)
	}
	if code := k.refused(id); code != protocol.WrongAccount {
		t.Errorf("another miner's ticket is refused as %v", code)
	}
	k = again(m)
	forged := ticket
	forged.Account, forged.Sig = protocol.Account{}, nil
	forgery, err := protocol.Sign(m.Key, m.Net, &forged)
	if err == nil {
		err = k.Send(ctx, protocol.TypeTicket, forgery)
	}
	if err != nil {
		t.Fatal(err)
	}
	if code := k.refused(protocol.ID(forgery)); code != protocol.WrongAccount {
		t.Errorf("a ticket that the miner signed is refused as %v", code)
	}
	k = again(m)
	for range node.MaxShown + 1 {
		if err := k.Send(ctx, protocol.TypeTicket, body); err != nil {
			t.Fatal(err)
		}
	}
	if code := k.refused(id); code != protocol.RateLimited {
		t.Errorf("too many tickets are refused as %v", code)
	}
	cancel()
	<-done
}
