package mesh

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/protocol"
)

// The probe measures the link to a peer. The asker sends four bytes, a count;
// the peer answers probeReady or, when it has no time for it, probeBusy; then
// as many random bytes as counted go to the peer and, when all are there, as
// many come back. Random, so that a link that compresses gains nothing.
const (
	probeProtocol = "/probe/1"
	// MaxProbe is the most bytes of a probe, each way.
	MaxProbe     = 4 << 20
	probeReady   = 0
	probeBusy    = 1
	probeTimeout = time.Minute     // of a whole probe, on both sides
	probePause   = 5 * time.Second // between two probes of one peer
	probeChunk   = 64 << 10
)

// prober decides whether a peer may probe: one at a time, and each not often.
type prober struct {
	mu   sync.Mutex // guards what follows
	busy bool
	last map[peer.ID]time.Time // probes within the last probePause
}

// begin reports whether id may probe now; if so, end must follow.
func (p *prober) begin(id peer.ID, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for other, at := range p.last { // order-free: each is judged alone
		if now.Sub(at) >= probePause {
			delete(p.last, other)
		}
	}
	if _, recent := p.last[id]; recent || p.busy {
		return false
	}
	if p.last == nil {
		p.last = make(map[peer.ID]time.Time)
	}
	p.last[id], p.busy = now, true
	return true
}

func (p *prober) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy = false
}

func (m *Mesh) serveProbe(s network.Stream) {
	if err := m.answerProbe(s); err != nil {
		m.log.Debug("probe ended", "peer", s.Conn().RemotePeer(), "err", err)
		_ = s.Reset()
		return
	}
	_ = s.Close()
}

func (m *Mesh) answerProbe(s network.Stream) error {
	if err := s.SetDeadline(time.Now().Add(probeTimeout)); err != nil {
		return err
	}
	var head [4]byte
	if _, err := io.ReadFull(s, head[:]); err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	if n == 0 || n > MaxProbe {
		m.counters.reject(protocol.Malformed)
		return protocol.Refuse(protocol.Malformed, "a probe of %d bytes", n)
	}
	if !m.prober.begin(s.Conn().RemotePeer(), time.Now()) {
		m.counters.reject(protocol.RateLimited)
		_, err := s.Write([]byte{probeBusy})
		return err
	}
	defer m.prober.end()
	if _, err := s.Write([]byte{probeReady}); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, s, n); err != nil {
		return err
	}
	return sendNoise(s, n)
}

// sendNoise writes n random bytes.
func sendNoise(w io.Writer, n int64) error {
	var chunk [probeChunk]byte
	for n > 0 {
		part := chunk[:min(n, probeChunk)]
		if _, err := rand.Read(part); err != nil {
			return err
		}
		if _, err := w.Write(part); err != nil {
			return err
		}
		n -= int64(len(part))
	}
	return nil
}

// Link is how fast bytes go to a peer and come from it, in bytes per second.
type Link struct{ Up, Down float64 }

// Probe measures the link to a connected peer with n bytes each way, at most
// [MaxProbe]. A peer that is busy, or was probed from here just before, refuses
// as RateLimited.
func (m *Mesh) Probe(ctx context.Context, to peer.ID, n int) (Link, error) {
	if n < 1 || n > MaxProbe {
		return Link{}, fmt.Errorf("probe: %d bytes, want 1 to %d", n, MaxProbe)
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	s, err := m.host.NewStream(ctx, to, m.protocol(probeProtocol))
	if err != nil {
		return Link{}, fmt.Errorf("probe %s: %w", to, err)
	}
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	l, err := probe(s, int64(n))
	if err != nil {
		_ = s.Reset()
		return Link{}, fmt.Errorf("probe %s: %w", to, errors.Join(ctx.Err(), err))
	}
	return l, s.Close()
}

func probe(s io.ReadWriter, n int64) (Link, error) {
	begin := time.Now()
	if _, err := s.Write(binary.BigEndian.AppendUint32(nil, uint32(n))); err != nil {
		return Link{}, err
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(s, answer); err != nil {
		return Link{}, err
	}
	if answer[0] != probeReady {
		return Link{}, protocol.Refuse(protocol.RateLimited, "the peer takes no probe now")
	}
	sent := time.Now()
	trip := sent.Sub(begin) // there and back
	if err := sendNoise(s, n); err != nil {
		return Link{}, err
	}
	buf := make([]byte, probeChunk)
	first, err := s.Read(buf)
	if err != nil {
		return Link{}, err
	}
	turned := time.Now() // what was sent is there, and the first of what comes back is here
	rest, err := io.CopyBuffer(io.Discard, io.LimitReader(s, n-int64(first)), buf)
	if err != nil {
		return Link{}, err
	}
	if rest != n-int64(first) {
		return Link{}, io.ErrUnexpectedEOF
	}
	return Link{Up: speed(n, turned.Sub(sent)-trip), Down: speed(rest, time.Since(turned))}, nil
}

// speed is bytes per second; a time too short to be measured counts as a
// microsecond.
func speed(bytes int64, took time.Duration) float64 {
	return float64(bytes) / max(took, time.Microsecond).Seconds()
}
