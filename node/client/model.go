package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
)

// lookEvery is the pause between two searches for the model.
const lookEvery = time.Second / 2

// errNobody is returned, wrapped, when no peer that was found has the model.
var errNobody = errors.New("no peer that was found has the model: ask a miner to hold it (alia miner run --hold DIR), " +
	"or name a peer that has it, such as with translate --holder")

// Model fetches a model's record, which names its languages. holders are addresses of peers
// that have it; without them the network's directory is asked.
func (c *Client) Model(ctx context.Context, link block.Link, holders []string) (*model.Head, error) {
	return c.findModel(ctx, Document{Model: link, Holders: holders})
}

// Fetch fetches a whole model into the peer's store. holders are as for [Client.Model]. What is
// fetched is no more than the configuration of the model tells: a CID may name a tree of any size.
func (c *Client) Fetch(ctx context.Context, link block.Link, holders []string) (*model.Translator, error) {
	head, err := c.Model(ctx, link, holders)
	if err != nil {
		return nil, err
	}
	leaves, err := head.Leaves(ctx, &modelBlocks{peer: c.Peer, holders: holders, root: link.Cid})
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", link, err)
	}
	if err := c.Peer.Mesh.FetchPart(ctx, holders, link.Cid, leaves...); err != nil {
		return nil, fmt.Errorf("model %s: %w", link, err)
	}
	return model.Load(ctx, c.Peer.Store, link)
}

// findModel fetches the model's record and tokenizer, not its parameters: the
// customer only cuts the text into sentences of a length that the model takes. A
// peer that has just joined knows nobody, so findModel looks again for a while.
func (c *Client) findModel(ctx context.Context, d Document) (*model.Head, error) {
	blocks := &modelBlocks{peer: c.Peer, holders: d.Holders, root: d.Model.Cid}
	reported := false
	for began := time.Now(); ; {
		m, err := model.ReadHead(ctx, blocks, d.Model)
		if !errors.Is(err, block.ErrNotFound) {
			return &m, err
		}
		if time.Since(began) >= cmp.Or(c.Patience, DefaultPatience) {
			c.Peer.Log.Debug("model not found", "model", d.Model, "err", err)
			return nil, fmt.Errorf("model %s: %w", d.Model, errNobody)
		}
		if !reported {
			c.report(node.Waiting{Why: node.Why{
				Code: protocol.InputUnavailable.String(), Text: fmt.Sprintf("no peer that was found has model %s yet", d.Model),
			}})
			reported = true
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lookEvery):
		}
	}
}

// modelBlocks is the peer's blocks, and those of the model, which it fetches when
// they are read.
type modelBlocks struct {
	peer    *node.Peer
	holders []string
	root    cid.Cid
}

func (b *modelBlocks) Get(ctx context.Context, c cid.Cid) ([]byte, error) {
	if err := b.peer.Mesh.FetchPart(ctx, b.holders, b.root, c); err != nil {
		return nil, err
	}
	return b.peer.Store.Get(ctx, c)
}

func (b *modelBlocks) Put(ctx context.Context, codec block.Codec, data []byte) (cid.Cid, error) {
	return b.peer.Store.Put(ctx, codec, data)
}
