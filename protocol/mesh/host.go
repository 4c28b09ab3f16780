package mesh

import (
	"fmt"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/metrics"
	libp2pprotocol "github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

// The host's limits.
const (
	lowPeers    = 64      // connections are trimmed down to this number,
	highPeers   = 256     // when there are more than this number
	connsPerIP  = 64      // libp2p's default of 8 would refuse a LAN behind one address
	streams     = 64      // of one protocol with one peer, each way
	maxInFlight = 8 << 20 // bytes that one peer may send before they are read
)

// newHost opens the libp2p host, with TCP, Noise and yamux only. TCP moves
// blocks several times faster than QUIC on a fast link. A peer may open at most
// [streams] streams of each of the protocols in ours.
func newHost(cfg Config, traffic metrics.Reporter, ours ...libp2pprotocol.ID) (host.Host, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	conns, err := connmgr.NewConnManager(lowPeers, highPeers)
	if err != nil {
		return nil, err
	}
	limits := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&limits)
	for _, p := range ours {
		limits.AddProtocolPeerLimit(p, rcmgr.BaseLimit{
			Streams: 2 * streams, StreamsInbound: streams, StreamsOutbound: streams,
			Memory: streams * maxInFlight,
		}, rcmgr.BaseLimitIncrease{})
	}
	resources, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.AutoScale()),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: connsPerIP}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: connsPerIP}}),
		rcmgr.WithMetricsDisabled())
	if err != nil {
		return nil, err
	}
	// A stream's receive window bounds the bytes that a peer may send before they
	// are read.
	muxer := *yamux.DefaultTransport
	muxer.MaxStreamWindowSize = maxInFlight
	listen := libp2p.NoListenAddrs
	if len(cfg.Listen) > 0 {
		listen = libp2p.ListenAddrStrings(cfg.Listen...)
	}
	h, err := libp2p.New(
		libp2p.Identity(key),
		listen,
		// Without DisableReuseport two processes could listen on one port without
		// an error.
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, &muxer),
		libp2p.ConnectionManager(conns),
		libp2p.ResourceManager(resources),
		libp2p.BandwidthReporter(traffic),
		libp2p.UserAgent("alia"),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
	)
	if err != nil {
		return nil, listenError(cfg.Listen, err)
	}
	return h, nil
}
