// Package chain is ledger behind ABCI; it starts a CometBFT validator.
//
// [Init] makes the home of a new network's first validator: its keys and the
// genesis document, whose SHA-256 names the network. [Start] runs the node in
// this process. CometBFT orders the transactions and keeps the blocks; the
// application is ledger's pure function plus one file, which every height
// updates in a single write, so that a node killed at any moment resumes from
// its last height and CometBFT replays what is missing.
//
//	genesis, err := chain.Init(home, "village", ledger.DefaultParams())
//	n, err := chain.Start(ctx, chain.Config{Home: home, RPCListen: "127.0.0.1:26657", ApproveRuns: true})
//	defer n.Close()
//	err = n.Wait() // until Close, or a failure that halts the chain
//
// Queries have the paths of [ledger.QueryKey], each answered with a proof, and
// "accounts", a [ledger.Listing] after the account given. A query for height 0
// is answered from the last height whose root a block already carries, so that
// its proof can be checked at once.
package chain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/cometbft/cometbft/config"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/types"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
)

// Config says how a node runs.
type Config struct {
	Home          string        // made by Init
	RPCListen     string        // host:port; port 0 picks one; "" is 127.0.0.1:26657
	P2PListen     string        // host:port for other ledger nodes; "" is 127.0.0.1:0
	BlockInterval time.Duration // between heights; 0 is a second
	ApproveRuns   bool          // vote yes on every proposed run: for a private swarm
	Log           *slog.Logger  // nil discards
}

// Node is a running ledger node.
type Node struct {
	comet *node.Node
	app   *app
	rpc   string
	stop  sync.Once
}

// Start runs the node until Close. It returns when queries are answered. The
// context bounds the start only.
func Start(ctx context.Context, c Config) (*Node, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	rpc, err := probe(cmp.Or(c.RPCListen, "127.0.0.1:26657"))
	if err != nil {
		return nil, fmt.Errorf("start ledger node: RPC: %w", err)
	}
	peers, err := probe(cmp.Or(c.P2PListen, "127.0.0.1:0"))
	if err != nil {
		return nil, fmt.Errorf("start ledger node: peers: %w", err)
	}
	cfg := settings(c, rpc, peers)
	genesis, err := os.ReadFile(cfg.GenesisFile())
	if err != nil {
		return nil, fmt.Errorf("start ledger node: %w", err)
	}
	doc, err := types.GenesisDocFromJSON(genesis)
	if err != nil {
		return nil, fmt.Errorf("start ledger node: %s: %w", cfg.GenesisFile(), err)
	}
	validator, peer, err := loadKeys(cfg)
	if err != nil {
		return nil, fmt.Errorf("start ledger node: %w", err)
	}
	a, err := openApp(cfg, Net(genesis))
	if err != nil {
		return nil, fmt.Errorf("start ledger node: %w", err)
	}
	if c.ApproveRuns {
		a.voter = voterKey(validator)
	}
	n := &Node{app: a, rpc: "http://" + rpc}
	if err := n.start(ctx, cfg, doc, validator, peer, cometLogger{c.Log}); err != nil {
		return nil, errors.Join(fmt.Errorf("start ledger node: %w", err), n.Close())
	}
	return n, nil
}

// start makes and starts the CometBFT node.
func (n *Node) start(ctx context.Context, cfg *config.Config, doc *types.GenesisDoc,
	validator *privval.FilePV, peer *p2p.NodeKey, log cometLogger) error {
	comet, err := node.NewNodeWithContext(ctx, cfg, validator, peer,
		proxy.NewConnSyncLocalClientCreator(n.app),
		func() (*types.GenesisDoc, error) { return doc, nil },
		config.DefaultDBProvider,
		node.DefaultMetricsProvider(cfg.Instrumentation),
		log)
	if err != nil {
		return err
	}
	n.comet = comet
	return comet.Start()
}

// RPC returns the URL under which the node answers light clients.
func (n *Node) RPC() string { return n.rpc }

// State returns the state after the last height.
func (n *Node) State() *ledger.State { return n.app.latest() }

// Wait returns when the node is closed, or with the error that halted the chain.
func (n *Node) Wait() error {
	stopped := make(chan struct{})
	go func() {
		n.comet.Wait()
		close(stopped)
	}()
	select {
	case <-stopped:
		return nil
	case err := <-n.app.failed:
		return err
	}
}

// Close stops the node and waits until its files are closed. It may be called
// more than once.
func (n *Node) Close() error {
	var err error
	n.stop.Do(func() {
		if n.comet != nil && n.comet.IsRunning() {
			err = n.comet.Stop()
			n.comet.Wait()
		}
		err = errors.Join(err, n.app.close())
	})
	return err
}

// Net returns the name of the network that a genesis document starts.
func Net(genesis []byte) protocol.Net { return sum(genesis) }

// settings returns CometBFT's configuration for a node of ours. Nothing is
// indexed and no metrics are served: clients read proven state instead.
func settings(c Config, rpc, peers string) *config.Config {
	cfg := config.DefaultConfig()
	cfg.SetRoot(c.Home)
	cfg.RPC.ListenAddress = "tcp://" + rpc
	cfg.P2P.ListenAddress = "tcp://" + peers
	cfg.P2P.PexReactor = false
	cfg.TxIndex.Indexer = "null"
	cfg.Storage.DiscardABCIResponses = true
	cfg.Mempool.MaxTxBytes = ledger.MaxTx
	cfg.Consensus.TimeoutCommit = cmp.Or(c.BlockInterval, time.Second)
	return cfg
}

// probe checks that an address is free and returns it with its port made
// definite. CometBFT finds out only after it has opened its files, and leaves
// them open when it fails.
func probe(addr string) (string, error) {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return "", fmt.Errorf("address %s is in use already: %w", addr, err)
	}
	if err != nil {
		return "", fmt.Errorf("address %q: %w", addr, err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// voterKey is the validator's key as an account's: its account votes on runs.
func voterKey(v *privval.FilePV) []byte { return v.Key.PrivKey.(cmted25519.PrivKey) }
