package mesh

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// simulate runs a test of meshes on a simulated network, in simulated time.
func simulate(t *testing.T, delay time.Duration, f func(t *testing.T, ctx context.Context, n *simNet)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		f(t, ctx, newSimNet(t, delay))
	})
}

func simKey(n int) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(binary.BigEndian.AppendUint32(bytes.Repeat([]byte{9}, ed25519.SeedSize-4), uint32(n)))
}

func accountOf(n int) protocol.Account { return protocol.AccountOf(simKey(n)) }

// startSim starts a mesh on a machine of the network, which ends with the test.
func startSim(t *testing.T, n *simNet, ip string, cfg Config) *Mesh {
	t.Helper()
	cfg = n.join(cfg, ip)
	cfg.Net = protocol.Net{1, 2, 3}
	if cfg.Blocks == nil {
		cfg.Blocks = new(block.MemoryStore)
	}
	m, err := New(t.Context(), cfg)
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

func infoOf(m *Mesh) peer.AddrInfo { return infoOfHost(m.host) }

func infoOfHost(h host.Host) peer.AddrInfo { return peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()} }

// simIP is the public address of a machine.
func simIP(i int) string { return fmt.Sprintf("198.51.%d.%d", 100+i/250, 1+i%250) }

// echo answers each record of a market session with the same record.
func echo(ctx context.Context, s *Session) {
	for {
		t, body, err := s.Recv(ctx)
		if err != nil || s.Send(ctx, t, body) != nil {
			return
		}
	}
}

// bare starts a host without a mesh.
func bare(t *testing.T, n *simNet, ip string, key int) host.Host {
	t.Helper()
	h, err := newHost(n.join(Config{Key: simKey(key)}, ip), nil, new(byteCount))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// light starts a mesh without discovery and gossip, which serves blocks.
func light(t *testing.T, n *simNet, ip string, key int, blocks Blocks) *Mesh {
	t.Helper()
	m := &Mesh{
		cfg: Config{Key: simKey(key), Net: protocol.Net{1, 2, 3}, Blocks: blocks}, log: slog.New(slog.DiscardHandler),
		fetching: make(map[fetching]chan struct{}),
	}
	var err error
	if m.host, err = newHost(n.join(m.cfg, ip), nil, &m.bytes); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.host.Close() })
	if m.dht, err = dht.New(m.host, dht.ProtocolPrefix(m.protocol("")), dht.Mode(dht.ModeClient), dht.DisableValues()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.dht.Close() })
	m.host.SetStreamHandler(m.protocol(blocksProtocol), func(s network.Stream) { m.serveBlocks(t.Context(), s) })
	return m
}

// session opens a market session with a mesh that echoes, and returns it once it is
// served.
func session(ctx context.Context, h host.Host, with *Mesh) (network.Stream, error) {
	s, err := h.NewStream(ctx, with.ID(), with.protocol(marketProtocol))
	if err != nil {
		return nil, err
	}
	return s, ask(s)
}

// ask has a session echo a record.
func ask(s network.Stream) error {
	err := protocol.WriteMessage(s, protocol.TypeIdle, []byte{1})
	if err == nil {
		_, _, err = protocol.ReadMessage(s)
	}
	return err
}

// TestGhosts: peers that say hello and hang up at once, sooner or later, are no peers
// then. A hello may be read when its connection is gone already: such a peer is not
// admitted, as nothing would ever dismiss it.
func TestGhosts(t *testing.T) {
	simulate(t, time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		m := startSim(t, n, simIP(0), Config{Key: simKey(0)})
		for i := range 60 {
			h := bare(t, n, simIP(1+i), 1+i)
			if err := h.Connect(ctx, infoOf(m)); err != nil {
				t.Fatal(err)
			}
			s, err := h.NewStream(ctx, m.ID(), helloProtocol)
			if err == nil {
				_, err = s.Write(m.cfg.Net[:])
			}
			if err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Duration(i) * 100 * time.Microsecond)
			if err := h.Close(); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(time.Minute)
		gone, err := PeerOf(accountOf(1))
		if err != nil {
			t.Fatal(err)
		}
		m.meet(gone, m.cfg.Net)
		if n := len(m.Peers()); n != 0 {
			t.Errorf("%d peers that are not connected count as peers", n)
		}
	})
}

// TestStreamsOfOnePeer: a peer that opens stream after stream gets no more than its
// share of them. Its other protocols, and the other peers, do not suffer. A stream that
// ends makes room for another.
func TestStreamsOfOnePeer(t *testing.T) {
	simulate(t, time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		hub := startSim(t, n, simIP(0), Config{Key: simKey(0)})
		hub.HandleMarket(echo)
		greedy, modest := bare(t, n, simIP(1), 1), bare(t, n, simIP(2), 2)
		for _, h := range []host.Host{greedy, modest} {
			if err := h.Connect(ctx, infoOf(hub)); err != nil {
				t.Fatal(err)
			}
		}
		var served []network.Stream
		for range 3 * streams {
			if s, err := session(ctx, greedy, hub); err == nil {
				served = append(served, s)
			}
		}
		if len(served) != streams {
			t.Errorf("%d sessions of one peer are served, want %d", len(served), streams)
		}
		if _, err := session(ctx, modest, hub); err != nil {
			t.Errorf("another peer: %v", err)
		}
		s, err := greedy.NewStream(ctx, hub.ID(), helloProtocol)
		if err == nil {
			_, err = s.Write(hub.cfg.Net[:])
		}
		if err == nil {
			_, err = io.ReadFull(s, make([]byte, len(hub.cfg.Net)))
		}
		if err != nil {
			t.Errorf("another protocol: %v", err)
		}
		for _, s := range served {
			if err := ask(s); err != nil {
				t.Errorf("a session that was served: %v", err)
			}
		}
		if err := served[0].Close(); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		if _, err := session(ctx, greedy, hub); err != nil {
			t.Errorf("after a session has ended: %v", err)
		}
	})
}

