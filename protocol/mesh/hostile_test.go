package mesh_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	gonet "net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2pprotocol "github.com/libp2p/go-libp2p/core/protocol"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/mesh"
)

// attacker returns a bare libp2p host connected to m.
func attacker(t *testing.T, m *mesh.Mesh) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	info, err := peer.AddrInfoFromString(m.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Connect(deadline(t), *info); err != nil {
		t.Fatal(err)
	}
	return h
}

// say opens a stream, writes text and nothing more, and returns what comes back
// until the other side ends the stream.
func say(t *testing.T, h host.Host, to peer.ID, name libp2pprotocol.ID, text string) ([]byte, error) {
	t.Helper()
	s, err := h.NewStream(deadline(t), to, name)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Write([]byte(text)); err != nil {
		return nil, err
	}
	if err := s.CloseWrite(); err != nil {
		return nil, err
	}
	return io.ReadAll(s)
}

func TestHostilePeers(t *testing.T) {
	ctx := deadline(t)
	m := start(t, mesh.Config{Key: keyOf(1)})
	h := attacker(t, m)
	prefix := libp2pprotocol.ID("/alia/" + net.Short())
	received := make(chan error, 10)
	m.HandleMarket(func(ctx context.Context, s *mesh.Session) {
		_, _, err := s.Recv(ctx)
		received <- err
	})
	c := block.Sum(block.Raw, []byte("absent")).Bytes()
	for name, attack := range map[string]struct {
		protocol libp2pprotocol.ID
		text     string
	}{
		"no blocks":            {prefix + "/blk/1", "\x00"},
		"65 blocks":            {prefix + "/blk/1", "\x41" + strings.Repeat(string(c), 65)},
		"blocks cut short":     {prefix + "/blk/1", "\x02" + string(c)},
		"a CID of zeros":       {prefix + "/blk/1", "\x01" + strings.Repeat("\x00", 36)},
		"a CID of SHA-1":       {prefix + "/blk/1", "\x01\x01\x55\x11\x20" + string(c[4:])},
		"a huge frame":         {prefix + "/offers/1", "\xff\xff\xff\xff\x00\x0d"},
		"a frame of no type":   {prefix + "/offers/1", "\x00\x00\x00\x00\xff\xff"},
		"a query that is none": {prefix + "/offers/1", "\x00\x00\x00\x01\x00\x0d\xff"},
		"a hello cut short":    {"/alia/hello/1", "\x01\x02"},
	} {
		before := total(m)
		if got, err := say(t, h, m.ID(), attack.protocol, attack.text); len(got) > 0 {
			t.Errorf("%s: answered %x, %v", name, got, err)
		}
		if name != "blocks cut short" { // which any broken connection looks like
			eventually(t, name+" is counted", func() bool { return total(m) == before+1 })
		}
	}
	if _, err := say(t, h, m.ID(), prefix+"/market/1", "\xff\xff\xff\xff\x00\x05"); err != nil {
		t.Error(err)
	}
	if err := <-received; protocol.ReasonOf(err) != protocol.TooLarge {
		t.Errorf("a huge frame in a session: %v", err)
	}

	// After all that, an honest request on the same connection is answered.
	got, err := say(t, h, m.ID(), prefix+"/blk/1", "\x01"+string(c))
	if err != nil || len(got) != 4 || binary.BigEndian.Uint32(got) != 1<<32-1 {
		t.Errorf("an honest request: %x, %v", got, err)
	}
	if err := m.Publish(ctx, "/topic", []byte("alive")); err != nil {
		t.Error(err)
	}
	if n := len(m.Peers()); n != 0 {
		t.Errorf("%d peers, of which none said hello", n)
	}
}

func total(m *mesh.Mesh) (n int64) {
	for _, count := range m.Traffic().Rejections {
		n += count
	}
	return n
}

