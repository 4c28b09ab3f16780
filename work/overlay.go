package work

import (
	"context"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
)

// Claims is the store from which a verifier reads the results that others claim.
type Claims interface {
	block.Blocks
	// Inspect returns a block's bytes as they are, whether or not they match its CID.
	Inspect(c cid.Cid) ([]byte, error)
}

// Overlay is claims, and in memory the blocks computed here. It never writes to
// the claims.
type Overlay struct {
	Claims
	mine block.MemoryStore
}

// Get returns a block computed here, or else the claimed one.
func (o *Overlay) Get(ctx context.Context, c cid.Cid) ([]byte, error) {
	if o.mine.Has(c) {
		return o.mine.Get(ctx, c)
	}
	return o.Claims.Get(ctx, c)
}

// Put keeps a block in memory.
func (o *Overlay) Put(ctx context.Context, codec block.Codec, data []byte) (cid.Cid, error) {
	return o.mine.Put(ctx, codec, data)
}
