package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// TestTaskOutlivesSession: a miner computes on when the connection is lost, and then
// shows its ticket and the result in the next session.
func TestTaskOutlivesSession(t *testing.T) {
	_, _, m, _, d, k := taskTest(t)
	id := d.lease(k, d.units[0])
	<-m.began
	k.Close()
	k = d.meet() // the worker has not finished
	close(m.gate)
	var ticket protocol.Ticket
	var a protocol.Attestation
	if body := k.next(&ticket); protocol.ID(body) != id {
		t.Errorf("the miner shows ticket %s, want %s", protocol.ID(body), id)
	}
	if k.next(&a); a.Ticket != id || a.Unit != d.units[0].ID() {
		t.Errorf("the miner attests %+v", a)
	}
	k.Close() // before the acceptance
	k = d.meet()
	k.next(&ticket)
	var b protocol.Attestation
	k.next(&b)
	if k.accept(b); b.Result != a.Result || m.computed.Load() != 1 {
		t.Errorf("results %s and %s, computed %d times", a.Result, b.Result, m.computed.Load())
	}
	m.hears(d.ctx, 1, isDone)
}

// TestTaskOutlivesProcess: a miner that is killed after it has computed a unit does not
// compute the unit again. It shows the result after the restart.
func TestTaskOutlivesProcess(t *testing.T) {
	_, _, m, stop, d, k := taskTest(t)
	close(m.gate)
	id := d.lease(k, d.units[0])
	var a, b protocol.Attestation
	k.next(&a)
	stop() // before the acceptance
	k.Close()
	stop = m.start()
	k = d.meet()
	var ticket protocol.Ticket
	if body := k.next(&ticket); protocol.ID(body) != id {
		t.Errorf("the miner shows ticket %s, want %s", protocol.ID(body), id)
	}
	if k.next(&b); b.Result != a.Result || b.Ticket != id {
		t.Errorf("the miner attests %+v, before it attested %+v", b, a)
	}
	k.accept(b)
	m.hears(d.ctx, 1, isDone)
	// A restarted miner has nothing more to show, and does not compute what it is leased again.
	stop()
	k.Close()
	m.gate = make(chan struct{})
	m.start()
	k = d.meet()
	again := d.lease(k, d.units[0])
	if k.next(&a); a.Ticket != again || a.Result != b.Result || m.computed.Load() != 1 {
		t.Errorf("the miner attests %+v, computed %d times", a, m.computed.Load())
	}
}

// TestUnansweredResultIsPinned: a sweep of a miner's home, such as that of `alia gc`, keeps
// the results that no publisher has answered.
func TestUnansweredResultIsPinned(t *testing.T) {
	ctx, _, m, stop, d, k := taskTest(t)
	close(m.gate)
	d.lease(k, d.units[0])
	var a protocol.Attestation
	k.next(&a)
	stop()
	var r unit.Result
	if err := errors.Join(block.GetNode(ctx, m.peer.Store, a.Result, &r), m.peer.Close()); err != nil {
		t.Fatal(err)
	}
	store, err := m.peer.Home.Store()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := node.PinHome(ctx, m.peer.Home, m.peer.Net, store, m.peer.Log); err != nil {
		t.Fatal(err)
	}
	swept, err := store.Sweep(ctx, 0)
	if err != nil || swept.Deleted == 0 || !store.Has(r.Outputs[0].Cid) {
		t.Errorf("swept %+v, %v; the output is there: %v", swept, err, store.Has(r.Outputs[0].Cid))
	}
}