// TestHolderThatStops: a holder that hangs up within a block is passed over.
func TestHolderThatStops(t *testing.T) {
	ctx := deadline(t)
	data := random(1000)
	c := block.Sum(block.Raw, data)
	var honest, ours block.MemoryStore
	put(t, &honest, block.Raw, data)
	m := start(t, mesh.Config{Key: keyOf(1), Blocks: &ours})
	h := attacker(t, m)
	h.SetStreamHandler(libp2pprotocol.ID("/alia/"+net.Short()+"/blk/1"), func(s network.Stream) {
		_, _ = s.Write([]byte("\x00\x00\x03\xe8half a block"))
		_ = s.Close()
	})
	holder := "/p2p/" + h.ID().String() // by its connection
	if err := m.Fetch(ctx, []string{holder}, c); !errors.Is(err, block.ErrNotFound) || !strings.Contains(err.Error(), h.ID().String()) {
		t.Errorf("fetch: %v", err)
	}
	good := start(t, mesh.Config{Key: keyOf(2), Blocks: &honest})
	if err := m.Fetch(ctx, append([]string{holder}, good.Addrs()...), c); err != nil || !ours.Has(c) {
		t.Errorf("fetch with an honest holder: %v", err)
	}
}

// TestFetchesShare: fetches of one block at the same time move it once.
func TestFetchesShare(t *testing.T) {
	ctx := deadline(t)
	var theirs, ours block.MemoryStore
	c := put(t, &theirs, block.Raw, random(block.LeafSize))
	a := start(t, mesh.Config{Key: keyOf(1), Blocks: &theirs})
	m := start(t, mesh.Config{Key: keyOf(2), Blocks: &ours})
	errs := make(chan error)
	for range 10 {
		go func() { errs <- m.Fetch(ctx, a.Addrs(), c, c) }()
	}
	for range 10 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if s := m.Traffic(); s.BlocksFetched != 1 {
		t.Errorf("the block was fetched %d times", s.BlocksFetched)
	}
}

// TestFetchEndsWithItsContext: a holder that never answers does not hold up a
// fetch that is cancelled.
func TestFetchEndsWithItsContext(t *testing.T) {
	m := start(t, mesh.Config{Key: keyOf(1)})
	h := attacker(t, m)
	asked := make(chan struct{})
	h.SetStreamHandler(libp2pprotocol.ID("/alia/"+net.Short()+"/blk/1"), func(s network.Stream) {
		close(asked)
		_, _ = io.ReadAll(s) // until it is reset
	})
	ctx, cancel := context.WithCancel(deadline(t))
	go func() {
		<-asked
		cancel()
	}()
	err := m.Fetch(ctx, []string{"/p2p/" + h.ID().String()}, block.Sum(block.Raw, nil))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("fetch: %v", err)
	}
}

