package client_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
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
	t, err := c.Translate(ctx, client.Document{
		Text: "one and two\n\nthree\n", Model: n.Model, Holders: n.Holder.Mesh.Addrs(), Budget: protocol.Coin / 10,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Count(t.Text, "\n"), "lines")

	receipt, err := os.ReadFile(t.ReceiptFile)
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
	fmt.Println("settled:", proven.Settled, "paid:", proven.Paid > 0)
	// Output:
	// 3 lines
	// settled: true paid: true
}
