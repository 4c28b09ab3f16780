package mesh

import (
	"net"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// How many blocks are sent at a time. On a slow line, a few blocks at a time arrive
// one after the other; with many at a time, no block arrives before its time-out. A peer
// that reads slowly keeps a turn for minutes, and keys cost nothing. So all peers of one
// line together have at most half of the turns.
const (
	maxUploads    = 16
	uploadsOfPeer = 4
	uploadsOfLine = maxUploads / 2
)

// uploads gives blocks their turn to be sent: first to the peer that is being sent the
// fewest, and between equals first come, first served.
type uploads struct {
	mu    sync.Mutex      // guards the fields below
	busy  int             // blocks that have their turn
	of    map[peer.ID]int // of these blocks, by peer
	on    map[string]int  // of these blocks, by line
	queue []*upload
}

// upload is a block to be sent to a peer.
type upload struct {
	to   peer.ID
	line string
	turn chan struct{} // closed when it is the block's turn
}

// lineOf names the line that a peer's address is at: an IPv4 address, or the 64 bits of
// an IPv6 address that a provider gives to one customer.
func lineOf(a ma.Multiaddr) string {
	ip, err := manet.ToIP(a)
	switch {
	case err != nil:
		return "" // all peers without an address share a line
	case ip.To4() == nil:
		ip = ip.Mask(net.CIDRMask(64, 128))
	}
	return ip.String()
}

// enter queues a block.
func (u *uploads) enter(to peer.ID, line string) *upload {
	u.mu.Lock()
	defer u.mu.Unlock()
	up := &upload{to, line, make(chan struct{})}
	u.queue = append(u.queue, up)
	u.admit()
	return up
}

// leave ends a block's turn, or its wait.
func (u *uploads) leave(up *upload) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if i := slices.Index(u.queue, up); i >= 0 {
		u.queue = slices.Delete(u.queue, i, i+1)
		return
	}
	u.busy--
	if u.of[up.to]--; u.of[up.to] == 0 {
		delete(u.of, up.to)
	}
	if u.on[up.line]--; u.on[up.line] == 0 {
		delete(u.on, up.line)
	}
	u.admit()
}

// admit gives blocks their turn, first to the peer that is being sent the fewest: so
// peers with many requests do not hold up another peer. The caller holds mu.
func (u *uploads) admit() {
	for u.busy < maxUploads {
		next, fewest := -1, uploadsOfPeer
		for i, up := range u.queue {
			if n := u.of[up.to]; n < fewest && u.on[up.line] < uploadsOfLine {
				next, fewest = i, n
			}
		}
		if next < 0 {
			return
		}
		up := u.queue[next]
		if u.of == nil {
			u.of, u.on = make(map[peer.ID]int), make(map[string]int)
		}
		u.queue = slices.Delete(u.queue, next, next+1)
		u.busy++
		u.of[up.to]++
		u.on[up.line]++
		close(up.turn)
	}
}
