package light

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// ChainHead is a proven height of the ledger.
type ChainHead struct {
	Height  uint64
	Time    time.Time // by the validators' clocks
	BlockID [32]byte
	AppHash [32]byte // root of the state after the height before
}

// Head returns the newest height.
func (c *Client) Head(ctx context.Context) (ChainHead, error) {
	var head ChainHead
	err := c.each(ctx, func(ctx context.Context, s server) error {
		p, err := c.fetchHeader(ctx, s, 0)
		if err != nil {
			return err
		}
		h := p.last()
		if err := c.believe(ctx, s, h.SignedHeader); err != nil {
			return err
		}
		head = ChainHead{
			Height:  uint64(h.Height),
			Time:    h.Time,
			BlockID: [32]byte(h.Commit.BlockID.Hash),
			AppHash: [32]byte(h.AppHash),
		}
		return nil
	})
	if err != nil {
		return ChainHead{}, fmt.Errorf("read head: %w", err)
	}
	return head, nil
}

// headerAfter returns the path to the header of the height after a given one, which
// carries the root of the state after the given height. It waits for a header that
// the server is about to have.
func (c *Client) headerAfter(ctx context.Context, s server, state int64) (path, error) {
	// The number is the server's word: before any arithmetic it gets a bound.
	if state < 0 || state == math.MaxInt64 {
		return nil, fmt.Errorf("%w: it answers for height %d, which no ledger has", ErrProof, state)
	}
	height := state + 1
	c.mu.Lock()
	p := c.headers[height]
	c.mu.Unlock()
	if p != nil {
		return p, c.believe(ctx, s, p.last().SignedHeader)
	}
	for deadline := time.Now().Add(callTimeout); ; {
		p, err := c.fetchHeader(ctx, s, height)
		if err == nil {
			return p, c.believe(ctx, s, p.last().SignedHeader)
		}
		if !answered(err) {
			return nil, err
		}
		newest, newestErr := c.fetchHeader(ctx, s, 0)
		if newestErr != nil && !answered(newestErr) {
			return nil, newestErr
		}
		if newestErr == nil && height-1 > newest.last().Height {
			return nil, fmt.Errorf("%w: it answers for height %d, and its newest header is %d", ErrProof, state, newest.last().Height)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%w: no header %d yet: %w", ErrUnreachable, height, err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// answered tells a server's refusal from its silence and from a wrong answer.
func answered(err error) bool {
	return !errors.Is(err, ErrUnreachable) && !errors.Is(err, ErrProof) && !isConflict(err)
}

// fetchHeader gets and verifies the header of a height, or the newest for 0.
func (c *Client) fetchHeader(ctx context.Context, s server, height int64) (path, error) {
	h, err := fetchCommit(ctx, s, height)
	if err != nil {
		return nil, err
	}
	p, err := c.follow(ctx, s, h)
	if err != nil {
		return nil, err
	}
	return p, c.keep(p)
}

// keep stores the path to a verified header. It returns a Conflict when another
// header of the same height is stored.
func (c *Client) keep(p path) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := p.last()
	if old := c.headers[h.Height]; old != nil {
		if err := compareHeaders(old.last().SignedHeader, h.SignedHeader); err != nil {
			return err
		}
	}
	c.newest = max(c.newest, h.Height)
	c.headers[h.Height] = p
	for old := range c.headers {
		if old < c.newest-keepHeaders {
			delete(c.headers, old)
		}
	}
	return nil
}
