package block

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/ipfs/go-cid"
)

// Keeper is a store whose blocks have owners.
//
// An owner is a name for someone who needs blocks, such as "model/CID" or
// "run/CID/state". Pin makes the owner an owner of the blocks, also of those that
// the store does not have yet, and reports whether the store has all of them. Unpin
// ends this, but for the blocks in keep. Sweep deletes blocks without an owner, the
// oldest first, until those that are left have at most spare bytes. A block counts as
// old since it was put, or since its last owner left.
//
// A block that Pin found is not deleted before its owner leaves. So pin a block
// before you look for it.
type Keeper interface {
	Blocks
	Pin(owner string, blocks ...cid.Cid) bool
	Unpin(owner string, keep ...cid.Cid)
	Sweep(ctx context.Context, spare int64) (Swept, error)
}

// Swept counts the blocks that a sweep deleted.
type Swept struct {
	Deleted      int
	DeletedBytes int64
}

// Usage counts the blocks of a store: those that have an owner, and the loose ones,
// which have none.
type Usage struct {
	Owned, Loose           int
	OwnedBytes, LooseBytes int64
}

// Owned is the blocks of a store, each of which gets an owner when it is read or put.
type Owned struct {
	Store Keeper
	Owner string
}

// Get implements [Blocks].
func (o Owned) Get(ctx context.Context, c cid.Cid) ([]byte, error) {
	o.Store.Pin(o.Owner, c)
	return o.Store.Get(ctx, c)
}

// Put implements [Blocks].
func (o Owned) Put(ctx context.Context, codec Codec, data []byte) (cid.Cid, error) {
	if err := checkPut(codec, data); err != nil {
		return cid.Undef, err
	}
	c := Sum(codec, data)
	o.Store.Pin(o.Owner, c) // first: the owner may want it secret, and a sweep may be fast
	// Our own stores need not hash the data again.
	var err error
	switch s := o.Store.(type) {
	case *Store:
		err = s.put(ctx, c, data)
	case *MemoryStore:
		err = s.put(ctx, c, data)
	default:
		return o.Store.Put(ctx, codec, data)
	}
	if err != nil {
		return cid.Undef, err
	}
	return c, nil
}

// PinTree pins the roots and every block that a chain of links leads to from a root.
// A block that is not in the store ends a chain: a training run's old states are
// deleted, while its logs still name them. A damaged node is an error, [ErrDamaged]:
// its links are unknown, so too few blocks are pinned.
func PinTree(ctx context.Context, s Keeper, owner string, roots ...cid.Cid) error {
	return walk(ctx, Owned{s, owner}, roots, func(c cid.Cid) { s.Pin(owner, c) })
}

// owners is who owns which block. Its zero value is ready to use.
type owners struct {
	mu     sync.Mutex // guards the fields below
	blocks map[cid.Cid]*owned
	of     map[string][]*owned // by owner
	oldest *owned              // of the loose blocks, a list
	newest *owned
	usage  Usage
}

// owned is a block that is stored or pinned.
type owned struct {
	cid          cid.Cid
	size         int64 // bytes; absent when the block is not known to be stored
	owners       []string
	older, newer *owned // of a loose block
	loose        bool   // in the list
}

const absent = -1

// entry returns what is known of a block. The caller holds mu.
func (o *owners) entry(c cid.Cid) *owned {
	e := o.blocks[c]
	if e == nil {
		if o.blocks == nil {
			o.blocks, o.of = map[cid.Cid]*owned{}, map[string][]*owned{}
		}
		e = &owned{cid: c, size: absent}
		o.blocks[c] = e
	}
	return e
}

// count adds a stored block to the usage, n times. The caller holds mu.
func (o *owners) count(e *owned, n int) {
	bytes := int64(n) * e.size
	if len(e.owners) > 0 {
		o.usage.Owned, o.usage.OwnedBytes = o.usage.Owned+n, o.usage.OwnedBytes+bytes
	} else {
		o.usage.Loose, o.usage.LooseBytes = o.usage.Loose+n, o.usage.LooseBytes+bytes
	}
}

