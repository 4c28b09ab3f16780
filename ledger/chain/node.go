// Package chain runs a ledger node: the rules of package ledger behind CometBFT.
//
// [Init] makes the home of a new network's first validator: the keys and the
// genesis document, whose SHA-256 names the network. [Start] runs the node in this
// process. CometBFT puts transactions in sequence and keeps the chain. The
// application is ledger's pure function and one file, which every height updates in
// a single write. A node that is killed at any moment therefore resumes from its
// last height, and CometBFT replays the heights after it.
//
//	genesis, err := chain.Init(home, "example", ledger.DefaultParams())
//	n, err := chain.Start(ctx, chain.Config{Home: home, RPCListen: "127.0.0.1:26657", ApproveRuns: true})
//	defer n.Close()
//	err = n.Wait() // until Close, or a failure that halts the chain
//
// A query with a path of [ledger.QueryKey] returns a record with its proof. The path
// "accounts" returns a [ledger.Listing] of the accounts after a given one. A query
// for height 0 is answered from the newest height whose root a header already
// carries, so that a client can check the proof at once.
package chain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
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
	ApproveRuns   bool          // vote yes on every proposed run, for a private swarm
	Log           *slog.Logger  // nil discards all lines
}

// Node is a running ledger node.
type Node struct {
	comet *node.Node
	app   *app
	rpc   rpcServer
	stop  sync.Once
}

// Start starts a node, which runs until Close. It returns when the node answers
// queries. The context bounds only the start.
func Start(ctx context.Context, c Config) (*Node, error) {
	n, err := start(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("start ledger node: %w", err)
	}
	return n, nil
}

func start(ctx context.Context, c Config) (*Node, error) {
	cfg := settings(c)
	log := cometLogger{c.Log}
	if c.Log == nil {
		log.log = slog.New(slog.DiscardHandler)
	}
	// The home: genesis document and keys.
	genesis, err := os.ReadFile(cfg.GenesisFile())
	if err != nil {
		return nil, err
	}
	doc, err := types.GenesisDocFromJSON(genesis)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.GenesisFile(), err)
	}
	validator, peer, err := loadKeys(cfg)
	if err != nil {
		return nil, err
	}
	// The ports, before any database is open: CometBFT would fail later and say less.
	if err := probe(cmp.Or(c.P2PListen, anyPort)); err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	listener, err := listen(cmp.Or(c.RPCListen, "127.0.0.1:26657"))
	if err != nil {
		return nil, fmt.Errorf("RPC: %w", err)
	}
	// The application, then CometBFT over it.
	a, err := openApp(cfg, Net(genesis))
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	if c.ApproveRuns {
		a.voter = voterKey(validator)
	}
	n := &Node{app: a, rpc: rpcServer{listener: listener}}
	if err := n.run(ctx, cfg, doc, validator, peer, log); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// run makes and starts the CometBFT node, and serves it.
func (n *Node) run(ctx context.Context, cfg *config.Config, doc *types.GenesisDoc,
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
	if err := comet.Start(); err != nil {
		return err
	}
	return n.rpc.serve(comet, log)
}

// RPC returns the URL under which the node answers light clients.
func (n *Node) RPC() string { return "http://" + n.rpc.listener.Addr().String() }

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
		err = n.rpc.close()
		if n.comet != nil && n.comet.IsRunning() {
			err = errors.Join(err, n.comet.Stop())
			n.comet.Wait()
		}
		err = errors.Join(err, n.app.close())
	})
	return err
}

// Net returns the name of the network that a genesis document starts.
func Net(genesis []byte) protocol.Net { return sum(genesis) }

// anyPort is the default address for peers: a node alone has none.
const anyPort = "127.0.0.1:0"

// settings returns CometBFT's configuration. CometBFT indexes nothing and serves no
// metrics, because clients read proven records instead.
func settings(c Config) *config.Config {
	cfg := config.DefaultConfig()
	cfg.SetRoot(c.Home)
	cfg.RPC.ListenAddress = "" // see rpcServer
	cfg.P2P.ListenAddress = "tcp://" + cmp.Or(c.P2PListen, anyPort)
	cfg.P2P.PexReactor = false
	cfg.TxIndex.Indexer = "null"
	cfg.Storage.DiscardABCIResponses = true
	cfg.Mempool.MaxTxBytes = ledger.MaxTx
	cfg.Consensus.TimeoutCommit = cmp.Or(c.BlockInterval, time.Second)
	return cfg
}

// voterKey returns the validator's key as an account's key; this account votes on
// runs.
func voterKey(v *privval.FilePV) []byte { return v.Key.PrivKey.(cmted25519.PrivKey) }
