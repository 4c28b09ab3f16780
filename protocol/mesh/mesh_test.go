package mesh_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
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
		cfg.Blocks = new(block.MemoryStore)
	}
	cfg.Log = slog.New(happened)
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

// broadcast is a log handler that wakes whoever waits for something to happen:
// a mesh logs all that happens to it.
type broadcast struct {
	mu   sync.Mutex
	next chan struct{} // closed by the next message
}

var happened = &broadcast{next: make(chan struct{})}

func (b *broadcast) Enabled(context.Context, slog.Level) bool { return true }

func (b *broadcast) Handle(context.Context, slog.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.next)
	b.next = make(chan struct{})
	return nil
}

func (b *broadcast) WithAttrs([]slog.Attr) slog.Handler { return b }

func (b *broadcast) WithGroup(string) slog.Handler { return b }

func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next
}

// eventually asks again after each thing that happens to a mesh.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx := deadline(t)
	for {
		next := happened.wait()
		if ok() {
			return
		}
		select {
		case <-next:
		case <-ctx.Done():
			t.Fatalf("it does not come: %s", what)
		}
	}
}

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
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
	subs := subscribeAll(t, nodes...)
	if err := nodes[0].Publish(ctx, "/topic", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	for i, sub := range subs[1:] {
		if text, err := sub.Next(ctx); err != nil || text != "parsed hello" {
			t.Errorf("node %d received %q, %v", i+1, text, err)
		}
	}
}