// takeOut removes a block from the counts and the list, before it changes. The caller
// holds mu.
func (o *owners) takeOut(e *owned) {
	if e.size != absent {
		o.count(e, -1)
	}
	if !e.loose {
		return
	}
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		o.oldest = e.newer
	}
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		o.newest = e.older
	}
	e.older, e.newer, e.loose = nil, nil, false
}

// putBack adds a block that has changed to the counts, and to the end of the list
// where it is loose. A block that nobody owns and that is not stored is forgotten.
// The caller holds mu.
func (o *owners) putBack(e *owned) {
	switch {
	case e.size != absent:
		o.count(e, 1)
	case len(e.owners) == 0:
		delete(o.blocks, e.cid)
		return
	}
	if len(e.owners) > 0 {
		return
	}
	if e.older, e.loose = o.newest, true; e.older != nil {
		e.older.newer = e
	} else {
		o.oldest = e
	}
	o.newest = e
}

// stored notes that a block is in the store, unless has, which is called while no sweep
// removes a block, reports that it is not.
func (o *owners) stored(c cid.Cid, size int64, has func() bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !has() {
		return false
	}
	e := o.entry(c)
	o.takeOut(e)
	e.size = size
	o.putBack(e)
	return true
}

// lost notes that a block is not in the store any more. Its owners stay.
func (o *owners) lost(c cid.Cid) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e := o.blocks[c]; e != nil {
		o.takeOut(e)
		e.size = absent
		o.putBack(e)
	}
}

// pin adds an owner to blocks. It returns those that are not known to be stored.
func (o *owners) pin(owner string, blocks []cid.Cid) (unknown []cid.Cid) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range blocks {
		e := o.entry(c)
		if !slices.Contains(e.owners, owner) {
			o.takeOut(e)
			e.owners = append(e.owners, owner)
			o.of[owner] = append(o.of[owner], e)
			o.putBack(e)
		}
		if e.size == absent {
			unknown = append(unknown, c)
		}
	}
	return unknown
}

// unpin removes an owner from its blocks, but for those in keep. It calls drop with each block
// that has no owner any more, while it holds the lock, so that no block is dropped that Pin
// has just found. drop reports whether the block is not stored any more.
func (o *owners) unpin(owner string, keep []cid.Cid, drop func(cid.Cid) bool) {
	stay := make(map[cid.Cid]struct{}, len(keep))
	for _, c := range keep {
		stay[c] = struct{}{}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var left []*owned
	for _, e := range o.of[owner] {
		if _, ok := stay[e.cid]; ok {
			left = append(left, e)
			continue
		}
		o.takeOut(e)
		e.owners = slices.DeleteFunc(e.owners, func(s string) bool { return s == owner })
		if len(e.owners) == 0 && drop(e.cid) {
			e.size = absent
		}
		o.putBack(e)
	}
	if len(left) > 0 {
		o.of[owner] = left
	} else {
		delete(o.of, owner)
	}
}

// ownedBy reports whether a block has an owner for whom match reports true. match
// must not use the store.
func (o *owners) ownedBy(c cid.Cid, match func(owner string) bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.blocks[c]
	return e != nil && slices.ContainsFunc(e.owners, match)
}

// used returns the counts.
func (o *owners) used() Usage {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.usage
}

// sweep calls remove with loose blocks, the oldest first, until the others have at
// most spare bytes. Each call of remove holds the lock, so that no block is removed
// that Pin has just found.
func (o *owners) sweep(ctx context.Context, spare int64, remove func(cid.Cid) error) (Swept, error) {
	var out Swept
	one := func() (bool, error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		e := o.oldest
		if e == nil || o.usage.LooseBytes <= spare && (spare > 0 || o.usage.Loose == 0) {
			return false, nil
		}
		if err := remove(e.cid); err != nil {
			return false, fmt.Errorf("sweep blocks: %w", err)
		}
		out.Deleted, out.DeletedBytes = out.Deleted+1, out.DeletedBytes+e.size
		o.takeOut(e)
		e.size = absent
		o.putBack(e)
		return true, nil
	}
	for {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		if more, err := one(); err != nil || !more {
			return out, err
		}
	}
}
