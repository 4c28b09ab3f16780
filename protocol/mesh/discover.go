package mesh

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/alia-network/alia/protocol/block"
)

// The pace of discovery. A second peer is found in less than a second. When no
// peer comes or goes, discovery looks once in lookMax.
const (
	lookMin       = 250 * time.Millisecond
	lookMax       = 15 * time.Second
	dialTimeout   = 5 * time.Second
	dialsAtOnce   = 64
	redialMax     = time.Minute
	lookupTimeout = 10 * time.Second
	reprovide     = 22 * time.Hour // provider records of the DHT expire after 48 hours
	wantPeers     = 32             // with this number of peers the search ends
)

// discover looks for peers until ctx ends. A look follows sooner when peers have
// come or gone.
func (m *Mesh) discover(ctx context.Context) {
	now := time.Now()
	if m.cfg.PeersFile != "" {
		if err := m.contacts.load(m.cfg.PeersFile, now); err != nil {
			m.log.Warn("kept peers not read", "err", err)
		}
	}
	for _, info := range m.bootstrap {
		m.contacts.add(info, time.Time{}, true)
	}
	ended := make(chan struct{}, dialsAtOnce) // holds a value for each attempt that has ended
	var before string
	running, wait := 0, lookMin
	for ctx.Err() == nil {
		running += m.dialDue(ctx, dialsAtOnce-running, ended)
		peers := m.note(time.Now())
		if after := idsOf(peers); after != before || len(peers) == 0 {
			before, wait = after, lookMin
			m.savePeers()
		} else {
			wait = min(2*wait, lookMax)
		}
		if len(peers) < wantPeers && m.dht.RoutingTable().Size() > 0 {
			for _, info := range m.providers(ctx, m.rendezvous(), wantPeers) {
				m.contacts.add(info, time.Time{}, false)
			}
			running += m.dialDue(ctx, dialsAtOnce-running, ended)
		}
		running -= m.pause(ctx, wait, ended)
	}
}

// dialDue begins to dial the peers that are due, at most n, and returns their
// number. Dead peers do not delay the others, nor the next look.
func (m *Mesh) dialDue(ctx context.Context, n int, ended chan<- struct{}) int {
	infos := m.contacts.due(time.Now(), n, m.wanted)
	for _, info := range infos {
		m.spawn(func(ctx context.Context) {
			if err := m.connect(ctx, info); err != nil {
				m.log.Debug("not reached", "peer", info.ID, "err", err)
			}
			m.contacts.dialled(time.Now(), info.ID)
			ended <- struct{}{}
		})
	}
	return len(infos)
}

// note tells the contacts which peers of the network are connected, and returns
// those.
func (m *Mesh) note(now time.Time) []peer.AddrInfo {
	m.mu.Lock()
	ids := slices.Sorted(maps.Keys(m.admitted))
	m.mu.Unlock()
	infos := make([]peer.AddrInfo, 0, len(ids))
	for _, id := range ids {
		info := m.host.Peerstore().PeerInfo(id)
		for _, c := range m.host.Network().ConnsToPeer(id) {
			if c.Stat().Direction == network.DirOutbound { // an address that works
				info.Addrs = append([]ma.Multiaddr{c.RemoteMultiaddr()}, info.Addrs...)
			}
		}
		infos = append(infos, info)
	}
	m.contacts.connectedTo(now, infos)
	return infos
}

func idsOf(infos []peer.AddrInfo) string {
	var ids strings.Builder
	for _, info := range infos {
		ids.WriteString(string(info.ID))
	}
	return ids.String()
}

// pause waits. When a peer comes or goes it waits only lookMin longer. It returns
// the number of attempts to dial that ended meanwhile.
func (m *Mesh) pause(ctx context.Context, wait time.Duration, ended <-chan struct{}) (n int) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	changed := m.changed
	for {
		select {
		case <-timer.C:
			return n
		case <-ctx.Done():
			return n
		case <-ended:
			n++
		case <-changed:
			changed = nil
			timer.Reset(lookMin)
		}
	}
}

// savePeers writes the file of peers.
func (m *Mesh) savePeers() {
	if m.cfg.PeersFile == "" {
		return
	}
	if err := m.contacts.save(m.cfg.PeersFile); err != nil {
		m.log.Warn("peers not kept", "err", err)
	}
}

