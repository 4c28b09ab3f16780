package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/unit"
)

// Who owns blocks of a home's store:
//
//	run/CID...               a training run, see package run
//	model/CID                a model: finished, or held for the network
//	work/CID/ROUND           the accepted results of a work, until the run's round or the job is over
//	job/CID                  the head of the model of a job of this customer
//	job/CID/secret           the job: its record, its text, its results
//	open/CID                 all of these, of a job that everybody may read
//	attempt/TICKET           a miner's result while it is checked
//	task/TICKET              the inputs that this miner reads for a unit, until keepUnits later units are done
//	task/TICKET/secret       the text of a customer, until the unit is computed
//	result/PUBLISHER/TICKET  the result and outputs that this miner makes for the unit, as long as the inputs
//
// Who may read a block follows from who owns it: see [Peer.readable]. The blocks of owners
// that end in /secret lie on no disk as they are: see [block.Store.Hide]. So does a result for
// a customer, whose owner is result/PUBLISHER/TICKET/secret, and one that is checked.
//
// Owners are in memory. What must survive the process is in the files of the home, each
// durable before it is relied on: a run's heads, journals, the directories of models.

// ModelOwner is the owner of a model's blocks.
func ModelOwner(model block.Link) string { return "model/" + model.String() }

// JobOwner is the owner of what a job of this customer needs of its model.
func JobOwner(job block.Link) string { return "job/" + job.String() }

// SecretOwner is the owner of the blocks of a job that only its miners read.
func SecretOwner(job block.Link) string { return JobOwner(job) + secret }

// OpenOwner is the owner of the blocks of a job that everybody may read.
func OpenOwner(job block.Link) string { return "open/" + job.String() }

// secret ends the owners whose blocks lie on no disk as they are.
const secret = "/secret"

func hidden(owner string) bool { return strings.HasSuffix(owner, secret) }

// taskOwner is the owner of the blocks that this miner reads for the unit of a ticket.
func taskOwner(ticket block.Link) string { return "task/" + ticket.String() }

// resultOwner is the owner of the blocks that this miner makes for a publisher's ticket.
func resultOwner(publisher protocol.Account, ticket block.Link) string {
	return resultsFor(publisher) + ticket.String()
}

// madeBy is the owner of the blocks of the result that an entry of a miner's journal
// has. It is empty when the entry has no result.
func madeBy(e journal.Entry) string {
	if e.Done == nil || len(e.Tickets) == 0 {
		return ""
	}
	owner := resultOwner(e.Tickets[len(e.Tickets)-1].Account, e.Done.Attestation.Ticket)
	if claimable(e) {
		owner += secret
	}
	return owner
}

// resultsFor is the prefix of the owners of all results for a publisher.
func resultsFor(publisher protocol.Account) string { return "result/" + publisher.String() + "/" }

// PinHome pins the blocks that the home needs, as the files of the home name them. Call
// it when the home's store has just been opened. Afterwards a sweep deletes all blocks
// without an owner; if PinHome fails, a sweep deletes only blocks that this process puts.
// A run that has lost the logs of all its heads is an error: all blocks of its history
// would look unneeded.
func PinHome(ctx context.Context, dir home.Dir, net protocol.Net, store *block.Store, log *slog.Logger) error {
	p := pinner{net: net, store: store, log: log}
	err := errors.Join(
		p.each(dir.Runs(), func(l block.Link) error { return p.run(ctx, dir.Run(l), l) }),
		p.each(dir.Models(), func(l block.Link) error { return p.tree(ctx, "model", ModelOwner(l), l, nil) }),
		p.each(dir.Jobs(), func(l block.Link) error { return p.job(ctx, dir.Job(l), l) }),
		p.tasks(ctx, dir.MinerJournal()),
	)
	if err == nil {
		err = store.Survey()
	}
	if err != nil {
		return fmt.Errorf("blocks in use: %w", err)
	}
	return nil
}

// pinner pins what a home needs.
type pinner struct {
	net   protocol.Net
	store *block.Store
	log   *slog.Logger
}

