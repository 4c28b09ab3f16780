package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol/block"
)

// This file gives the customer back what its jobs did not cost, without a command.

// tendEvery is the pause between two looks at the escrows that may be due.
const tendEvery = time.Second

// never is the height of a look at a job without an escrow.
const never = math.MaxUint64

// Tend closes the escrows of the home's jobs when they are due, until ctx ends. A client of
// Open or New does it by itself. It tells the user of each ([node.EscrowClosed]). A job that is open in this client is left alone.
// So is one that was begun and not finished, for Keep heights more.
func (c *Client) Tend(ctx context.Context) error {
	c.begin()
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		if err := c.tendOnce(ctx); err != nil && ctx.Err() == nil {
			c.Peer.Log.Debug("escrows are not closed", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look is what a client knows of the escrow of a job.
type look struct {
	at   uint64 // height from which the escrow may be due; never: there is none
	open bool   // the escrow is open, or may be
}

// tendOnce looks at the escrows that may be due.
func (c *Client) tendOnce(ctx context.Context) error {
	jobs, err := home.Named(c.Peer.Home.Jobs())
	if err != nil {
		return err
	}
	var height uint64
	var errs []error
	for _, job := range jobs {
		c.mu.Lock()
		at := c.looks[job].at
		c.mu.Unlock()
		if at == never {
			continue
		}
		if height == 0 {
			head, err := c.Peer.Ledger.Head(ctx)
			if err != nil {
				return err
			}
			height = head.Height
		}
		if height < at {
			continue
		}
		if err := c.tendJob(ctx, job, height); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			errs = append(errs, fmt.Errorf("job %s: %w", job, err))
		}
	}
	return errors.Join(errs...)
}

// errTended is why a job cannot be opened for a moment.
var errTended = errors.New("the job's escrow is being looked at")

// tendJob looks at the escrow of a job that is not open. Whoever opens the job meanwhile
// waits.
func (c *Client) tendJob(ctx context.Context, link block.Link, height uint64) error {
	c.mu.Lock()
	if c.jobs[link] != nil {
		c.mu.Unlock()
		return nil
	}
	j := &job{link: link, looked: make(chan struct{}), users: 1}
	c.jobs[link] = j
	c.mu.Unlock()
	next, err := c.closeDue(ctx, link, height)
	c.mu.Lock()
	c.looks[link] = look{at: next, open: next != never}
	c.mu.Unlock()
	c.looked(j, errTended)
	return errors.Join(err, c.release(j))
}

// watch has a job's escrow looked at soon after the job is closed.
func (c *Client) watch(job block.Link, open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looks[job] = look{open: open}
}

// closeDue closes the escrow of a job if it is due. It returns the height from which to
// look again.
func (c *Client) closeDue(ctx context.Context, job block.Link, height uint64) (next uint64, err error) {
	me := c.Customer()
	e, err := me.escrow(ctx, job)
	if errors.Is(err, light.ErrNoEscrow) {
		return never, nil
	} else if err != nil {
		return height, err
	}
	due := e.Closable
	if len(e.Claims) < int(e.Units.Slots) {
		switch _, err := os.Stat(me.Home.Order(job)); {
		case err == nil:
			keep := c.Keep
			if keep == 0 {
				keep = DefaultKeep
			}
			due += keep
		case !errors.Is(err, os.ErrNotExist):
			return height, err
		}
	}
	if height+1 < due { // the transaction is taken at the next height, or later
		return min(due-1, height+lookHeights), nil // miners may claim the rest meanwhile
	}
	returned, _, err := me.Close(ctx, job)
	switch {
	case errors.Is(err, journal.ErrLocked): // another process has the job
		return height + 1, nil
	case errors.Is(err, ErrNotDue): // Close has claimed something
		if e, err = me.escrow(ctx, job); err != nil {
			return height + 1, err
		}
		return max(height+1, e.Closable-1), nil
	case err != nil:
		return height + retryHeights, err
	}
	if returned > 0 {
		c.report(node.EscrowClosed{Job: job.String(), Amount: returned})
	}
	return never, nil
}

const (
	// retryHeights is the pause after an escrow could not be closed.
	retryHeights = 60
	// lookHeights is the longest pause between two looks at an escrow.
	lookHeights = 10
)

// escrowed names a job whose escrow is open, as far as the client knows.
func (c *Client) escrowed() (job block.Link, open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for job, l := range c.looks { // order-free: any of them
		if l.open {
			return job, true
		}
	}
	return job, false
}

// Drain returns when no escrow of the home's jobs is open any more: what the jobs did not
// cost has come back. Jobs that are open in the client, or that were begun and not
// finished, keep it waiting. It only looks: Tend closes the escrows.
func (c *Client) Drain(ctx context.Context) error {
	c.begin()
	tick := time.NewTicker(drainEvery)
	defer tick.Stop()
	for {
		jobs, err := home.Named(c.Peer.Home.Jobs())
		if err != nil {
			return err
		}
		c.mu.Lock()
		waits := slices.DeleteFunc(jobs, func(job block.Link) bool { return c.looks[job].at == never })
		c.mu.Unlock()
		if len(waits) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the escrows of %s: %w", english.Plural(len(waits), "job", ""), ctx.Err())
		case <-c.closed:
			return ErrClosed
		case <-tick.C:
		}
	}
}

// drainEvery is the pause between two looks of Drain.
const drainEvery = time.Second / 4
