package client_test

import (
	"strings"
	"testing"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/state"
)

// TestFetch fetches a whole model, and refuses one whose parameters are far larger than its
// configuration before it asks for any of their leaves: nobody has these, so a fetch of them would
// be another error.
func TestFetch(t *testing.T) {
	w := newWorld(t)
	c, holders := w.customer("ada", false), w.Holder.Mesh.Addrs()
	m, err := c.Fetch(w.ctx, w.Model, holders)
	w.check(err)
	if m.ID() != w.Model {
		t.Errorf("fetched %s, want %s", m.ID(), w.Model)
	}
	if _, err := model.Load(w.ctx, c.Peer.Store, w.Model); err != nil {
		t.Errorf("in the store: %v", err)
	}
	var set state.SetRecord
	w.check(block.GetNode(w.ctx, w.Holder.Store, m.Model.Params, &set))
	last := &set.Tensors[len(set.Tensors)-1]
	last.Shape = []uint32{1 << 20, 1 << 11} // 8 GiB
	set.Data = state.File{}
	for _, x := range set.Tensors {
		set.Data.Size += x.Bytes()
	}
	for range (set.Data.Size + block.LeafSize - 1) / block.LeafSize {
		set.Data.Leaves = append(set.Data.Leaves, block.Link{Cid: block.Sum(block.Raw, make([]byte, block.LeafSize))})
	}
	store, hostile := block.Owned{Store: w.Holder.Store, Owner: node.ModelOwner(w.Model)}, m.Model
	hostile.Params, err = block.PutNode(w.ctx, store, set)
	w.check(err)
	link, err := block.PutNode(w.ctx, store, hostile)
	w.check(err)
	if _, err := c.Fetch(w.ctx, link, holders); err == nil || !strings.Contains(err.Error(), "shape [1048576 2048], the configuration has") {
		t.Errorf("parameters of 8 GiB: %v", err)
	}
}
