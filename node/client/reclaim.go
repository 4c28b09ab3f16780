package client

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Reclaimed is what became of the unspent budgets of a customer's jobs, in
// units of the token.
type Reclaimed struct {
	Returned uint64 `json:"returned"` // to the account
	Held     uint64 `json:"held"`     // until the height Due
	Due      uint64 `json:"due"`      // the first height at which more can be returned; 0: none is held
}

// Reclaim takes back what the jobs whose journals are in dir left unspent,
// from those escrows whose deadline is past.
func Reclaim(ctx context.Context, l *light.Client, key ed25519.PrivateKey, dir string) (Reclaimed, error) {
	var out Reclaimed
	jobs, err := jobsIn(dir)
	if err != nil {
		return out, err
	}
	head, err := l.Head(ctx)
	if err != nil {
		return out, fmt.Errorf("reclaim: %w", err)
	}
	sender := l.Sender(key)
	for _, job := range jobs {
		e, open, err := l.Escrow(ctx, job, protocol.AccountOf(key))
		if err != nil {
			return out, fmt.Errorf("reclaim job %s: %w", job, err)
		}
		if !open {
			continue
		}
		if head.Height <= e.Deadline {
			out.Held += e.Left
			if out.Due == 0 || e.Deadline+1 < out.Due {
				out.Due = e.Deadline + 1
			}
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

// jobsIn lists the jobs whose journals are in dir.
func jobsIn(dir string) ([]block.Link, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reclaim: %w", err)
	}
	var jobs []block.Link
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), home.JournalSuffix); ok {
			if job, err := block.ParseLink(name); err == nil {
				jobs = append(jobs, job)
			}
		}
	}
	return jobs, nil
}
