package client_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/testnet"
	"github.com/alia-network/alia/protocol"
)

// A customer has a document translated by a network's miners, pays them, and checks
// the receipt offline. The network is one in this process, and its model is
// untrained, so the translation is nonsense.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "network")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	n, err := testnet.Start(ctx, dir)
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()
	if err := n.Mine("miner-1"); err != nil {
		log.Fatal(err)
	}
	ada, err := n.Customer(ctx, "ada")
	if err != nil {
		log.Fatal(err)
	}

	c, err := client.Open(ctx, ada)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	job, err := c.Start(ctx, client.Document{
		Texts: []string{"one and two", "three"}, Model: n.Model, Holders: n.Holder.Mesh.Addrs(), Budget: protocol.Coin / 10,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer job.Close()
	for s, err := range job.Segments(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(s.Index, s.Source)
	}
	if _, err := job.Settle(ctx); err != nil {
		log.Fatal(err)
	}

	receipt, err := os.ReadFile(job.ReceiptFile())
	if err != nil {
		log.Fatal(err)
	}
	network, err := node.ReadNetwork(ada.Network())
	if err != nil {
		log.Fatal(err)
	}
	proven, err := client.VerifyReceipt(network, receipt)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("unpaid:", proven.Status == client.Unpaid, "for the miners:", proven.Paid > 0)
	// Output:
	// 0 one and two
	// 1 three
	// unpaid: false for the miners: true
}
