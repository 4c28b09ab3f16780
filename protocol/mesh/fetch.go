package mesh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/protocol/block"
)

const (
	maxTree      = 1 << 17 // blocks of one tree
	maxProviders = 8       // asked for by one Fetch, beyond the given holders
	lookupPause  = 500 * time.Millisecond
)

// Fetch brings the blocks into the local store. It asks the first holder, the next
// ones too when that is slow or fails, and then the peers that the DHT lists as
// providers of the first missing block. Holders are addresses that end in
// /p2p/ID; for a connected peer /p2p/ID is enough. Every block is verified
// before it is stored. A peer that sends a block that does not match its CID, or
// fails several times in turn, is not asked again. An error wraps
// [block.ErrNotFound] if no peer sent a block.
func (m *Mesh) Fetch(ctx context.Context, holders []string, cids ...cid.Cid) error {
	return m.newFetch(holders).fetch(ctx, cids)
}

// FetchPart is [Mesh.Fetch] for some blocks of a tree. The DHT is asked for
// providers of the tree's root, because the other blocks have no provider records.
func (m *Mesh) FetchPart(ctx context.Context, holders []string, root cid.Cid, cids ...cid.Cid) error {
	f := m.newFetch(holders)
	f.root = root
	return f.fetch(ctx, cids)
}

// Want is a block, and the most bytes that it may have.
type Want struct {
	CID  cid.Cid
	Most int
}

// ErrTooLarge is wrapped by the error of FetchFrom for a block of more bytes than
// wanted.
var ErrTooLarge = errors.New("the block has more bytes than wanted")

// FetchFrom brings blocks of one peer into the local store, also those that are there
// already: afterwards it is known that the peer has the blocks, and lets this node read
// them. Of a block with more bytes than wanted nothing is read. An error wraps
// [block.ErrNotFound] if the peer did not send a block.
func (m *Mesh) FetchFrom(ctx context.Context, holder peer.ID, wants ...Want) error {
	f := m.newFetch([]string{"/p2p/" + holder.String()})
	f.most = make(map[cid.Cid]int, len(wants))
	var cids []cid.Cid
	for _, w := range wants {
		if err := block.Check(w.CID); err != nil {
			return fmt.Errorf("fetch: %w", err)
		}
		if _, twice := f.most[w.CID]; !twice {
			cids = append(cids, w.CID)
		}
		f.most[w.CID] = w.Most
	}
	missing, err := f.gather(ctx, cids)
	if err == nil && len(missing) > 0 {
		err = f.notFound(missing, len(cids))
	}
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	return nil
}

// FetchTree brings root and all blocks below it into the local store, level by
// level. The links of CBOR blocks lead from one level to the next.
func (m *Mesh) FetchTree(ctx context.Context, holders []string, root cid.Cid) error {
	f := m.newFetch(holders)
	f.root = root
	level := []cid.Cid{root}
	seen := map[cid.Cid]struct{}{root: {}}
	for len(level) > 0 {
		if err := f.fetch(ctx, level); err != nil {
			return fmt.Errorf("tree %s: %w", root, err)
		}
		var next []cid.Cid
		for _, c := range level {
			if block.Codec(c.Type()) != block.CBOR {
				continue
			}
			node, err := m.cfg.Blocks.Get(ctx, c)
			if err != nil {
				return fmt.Errorf("tree %s: %w", root, err)
			}
			links, err := block.Links(node)
			if err != nil {
				return fmt.Errorf("tree %s: block %s: %w", root, c, err)
			}
			for _, l := range links {
				if _, ok := seen[l]; !ok {
					seen[l] = struct{}{}
					next = append(next, l)
				}
			}
		}
		if len(seen) > maxTree {
			return fmt.Errorf("tree %s: more than %d blocks", root, maxTree)
		}
		level = next
	}
	return nil
}

// fetcher is one call of Fetch or FetchTree: the peers to ask, and those not to ask
// again.
type fetcher struct {
	*Mesh
	holders []*holder
	root    cid.Cid         // of a tree: its providers have all blocks of the tree
	most    map[cid.Cid]int // the most bytes of some blocks
	from    string          // the root and the given holders, see fetching
}

// fetching is a block that a fetch is getting, and from whom: the root and the holders.
// Another fetch waits for it only if it would ask the same peers. Else a stranger that
// names a block, and sends it as slowly as it may, would hold up those who get the block
// from an honest peer.
type fetching struct {
	block cid.Cid
	from  string
}

