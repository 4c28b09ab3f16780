// Package mesh connects a node to the peers of one network, over libp2p. No
// other package opens libp2p streams.
//
// A [Mesh] joins one network. From one bootstrap address it finds the other
// peers through a Kademlia DHT, keeps connections open, and refuses peers of
// other networks. Connected peers exchange gossip ([Mesh.Publish], [Subscribe]),
// blocks by CID ([Mesh.Fetch], [Mesh.FetchTree]), market sessions
// ([Mesh.OpenMarket], [Mesh.HandleMarket]) and open offers ([Mesh.PullOffers],
// [Mesh.HandleOffers]).
//
//	m, err := mesh.New(ctx, mesh.Config{Key: key, Net: net, Listen: listen, Bootstrap: bootstrap, Blocks: store})
//	defer m.Close()
//	sub, err := mesh.Subscribe(m, protocol.RunTopic(net), parseOffer)
//	offer, err := sub.Next(ctx)
//	...
//	s, err := m.OpenMarket(ctx, offer.Account, offer.Addrs)
//	err = m.Fetch(ctx, ticket.Hints, inputs...)
//
// The names of the libp2p protocols contain the network's name, so that peers of
// different networks have no protocol in common but the hello.
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
	"time"

	"github.com/ipfs/go-cid"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2pprotocol "github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Blocks is the store that the mesh serves from and fetches into.
type Blocks interface {
	block.Blocks
	Has(c cid.Cid) bool
	// PutNamed stores the bytes that c names. Of other bytes it stores nothing, and
	// returns an error that wraps [block.ErrMismatch]. It keeps a copy of data.
	PutNamed(ctx context.Context, c cid.Cid, data []byte) error
}

// Config says which network to join and how.
type Config struct {
	Key       ed25519.PrivateKey // the node's account, which is its libp2p identity
	Net       protocol.Net
	Listen    []string // multiaddrs, such as /ip4/127.0.0.1/tcp/0; none: only dial. See [EveryAddress]
	Announce  []string // multiaddrs at which others reach this node, where they differ from Listen
	Bootstrap []string // multiaddrs ending in /p2p/ID of peers to dial first, again and again
	Numerics  string   // specification of this node's arithmetic, which peers are told: see [Session]
	Blocks    Blocks
	// Serve says whether a peer may read a block. A peer that may not gets the same answer
	// as for a block that is not here. nil lets every peer read every block.
	Serve     func(by peer.ID, c cid.Cid) bool
	PeersFile string       // where known peers are kept between runs; empty: nowhere
	Log       *slog.Logger // nil: none

	limits    *limits // nil: those of this machine; tests have smaller ones
	transport any     // makes a libp2p transport in place of TCP; tests have simulated links
}

// Mesh is a running libp2p host. Its methods are safe for concurrent use.
type Mesh struct {
	cfg       Config
	log       *slog.Logger
	host      host.Host
	dht       *dht.IpfsDHT
	pubsub    *pubsub.PubSub
	bytes     byteCount
	counters  counters
	prober    prober
	uploads   uploads
	buffers   sync.Pool // of *[]byte, which blocks are read into
	bootstrap []peer.AddrInfo
	public    []ma.Multiaddr // that the owner announces

	cancel      context.CancelFunc         // ends the goroutines of wg
	done        <-chan struct{}            // closed by cancel
	tasks       chan func(context.Context) // functions for run to start
	wg          sync.WaitGroup
	contacts    contacts
	records     *records
	changed     chan struct{} // a peer came or went; wakes discover
	unannounced chan struct{} // so, or a root is to be announced; wakes announce

	mu       sync.Mutex // guards the fields below
	closed   bool
	admitted map[peer.ID]struct{} // peers of this network, now connected
	foreign  map[peer.ID]struct{} // peers that turned out to be of another network
	onPeer   []func(context.Context, peer.ID)
	topics   map[string]*pubsub.Topic
	provided map[cid.Cid]struct{}
	fetching map[fetching]chan struct{} // closed when the fetch ends
	market   func(context.Context, *Session)
	sessions uint64 // market sessions so far, which number their protection from trimming
	offers   func(cursor uint64) protocol.OfferPage
	models   func(source, target string) []protocol.HeldModel
}

