package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/engine"
	"github.com/alia-network/alia/node/testnet"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// town is a network and a customer of it, until the test ends.
func town(t *testing.T) (context.Context, *testnet.Cluster, *client.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	n, err := testnet.Start(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	dir, err := n.Customer(ctx, "ada")
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return ctx, n, c
}

// TestNetwork: the engine offers the model that is named, and a network's miners translate
// with it. A job that was left goes on when the same request is started again.
func TestNetwork(t *testing.T) {
	ctx, n, c := town(t)
	if err := n.Mine("miner-1"); err != nil {
		t.Fatal(err)
	}
	var e engine.Engine = &engine.Network{Client: c, Named: []block.Link{n.Model}, Holders: n.Holder.Mesh.Addrs()}
	models, err := e.Models(ctx)
	if err != nil || len(models) != 1 || models[0].Link != n.Model || models[0].Source != "en" || models[0].Target != "de" || models[0].Price == 0 {
		t.Fatalf("models %+v, %v", models, err)
	}
	r := engine.Request{Texts: []string{"one", "", "two\nthree"}, Model: models[0].Link, Budget: protocol.Coin / 10}
	var first []string
	for range 2 {
		j, err := e.Start(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		if q := j.Quote(); q.Amount == 0 || q.Amount > r.Budget || q.MFLOP == 0 || q.Units != 1 {
			t.Errorf("quote %+v", q)
		}
		got := make([]string, len(r.Texts))
		for text, err := range j.Texts(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			got[text.Index] += text.Text + "|"
		}
		if first == nil {
			first = got // not settled
		} else {
			receipt, err := j.Settle(ctx)
			if err != nil || receipt.Units != 1 || receipt.Amount == 0 || receipt.Status == string(client.Unpaid) || receipt.File == "" {
				t.Errorf("receipt %+v, %v", receipt, err)
			}
		}
		if got[1] != "|" || strings.Count(got[2], "\n") != 1 || strings.Join(got, "") != strings.Join(first, "") {
			t.Errorf("texts %q after %q", got, first)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
	r.Budget = 1
	if _, err := e.Start(ctx, r); err == nil || !strings.Contains(err.Error(), "the budget") {
		t.Errorf("a small budget: %v", err)
	}
}

// TestNetworkFinds: without a name the engine finds the models that peers serve. One whose
// record has other languages than its holder says is passed over.
func TestNetworkFinds(t *testing.T) {
	ctx, n, c := town(t)
	for _, h := range []protocol.HeldModel{
		{Model: n.Model, Source: "en", Target: "de", ChrF: 612_300, Price: 7},
		{Model: block.Link{Cid: block.Sum(block.CBOR, []byte("nobody has it"))}, Source: "en", Target: "de", ChrF: 999_000},
	} {
		if err := n.Holder.ServeModel(ctx, h); err != nil {
			t.Fatal(err)
		}
	}
	liar, err := n.Peer(ctx, "liar")
	if err != nil {
		t.Fatal(err)
	}
	if err := liar.ServeModel(ctx, protocol.HeldModel{Model: n.Model, Source: "fr", Target: "es", ChrF: 900_000}); err != nil {
		t.Fatal(err)
	}
	for len(c.Peer.Mesh.Peers()) < 2 {
		select {
		case <-ctx.Done():
			t.Fatal("the peers have not met")
		case <-time.After(20 * time.Millisecond):
		}
	}
	e := &engine.Network{Client: c, From: "en", To: "de"}
	models, err := e.Models(ctx)
	if err != nil || len(models) != 1 || models[0].Link != n.Model || models[0].ChrF != 61.23 || models[0].Price != 7 || models[0].Holders != 1 {
		t.Errorf("models of a pair: %+v, %v", models, err)
	}
	e.From = ""
	if models, err = e.Models(ctx); err != nil || len(models) != 1 || models[0].Source != "en" {
		t.Errorf("models of all pairs: %+v, %v", models, err)
	}
}

// TestNetworkFlood: a peer that says it serves many models that nobody has, with the best of
// scores, neither hides the models of others nor keeps who asks waiting for each.
func TestNetworkFlood(t *testing.T) {
	ctx, n, c := town(t)
	if err := n.Holder.ServeModel(ctx, protocol.HeldModel{Model: n.Model, Source: "en", Target: "de", ChrF: 612_300}); err != nil {
		t.Fatal(err)
	}
	liar, err := n.Peer(ctx, "liar")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 64 {
		made := block.Link{Cid: block.Sum(block.CBOR, fmt.Appendf(nil, "nobody has model %d", i))}
		if err := liar.ServeModel(ctx, protocol.HeldModel{Model: made, Source: "en", Target: "de", ChrF: 1_000_000 - uint32(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for len(c.Peer.Mesh.Peers()) < 2 {
		select {
		case <-ctx.Done():
			t.Fatal("the peers have not met")
		case <-time.After(20 * time.Millisecond):
		}
	}
	began := time.Now()
	e := &engine.Network{Client: c, From: "en", To: "de"}
	models, err := e.Models(ctx)
	if err != nil || len(models) != 1 || models[0].Link != n.Model {
		t.Errorf("models beside a flood: %+v, %v", models, err)
	}
	t.Logf("after %v", time.Since(began))
}
