package mesh

import (
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
)

// The blocks that are sent at a time. On a slow line few blocks at a time arrive
// one after the other; with many, none arrives in time.
const (
	maxUploads    = 16
	uploadsOfPeer = 4
)

// uploads lets blocks be sent in turn, first come, first served.
type uploads struct {
	mu    sync.Mutex // guards the fields below
	busy  int
	of    map[peer.ID]int // of the busy ones
	queue []*upload
}

// upload is a block to be sent to a peer.
type upload struct {
	to   peer.ID
	turn chan struct{} // closed when it is the block's turn
}

// enter queues a block.
func (u *uploads) enter(to peer.ID) *upload {
	u.mu.Lock()
	defer u.mu.Unlock()
	up := &upload{to, make(chan struct{})}
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
	u.admit()
}

// admit gives blocks their turn. A peer with uploadsOfPeer blocks does not hold up
// those behind it. The caller holds mu.
func (u *uploads) admit() {
	for i := 0; i < len(u.queue) && u.busy < maxUploads; {
		up := u.queue[i]
		if u.of[up.to] == uploadsOfPeer {
			i++
			continue
		}
		if u.of == nil {
			u.of = make(map[peer.ID]int)
		}
		u.queue = slices.Delete(u.queue, i, i+1)
		u.busy++
		u.of[up.to]++
		close(up.turn)
	}
}
