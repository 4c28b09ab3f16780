package mesh

import (
	"context"
	"errors"
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/protocol/block"
)

const (
	maxTree      = 1 << 17 // blocks that FetchTree follows from one root
	maxProviders = 8       // that Fetch asks of the DHT
)

// Fetch makes sure that the blocks are held here. It asks the holders, given by
// addresses ending in /p2p/ID (of which /p2p/ID alone will do for a connected
// peer), in turn for what is missing, and then the providers that the DHT knows
// for the first missing block. Every block is verified before it is kept. A
// peer that fails, or sends a block that is not what its CID names, is passed
// over. What nobody has is a [block.ErrNotFound].
func (m *Mesh) Fetch(ctx context.Context, holders []string, cids ...cid.Cid) error {
	return m.newFetch(holders).fetch(ctx, cids)
}

// FetchTree makes sure that root and all that it reaches through the links of
// CBOR blocks are held here, level by level.
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

// fetcher is one Fetch or FetchTree: who may be asked, and who is not to be
// asked again.
type fetcher struct {
	*Mesh
	holders []peer.AddrInfo
	root    cid.Cid // of the tree, if it is one: who provides it has the rest
	skip    map[peer.ID]struct{}
	errs    []error // of those to skip
}

// newFetch reads the holders; those that are no addresses, or we, are left out.
func (m *Mesh) newFetch(holders []string) *fetcher {
	f := &fetcher{Mesh: m, skip: make(map[peer.ID]struct{})}
	for _, h := range holders {
		if info, err := parseAddrs([]string{h}); err != nil {
			m.log.Debug("holder passed over", "err", err)
		} else if info[0].ID != m.host.ID() {
			f.holders = append(f.holders, info[0])
		}
	}
	return f
}

// fetch gets what is missing of the blocks: itself those that no other fetch is
// getting, and then, should the others not succeed, the rest.
func (f *fetcher) fetch(ctx context.Context, cids []cid.Cid) error {
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
			return fmt.Errorf("fetch: %d of %d blocks, the first %s: %w", len(missing), len(cids), missing[0], errors.Join(append(f.errs, block.ErrNotFound)...))
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

// claim takes upon this fetch those of the blocks that are neither held nor on
// their way, and returns the signals of those that are on their way.
func (f *fetcher) claim(cids []cid.Cid) (mine []cid.Cid, theirs []chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	own := make(map[cid.Cid]struct{})
	for _, c := range cids {
		if _, ok := own[c]; ok || f.cfg.Blocks.Has(c) {
			continue
		}
		if here, ok := f.fetching[c]; ok {
			theirs = append(theirs, here)
			continue
		}
		f.fetching[c] = make(chan struct{})
		own[c] = struct{}{}
		mine = append(mine, c)
	}
	return mine, theirs
}

func (f *fetcher) release(mine []cid.Cid) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range mine {
		close(f.fetching[c])
		delete(f.fetching, c)
	}
}

// get asks the holders, then the providers of the tree's root or of the first
// block that they lack, and returns what is still missing.
func (f *fetcher) get(ctx context.Context, wants []cid.Cid) ([]cid.Cid, error) {
	wants, err := f.ask(ctx, f.holders, wants)
	if err != nil || len(wants) == 0 {
		return nil, err
	}
	key := wants[0]
	if f.root.Defined() {
		key = f.root
	}
	found := f.providers(ctx, key, maxProviders)
	f.holders = append(f.holders, found...)
	return f.ask(ctx, found, wants)
}

// ask asks the peers in turn and returns what is still wanted. It fails only
// for reasons of our own.
func (f *fetcher) ask(ctx context.Context, peers []peer.AddrInfo, wants []cid.Cid) ([]cid.Cid, error) {
	for _, p := range peers {
		if len(wants) == 0 {
			break
		}
		if _, ok := f.skip[p.ID]; ok {
			continue
		}
		var err error
		wants, err = f.fetchFrom(ctx, p, wants)
		if ctx.Err() != nil {
			return wants, ctx.Err()
		}
		var put *putError
		if errors.As(err, &put) {
			return wants, put.error
		}
		if err != nil {
			f.skip[p.ID] = struct{}{}
			f.errs = append(f.errs, fmt.Errorf("peer %s: %w", p.ID, err))
			f.log.Debug("holder skipped", "peer", p.ID, "err", err)
		}
	}
	return wants, nil
}
