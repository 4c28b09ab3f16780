package client

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Customer is an account that pays for translations, and the home with its jobs. It needs
// the ledger, and no other peer.
type Customer struct {
	Home    home.Dir
	Network node.Network
	Key     ed25519.PrivateKey
	Ledger  *light.Client
	Sender  node.Sender  // of Key
	Store   block.Blocks // of the home; it may be read-only
	Report  node.Reporter
}

func (c *Customer) account() protocol.Account { return protocol.AccountOf(c.Key) }

// send submits a transaction and waits until a height has taken it.
func (c *Customer) send(ctx context.Context, body ledger.Body) (nonce uint64, err error) {
	if nonce, err = c.Sender.Send(ctx, body); err == nil {
		err = c.Sender.Confirm(ctx, nonce)
	}
	return nonce, err
}

// claimEvery is the pause between two reads of the ledger while units are claimed.
const claimEvery = 200 * time.Millisecond

// claim carries the accepted units of a job to the ledger.
func (c *Customer) claim(ctx context.Context, j *job) error {
	r := &node.Relay{
		Claims: &node.JobClaims{
			Ledger: c.Ledger, Sender: c.Sender, Journal: j.journal, Store: j.blocks,
			Customer: c.account(), Job: j.link, Slots: j.slots, Report: c.Report,
		},
		Every: claimEvery, Report: c.Report, Log: slog.New(slog.DiscardHandler),
	}
	if r.Claims.Left() == "" {
		return nil
	}
	return r.Drain(ctx)
}

// OpenEscrow is an escrow of one of the home's jobs.
type OpenEscrow struct {
	ledger.Escrow
	// Closable is the first height at which the escrow can be closed, as far as is known
	// now: a claim that is not made yet makes it later.
	Closable uint64
}

// Escrows returns the open escrows of the home's jobs, and the height after which they were
// so.
func (c *Customer) Escrows(ctx context.Context) ([]OpenEscrow, uint64, error) {
	jobs, err := home.Named(c.Home.Jobs())
	if err != nil {
		return nil, 0, err
	}
	head, err := c.Ledger.Head(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("read escrows: %w", err)
	}
	var all []OpenEscrow
	for _, job := range jobs {
		e, open, err := c.Ledger.Escrow(ctx, c.account(), job)
		if err != nil {
			return nil, 0, fmt.Errorf("read escrow of job %s: %w", job, err)
		}
		if open {
			all = append(all, OpenEscrow{e, c.closable(e)})
		}
	}
	return all, head.Height, nil
}

// closable is the first height at which an escrow can be closed.
func (c *Customer) closable(e ledger.Escrow) uint64 {
	var paid uint64 // when the claims are paid, the first height after
	for _, claim := range e.Claims {
		paid = max(paid, claim.Due+1)
	}
	e.Held = 0 // as it is then
	height, _ := e.Closable(c.Ledger.Params())
	return max(height, paid)
}

// TopUp adds an amount to the escrow of a job, and extends its deadline to hold heights
// from now, if that is later. It returns the escrow.
func (c *Customer) TopUp(ctx context.Context, job block.Link, amount, hold uint64) (OpenEscrow, error) {
	e, err := c.escrow(ctx, job)
	if err != nil {
		return e, err
	}
	head, err := c.Ledger.Head(ctx)
	if err != nil {
		return e, fmt.Errorf("top up the escrow of job %s: %w", job, err)
	}
	if _, err := c.send(ctx, ledger.EscrowTopUp{Job: job, Amount: amount, Deadline: max(e.Deadline, head.Height+hold)}); err != nil {
		return e, fmt.Errorf("top up the escrow of job %s: %w", job, err)
	}
	return c.escrow(ctx, job)
}

// escrow reads the open escrow of a job.
func (c *Customer) escrow(ctx context.Context, job block.Link) (OpenEscrow, error) {
	e, open, err := c.Ledger.Escrow(ctx, c.account(), job)
	if err != nil {
		return OpenEscrow{}, fmt.Errorf("read escrow of job %s: %w", job, err)
	} else if !open {
		return OpenEscrow{}, fmt.Errorf("job %s: %w", job, light.ErrNoEscrow)
	}
	return OpenEscrow{e, c.closable(e)}, nil
}

// ErrNotDue is returned, wrapped, for an escrow that cannot be closed yet.
var ErrNotDue = errors.New("miners can still rely on the escrow")

