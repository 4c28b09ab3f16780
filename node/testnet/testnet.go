// Package testnet is a network in one process, for tests and examples: a ledger
// node, a peer that has a model, miners and customers, all on loopback. Package
// node/swarm is the same with a process for each.
//
//	n, err := testnet.Start(ctx, dir)
//	defer n.Close()
//	err = n.Mine("miner-1")
//	dir, err := n.Customer(ctx, "ada") // a home with a key, a network file and an ALIA
package testnet

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/ledger/wallet"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/text"
)

// Cluster is a running network.
type Cluster struct {
	File node.Network
	// Holder is the bootstrap peer of the network. It has the model.
	Holder *node.Peer
	// Model is untrained: its translations from English to German are nonsense, but
	// the same nonsense on every machine. Params are its parameters.
	Model, Params block.Link
	// Policy is the policy of the miners that Mine starts.
	Policy node.Policy

	dir     string   // homes are below it
	closers []func() // in the sequence of what they close
}

// heightTime is the time between heights.
const heightTime = 100 * time.Millisecond

// Start founds a network whose homes are below dir. Close ends it.
func Start(ctx context.Context, dir string) (n *Cluster, err error) {
	n = &Cluster{dir: dir}
	defer func() {
		if err != nil {
			n.Close()
			err = fmt.Errorf("start test network: %w", err)
		}
	}()
	// The ledger node, which approves every run.
	chainDir := home.Dir(filepath.Join(dir, "ledger")).Chain()
	genesis, err := chain.Init(chainDir, "testnet", ledger.DefaultParams())
	if err != nil {
		return n, err
	}
	c, err := chain.Start(ctx, chain.Config{Home: chainDir, RPCListen: "127.0.0.1:0", BlockInterval: heightTime, ApproveRuns: true})
	if err != nil {
		return n, err
	}
	n.closers = append(n.closers, func() { c.Close() })
	// The bootstrap peer, and its model.
	n.File = node.Network{Name: "testnet", Genesis: genesis, Ledger: []string{c.RPC()}}
	if n.Holder, err = n.Peer(ctx, "holder"); err != nil {
		return n, err
	}
	n.File.Bootstrap = n.Holder.Mesh.Addrs()
	t, err := untrained()
	if err != nil {
		return n, err
	}
	n.Params = t.Model.Params
	if n.Model, err = t.Put(ctx, block.Owned{Store: n.Holder.Store, Owner: node.ModelOwner(t.ID())}); err != nil {
		return n, err
	}
	n.Holder.Mesh.Provide(n.Model.Cid)
	return n, nil
}

// Close ends everything that the network started.
func (n *Cluster) Close() {
	for _, closer := range slices.Backward(n.closers) {
		closer()
	}
	n.closers = nil
}

// Key is the key of a name.
func Key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// untrained makes a small model with random parameters.
func untrained() (*model.Translator, error) {
	lines := []string{"one two three four five six", "eins zwei drei vier fünf sechs"}
	tokenizer, err := text.Train(slices.Values(lines), 280)
	if err != nil {
		return nil, err
	}
	m := model.Model{
		Source: "en", Target: "de", Vocab: uint32(tokenizer.Pieces()),
		Shape: nmt.Shape{Dim: 16, FFN: 32, Heads: 2, Encoder: 1, Decoder: 1},
	}
	return model.NewTranslator(m, nmt.Init(m.Config(), 1), tokenizer)
}

// Peer opens a peer with the key and the home of a name. It ends with the network.
func (n *Cluster) Peer(ctx context.Context, name string) (*node.Peer, error) {
	p, err := node.OpenPeer(ctx, node.PeerConfig{
		Home: home.Dir(filepath.Join(n.dir, name)), Network: n.File, Key: Key(name), Listen: []string{"/ip4/127.0.0.1/tcp/0"},
	})
	if err != nil {
		return nil, err
	}
	n.closers = append(n.closers, func() { p.Close() })
	return p, nil
}

// Mine starts a miner on the portable kernels. It ends with the network.
func (n *Cluster) Mine(name string) error {
	p, err := n.Peer(context.Background(), name)
	if err != nil {
		return err
	}
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		return err
	}
	m := &node.Miner{
		Peer: p, Workers: []*work.Worker{work.NewWorker(dev)}, Policy: n.Policy, Report: func(node.Notice) {},
		Capability: protocol.Capability{Kernel: dev.Name(), Threads: 1, MFLOPS: 1000},
	}
	listen := func(ctx context.Context) error { return p.Listen(ctx, [][2]string{{"en", "de"}}) }
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := node.Together(ctx, m.Run, listen); err != nil {
			panic(fmt.Sprintf("miner of the test network: %v", err))
		}
	})
	n.closers = append(n.closers, func() { cancel(); running.Wait() })
	return nil
}

// Customer makes the home of a customer: a key, a network file, and an ALIA.
func (n *Cluster) Customer(ctx context.Context, name string) (home.Dir, error) {
	dir := home.Dir(filepath.Join(n.dir, name))
	w, err := wallet.Create(dir.Wallet())
	if err != nil {
		return "", err
	}
	if err := n.File.Write(dir.Network()); err != nil {
		return "", err
	}
	return dir, n.Fund(ctx, w.Key())
}

// fund is the MFLOP of the unit that Fund settles: about an ALIA.
const fund = 1_000_000

// Fund mints about an ALIA for the account of a key, which stands for a miner: it
// settles a unit of a run that the holder coordinates.
func (n *Cluster) Fund(ctx context.Context, miner ed25519.PrivateKey) error {
	account := protocol.AccountOf(miner)
	link := func(what string) block.Link {
		return block.Link{Cid: block.Sum(block.CBOR, []byte(what+account.String()))}
	}
	at := protocol.Attestation{Work: link("run"), Unit: link("unit"), Result: link("result"), Cost: fund}
	ac := protocol.Accept{Work: at.Work, Unit: at.Unit, Miner: account, Result: at.Result, Cost: at.Cost}
	if _, err := protocol.Sign(miner, n.File.Net(), &at); err != nil {
		return fmt.Errorf("fund: %w", err)
	}
	if _, err := protocol.Sign(n.Holder.Key, n.File.Net(), &ac); err != nil {
		return fmt.Errorf("fund: %w", err)
	}
	holder := n.Holder.Sender
	if _, err := holder.Send(ctx, ledger.RunPropose{Run: at.Work, Budget: fund}); err != nil {
		return fmt.Errorf("fund: %w", err)
	}
	// The ledger settles the unit as soon as its validator has approved the run.
	for {
		_, err := holder.Send(ctx, ledger.Settle{Entries: []ledger.SettleEntry{{Attestation: at, Accept: ac}}})
		if err != nil && !errors.Is(err, ledger.UnknownWork) && !errors.Is(err, ledger.NotApproved) && !errors.Is(err, ledger.Already) {
			return fmt.Errorf("fund: %w", err)
		}
		if a, err := n.Holder.Ledger.Account(ctx, account); err != nil || a.Balance > 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("fund: %w", ctx.Err())
		case <-time.After(heightTime / 2):
		}
	}
}
