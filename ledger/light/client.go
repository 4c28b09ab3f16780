// Package light is the light client of a network's ledger: it reads records with
// proofs and submits transactions.
//
// A [Client] has a network's genesis document and the addresses of some ledger
// nodes. It does not trust the nodes. A record that it returns has a proof: the
// hashes from the record to a root, and a header with this root that the
// validators signed. The validators are those of the genesis document, which never
// change in this version. One check of a header's signatures is therefore enough,
// no height is too old to be trusted, and a client keeps nothing on disk.
//
//	c, err := light.Dial(ctx, light.Config{Addrs: []string{"http://127.0.0.1:26657"}, Genesis: genesis})
//	account, err := c.Account(ctx, me)
//	sender := c.Sender(key)
//	nonce, err := sender.Send(ctx, ledger.Transfer{To: you, Amount: 5 * protocol.Coin})
//	err = sender.Confirm(ctx, nonce)
//
// While no node answers, calls return [ErrUnreachable]; they work again when a node
// does. A client is safe for concurrent use.
package light

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"github.com/cometbft/cometbft/types"

	"github.com/alia-network/alia/protocol"
)

// ErrUnreachable is returned, wrapped, when no ledger node answers.
var ErrUnreachable = errors.New("ledger is unreachable")

// ErrProof is returned, wrapped, when a ledger node's answer lacks a valid proof.
var ErrProof = errors.New("ledger node gave no valid proof")

const (
	callTimeout = 10 * time.Second // for one request
	maxAnswer   = 8 << 20          // bytes of one answer
	maxLag      = 10               // heights that a node may be behind the newest seen
	keepHeaders = 32
)

// Config says where the ledger is.
type Config struct {
	Addrs   []string // RPC URLs of ledger nodes, tried one after the other
	Genesis []byte   // the network's genesis document
}

// Client reads and writes a network's ledger.
type Client struct {
	trust   *trust
	servers []server

	mu      sync.Mutex // guards the rest
	current int        // the server that answered last
	newest  int64      // height of the newest header seen
	headers map[int64]*types.SignedHeader
}

type server struct {
	addr string
	rpc  *rpchttp.HTTP
}

// Dial returns a client. It fails when a node that answers belongs to another
// network. It does not fail when no node answers, because one may answer later.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	t, err := newTrust(cfg.Genesis)
	if err != nil {
		return nil, fmt.Errorf("dial ledger: %w", err)
	}
	if len(cfg.Addrs) == 0 {
		return nil, errors.New("dial ledger: the network file names no ledger node (its field \"ledger\" is empty)")
	}
	c := &Client{trust: t, headers: make(map[int64]*types.SignedHeader)}
	for _, addr := range cfg.Addrs {
		rpc, err := rpchttp.NewWithClient(addr, "/websocket", &http.Client{
			Transport: bounded{&http.Transport{MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute}},
			Timeout:   callTimeout,
		})
		if err != nil {
			return nil, fmt.Errorf("dial ledger %s: %w", addr, err)
		}
		c.servers = append(c.servers, server{addr, rpc})
	}
	if _, err := c.Head(ctx); errors.Is(err, ErrProof) {
		return nil, fmt.Errorf("dial ledger: %w", err)
	}
	return c, nil
}

// Net returns the name of the network.
func (c *Client) Net() protocol.Net { return c.trust.net }

// bounded cuts answers that are too long to be honest.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(req)
	if err == nil {
		res.Body = limitedBody{io.LimitReader(res.Body, maxAnswer), res.Body}
	}
	return res, err
}

type limitedBody struct {
	io.Reader
	io.Closer
}

// each calls do with one server after the other, first with the server that
// answered last, until one answers. An error that wraps neither ErrUnreachable nor
// ErrProof is an answer too.
func (c *Client) each(ctx context.Context, do func(server) error) error {
	c.mu.Lock()
	first := c.current
	c.mu.Unlock()
	var failures []error
	for i := range c.servers {
		at := (first + i) % len(c.servers)
		err := do(c.servers[at])
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, ErrUnreachable) && !errors.Is(err, ErrProof) {
			c.mu.Lock()
			c.current = at
			c.mu.Unlock()
			return err
		}
		failures = append(failures, fmt.Errorf("%s: %w", c.servers[at].addr, err))
	}
	return errors.Join(failures...)
}

// callError returns the error of a server that answered unchanged, and wraps
// ErrUnreachable around the error of a server that did not.
func callError(err error) error {
	var answered *rpctypes.RPCError
	if err == nil || errors.As(err, &answered) {
		return err
	}
	var failed *url.Error // its own text repeats the address, which the caller names
	if errors.As(err, &failed) {
		err = failed.Err
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}
