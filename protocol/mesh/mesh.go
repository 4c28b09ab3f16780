// Package mesh is the libp2p host, DHT discovery, gossip topics and block
// exchange; the only room that opens libp2p streams.
//
// A [Mesh] joins one network. From one bootstrap address it finds the rest
// through a Kademlia DHT, keeps connections up, and refuses peers of other
// networks. On the connections it offers four things: gossip ([Mesh.Publish],
// [Mesh.Subscribe]), blocks by CID ([Mesh.Fetch], [Mesh.FetchTree]), market
// sessions ([Mesh.OpenMarket], [Mesh.HandleMarket]) and open offers
// ([Mesh.PullOffers], [Mesh.HandleOffers]).
//
//	m, err := mesh.New(ctx, mesh.Config{Key: key, Net: net, Listen: listen, Bootstrap: bootstrap, Blocks: store})
//	defer m.Close()
//	sub, err := m.Subscribe(protocol.RunTopic(net), check)
//	data, err := sub.Next(ctx)
//	...
//	s, err := m.OpenMarket(ctx, offer.Account, offer.Addrs)
//	err = m.Fetch(ctx, ticket.Hints, inputs...)
//
// The names of its protocols hold the network's name, so that libp2p itself
// keeps networks apart.
package mesh

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/ipfs/go-cid"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2pprotocol "github.com/libp2p/go-libp2p/core/protocol"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Blocks is what the mesh serves from and fetches into.
type Blocks interface {
	block.Blocks
	Has(c cid.Cid) bool
}

// Config says which network to join and how.
type Config struct {
	Key       ed25519.PrivateKey // the node's account, which is its libp2p identity
	Net       protocol.Net
	Listen    []string // multiaddrs, such as /ip4/127.0.0.1/tcp/0; none: only dial
	Bootstrap []string // multiaddrs ending in /p2p/ID of peers to dial first, for ever
	Blocks    Blocks
	PeersFile string       // where peers met are kept between runs; empty: nowhere
	MDNS      bool         // look for peers on the local network too
	Log       *slog.Logger // nil: none
}

// Mesh is a running libp2p host. Its methods are safe for concurrent use.
type Mesh struct {
	cfg       Config
	log       *slog.Logger
	host      host.Host
	dht       *dht.IpfsDHT
	pubsub    *pubsub.PubSub
	traffic   metrics.Reporter
	counters  counters
	prober    prober
	bootstrap []peer.AddrInfo

	ctx     context.Context // ends with Close; goroutines of wg watch it
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	changed chan struct{} // a peer came or went; wakes the discovery loop

	mu       sync.Mutex // guards what follows
	closed   bool
	admitted map[peer.ID]struct{} // peers of this network, now connected
	foreign  map[peer.ID]struct{} // peers that turned out to be of another network
	onPeer   []func(context.Context, peer.ID)
	topics   map[string]*pubsub.Topic
	provided map[cid.Cid]struct{}
	fetching map[cid.Cid]chan struct{} // blocks on their way; closed when they are here, or are not to be had
	market   func(context.Context, *Session)
	offers   func(cursor uint64) protocol.OfferPage
}

// New starts a host and begins to look for peers. It returns before any is
// found. The host lives until Close; ctx bounds the start only.
func New(ctx context.Context, cfg Config) (*Mesh, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	bootstrap, err := parseAddrs(cfg.Bootstrap)
	if err != nil {
		return nil, fmt.Errorf("start mesh: bootstrap: %w", err)
	}
	m := &Mesh{
		cfg:       cfg,
		log:       cfg.Log,
		bootstrap: bootstrap,
		traffic:   metrics.NewBandwidthCounter(),
		changed:   make(chan struct{}, 1),
		admitted:  make(map[peer.ID]struct{}),
		foreign:   make(map[peer.ID]struct{}),
		topics:    make(map[string]*pubsub.Topic),
		provided:  make(map[cid.Cid]struct{}),
		fetching:  make(map[cid.Cid]chan struct{}),
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	// The host outlives the call that starts it, so its context is its own.
	m.ctx, m.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := m.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start mesh: %w", err), m.Close())
	}
	return m, nil
}

// start opens the host and everything on it, in the order in which they lean on
// one another. Close undoes as much of it as was done.
func (m *Mesh) start() error {
	var err error
	if m.host, err = newHost(m.cfg, m.traffic, helloProtocol,
		m.protocol(blocksProtocol), m.protocol(marketProtocol), m.protocol(offersProtocol), m.protocol(probeProtocol)); err != nil {
		return err
	}
	if m.dht, err = dht.New(m.host,
		dht.ProtocolPrefix(m.protocol("")),
		dht.Mode(dht.ModeServer),
		dht.DisableValues(), // provider records are all we use
	); err != nil {
		return err
	}
	if m.pubsub, err = newPubSub(m.ctx, m.host, m.protocol("/meshsub/1")); err != nil {
		return err
	}
	m.handle(helloProtocol, m.serveHello)
	m.handle(m.protocol(blocksProtocol), m.serveBlocks)
	m.handle(m.protocol(marketProtocol), m.serveMarket)
	m.handle(m.protocol(offersProtocol), m.serveOffers)
	m.handle(m.protocol(probeProtocol), m.serveProbe)
	m.watch()
	if m.cfg.MDNS {
		if err := m.startMDNS(); err != nil {
			return err
		}
	}
	m.spawn(m.discover)
	return nil
}

