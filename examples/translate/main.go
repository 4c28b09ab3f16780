// Command translate has a text translated by a network's miners, pays for it
// and keeps the receipt: the customer's library in one page.
//
// It expects a network, such as `alia swarm` leaves running, a funded key, and
// a model the network has trained:
//
//	go run ./examples/translate -home DIR/customer -model CID < examples/travel/letter.en.txt
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/alia-network/alia/ledger/wallet"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

func main() {
	dir := flag.String("home", "", "directory with wallet and network.json, made by `alia init`")
	model := flag.String("model", "", "CID of the model")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := translate(ctx, home.Dir(*dir), *model); err != nil {
		log.Fatal(err)
	}
}

func translate(ctx context.Context, dir home.Dir, model string) error {
	cid, err := block.ParseLink(model)
	if err != nil {
		return err
	}
	key, err := wallet.Open(dir.Wallet())
	if err != nil {
		return err
	}
	network, err := node.ReadNetwork(dir.Network())
	if err != nil {
		return err
	}
	peer, err := node.OpenPeer(ctx, node.PeerConfig{
		Home: dir, Network: network, Key: key.Key(),
		Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer peer.Close()

	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir.Receipts(), 0o755); err != nil {
		return err
	}
	c := &client.Client{Peer: peer, Dir: dir.Receipts(), Report: func(n node.Notice) {
		log.Println(n)
	}}
	t, err := c.Translate(ctx, client.Document{
		Text: string(text), Source: "en", Target: "de", Model: cid, Decoding: unit.Greedy,
		Budget: 10_000_000, Price: 200_000, // at most 0.1 ALIA; 0.002 ALIA a GFLOP
		Sequence: uint64(time.Now().UnixMilli()),
	})
	if err != nil {
		return err
	}
	fmt.Print(t.Text)

	// The receipt checks offline, against nothing but the network file.
	receipt, err := protocol.Encode(t.Receipt)
	if err != nil {
		return err
	}
	_, paid, err := client.VerifyReceipt(network, receipt)
	if err != nil {
		return err
	}
	log.Printf("%d units of work in %.1f s, %d paid to miners", t.Units, t.Seconds, paid)
	return node.WriteFile(dir.Receipt(t.Job), receipt)
}
