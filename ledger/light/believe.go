package light

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/types"
)

// ErrStale is returned, wrapped, when no ledger node has a recent header: see
// [Config].MaxAge. Such an error wraps [ErrUnreachable] too, because in both cases a
// caller can only wait.
var ErrStale = errors.New("ledger node is behind")

// staleError says how a node is behind.
type staleError string

func (e staleError) Error() string { return string(e) }

func (staleError) Is(target error) bool { return target == ErrStale || target == ErrUnreachable }

func stale(format string, args ...any) error { return staleError(fmt.Sprintf(format, args...)) }

const (
	maxLag         = 10               // heights that a node may be behind the newest seen
	maxAhead       = 10 * time.Second // that a header may be ahead of this machine's clock
	compareTimeout = 2 * time.Second  // to ask a second node
	comparePause   = 30 * time.Second // before nodes that did not answer are asked again
)

// believe checks that a verified header, which a server has sent as its newest, is
// recent, and that a second node has the same chain. A valid signature does not show
// either: what was true once stays signed.
func (c *Client) believe(ctx context.Context, s server, h *types.SignedHeader) error {
	if err := c.fresh(h); err != nil {
		return err
	}
	if err := c.compare(ctx, s, h); err != nil {
		return err
	}
	c.mu.Lock() // compare may have seen a newer header
	defer c.mu.Unlock()
	if h.Height < c.newest-maxLag {
		return stale("its newest header is %d, and another node has %d: the node is behind", h.Height, c.newest)
	}
	return nil
}

// fresh compares a header's time with the clock.
func (c *Client) fresh(h *types.SignedHeader) error {
	switch age := c.now().Sub(h.Time); {
	case age > c.maxAge:
		return stale("its newest header, %d, is %v old: the node is behind, the validators have stopped, or the clock of this machine is wrong",
			h.Height, age.Round(time.Second))
	case age < -maxAhead:
		return stale("its newest header, %d, is %v ahead of the clock of this machine: set the clock", h.Height, -age.Round(time.Second))
	}
	return nil
}

// compare asks the other servers for a header that s has too, until one shows the
// same. It does so once in maxLag heights. When no other server answers it is
// content: a client cannot tell a network with one node from one whose other nodes
// are away.
func (c *Client) compare(ctx context.Context, s server, h *types.SignedHeader) error {
	c.mu.Lock()
	skip := len(c.servers) < 2 || c.agreed > 0 && h.Height <= c.agreed+maxLag || c.now().Before(c.nextCompare)
	c.mu.Unlock()
	if skip {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, compareTimeout)
	defer cancel()
	for _, other := range c.servers {
		if other == s {
			continue
		}
		height, err := c.compareWith(ctx, s, other, h)
		if isConflict(err) {
			return err
		}
		if err == nil {
			c.mu.Lock()
			c.agreed = max(c.agreed, height)
			c.mu.Unlock()
			return nil
		}
	}
	c.mu.Lock()
	c.nextCompare = c.now().Add(comparePause)
	c.mu.Unlock()
	return nil
}

// compareWith gets the newest header of another server, and from the server that is
// ahead its header of the same height. It returns the height at which the two agree.
// A server that is behind cannot confirm a newer header.
func (c *Client) compareWith(ctx context.Context, s, other server, h *types.SignedHeader) (int64, error) {
	p, err := c.fetchHeader(ctx, other, 0)
	if err != nil {
		return 0, err
	}
	theirs := p.last().SignedHeader
	if err := c.fresh(theirs); err != nil {
		return 0, err
	}
	switch {
	case theirs.Height < h.Height-maxLag:
		return 0, stale("its newest header is %d, and %s has %d", theirs.Height, s.addr, h.Height)
	case theirs.Height > h.Height:
		p, err = c.fetchHeader(ctx, other, h.Height)
	case theirs.Height < h.Height:
		p, err = c.fetchHeader(ctx, s, theirs.Height)
		h = theirs
	}
	if err != nil {
		return 0, err
	}
	return h.Height, compareHeaders(h, p.last().SignedHeader)
}

// compareHeaders returns a Conflict if two verified headers of one height differ.
func compareHeaders(a, b *types.SignedHeader) error {
	if !bytes.Equal(a.Hash(), b.Hash()) {
		return &Conflict{A: a, B: b}
	}
	return nil
}

// Conflict is the error that two different headers of one height are signed by the
// validators. Honest validators never sign two: the two headers are evidence of an
// attack, and no answer is to be trusted until it is explained.
type Conflict struct{ A, B *types.SignedHeader }

// Error names both headers by their hashes.
func (c *Conflict) Error() string {
	return fmt.Sprintf("the validators have signed two headers of height %d, %X and %X: this is an attack on the network, "+
		"or its ledger was founded twice; send nothing, and ask its validators", c.A.Height, c.A.Hash(), c.B.Hash())
}

func isConflict(err error) bool {
	var c *Conflict
	return errors.As(err, &c)
}
