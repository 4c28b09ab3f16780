package mesh

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/protocol"
)

const (
	marketProtocol = "/market/1"
	offersProtocol = "/offers/1"
	sendTimeout    = 30 * time.Second
	offersTimeout  = 10 * time.Second
	maxOfferPages  = 65 // a full board, see package market
)

// Session is a stream of records between two accounts: the publisher of a work
// and a miner. Send and Recv may be called at the same time. Several calls of
// Send wait for each other; Recv may be called by one goroutine at a time.
type Session struct {
	Peer protocol.Account // the other side, proven by the connection
	// Numerics is the specification of the publisher's arithmetic, in its own words, for
	// the side that opened the session. Empty: the publisher has not said it.
	Numerics string
	stream   network.Stream
	send     sync.Mutex // held while a frame is written
	free     func()     // lets the connection be trimmed again
}

// Send writes one record's bytes.
func (s *Session) Send(ctx context.Context, t protocol.RecordType, body []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.send.Lock()
	defer s.send.Unlock()
	if err := s.stream.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return fmt.Errorf("send %s to %s: %w", t, s.Peer.Short(), err)
	}
	defer context.AfterFunc(ctx, func() { _ = s.stream.Reset() })()
	if err := protocol.WriteMessage(s.stream, t, body); err != nil {
		return fmt.Errorf("send to %s: %w", s.Peer.Short(), plain(ctx, err))
	}
	return nil
}

// Recv reads one record's bytes. It returns io.EOF when the other side has
// closed the session. If ctx ends before the record has arrived, the session
// ends too.
func (s *Session) Recv(ctx context.Context) (protocol.RecordType, []byte, error) {
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = s.stream.Reset() })()
	t, body, err := protocol.ReadMessage(s.stream)
	if err == io.EOF {
		return 0, nil, io.EOF
	}
	if err != nil {
		return 0, nil, fmt.Errorf("receive from %s: %w", s.Peer.Short(), plain(ctx, err))
	}
	return t, body, nil
}

// Close ends the session. What was sent still arrives.
func (s *Session) Close() error {
	s.free()
	return s.stream.Close()
}

// HandleMarket calls f, in a goroutine of its own, for each session that a peer
// opens. The session is closed when f returns; the context ends with Close, and
// f must return then.
func (m *Mesh) HandleMarket(f func(context.Context, *Session)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.market = f
}

func (m *Mesh) serveMarket(ctx context.Context, stream network.Stream) {
	m.mu.Lock()
	f := m.market
	m.mu.Unlock()
	if f == nil {
		_ = stream.Reset()
		return
	}
	s, err := m.newSession(stream)
	if err != nil {
		return
	}
	defer s.Close()
	defer context.AfterFunc(ctx, func() { _ = stream.Reset() })()
	f(ctx, s)
}

// newSession begins a session on a stream. The connection is not trimmed before
// the session is closed. When there is an error, there is no session to close.
func (m *Mesh) newSession(stream network.Stream) (*Session, error) {
	id := stream.Conn().RemotePeer()
	account, err := AccountOf(id)
	if err != nil {
		_ = stream.Reset()
		return nil, err
	}
	m.mu.Lock()
	m.sessions++
	tag := fmt.Sprintf("market-%d", m.sessions) // a peer may have several sessions
	m.mu.Unlock()
	conns := m.host.ConnManager()
	conns.Protect(id, tag)
	return &Session{Peer: account, stream: stream, free: func() { conns.Unprotect(id, tag) }}, nil
}