// Close takes back the unspent part of the escrow of a job, and returns how much it was.
// Before, it claims the accepted units that are not claimed, and keeps the receipt with
// the last proof that the ledger gives. The error wraps [ErrNotDue] where it is too
// early, and [journal.ErrLocked] while the job is being translated.
func (c *Customer) Close(ctx context.Context, job block.Link) (returned uint64, claimed int, err error) {
	e, err := c.escrow(ctx, job)
	if err != nil {
		return 0, 0, err
	}
	if _, stat := os.Stat(c.Home.Job(job)); stat == nil { // else the job was another home's
		log, err := journal.Open(c.Home.Job(job), c.Network.Net(), journal.Options{})
		if err != nil {
			return 0, 0, fmt.Errorf("close the escrow of job %s: %w", job, err)
		}
		defer log.Close() // until the escrow is closed: nobody closes it twice, or begins the job
		e, claimed, err = c.finish(ctx, e, log)
		if err != nil {
			return 0, claimed, fmt.Errorf("close the escrow of job %s: %w", job, err)
		}
	}
	if e.Held > 0 { // the receipt is not that of a paid job yet
		err = ErrNotDue
	} else if _, err = c.send(ctx, ledger.EscrowClose{Job: job}); errors.Is(err, ledger.NotDue) {
		err = ErrNotDue
	}
	if errors.Is(err, ErrNotDue) {
		err = fmt.Errorf("%w: the escrow can be closed from height %d on", err, e.Closable)
	}
	if err != nil {
		return 0, claimed, fmt.Errorf("close the escrow of job %s: %w", job, err)
	}
	return e.Left, claimed, nil
}

// finish claims the accepted units of a job and keeps its receipt. It returns the escrow
// as it was before the receipt's proof, and the number of units that are claimed now and
// were not before.
func (c *Customer) finish(ctx context.Context, e OpenEscrow, log *journal.Journal) (after OpenEscrow, claimed int, err error) {
	j, err := openJob(ctx, c.Store, e.Job)
	switch {
	case errors.Is(err, block.ErrNotFound), err == nil && protocol.GroupOf(j.slots) != e.Units:
		// Without its text, or with a program that counts otherwise, the job cannot be
		// finished. Its miners have the customer's tickets, and claim by themselves.
		path := c.Home.Receipt(e.Job)
		if _, err := Refresh(ctx, c.Network, c.Ledger, path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return e, 0, err
		}
		return e, 0, nil
	case err != nil:
		return e, 0, err
	}
	j.journal = log
	before := log.Count(journal.Paid)
	if err := c.claim(ctx, j); err != nil && ctx.Err() != nil {
		return e, 0, err
	} // a unit that the ledger refuses for good keeps no escrow open
	claimed = log.Count(journal.Paid) - before
	if e, err = c.escrow(ctx, e.Job); err != nil {
		return e, claimed, err
	}
	if _, _, err = c.keepReceipt(ctx, j, true); errors.Is(err, block.ErrNotFound) {
		err = nil // nor does a result that is lost: there is no receipt then
	}
	return e, claimed, err
}

// Reclaimed is the result of [Customer.Reclaim]. Its amounts are those of escrows of jobs.
type Reclaimed struct {
	Returned uint64 `json:"returned"` // amount that came back to the account
	Held     uint64 `json:"held"`     // amount that can come back later
	Due      uint64 `json:"due"`      // the first height at which some of Held can come back; 0 when Held is 0
	Claimed  int    `json:"claimed"`  // units that were accepted before, and whose pay is claimed now
}

// Reclaim closes the escrows of the home's jobs that can be closed, see [Customer.Close].
// A job that is being translated stays as it is. A job whose escrow cannot be closed for
// another reason does not keep the others from it: the error says which.
func (c *Customer) Reclaim(ctx context.Context) (Reclaimed, error) {
	var out Reclaimed
	all, height, err := c.Escrows(ctx)
	if err != nil {
		return out, err
	}
	hold := func(e OpenEscrow, due uint64) {
		out.Held += e.Left
		if out.Due == 0 || due < out.Due {
			out.Due = due
		}
	}
	var failures []error
	for _, e := range all {
		returned, claimed, err := c.Close(ctx, e.Job)
		out.Returned, out.Claimed = out.Returned+returned, out.Claimed+claimed
		switch {
		case errors.Is(err, journal.ErrLocked):
			hold(e, max(e.Closable, height+1))
		case errors.Is(err, ErrNotDue):
			if e, err = c.escrow(ctx, e.Job); err != nil {
				return out, err
			}
			hold(e, e.Closable)
		case ctx.Err() != nil:
			return out, err
		case err != nil:
			hold(e, max(e.Closable, height+1))
			failures = append(failures, err)
		}
	}
	return out, errors.Join(failures...)
}
