package work

import (
	"context"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
)

// overlay reads what the verifier itself computed, then the claims; it
// writes only beside them.
type overlay struct {
	mine   *block.MemoryStore
	claims block.Blocks
}

func (o *overlay) Get(ctx context.Context, c cid.Cid) ([]byte, error) {
	if o.mine.Has(c) {
		return o.mine.Get(ctx, c)
	}
	return o.claims.Get(ctx, c)
}

func (o *overlay) Put(ctx context.Context, codec block.Codec, data []byte) (cid.Cid, error) {
	return o.mine.Put(ctx, codec, data)
}
