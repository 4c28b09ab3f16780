package main

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/testnet"
	"github.com/alia-network/alia/protocol"
)

// TestMine: the program does the only unit of a document and is paid for it.
func TestMine(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n, err := testnet.Start(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	miner, err := n.Customer(ctx, "miner") // a home with a key and a network file
	if err != nil {
		t.Fatal(err)
	}
	mining, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		if err := mine(mining, miner, func(n node.Notice) { t.Log(n) }); err != nil {
			t.Error(err)
		}
	})
	defer running.Wait()
	defer stop()

	dir, err := n.Customer(ctx, "ada")
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	job, err := c.Start(ctx, client.Document{
		Text: "one and two", Model: n.Model, Holders: n.Holder.Mesh.Addrs(), Budget: protocol.Coin / 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer job.Close()
	if _, err := job.Text(ctx); err != nil {
		t.Fatal(err)
	}
	proven, err := job.Settle(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(proven.Receipt.Units); n != 1 || proven.Paid == 0 {
		t.Errorf("%d units, %d paid", n, proven.Paid)
	}
}
