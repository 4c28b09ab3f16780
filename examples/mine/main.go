// Command mine is a miner in one page: it computes the units that publishers offer,
// and is paid for the accepted ones.
//
// It needs a home with a key and a network file, which `alia init` makes:
//
//	go run ./examples/mine -home DIR
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
)

func main() {
	dir := flag.String("home", "", "directory with wallet and network.json, made by `alia init`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := mine(ctx, home.Dir(*dir), func(n node.Notice) { log.Println(n) }); err != nil {
		log.Fatal(err)
	}
}

// mine mines until ctx ends. It calls report with what happens.
func mine(ctx context.Context, dir home.Dir, report node.Reporter) error {
	w, err := dir.OpenWallet()
	if err != nil {
		return err
	}
	network, err := node.ReadNetwork(dir.Network())
	if err != nil {
		return err
	}
	peer, err := node.OpenPeer(ctx, node.PeerConfig{Home: dir, Network: network, Key: w.Key()})
	if err != nil {
		return err
	}
	defer peer.Close()

	// The kernels are compared with the published digests before they are used: a
	// processor that computes other bits must not mine.
	const threads = 2
	dev, err := kernel.Open("auto", threads)
	if err != nil {
		return err
	}
	m := &node.Miner{
		Peer: peer, Workers: []*work.Worker{work.NewWorker(dev)}, Report: report,
		// Publishers lease as many units as the speed allows; alia measures it.
		Capability: protocol.Capability{Kernel: dev.Name(), Threads: threads, MFLOPS: 10_000},
	}

	// Offers of training runs, and of documents between these languages, come by gossip.
	offers := func(ctx context.Context) error { return peer.Listen(ctx, [][2]string{{"en", "de"}}) }
	return node.Together(ctx, m.Run, offers)
}