// New starts a host and begins to look for peers. It returns before a peer is
// found. The host runs until Close; ctx bounds the start only.
func New(ctx context.Context, cfg Config) (*Mesh, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	bootstrap, err := parseAddrs(cfg.Bootstrap)
	if err != nil {
		return nil, fmt.Errorf("start mesh: bootstrap: %w", err)
	}
	public, err := parseAll(cfg.Announce, parseAnnounce)
	if err != nil {
		return nil, fmt.Errorf("start mesh: announced %w", err)
	}
	m := &Mesh{
		cfg:         cfg,
		log:         cfg.Log,
		bootstrap:   bootstrap,
		public:      public,
		tasks:       make(chan func(context.Context)),
		changed:     make(chan struct{}, 1),
		unannounced: make(chan struct{}, 1),
		admitted:    make(map[peer.ID]struct{}),
		foreign:     make(map[peer.ID]struct{}),
		topics:      make(map[string]*pubsub.Topic),
		provided:    make(map[cid.Cid]struct{}),
		records:     newRecords(),
		fetching:    make(map[fetching]chan struct{}),
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	libraryLog(m.log)
	// The host outlives the call of New, so its context does not end with ctx.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m.cancel, m.done = cancel, running.Done()
	if err := m.start(running); err != nil {
		_ = m.Close() // the start failed, its error says why
		return nil, fmt.Errorf("start mesh: %w", err)
	}
	return m, nil
}

// start opens the host and the services on it. Close undoes the part that was
// done. Goroutines of the mesh end with ctx.
func (m *Mesh) start(ctx context.Context) error {
	var err error
	if m.host, err = newHost(m.cfg, m.public, &m.bytes, helloProtocol,
		m.protocol(blocksProtocol), m.protocol(marketProtocol), m.protocol(offersProtocol), m.protocol(modelsProtocol), m.protocol(probeProtocol)); err != nil {
		return err
	}
	if m.dht, err = dht.New(m.host,
		dht.ProtocolPrefix(m.protocol("")),
		dht.Mode(dht.ModeAutoServer), // until others find out that they cannot dial this node: see newHost
		dht.DisableValues(),          // only provider records are used
		dht.ProviderDatastore(m.records),
	); err != nil {
		return err
	}
	if m.pubsub, err = newPubSub(ctx, m.host, m.protocol("/meshsub/1"), m.log); err != nil {
		return err
	}
	m.wg.Go(func() { m.run(ctx) })
	m.handle(ctx, helloProtocol, m.serveHello)
	m.handle(ctx, m.protocol(blocksProtocol), m.serveBlocks)
	m.handle(ctx, m.protocol(marketProtocol), m.serveMarket)
	m.handle(ctx, m.protocol(offersProtocol), m.serveOffers)
	m.handle(ctx, m.protocol(modelsProtocol), m.serveModels)
	m.handle(ctx, m.protocol(probeProtocol), m.serveProbe)
	m.watch()
	m.spawn(m.discover)
	m.spawn(m.announce)
	return nil
}

// run starts the functions that spawn is given, each in a goroutine that Close
// waits for, until ctx ends.
func (m *Mesh) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-m.tasks:
			m.wg.Go(func() { f(ctx) })
		}
	}
}

// spawn runs f in a goroutine that Close waits for, with a context that ends
// with Close. After Close it does nothing.
func (m *Mesh) spawn(f func(context.Context)) {
	select {
	case m.tasks <- f:
	case <-m.done:
	}
}

// handle has f serve the streams that peers open under a protocol name. f
// returns when its stream fails, as all streams do when the host closes.
func (m *Mesh) handle(ctx context.Context, name libp2pprotocol.ID, f func(context.Context, network.Stream)) {
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
		f(ctx, s)
	})
}

// Close leaves the network. It ends every session and waits for the functions
// of HandleMarket and OnPeer to return.
func (m *Mesh) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	m.mu.Unlock()
	var errs []error
	if m.host != nil {
		m.note(time.Now())
	}
	m.cancel()
	if m.dht != nil {
		errs = append(errs, m.dht.Close())
	}
	if m.host != nil {
		errs = append(errs, m.host.Close())
	}
	m.wg.Wait()
	m.savePeers()
	return errors.Join(errs...)
}

// protocol returns a libp2p protocol name of this network.
func (m *Mesh) protocol(name string) libp2pprotocol.ID {
	return libp2pprotocol.ID("/alia/" + m.cfg.Net.Short() + name)
}

// ID returns the host's libp2p peer ID.
func (m *Mesh) ID() peer.ID { return m.host.ID() }

// Account returns the node's account.
func (m *Mesh) Account() protocol.Account { return protocol.AccountOf(m.cfg.Key) }

// Addrs returns the addresses under which the host can be dialled, at most
// [maxAddrs], public ones first, each ending in /p2p/ID. Bootstrap lists, offers and
// hints contain such addresses.
func (m *Mesh) Addrs() []string {
	return fullAddrs(peer.AddrInfo{ID: m.host.ID(), Addrs: ownAddrs(m.public, m.host.Addrs())}) // which libp2p sorts by text
}

// PeerInfo is a connected peer of this network.
type PeerInfo struct {
	ID      peer.ID
	Account protocol.Account
	Addrs   []string // each ending in /p2p/ID
}

// Peers returns the connected peers of this network, sorted by ID.
func (m *Mesh) Peers() []PeerInfo {
	m.mu.Lock()
	ids := make([]peer.ID, 0, len(m.admitted))
	for id := range m.admitted { // order-free: sorted below
		ids = append(ids, id)
	}
	m.mu.Unlock()
	slices.Sort(ids)
	peers := make([]PeerInfo, 0, len(ids))
	for _, id := range ids {
		account, err := AccountOf(id)
		if err != nil {
			continue // not an Ed25519 key, which cannot sign records
		}
		peers = append(peers, PeerInfo{ID: id, Account: account, Addrs: fullAddrs(peer.AddrInfo{ID: id, Addrs: chosen(m.host.Peerstore().Addrs(id))})})
	}
	return peers
}

// AccountOf returns the account whose libp2p peer ID is id.
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

// PeerOf returns the libp2p peer ID of an account.
func PeerOf(a protocol.Account) (peer.ID, error) {
	key, err := crypto.UnmarshalEd25519PublicKey(a[:])
	if err != nil {
		return "", fmt.Errorf("peer of account %s: %w", a, err)
	}
	return peer.IDFromPublicKey(key)
}

// parseAddrs reads multiaddrs that end in /p2p/ID. Addresses of one peer become
// one entry.
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