// TestCloseLeavesNothing: after Close no goroutine of the mesh is left, though
// a handler, a hook and a subscription were at work.
func TestCloseLeavesNothing(t *testing.T) {
	a := start(t, mesh.Config{Key: keyOf(1)})
	b := start(t, mesh.Config{Key: keyOf(2), Bootstrap: a.Addrs()})
	began, ended := make(chan struct{}), make(chan struct{}, 2)
	a.HandleMarket(func(ctx context.Context, s *mesh.Session) {
		_, _, _ = s.Recv(ctx) // what b sends
		close(began)
		_, _, _ = s.Recv(ctx) // nothing
		ended <- struct{}{}
	})
	a.OnPeer(func(ctx context.Context, _ peer.ID) {
		<-ctx.Done()
		ended <- struct{}{}
	})
	subscribe(t, a)
	eventually(t, "they meet", func() bool { return len(a.Peers()) == 1 && len(b.Peers()) == 1 })
	s, err := b.OpenMarket(deadline(t), a.Account(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(context.Background(), protocol.TypeIdle, nil); err != nil {
		t.Fatal(err)
	}
	<-began
	for _, m := range []*mesh.Mesh{a, b, a} { // a second Close is harmless
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(ended) != 2 {
		t.Error("Close returned before the handler and the hook did")
	}
	// libp2p does not wait for two of its goroutines, which may be in our functions for a moment.
	theirs := func(stack string) bool {
		return strings.Contains(stack, "pubsub.(*PubSub).processLoop") || strings.Contains(stack, "autonat.(*AmbientAutoNAT).background")
	}
	stacks := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(stack, "alia/protocol/mesh.") && !theirs(stack) {
			t.Errorf("a goroutine is left:\n%s", stack)
		}
	}
}

// TestTwentyNodes: a larger network is found as well, though not by everyone in
// the first moment.
func TestTwentyNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("twenty hosts")
	}
	nodes := []*mesh.Mesh{start(t, mesh.Config{Key: keyOf(1)})}
	begun := time.Now()
	for i := byte(2); i <= 20; i++ {
		nodes = append(nodes, start(t, mesh.Config{Key: keyOf(i), Bootstrap: nodes[0].Addrs()}))
	}
	for _, m := range nodes {
		eventually(t, "each knows the others", func() bool { return len(m.Peers()) == 19 })
	}
	t.Logf("20 nodes know each other after %v", time.Since(begun))
}

// TestDialsAreBounded: of the addresses in an offer a few are dialled, so that an offer
// does not make all miners of a network connect to a list of strangers.
func TestDialsAreBounded(t *testing.T) {
	m := start(t, mesh.Config{Key: keyOf(1)})
	victim, err := gonet.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	var dials atomic.Int32
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		for {
			conn, err := victim.Accept()
			if err != nil {
				return
			}
			dials.Add(1)
			conn.Close()
		}
	}()
	account := protocol.AccountOf(keyOf(2))
	id, err := mesh.PeerOf(account)
	if err != nil {
		t.Fatal(err)
	}
	var addrs []string
	for i := range protocol.MaxAddrs {
		addrs = append(addrs, fmt.Sprintf("/ip4/127.0.0.%d/tcp/%d/p2p/%s", i+1, victim.Addr().(*gonet.TCPAddr).Port, id))
	}
	if _, err := m.OpenMarket(deadline(t), account, addrs); err == nil {
		t.Error("a session with nobody was opened")
	}
	victim.Close()
	<-accepted
	if n := dials.Load(); n == 0 || n > 8 {
		t.Errorf("%d of %d addresses were dialled, want at most 8", n, len(addrs))
	}
}

// TestEndlessOffers: a peer whose offers never end is asked for no more than a full
// board, and for nothing after the first page that is too much.
func TestEndlessOffers(t *testing.T) {
	bad, m := start(t, mesh.Config{Key: keyOf(1)}), start(t, mesh.Config{Key: keyOf(2)})
	var pages atomic.Int32
	bad.HandleOffers(func(cursor uint64) protocol.OfferPage {
		pages.Add(1)
		return protocol.OfferPage{Version: protocol.Version, Cursor: cursor + 1, Offers: []protocol.EncodedOffer{{Type: protocol.TypeRunOffer}}}
	})
	bad.HandleMarket(func(ctx context.Context, _ *mesh.Session) { <-ctx.Done() })
	if _, err := m.OpenMarket(deadline(t), bad.Account(), bad.Addrs()); err != nil { // only to be connected
		t.Fatal(err)
	}
	if offers, err := pull(deadline(t), m, bad.ID()); err != nil || len(offers) != 65 || pages.Load() != 65 {
		t.Errorf("%d offers on %d pages, %v", len(offers), pages.Load(), err)
	}
	enough := protocol.Refuse(protocol.RateLimited, "enough")
	if err := m.PullOffers(deadline(t), bad.ID(), func([]protocol.EncodedOffer) error { return enough }); !errors.Is(err, enough) || pages.Load() != 66 {
		t.Errorf("%d pages, %v", pages.Load(), err)
	}
}
