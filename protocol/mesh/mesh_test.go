package mesh_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/mesh"
)

var net = protocol.Net{1, 2, 3}

// keyOf returns the n-th test key.
func keyOf(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

// start starts a mesh on loopback and closes it with the test.
func start(t testing.TB, cfg mesh.Config) *mesh.Mesh {
	t.Helper()
	if cfg.Net == (protocol.Net{}) {
		cfg.Net = net
	}
	if cfg.Listen == nil {
		cfg.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	}
	if cfg.Blocks == nil {
		cfg.Blocks = new(block.Memory)
	}
	m, err := mesh.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// eventually waits for what other goroutines and hosts bring about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in 30 s: %s", what)
		}
	}
}

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestFiveNodesFindEachOther: from one bootstrap address, and a message reaches
// all of them.
func TestFiveNodesFindEachOther(t *testing.T) {
	ctx := deadline(t)
	nodes := []*mesh.Mesh{start(t, mesh.Config{Key: keyOf(1)})}
	for i := byte(2); i <= 5; i++ {
		nodes = append(nodes, start(t, mesh.Config{Key: keyOf(i), Bootstrap: nodes[0].Addrs()}))
	}
	for i, m := range nodes {
		eventually(t, fmt.Sprintf("node %d knows 4 peers", i), func() bool { return len(m.Peers()) == 4 })
		if got := m.Account(); got != protocol.AccountOf(keyOf(byte(i+1))) {
			t.Errorf("node %d has account %s", i, got)
		}
	}
	var subs []*mesh.Subscription
	for _, m := range nodes[1:] {
		sub, err := m.Subscribe("/topic", func([]byte) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		subs = append(subs, sub)
	}
	// Subscriptions spread by gossip, too: publish until all have heard.
	heard := make(chan int)
	for i, sub := range subs {
		go func() {
			if data, err := sub.Next(ctx); err != nil || !strings.HasPrefix(string(data), "hello") {
				t.Errorf("node %d received %q, %v", i+1, data, err)
			}
			heard <- i
		}()
	}
	for n, left := 0, len(subs); left > 0; n++ {
		if err := nodes[0].Publish(ctx, "/topic", fmt.Appendf(nil, "hello %d", n)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-heard:
			left--
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestGossipCountsWhatItRefuses(t *testing.T) {
	ctx := deadline(t)
	a := start(t, mesh.Config{Key: keyOf(1)})
	b := start(t, mesh.Config{Key: keyOf(2), Bootstrap: a.Addrs()})
	sub, err := a.Subscribe("/topic", func(data []byte) error {
		if strings.HasPrefix(string(data), "bad") {
			return protocol.Refuse(protocol.BadSignature, "of a test")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	eventually(t, "a bad message is counted", func() bool {
		n++ // a message sent twice is one message
		if err := b.Publish(ctx, "/topic", fmt.Appendf(nil, "bad %d", n)); err != nil {
			t.Fatal(err)
		}
		return a.Stats().Rejections["bad-signature"] > 0
	})
	if err := b.Publish(ctx, "/topic", []byte("good")); err != nil {
		t.Fatal(err)
	}
	if data, err := sub.Next(ctx); err != nil || string(data) != "good" {
		t.Errorf("received %q, %v", data, err)
	}
	if err := b.Publish(ctx, "/topic", make([]byte, protocol.MaxGossip+1)); protocol.ReasonOf(err) != protocol.TooLarge {
		t.Errorf("a message over the limit: %v", err)
	}
}

func TestForeignNetworkIsRefused(t *testing.T) {
	a := start(t, mesh.Config{Key: keyOf(1)})
	b := start(t, mesh.Config{Key: keyOf(2), Net: protocol.Net{9}, Bootstrap: a.Addrs()})
	for name, m := range map[string]*mesh.Mesh{"dialled": a, "dialling": b} {
		eventually(t, name+" side counts the refusal", func() bool { return m.Stats().Rejections["wrong-network"] > 0 })
		if n := len(m.Peers()); n != 0 {
			t.Errorf("%s side has %d peers", name, n)
		}
	}
	if _, err := b.OpenMarket(deadline(t), a.Account(), a.Addrs()); err == nil {
		t.Error("a session across networks was opened")
	}
}

// TestBootstrapMayComeLater: a node whose bootstrap peer is not up yet keeps
// dialling; one that knew a peer before finds it again without a bootstrap.
func TestBootstrapMayComeLater(t *testing.T) {
	first := start(t, mesh.Config{Key: keyOf(1)})
	addrs := first.Addrs()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "node", "peers")
	second := start(t, mesh.Config{Key: keyOf(2), Bootstrap: addrs, PeersFile: file})
	listen := strings.Split(addrs[0], "/p2p/")[:1]
	first = start(t, mesh.Config{Key: keyOf(1), Listen: listen})
	eventually(t, "the late bootstrap peer is found", func() bool { return len(second.Peers()) == 1 && len(first.Peers()) == 1 })
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	second = start(t, mesh.Config{Key: keyOf(2), PeersFile: file})
	eventually(t, "the peer kept in the file is found", func() bool { return len(second.Peers()) == 1 })
}

func TestStartRefuses(t *testing.T) {
	a := start(t, mesh.Config{Key: keyOf(1)})
	taken := strings.Split(a.Addrs()[0], "/p2p/")[:1]
	for name, cfg := range map[string]mesh.Config{
		"port in use":    {Key: keyOf(2), Listen: taken},
		"no address":     {Key: keyOf(2), Bootstrap: []string{"127.0.0.1:4001"}},
		"no peer":        {Key: keyOf(2), Bootstrap: taken},
		"no key":         {},
		"listen address": {Key: keyOf(2), Listen: []string{"localhost"}},
	} {
		if m, err := mesh.New(context.Background(), cfg); err == nil {
			t.Errorf("%s: started", name)
			m.Close()
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}

func TestMarketSession(t *testing.T) {
	ctx := deadline(t)
	a := start(t, mesh.Config{Key: keyOf(1)})
	b := start(t, mesh.Config{Key: keyOf(2)})
	ended := make(chan error, 1)
	a.HandleMarket(func(ctx context.Context, s *mesh.Session) {
		if s.Peer != b.Account() {
			t.Errorf("session with %s", s.Peer)
		}
		for {
			typ, body, err := s.Recv(ctx)
			if err != nil {
				ended <- err
				return
			}
			if err := s.Send(ctx, typ, append(body, '!')); err != nil {
				t.Error(err)
			}
		}
	})
	s, err := b.OpenMarket(ctx, a.Account(), a.Addrs())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two"} {
		if err := s.Send(ctx, protocol.TypeIdle, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if typ, body, err := s.Recv(ctx); err != nil || typ != protocol.TypeIdle || string(body) != text+"!" {
			t.Errorf("Recv = %s, %q, %v", typ, body, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != io.EOF {
		t.Errorf("the other side: %v", err)
	}

	s, err = b.OpenMarket(ctx, a.Account(), nil)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithCancel(ctx)
	context.AfterFunc(short, func() {})
	go cancel()
	if _, _, err := s.Recv(short); err == nil {
		t.Error("Recv of a silent peer, cancelled, succeeded")
	}
	if _, err := b.OpenMarket(ctx, protocol.AccountOf(keyOf(3)), a.Addrs()); err == nil {
		t.Error("a session with an account at another's address was opened")
	}
}

// TestLateJoinerPullsOffers: what gossip has long delivered, a node that joins
// later asks of the peer it meets.
func TestLateJoinerPullsOffers(t *testing.T) {
	a := start(t, mesh.Config{Key: keyOf(1)})
	all := make([]protocol.Offer, 5)
	for i := range all {
		all[i] = protocol.Offer{Type: protocol.TypeRunOffer, Body: []byte{byte(i)}}
	}
	a.HandleOffers(func(cursor uint64) protocol.OfferPage {
		page := protocol.OfferPage{Version: protocol.Version, Offers: all[cursor:min(cursor+2, 5)]}
		if cursor+2 < 5 {
			page.Cursor = cursor + 2
		}
		return page
	})
	b := start(t, mesh.Config{Key: keyOf(2), Bootstrap: a.Addrs()})
	pulled := make(chan []protocol.Offer, 1)
	b.OnPeer(func(ctx context.Context, id peer.ID) {
		offers, err := b.PullOffers(ctx, id)
		if err != nil {
			t.Error(err)
		}
		pulled <- offers
	})
	select {
	case offers := <-pulled:
		if len(offers) != 5 || offers[4].Body[0] != 4 {
			t.Errorf("pulled %v", offers)
		}
	case <-deadline(t).Done():
		t.Fatal("no peer met")
	}
	if offers, err := a.PullOffers(deadline(t), b.ID()); err != nil || len(offers) != 0 {
		t.Errorf("of a node without offers: %v, %v", offers, err)
	}
}

func TestAccountsAreIdentities(t *testing.T) {
	a := protocol.AccountOf(keyOf(1))
	id, err := mesh.PeerOf(a)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := mesh.AccountOf(id); err != nil || got != a {
		t.Errorf("AccountOf = %s, %v", got, err)
	}
}