// TestLostResultIsComputed: a miner that has lost a block of a result computes the unit
// again.
func TestLostResultIsComputed(t *testing.T) {
	ctx, _, m, stop, d, k := taskTest(t)
	close(m.gate)
	d.lease(k, d.units[0])
	var a, b protocol.Attestation
	k.next(&a)
	stop()
	k.Close()
	var r unit.Result
	if err := block.GetNode(ctx, m.peer.Store, a.Result, &r); err != nil {
		t.Fatal(err)
	}
	if err := m.peer.Store.Delete(r.Outputs[0].Cid); err != nil {
		t.Fatal(err)
	}
	m.start()
	k = d.meet()
	id := d.lease(k, d.units[0])
	if k.next(&b); b.Ticket != id || b.Result != a.Result || m.computed.Load() != 2 {
		t.Errorf("the miner attests %+v, computed %d times", b, m.computed.Load())
	}
}

// TestLateResult: a miner whose lease expires while it computes goes on, and sends the
// result. A unit that is cancelled for another reason is not computed.
func TestLateResult(t *testing.T) {
	_, _, m, _, d, k := taskTest(t)
	late, gone := d.lease(k, d.units[0]), d.lease(k, d.units[1])
	<-m.began
	k.say(&protocol.Cancel{Version: protocol.Version, Ticket: late, Code: protocol.LeaseExpired})
	k.say(&protocol.Cancel{Version: protocol.Version, Ticket: gone, Code: protocol.Superseded})
	m.hears(d.ctx, 1, expired)
	next := d.lease(k, d.units[2])
	close(m.gate)
	var a protocol.Attestation
	if k.next(&a); a.Ticket != late {
		t.Errorf("the miner attests %+v", a)
	}
	if k.next(&a); a.Ticket != next || m.computed.Load() != 2 {
		t.Errorf("the miner attests %+v, computed %d units", a, m.computed.Load())
	}
}

