package mesh

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// TestFoundAgainAfterAnOutage: B and C met through A, which is gone for good. When
// the link of B is cut for a moment, or for an hour, B and C find each other again.
func TestFoundAgainAfterAnOutage(t *testing.T) {
	for _, outage := range []time.Duration{0, time.Hour} {
		simulate(t, 10*time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
			a := startSim(t, n, simIP(0), Config{Key: simKey(0)})
			b := startSim(t, n, simIP(1), Config{Key: simKey(1), Bootstrap: a.Addrs()})
			c := startSim(t, n, simIP(2), Config{Key: simKey(2), Bootstrap: a.Addrs()})
			<-time.After(10 * time.Second)
			if len(b.Peers()) != 2 || len(c.Peers()) != 2 {
				t.Fatalf("B has %d peers, C has %d: want 2", len(b.Peers()), len(c.Peers()))
			}
			n.cut(simIP(0), true)
			n.cut(simIP(1), outage > 0)
			<-time.After(outage)
			if outage > 0 && len(b.Peers()) != 0 {
				t.Fatal("B has a peer, though its link is down")
			}
			n.cut(simIP(1), false)
			<-time.After(20 * time.Second)
			if len(b.Peers()) != 1 || len(c.Peers()) != 1 {
				t.Errorf("20 s after an outage of %v B has %d peers, C has %d: want 1", outage, len(b.Peers()), len(c.Peers()))
			}
		})
	}
}

// TestDeadPeersDoNotDelay: a node whose file has 63 dead peers and then a live one is
// connected in a moment.
func TestDeadPeersDoNotDelay(t *testing.T) {
	simulate(t, 10*time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		a := startSim(t, n, simIP(0), Config{Key: simKey(0)})
		file := filepath.Join(t.TempDir(), "peers")
		var lines []string
		for i := range keptPeers - 1 {
			ip := simIP(1 + i)
			n.cut(ip, true) // packets to it are lost: a dial takes all its time
			id, err := PeerOf(accountOf(1 + i))
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, fmt.Sprintf("/ip4/%s/tcp/4001/p2p/%s", ip, id))
		}
		lines = append(lines, a.Addrs()...)
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
		m := startSim(t, n, "203.0.113.1", Config{Key: simKey(1000), PeersFile: file})
		<-time.After(time.Second)
		if len(m.Peers()) != 1 {
			t.Error("the live peer is not found in a second")
		}
		// The dead ones are dialled, but less and less often.
		<-time.After(10 * time.Minute)
		before := n.dialled()
		<-time.After(10 * time.Minute)
		if dials := n.dialled() - before; dials > 12*keptPeers {
			t.Errorf("%d dials of %d dead peers in ten minutes", dials, keptPeers)
		}
	})
}

// TestHangingUp: a peer that takes each connection and closes it is not dialled
// again at once, for ever.
func TestHangingUp(t *testing.T) {
	simulate(t, time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		rude := bare(t, n, simIP(0), 0) // it knows no hello
		m := startSim(t, n, simIP(1), Config{Key: simKey(1), Bootstrap: fullAddrs(infoOfHost(rude))})
		for range 60 {
			<-time.After(time.Second)
			_ = rude.Network().ClosePeer(m.ID())
		}
		<-time.After(time.Minute)
		if dials := n.dialled(); dials > 20 {
			t.Errorf("%d dials in two minutes", dials)
		}
	})
}

// TestContactsAreBounded: however many peers are heard of, the book keeps those that
// were connected, and the bootstrap peers.
func TestContactsAreBounded(t *testing.T) {
	var c contacts
	now := time.Unix(1e9, 0)
	info := func(i int) peer.AddrInfo {
		id, err := PeerOf(accountOf(i))
		if err != nil {
			t.Fatal(err)
		}
		return peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{ma.StringCast("/ip4/" + simIP(i) + "/tcp/1")}}
	}
	c.add(info(0), time.Time{}, true)
	c.connectedTo(now, []peer.AddrInfo{info(1), info(2)})
	c.connectedTo(now, []peer.AddrInfo{info(1)})
	for i := range 5 * maxContacts {
		c.add(info(3+i), time.Time{}, false)
	}
	if len(c.book) != maxContacts {
		t.Errorf("%d contacts, want %d", len(c.book), maxContacts)
	}
	for i := range 3 {
		if c.book[info(i).ID] == nil {
			t.Errorf("contact %d is forgotten", i)
		}
	}
	all := func(peer.ID) bool { return true }
	due := c.due(now.Add(time.Second), 2, all)
	if len(due) != 2 || due[0].ID != info(0).ID || due[1].ID != info(2).ID {
		t.Errorf("dialled first: %v, want the bootstrap peer and the one connected last", due)
	}
}

