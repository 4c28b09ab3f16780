// Package testnet is a network in one process, for tests and examples: a ledger
// node, a peer that has a model, miners and customers, all on loopback. Package
// node/swarm is the same with a process for each.
//
//	n, err := testnet.Start(ctx, dir)
//	defer n.Close()
//	err = n.Mine("miner-1")
//	dir, err := n.Customer(ctx, "ada") // a home with a key, a network file and an ALIA
//
// A benchmark has a network of its own model and device: [Config.Start].
package testnet

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// Cluster is a running network.
type Cluster struct {
	File node.Network
	// Holder is the bootstrap peer of the network. It has the model.
	Holder *node.Peer
	// Model is untrained, unless Config has another: its translations from English to German
	// are nonsense, but the same nonsense on every machine. Params are its parameters.
	Model, Params block.Link
	// source and target are the model's languages.
	source, target string
	// Policy is the policy of the miners that Mine starts.
	Policy node.Policy

	config  Config
	dir     string                    // homes are below it
	holder  atomic.Pointer[node.Peer] // Holder, for the ledger node
	funds   sync.Map                  // runs that only Fund knows: block.Link to true
	closers []func()                  // in the sequence of what they close
}

// heightTime is the time between heights of a network whose Config has none.
const heightTime = 100 * time.Millisecond

// Config is what a network is made of. Fields that are zero have the values of [Start].
type Config struct {
	// Interval is the time between heights.
	Interval time.Duration
	// Model is the one that the holder has.
	Model *model.Translator
	// Device opens the device of a miner, which runs Threads threads and computes MFLOPS
	// million operations a second.
	Device  func() (kernel.Device, error)
	Threads int
	MFLOPS  uint64
}

// portable is the device of a miner whose Config has none.
func portable() (kernel.Device, error) { return kernel.Open("portable", 1) }

// Start founds a network whose homes are below dir, with a small untrained model, and
// miners on the portable kernels. Close ends it.
func Start(ctx context.Context, dir string) (*Cluster, error) { return Config{}.Start(ctx, dir) }

