package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
)

// stand finds what the ledger knows of a job. The job has ended if its escrow was closed
// when some of its units were claimed, and not all.
func (c *Client) stand(ctx context.Context, j *job) error {
	gift := j.document.Budget == 0
	if gift && j.entries() == 0 {
		return nil // nobody has begun it
	}
	settled, err := j.settled()
	if err != nil {
		return err
	}
	e, err := c.Peer.Ledger.ProveEscrow(ctx, c.Peer.Account(), j.link)
	open := err == nil
	switch {
	case err != nil && !errors.Is(err, light.ErrNoEscrow):
		return fmt.Errorf("read escrow of job %s: %w", j.link, err)
	case open: // also where the customer now asks for a gift: the ledger has the promise
		return c.takeEscrow(j, e)
	case settled:
		j.paid = true // its proof is in the receipt
	case gift:
	case j.journal.Count(journal.Paid) > 0:
		j.ended = true
	default: // a liar was caught in it: the document is a new job
		wrong, err := c.Wrong(j.link)
		if err != nil {
			return err
		}
		j.ended = len(wrong) > 0
	}
	return nil
}

// fund sees to it that the job has an escrow, unless it is a gift. The caller has the turn.
func (c *Client) fund(ctx context.Context, j *job) error {
	if j.paid || j.document.Budget == 0 {
		return nil
	}
	err := c.openEscrow(ctx, j)
	c.watch(j.link, j.paid || err != nil) // with an error, the ledger may have taken it
	return err
}

// openEscrow sets aside the most that the job can cost.
func (c *Client) openEscrow(ctx context.Context, j *job) error {
	head, err := c.Peer.Ledger.Head(ctx)
	if err != nil {
		return fmt.Errorf("open escrow: %w", err)
	}
	// The blocks that whoever takes the escrow back reads must survive a power cut.
	if err := c.Peer.Store.Sync(ctx, []cid.Cid{j.link.Cid, j.record.Input.Cid}); err != nil {
		return fmt.Errorf("open escrow: %w", err)
	}
	most, deadline := j.most(j.document.Price), head.Height+j.document.Hold
	number, err := c.Customer().send(ctx, ledger.EscrowOpen{
		Job: j.link, Units: protocol.GroupOf(j.slots), Amount: most, Price: j.document.Price, Deadline: deadline,
	})
	switch {
	case err == nil:
		j.paid, j.deadline, j.escrow = true, deadline, number
		return nil
	case errors.Is(err, ledger.InsufficientFunds):
		return fmt.Errorf("the account that pays has too few ALIA: this may cost up to %s ALIA: %w", protocol.FormatAmount(most), err)
	case !errors.Is(err, ledger.Already):
		return fmt.Errorf("open escrow of %s ALIA for job %s: %w", protocol.FormatAmount(most), j.link, err)
	}
	// An earlier call opened the escrow, and did not live to see it.
	e, err := c.Peer.Ledger.ProveEscrow(ctx, c.Peer.Account(), j.link)
	switch {
	case errors.Is(err, light.ErrNoEscrow):
		return fmt.Errorf("the escrow of job %s was just closed: translate the document again", j.link)
	case err != nil:
		return fmt.Errorf("read escrow of job %s: %w", j.link, err)
	}
	return c.takeEscrow(j, e)
}

// takeEscrow has a job go on at the price of its escrow: the ledger pays no other. It
// says so where the document now names another price.
func (c *Client) takeEscrow(j *job, e light.ProvenEscrow) error {
	if e.Units != protocol.GroupOf(j.slots) {
		return fmt.Errorf("the escrow of job %s pays for other units than this program makes of the document: "+
			"continue with the version of the program that opened it, or close it (alia escrow close %s) when its deadline has passed", j.link, j.link)
	}
	if e.Price != j.document.Price {
		c.report(node.Resumed{Text: fmt.Sprintf("the job goes on at the price of its escrow, %s ALIA a GFLOP, not at %s: an escrow's price is fixed",
			protocol.FormatAmount(e.Price), protocol.FormatAmount(j.document.Price))})
		j.document.Price = e.Price
	}
	j.paid, j.deadline, j.escrow, j.proof = true, e.Deadline, e.Number, e.Proof
	c.watch(j.link, true)
	// An earlier process, perhaps on another machine, had these units done.
	j.claimed = map[uint32]protocol.Account{}
	for _, claim := range e.Claims {
		j.claimed[claim.Index] = claim.Miner
	}
	return nil
}

// extendEvery is the pause between two looks at the deadline of an escrow.
const extendEvery = 2 * time.Second

// extend moves the deadline of the job's escrow while its units are translated: miners
// that have a ticket can rely on the escrow for half of Hold at least. It returns when
// ctx ends. Without the ledger it tries again, and the miners' tickets stay good: only
// the customer could close the escrow. If another home of the customer does, no miner works on
// the job any more, and extend returns an error.
func (c *Client) extend(ctx context.Context, j *job) error {
	tick := time.NewTicker(extendEvery)
	defer tick.Stop()
	for {
		if err := c.extendOnce(ctx, j); errors.Is(err, light.ErrNoEscrow) && ctx.Err() == nil {
			return fmt.Errorf("another program with this account has closed the escrow of job %s: start the document again", j.link)
		} else if err != nil && ctx.Err() == nil {
			c.Peer.Log.Warn("the deadline of the escrow is not extended", "job", j.link, "deadline", j.deadline, "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (c *Client) extendOnce(ctx context.Context, j *job) error {
	head, err := c.Peer.Ledger.Head(ctx)
	if err != nil {
		return err
	}
	e, err := c.Customer().escrow(ctx, j.link)
	if err != nil {
		return err
	} else if e.Number != j.escrow {
		return fmt.Errorf("escrow %d of job %s: %w: it was closed, and escrow %d was opened", j.escrow, j.link, light.ErrNoEscrow, e.Number)
	}
	hold := j.document.Hold
	if head.Height+hold/2 <= j.deadline {
		return nil
	}
	deadline := head.Height + hold
	if _, err := c.Customer().send(ctx, ledger.EscrowTopUp{Job: j.link, Deadline: deadline}); err != nil {
		return err
	}
	j.deadline = deadline
	return nil
}

// pacedSender sends at most as many transactions at a time as its turns. The ledger
// remembers what became of the last four of an account: with more of them on the way,
// nobody could tell whether an escrow was opened. Each Send without an error must be
// confirmed.
type pacedSender struct {
	node.Sender
	turns chan struct{}
}

// maxSends leaves one of the four for another part of the process.
const maxSends = 3

// Send implements [node.Sender].
func (s pacedSender) Send(ctx context.Context, body ledger.Body) (nonce uint64, err error) {
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case s.turns <- struct{}{}:
	}
	if nonce, err = s.Sender.Send(ctx, body); err != nil {
		<-s.turns
	}
	return nonce, err
}

// Confirm implements [node.Sender].
func (s pacedSender) Confirm(ctx context.Context, nonce uint64) error {
	defer func() { <-s.turns }()
	return s.Sender.Confirm(ctx, nonce)
}
