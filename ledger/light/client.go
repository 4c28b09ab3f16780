// Package light is the light client: proven reads, submitted transactions.
//
// A [Client] knows a network's genesis document and the addresses of some of its
// ledger nodes, which it does not trust. Every record it returns was proven: by
// the path from the record to a root, and by a header with that root that the
// validators of the genesis document signed. Those validators are the network's
// for good in this version, so that one commit check stands for what a skipping
// light client does, no height is too old to be trusted, and nothing need be
// kept on disk.
//
//	c, err := light.Dial(ctx, light.Config{Addrs: []string{"http://127.0.0.1:26657"}, Genesis: genesis})
//	account, err := c.Account(ctx, me)
//	sender := c.Sender(key)
//	nonce, err := sender.Send(ctx, ledger.Transfer{To: you, Amount: 5 * protocol.Coin})
//	err = sender.Confirm(ctx, nonce)
//
// A client outlives the nodes: while none answers, calls return
// [ErrUnreachable], and they work again when one does. It is safe for concurrent
// use.
package light

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"github.com/cometbft/cometbft/types"

	"github.com/alia-network/alia/protocol"
)

// ErrUnreachable is returned, wrapped, when no ledger node answers.
var ErrUnreachable = errors.New("ledger is unreachable")

// ErrProof is returned, wrapped, when what a ledger node says is not proven.
var ErrProof = errors.New("ledger node gave no valid proof")

const (
	callTimeout = 10 * time.Second // for one request
	maxAnswer   = 8 << 20          // bytes of one answer
	maxLag      = 10               // heights that a node may be behind the newest seen
	keepHeaders = 32
)

// Config says where the ledger is.
type Config struct {
	Addrs   []string // RPC URLs of ledger nodes, tried in turn
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

// Dial returns a client. A ledger node of another network among those that
// answer is an error; that none answers is not, it may yet come.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	t, err := newTrust(cfg.Genesis)
	if err != nil {
		return nil, fmt.Errorf("dial ledger: %w", err)
	}
	if len(cfg.Addrs) == 0 {
		return nil, errors.New("dial ledger: no address")
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

// each calls do with one server after the other, the one that answered last
// first, until one gives an answer: no error, or one that wraps neither
// ErrUnreachable nor ErrProof.
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

// callError tells a server that does not answer from one that answers with an
// error, which it returns unwrapped.
func callError(err error) error {
	var answered *rpctypes.RPCError
	if err == nil || errors.As(err, &answered) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}
