package ledger

import (
	"fmt"
	"slices"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

const (
	// maxProposals bounds the runs that await votes.
	maxProposals = 256
	// ProposalLife is the heights after which an undecided proposal is dropped: an hour,
	// where a height takes a second. Validators take that long for the plan of a corpus of
	// many millions of pairs.
	ProposalLife = 3600
	// minSilence and maxSilence bound the silence after which a run may be taken over.
	minSilence = 100
	maxSilence = 1_000_000
	// maxGroups bounds the groups of a plan.
	maxGroups = 10_000_000
)

// RunPropose asks the validators to let the sender mint for a run. They recompute the plan
// before they vote. The sender sets a bond aside, which it gets back when the run ends, or
// when the proposal expires. If the validators refuse the proposal, the bond is burned.
type RunPropose struct {
	_       struct{} `cbor:",toarray"`
	Run     block.Link
	Plan    Plan
	Silence uint64 // heights without a sign of life after which others may take the run over
}

// Kind returns KindRunPropose.
func (RunPropose) Kind() TxKind { return KindRunPropose }

func (RunPropose) signatures() int { return 0 }

// free: the first members of a network have no tokens. What they propose is bounded by
// maxProposals.
func (RunPropose) free(d *draft, _ *Tx) bool { return d.collateral(d.base.genesis.Params.Bond) == 0 }

func (b RunPropose) check() error {
	if b.Plan.Groups < 2 || b.Plan.Groups > maxGroups {
		return fmt.Errorf("%w: a plan of %d groups of slots, want 2 to %d", Malformed, b.Plan.Groups, maxGroups)
	}
	if b.Silence < minSilence || b.Silence > maxSilence {
		return fmt.Errorf("%w: a silence of %d heights, want %d to %d", Malformed, b.Silence, minSilence, maxSilence)
	}
	if err := need("function", b.Plan.Function); err != nil {
		return err
	}
	return need("run", b.Run)
}

func (b RunPropose) apply(d *draft, tx *Tx) error {
	key := RunKey(b.Run, tx.Account)
	if _, known := load[RunState](d, key); known {
		return Already
	}
	if open := d.runs(proposalsKey); len(open) >= maxProposals {
		return fmt.Errorf("%w: %d runs await votes", Busy, len(open))
	}
	bond := d.collateral(d.base.genesis.Params.Bond)
	if err := d.setAside(tx.Account, bond); err != nil {
		return err
	}
	d.enlist(proposalsKey, RunName{Run: b.Run, Coordinator: tx.Account})
	store(d, key, RunState{
		Version: 1, Run: b.Run, Coordinator: tx.Account, Plan: b.Plan, Silence: b.Silence,
		Status: Proposed, Active: d.height, Bond: bond,
	})
	return nil
}

// setAside takes a bond from an account's balance.
func (d *draft) setAside(from protocol.Account, bond uint64) error {
	if bond == 0 {
		return nil
	}
	if err := d.withdraw(from, bond); err != nil {
		return fmt.Errorf("bond: %w", err)
	}
	d.books(func(s *Supply) { s.Bonds += bond })
	return nil
}

// release gives a bond back.
func (d *draft) release(to protocol.Account, bond uint64) {
	if bond == 0 {
		return
	}
	d.books(func(s *Supply) { s.Bonds -= bond })
	d.deposit(to, bond)
}

// runs returns the runs on a list.
func (d *draft) runs(list string) []RunName {
	r, _ := load[runList](d, []byte(list))
	return r.Runs
}

// enlist puts a run at the end of a list.
func (d *draft) enlist(list string, r RunName) {
	store(d, []byte(list), runList{Version: 1, Runs: append(slices.Clone(d.runs(list)), r)})
}

// delist takes a run off a list.
func (d *draft) delist(list string, r RunName) {
	left := slices.DeleteFunc(slices.Clone(d.runs(list)), func(n RunName) bool { return n == r })
	store(d, []byte(list), runList{Version: 1, Runs: left})
}

// expire drops the proposals and ballots that were not decided in time, and the runs that
// have ended long enough ago.
func (d *draft) expire() {
	d.writes = d.done
	d.dropRuns(proposalsKey, ProposalLife)
	d.dropRuns(endedKey, d.base.genesis.Params.Finality)
	v := d.validators()
	if len(v.Ballots) > 0 && d.height > v.Ballots[0].Expires {
		v.Ballots = slices.DeleteFunc(slices.Clone(v.Ballots), func(b Ballot) bool { return d.height > b.Expires })
		store(d, ValidatorsKey(), v)
	}
	if len(v.Left) > 0 && d.height > v.Left[0].Height {
		v.Left = slices.DeleteFunc(slices.Clone(v.Left), func(l Leaver) bool { return d.height > l.Height })
		store(d, ValidatorsKey(), v)
	}
}

// dropRuns drops the runs that are on a list for longer than life.
func (d *draft) dropRuns(list string, life uint64) {
	for _, n := range d.runs(list) {
		r, _ := load[RunState](d, RunKey(n.Run, n.Coordinator))
		if d.height <= r.Active+life {
			break // the list is in sequence
		}
		d.delist(list, n)
		d.remove(RunKey(n.Run, n.Coordinator))
		d.release(r.Coordinator, r.Bond)
	}
}

// RunVote is a validator's vote on a proposed run, after it has recomputed the plan. More
// than two thirds of the validators approve a run; a third of them refuses it.
type RunVote struct {
	_           struct{} `cbor:",toarray"`
	Run         block.Link
	Coordinator protocol.Account
	Plan        Plan // that the vote is about
	Yes         bool
}

// Kind returns KindRunVote.
func (RunVote) Kind() TxKind { return KindRunVote }

func (RunVote) signatures() int { return 0 }

func (RunVote) free(d *draft, tx *Tx) bool {
	return slices.Contains(d.validators().Members, tx.Account)
}

func (b RunVote) check() error { return need("run", b.Run) }

func (b RunVote) apply(d *draft, tx *Tx) error {
	// Only a validator votes, and once, while the run is proposed.
	validators := d.validators()
	if !slices.Contains(validators.Members, tx.Account) {
		return NotValidator
	}
	r, known := load[RunState](d, RunKey(b.Run, b.Coordinator))
	switch {
	case !known:
		return UnknownRun
	case r.Status != Proposed || r.Voted(tx.Account):
		return Already
	case r.Plan != b.Plan:
		return fmt.Errorf("%w: the vote is about another plan", Mismatch)
	}
	if b.Yes {
		r.Yes = append(slices.Clone(r.Yes), tx.Account)
	} else {
		r.No = append(slices.Clone(r.No), tx.Account)
	}
	// The vote that decides takes the run off the list of proposals.
	switch n := len(validators.Members); {
	case 3*validators.votes(r.Yes) > 2*n:
		key := FunctionKey(r.Plan.Function)
		if _, known := load[FunctionState](d, key); !known {
			store(d, key, FunctionState{Version: 1})
		}
		r.Status, r.Active = Approved, d.height
		d.delist(proposalsKey, RunName{Run: r.Run, Coordinator: r.Coordinator})
	case 3*validators.votes(r.No) >= n:
		d.delist(proposalsKey, RunName{Run: r.Run, Coordinator: r.Coordinator})
		d.remove(RunKey(b.Run, b.Coordinator))
		d.books(func(s *Supply) { s.Bonds, s.Burned = s.Bonds-r.Bond, s.Burned+r.Bond })
		return nil
	}
	store(d, RunKey(b.Run, b.Coordinator), r)
	return nil
}

// coordinated returns a run that the sender coordinates and the validators have approved.
func (d *draft) coordinated(run block.Link, by protocol.Account) (RunState, error) {
	r, known := load[RunState](d, RunKey(run, by))
	switch {
	case !known:
		return r, fmt.Errorf("%w: run %s of %s", UnknownRun, run, by.Short())
	case r.Status != Approved:
		return r, NotApproved
	}
	return r, nil
}

// RunEnd ends the sender's run, or takes its proposal back: what is left of the plan is
// paid to nobody. For Params.Finality heights miners can still claim the units of the
// last round ([UnitClaim]). Then the bond comes back.
type RunEnd struct {
	_   struct{} `cbor:",toarray"`
	Run block.Link
}

// Kind returns KindRunEnd.
func (RunEnd) Kind() TxKind { return KindRunEnd }

func (RunEnd) signatures() int { return 0 }

// free: a run ends once.
func (b RunEnd) free(d *draft, tx *Tx) bool {
	r, known := load[RunState](d, RunKey(b.Run, tx.Account))
	return known && r.Status != Ended
}

func (b RunEnd) check() error { return need("run", b.Run) }

func (b RunEnd) apply(d *draft, tx *Tx) error {
	r, known := load[RunState](d, RunKey(b.Run, tx.Account))
	name := RunName{Run: b.Run, Coordinator: tx.Account}
	switch {
	case !known:
		return UnknownRun
	case r.Status == Ended:
		return Already
	case r.Status == Proposed:
		d.delist(proposalsKey, name)
		d.remove(RunKey(b.Run, tx.Account))
		d.release(tx.Account, r.Bond)
		return nil
	}
	r.Status, r.Active = Ended, d.height
	store(d, RunKey(b.Run, tx.Account), r)
	d.enlist(endedKey, name)
	return nil
}

// Heartbeat says that the coordinator of a run is alive while a round takes long.
type Heartbeat struct {
	_   struct{} `cbor:",toarray"`
	Run block.Link
}

// Kind returns KindHeartbeat.
func (Heartbeat) Kind() TxKind { return KindHeartbeat }

func (Heartbeat) signatures() int { return 0 }

func (b Heartbeat) free(d *draft, tx *Tx) bool {
	r, err := d.coordinated(b.Run, tx.Account)
	return err == nil && d.height >= r.Active+r.Silence/4
}

func (b Heartbeat) check() error { return need("run", b.Run) }

func (b Heartbeat) apply(d *draft, tx *Tx) error {
	r, err := d.coordinated(b.Run, tx.Account)
	if err != nil {
		return err
	}
	if d.height < r.Active+r.Silence/4 {
		return fmt.Errorf("%w: the last sign of life was at height %d", Already, r.Active)
	}
	r.Active = d.height
	store(d, RunKey(b.Run, tx.Account), r)
	return nil
}

// RunTake makes the sender the coordinator of a run whose coordinator is silent. The
// sender has a stake locked and sets a bond aside. Rounds that are claimed stay with the
// old coordinator; the sender claims from the next one on.
type RunTake struct {
	_           struct{} `cbor:",toarray"`
	Run         block.Link
	Coordinator protocol.Account // the silent one
}

// Kind returns KindRunTake.
func (RunTake) Kind() TxKind { return KindRunTake }

func (RunTake) signatures() int       { return 0 }
func (RunTake) free(*draft, *Tx) bool { return false }

func (b RunTake) check() error { return need("run", b.Run) }

func (b RunTake) apply(d *draft, tx *Tx) error {
	r, err := d.coordinated(b.Run, b.Coordinator)
	if err != nil {
		return err
	}
	params := d.base.genesis.Params
	if quiet := d.height - r.Active; quiet <= r.Silence {
		return fmt.Errorf("%w: the coordinator was silent for %d heights, and may be for %d", NotDue, quiet, r.Silence)
	}
	if _, own := load[RunState](d, RunKey(b.Run, tx.Account)); own {
		return Already
	}
	if stake := d.collateral(params.Stake); d.account(tx.Account).Locked < stake {
		return fmt.Errorf("%w: who takes a run over has %s locked", NoStake, alia(stake))
	}
	bond := d.collateral(params.Bond)
	if err := d.setAside(tx.Account, bond); err != nil {
		return err
	}
	d.remove(RunKey(b.Run, b.Coordinator))
	d.release(b.Coordinator, r.Bond)
	r.Coordinator, r.Bond, r.Active = tx.Account, bond, d.height
	store(d, RunKey(b.Run, tx.Account), r)
	return nil
}
