package run

import (
	"context"
	"errors"
	"slices"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// What a run needs of its store, by owner. The head is the newest round that a restart
// goes on after; the last round is the newest of all.
//
//	run/CID              the record, the corpus, the tokenizer and the logs
//	run/CID/checkpoints  the states from which a verifier computes past rounds again
//	run/CID/states       what the run needs to go on after the newest head, and after the last
//	                     round, and the results of these rounds
//	run/CID/round        what the round in progress has read and made
//	work/CID/ROUND       the results that a publisher has accepted, see [unit.Unit.Owner]
//
// So the results and outputs of past rounds have no owner. A verifier that misses one
// computes it again from the checkpoint before.

// Owner is the owner of what a run needs for as long as its logs are kept. The owners
// of all else that a run needs begin with the same name and a slash.
func Owner(run block.Link) string { return "run/" + run.String() }

func checkpointsOwner(run block.Link) string { return Owner(run) + "/checkpoints" }
func statesOwner(run block.Link) string      { return Owner(run) + "/states" }
func roundOwner(run block.Link) string       { return Owner(run) + "/round" }

// Fresh is the blocks of the store for [New]. A new run has no name yet: the blocks that
// it puts stay until the process ends.
func Fresh(store block.Keeper) block.Owned { return block.Owned{Store: store, Owner: "run/new"} }

// Working is the blocks of the store for work in this process on the round in
// progress: blocks that are read or put stay at least until the round is done.
func (p *Plan) Working(store block.Keeper) block.Owned {
	return block.Owned{Store: store, Owner: roundOwner(p.Link)}
}

// Pin pins what a run needs to go on after the last round of a history, the logs of
// the run up to the log head, and what an audit needs: all checkpoints, or those that
// an audit of the last [AuditTime] needs. A run without logs has an empty history.
func Pin(ctx context.Context, store block.Keeper, run block.Link, head block.Link, history []Round, all bool) error {
	err := block.PinTree(ctx, store, Owner(run), run.Cid)
	if len(history) == 0 && errors.Is(err, block.ErrDamaged) {
		return nil // a power cut before the first head: the run begins again
	}
	if err != nil || len(history) == 0 {
		return err
	}
	record, err := Read(ctx, store, run)
	if err != nil {
		return err
	}
	link := head
	for _, r := range slices.Backward(history) {
		store.Pin(Owner(run), link.Cid)
		link = r.Previous
	}
	if err := checkpointsOf(history, record.Config.Checkpoint, all).own(ctx, store, run); err != nil {
		return err
	}
	last := history[len(history)-1]
	return ownSets(ctx, store, statesOwner(run), last.Needs(record.Config), last.results()...)
}

// results are the results of the round's units. The results of the last round are kept:
// they name the blocks that the run needs, and a verifier compares these blocks with its
// own.
func (r Round) results() (all []cid.Cid) {
	for _, l := range r.All() {
		if l.Result.Defined() {
			all = append(all, l.Result.Cid)
		}
	}
	return all
}

// sets returns the sets that a round leaves.
func (s State) sets() []block.Link { return []block.Link{s.Params, s.M, s.V, s.Update} }

// ownSets pins, for an owner, those of the sets that are in the store and the other
// blocks. It unpins all other blocks of the owner.
func ownSets(ctx context.Context, store block.Keeper, owner string, sets []block.Link, others ...cid.Cid) error {
	blocks, err := setBlocks(ctx, block.Owned{Store: store, Owner: owner}, sets...)
	keep := append(sorted(blocks), others...)
	store.Pin(owner, keep...)
	if err == nil {
		store.Unpin(owner, keep...)
	}
	return err
}

// ownRecord pins the run's record, its corpus and its tokenizer.
func (t *Training) ownRecord(ctx context.Context) error {
	return block.PinTree(ctx, t.Store, Owner(t.Plan.Link), t.Plan.Link.Cid)
}

// own pins the log of the last round and the state that the round left, and keeps that
// state as a checkpoint where one is due. It releases the state of the round before,
// unless that round is the head, and the checkpoints that are not needed any more.
func (t *Training) own(ctx context.Context) error {
	t.Store.Pin(Owner(t.Plan.Link), t.link.Cid)
	before := t.checkpoints
	t.checkpoints = before.after(t.last, t.Plan.Run.Config.Checkpoint, t.AllCheckpoints)
	if !slices.Equal(before, t.checkpoints) {
		if err := t.checkpoints.own(ctx, t.Store, t.Plan.Link); err != nil {
			return err
		}
	}
	return t.release(ctx)
}

// release keeps the states that the run needs after the head and after the last round,
// and unpins all others.
func (t *Training) release(ctx context.Context) error {
	c := t.Plan.Run.Config
	needs := slices.Concat(t.head.Needs(c), t.last.Needs(c))
	results := slices.Concat(t.head.results(), t.last.results())
	return ownSets(ctx, t.Store, statesOwner(t.Plan.Link), needs, results...)
}

// sweep releases what the round in progress has read and made, except the blocks in
// keep. Then it has the store delete the blocks without an owner.
func (t *Training) sweep(ctx context.Context, keep ...cid.Cid) error {
	t.Store.Pin(roundOwner(t.Plan.Link), keep...)
	t.Store.Unpin(roundOwner(t.Plan.Link), keep...)
	if t.Sweep == nil {
		return nil
	}
	return t.Sweep(ctx)
}

// lateRounds is for how many rounds after the round of a unit a publisher may still take
// the second result of a unit that was computed twice.
const lateRounds = 64

// releaseResults releases the results that a publisher has accepted for the rounds up
// to the head: the run goes on after the head. before is the previous head.
func (t *Training) releaseResults(before Round) {
	for r := before.Number - min(before.Number, lateRounds); r <= t.head.Number; r++ {
		t.Store.Unpin(unit.Unit{Work: t.Plan.Link, Round: r}.Owner())
	}
}

// setBlocks returns the blocks of sets: their records, and the leaves that the records
// name. A set whose record is not in the store has none.
func setBlocks(ctx context.Context, b block.Blocks, links ...block.Link) (map[cid.Cid]bool, error) {
	blocks := map[cid.Cid]bool{}
	for _, l := range links {
		if !l.Defined() || blocks[l.Cid] {
			continue
		}
		node, err := b.Get(ctx, l.Cid)
		if errors.Is(err, block.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		leaves, err := block.Links(node)
		if err != nil {
			return nil, err
		}
		blocks[l.Cid] = true
		for _, c := range leaves {
			blocks[c] = true
		}
	}
	return blocks, nil
}
