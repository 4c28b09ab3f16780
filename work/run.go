package work

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
)

// Crew does units: a worker in this process, or the miners of a network.
type Crew interface {
	// Do has every unit done and gives their outcomes in the order of units.
	// The blocks of every result's outputs are then in the run's store.
	Do(ctx context.Context, units []Unit) ([]Outcome, error)
}

// Outcome is a unit's result, and the part of it that is not a function of
// the unit: who did it and what that took.
type Outcome struct {
	Link   block.Link // the result's CID
	Result Result
	Worker [32]byte // account; zero for a local run
	// Started is in milliseconds since the Unix epoch, Took in milliseconds.
	Started, Took uint64
	// BytesIn and BytesOut are what the unit moved between machines.
	BytesIn, BytesOut uint64
}

// Store is what a run needs of the block store: to let go of old states too.
type Store interface {
	block.Blocks
	Delete(c cid.Cid) error
}

// Training is a run in progress.
type Training struct {
	Plan  *Plan
	Store Store
	// Crew does gradients and evaluations, Home the combines.
	Crew, Home Crew
	// Done is told of each round when its log is stored, before anything it
	// replaces is let go. Its error ends the run.
	Done func(Round, block.Link) error
}

// Run trains from the round after head, or from the beginning when head is
// zero, to the end of the plan, and returns the last round's log. Stopped at
// any moment and run again from the last head that Done was told of, it ends
// in the same parameters.
func (t *Training) Run(ctx context.Context, head block.Link) (Round, error) {
	from, err := t.Plan.Begin(ctx, t.Store)
	if err != nil {
		return Round{}, fmt.Errorf("begin run: %w", err)
	}
	next := 0
	var last Round
	if head.Defined() {
		if last, err = ReadRound(ctx, t.Store, head); err != nil {
			return Round{}, fmt.Errorf("resume run: %w", err)
		}
		if last.Run != t.Plan.Link {
			return Round{}, fmt.Errorf("resume run: log %s is of run %s, not %s", head, last.Run, t.Plan.Link)
		}
		from, next = last.After, int(last.Number)+1
	}
	for r := next; !last.Result.Defined(); r++ {
		round, err := t.Plan.conduct(ctx, t.Store, r, from, last.Progress, head, t.do)
		if err != nil {
			return Round{}, fmt.Errorf("round %d: %w", r, err)
		}
		link, err := block.PutNode(ctx, t.Store, round)
		if err != nil {
			return Round{}, fmt.Errorf("round %d: %w", r, err)
		}
		if err := t.Done(round, link); err != nil {
			return Round{}, fmt.Errorf("round %d: %w", r, err)
		}
		if err := t.prune(ctx, round, from, last.Progress); err != nil {
			return Round{}, fmt.Errorf("round %d: %w", r, err)
		}
		last, head, from = round, link, round.After
	}
	return last, nil
}

// do has the units of one part of a round done by whom it falls to.
func (t *Training) do(ctx context.Context, p part, units []Unit) ([]Entry, [][]block.Link, error) {
	crew := t.Crew
	if p == combining || p == averaging {
		crew = t.Home
	}
	return entriesOf(ctx, crew, units)
}

// ErrFault is wrapped when a unit's own result is a fault, which every
// machine would find again: the run cannot go on as configured.
var ErrFault = errors.New("the result is not finite: lower the learning rate")

// faulty is the [ErrFault] of a unit: where in the run, of what, and where in it.
func faulty(u Unit, r Result) error {
	return fmt.Errorf("%s unit %d of round %d, %s: %s: %w", u.Kind, u.Index, u.Round, u.ID(), r.Detail, ErrFault)
}

// entriesOf has units done and gives their log lines and outputs.
func entriesOf(ctx context.Context, crew Crew, units []Unit) ([]Entry, [][]block.Link, error) {
	outcomes, err := crew.Do(ctx, units)
	if err != nil {
		return nil, nil, err
	}
	entries, outs := make([]Entry, len(units)), make([][]block.Link, len(units))
	for i, o := range outcomes {
		if o.Result.Fault != 0 {
			return nil, nil, faulty(units[i], o.Result)
		}
		if err := Fits(units[i], o.Result); err != nil {
			return nil, nil, err
		}
		entries[i] = Entry{Worker: o.Worker, Started: o.Started, Took: o.Took, BytesIn: o.BytesIn, BytesOut: o.BytesOut}.of(units[i], o.Link, o.Result)
		outs[i] = o.Result.Outputs
	}
	return entries, outs, nil
}

// Fits checks that a result has the outputs its unit's kind gives.
func Fits(u Unit, r Result) error {
	if r.Unit != u.ID() || len(r.Outputs) != kinds[u.Kind].outputs {
		return fmt.Errorf("%s unit %s: the result is of unit %s with %d outputs", u.Kind, u.ID(), r.Unit, len(r.Outputs))
	}
	return nil
}

