// Package retention keeps a home small: it lists the training runs and the swarms of
// a home, and deletes them.
//
// Which blocks a home needs is decided by their owners, see [node.PinHome].
//
//	runs, err := retention.Runs(ctx, dir, blocks)   // for `alia run list`
//	err = retention.DeleteRun(dir, net, run, false) // keeps the model that the run made
package retention

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/run"
)

// HomeRun is a training run whose directory is in a home.
type HomeRun struct {
	Link block.Link
	// Record is the run's record. It is zero when the record is not in the home, for
	// example because the home's blocks were deleted by hand.
	Record run.Record
	// Head is the newest round log, and Last its contents. Both are zero before
	// the first round is done.
	Head block.Link
	Last run.Round
	// Model is the model that the run ended in; zero while the run is unfinished.
	Model block.Link
	// Damage is why the run cannot be read, for example because its newest round
	// log is not in the home. The fields above it are then incomplete.
	Damage error
}

// Rounds is the number of rounds done.
func (r HomeRun) Rounds() int {
	if !r.Head.Defined() {
		return 0
	}
	return int(r.Last.Number) + 1
}

// Runs lists the runs of a home, in the order of their CIDs. blocks
// are those of the home; a process may have them in use.
func Runs(ctx context.Context, dir home.Dir, blocks block.Blocks) ([]HomeRun, error) {
	links, err := home.Named(dir.Runs())
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	var runs []HomeRun
	for _, l := range links {
		r, err := read(ctx, dir, blocks, l)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r.Damage = err // one damaged run must not hide the others
		runs = append(runs, r)
	}
	return runs, nil
}

// read reads the home's files of a run.
func read(ctx context.Context, dir home.Dir, blocks block.Blocks, l block.Link) (HomeRun, error) {
	r := HomeRun{Link: l}
	var err error
	if r.Record, err = run.Read(ctx, blocks, l); err != nil && !errors.Is(err, block.ErrNotFound) {
		return r, err
	}
	if r.Head, err = node.Head(dir.Run(l)); err != nil || !r.Head.Defined() {
		return r, err
	}
	if r.Last, err = run.ReadRound(ctx, blocks, r.Head); err != nil {
		return r, err
	}
	if r.Last.Result.Defined() {
		data, err := block.Encode(r.Record.Result(r.Last.Result))
		if err != nil {
			return r, err
		}
		r.Model = block.Link{Cid: block.Sum(block.CBOR, data)}
	}
	return r, nil
}

// ErrUnsettled is wrapped by DeleteRun when miners would lose their pay.
var ErrUnsettled = errors.New("units are not claimed on the ledger")

// DeleteRun deletes the directory of a run: its head, its journal and its
// curves. Afterwards the run can neither continue nor be verified; the model that it
// made stays. The caller must have the home's block store open. A run whose
// journal holds units that the ledger has no claim of is not deleted, unless
// force is set: the journal is the only proof that their miners are owed.
func DeleteRun(dir home.Dir, net protocol.Net, run block.Link, force bool) error {
	path := dir.Run(run)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("run %s is not in %s: `alia run list` shows the runs that are", run, filepath.Dir(path))
	}
	units := filepath.Join(path, home.JournalFile)
	if _, err := os.Stat(units); err == nil && !force {
		j, err := journal.Open(units, net, journal.Options{})
		if err != nil {
			return fmt.Errorf("delete run %s: %w", run, err)
		}
		pending := j.Count(journal.Pending)
		if err := j.Close(); err != nil {
			return fmt.Errorf("delete run %s: %w", run, err)
		}
		if pending > 0 {
			return fmt.Errorf("run %s: %d %w, and only its journal proves that their miners are owed: start the run again to claim them, or give --force", run, pending, ErrUnsettled)
		}
	}
	// The new name is no CID, so an interrupted deletion leaves no half of a run.
	doomed := filepath.Join(filepath.Dir(path), deleted+run.String())
	if err := os.RemoveAll(doomed); err != nil {
		return fmt.Errorf("delete run: %w", err)
	}
	if err := os.Rename(path, doomed); err != nil {
		return fmt.Errorf("delete run: %w", err)
	}
	if err := os.RemoveAll(doomed); err != nil {
		return fmt.Errorf("delete run: %w", err)
	}
	return nil
}

// deleted begins the name of a directory that is being deleted.
const deleted = ".deleted-"

// FinishDeletions deletes what an interrupted [DeleteRun] left of runs. The
// caller must have the home's block store open.
func FinishDeletions(dir home.Dir) error {
	entries, err := os.ReadDir(dir.Runs())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("delete run: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), deleted) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir.Runs(), e.Name())); err != nil {
			return fmt.Errorf("delete run: %w", err)
		}
	}
	return nil
}
