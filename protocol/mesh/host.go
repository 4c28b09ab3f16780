package mesh

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/network"
	libp2pprotocol "github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/pbnjay/memory"
)

// The host's limits. A coordinator has a thousand miners and their neighbours.
const (
	maxPeers     = 2048       // connections in all, where the memory allows
	peerMemory   = 1536 << 10 // bytes of memory for each connection: six streams with the least window
	connsPerIP   = 64         // a school or an office behind one address
	connsOfPeer  = 8
	streams      = 16          // of one protocol with one peer, each way
	maxInFlight  = 8 << 20     // bytes of one stream that a peer may send before they are read
	writeTimeout = time.Minute // of one yamux frame, and of a ping
	trimGrace    = time.Minute // a connection is not trimmed before this time
)

// limits bounds a host's connections. When there are more than high, those
// without a market session are trimmed down to low. No more than most are open.
type limits struct {
	low, high, most int
	memory          int64 // bytes, of all connections
	grace           time.Duration
}

// limitsFor are the limits for a machine with the given bytes of memory, half of
// which connections may take.
func limitsFor(memory uint64) limits {
	most := int(min(maxPeers, max(memory/2/peerMemory, connsPerIP)))
	return limits{low: most * 5 / 8, high: most * 3 / 4, most: most, memory: int64(most) * peerMemory, grace: trimGrace}
}

// resources is the table of libp2p's resource manager. Of each of the protocols
// in ours a peer may open at most [streams] streams.
func (l limits) resources(ours []libp2pprotocol.ID) (network.ResourceManager, error) {
	all := func(n int) rcmgr.ResourceLimits { // streams of n connections
		n *= streams
		return rcmgr.ResourceLimits{
			Streams: rcmgr.LimitVal(2 * n), StreamsInbound: rcmgr.LimitVal(n), StreamsOutbound: rcmgr.LimitVal(n),
			Memory: rcmgr.LimitVal64(l.memory),
		}
	}
	ofConns := func(n int, memory int64) rcmgr.ResourceLimits {
		r := all(n)
		r.Conns, r.ConnsInbound, r.ConnsOutbound = rcmgr.LimitVal(n), rcmgr.LimitVal(n), rcmgr.LimitVal(n)
		r.Memory = rcmgr.LimitVal64(memory)
		return r
	}
	table := rcmgr.PartialLimitConfig{
		System:          ofConns(l.most, l.memory),
		Transient:       ofConns(l.most/2, l.memory/2), // connections before they are secure
		PeerDefault:     ofConns(connsOfPeer, streams*maxInFlight),
		ServiceDefault:  all(l.most),
		ProtocolDefault: all(l.most),
		ProtocolPeer:    make(map[libp2pprotocol.ID]rcmgr.ResourceLimits),
	}
	for _, p := range ours {
		table.ProtocolPeer[p] = all(1)
	}
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(table.Build(rcmgr.DefaultLimits.AutoScale())),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: connsPerIP}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: connsPerIP}}),
		rcmgr.WithConnRateLimiters(&rate.Limiter{
			NetworkPrefixLimits: []rate.PrefixLimit{ // no limit on this machine
				{Prefix: netip.MustParsePrefix("127.0.0.0/8")}, {Prefix: netip.MustParsePrefix("::1/128")},
			},
			SubnetRateLimiter: rate.SubnetLimiter{
				IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: newConns}},
				IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: newConns}},
				GracePeriod:      time.Minute,
			},
		}),
		rcmgr.WithMetricsDisabled())
}

// newConns is how fast connections of one address may be opened: all of them at
// once, as when a coordinator starts again, and then four a second. libp2p's default
// is 16, and then one in five seconds.
var newConns = rate.Limit{RPS: 4, Burst: 2 * connsPerIP}

// agent begins the name of the program that libp2p's identify tells a peer. The
// specification of the node's arithmetic follows.
const agent = "alia "

