package mesh

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/protocol"
)

// PeerAnswer says how a peer answered [AskPeers].
type PeerAnswer struct {
	ID    peer.ID
	Addrs []string // that were dialled, each ending in /p2p/ID
	Err   error    // nil: it answered as a peer of the network
}

// AskPeers dials the peers that a node with this configuration would dial first: those of
// Bootstrap, and those of PeersFile. It says which answer. It uses Net, Bootstrap,
// PeersFile and Log of the configuration, and an identity of its own, so that it may be
// called while the node runs.
func AskPeers(ctx context.Context, cfg Config) ([]PeerAnswer, error) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("ask peers: %w", err)
	}
	bootstrap, err := parseAddrs(cfg.Bootstrap)
	if err != nil {
		return nil, fmt.Errorf("ask peers: bootstrap: %w", err)
	}
	var known contacts
	if err := known.load(cfg.PeersFile, time.Now()); err != nil {
		return nil, fmt.Errorf("ask peers: %w", err)
	}
	for _, info := range bootstrap {
		known.add(info, time.Time{}, true)
	}
	m := &Mesh{cfg: Config{Key: key, Net: cfg.Net}, log: cfg.Log}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	libraryLog(m.log)
	if m.host, err = newHost(m.cfg, nil, &m.bytes, helloProtocol); err != nil {
		return nil, fmt.Errorf("ask peers: %w", err)
	}
	defer m.host.Close()
	infos := known.due(time.Now(), len(known.book), func(peer.ID) bool { return true })
	answers := make([]PeerAnswer, len(infos))
	var asked sync.WaitGroup
	for i, info := range infos {
		asked.Go(func() { answers[i] = PeerAnswer{info.ID, fullAddrs(info), m.greet(ctx, info)} })
	}
	asked.Wait()
	return answers, nil
}

// greet dials a peer and asks for its network.
func (m *Mesh) greet(ctx context.Context, info peer.AddrInfo) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := m.host.Connect(ctx, info); err != nil {
		return plain(ctx, err)
	}
	theirs, err := m.askHello(ctx, info.ID)
	if err != nil {
		return plain(ctx, err)
	}
	if theirs != m.cfg.Net {
		return protocol.Refuse(protocol.WrongNetwork, "it is a node of network %s", theirs.Short())
	}
	return nil
}