// subscribe subscribes to "/topic". Messages that begin with "bad" are refused.
func subscribe(t *testing.T, m *mesh.Mesh) *mesh.Subscription[string] {
	t.Helper()
	sub, err := mesh.Subscribe(m, "/topic", func(_ peer.ID, data []byte) (string, error) {
		if strings.HasPrefix(string(data), "bad") {
			return "", protocol.Refuse(protocol.BadSignature, "of a test")
		}
		return "parsed " + string(data), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// subscribeAll subscribes the nodes to "/topic", and returns when each knows the
// subscriptions of all others. Then the streams between all of them are open.
func subscribeAll(t *testing.T, nodes ...*mesh.Mesh) []*mesh.Subscription[string] {
	t.Helper()
	var subs []*mesh.Subscription[string]
	for _, m := range nodes {
		subs = append(subs, subscribe(t, m))
	}
	for _, m := range nodes {
		if err := m.AwaitSubscribers(deadline(t), "/topic", len(nodes)-1); err != nil {
			t.Fatal(err)
		}
	}
	return subs
}

func TestGossipCountsWhatItRefuses(t *testing.T) {
	ctx := deadline(t)
	a := start(t, mesh.Config{Key: keyOf(1)})
	b := start(t, mesh.Config{Key: keyOf(2), Bootstrap: a.Addrs()})
	sub := subscribeAll(t, a, b)[0]
	for _, text := range []string{"bad", "good"} {
		if err := b.Publish(ctx, "/topic", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "a bad message is counted", func() bool { return a.Traffic().Rejections["bad-signature"] == 1 })
	if err := a.Publish(ctx, "/topic", []byte("of its own")); err != nil {
		t.Fatal(err)
	}
	if text, err := sub.Next(ctx); err != nil || text != "parsed good" {
		t.Errorf("received %q, %v", text, err)
	}
	if err := b.Publish(ctx, "/topic", make([]byte, protocol.MaxGossip+1)); protocol.ReasonOf(err) != protocol.TooLarge {
		t.Errorf("a message over the limit: %v", err)
	}
}

func TestForeignNetworkIsRefused(t *testing.T) {
	a := start(t, mesh.Config{Key: keyOf(1)})
	b := start(t, mesh.Config{Key: keyOf(2), Net: protocol.Net{9}, Bootstrap: a.Addrs()})
	for name, m := range map[string]*mesh.Mesh{"dialled": a, "dialling": b} {
		eventually(t, name+" side counts the refusal", func() bool { return m.Traffic().Rejections["wrong-network"] > 0 })
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
	for name, c := range map[string]struct {
		cfg  mesh.Config
		want string // in the error
	}{
		"port in use":    {mesh.Config{Key: keyOf(2), Listen: taken}, "another process uses the port"},
		"no address":     {mesh.Config{Key: keyOf(2), Bootstrap: []string{"127.0.0.1:4001"}}, "want the form /ip4/"},
		"no peer":        {mesh.Config{Key: keyOf(2), Bootstrap: taken}, "want the form /ip4/"},
		"no key":         {mesh.Config{}, "key"},
		"listen address": {mesh.Config{Key: keyOf(2), Listen: []string{"localhost"}}, `listen address "localhost": want a multiaddress, such as /ip4/`},
		"no TCP port":    {mesh.Config{Key: keyOf(2), Listen: []string{"/ip4/127.0.0.1/udp/0"}}, "names no TCP port"},
		"not ours":       {mesh.Config{Key: keyOf(2), Listen: []string{"/ip4/203.0.113.7/tcp/0"}}, "this machine has no such address: listen at /ip4/0.0.0.0/tcp/PORT, and announce this one"},
		"one of two":     {mesh.Config{Key: keyOf(2), Listen: append([]string{"/ip4/127.0.0.1/tcp/0"}, taken...)}, "another process uses the port"},
		"announced name": {mesh.Config{Key: keyOf(2), Announce: []string{"example.org"}}, `announced address "example.org": want a multiaddress`},
		"announced peer": {mesh.Config{Key: keyOf(2), Announce: a.Addrs()}, "leave out /p2p/"},
		"announced any":  {mesh.Config{Key: keyOf(2), Announce: []string{"/ip6/::/tcp/4001"}}, "others cannot dial this address"},
	} {
		m, err := mesh.New(context.Background(), c.cfg)
		if err == nil {
			t.Errorf("%s: started", name)
			m.Close()
		} else if text := err.Error(); !strings.Contains(text, c.want) || strings.Contains(text, "\n") {
			t.Errorf("%s: %q, want one line with %q", name, text, c.want)
		}
	}
}

// TestErrorsAreOneLine: an error that a user may see is one line and says why.
func TestErrorsAreOneLine(t *testing.T) {
	a := start(t, mesh.Config{Key: keyOf(1)})
	addrs := a.Addrs()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	m := start(t, mesh.Config{Key: keyOf(2)})
	_, err := m.OpenMarket(deadline(t), a.Account(), addrs)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, cancelled := m.OpenMarket(ctx, a.Account(), addrs)
	c := block.Sum(block.Raw, nil)
	for name, got := range map[string]struct {
		err  error
		want string
	}{
		"nobody listens":     {err, "not reachable at " + strings.Split(addrs[0], "/p2p/")[0] + ": connection refused"},
		"cancelled":          {cancelled, context.Canceled.Error()},
		"holder is away":     {m.Fetch(deadline(t), addrs, c), "connection refused"},
		"no holder is known": {m.Fetch(deadline(t), nil, c), "no peer that has the block is known"},
	} {
		if got.err == nil || !strings.Contains(got.err.Error(), got.want) || strings.Contains(got.err.Error(), "\n") {
			t.Errorf("%s: %q, want one line with %q", name, got.err, got.want)
		}
	}
}

func TestMarketSession(t *testing.T) {
	ctx := deadline(t)
	a := start(t, mesh.Config{Key: keyOf(1), Numerics: "ALIA-F32 v1"})
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
	if s.Numerics != "ALIA-F32 v1" {
		t.Errorf("the publisher computes by %q", s.Numerics)
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
	all := make([]protocol.EncodedOffer, 5)
	for i := range all {
		all[i] = protocol.EncodedOffer{Type: protocol.TypeRunOffer, Body: []byte{byte(i)}}
	}
	a.HandleOffers(func(cursor uint64) protocol.OfferPage {
		page := protocol.OfferPage{Version: protocol.Version, Offers: all[cursor:min(cursor+2, 5)]}
		if cursor+2 < 5 {
			page.Cursor = cursor + 2
		}
		return page
	})
	b := start(t, mesh.Config{Key: keyOf(2), Bootstrap: a.Addrs()})
	pulled := make(chan []protocol.EncodedOffer, 1)
	b.OnPeer(func(ctx context.Context, id peer.ID) {
		offers, err := pull(ctx, b, id)
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
	if offers, err := pull(deadline(t), a, b.ID()); err != nil || len(offers) != 0 {
		t.Errorf("of a node without offers: %v, %v", offers, err)
	}
}

// pull collects all offers of a peer.
func pull(ctx context.Context, m *mesh.Mesh, from peer.ID) (offers []protocol.EncodedOffer, err error) {
	err = m.PullOffers(ctx, from, func(page []protocol.EncodedOffer) error {
		offers = append(offers, page...)
		return nil
	})
	return offers, err
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
