package mesh

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"golang.org/x/sync/errgroup"

	"github.com/alia-network/alia/protocol/block"
)

// The pace of discovery. A second peer is found in less than a second. When no
// peer comes or goes, discovery looks once in lookMax.
const (
	lookMin       = 250 * time.Millisecond
	lookMax       = 15 * time.Second
	dialTimeout   = 5 * time.Second
	dialsAtOnce   = 8
	redialMax     = time.Minute
	lookupTimeout = 10 * time.Second
	reprovide     = 22 * time.Hour // provider records of the DHT expire after 48 hours
	wantPeers     = 32             // with this number of peers the search ends
	keptPeers     = 64             // in the file
)

// scout is the state of the discovery loop. Only the loop uses it.
type scout struct {
	*Mesh
	known    map[peer.ID]peer.AddrInfo // bootstrap and remembered peers, dialled whenever they are not connected
	retry    map[peer.ID]attempt
	provided map[cid.Cid]time.Time // when each key was last announced
	peers    string                // IDs of the peers connected in the last round, joined
}

// attempt is when a peer may be dialled again.
type attempt struct {
	next time.Time
	wait time.Duration
}

// discover repeats rounds of discovery until ctx ends. A round follows sooner
// when peers have come or gone.
func (m *Mesh) discover(ctx context.Context) {
	s := &scout{
		Mesh:     m,
		known:    make(map[peer.ID]peer.AddrInfo),
		retry:    make(map[peer.ID]attempt),
		provided: make(map[cid.Cid]time.Time),
	}
	for _, info := range append(m.loadPeers(), m.bootstrap...) {
		s.known[info.ID] = info
	}
	wait := lookMin
	for ctx.Err() == nil {
		if s.look(ctx) {
			wait = lookMin
		} else {
			wait = min(2*wait, lookMax)
		}
		m.pause(ctx, wait)
	}
}

// pause waits. When a peer comes or goes it waits only lookMin longer.
func (m *Mesh) pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-m.changed:
		select {
		case <-time.After(lookMin):
		case <-ctx.Done():
		}
	}
}

// look does one round of discovery: it dials known peers, announces this node in
// the DHT under the network's key, and dials the peers it finds there. It reports
// whether the connected peers have changed since the last round, or there are
// none.
func (s *scout) look(ctx context.Context) bool {
	infos := make([]peer.AddrInfo, 0, len(s.known))
	for _, info := range s.known { // order-free: all are dialled
		infos = append(infos, info)
	}
	s.dial(ctx, infos)
	peers := s.Peers()
	if len(peers) == 0 {
		return len(infos) > 0
	}
	var ids strings.Builder
	for _, p := range peers {
		ids.WriteString(p.ID.String())
	}
	changed := ids.String() != s.peers
	s.peers = ids.String()
	s.announce(ctx, changed && len(peers) < wantPeers)
	if len(peers) < wantPeers {
		s.dial(ctx, s.providers(ctx, s.rendezvous(), wantPeers))
	}
	if changed && s.cfg.PeersFile != "" {
		if err := s.savePeers(); err != nil {
			s.log.Warn("peers not kept", "err", err)
		}
	}
	return changed
}

// dial connects to the peers that are not connected, unless an attempt failed
// recently. Each failure doubles the time until the next attempt.
func (s *scout) dial(ctx context.Context, infos []peer.AddrInfo) {
	now := time.Now()
	var g errgroup.Group
	g.SetLimit(dialsAtOnce)
	failed := make([]bool, len(infos))
	for i, info := range infos {
		if !s.wanted(info.ID) || now.Before(s.retry[info.ID].next) {
			continue
		}
		g.Go(func() error {
			failed[i] = s.connect(ctx, info) != nil
			return nil
		})
	}
	_ = g.Wait() // each failure is in failed
	for i, info := range infos {
		if !failed[i] {
			delete(s.retry, info.ID)
			continue
		}
		wait := min(max(2*s.retry[info.ID].wait, lookMin), redialMax)
		s.retry[info.ID] = attempt{next: now.Add(wait), wait: wait}
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

// announce puts provider records for this node and its long-lived roots into
// the DHT: the records that are due, or all records. All, because new peers hold
// no records yet.
func (s *scout) announce(ctx context.Context, all bool) {
	s.mu.Lock()
	keys := make([]cid.Cid, 0, len(s.Mesh.provided)+1)
	for c := range s.Mesh.provided { // order-free: each is announced
		keys = append(keys, c)
	}
	s.mu.Unlock()
	for _, c := range append(keys, s.rendezvous()) {
		if !all && time.Since(s.provided[c]) < reprovide {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, lookupTimeout)
		err := s.dht.Provide(bounded, c, true)
		cancel()
		if err != nil {
			s.log.Debug("not announced", "cid", c, "err", err)
			continue // until the next round
		}
		s.log.Debug("announced", "cid", c)
		s.provided[c] = time.Now()
	}
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

// Provide announces in the DHT that this node has the block, and repeats the
// announcement until Close. It is for long-lived roots: corpora, configurations,
// checkpoints, models.
func (m *Mesh) Provide(ctx context.Context, c cid.Cid) error {
	m.mu.Lock()
	m.provided[c] = struct{}{}
	m.mu.Unlock()
	if m.dht.RoutingTable().Size() == 0 {
		return nil // nobody is connected; the discovery loop announces it later
	}
	if err := m.dht.Provide(ctx, c, true); err != nil {
		return fmt.Errorf("provide %s: %w", c, err)
	}
	return nil
}

// loadPeers reads the peers kept by an earlier run. Lines that are no address
// are ignored.
func (m *Mesh) loadPeers() []peer.AddrInfo {
	if m.cfg.PeersFile == "" {
		return nil
	}
	data, err := os.ReadFile(m.cfg.PeersFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.log.Warn("kept peers not read", "err", err)
	}
	var infos []peer.AddrInfo
	for line := range strings.Lines(string(data)) {
		if info, err := parseAddrs([]string{line}); err == nil && len(infos) < keptPeers {
			infos = append(infos, info...)
		}
	}
	return infos
}

// savePeers writes the connected peers to the file, then the peers kept before,
// one address on each line.
func (m *Mesh) savePeers() error {
	var lines []string
	seen := make(map[peer.ID]bool)
	for _, p := range m.Peers() {
		if len(p.Addrs) > 0 {
			lines = append(lines, p.Addrs[0])
			seen[p.ID] = true
		}
	}
	for _, info := range m.loadPeers() {
		if !seen[info.ID] {
			lines = append(lines, fullAddrs(info)...)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	lines = lines[:min(len(lines), keptPeers)]
	tmp := m.cfg.PeersFile + ".tmp"
	if err := os.MkdirAll(filepath.Dir(tmp), 0o755); err != nil {
		return fmt.Errorf("keep peers: %w", err)
	}
	if err := os.WriteFile(tmp, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		return errors.Join(fmt.Errorf("keep peers: %w", err), os.Remove(tmp))
	}
	if err := os.Rename(tmp, m.cfg.PeersFile); err != nil {
		return fmt.Errorf("keep peers: %w", err)
	}
	return nil
}