// wanted reports whether the peer should be dialled: it is another node, is not
// connected, and did not say that it is of another network.
func (m *Mesh) wanted(id peer.ID) bool {
	if id == m.host.ID() || m.host.Network().Connectedness(id) == network.Connected {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	_, foreign := m.foreign[id]
	return !foreign
}

// connect dials the peer unless it is connected. A peer without addresses is
// first looked up in the DHT.
func (m *Mesh) connect(ctx context.Context, info peer.AddrInfo) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	// libp2p would wait after a failed dial, even if the peer has just started.
	if s, ok := m.host.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(info.ID)
	}
	if len(info.Addrs) == 0 && len(m.host.Peerstore().Addrs(info.ID)) == 0 && m.dht.RoutingTable().Size() > 0 {
		if found, err := m.dht.FindPeer(ctx, info.ID); err == nil {
			info = found
		}
	}
	return m.host.Connect(ctx, info)
}

// rendezvous is the key under which nodes of this network announce themselves.
func (m *Mesh) rendezvous() cid.Cid {
	return block.Sum(block.Raw, append([]byte("ALIA-1 rendezvous "), m.cfg.Net[:]...))
}

// announce keeps the provider records for this node and its long-lived roots in
// the DHT until ctx ends. New peers hold no records yet, so that all are announced
// again while few peers are known and new ones come. An announcement that fails is
// made again.
func (m *Mesh) announce(ctx context.Context) {
	at := make(map[cid.Cid]time.Time)    // when each key was last announced
	failed := make(map[cid.Cid]struct{}) // the keys that were not announced at the last attempt
	var size int                         // peers in the routing table
	var all time.Time                    // when all keys were last announced
	for wait := lookMin; ; wait = min(2*wait, lookMax) {
		select {
		case <-ctx.Done():
			return
		case <-m.unannounced:
			wait = lookMin
		case <-time.After(wait):
		}
		before := size
		if size = m.dht.RoutingTable().Size(); size > before && size < wantPeers {
			delete(at, m.rendezvous())
			if time.Since(all) > lookMax {
				clear(at)
				all = time.Now()
			}
		}
		keys := append(m.providedRoots(), m.rendezvous())
		gone := func(c cid.Cid) bool { return !slices.Contains(keys, c) }
		maps.DeleteFunc(at, func(c cid.Cid, _ time.Time) bool { return gone(c) })
		maps.DeleteFunc(failed, func(c cid.Cid, _ struct{}) bool { return gone(c) })
		for _, c := range keys {
			if time.Since(at[c]) < reprovide {
				continue
			}
			bounded, cancel := context.WithTimeout(ctx, lookupTimeout)
			err := m.dht.Provide(bounded, c, size > 0) // the record is kept here in any case, for those that ask this node
			cancel()
			switch _, again := failed[c]; {
			case ctx.Err() != nil:
				return
			case err != nil && !again:
				failed[c] = struct{}{}
				m.log.Warn("not announced, and tried again", "cid", c, "err", err)
			case err == nil && size > 0:
				delete(failed, c)
				m.log.Debug("announced", "cid", c)
				at[c] = time.Now()
			}
		}
	}
}

// providedRoots returns the roots to announce. A root that is no longer in the
// store is forgotten.
func (m *Mesh) providedRoots() []cid.Cid {
	m.mu.Lock()
	roots := slices.Collect(maps.Keys(m.provided))
	m.mu.Unlock()
	return slices.DeleteFunc(roots, func(c cid.Cid) bool {
		if m.cfg.Blocks.Has(c) {
			return false
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.provided, c)
		return true
	})
}

// providers returns up to n peers that announced the key.
func (m *Mesh) providers(ctx context.Context, key cid.Cid, n int) []peer.AddrInfo {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	var infos []peer.AddrInfo
	for info := range m.dht.FindProvidersAsync(ctx, key, n) {
		if info.ID != m.host.ID() {
			infos = append(infos, info)
		}
	}
	return infos
}

// Provide announces in the DHT that this node has the block, soon and again and
// again, until Close or until the block leaves the store. It is for long-lived
// roots: corpora, configurations, checkpoints, models.
func (m *Mesh) Provide(c cid.Cid) {
	m.mu.Lock()
	m.provided[c] = struct{}{}
	m.mu.Unlock()
	m.wake()
}
