package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/disk"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/unit"
)

// offered waits until a publisher of a peer takes bids.
func offered(ctx context.Context, p *node.Peer) {
	for len(p.Offers.Open(time.Now())) == 0 && ctx.Err() == nil {
		select {
		case <-p.Offers.Changed():
		case <-ctx.Done():
		}
	}
}

// until has a peer's publisher do units while f runs, and then stops it. If all units
// must be done, until waits for them.
func until(t *testing.T, ctx context.Context, peer *node.Peer, p *node.Publisher, units []unit.Unit, all bool, f func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	var did error
	stopped := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		stopped <- node.Together(ctx, p.Run, func(ctx context.Context) error {
			defer close(done)
			_, did = p.Do(ctx, units)
			return nil
		})
	}()
	offered(ctx, peer)
	f()
	if all {
		select {
		case <-done:
			if did != nil {
				t.Error(did)
			}
		case <-ctx.Done():
			t.Error("the units are not done")
		}
	}
	cancel()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// right computes a unit from the publisher's blocks, and gives the attestation of its result, whose blocks are
// then at the miner.
func right(t *testing.T, p, miner *node.Peer, u unit.Unit, body []byte) *protocol.Attestation {
	t.Helper()
	var ticket protocol.Ticket
	if err := protocol.Parse(body, miner.Net, &ticket); err != nil {
		t.Fatal(err)
	}
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	local := &work.Local{Worker: work.NewWorker(dev), Blocks: p.Store, Clock: clock}
	out, err := local.Do(t.Context(), []unit.Unit{u})
	if err != nil {
		t.Fatal(err)
	}
	all, err := block.Reachable(t.Context(), p.Store, out[0].Link.Cid)
	if err != nil {
		t.Fatal(err)
	}
	for c := range all { // order-free: each is copied alone
		data, err := p.Store.Get(t.Context(), c)
		if errors.Is(err, block.ErrNotFound) { // the unit, of which a result has a link
			continue
		}
		if err == nil {
			_, err = public(miner).Put(t.Context(), block.Codec(c.Type()), data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return attest(ticket, protocol.ID(body), out[0].Link)
}

// nextOf receives messages until one is of a type, and returns its bytes.
func (k *talk) nextOf(want protocol.RecordType) []byte {
	k.Helper()
	for {
		typ, body, err := k.Recv(k.ctx)
		if err != nil {
			k.Fatalf("waiting for a %s: %v", want, err)
		}
		if typ == want {
			return body
		}
	}
}

// TestLateResultCounts: a result that comes long after the lease has expired counts, and
// no other miner has to do the unit.
func TestLateResultCounts(t *testing.T) {
	v := newVillage(t)
	p, m := v.peer("publisher"), v.peer("miner")
	publisher, plan, units := v.publish(p, v.report("publisher"))
	clock := &simulated{now: time.Unix(1_800_000_000, 0)}
	publisher.SetClock(clock.time)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	until(t, ctx, p, publisher, units[:1], true, func() {
		k := bid(t, ctx, m, p.Account(), p.Mesh.Addrs(), plan.Link)
		_, ticket := k.ticket()
		clock.add(24 * time.Hour)
		publisher.Tick()
		var c protocol.Cancel
		if err := protocol.Parse(k.nextOf(protocol.TypeCancel), m.Net, &c); err != nil || c.Code != protocol.LeaseExpired {
			t.Errorf("the lease ends with %v, %v", c.Code, err)
		}
		k.sign(right(t, p, k.peer, units[0], ticket))
		k.nextOf(protocol.TypeAccept)
	})
}

// TestAcceptedAgain: a miner that does not know of the acceptance of its result, for
// example because the publisher was killed before it could say so, shows its ticket
// and attests again. It gets the same acceptance; another miner's result does not.
func TestAcceptedAgain(t *testing.T) {
	v := newVillage(t)
	p, m := v.peer("publisher"), v.peer("miner")
	publisher, plan, units := v.publish(p, v.report("publisher"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	until(t, ctx, p, publisher, units[:1], true, func() {
		k := bid(t, ctx, m, p.Account(), p.Mesh.Addrs(), plan.Link)
		_, ticket := k.ticket()
		at := right(t, p, k.peer, units[0], ticket)
		k.sign(at)
		first := k.nextOf(protocol.TypeAccept)
		k.Close()
		k = bid(t, ctx, m, p.Account(), p.Mesh.Addrs(), plan.Link)
		if err := k.Send(ctx, protocol.TypeTicket, ticket); err != nil {
			t.Fatal(err)
		}
		k.sign(at)
		if again := k.nextOf(protocol.TypeAccept); !bytes.Equal(again, first) {
			t.Error("the second acceptance is another one")
		}
		at.Result = named("another result")
		k.sign(at)
		if code := k.refused(at.Ticket); code != protocol.Superseded {
			t.Errorf("another result is refused as %v", code)
		}
	})
}

// TestRefusedFlood: a miner whose attestations are refused thousands of times loses
// its session with a reason, must wait before it comes again, and does not fill the
// terminal.
func TestRefusedFlood(t *testing.T) {
	v := newVillage(t)
	p, m := v.peer("publisher"), v.peer("flooder")
	var heard notices
	heard.watch = func(node.Notice) {}
	publisher, plan, units := v.publish(p, heard.report)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	until(t, ctx, p, publisher, units[:1], false, func() {
		k := bid(t, ctx, m, p.Account(), p.Mesh.Addrs(), plan.Link)
		at := &protocol.Attestation{Work: plan.Link, Publisher: p.Account(), Unit: units[0].ID(), Result: named("junk"), Ticket: named("no ticket")}
		body, err := protocol.Sign(m.Key, m.Net, at)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for range floods {
				if k.Send(ctx, protocol.TypeAttestation, body) != nil {
					return
				}
			}
		}()
		codes := map[protocol.Reason]int{}
		for {
			typ, body, err := k.Recv(ctx)
			if err != nil {
				break
			}
			var r protocol.Reject
			if typ == protocol.TypeReject {
				if err := protocol.Parse(body, m.Net, &r); err != nil {
					t.Fatal(err)
				}
				codes[r.Code]++
			}
		}
		if n := codes[protocol.NotLeased]; n == 0 || n > 200 || codes[protocol.RateLimited] > 1 {
			t.Errorf("of %d attestations were refused %v", floods, codes)
		}
		k = bid(t, ctx, m, p.Account(), p.Mesh.Addrs(), plan.Link)
		if code := k.refused(block.Link{}); code != protocol.BackedOff {
			t.Errorf("the next bid is refused as %v", code)
		}
		_, _, err = k.Recv(ctx)
		if err != io.EOF {
			t.Errorf("the session of a refused bid ends with %v", err)
		}
	})
	if n := heard.count(func(node.Notice) bool { return true }); n > 300 {
		t.Errorf("%d notices of one flooder", n)
	}
}

// TestSlowTerminal: a publisher whose notices nobody reads goes on.
func TestSlowTerminal(t *testing.T) {
	v := newVillage(t)
	p, m := v.peer("publisher"), v.peer("miner")
	read := make(chan struct{})
	publisher, plan, units := v.publish(p, func(node.Notice) { <-read })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	until(t, ctx, p, publisher, units, true, func() {
		k := bid(t, ctx, m, p.Account(), p.Mesh.Addrs(), plan.Link)
		for accepted := 0; accepted < len(units); {
			typ, body, err := k.Recv(ctx)
			if err != nil {
				t.Fatal(err)
			}
			switch typ {
			case protocol.TypeAccept:
				accepted++
			case protocol.TypeTicket: // the next may come before the acceptance
				var ticket protocol.Ticket
				if err := protocol.Parse(body, m.Net, &ticket); err != nil {
					t.Fatal(err)
				}
				u, err := unit.Parse(ticket.Spec)
				if err != nil {
					t.Fatal(err)
				}
				k.sign(right(t, p, k.peer, u, body))
			}
		}
		close(read)
	})
}

// stuckDisk is a disk whose syncs wait, once it is slow.
type stuckDisk struct {
	mu    sync.Mutex // guards the fields below
	slow  chan struct{}
	syncs int
}

func (d *stuckDisk) Sync(f *os.File) error {
	d.mu.Lock()
	d.syncs++
	slow := d.slow
	d.mu.Unlock()
	if slow != nil {
		<-slow
	}
	return disk.OS.Sync(f)
}

// TestSlowDisk: while the disk is slow, other miners get tickets. The acceptance is
// sent when the journal has it.
func TestSlowDisk(t *testing.T) {
	v := newVillage(t)
	p, m, other := v.peer("publisher"), v.peer("miner"), v.peer("other")
	d := &stuckDisk{}
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal"), p.Net, journal.Options{Disk: d})
	if err != nil {
		t.Fatal(err)
	}
	publisher, plan, units := v.publishOn(p, j, v.report("publisher"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	until(t, ctx, p, publisher, units[:2], false, func() {
		k := bid(t, ctx, m, p.Account(), p.Mesh.Addrs(), plan.Link)
		ticket, body := k.ticket()
		u, err := unit.Parse(ticket.Spec)
		if err != nil {
			t.Fatal(err)
		}
		slow := make(chan struct{})
		d.mu.Lock()
		d.slow = slow
		d.mu.Unlock()
		k.sign(right(t, p, k.peer, u, body))
		bid(t, ctx, other, p.Account(), p.Mesh.Addrs(), plan.Link).ticket()
		if e, known, err := j.Get(journal.Key{Unit: u.ID()}); known || err != nil {
			t.Errorf("the journal has %+v, %v while the disk waits", e, err)
		}
		close(slow)
		k.nextOf(protocol.TypeAccept)
		if e, known, err := j.Get(journal.Key{Unit: u.ID()}); !known || err != nil || e.Accepted == nil {
			t.Errorf("the miner has an acceptance, the journal %+v, %v", e, err)
		}
	})
}

// TestRecorder: lines that come together cost one sync.
func TestRecorder(t *testing.T) {
	v := t.TempDir()
	d := &stuckDisk{}
	j, err := journal.Open(v, protocol.Net{1}, journal.Options{Disk: d})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	before := d.syncs
	synctest.Test(t, func(t *testing.T) {
		r := node.NewRecorder(j)
		const lines = 100
		for i := range lines {
			go func() {
				at := protocol.Attestation{Unit: named(fmt.Sprint(i)), Result: named("result")}
				record := journal.Accepted{Attestation: at, Accept: protocol.Accept{Unit: at.Unit, Result: at.Result}}
				if err := r.Append(journal.Line{Key: journal.Key{Unit: at.Unit}, Record: record}); err != nil {
					t.Error(err)
				}
			}()
		}
		synctest.Wait() // all lines are there
		go r.Run()
		synctest.Wait()
		r.Close()
		if n := j.Count(journal.Pending); n != lines {
			t.Errorf("the journal has %d lines, want %d", n, lines)
		}
	})
	if n := d.syncs - before; n != 1 {
		t.Errorf("%d syncs", n)
	}
}