// TestAddressesAreChosen: public first, at most eight, none twice, and those of
// virtual networks after the real one.
func TestAddressesAreChosen(t *testing.T) {
	list := []string{
		"/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1", "/ip6/fe80::1/tcp/1", "/ip4/172.17.0.1/tcp/1", "/ip4/192.168.1.7/tcp/1",
		"/ip4/198.51.100.1/tcp/1", "/dns4/node.example.org/tcp/1", "/ip4/0.0.0.0/tcp/1", "/ip4/8.8.8.8/tcp/1",
	}
	for i := range 17 { // of Docker
		list = append(list, fmt.Sprintf("/ip4/172.18.%d.1/tcp/1", i))
	}
	list = append(list, list...)
	var addrs []ma.Multiaddr
	for _, i := range rand.Perm(len(list)) {
		addrs = append(addrs, ma.StringCast(list[i]))
	}
	got := chosen(addrs, net.IPv4(192, 168, 1, 7))
	if len(got) != maxAddrs {
		t.Fatalf("%d addresses: %v", len(got), got)
	}
	var text []string
	for _, a := range got {
		text = append(text, a.String())
	}
	public := strings.Join(text[:2], " ")
	if !strings.Contains(public, "/dns4/node.example.org") || !strings.Contains(public, "/ip4/8.8.8.8/") || text[2] != "/ip4/192.168.1.7/tcp/1" {
		t.Errorf("chosen %v", text)
	}
	for i, a := range text {
		if strings.Contains(strings.Join(text[i+1:], " "), a) || strings.Contains(a, "fe80") || strings.Contains(a, "0.0.0.0") {
			t.Errorf("chosen %v", text)
		}
	}
}

// TestAnnouncedAddress: behind a router a node is known by the address that its
// owner gives.
func TestAnnouncedAddress(t *testing.T) {
	simulate(t, time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		m := startSim(t, n, "192.168.1.7", Config{Key: simKey(0), Announce: []string{"/dns4/node.example.org/tcp/4001"}})
		synctest.Wait()
		if got := m.Addrs(); len(got) != 2 || !strings.HasPrefix(got[0], "/dns4/node.example.org/tcp/4001/p2p/") {
			t.Errorf("known as %v", got)
		}
	})
}

// TestWhoServesTheDHT: a node that nobody can dial stops answering for the DHT, so that
// lookups do not wait for it; a public one goes on. Each finds what the other has, and
// in a network where nobody has a public address all answer.
func TestWhoServesTheDHT(t *testing.T) {
	serves := func(m *Mesh) bool { return slices.Contains(m.host.Mux().Protocols(), m.protocol("/kad/1.0.0")) }
	simulate(t, 10*time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		n.inner["9.9.9.9"], n.inner["1.1.1.1"], n.inner["8.8.4.4"] = true, true, true
		hub := startSim(t, n, "8.8.8.8", Config{Key: simKey(0)})
		inner := startSim(t, n, "9.9.9.9", Config{Key: simKey(1), Bootstrap: hub.Addrs()})
		startSim(t, n, "1.1.1.1", Config{Key: simKey(2), Bootstrap: hub.Addrs()})
		forwarded := startSim(t, n, "8.8.4.4", Config{Key: simKey(3), Bootstrap: hub.Addrs(), Announce: []string{"/ip4/8.8.4.5/tcp/4001"}})
		<-time.After(5 * time.Minute)
		if !serves(hub) || serves(inner) || !serves(forwarded) {
			t.Errorf("the public node serves: %v; the one behind a router: %v; the one that is announced: %v", serves(hub), serves(inner), serves(forwarded))
		}
		if err := forwarded.Close(); err != nil {
			t.Fatal(err)
		}
		for from, to := range map[*Mesh]*Mesh{hub: inner, inner: hub} { // order-free: neither needs the other
			hub.dht.RoutingTable().RemovePeer(forwarded.ID()) // so that no other node serves
			c, err := from.cfg.Blocks.Put(ctx, block.Raw, []byte(from.ID()))
			if err != nil {
				t.Fatal(err)
			}
			from.Provide(c)
			<-time.After(time.Minute)
			if err := to.Fetch(ctx, nil, c); err != nil {
				t.Error(err)
			}
		}
	})
	simulate(t, 10*time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		n.inner["192.168.1.8"] = true // by a firewall
		a := startSim(t, n, "192.168.1.7", Config{Key: simKey(0)})
		b := startSim(t, n, "192.168.1.8", Config{Key: simKey(1), Bootstrap: a.Addrs()})
		<-time.After(5 * time.Minute)
		if !serves(a) || !serves(b) {
			t.Error("in a local network a node does not serve")
		}
	})
}