// add adds a peer to ask, unless it is known.
func (f *fetcher) add(info peer.AddrInfo) {
	if info.ID == f.host.ID() {
		return
	}
	for _, h := range f.holders {
		if h.info.ID == info.ID {
			h.info.Addrs = append(h.info.Addrs, info.Addrs...)
			return
		}
	}
	f.holders = append(f.holders, newHolder(info))
}

// newFetch parses the holders. Invalid addresses and this node are left out.
func (m *Mesh) newFetch(holders []string) *fetcher {
	f := &fetcher{Mesh: m}
	for _, h := range holders {
		if info, err := parseAddrs([]string{h}); err != nil {
			m.log.Debug("holder ignored", "err", err)
		} else {
			f.add(info[0])
		}
	}
	return f
}

// fetch gets the missing blocks. It first gets the blocks that no other fetch is
// getting from the same peers. Then it waits for the other fetches, and gets the blocks
// that they failed to get.
func (f *fetcher) fetch(ctx context.Context, cids []cid.Cid) error {
	if f.from == "" { // later, providers are among the holders
		from := []string{f.root.KeyString()}
		for _, h := range f.holders {
			from = append(from, string(h.info.ID))
		}
		slices.Sort(from)
		f.from = strings.Join(from, " ")
	}
	for _, c := range cids {
		if err := block.Check(c); err != nil {
			return fmt.Errorf("fetch: %w", err)
		}
	}
	for {
		mine, theirs := f.claim(cids)
		missing, err := f.get(ctx, mine)
		f.release(mine)
		if err != nil {
			return fmt.Errorf("fetch: %w", err)
		}
		if len(missing) > 0 {
			return f.notFound(missing, len(cids))
		}
		if len(theirs) == 0 {
			return nil
		}
		for _, here := range theirs {
			select {
			case <-here:
			case <-ctx.Done():
				return fmt.Errorf("fetch: %w", ctx.Err())
			}
		}
	}
}

// notFound is the error for blocks, of all asked for, that no peer sent.
func (f *fetcher) notFound(missing []cid.Cid, all int) error {
	var causes []string
	why := block.ErrNotFound
	for _, h := range f.holders {
		if h.err == nil {
			continue
		}
		causes = append(causes, fmt.Sprintf("peer %s: %v", h.info.ID, h.err))
		if errors.Is(h.err, ErrTooLarge) {
			why = ErrTooLarge
		}
	}
	switch {
	case len(f.holders) == 0:
		causes = append(causes, "no peer that has the block is known")
	case len(causes) < len(f.holders):
		causes = append(causes, fmt.Sprintf("%d peers do not have the block", len(f.holders)-len(causes)))
	}
	return fmt.Errorf("fetch %d of %d blocks, the first %s: %w: %s", len(missing), all, missing[0], why, strings.Join(causes, "; "))
}

// claim reserves for this fetch the blocks that are neither in the store nor
// reserved by another fetch from the same peers. It returns the signals of the other
// fetches.
func (f *fetcher) claim(cids []cid.Cid) (mine []cid.Cid, theirs []chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	own := make(map[cid.Cid]struct{})
	for _, c := range cids {
		if _, ok := own[c]; ok || f.cfg.Blocks.Has(c) {
			continue
		}
		k := fetching{c, f.from}
		if here, ok := f.fetching[k]; ok {
			theirs = append(theirs, here)
			continue
		}
		f.fetching[k] = make(chan struct{})
		own[c] = struct{}{}
		mine = append(mine, c)
	}
	return mine, theirs
}

func (f *fetcher) release(mine []cid.Cid) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range mine {
		k := fetching{c, f.from}
		close(f.fetching[k])
		delete(f.fetching, k)
	}
}

// get asks the holders, then the providers of the tree's root or of the first
// missing block. It returns the blocks that are still missing.
func (f *fetcher) get(ctx context.Context, wants []cid.Cid) ([]cid.Cid, error) {
	wants, err := f.gather(ctx, wants)
	// A block that was announced a moment ago is found at the second look.
	for wait := lookupPause; err == nil && len(wants) > 0 && wait <= 2*lookupPause; wait *= 2 {
		key := wants[0]
		if f.root.Defined() {
			key = f.root
		}
		for _, info := range f.providers(ctx, key, maxProviders) {
			f.add(info)
		}
		if len(f.holders) > 0 {
			return f.gather(ctx, wants)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return wants, ctx.Err()
		}
	}
	return wants, err
}
