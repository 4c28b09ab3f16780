package block

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/ipfs/go-cid"
)

// MemoryStore stores blocks in memory. The zero MemoryStore is empty and ready
// to use.
type MemoryStore struct {
	mu     sync.RWMutex // guards blocks
	blocks map[cid.Cid][]byte
	owners owners
}

// Get returns the block that c names.
func (m *MemoryStore) Get(ctx context.Context, c cid.Cid) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	data, ok := m.blocks[c]
	if !ok {
		return nil, fmt.Errorf("block %s: %w", c, ErrNotFound)
	}
	return data, nil
}

// Put keeps a copy of data.
func (m *MemoryStore) Put(ctx context.Context, codec Codec, data []byte) (cid.Cid, error) {
	if err := checkPut(codec, data); err != nil {
		return cid.Undef, err
	}
	c := Sum(codec, data)
	if err := m.put(ctx, c, data); err != nil {
		return cid.Undef, err
	}
	return c, nil
}

// PutNamed is [Store.PutNamed].
func (m *MemoryStore) PutNamed(ctx context.Context, c cid.Cid, data []byte) error {
	if err := Verify(c, data); err != nil {
		return err
	}
	return m.put(ctx, c, data)
}

// put keeps a copy of the data that c names.
func (m *MemoryStore) put(ctx context.Context, c cid.Cid, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.blocks == nil {
		m.blocks = make(map[cid.Cid][]byte)
	}
	if _, ok := m.blocks[c]; !ok {
		m.blocks[c] = bytes.Clone(data)
	}
	m.owners.stored(c, int64(len(data)), func() bool { return true }) // under mu
	return nil
}

// Has reports whether the block is in the store.
func (m *MemoryStore) Has(c cid.Cid) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, ok := m.blocks[c]
	return ok
}

// Delete loses the block, if it is in the store, whoever owns it.
func (m *MemoryStore) Delete(c cid.Cid) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blocks, c)
	m.owners.lost(c)
	return nil
}

// Pin implements [Keeper].
func (m *MemoryStore) Pin(owner string, blocks ...cid.Cid) bool {
	return len(m.owners.pin(owner, blocks)) == 0
}

// Unpin implements [Keeper].
func (m *MemoryStore) Unpin(owner string, keep ...cid.Cid) {
	m.owners.unpin(owner, keep, func(cid.Cid) bool { return false })
}

// Sweep implements [Keeper].
func (m *MemoryStore) Sweep(ctx context.Context, spare int64) (Swept, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.owners.sweep(ctx, spare, func(c cid.Cid) error {
		delete(m.blocks, c)
		return nil
	})
}