// OpenMarket opens a session with the account. Unless the account is connected,
// it is dialled at those addresses that end in its peer ID, at the first [maxAddrs].
func (m *Mesh) OpenMarket(ctx context.Context, account protocol.Account, addrs []string) (*Session, error) {
	id, err := PeerOf(account)
	if err != nil {
		return nil, fmt.Errorf("open market: %w", err)
	}
	to := peer.AddrInfo{ID: id}
	for _, a := range addrs {
		if info, err := parseAddrs([]string{a}); err == nil && info[0].ID == id && len(to.Addrs) < maxAddrs {
			to.Addrs = append(to.Addrs, info[0].Addrs...)
		}
	}
	if err := m.connect(ctx, to); err != nil {
		return nil, fmt.Errorf("open market with %s: %w", account.Short(), plain(ctx, err))
	}
	stream, err := m.host.NewStream(ctx, id, m.protocol(marketProtocol))
	if err != nil {
		return nil, fmt.Errorf("open market with %s: %w", account.Short(), plain(ctx, err))
	}
	s, err := m.newSession(stream)
	if err != nil {
		return nil, fmt.Errorf("open market with %s: %w", account.Short(), err)
	}
	// The peer has been identified, as NewStream waits for that.
	if name, err := m.host.Peerstore().Get(id, "AgentVersion"); err == nil {
		name, _ := name.(string)
		if numerics, ok := strings.CutPrefix(name, agent); ok {
			s.Numerics = numerics
		}
	}
	return s, nil
}

// HandleOffers answers peers that ask for open offers: f returns the page that
// starts at a cursor, the first being 0.
func (m *Mesh) HandleOffers(f func(cursor uint64) protocol.OfferPage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offers = f
}

func (m *Mesh) serveOffers(_ context.Context, s network.Stream) {
	if err := m.answerOffers(s); err != nil {
		m.log.Debug("offers not served", "peer", s.Conn().RemotePeer(), "err", err)
		_ = s.Reset()
		return
	}
	_ = s.Close()
}

// answerOffers answers one stream's queries, at most maxOfferPages.
func (m *Mesh) answerOffers(s network.Stream) error {
	m.mu.Lock()
	f := m.offers
	m.mu.Unlock()
	if f == nil {
		f = func(uint64) protocol.OfferPage { return protocol.OfferPage{Version: protocol.Version} }
	}
	if err := s.SetDeadline(time.Now().Add(offersTimeout)); err != nil {
		return err
	}
	for range maxOfferPages {
		var query protocol.OfferQuery
		if err := m.readRecord(s, &query); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		page := f(query.Cursor)
		if err := writeRecord(s, &page); err != nil {
			return err
		}
	}
	return nil
}

// PullOffers asks a connected peer for the open offers it knows, and gives each page of
// them to take, until take returns an error. The offers are not parsed yet: each may be
// forged, old or known.
func (m *Mesh) PullOffers(ctx context.Context, from peer.ID, take func([]protocol.EncodedOffer) error) error {
	ctx, cancel := context.WithTimeout(ctx, offersTimeout)
	defer cancel()
	s, err := m.host.NewStream(ctx, from, m.protocol(offersProtocol))
	if err != nil {
		return fmt.Errorf("pull offers from %s: %w", from, plain(ctx, err))
	}
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	var cursor uint64
	for range maxOfferPages {
		var page protocol.OfferPage
		err := writeRecord(s, &protocol.OfferQuery{Version: protocol.Version, Cursor: cursor})
		if err == nil {
			err = m.readRecord(s, &page)
		}
		if err == nil {
			err = take(page.Offers)
		}
		if err != nil {
			_ = s.Reset()
			return fmt.Errorf("pull offers from %s: %w", from, plain(ctx, err))
		}
		if page.Cursor <= cursor { // 0: the last page; else the peer repeats itself
			break
		}
		cursor = page.Cursor
	}
	return s.Close()
}

// readRecord reads one frame that must hold r's type.
func (m *Mesh) readRecord(s network.Stream, r protocol.Record) error {
	t, body, err := protocol.ReadMessage(s)
	if err == nil && t != r.Type() {
		err = protocol.Refuse(protocol.Malformed, "received a %s, want a %s", t, r.Type())
	}
	if err == nil {
		err = protocol.Parse(body, m.cfg.Net, r)
	}
	if reason := protocol.ReasonOf(err); reason != protocol.Unspecified {
		m.counters.reject(reason)
	}
	return err
}

func writeRecord(s network.Stream, r protocol.Record) error {
	body, err := protocol.Encode(r)
	if err != nil {
		return err
	}
	return protocol.WriteMessage(s, r.Type(), body)
}
