package node

import (
	"testing"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/mesh"
)

// What peers claim of models is joined: one that claims much for itself is not believed
// where others claim less, a peer counts once, and the sequence is one.
func TestJoinModels(t *testing.T) {
	link := func(name string) block.Link { return block.Link{Cid: block.Sum(block.CBOR, []byte(name))} }
	held := func(name string, chrf uint32, price uint64) protocol.HeldModel {
		return protocol.HeldModel{Model: link(name), Source: "en", Target: "de", ChrF: chrf, Price: price}
	}
	of := func(n byte, models ...protocol.HeldModel) mesh.PeerModels {
		return mesh.PeerModels{Account: protocol.Account{n}, Models: models}
	}
	answers := []mesh.PeerModels{
		of(1, held("good", 600_000, 5), held("good", 900_000, 1), held("poor", 200_000, 3)),
		of(2, held("good", 610_000, 0)),
		of(3, held("good", 990_000, 9)), // exaggerates
		of(4, held("other", 0, 0)),
		of(5, held("poor", 0, 2)),
	}
	got := joinModels(answers)
	want := []struct {
		name    string
		chrf    uint32
		price   uint64
		holders int
	}{{"good", 610_000, 5, 3}, {"poor", 200_000, 2, 2}, {"other", 0, 0, 1}}
	if len(got) != len(want) {
		t.Fatalf("%d models: %+v", len(got), got)
	}
	for i, w := range want {
		g := got[i]
		if g.Model != link(w.name) || g.ChrF != w.chrf || g.Price != w.price || len(g.Holders) != w.holders {
			t.Errorf("%s: %+v", w.name, g)
		}
	}
}