// each calls f with the CIDs that name the entries of a directory.
func (p pinner) each(dir string, f func(block.Link) error) error {
	links, err := home.Named(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range links {
		if err := f(l); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// run pins what a run needs to go on after its newest head whose logs are all there, and
// the results of units that were accepted later.
func (p pinner) run(ctx context.Context, dir string, link block.Link) error {
	head, history, err := History(ctx, p.store, dir)
	if err != nil {
		return fmt.Errorf("%w: restore the home from a backup, or delete the run with `alia run delete %s`", err, link)
	}
	all, err := keepsCheckpoints(dir)
	if err != nil {
		return err
	}
	if err := run.Pin(ctx, p.store, link, head, history, all); err != nil {
		return err
	}
	logged := map[block.Link]bool{}
	for _, r := range history {
		for _, l := range r.All() {
			logged[l.Unit] = true
		}
	}
	results, err := p.accepted(filepath.Join(dir, home.JournalFile), logged)
	if err != nil {
		return err
	}
	err = block.PinTree(ctx, p.store, run.Owner(link)+"/accepted", results...)
	if errors.Is(err, block.ErrDamaged) {
		return nil // a result that cannot be read is asked for again
	}
	return err
}

// job pins a job and the results of its units. Of a secret job nothing but the results is
// known before the key is: see [pinJobs].
func (p pinner) job(ctx context.Context, dir string, link block.Link) error {
	results, err := p.accepted(dir, nil)
	if err != nil {
		return err
	}
	var j unit.Job
	switch err := block.GetNode(ctx, p.store, link, &j); {
	case err == nil && j.Salt == nil:
		return p.tree(ctx, "job", OpenOwner(link), link, results)
	case err == nil:
		p.store.Pin(SecretOwner(link), j.Input.Cid)
		if err := p.tree(ctx, "model", JobOwner(link), j.Model, nil); err != nil {
			return err
		}
	case !errors.Is(err, block.ErrNotFound):
		return fmt.Errorf("job %s: %w", link, err)
	}
	p.store.Pin(SecretOwner(link), link.Cid)
	if err := block.PinTree(ctx, p.store, SecretOwner(link), results...); err != nil {
		return fmt.Errorf("job %s: %w", link, err)
	}
	return nil
}

// pinJobs pins the jobs of a home whose key the store now has, and deletes what a crash left
// of others.
func pinJobs(ctx context.Context, dir home.Dir, net protocol.Net, store *block.Store, log *slog.Logger) error {
	p := pinner{net: net, store: store, log: log}
	if err := p.each(dir.Jobs(), func(l block.Link) error { return p.job(ctx, dir.Job(l), l) }); err != nil {
		return fmt.Errorf("blocks of jobs: %w", err)
	}
	_, err := store.DeleteSealed(ctx)
	return err
}

// tasks pins the results of a miner that no publisher has answered.
func (p pinner) tasks(ctx context.Context, dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	j, err := openJournal(dir, p.net, p.log)
	if err != nil {
		return err
	}
	defer j.Close()
	return j.Each(journal.Unaccepted, func(e journal.Entry) error {
		var r unit.Result
		owner := madeBy(e)
		if owner == "" || block.Decode(e.Done.Result, &r) != nil {
			return nil
		}
		for _, out := range r.Outputs {
			if err := p.tree(ctx, "output", owner, out, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// tree pins all blocks that a link, or one of others, leads to. what says in an
// error what the link is: a model, a job or an output.
func (p pinner) tree(ctx context.Context, what, owner string, link block.Link, others []cid.Cid) error {
	if err := block.PinTree(ctx, p.store, owner, append(others, link.Cid)...); err != nil {
		return fmt.Errorf("%s %s: %w", what, link, err)
	}
	return nil
}

// accepted returns the accepted results of a journal, except those of the units in
// done. A missing journal, such as that of a run without a network, holds none.
func (p pinner) accepted(dir string, done map[block.Link]bool) ([]cid.Cid, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	j, err := openJournal(dir, p.net, p.log)
	if err != nil {
		return nil, err
	}
	defer j.Close()
	var results []cid.Cid
	for _, s := range []journal.State{journal.Pending, journal.Paid} {
		err := j.Each(s, func(e journal.Entry) error {
			if e.Accepted != nil && !done[e.Unit] {
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
