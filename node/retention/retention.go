// Package retention keeps a home small: it lists the training runs of a home,
// deletes a run, and deletes the blocks that nothing in the home needs.
//
// A block is needed when a chain of links leads to it from a root. The roots
// are the record and the newest round log of each run, the results of units
// that a journal holds, and the finished models. For example, the state that a
// run goes on from is needed, because the newest round log links to it; the
// batches of a round that is done are not.
//
//	runs, err := retention.Runs(ctx, dir, blocks)   // for `alia run list`
//	err = retention.DeleteRun(dir, net, run, false) // keeps the model that the run made
//	roots, err := retention.Roots(dir, net, blocks)
//	swept, err := store.Sweep(ctx, roots)           // for `alia gc`
package retention

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ipfs/go-cid"

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
	links, err := named(dir.Runs())
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

// Roots returns the blocks that the home needs for themselves, not
// because another block links to them. The caller must have the block store
// open, so that no other process changes the home. One of the newest round logs of
// a run must be in the home: without it the run's whole history would look unneeded.
func Roots(dir home.Dir, net protocol.Net, store *block.Store) ([]cid.Cid, error) {
	var roots []cid.Cid
	runs, err := named(dir.Runs())
	if err != nil {
		return nil, fmt.Errorf("blocks in use: %w", err)
	}
	for _, run := range runs {
		runDir := dir.Run(run)
		heads, err := node.Heads(runDir)
		if err != nil {
			return nil, fmt.Errorf("blocks in use: run %s: %w", run, err)
		}
		roots = append(roots, run.Cid)
		held := slices.DeleteFunc(slices.Clone(heads), func(l block.Link) bool { return !store.Has(l.Cid) })
		if len(heads) > 0 && len(held) == 0 {
			return nil, fmt.Errorf("blocks in use: run %s: its newest round log %s is not in %s: restore the home from a backup, or delete the run with `alia run delete %s`",
				run, heads[0], dir.Blocks(), run)
		}
		for _, head := range held {
			roots = append(roots, head.Cid)
		}
		results, err := accepted(filepath.Join(runDir, home.JournalFile), net)
		if err != nil {
			return nil, fmt.Errorf("blocks in use: run %s: %w", run, err)
		}
		roots = append(roots, results...)
	}
	models, err := named(dir.Models())
	if err != nil {
		return nil, fmt.Errorf("blocks in use: %w", err)
	}
	for _, m := range models {
		roots = append(roots, m.Cid)
	}
	jobs, err := named(dir.Jobs())
	if err != nil {
		return nil, fmt.Errorf("blocks in use: %w", err)
	}
	for _, job := range jobs {
		results, err := accepted(dir.Job(job), net)
		if err != nil {
			return nil, fmt.Errorf("blocks in use: job %s: %w", job, err)
		}
		roots = append(append(roots, job.Cid), results...)
	}
	return roots, nil
}

// accepted returns the results that a journal holds. A missing journal, such as
// that of a run without a network, holds none.
func accepted(path string, net protocol.Net) ([]cid.Cid, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	j, err := journal.Open(path, net, journal.Options{})
	if err != nil {
		return nil, err
	}
	defer j.Close()
	var results []cid.Cid
	for _, s := range []journal.State{journal.Pending, journal.Paid} {
		err := j.Each(s, func(e journal.Entry) error {
			if e.Accepted != nil {
				results = append(results, e.Accepted.Attestation.Result.Cid)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}

// ErrUnsettled is wrapped by DeleteRun when miners would lose their pay.
var ErrUnsettled = errors.New("units are not settled on the ledger")

// DeleteRun deletes the directory of a run: its head, its journal and its
// curves. Afterwards the run can neither continue nor be verified; the model that it
// made stays. The caller must have the home's block store open. A run whose
// journal holds units that the ledger has not settled is not deleted, unless
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
			return fmt.Errorf("run %s: %d %w, and only its journal proves that their miners are owed: start the run again to settle them, or give --force", run, pending, ErrUnsettled)
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

// named lists the CIDs that name the entries of a directory. Other entries, such
// as a directory that is being written, are left out.
func named(dir string) ([]block.Link, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var links []block.Link
	for _, e := range entries {
		if l, err := block.ParseLink(e.Name()); err == nil {
			links = append(links, l)
		}
	}
	slices.SortFunc(links, func(a, b block.Link) int { return strings.Compare(a.String(), b.String()) })
	return links, nil
}
