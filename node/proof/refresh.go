package proof

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/disk"
)

// Refresh checks the file of a receipt. For jobs that are not paid yet it takes newer proofs
// of the ledger: from the shelf, where the customer's program keeps the last proof of each
// job, and else from the ledger. It replaces the file, whole or not at all. Without a
// directory of the shelf or a ledger (nil) it asks the other.
func Refresh(ctx context.Context, l *light.Client, shelf Shelf, path string) (*Verified, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	n := shelf.Network
	c, err := Verify(n, data)
	if err != nil || !c.Renewable() {
		return c, err
	}
	r, err := Parse(data)
	if err != nil {
		return c, err
	}
	changed := false
	for i, p := range c.Jobs {
		if !renewable(p) {
			continue
		}
		newer := shelf.newer(p)
		if newer == nil && l != nil {
			if newer, _, err = client.Renew(ctx, n, l, r.jobs[i].file); err != nil {
				return c, err
			}
		}
		if newer != nil {
			r.jobs[i].file, changed = newer, true
		}
	}
	if !changed {
		return c, nil
	}
	if data, err = r.Encode(); err != nil {
		return c, err
	}
	again, err := Verify(n, data)
	if err != nil {
		return c, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return c, fmt.Errorf("receipt: %w", err)
	}
	return again, disk.WriteFileMode(disk.OS, path, data, info.Mode().Perm())
}

// newer is the file of a job's receipt that the shelf has, if its proof is newer. A file that
// is damaged is none.
func (s Shelf) newer(p client.Proven) []byte {
	if s.Dir == "" {
		return nil
	}
	data, err := os.ReadFile(s.receiptOf(p.Link))
	if err != nil {
		return nil
	}
	if q, err := client.VerifyReceipt(s.Network, data); err != nil || q.Link != p.Link || q.Height <= p.Height {
		return nil
	}
	return data
}

// receiptOf is the file of a job's receipt.
func (s Shelf) receiptOf(job block.Link) string { return filepath.Join(s.Dir, job.String()) }

// Renewable reports whether there may be a newer proof of a job.
func (c *Verified) Renewable() bool { return slices.ContainsFunc(c.Jobs, renewable) }

func renewable(p client.Proven) bool { return p.Height > 0 && p.Status != client.Paid }
