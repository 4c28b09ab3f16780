package chain_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
)

// A new network's first validator runs in this process.
func Example() {
	home, err := os.MkdirTemp("", "ledger")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(home)
	genesis, err := chain.Init(home, "village", ledger.DefaultParams())
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	node, err := chain.Start(ctx, chain.Config{
		Home: home, RPCListen: "127.0.0.1:0", BlockInterval: 50 * time.Millisecond,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the network's name has", len(chain.Net(genesis)), "bytes")
	fmt.Println("closed:", node.Close())
	fmt.Println("ended:", node.Wait())
	// Output:
	// the network's name has 32 bytes
	// closed: <nil>
	// ended: <nil>
}
