// Package client is the library of a customer: it has a network's miners translate
// documents, pays them, and keeps the receipts.
//
// A customer has a key, a network file, and tokens to pay with. A home is a directory with
// the key and the file (`alia init` makes one). [Open] takes a home, [New] takes a key in
// memory.
//
//	c, err := client.Open(ctx, home.Dir("/home/ada/.local/share/alia"))
//	defer c.Close()
//	job, err := c.Start(ctx, client.Document{Text: "Good morning.", Model: model, Budget: protocol.Coin / 10})
//	defer job.Close()
//	fmt.Println(job.Quote().Amount) // the most that it costs; no money has moved yet
//	for s, err := range job.Segments(ctx) {
//		fmt.Println(s.Text) // as they come
//	}
//	proven, err := job.Settle(ctx) // claims the miners' pay, and keeps the receipt
//
// The ledger sets the money aside when [Job.Segments] or [Job.Text] begins, and pays the
// miners when their claims are final. What is left comes back by itself: a client closes
// the escrows of its home when the ledger lets it, also those of earlier processes, see
// [Client.Tend].
//
// After a crash, [Client.Resume] goes on with a job of the home, and [Client.Start] with
// the document, also on another machine that has the key: finished units are neither done
// nor paid twice.
//
// The receipt stays in the home. It can be checked without the network, years later:
//
//	data, err := os.ReadFile(job.ReceiptFile())
//	proven, err := client.VerifyReceipt(network, data) // proven.Status: paid, claimed or unpaid
//
// A program that runs a [node.Peer] already makes a [Client] from it:
//
//	c := &client.Client{Peer: peer, Report: report}
//	err := node.Together(ctx, sell, c.Tend)
package client

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// Client has documents translated for one customer, whose key and home are the peer's. It
// is safe for concurrent use. Any number of jobs can be open; 16 of them are worked on at
// a time, and the others wait.
type Client struct {
	Peer *node.Peer
	// Report receives every notice, one at a time; nil receives none.
	Report node.Reporter
	// Recompute translates a text with a model on this machine, as [model.Translator.TranslateText]
	// does. It is asked for the segments that are checked, see [Document.CheckPPM], one text at a
	// time. Without it nothing can be checked: this package computes nothing itself.
	Recompute func(ctx context.Context, model block.Link, source unit.Text, d unit.Decoding) ([]string, error)
	// Patience is how long Start looks for a peer that has the model; 0 is
	// DefaultPatience.
	Patience time.Duration
	// Keep is for how many heights after its deadline the escrow of a job stays open that
	// was begun and is not finished, so that the job can go on; 0 is DefaultKeep. The
	// escrows of other jobs are closed as soon as the ledger lets it.
	Keep uint64

	begun    sync.Once
	closed   chan struct{} // closed by Close
	running  chan struct{} // has a value for each job that is worked on
	sending  chan struct{} // has a value for each transaction on the way
	own      sync.WaitGroup
	telling  sync.Mutex   // held while Report is called
	checking sync.Mutex   // held while Recompute is called
	starts   sync.RWMutex // held by each Start from when it stores blocks until the job is open

	owned     bool   // the peer is closed with the client
	temporary string // directory that is removed then

	mu    sync.Mutex          // guards the fields below
	jobs  map[block.Link]*job // that are open
	looks map[block.Link]look // of each job of the home
}

const (
	// DefaultPatience is enough for a peer that has just joined to meet others.
	DefaultPatience = 30 * time.Second
	// DefaultKeep is about a day, where a height takes a second.
	DefaultKeep = 86_400
	// maxRunning bounds the jobs that are worked on at a time. Nodes keep 32 offers of an
	// account, of which some are of jobs that have just ended.
	maxRunning = 16
)

// ErrNoFunds is returned, wrapped, where the account has less than a job may cost: nothing is
// set aside then.
var ErrNoFunds error = ledger.InsufficientFunds

// ErrClosed is returned by what a closed client is asked for.
var ErrClosed = errors.New("the client is closed")

// Open joins the network of a home as the home's account. It takes the password of a
// sealed wallet from where [home.Password] finds it. Close leaves the network.
func Open(ctx context.Context, dir home.Dir) (*Client, error) {
	w, err := dir.OpenWallet()
	if err != nil {
		return nil, err
	}
	network, err := node.ReadNetwork(dir.Network())
	if err != nil {
		return nil, err
	}
	return New(ctx, Config{Network: network, Key: w.Key(), Dir: dir})
}

