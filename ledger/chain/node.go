// Package chain runs a ledger node: the rules of package ledger behind CometBFT.
//
// [Init] makes the home of a new network's first validator: the keys and the
// genesis document, whose SHA-256 names the network. [Start] runs the node in this
// process. CometBFT puts transactions in sequence and keeps the chain. The
// application is ledger's pure function and one file, which every height updates in
// a single write. A node that is killed at any moment therefore resumes from its
// last height, and CometBFT replays the heights after it. The memory has the hashes of
// the state, the file has the records. Every thousand heights the node makes a
// snapshot of the state, from which other nodes can join.
//
//	genesis, err := chain.Init(home, "example", ledger.DefaultParams())
//	n, err := chain.Start(ctx, chain.Config{Home: home, RPCListen: "127.0.0.1:26657"})
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
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/config"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/mempool"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/types"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/genesis"
	"github.com/alia-network/alia/protocol"
)

// Config says how a node runs.
type Config struct {
	Home          string        // made by Init or Join
	RPCListen     string        // host:port; port 0 picks one; "" is 127.0.0.1:26657
	PeerListen    string        // host:port for other ledger nodes; "" is 127.0.0.1:0
	PeerAddress   string        // host:port under which other ledger nodes reach this one; "" is PeerListen
	Peers         []string      // ID@host:port of ledger nodes to stay connected to; the node's own is left out
	BlockInterval time.Duration // between heights; 0 is a second
	Approve       Approve       // how this validator votes on proposed runs; nil does not vote
	// SnapshotInterval is the heights between snapshots of the state for nodes that
	// join; 0 is 1000.
	SnapshotInterval uint64
	// StateSync is asked when the node has no height yet, for what it needs to begin
	// with a snapshot in place of the first height. nil: it takes all heights.
	StateSync func(context.Context) (StateSync, error)
	Log       *slog.Logger // nil discards all lines
}

// Node is a running ledger node.
type Node struct {
	comet *node.Node
	app   *app
	rpc   rpcServer
	stop  sync.Once

	judging  sync.WaitGroup
	endJudge func() // nil without an approver
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
	cfg := files(c.Home)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	log := cometLogger{c.Log}
	// The home: genesis document and keys.
	data, err := os.ReadFile(cfg.GenesisFile())
	if err != nil {
		return nil, err
	}
	doc, err := genesis.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.GenesisFile(), err)
	}
	validator, peer, err := loadKeys(cfg)
	if err != nil {
		return nil, err
	}
	if err := configure(cfg, c, string(peer.ID())); err != nil {
		return nil, err
	}
	if err := configureSync(ctx, cfg, c); err != nil {
		return nil, err
	}
	// The ports, before any database is open: CometBFT would fail later and say less.
	peers, err := listen(cmp.Or(c.PeerListen, anyPort))
	if err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	if err := peers.Close(); err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	listener, err := listen(cmp.Or(c.RPCListen, "127.0.0.1:26657"))
	if err != nil {
		return nil, fmt.Errorf("RPC: %w", err)
	}
	// The application, then CometBFT over it.
	a, err := openApp(c, doc.Net)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	a.room = heightRoom(doc.Comet.ConsensusParams.Block.MaxBytes)
	n := &Node{app: a, rpc: rpcServer{listener: newLimiter(listener)}}
	if c.Approve != nil {
		a.voter = accountKey(validator)
		a.judge = &approver{approve: c.Approve, latest: a.latest, log: log.log, verdicts: map[ledger.RunName]verdict{}}
		judging, end := context.WithCancel(context.WithoutCancel(ctx))
		n.endJudge = end
		n.judging.Go(func() { a.judge.run(judging) })
	}
	if err := n.run(ctx, cfg, doc.Comet, validator, peer, log); err != nil {
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
		openDB,
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

// State returns the state after the last height. The state reads its records from the
// node's file, so it is of use only until Close.
func (n *Node) State() *ledger.State { return n.app.latest() }

// Submit puts a transaction into the node's mempool, without the limits of the RPC. A
// refusal wraps a [ledger.Code].
func (n *Node) Submit(tx []byte) error {
	var refused error
	err := n.comet.Mempool().CheckTx(tx, func(r *abci.ResponseCheckTx) {
		if r.Code != uint32(ledger.OK) {
			refused = &ledger.Refusal{Code: ledger.Code(r.Code), Text: r.Log}
		}
	}, mempool.TxInfo{})
	if err == nil {
		err = refused
	}
	if err != nil {
		return fmt.Errorf("submit transaction: %w", err)
	}
	return nil
}

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
		if n.endJudge != nil {
			n.endJudge()
			n.judging.Wait()
		}
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
func Net(genesis []byte) protocol.Net { return sha256.Sum256(genesis) }

// accountKey returns the validator's key as an account's key.
func accountKey(v *privval.FilePV) ed25519.PrivateKey {
	return ed25519.PrivateKey(v.Key.PrivKey.(cmted25519.PrivKey))
}
