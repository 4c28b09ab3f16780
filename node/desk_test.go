package node_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/unit"
)

// publish offers a work at a peer until the test ends or the function it returns is
// called. That function returns the publisher's error.
func publish(t *testing.T, p *node.Peer, work block.Link) (stop func() error) {
	t.Helper()
	j, err := journal.Open(t.TempDir(), p.Net, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	pub := node.NewPublisher(node.PublisherConfig{
		Peer: p, Journal: j, Work: work, Estimate: func(unit.Unit) uint64 { return 1 }, Report: func(node.Notice) {},
		Offer: func(time uint64, addrs []string) protocol.Signed {
			return &protocol.RunOffer{Run: work, Time: time, Rounds: 1, Units: 1, Addrs: addrs}
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- pub.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		err := <-done
		j.Close()
		return err
	})
	t.Cleanup(func() { _ = stop() })
	return stop
}

// bidFor opens a session with a peer, bids as a miner with the numerics given, and
// returns the publisher's first answer.
func bidFor(t *testing.T, m, p *node.Peer, work block.Link, numerics string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := m.Mesh.OpenMarket(ctx, p.Account(), p.Mesh.Addrs())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	body, err := protocol.Sign(m.Key, m.Net, &protocol.Bid{Work: work, InFlight: 1, Capability: protocol.Capability{Numerics: numerics, MFLOPS: 1}})
	if err == nil {
		err = s.Send(ctx, protocol.TypeBid, body)
	}
	typ, body, rerr := s.Recv(ctx)
	if err := errors.Join(err, rerr); err != nil {
		t.Fatal(err)
	}
	switch typ {
	case protocol.TypeIdle:
		var r protocol.Idle
		if err := protocol.Parse(body, m.Net, &r); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint("idle: ", r.Code)
	case protocol.TypeReject:
		var r protocol.Reject
		if err := protocol.Parse(body, m.Net, &r); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint("reject: ", r.Code)
	}
	return typ.String()
}

// TestDesk: one process has several publishers. A bid goes to the publisher of the
// work that it names, and the end of one publisher leaves the others at work. A miner
// that computes by other numerics is refused.
func TestDesk(t *testing.T) {
	v := newVillage(t)
	p, m := v.peer("publisher"), v.peer("miner")
	first, second := named("first"), named("second")
	publish(t, p, first)
	stop := publish(t, p, second)
	wait := func(work block.Link, want string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; {
			got := bidFor(t, m, p, work, kernel.Numerics)
			if got == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the answer to a bid for %s is %q, want %q", work, got, want)
			}
		}
	}
	wait(first, "idle: no-open-units")
	wait(second, "idle: no-open-units")
	if got := bidFor(t, m, p, first, "ALIA-F32 v0"); got != "reject: wrong-software" {
		t.Errorf("the answer to a miner of other numerics is %q", got)
	}
	wait(named("third"), "reject: unknown-work")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	wait(second, "reject: unknown-work")
	wait(first, "idle: no-open-units")
	again := publish(t, p, first)
	if err := again(); protocol.ReasonOf(err) != protocol.Superseded {
		t.Errorf("a second publisher of one work ends with %v", err)
	}
	wait(first, "idle: no-open-units")
}

// TestListen: several parts of a process listen for offers, together and one after
// another. An offer comes by gossip also to the last of them.
func TestListen(t *testing.T) {
	v := newVillage(t)
	p, q := v.peer("publisher"), v.peer("listener")
	pairs := [][2]string{{"en", "de"}}
	listen := func() (stop func() error) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- q.Listen(ctx, pairs) }()
		return func() error { cancel(); return <-ended }
	}
	first, second := listen(), listen()
	if err := first(); err != nil {
		t.Fatal(err)
	}
	third := listen()
	if err := second(); err != nil {
		t.Fatal(err)
	}
	publish(t, p, named("work"))
	for len(q.Offers.Open(time.Now())) == 0 {
		select {
		case <-q.Offers.Changed():
		case <-time.After(5 * time.Minute):
			t.Fatal("no offer comes")
		}
	}
	if err := third(); err != nil {
		t.Error(err)
	}
}

// TestSharedStore: a peer uses the store that it is given, and leaves it open.
func TestSharedStore(t *testing.T) {
	v := newVillage(t)
	dir := home.Dir(t.TempDir())
	store, err := dir.Store()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	p, err := node.OpenPeer(t.Context(), node.PeerConfig{
		Home: dir, Network: v.network, Key: key("one"), Store: store, Listen: []string{"/ip4/127.0.0.1/tcp/0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), block.Raw, []byte("afterwards")); err != nil {
		t.Error(err)
	}
}

// TestDetailIsCutWhole: a text that is cut to the length of a refusal's detail stays
// text, wherever the cut falls in a character. A record with half a character is not
// sent, and the lease would run out.
func TestDetailIsCutWhole(t *testing.T) {
	for _, char := range []string{"a", "é", "語", "🙂"} {
		for before := range len(char) {
			text := node.Detail(strings.Repeat("x", before) + strings.Repeat(char, node.MaxDetail))
			if len(text) > node.MaxDetail || len(text) <= node.MaxDetail-len(char) {
				t.Errorf("%s after %d bytes: cut to %d bytes, want up to %d", char, before, len(text), node.MaxDetail)
			}
			for _, r := range []protocol.Record{
				&protocol.Cancel{Version: protocol.Version, Ticket: named("ticket"), Code: protocol.UnitFailed, Detail: text},
				&protocol.Reject{Version: protocol.Version, Ticket: named("ticket"), Code: protocol.Malformed, Detail: text},
			} {
				body, err := protocol.Encode(r)
				if err == nil {
					err = protocol.Parse(body, someNet, r)
				}
				if err != nil {
					t.Errorf("%s after %d bytes: %v", char, before, err)
				}
			}
		}
	}
}