// TestProvideThatFails: a root whose announcement fails, as the line of the only other
// node is stopped up, is said to be so once, is announced again, and is found.
func TestProvideThatFails(t *testing.T) {
	simulate(t, 10*time.Millisecond, func(t *testing.T, ctx context.Context, n *simNet) {
		var log safeBuilder
		hub := startSim(t, n, simIP(0), Config{Key: simKey(0)})
		m := startSim(t, n, simIP(1), Config{Key: simKey(1), Bootstrap: hub.Addrs(), Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		<-time.After(10 * time.Second)
		c, err := m.cfg.Blocks.Put(ctx, block.Raw, []byte("root"))
		if err != nil {
			t.Fatal(err)
		}
		n.line(simIP(0), 2, 2)
		m.Provide(c)
		<-time.After(45 * time.Second)
		if said := strings.Count(log.String(), "not announced"); said != 1 || !strings.Contains(log.String(), c.String()) {
			t.Errorf("said %d times: %s", said, log.String())
		}
		n.line(simIP(0), 0, 0)
		<-time.After(time.Minute)
		if !strings.Contains(log.String(), "announced cid="+c.String()) {
			t.Errorf("the root is not announced again: %s", log.String())
		}
		late := startSim(t, n, simIP(2), Config{Key: simKey(2), Bootstrap: hub.Addrs()})
		<-time.After(10 * time.Second)
		if err := late.Fetch(ctx, nil, c); err != nil {
			t.Error(err)
		}
	})
}

// safeBuilder is a strings.Builder for several goroutines.
type safeBuilder struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *safeBuilder) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuilder) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestMachineWithOneFamily: a node that listens at every address starts on a machine
// that has IPv4 only, or IPv6 only, and says nothing about the other. A machine that
// has neither is an error.
func TestMachineWithOneFamily(t *testing.T) {
	for _, has := range []string{"ip4", "ip6", "no ip"} {
		var log strings.Builder
		cfg := Config{
			Key: simKey(0), Net: protocol.Net{1}, Blocks: new(block.MemoryStore), Listen: EveryAddress(), Log: slog.New(slog.NewTextHandler(&log, nil)),
			transport: func(u transport.Upgrader, r network.ResourceManager) (*oneFamily, error) {
				tcp, err := tcp.NewTCPTransport(u, r, nil)
				return &oneFamily{tcp, has}, err
			},
		}
		m, err := New(t.Context(), cfg)
		if has == "no ip" {
			if err == nil || !strings.Contains(err.Error(), "neither IPv4 nor IPv6") {
				t.Errorf("with no address: %v", err)
			}
			continue
		}
		if err != nil {
			t.Errorf("with %s: %v", has, err)
			continue
		}
		if at := m.host.Network().ListenAddresses(); len(at) != 1 || !strings.HasPrefix(at[0].String(), "/"+has+"/") {
			t.Errorf("with %s it listens at %v", has, at)
		}
		if err := m.Close(); err != nil || log.Len() > 0 {
			t.Errorf("with %s: %v, %s", has, err, &log)
		}
	}
}

// oneFamily is TCP of a machine that has one family of addresses.
type oneFamily struct {
	*tcp.TcpTransport
	has string
}

func (f *oneFamily) Listen(a ma.Multiaddr) (transport.Listener, error) {
	if !strings.HasPrefix(a.String(), "/"+f.has+"/") {
		return nil, &net.OpError{Op: "listen", Err: os.NewSyscallError("socket", syscall.EAFNOSUPPORT)}
	}
	return f.TcpTransport.Listen(a)
}