// Config is the parts of a client that has its key in memory. Network and Key are
// required.
type Config struct {
	Network node.Network
	Key     ed25519.PrivateKey
	// Dir is where blocks, journals and receipts are kept. No key is written there. Without
	// it they are in a temporary directory, which Close removes.
	Dir home.Dir
	// Listen are multiaddresses; none: every address of this machine. A customer behind a
	// router needs none: miners are dialled by nobody but the customer's first peers.
	Listen []string
	Report node.Reporter
}

// New joins a network. Close leaves it.
func New(ctx context.Context, config Config) (*Client, error) {
	if len(config.Key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("open client: a key of %d bytes, want an Ed25519 key of %d", len(config.Key), ed25519.PrivateKeySize)
	}
	c := &Client{Report: config.Report, owned: true}
	if config.Dir == "" {
		dir, err := os.MkdirTemp("", "alia-client-")
		if err != nil {
			return nil, fmt.Errorf("open client: %w", err)
		}
		c.temporary, config.Dir = dir, home.Dir(dir)
	}
	var err error
	c.Peer, err = node.OpenPeer(ctx, node.PeerConfig{Home: config.Dir, Network: config.Network, Key: config.Key, Listen: config.Listen})
	if err != nil {
		return nil, errors.Join(err, c.removeTemporary())
	}
	c.begin()
	c.own.Go(func() {
		ctx, stop := until(context.Background(), ErrClosed, c.closed)
		defer stop()
		c.Tend(ctx)
	})
	return c, nil
}

// begin makes the parts of a client that are not the caller's.
func (c *Client) begin() {
	c.begun.Do(func() {
		c.closed, c.running, c.sending = make(chan struct{}), make(chan struct{}, maxRunning), make(chan struct{}, maxSends)
		c.jobs, c.looks = map[block.Link]*job{}, map[block.Link]look{}
	})
}

// until returns a context that ends for a cause when a channel is closed. stop must be
// called.
func until(ctx context.Context, cause error, end <-chan struct{}) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-end:
			cancel(cause)
		case <-ctx.Done():
		}
	})
	return ctx, func() { cancel(nil); watch.Wait() }
}

// Close ends the client's work. If Open or New made the client, it also leaves the network.
// Jobs that are not settled stay as they are in the home. A temporary directory stays where
// it knows of money in escrow, and the error says so; [Client.Drain] waits for the money.
func (c *Client) Close() error {
	c.begin()
	c.mu.Lock()
	select {
	case <-c.closed:
		c.mu.Unlock()
		return nil
	default:
	}
	close(c.closed)
	c.mu.Unlock()
	c.own.Wait()
	c.mu.Lock()
	open := slices.Collect(maps.Values(c.jobs))
	c.mu.Unlock()
	var errs []error
	for _, j := range open {
		<-j.looked
		j.turn <- struct{}{} // its iterator has ended, and none begins any more
		c.mu.Lock()
		errs = append(errs, c.shut(j))
		c.mu.Unlock()
	}
	if !c.owned {
		return errors.Join(errs...)
	}
	return errors.Join(append(errs, c.Peer.Close(), c.removeTemporary())...)
}

// removeTemporary removes the directory that New made.
func (c *Client) removeTemporary() error {
	if c.temporary == "" {
		return nil
	}
	if job, open := c.escrowed(); open {
		return fmt.Errorf("the escrow of job %s is open: the directory %s stays, a client with it as Config.Dir takes back what is left", job, c.temporary)
	}
	return os.RemoveAll(c.temporary)
}

// Account is the customer's account, which pays.
func (c *Client) Account() protocol.Account { return c.Peer.Account() }

// Customer is the account and the home of the peer.
func (c *Client) Customer() *Customer {
	c.begin()
	p := c.Peer
	return &Customer{
		Home: p.Home, Network: p.Network, Key: p.Key, Ledger: p.Ledger, Sender: pacedSender{p.Sender, c.sending}, Store: p.Store, Report: c.report,
	}
}

func (c *Client) report(n node.Notice) {
	if c.Report == nil {
		return
	}
	c.telling.Lock()
	defer c.telling.Unlock()
	c.Report(n)
}