// newHost opens the libp2p host, with TCP, Noise and yamux only. TCP moves
// blocks several times faster than QUIC on a fast link. The protocols in ours have
// limits of their own. Others are told the public addresses, and those at which the
// host listens.
//
// Hosts dial one another back over AutoNAT. One that finds out that nobody can dial it
// asks the DHT, but no longer answers for it: lookups would wait for it in vain. AutoNAT
// dials public addresses only, so that in a local network every host answers. A host
// whose owner announces an address is believed to be reachable.
func newHost(cfg Config, public []ma.Multiaddr, traffic metrics.Reporter, ours ...libp2pprotocol.ID) (host.Host, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	addrs, err := parseAll(cfg.Listen, parseListen)
	if err != nil {
		return nil, fmt.Errorf("listen %w", err)
	}
	l := cfg.limits
	if l == nil {
		machine := limitsFor(memory.TotalMemory())
		l = &machine
	}
	conns, err := connmgr.NewConnManager(l.low, l.high, connmgr.WithGracePeriod(l.grace))
	if err != nil {
		return nil, err
	}
	resources, err := l.resources(ours)
	if err != nil {
		return nil, err
	}
	// A stream's receive window bounds the bytes that a peer may send before they
	// are read.
	muxer := *yamux.DefaultTransport
	muxer.MaxStreamWindowSize = maxInFlight
	// On a slow line a frame of a block takes long, and a ping waits behind it. With
	// libp2p's 10 s the connection would be closed, with all sessions on it.
	muxer.ConnectionWriteTimeout = writeTimeout
	// Without DisableReuseport two processes could listen on one port without an
	// error.
	transport := libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport())
	if cfg.transport != nil {
		transport = libp2p.Transport(cfg.transport)
	}
	reachable := func(*libp2p.Config) error { return nil } // by AutoNAT
	if len(public) > 0 {
		reachable = libp2p.ForceReachabilityPublic()
	}
	h, err := libp2p.New(
		libp2p.Identity(key),
		libp2p.NoListenAddrs, // see listen
		libp2p.AddrsFactory(func(addrs []ma.Multiaddr) []ma.Multiaddr {
			return ownAddrs(public, addrs)
		}),
		transport,
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, &muxer),
		libp2p.ConnectionManager(conns),
		libp2p.ResourceManager(resources),
		libp2p.BandwidthReporter(traffic),
		libp2p.UserAgent(agent+cfg.Numerics),
		libp2p.DisableRelay(),
		libp2p.EnableNATService(),
		reachable,
		libp2p.DisableMetrics(),
	)
	if err != nil {
		return nil, fmt.Errorf("start libp2p: %w", err)
	}
	if err := listen(h, addrs); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// EveryAddress are the multiaddrs to listen at for a node that any other may dial:
// every address of the machine, IPv4 and IPv6, at a free port.
func EveryAddress() []string { return []string{"/ip4/0.0.0.0/tcp/0", "/ip6/::/tcp/0"} }

// listen has the host listen at all of the addresses. Those that stand for every
// address of a family, IPv4 or IPv6, are passed over on a machine that has only the
// other. libp2p by itself is content when one of the addresses works.
func listen(h host.Host, addrs []ma.Multiaddr) error {
	s, ok := h.Network().(*swarm.Swarm)
	if !ok {
		return fmt.Errorf("listen: the host's network is a %T", h.Network())
	}
	for _, a := range addrs {
		switch err := s.AddListenAddr(a); {
		case err == nil:
		case len(addrs) > 1 && manet.IsIPUnspecified(a) && (errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL)):
		case errors.Is(err, syscall.EADDRINUSE):
			return fmt.Errorf("listen at %s: another process uses the port: end that process or choose another port", a)
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			return fmt.Errorf("listen at %s: this machine has no such address: listen at /ip4/0.0.0.0/tcp/PORT, and announce this one", a)
		default:
			return fmt.Errorf("listen at %s: %w", a, err)
		}
	}
	if len(addrs) > 0 && len(s.ListenAddresses()) == 0 {
		return errors.New("listen: this machine has neither IPv4 nor IPv6")
	}
	return nil
}
