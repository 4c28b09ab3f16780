package mesh

import (
	"context"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/protocol"
)

// The hello is the one protocol that all networks share. Whoever dialled sends
// the 32 bytes of its network, the other answers with its own; if they differ
// both count a rejection and part.
const (
	helloProtocol = "/alia/hello/1"
	helloTimeout  = 10 * time.Second
	helloRetry    = 200 * time.Millisecond
)

// watch says hello on every connection we dial, and keeps account of peers that
// leave.
func (m *Mesh) watch() {
	m.host.Network().Notify(&network.NotifyBundle{
		ConnectedF: func(_ network.Network, c network.Conn) {
			if c.Stat().Direction == network.DirOutbound {
				m.spawn(func() { m.sayHello(c) })
			}
		},
		DisconnectedF: func(n network.Network, c network.Conn) {
			if n.Connectedness(c.RemotePeer()) != network.Connected {
				m.dismiss(c.RemotePeer())
			}
		},
	})
}

// sayHello learns the network of a peer we dialled. A peer that has just
// started may not answer yet, so it is asked again; one that does not answer is
// let go of, to be dialled anew when its turn comes.
func (m *Mesh) sayHello(c network.Conn) {
	ctx, cancel := context.WithTimeout(m.ctx, helloTimeout)
	defer cancel()
	for !c.IsClosed() {
		if theirs, err := m.askHello(ctx, c); err == nil {
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
func (m *Mesh) askHello(ctx context.Context, c network.Conn) (theirs protocol.Net, err error) {
	s, err := m.host.NewStream(ctx, c.RemotePeer(), helloProtocol)
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

func (m *Mesh) serveHello(s network.Stream) {
	defer s.Close()
	if s.SetDeadline(time.Now().Add(helloTimeout)) != nil {
		return
	}
	var theirs protocol.Net
	if _, err := io.ReadFull(s, theirs[:]); err != nil {
		m.counters.reject(protocol.Malformed)
		return
	}
	id := s.Conn().RemotePeer()
	if theirs == m.cfg.Net { // before the answer, so that the peer may use us as soon as it has it
		m.meet(id, theirs)
	}
	if _, err := s.Write(m.cfg.Net[:]); err != nil {
		return
	}
	if theirs != m.cfg.Net {
		_, _ = s.Read(make([]byte, 1)) // the peer hangs up once it has read the answer
		m.meet(id, theirs)
	}
}

// meet admits a peer of this network or refuses one of another.
func (m *Mesh) meet(id peer.ID, theirs protocol.Net) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	if theirs != m.cfg.Net {
		m.foreign[id] = struct{}{}
		m.counters.reject(protocol.WrongNetwork)
		m.log.Warn("peer refused", "peer", id, "reason", protocol.WrongNetwork, "network", theirs.Short(), "ours", m.cfg.Net.Short())
		m.wg.Go(func() { _ = m.host.Network().ClosePeer(id) }) // it calls dismiss, which needs the lock
		return
	}
	if _, ok := m.admitted[id]; ok {
		return
	}
	m.admitted[id] = struct{}{}
	delete(m.foreign, id)
	m.log.Debug("peer joined", "peer", id)
	m.wake()
	for _, f := range m.onPeer {
		m.wg.Go(func() { f(m.ctx, id) })
	}
}

// dismiss forgets a peer that has left.
func (m *Mesh) dismiss(id peer.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.admitted[id]; ok {
		delete(m.admitted, id)
		m.log.Debug("peer left", "peer", id)
		m.wake()
	}
}

// wake makes the discovery loop look again.
func (m *Mesh) wake() {
	select {
	case m.changed <- struct{}{}:
	default: // it will look anyway
	}
}

// OnPeer calls f, in a goroutine of its own, for each peer of this network that
// connects, and for those connected already. The context ends with Close, and f
// must return then.
func (m *Mesh) OnPeer(f func(context.Context, peer.ID)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	m.onPeer = append(m.onPeer, f)
	for id := range m.admitted { // order-free: each call has its own goroutine
		m.wg.Go(func() { f(m.ctx, id) })
	}
}