// Start founds a network whose homes are below dir. Close ends it.
func (c Config) Start(ctx context.Context, dir string) (n *Cluster, err error) {
	if c.Device == nil {
		c.Device, c.Threads, c.MFLOPS = portable, 1, 1000
	}
	c.Interval = cmp.Or(c.Interval, heightTime)
	n = &Cluster{config: c, dir: dir}
	defer func() {
		if err != nil {
			n.Close()
			err = fmt.Errorf("start test network: %w", err)
		}
	}()
	// The ledger node, which approves every run whose plan it can compute.
	chainDir := home.Dir(filepath.Join(dir, "ledger")).Chain()
	genesis, err := chain.Init(chainDir, "testnet", ledger.LocalParams())
	if err != nil {
		return n, err
	}
	l, err := chain.Start(ctx, chain.Config{Home: chainDir, RPCListen: "127.0.0.1:0", BlockInterval: c.Interval, Approve: n.approve})
	if err != nil {
		return n, err
	}
	n.closers = append(n.closers, func() { l.Close() })
	// The bootstrap peer, and its model.
	n.File = node.Network{Name: "testnet", Genesis: genesis, Ledger: []string{l.RPC()}}
	if n.Holder, err = n.Peer(ctx, "holder"); err != nil {
		return n, err
	}
	n.holder.Store(n.Holder)
	n.File.Bootstrap = n.Holder.Mesh.Addrs()
	keys, err := chain.Keys(chainDir)
	if err != nil {
		return n, err
	}
	if err := n.File.Sign(keys.Validator); err != nil {
		return n, err
	}
	t := c.Model
	if t == nil {
		if t, err = untrained(); err != nil {
			return n, err
		}
	}
	n.Params, n.source, n.target = t.Model.Params, t.Model.Source, t.Model.Target
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

// Mine starts a miner on a device of its own. It ends with the network.
func (n *Cluster) Mine(name string) error {
	p, err := n.Peer(context.Background(), name)
	if err != nil {
		return err
	}
	dev, err := n.config.Device()
	if err != nil {
		return err
	}
	m := &node.Miner{
		Peer: p, Workers: []*work.Worker{work.NewWorker(dev)}, Policy: n.Policy, Report: func(node.Notice) {},
		Capability: protocol.Capability{Kernel: dev.Name(), Threads: uint32(n.config.Threads), MFLOPS: n.config.MFLOPS},
	}
	pair := [2]string{n.source, n.target}
	listen := func(ctx context.Context) error { return p.Listen(ctx, [][2]string{pair}) }
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
	key, err := dir.Key()
	if err != nil {
		return "", err
	}
	if err := n.File.Write(dir.Network()); err != nil {
		return "", err
	}
	return dir, n.Fund(ctx, key)
}

// approve is how the network's validator votes.
func (n *Cluster) approve(ctx context.Context, r ledger.RunState) (bool, error) {
	if _, ours := n.funds.Load(r.Run); ours {
		return true, nil
	}
	holder := n.holder.Load()
	if holder == nil {
		return false, errors.New("the network is not complete yet")
	}
	return node.Approve(holder)(ctx, r)
}

// fund is the MFLOP of the unit that Fund claims: about an ALIA.
const fund = 1_000_000

// Fund mints about an ALIA for the account of a key, which stands for a miner: it claims
// the one unit of a run that the holder coordinates.
func (n *Cluster) Fund(ctx context.Context, miner ed25519.PrivateKey) error {
	account := protocol.AccountOf(miner)
	link := func(what string) block.Link {
		return block.Link{Cid: block.Sum(block.CBOR, []byte(what+account.String()))}
	}
	// The holder earns as much by the other slot: it pays for the bonds of later calls.
	slots := []protocol.Slot{
		{Kind: uint16(unit.Gradient), Task: link("task"), Most: fund},
		{Kind: uint16(unit.Combine), Task: link("nothing"), Most: fund},
	}
	groups := []protocol.SlotGroup{protocol.GroupOf(slots), protocol.GroupOf(nil)}
	plan := ledger.Plan{Function: link("function"), Root: protocol.PlanRoot(groups), Groups: 2, Cost: 2 * fund}
	holder := n.Holder
	round := ledger.RoundClaim{Path: protocol.Bytes(protocol.PlanPath(groups, 0)), Params: link("params"), Log: link("log")}
	for i, key := range []ed25519.PrivateKey{miner, holder.Key} {
		at := protocol.Attestation{
			Work: link("run"), Publisher: holder.Account(), Place: protocol.Place{Kind: slots[i].Kind}, Unit: link("unit"), Result: link("result"),
		}
		if _, err := protocol.Sign(key, n.File.Net(), &at); err != nil {
			return fmt.Errorf("fund: %w", err)
		}
		round.Slots = append(round.Slots, ledger.SlotClaim{
			Slot: slots[i], Work: []ledger.SlotWork{{Unit: at.Unit, Result: at.Result, Account: at.Account, Sig: at.Sig}},
		})
	}
	run := link("run")
	n.funds.Store(run, true)
	claim := ledger.Claim{Run: run, Rounds: []ledger.RoundClaim{round}}
	if _, err := holder.Sender.Send(ctx, ledger.RunPropose{Run: run, Plan: plan, Silence: 100}); err != nil {
		return fmt.Errorf("fund: %w", err)
	}
	// The ledger takes the claim as soon as its validator has approved the run.
	for {
		nonce, err := holder.Sender.Send(ctx, claim)
		if err == nil {
			err = holder.Sender.Confirm(ctx, nonce)
		}
		if err != nil && !errors.Is(err, ledger.UnknownRun) && !errors.Is(err, ledger.NotApproved) && !errors.Is(err, ledger.Already) && !errors.Is(err, ledger.InsufficientFunds) {
			return fmt.Errorf("fund: %w", err)
		}
		if a, err := holder.Ledger.Account(ctx, account); err != nil || a.Balance > 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("fund: %w", ctx.Err())
		case <-time.After(n.config.Interval / 2):
		}
	}
}
