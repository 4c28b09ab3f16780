package block

import (
	"bytes"
	"slices"
	"sync"

	"github.com/ipfs/go-cid"
)

const (
	recentBytes = 16 << 20 // of the blocks that a store keeps in memory, at most
	recentLeast = 4 << 10  // bytes of the smallest such block: smaller ones are read from the disk fast
)

// recent is the blocks that came from peers lately. A node reads such a block at once, and
// often twice: a result is checked, and then combined with others. Its bytes were compared
// with its CID when they came, so they are not read from the disk and hashed each time.
// The oldest block gives way. The zero value is ready to use.
type recent struct {
	mu     sync.Mutex // guards the fields below
	blocks map[cid.Cid][]byte
	order  []cid.Cid // by age
	size   int
}

// add keeps a copy of a block.
func (r *recent) add(c cid.Cid, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.blocks[c]; ok || len(data) < recentLeast {
		return
	}
	for len(r.order) > 0 && r.size+len(data) > recentBytes {
		r.remove(r.order[0])
	}
	if r.blocks == nil {
		r.blocks = map[cid.Cid][]byte{}
	}
	r.blocks[c] = bytes.Clone(data)
	r.order, r.size = append(r.order, c), r.size+len(data)
}

// get gives a block that is kept.
func (r *recent) get(c cid.Cid) (data []byte, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	data, ok = r.blocks[c]
	return data, ok
}

// drop forgets a block that leaves the store.
func (r *recent) drop(c cid.Cid) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(c)
}

// remove is drop with mu held.
func (r *recent) remove(c cid.Cid) {
	i := slices.Index(r.order, c) // of 4,096 at most
	if i < 0 {
		return
	}
	r.order = slices.Delete(r.order, i, i+1)
	r.size -= len(r.blocks[c])
	delete(r.blocks, c)
}