// TestSessionsAreNotTrimmed: when too many peers are connected, those with a market
// session stay, however many they are.
func TestSessionsAreNotTrimmed(t *testing.T) {
	simulate(t, time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		hub := startSim(t, n, simIP(0), Config{Key: simKey(0), limits: &limits{low: 4, high: 8, most: 64, memory: 1 << 30, grace: time.Second}})
		hub.HandleMarket(echo)
		var sessions []network.Stream
		for i := range 12 {
			h := bare(t, n, simIP(1+i), 1+i)
			if err := h.Connect(ctx, infoOf(hub)); err != nil {
				t.Fatal(err)
			}
			s, err := session(ctx, h, hub)
			if err != nil {
				t.Fatal(err)
			}
			sessions = append(sessions, s)
		}
		for i := range 8 {
			if err := bare(t, n, simIP(101+i), 101+i).Connect(ctx, infoOf(hub)); err != nil {
				t.Fatal(err)
			}
		}
		trim := func() (left int) {
			<-time.After(2 * time.Second) // until the grace is over
			hub.host.ConnManager().TrimOpenConns(ctx)
			synctest.Wait()
			return len(hub.host.Network().Peers())
		}
		if left := trim(); left != 12+4 {
			t.Errorf("%d peers are left, want 12 with sessions and 4 idle ones", left)
		}
		for i, s := range sessions {
			if err := ask(s); err != nil {
				t.Fatalf("session %d: %v", i, err)
			}
			if err := s.Close(); err != nil { // a session that has ended no longer protects
				t.Fatal(err)
			}
		}
		if left := trim(); left != 4 {
			t.Errorf("%d peers are left after their sessions ended, want 4", left)
		}
	})
}

// TestLimits: a coordinator of 4 GiB keeps a thousand idle miners without trimming.
func TestLimits(t *testing.T) {
	for memory, least := range map[uint64]int{4 << 30: 1000, 1 << 40: 1500, 1 << 20: 48} {
		l := limitsFor(memory)
		if l.high < least || l.low >= l.high || l.high >= l.most || l.most > maxPeers || l.memory < int64(l.most)*(1<<20) {
			t.Errorf("with %d bytes of memory: %+v, want at least %d peers", memory, l, least)
		}
	}
}

// TestClassroom: thirty nodes behind one public address are heard like others.
func TestClassroom(t *testing.T) {
	simulate(t, time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		text := func(_ peer.ID, data []byte) (string, error) { return string(data), nil }
		hub := startSim(t, n, simIP(0), Config{Key: simKey(0)})
		heard, err := Subscribe(hub, "/topic", text)
		if err != nil {
			t.Fatal(err)
		}
		const pupils = 30
		var class []*pubsub.Topic
		for i := range pupils {
			h := bare(t, n, "203.0.113.5", 1+i)
			g, err := newPubSub(ctx, h, hub.protocol("/meshsub/1"), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			topic, err := g.Join("/topic")
			if err == nil {
				err = h.Connect(ctx, infoOf(hub))
			}
			if err != nil {
				t.Fatal(err)
			}
			class = append(class, topic)
		}
		<-time.After(5 * time.Second) // until all are scored
		for i, topic := range class {
			if err := topic.Publish(ctx, []byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
		}
		got := make(map[string]bool)
		wait, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		for len(got) < pupils {
			s, err := heard.Next(wait)
			if err != nil {
				t.Fatalf("heard %d of %d pupils: %v", len(got), pupils, err)
			}
			got[s] = true
		}
	})
}

// TestThousandMiners: a coordinator keeps the sessions of a thousand miners, and its
// memory and goroutines for them are bounded.
func TestThousandMiners(t *testing.T) {
	miners := 50
	if os.Getenv("ALIA_SOAK") != "" {
		miners = 1000
	}
	simulate(t, 10*time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		hub := startSim(t, n, simIP(0), Config{Key: simKey(0)})
		hub.HandleMarket(echo)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		sessions := make(chan *Session, miners)
		for i := range miners {
			<-time.After(5 * time.Millisecond) // they come within some seconds
			m := light(t, n, simIP(1+i), 1+i, new(block.MemoryStore))
			go func() {
				s, err := m.OpenMarket(ctx, hub.Account(), hub.Addrs())
				if err == nil {
					err = answered(ctx, s)
				}
				if err != nil {
					t.Error(err)
				}
				sessions <- s
			}()
		}
		all := make([]*Session, miners)
		for i := range all {
			if all[i] = <-sessions; all[i] == nil {
				t.FailNow()
			}
		}
		<-time.After(2 * time.Minute) // two rounds of trimming, and keepalives
		for _, s := range all {
			if err := answered(ctx, s); err != nil {
				t.Error(err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		t.Logf("%d sessions, both ends and the links of all: %d goroutines, %d MiB in use", miners, runtime.NumGoroutine(), (after.HeapInuse-before.HeapInuse)>>20)
	})
}

// answered sends a record on a session whose other side is echo.
func answered(ctx context.Context, s *Session) error {
	if err := s.Send(ctx, protocol.TypeIdle, []byte{1}); err != nil {
		return err
	}
	_, _, err := s.Recv(ctx)
	return err
}
