package node_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
)

// TestPublisherIsGone: a miner whose bids no publisher answers says so once, and does
// not say that it bids.
func TestPublisherIsGone(t *testing.T) {
	v := newVillage(t)
	stopped, p := v.peer("stopped"), v.peer("miner")
	body, err := protocol.Sign(stopped.Key, stopped.Net, &protocol.RunOffer{Run: named("run"), Time: clock(), Addrs: stopped.Mesh.Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	if err := stopped.Offers.Take(time.Now(), "peer", "", protocol.EncodedOffer{Type: protocol.TypeRunOffer, Body: body}); err != nil {
		t.Fatal(err)
	}
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var said []node.Notice // by one goroutine: there is one offer
	m := &node.Miner{Peer: p, Policy: node.Policy{WorkForFree: true}, Workers: []*work.Worker{work.NewWorker(dev)}, Capability: protocol.Capability{MFLOPS: 1}, Report: func(n node.Notice) {
		if idle, ok := n.(node.MinerIdle); !ok || idle.Code != protocol.NoOffer.String() {
			said = append(said, n)
			cancel()
		}
	}}
	if err := node.Together(ctx, m.Run, func(ctx context.Context) error { return p.Listen(ctx, nil) }); err != nil {
		t.Fatal(err)
	}
	if idle, ok := said[0].(node.MinerIdle); len(said) != 1 || !ok || idle.Code != protocol.UnknownWork.String() || strings.Contains(idle.Text, "\n") || strings.Contains(idle.Text, idle.Code) {
		t.Errorf("the miner says %v, want that the node does not offer the work", said)
	}
}

// TestNobodyAnswers: a miner that reaches no node of its network says so, with the address,
// and says that no offer is open as soon as it has reached one.
func TestNobodyAnswers(t *testing.T) {
	v := newVillage(t)
	first := v.peer("first")
	addr := first.Mesh.Addrs()[0]
	where, _, _ := strings.Cut(addr, "/p2p/")
	first.Close()
	p := v.peer("miner")
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var said []string
	m := &node.Miner{Peer: p, Policy: node.Policy{WorkForFree: true}, Workers: []*work.Worker{work.NewWorker(dev)}, Capability: protocol.Capability{MFLOPS: 1}, Report: func(n node.Notice) {
		idle := n.(node.MinerIdle)
		said = append(said, idle.Code)
		switch {
		case idle.Code == protocol.NoPeer.String():
			if !strings.Contains(idle.Text, addr) {
				t.Errorf("the miner says %q, want the address %s", idle.Text, addr)
			}
			again, err := node.OpenPeer(t.Context(), node.PeerConfig{Home: home.Dir(t.TempDir()), Network: v.network, Key: first.Key, Listen: []string{where}})
			if err != nil {
				t.Error(err)
				cancel()
				return
			}
			t.Cleanup(func() { again.Close() })
		case len(said) > 1:
			cancel()
		}
	}}
	if err := node.Together(ctx, m.Run, func(ctx context.Context) error { return p.Listen(ctx, nil) }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"no-offer", "no-peer", "no-offer"}; !slices.Equal(said, want) {
		t.Errorf("the miner says %q, want %q", said, want)
	}
}
