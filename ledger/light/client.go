// Package light is the light client of a network's ledger: it reads records with
// proofs and submits transactions.
//
// A [Client] has a network's genesis document and the addresses of some ledger
// nodes. It does not trust the nodes. A record that it returns has a proof: the
// hashes from the record to a root, and a header with this root that the
// validators signed. The first validators are those of the genesis document. When
// they have changed, headers on the way show who followed whom, by CometBFT's
// skipping verification. A client finds them anew after every start, and keeps
// nothing on disk.
//
// A signature does not become old, so two more checks tell the present from the
// past. The header's time must be recent by this machine's clock: see
// [Config].MaxAge. And when the network has several ledger nodes, a second one must
// show the same chain: see [Conflict]. The two checks matter most to a client that
// comes back after months: validators who have left since then lose nothing when
// they sign a false header, but they would need two thirds of a former set, and all
// nodes that the client asks.
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
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
)

// ErrUnreachable is returned, wrapped, when no ledger node answers.
var ErrUnreachable = errors.New("ledger is unreachable")

// ErrProof is returned, wrapped, when a ledger node's answer lacks a valid proof.
var ErrProof = errors.New("ledger node gave no valid proof")

const (
	callTimeout   = 10 * time.Second // for one request
	maxAnswer     = 8 << 20          // bytes of one answer
	keepHeaders   = 32               // heights below the newest header whose headers are kept
	maxValidators = 100              // of one header, and the most on a page of CometBFT's answer
	maxFetches    = 256              // headers on the way to one header
	defaultMaxAge = 30 * time.Second // see Config.MaxAge
)

// Config says where the ledger is.
type Config struct {
	Addrs   []string // RPC URLs of ledger nodes, tried one after the other
	Genesis []byte   // the network's genesis document

	// MaxAge is the age at which a node's newest header is refused; 0 is 30 seconds. A
	// header is as old as one height when it appears. On a chain that pauses, reads fail
	// with ErrStale until it makes heights again.
	MaxAge time.Duration
	Now    func() time.Time // the clock; nil is time.Now
}

// Client reads and writes a network's ledger.
type Client struct {
	trust   *trust
	servers []server
	maxAge  time.Duration
	now     func() time.Time

	mu          sync.Mutex     // guards the rest
	current     int            // the server that answered last
	trusted     path           // leads to the newest validators seen
	headers     map[int64]path // to recent headers, by their heights
	newest      int64          // height of the newest header seen
	agreed      int64          // height of the newest header that two servers have shown
	nextCompare time.Time      // no second server is asked before
}

// server is a ledger node.
type server struct {
	addr string
	rpc  *rpchttp.HTTP
}

// Dial returns a client. It fails when a node that answers belongs to another
// network, or when the nodes show a [Conflict]. It does not fail when no node answers,
// because one may answer later.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	t, err := newTrust(cfg.Genesis)
	if err != nil {
		return nil, fmt.Errorf("dial ledger: %w", err)
	}
	if len(cfg.Addrs) == 0 {
		return nil, errors.New("dial ledger: the network file names no ledger node (its field \"ledger\" is empty)")
	}
	c := &Client{
		trust: t, trusted: path{t.root}, headers: make(map[int64]path),
		maxAge: cmp.Or(cfg.MaxAge, defaultMaxAge), now: cfg.Now,
	}
	if c.now == nil {
		c.now = time.Now
	}
	for i, addr := range cfg.Addrs {
		if slices.Contains(cfg.Addrs[:i], addr) {
			continue // a node is not a second source for itself
		}
		rpc, err := rpchttp.NewWithClient(addr, "/websocket", &http.Client{
			Transport: bounded{&http.Transport{MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute}},
			Timeout:   callTimeout,
		})
		if err != nil {
			return nil, fmt.Errorf("dial ledger %s: %w", addr, err)
		}
		c.servers = append(c.servers, server{addr, rpc})
	}
	if _, err := c.Head(ctx); errors.Is(err, ErrProof) || isConflict(err) {
		return nil, fmt.Errorf("dial ledger: %w", err)
	}
	return c, nil
}

// Net returns the name of the network.
func (c *Client) Net() protocol.Net { return c.trust.net }

// Params returns the constants of the network, as the genesis document has them.
func (c *Client) Params() ledger.Params { return c.trust.params }

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

// serverTime bounds what one server may take for one read, with all headers on the way.
const serverTime = time.Minute

// each calls do with one server after the other, first with the server that
// answered last, until one answers. No error of a server but a [Conflict] is proven, so
// the next one is asked. If all fail, the error is the first with a [ledger.Code].
func (c *Client) each(ctx context.Context, do func(context.Context, server) error) error {
	c.mu.Lock()
	first := c.current
	c.mu.Unlock()
	var failures []error
	var refusal error
	for i := range c.servers {
		at := (first + i) % len(c.servers)
		bounded, cancel := context.WithTimeout(ctx, serverTime)
		err := do(bounded, c.servers[at])
		cancel()
		c.mu.Lock()
		if err == nil {
			c.current = at
		} else if c.current == at { // also when the caller has no patience to ask another now
			c.current = (at + 1) % len(c.servers)
		}
		c.mu.Unlock()
		switch {
		case ctx.Err() != nil && err != nil:
			return ctx.Err()
		case err == nil, isConflict(err):
			return err
		case errors.As(err, new(ledger.Code)):
			refusal = cmp.Or(refusal, err)
		}
		failures = append(failures, fmt.Errorf("%s: %w", c.servers[at].addr, err))
	}
	return cmp.Or(refusal, errors.Join(failures...))
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