// TestRefusedResult: a result that was refused as wrong is not sent again; a result that
// came too late for one publisher is sent when the unit is leased again.
func TestRefusedResult(t *testing.T) {
	_, _, m, _, d, k := taskTest(t)
	close(m.gate)
	var a protocol.Attestation
	for i, want := range []int32{1, 1, 2} {
		id := d.lease(k, d.units[0])
		if k.next(&a); a.Ticket != id || m.computed.Load() != want {
			t.Errorf("lease %d: the miner attests %+v, computed %d times, want %d", i, a, m.computed.Load(), want)
		}
		code := []protocol.Reason{protocol.Superseded, protocol.ResultMismatch, protocol.Superseded}[i]
		k.say(&protocol.Reject{Version: protocol.Version, Ticket: id, Code: code})
		m.hears(d.ctx, i+1, func(n node.Notice) bool { _, ok := n.(node.Refused); return ok })
	}
	k.Close() // nothing is left to show
	k = d.meet()
	id := d.lease(k, d.units[1])
	if k.next(&a); a.Ticket != id {
		t.Errorf("the miner attests %+v", a)
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
	until(t, ctx, p, publisher, units[:1], false, func() {
		again := func(q *node.Peer) *talk { return bid(t, ctx, q, p.Account(), p.Mesh.Addrs(), plan.Link) }
		k := again(m)
		ticket, body := k.ticket()
		k.Close()
		id := protocol.ID(body)
		attest := func(k *talk) {
			k.sign(attest(ticket, id, block.Link{Cid: block.Sum(block.CBOR, []byte("nowhere"))}))
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
	})
}

// TestTicketFlood: of the tickets that a publisher sends at once a few wait; the others
// are given back, and then the session ends.
func TestTicketFlood(t *testing.T) {
	_, _, m, _, d, k := taskTest(t)
	const flood = 100
	for i := range flood {
		u := d.units[0]
		u.Index = uint32(1000 + i)
		d.lease(k, u)
	}
	var c protocol.Cancel
	for range node.MaxGivenBack {
		if k.next(&c); c.Code != protocol.OverInFlight {
			t.Fatalf("a ticket is given back as %v", c.Code)
		}
	}
	m.hears(d.ctx, 1, func(n node.Notice) bool {
		i, ok := n.(node.MinerIdle)
		return ok && i.Code == protocol.OverInFlight.String()
	})
}

// TestLeasedAgain: a publisher that leases one unit again and again fills neither the
// miner's journal nor its time.
func TestLeasedAgain(t *testing.T) {
	_, _, m, _, d, k := taskTest(t)
	close(m.gate)
	var a protocol.Attestation
	for range node.MaxSlots * node.MaxAttempts {
		id := d.lease(k, d.units[0])
		k.next(&a)
		k.say(&protocol.Reject{Version: protocol.Version, Ticket: id, Code: protocol.Superseded})
	}
	d.lease(k, d.units[0])
	var c protocol.Cancel
	if k.next(&c); c.Code != protocol.RateLimited || m.computed.Load() != 1 {
		t.Errorf("the ticket is given back as %v, the unit was computed %d times", c.Code, m.computed.Load())
	}
}

// TestAcceptedTwice: a miner takes the second acceptance of a result for what it is.
func TestAcceptedTwice(t *testing.T) {
	ctx, _, m, _, d, k := taskTest(t)
	close(m.gate)
	d.lease(k, d.units[0])
	var a protocol.Attestation
	k.next(&a)
	k.accept(a)
	k.accept(a)
	d.lease(k, d.units[1]) // the session goes on
	k.next(&a)
	k.accept(a)
	m.hears(ctx, 2, func(n node.Notice) bool { _, done := n.(node.UnitDone); return done })
}

// TestMinerSnapshot: a miner tells its state from the start to the end of a work: why it
// has no unit, its units and their deadlines, and what it is owed.
func TestMinerSnapshot(t *testing.T) {
	if s := new(node.Miner).Snapshot(); s.State != node.MinerStarting || s.Tasks == nil || s.PassedOver == nil {
		t.Errorf("before it runs: %+v", s)
	}
	_, _, m, _, d, k := taskTest(t)
	idle := func(code protocol.Reason) {
		t.Helper()
		k.say(&protocol.Idle{Version: protocol.Version, Code: code})
		m.hears(d.ctx, 1, func(n node.Notice) bool { i, ok := n.(node.MinerIdle); return ok && i.Code == code.String() })
	}
	idle(protocol.TooSlow)
	s := m.miner.Snapshot()
	if s.State != node.MinerWaiting || s.Reason.Code != protocol.TooSlow.String() || s.Reason.Text == "" || s.Sessions != 1 || len(s.Tasks) != 0 {
		t.Errorf("without a unit: %+v", s)
	}
	before := clock()
	d.lease(k, d.units[0])
	<-m.began
	s = m.miner.Snapshot()
	if s.State != node.MinerWorking || s.Reason != (node.Why{}) || len(s.Tasks) != 1 {
		t.Fatalf("with a unit: %+v", s)
	}
	if u := s.Tasks[0]; u.Unit != d.units[0].ID().String() || u.Task != d.units[0].Kind.String() || u.Done != 0 || u.Deadline < before+60_000 || u.Deadline > clock()+60_000 {
		t.Errorf("the unit is %+v", u)
	}
	close(m.gate)
	var a protocol.Attestation
	if k.next(&a); m.miner.Snapshot().Tasks[0].Done != 1 {
		t.Errorf("the unit that is computed: %+v", m.miner.Snapshot())
	}
	k.accept(a)
	m.hears(d.ctx, 1, isDone)
	if s = m.miner.Snapshot(); s.State != node.MinerWaiting || s.Reason.Code != protocol.TimedOut.String() {
		t.Errorf("before the publisher gives a new reason: %+v", s)
	}
	idle(protocol.WorkEnded)
	s = m.miner.Snapshot()
	if s.State != node.MinerWaiting || s.Reason.Code != protocol.WorkEnded.String() || len(s.Tasks) != 0 || s.Pending != 1 || s.Earned != 0 {
		t.Errorf("after the work: %+v", s)
	}
	if data, err := json.Marshal(s); err != nil || !strings.Contains(string(data), `"tasks":[],"passed_over":[],"earned":0,"pending":1`) {
		t.Errorf("as JSON: %s, %v", data, err)
	}
}