// prune lets go of the state round r began with, unless it is a checkpoint:
// one every Config.Checkpoint rounds. At a checkpoint it lets go of the
// deltas before the last one. What a verifier needs and does not find it
// recomputes from the checkpoint before. Parameters that may be averaged stay
// as long as they may; before is the progress the round began with.
func (t *Training) prune(ctx context.Context, r Round, from Checkpoint, before Progress) error {
	kept := map[cid.Cid]bool{}
	for _, l := range slices.Concat([]block.Link{r.After.Params, r.After.M, r.After.V, r.After.Update, r.Result}, r.Progress.Recent, r.Progress.Kept) {
		if err := t.blocks(ctx, l, func(c cid.Cid) error { kept[c] = true; return nil }); err != nil {
			return err
		}
	}
	drop := func(l block.Link) error {
		return t.blocks(ctx, l, func(c cid.Cid) error {
			if kept[c] {
				return nil
			}
			return t.Store.Delete(c)
		})
	}
	for _, l := range slices.Concat(before.Recent, before.Kept) {
		if !r.Progress.holds(l) && l != from.Params {
			if err := drop(l); err != nil {
				return err
			}
		}
	}
	every := t.Plan.Run.Config.Checkpoint
	if r.Number%every != 0 {
		for _, l := range []block.Link{from.Params, from.M, from.V, from.Update} {
			if err := drop(l); err != nil {
				return err
			}
		}
		return nil
	}
	old := r
	for old.Previous.Defined() && old.Number+2*every > r.Number {
		var err error
		if old, err = ReadRound(ctx, t.Store, old.Previous); err != nil {
			return err
		}
		if old.Number+every > r.Number {
			continue
		}
		for _, e := range old.Entries {
			data, err := t.Store.Get(ctx, e.Result.Cid)
			if err != nil {
				return fmt.Errorf("result of round %d: %w", old.Number, err)
			}
			result, err := ParseResult(data)
			if err != nil {
				return err
			}
			for _, l := range result.Outputs {
				if err := drop(l); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// blocks calls f for the blocks of a set, if its record is there.
func (t *Training) blocks(ctx context.Context, l block.Link, f func(cid.Cid) error) error {
	if !l.Defined() {
		return nil
	}
	node, err := t.Store.Get(ctx, l.Cid)
	if errors.Is(err, block.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	links, err := block.Links(node)
	if err != nil {
		return err
	}
	for _, c := range append(links, l.Cid) {
		if err := f(c); err != nil {
			return err
		}
	}
	return nil
}

// Local is the crew of one worker in this process.
type Local struct {
	Worker *Worker
	Blocks block.Blocks
	// Clock gives milliseconds since the Unix epoch, for the log.
	Clock func() uint64
	// Account is whose work it is; zero for a run without a network.
	Account [32]byte
}

// Do does the units one after another.
func (l *Local) Do(ctx context.Context, units []Unit) ([]Outcome, error) {
	var out []Outcome
	for _, u := range units {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		start := l.Clock()
		r, err := l.Worker.Do(ctx, l.Blocks, u)
		if err != nil {
			return nil, err
		}
		link, err := block.PutNode(ctx, l.Blocks, r)
		if err != nil {
			return nil, fmt.Errorf("store result: %w", err)
		}
		out = append(out, Outcome{Link: link, Result: r, Worker: l.Account, Started: start, Took: l.Clock() - start})
	}
	return out, nil
}

// TranslateAll has segments translated by a crew, in order.
func TranslateAll(ctx context.Context, b block.Blocks, crew Crew, owner, model block.Link, tok Tokenizer, segments []string, d Decoding) ([]string, []Outcome, error) {
	units, err := Translations(ctx, b, owner, model, tok, segments, d)
	if err != nil {
		return nil, nil, err
	}
	outcomes, err := crew.Do(ctx, units)
	if err != nil {
		return nil, nil, err
	}
	out, err := Segments(ctx, b, outcomes)
	if err != nil {
		return nil, nil, err
	}
	if len(out) != len(segments) {
		return nil, nil, fmt.Errorf("translation: %d segments for %d", len(out), len(segments))
	}
	return out, outcomes, nil
}

// Segments reads the text that Translate units gave, in order.
func Segments(ctx context.Context, b block.Blocks, outcomes []Outcome) ([]string, error) {
	var out []string
	for i, o := range outcomes {
		if o.Result.Fault != 0 || len(o.Result.Outputs) != 1 {
			return nil, fmt.Errorf("translation %d, unit %s: %w", i, o.Result.Unit, ErrFault)
		}
		var t Text
		if err := block.GetNode(ctx, b, o.Result.Outputs[0], &t); err != nil {
			return nil, fmt.Errorf("translation %d: %w", i, err)
		}
		out = append(out, t.Segments...)
	}
	return out, nil
}
