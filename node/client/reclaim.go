package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol/block"
)

// Reclaimed is the result of [Reclaim]; its amounts are those of escrows of jobs.
type Reclaimed struct {
	Returned uint64 `json:"returned"` // amount that came back to the account
	Held     uint64 `json:"held"`     // amount that miners can still rely on
	Due      uint64 `json:"due"`      // the first height at which some of Held can come back; 0 when Held is 0
	Settled  int    `json:"settled"`  // units that were accepted before, and whose miners are paid now
}

// Reclaim closes the escrows of a home's jobs whose deadline has passed, so that
// the unspent part comes back to the sender's account. Before it closes an escrow it
// settles the accepted units in the job's journal: their miners are paid from the escrow.
// A job whose journal is open, because it is being translated, stays as it is.
func Reclaim(ctx context.Context, l *light.Client, sender *light.Sender, dir home.Dir) (Reclaimed, error) {
	var out Reclaimed
	jobs, err := jobsIn(dir.Jobs())
	if err != nil {
		return out, err
	}
	head, err := l.Head(ctx)
	if err != nil {
		return out, fmt.Errorf("reclaim: %w", err)
	}
	for _, job := range jobs {
		// A job without an open escrow was unpaid, or its escrow was closed before.
		e, open, err := l.Escrow(ctx, job, sender.Account())
		if err != nil {
			return out, fmt.Errorf("reclaim job %s: %w", job, err)
		}
		if !open {
			continue
		}
		// Miners rely on the escrow until its deadline.
		if head.Height <= e.Deadline {
			out.Held += e.Left
			if out.Due == 0 || e.Deadline+1 < out.Due {
				out.Due = e.Deadline + 1
			}
			continue
		}
		n, err := settleJob(ctx, l, sender, dir.Job(job))
		if errors.Is(err, journal.ErrLocked) {
			out.Held, out.Due = out.Held+e.Left, head.Height+1
			continue
		} else if err != nil {
			return out, fmt.Errorf("reclaim job %s: %w", job, err)
		}
		out.Settled += n
		// What is left now comes back.
		if e, open, err = l.Escrow(ctx, job, sender.Account()); err != nil {
			return out, fmt.Errorf("reclaim job %s: %w", job, err)
		} else if !open {
			continue
		}
		nonce, err := sender.Send(ctx, ledger.EscrowClose{Job: job})
		if err == nil {
			err = sender.Confirm(ctx, nonce)
		}
		if err != nil {
			return out, fmt.Errorf("reclaim job %s: %w", job, err)
		}
		out.Returned += e.Left
	}
	return out, nil
}

// settleJob carries the accepted units of a job to the ledger. It returns the number
// that are settled now and were not before. A unit that the ledger refuses for good, for
// example because the escrow cannot pay for it, keeps no escrow open.
func settleJob(ctx context.Context, l *light.Client, sender *light.Sender, dir string) (int, error) {
	j, err := journal.Open(dir, l.Net(), journal.Options{})
	if err != nil {
		return 0, err
	}
	defer j.Close()
	before := j.Count(journal.Paid)
	relay := &node.Relay{
		Ledger: l, Sender: sender, Journal: j, Every: settleEvery, Report: func(node.Notice) {}, Log: slog.New(slog.DiscardHandler),
	}
	if err := relay.Drain(ctx); err != nil && ctx.Err() != nil {
		return 0, err
	}
	return j.Count(journal.Paid) - before, nil
}

// jobsIn lists the jobs whose journals are in a directory.
func jobsIn(dir string) ([]block.Link, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reclaim: %w", err)
	}
	var jobs []block.Link
	for _, e := range entries {
		if job, err := block.ParseLink(e.Name()); err == nil {
			jobs = append(jobs, job)
		}
	}
	return jobs, nil
}
