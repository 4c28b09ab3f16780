package light_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/ledger/light"
)

func Example() {
	home, err := os.MkdirTemp("", "ledger")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(home)
	genesis, err := chain.Init(home, "village", ledger.LocalParams())
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	node, err := chain.Start(ctx, chain.Config{Home: home, RPCListen: "127.0.0.1:0", BlockInterval: 50 * time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	defer node.Close()

	c, err := light.Dial(ctx, light.Config{Addrs: []string{node.RPC()}, Genesis: genesis})
	if err != nil {
		log.Fatal(err)
	}
	var supply ledger.Supply
	for height := uint64(0); height == 0; { // until the network has made a height
		if supply, height, err = c.Supply(ctx); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("minted so far:", supply.Minted)
	// A payment without tokens is refused.
	me := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	_, err = c.Sender(me).Send(ctx, ledger.Transfer{To: c.Sender(me).Account(), Amount: 1})
	fmt.Println("insufficient funds:", errors.Is(err, ledger.InsufficientFunds))
	// Output:
	// minted so far: 0
	// insufficient funds: true
}
