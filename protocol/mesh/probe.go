package mesh

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/protocol"
)

// The probe (PROTOCOL.md, section 6.8) measures the speed of the link to a
// peer. The asker sends a count in four bytes. The peer answers probeReady, or
// probeBusy if it serves another probe. Then the asker sends that number of
// random bytes, and when they have arrived, the peer sends the same number
// back. The bytes are random, so that a link that compresses gains nothing.
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

// prober allows one probe at a time, and one of each peer in probePause.
type prober struct {
	mu   sync.Mutex // guards the fields below
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

func (m *Mesh) serveProbe(_ context.Context, s network.Stream) {
	id := s.Conn().RemotePeer()
	err := s.SetDeadline(time.Now().Add(probeTimeout))
	if err == nil {
		err = answerProbe(s, func() bool {
			ok := m.prober.begin(id, time.Now())
			if !ok {
				m.counters.reject(protocol.RateLimited)
			}
			return ok
		}, m.prober.end)
	}
	if err != nil {
		if reason := protocol.ReasonOf(err); reason != protocol.Unspecified {
			m.counters.reject(reason)
		}
		m.log.Debug("probe ended", "peer", id, "err", err)
		_ = s.Reset()
		return
	}
	_ = s.Close()
}

// answerProbe answers one probe, if begin allows it, and calls end after it.
func answerProbe(s io.ReadWriter, begin func() bool, end func()) error {
	var head [4]byte
	if _, err := io.ReadFull(s, head[:]); err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	if n == 0 || n > MaxProbe {
		return protocol.Refuse(protocol.Malformed, "a probe of %d bytes, want 1 to %d", n, MaxProbe)
	}
	if !begin() {
		_, err := s.Write([]byte{probeBusy})
		return err
	}
	defer end()
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

// LinkSpeed is the speed of the link to a peer (Up) and from it (Down), in bytes
// per second.
type LinkSpeed struct{ Up, Down float64 }

// Probe measures the link to a connected peer with n bytes each way, at most
// [MaxProbe]. A peer that is busy, or was probed from here in the last seconds,
// refuses with RateLimited.
func (m *Mesh) Probe(ctx context.Context, to peer.ID, n int) (LinkSpeed, error) {
	if n < 1 || n > MaxProbe {
		return LinkSpeed{}, fmt.Errorf("probe: %d bytes, want 1 to %d", n, MaxProbe)
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	s, err := m.host.NewStream(ctx, to, m.protocol(probeProtocol))
	if err != nil {
		return LinkSpeed{}, fmt.Errorf("probe %s: %w", to, plain(ctx, err))
	}
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	l, err := probe(s, int64(n))
	if err != nil {
		_ = s.Reset()
		return LinkSpeed{}, fmt.Errorf("probe %s: %w", to, plain(ctx, err))
	}
	return l, s.Close()
}

func probe(s io.ReadWriter, n int64) (LinkSpeed, error) {
	begin := time.Now()
	if _, err := s.Write(binary.BigEndian.AppendUint32(nil, uint32(n))); err != nil {
		return LinkSpeed{}, err
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(s, answer); err != nil {
		return LinkSpeed{}, err
	}
	if answer[0] != probeReady {
		return LinkSpeed{}, protocol.Refuse(protocol.RateLimited, "the peer is busy; probe it again in %v", probePause)
	}
	sent := time.Now()
	trip := sent.Sub(begin) // there and back
	if err := sendNoise(s, n); err != nil {
		return LinkSpeed{}, err
	}
	buf := make([]byte, probeChunk)
	first, err := s.Read(buf)
	if err != nil {
		return LinkSpeed{}, err
	}
	turned := time.Now() // the peer has all bytes, and the first of its bytes is here
	rest, err := io.CopyBuffer(io.Discard, io.LimitReader(s, n-int64(first)), buf)
	if err != nil {
		return LinkSpeed{}, err
	}
	if rest != n-int64(first) {
		return LinkSpeed{}, io.ErrUnexpectedEOF
	}
	return LinkSpeed{Up: speed(n, turned.Sub(sent)-trip), Down: speed(rest, time.Since(turned))}, nil
}

// speed is bytes per second; a time too short to be measured counts as a
// microsecond.
func speed(bytes int64, took time.Duration) float64 {
	return float64(bytes) / max(took, time.Microsecond).Seconds()
}
