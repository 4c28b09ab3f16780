package light_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/protocol"
)

// A ledger node of a new network, a proven read, and a transaction. The ledger
// refuses the transaction, because an account without work has no tokens.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	home, err := os.MkdirTemp("", "ledger")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(home)
	genesis, err := chain.Init(home, "village", ledger.DefaultParams())
	if err != nil {
		log.Fatal(err)
	}
	node, err := chain.Start(ctx, chain.Config{Home: home, RPCListen: "127.0.0.1:0", BlockInterval: 50 * time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	defer node.Close()

	client, err := light.Dial(ctx, light.Config{Addrs: []string{node.RPC()}, Genesis: genesis})
	if err != nil {
		log.Fatal(err)
	}
	sender := client.Sender(key("alice"))
	account, err := client.Account(ctx, sender.Account())
	for err != nil && ctx.Err() == nil { // the first heights are still to come
		account, err = client.Account(ctx, sender.Account())
	}
	fmt.Printf("alice has %s ALIA\n", protocol.FormatAmount(account.Balance))

	_, err = sender.Send(ctx, ledger.Transfer{To: protocol.AccountOf(key("bob")), Amount: 5 * protocol.Coin})
	fmt.Println(errors.Is(err, ledger.InsufficientFunds))
	fmt.Println(err)
	// Output:
	// alice has 0 ALIA
	// true
	// submit transaction: insufficient funds: 5 ALIA needed, the account has 0 ALIA
}
