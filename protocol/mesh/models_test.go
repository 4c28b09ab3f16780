package mesh_test

import (
	"context"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/mesh"
)

// A peer is asked for its models. What it answers of other pairs, and pages that are not
// in order, are left out.
func TestFindModels(t *testing.T) {
	link := block.Link{Cid: block.Sum(block.CBOR, []byte("model"))}
	a := start(t, mesh.Config{Key: keyOf(1)})
	held := []protocol.HeldModel{
		{Model: link, Source: "en", Target: "de", ChrF: 600_000, Price: 3},
		{Model: link, Source: "de", Target: "en"},
	}
	a.HandleModels(func(source, target string) []protocol.HeldModel { return held })
	bad := start(t, mesh.Config{Key: keyOf(3), Bootstrap: a.Addrs()})
	bad.HandleModels(func(source, target string) []protocol.HeldModel {
		return []protocol.HeldModel{{Model: link, Source: "../x", Target: "de"}}
	})
	b := start(t, mesh.Config{Key: keyOf(2), Bootstrap: append(a.Addrs(), bad.Addrs()...)})
	met := make(chan struct{}, 8)
	b.OnPeer(func(context.Context, peer.ID) { met <- struct{}{} })
	for len(b.Peers()) < 2 {
		select {
		case <-met:
		case <-deadline(t).Done():
			t.Fatal("the peers have not met")
		}
	}
	got := b.FindModels(deadline(t), "en", "de")
	if len(got) != 1 || got[0].Account != a.Account() || len(got[0].Models) != 1 || got[0].Models[0].ChrF != held[0].ChrF {
		t.Errorf("models of a pair: %+v", got)
	}
	if got := b.FindModels(deadline(t), "", ""); len(got) != 1 || len(got[0].Models) != 2 {
		t.Errorf("all models: %+v", got)
	}
	if got := a.FindModels(deadline(t), "en", "de"); len(got) != 0 {
		t.Errorf("of a peer without models: %+v", got)
	}
}

// A peer that is not connected is found by the pair of languages of its model.
func TestFindModelsByPair(t *testing.T) {
	a := start(t, mesh.Config{Key: keyOf(1)})
	link := block.Link{Cid: block.Sum(block.CBOR, []byte("model"))}
	var store block.MemoryStore
	pair, err := store.Put(t.Context(), block.Raw, mesh.PairBlock("en", "de"))
	if err != nil {
		t.Fatal(err)
	}
	holder := start(t, mesh.Config{Key: keyOf(2), Bootstrap: a.Addrs(), Blocks: &store})
	holder.HandleModels(func(string, string) []protocol.HeldModel {
		return []protocol.HeldModel{{Model: link, Source: "en", Target: "de"}}
	})
	holder.Provide(pair)
	c := start(t, mesh.Config{Key: keyOf(3), Bootstrap: a.Addrs()})
	for ctx := deadline(t); ; {
		if got := c.FindModels(ctx, "en", "de"); len(got) == 1 && got[0].Account == holder.Account() {
			return
		}
		if ctx.Err() != nil {
			t.Fatal("the holder is not found")
		}
	}
}

// TestFindModelsSlow: peers that never answer, more than are asked at a time in eight turns,
// cost a search one time-out, and hide nobody who answers.
func TestFindModelsSlow(t *testing.T) {
	const slow = 17
	link := block.Link{Cid: block.Sum(block.CBOR, []byte("model"))}
	hang := make(chan struct{})
	defer close(hang) // before the peers are closed
	b := start(t, mesh.Config{Key: keyOf(1)})
	for i := range slow + 1 {
		p := start(t, mesh.Config{Key: keyOf(byte(2 + i)), Bootstrap: b.Addrs()})
		p.HandleModels(func(string, string) []protocol.HeldModel {
			if i < slow {
				<-hang
			}
			return []protocol.HeldModel{{Model: link, Source: "en", Target: "de"}}
		})
	}
	met := make(chan struct{}, 64)
	b.OnPeer(func(context.Context, peer.ID) { met <- struct{}{} })
	for len(b.Peers()) < slow+1 {
		select {
		case <-met:
		case <-deadline(t).Done():
			t.Fatalf("%d peers have met", len(b.Peers()))
		}
	}
	began := time.Now()
	if got := b.FindModels(deadline(t), "", ""); len(got) != 1 {
		t.Errorf("beside slow peers: %+v", got)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("the search took %v", took)
	}
}
