package node

import (
	"context"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/unit"
)

// remote is the blocks of a ticket: those of the local store, and those its
// hints hold, fetched and verified when they are asked for. One goroutine uses it.
type remote struct {
	store *block.Store
	mesh  *mesh.Mesh
	hints []string
	from  peer.ID // when defined, it alone is asked
	root  cid.Cid // when defined, its providers are asked for the blocks that the hints lack
	owner string  // of all blocks that are read or fetched
	made  string  // owner of all blocks that are put
	// When defined, text has another owner than the other blocks.
	text      cid.Cid
	textOwner string
	most      uint64               // bytes of the leaves of one node, about; 0: no bound
	in        uint64               // bytes fetched
	fresh     map[cid.Cid]struct{} // fetched, and not yet counted
}

// Get returns a block, fetching it when it is not here. With a node come the
// raw leaves it links to, in one request.
func (r *remote) Get(ctx context.Context, c cid.Cid) ([]byte, error) {
	data, err := r.one(ctx, c)
	if err != nil || block.Codec(c.Type()) != block.CBOR {
		return data, err
	}
	links, err := block.Links(data)
	if err != nil {
		return nil, err
	}
	var leaves []cid.Cid
	for _, l := range links {
		if block.Codec(l.Type()) == block.Raw {
			leaves = append(leaves, l)
		}
	}
	if r.most > 0 && uint64(len(leaves)) > (r.most+block.LeafSize-1)/block.LeafSize {
		return nil, protocol.Refuse(protocol.TooLarge, "block %s links to %d leaves of %d bytes, an input of this unit has at most %d bytes", c, len(leaves), block.LeafSize, r.most)
	}
	return data, r.fetch(ctx, leaves...)
}

// recordLeaves is the most bytes of the leaves of a record that is no set of tensors,
// such as a run's tokenizer.
const recordLeaves = 4 << 20

// bound bounds what is fetched for a unit by what the unit's model has: of a set of
// tensors, twice the bytes of its parameters. Whoever issues a ticket could otherwise
// have gigabytes fetched for a model of some kilobytes. It returns the least memory, in
// bytes, that the unit takes: the parameters; to train them their gradients and the
// logits of a batch; to combine them, or the adapters that are trained in their place, their
// moments and all deltas; to average them all that are averaged.
func (r *remote) bound(ctx context.Context, u unit.Unit) (memory uint64, err error) {
	r.most = recordLeaves
	var elements uint64
	if u.Kind == unit.Translate {
		m, err := model.Read(ctx, r, u.Inputs[0])
		if err != nil {
			return 0, err
		}
		elements = m.Config().Elements()
		memory = 4 * elements
	} else {
		record, err := run.Read(ctx, r, u.Work)
		if err != nil {
			return 0, err
		}
		elements = record.Model().Elements()
		trained := record.Trained().Elements()
		inputs := uint64(len(u.Inputs))
		switch u.Kind {
		case unit.Combine:
			deltas := inputs - 3
			if record.Config.Local(int(u.Round)) {
				deltas /= 2
			}
			memory = 3*4*trained + deltas*trained*uint64(record.Config.DeltaBits)/8
		case unit.Average:
			memory = 4 * elements * inputs
		default:
			memory = 4 * (2*elements + uint64(record.Config.BatchTokens)*uint64(record.Vocab))
			if record.Config.LoRA > 0 { // the parameters with the adapters merged
				memory += 4 * elements
			}
		}
	}
	r.most += 2 * 4 * elements
	return memory, nil
}

// one returns a block without the blocks that it links to.
func (r *remote) one(ctx context.Context, c cid.Cid) ([]byte, error) {
	if err := r.fetch(ctx, c); err != nil {
		return nil, err
	}
	data, err := r.store.Get(ctx, c)
	if _, ok := r.fresh[c]; ok {
		r.in += uint64(len(data))
		delete(r.fresh, c)
	}
	return data, err
}

func (r *remote) fetch(ctx context.Context, cs ...cid.Cid) error {
	missing := r.missing(cs)
	if len(missing) == 0 {
		return nil
	}
	if r.from != "" {
		wants := make([]mesh.Want, len(missing))
		for i, c := range missing {
			wants[i] = mesh.Want{CID: c, Most: block.MaxSize}
		}
		return r.mesh.FetchFrom(ctx, r.from, wants...)
	}
	return r.mesh.FetchPart(ctx, r.hints, r.root, missing...)
}

// missing is the blocks that are not here, which the caller is about to fetch.
func (r *remote) missing(cs []cid.Cid) []cid.Cid {
	var missing []cid.Cid
	for _, c := range cs {
		owner := r.owner
		if c == r.text {
			owner = r.textOwner
		}
		if !r.store.Pin(owner, c) {
			missing = append(missing, c)
		}
	}
	if r.fresh == nil {
		r.fresh = map[cid.Cid]struct{}{}
	}
	for _, c := range missing {
		r.fresh[c] = struct{}{}
	}
	return missing
}

// Put stores a block the unit made.
func (r *remote) Put(ctx context.Context, codec block.Codec, data []byte) (cid.Cid, error) {
	return block.Owned{Store: r.store, Owner: r.made}.Put(ctx, codec, data)
}