// spawn runs f in a goroutine that Close waits for. After Close it does nothing.
func (m *Mesh) spawn(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.wg.Go(f)
	}
}

// handle lets f have the streams that peers open under a name. f returns when
// its stream fails, which it does when the host closes.
func (m *Mesh) handle(name libp2pprotocol.ID, f func(network.Stream)) {
	m.host.SetStreamHandler(name, func(s network.Stream) {
		m.mu.Lock()
		if m.closed {
			m.mu.Unlock()
			_ = s.Reset()
			return
		}
		m.wg.Add(1)
		m.mu.Unlock()
		defer m.wg.Done()
		f(s)
	})
}

// Close leaves the network: it ends every session and waits for the handlers
// that HandleMarket and OnPeer started.
func (m *Mesh) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	m.mu.Unlock()
	var errs []error
	if m.host != nil && m.cfg.PeersFile != "" {
		errs = append(errs, m.savePeers())
	}
	m.cancel()
	if m.dht != nil {
		errs = append(errs, m.dht.Close())
	}
	if m.host != nil {
		errs = append(errs, m.host.Close())
	}
	m.wg.Wait()
	return errors.Join(errs...)
}

// protocol returns a libp2p protocol name of this network.
func (m *Mesh) protocol(name string) libp2pprotocol.ID {
	return libp2pprotocol.ID("/alia/" + m.cfg.Net.Short() + name)
}

// ID returns the host's libp2p name.
func (m *Mesh) ID() peer.ID { return m.host.ID() }

// Account returns the node's account.
func (m *Mesh) Account() protocol.Account { return protocol.AccountOf(m.cfg.Key) }

// Addrs returns the addresses under which the host can be dialled, each ending
// in /p2p/ID: what bootstrap lists, offers and hints hold.
func (m *Mesh) Addrs() []string {
	return fullAddrs(peer.AddrInfo{ID: m.host.ID(), Addrs: m.host.Addrs()})
}

// Peer is a connected peer of this network.
type Peer struct {
	ID      peer.ID
	Account protocol.Account
	Addrs   []string // each ending in /p2p/ID
}

// Peers returns the connected peers of this network, sorted by ID.
func (m *Mesh) Peers() []Peer {
	m.mu.Lock()
	ids := make([]peer.ID, 0, len(m.admitted))
	for id := range m.admitted { // order-free: sorted below
		ids = append(ids, id)
	}
	m.mu.Unlock()
	slices.Sort(ids)
	peers := make([]Peer, 0, len(ids))
	for _, id := range ids {
		account, err := AccountOf(id)
		if err != nil {
			continue // not an Ed25519 key, so it can sign nothing here
		}
		peers = append(peers, Peer{ID: id, Account: account, Addrs: fullAddrs(m.host.Peerstore().PeerInfo(id))})
	}
	return peers
}

// AccountOf returns the account whose libp2p name is id.
func AccountOf(id peer.ID) (protocol.Account, error) {
	key, err := id.ExtractPublicKey()
	if err != nil {
		return protocol.Account{}, fmt.Errorf("account of peer %s: %w", id, err)
	}
	raw, err := key.Raw()
	if err != nil || key.Type() != crypto.Ed25519 {
		return protocol.Account{}, fmt.Errorf("account of peer %s: its key is not Ed25519", id)
	}
	return protocol.Account(raw), nil
}

// PeerOf returns the libp2p name of an account.
func PeerOf(a protocol.Account) (peer.ID, error) {
	key, err := crypto.UnmarshalEd25519PublicKey(a[:])
	if err != nil {
		return "", fmt.Errorf("peer of account %s: %w", a, err)
	}
	return peer.IDFromPublicKey(key)
}

// parseAddrs reads multiaddrs that end in /p2p/ID; those of one peer are joined.
func parseAddrs(addrs []string) ([]peer.AddrInfo, error) {
	var infos []peer.AddrInfo
	for _, a := range addrs {
		info, err := peer.AddrInfoFromString(strings.TrimSpace(a))
		if err != nil {
			return nil, fmt.Errorf("address %q (want the form /ip4/1.2.3.4/tcp/4001/p2p/ID): %w", a, err)
		}
		i := slices.IndexFunc(infos, func(o peer.AddrInfo) bool { return o.ID == info.ID })
		if i < 0 {
			infos = append(infos, *info)
		} else {
			infos[i].Addrs = append(infos[i].Addrs, info.Addrs...)
		}
	}
	return infos, nil
}

// fullAddrs returns the peer's addresses as text, each ending in /p2p/ID.
func fullAddrs(info peer.AddrInfo) []string {
	addrs := make([]string, 0, len(info.Addrs))
	for _, a := range info.Addrs {
		addrs = append(addrs, a.String()+"/p2p/"+info.ID.String())
	}
	return addrs
}
