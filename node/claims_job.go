package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/dustin/go-humanize/english"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// JobClaims is the claims of a customer: the accepted units of a job, from its escrow.
type JobClaims struct {
	Ledger   Ledger
	Sender   Sender
	Journal  *journal.Journal
	Store    block.Blocks // has the results
	Customer protocol.Account
	Job      block.Link
	Slots    []protocol.Slot // of the job's units
	Report   Reporter
}

// Left implements [Claimer].
func (c *JobClaims) Left() string {
	if n := c.Journal.Count(journal.Pending); n > 0 {
		return english.Plural(n, "unit", "")
	}
	return ""
}

// Step implements [Claimer]. It claims as many units as one transaction and the escrow
// hold. Where only units are left that cannot be claimed, it says why of the first.
func (c *JobClaims) Step(ctx context.Context) error {
	batch, err := c.Journal.List(journal.Pending, ledger.MaxJobUnits, nil)
	if err != nil || len(batch) == 0 {
		return err
	}
	e, height, err := c.escrow(ctx)
	if err != nil {
		return err
	}
	body, problem, err := c.claim(ctx, batch, e)
	if err != nil {
		return err
	}
	if len(body.Units) > 0 {
		problem = nil // the next step says it
		if err := send(ctx, c.Sender, body); err != nil && !errors.Is(err, ledger.Already) {
			return fmt.Errorf("claim %s of job %s: %w", english.Plural(len(body.Units), "unit", ""), c.Job, err)
		}
		if e, height, err = c.escrow(ctx); err != nil {
			return err
		}
	}
	if err := c.note(batch, e, height); err != nil {
		return err
	}
	return problem
}

// claim makes the claim of units that the escrow has not. problem says why one is left out.
func (c *JobClaims) claim(ctx context.Context, batch []journal.Entry, e ledger.Escrow) (body ledger.JobClaim, problem, err error) {
	body = ledger.JobClaim{Customer: c.Customer, Job: c.Job}
	taken, left := e.Claimed(), e.Left
	for _, entry := range batch {
		at, _, _ := entry.Agreed()
		i := int(at.Place.Index)
		if i >= len(c.Slots) || taken[at.Place.Index] {
			continue
		}
		work, err := claimed(ctx, c.Store, at)
		if err != nil {
			return body, nil, err
		}
		if len(work) == 0 {
			problem = cmp.Or(problem, fmt.Errorf("unit %s: %w", entry.Unit, errNoResult))
			continue
		}
		r, err := unit.ParseResult(work[0].Record)
		if err != nil {
			return body, nil, fmt.Errorf("result of unit %s: %w", entry.Unit, err)
		}
		amount := e.Amount(min(r.MFLOP(), c.Slots[i].Most))
		if amount > left {
			problem = cmp.Or(problem, fmt.Errorf("unit %s costs %s ALIA, and the escrow has %s: add to the escrow: %w",
				entry.Unit, protocol.FormatAmount(amount), protocol.FormatAmount(left), ledger.InsufficientFunds))
			continue
		}
		left -= amount
		taken[at.Place.Index] = true
		body.Units = append(body.Units, ledger.JobWork{Slot: c.Slots[i], Path: protocol.Bytes(protocol.PathOf(c.Slots, i)), Work: work[0]})
		if len(body.Units) == ledger.MaxJobClaims {
			break
		}
	}
	return body, problem, nil
}

// errNoResult is returned for an accepted unit whose result the customer has lost.
var errNoResult = errors.New("its result is not in the store any more: restore the home from a backup, or leave the claim to the miner")

// escrow returns the job's escrow and the height.
func (c *JobClaims) escrow(ctx context.Context) (ledger.Escrow, uint64, error) {
	head, err := c.Ledger.Head(ctx)
	if err != nil {
		return ledger.Escrow{}, 0, err
	}
	e, open, err := c.Ledger.Escrow(ctx, c.Customer, c.Job)
	if err == nil && !open {
		err = fmt.Errorf("job %s: %w", c.Job, ledger.UnknownEscrow)
	}
	return e, head.Height, err
}

// note writes to the journal which units are claimed.
func (c *JobClaims) note(batch []journal.Entry, e ledger.Escrow, height uint64) error {
	var lines []journal.Line
	claims := map[uint32]ledger.JobClaimed{}
	for _, claim := range e.Claims {
		claims[claim.Index] = claim
	}
	for _, entry := range batch {
		at, _, _ := entry.Agreed()
		claim, taken := claims[at.Place.Index]
		if !taken {
			continue
		}
		lines = append(lines, journal.Line{Key: entry.Key, Record: journal.Settled{Height: height}})
		if claim.Miner != at.Account {
			c.Report(Refused{Miner: claim.Miner, Unit: entry.Unit.String(), Why: newWhy(protocol.Unpaid, fmt.Sprintf(
				"this miner had a ticket, and was faster to claim the %s ALIA of the unit: the miner %s, whose result was accepted, gets nothing for it",
				protocol.FormatAmount(claim.Amount), at.Account))})
		}
	}
	if len(lines) == 0 {
		return nil
	}
	if err := c.Journal.Append(lines...); err != nil {
		return err
	}
	c.Report(UnitsSettled{Units: len(lines)})
	return nil
}
