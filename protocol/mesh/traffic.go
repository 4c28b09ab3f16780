package mesh

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2pprotocol "github.com/libp2p/go-libp2p/core/protocol"

	"github.com/alia-network/alia/protocol"
)

// Traffic counts the bytes, blocks and rejections since New.
type Traffic struct {
	Peers         int              `json:"peers"`
	BytesSent     int64            `json:"bytes_sent"` // over all streams
	BytesReceived int64            `json:"bytes_received"`
	BlocksServed  int64            `json:"blocks_served"`
	BytesServed   int64            `json:"bytes_served"` // of blocks
	BlocksFetched int64            `json:"blocks_fetched"`
	BytesFetched  int64            `json:"bytes_fetched"`
	Rejections    map[string]int64 `json:"rejections"` // by the reason's code
}

// byteCount counts the bytes of all streams. libp2p's own counter also keeps a
// count for each peer that was ever connected, for ever.
type byteCount struct {
	metrics.Reporter // none: libp2p calls the four methods below and no other
	sent, received   atomic.Int64
}

func (b *byteCount) LogSentMessage(n int64)                                 { b.sent.Add(n) }
func (b *byteCount) LogRecvMessage(n int64)                                 { b.received.Add(n) }
func (b *byteCount) LogSentMessageStream(int64, libp2pprotocol.ID, peer.ID) {}
func (b *byteCount) LogRecvMessageStream(int64, libp2pprotocol.ID, peer.ID) {}

// counters are the counts that libp2p does not keep.
type counters struct {
	mu         sync.Mutex // guards the fields below
	served     int64
	servedB    int64
	fetched    int64
	fetchedB   int64
	rejections map[string]int64
}

func (c *counters) serve(bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.served++
	c.servedB += int64(bytes)
}

func (c *counters) fetch(bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fetched++
	c.fetchedB += int64(bytes)
}

func (c *counters) reject(r protocol.Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rejections == nil {
		c.rejections = make(map[string]int64)
	}
	c.rejections[r.String()]++
}

// CountRejection counts a record of a peer that the caller refused.
func (m *Mesh) CountRejection(r protocol.Reason) { m.counters.reject(r) }

// Traffic returns the counts so far.
func (m *Mesh) Traffic() Traffic {
	m.mu.Lock()
	peers := len(m.admitted)
	m.mu.Unlock()
	c := &m.counters
	c.mu.Lock()
	defer c.mu.Unlock()
	return Traffic{
		Peers: peers, BytesSent: m.bytes.sent.Load(), BytesReceived: m.bytes.received.Load(),
		BlocksServed: c.served, BytesServed: c.servedB,
		BlocksFetched: c.fetched, BytesFetched: c.fetchedB,
		Rejections: maps.Clone(c.rejections),
	}
}
