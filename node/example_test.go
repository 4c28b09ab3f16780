package node_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/testnet"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
)

// A peer joins a network and fetches the head of a model by the model's CID.
func ExampleOpenPeer() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "network")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	network, err := testnet.Start(ctx, dir)
	if err != nil {
		log.Fatal(err)
	}
	defer network.Close()

	peer, err := node.OpenPeer(ctx, node.PeerConfig{
		Home: home.Dir(filepath.Join(dir, "ada")), Network: network.File,
		Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), Listen: []string{"/ip4/127.0.0.1/tcp/0"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer peer.Close()
	if err := peer.Mesh.FetchTree(ctx, network.Holder.Mesh.Addrs(), network.Model.Cid); err != nil {
		log.Fatal(err)
	}
	m, err := model.Read(ctx, peer.Store, network.Model)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("a model from %s to %s, %d layers\n", m.Source, m.Target, m.Encoder+m.Decoder)
	// Output: a model from en to de, 2 layers
}

// A miner joins a network and says why it has no unit: nobody offers work.
func ExampleMiner() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "network")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	network, err := testnet.Start(ctx, dir)
	if err != nil {
		log.Fatal(err)
	}
	defer network.Close()

	peer, err := network.Peer(ctx, "miner")
	if err != nil {
		log.Fatal(err)
	}
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		log.Fatal(err)
	}
	miner := &node.Miner{
		Peer: peer, Workers: []*work.Worker{work.NewWorker(dev)},
		Capability: protocol.Capability{Kernel: dev.Name(), Threads: 1, MFLOPS: 1000},
		Report: func(n node.Notice) {
			fmt.Println(n)
			cancel()
		},
	}
	err = node.Together(ctx, miner.Run, func(ctx context.Context) error {
		return peer.Listen(ctx, [][2]string{{"en", "de"}})
	})
	fmt.Println(err)
	// Output:
	// idle: no offer is open: waiting for one
	// <nil>
}
