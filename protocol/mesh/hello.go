package mesh

import (
	"context"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/protocol"
)

// The hello (PROTOCOL.md, section 6.3) is the only protocol that all networks
// have in common. The side that dialled sends the 32 bytes of its network, the
// other side answers with its own. If they differ, both sides count a
// rejection and disconnect.
const (
	helloProtocol = "/alia/hello/1"
	helloTimeout  = 10 * time.Second
	helloRetry    = 200 * time.Millisecond
	maxForeign    = 1024 // peers of other networks that are remembered, not to dial them again
)

// watch says hello on every connection that this host dials, and forgets peers
// that disconnect.
func (m *Mesh) watch() {
	m.host.Network().Notify(&network.NotifyBundle{
		ConnectedF: func(_ network.Network, c network.Conn) {
			if c.Stat().Direction == network.DirOutbound {
				m.spawn(func(ctx context.Context) { m.sayHello(ctx, c) })
			}
		},
		DisconnectedF: func(n network.Network, c network.Conn) {
			if n.Connectedness(c.RemotePeer()) != network.Connected {
				m.dismiss(c.RemotePeer())
			}
		},
	})
}

// sayHello asks a dialled peer for its network. A peer that has just started may
// not answer yet, so it is asked again. The connection to a peer that does not
// answer is closed; discovery dials the peer again later.
func (m *Mesh) sayHello(ctx context.Context, c network.Conn) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	for !c.IsClosed() {
		if theirs, err := m.askHello(ctx, c.RemotePeer()); err == nil {
			m.meet(c.RemotePeer(), theirs)
			return
		}
		select {
		case <-ctx.Done():
			_ = c.Close()
			return
		case <-time.After(helloRetry):
		}
	}
}

// askHello asks once.
func (m *Mesh) askHello(ctx context.Context, id peer.ID) (theirs protocol.Net, err error) {
	s, err := m.host.NewStream(ctx, id, helloProtocol)
	if err != nil {
		return theirs, err
	}
	defer s.Close()
	if err := s.SetDeadline(time.Now().Add(helloTimeout)); err != nil {
		return theirs, err
	}
	if _, err := s.Write(m.cfg.Net[:]); err != nil {
		return theirs, err
	}
	_, err = io.ReadFull(s, theirs[:])
	return theirs, err
}

func (m *Mesh) serveHello(_ context.Context, s network.Stream) {
	defer s.Close()
	if s.SetDeadline(time.Now().Add(helloTimeout)) != nil {
		return
	}
	var theirs protocol.Net
	id := s.Conn().RemotePeer()
	if _, err := io.ReadFull(s, theirs[:]); err != nil {
		m.counters.reject(protocol.Malformed)
		m.log.Debug("hello refused", "peer", id, "err", err)
		return
	}
	if theirs == m.cfg.Net { // before the answer: the peer may open streams as soon as it has the answer
		m.meet(id, theirs)
	}
	if _, err := s.Write(m.cfg.Net[:]); err != nil {
		return
	}
	if theirs != m.cfg.Net {
		_, _ = s.Read(make([]byte, 1)) // wait until the peer has read the answer and closed
		m.meet(id, theirs)
	}
}

// meet admits a peer of this network, and disconnects a peer of another.
func (m *Mesh) meet(id peer.ID, theirs protocol.Net) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	if theirs != m.cfg.Net {
		if len(m.foreign) >= maxForeign { // their IDs are free
			clear(m.foreign)
		}
		m.foreign[id] = struct{}{}
		m.counters.reject(protocol.WrongNetwork)
		m.log.Warn("peer refused", "peer", id, "reason", protocol.WrongNetwork, "network", theirs.Short(), "ours", m.cfg.Net.Short())
		m.spawn(func(context.Context) { _ = m.host.Network().ClosePeer(id) }) // it calls dismiss, which needs the lock
		return
	}
	if _, ok := m.admitted[id]; ok {
		return
	}
	// After a hello the peer may have hung up already, and been dismissed before it came.
	if m.host.Network().Connectedness(id) != network.Connected {
		return
	}
	m.admitted[id] = struct{}{}
	delete(m.foreign, id)
	m.log.Debug("peer joined", "peer", id)
	m.wake()
	for _, f := range m.onPeer {
		m.spawn(func(ctx context.Context) { f(ctx, id) })
	}
}

// dismiss forgets a peer that has disconnected.
func (m *Mesh) dismiss(id peer.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.admitted[id]; ok {
		delete(m.admitted, id)
		m.log.Debug("peer left", "peer", id)
		m.wake()
	}
}

// wake makes the discovery loops look and announce again.
func (m *Mesh) wake() {
	for _, loop := range []chan struct{}{m.changed, m.unannounced} {
		select {
		case loop <- struct{}{}:
		default: // the loop is to look already
		}
	}
}

// OnPeer calls f, in a goroutine of its own, for each peer of this network that
// connects, and for the peers that are connected. The context of f ends with
// Close, and f must return then.
func (m *Mesh) OnPeer(f func(context.Context, peer.ID)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	m.onPeer = append(m.onPeer, f)
	for id := range m.admitted { // order-free: each call has its own goroutine
		m.spawn(func(ctx context.Context) { f(ctx, id) })
	}
}
