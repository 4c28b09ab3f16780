package ledger

import (
	"fmt"
	"slices"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// maxProposals bounds the runs that await votes.
const maxProposals = 256

// RunPropose asks the validators to let a run mint for work of at most Budget.
// The sender becomes the run's coordinator.
type RunPropose struct {
	_      struct{} `cbor:",toarray"`
	Run    block.Link
	Budget uint64 // MFLOP
}

// Kind returns KindRunPropose.
func (RunPropose) Kind() TxKind { return KindRunPropose }

func (b RunPropose) check() error { return need("run", b.Run) }

func (b RunPropose) apply(d *draft, tx *Tx) error {
	key := RunKey(b.Run)
	if _, known := load[RunState](d, key); known {
		return Already
	}
	open, _ := load[proposals](d, []byte(proposalsKey))
	if len(open.Runs) >= maxProposals {
		return Busy
	}
	open.Version = 1
	open.Runs = append(slices.Clone(open.Runs), b.Run)
	store(d, []byte(proposalsKey), open)
	store(d, key, RunState{
		Version: 1, Run: b.Run, Status: Proposed, Proposer: tx.Account, Coordinator: tx.Account,
		Active: d.height, Budget: b.Budget,
	})
	return nil
}

// RunVote is a validator's vote on a proposed run. More than two thirds of the
// validators approve a run; a third of them refuses it.
type RunVote struct {
	_   struct{} `cbor:",toarray"`
	Run block.Link
	Yes bool
}

// Kind returns KindRunVote.
func (RunVote) Kind() TxKind { return KindRunVote }

func (b RunVote) check() error { return need("run", b.Run) }

func (b RunVote) apply(d *draft, tx *Tx) error {
	// Only a validator votes, and once, while the run is proposed.
	validators := d.base.genesis.Validators
	if !slices.Contains(validators, tx.Account) {
		return NotValidator
	}
	r, known := load[RunState](d, RunKey(b.Run))
	if !known {
		return UnknownRun
	}
	if r.Status != Proposed || r.Voted(tx.Account) {
		return Already
	}
	if b.Yes {
		r.Yes = append(slices.Clone(r.Yes), tx.Account)
	} else {
		r.No = append(slices.Clone(r.No), tx.Account)
	}
	// The vote that decides takes the run off the list of proposals.
	switch {
	case 3*len(r.Yes) > 2*len(validators):
		r.Status, r.Active = Approved, d.height
	case 3*len(r.No) >= len(validators):
		r.Status = Refused
	}
	if r.Status != Proposed {
		open, _ := load[proposals](d, []byte(proposalsKey))
		open.Runs = slices.DeleteFunc(slices.Clone(open.Runs), func(l block.Link) bool { return l == b.Run })
		store(d, []byte(proposalsKey), open)
	}
	store(d, RunKey(b.Run), r)
	return nil
}

// Voted says whether an account has voted on the run.
func (r RunState) Voted(a protocol.Account) bool {
	return slices.Contains(r.Yes, a) || slices.Contains(r.No, a)
}

// RoundCommit records the next rounds of a run in their order. One transaction
// takes many rounds, because a round can be shorter than the time between two
// heights.
type RoundCommit struct {
	_      struct{} `cbor:",toarray"`
	Run    block.Link
	Round  uint64 // number of the first of Rounds
	Rounds []RoundRoots
}

// RoundRoots is the outcome of a round in a [RoundCommit].
type RoundRoots struct {
	_      struct{}   `cbor:",toarray"`
	Params block.Link // parameters after the round
	Log    block.Link // the round's log
}

// MaxRounds bounds the rounds of a [RoundCommit].
const MaxRounds = 256

// Kind returns KindRoundCommit.
func (RoundCommit) Kind() TxKind { return KindRoundCommit }

func (b RoundCommit) check() error {
	if err := need("run", b.Run); err != nil {
		return err
	}
	if n := len(b.Rounds); n == 0 || n > MaxRounds {
		return fmt.Errorf("%w: %d rounds, want 1 to %d", TooLarge, n, MaxRounds)
	}
	for _, r := range b.Rounds {
		if err := need("params", r.Params); err != nil {
			return err
		}
		if err := need("log", r.Log); err != nil {
			return err
		}
	}
	return nil
}

func (b RoundCommit) apply(d *draft, tx *Tx) error {
	r, known := load[RunState](d, RunKey(b.Run))
	switch {
	case !known:
		return UnknownRun
	case r.Coordinator != tx.Account:
		return NotCoordinator
	case b.Round < r.Rounds:
		return fmt.Errorf("%w: round %d, and %d rounds are committed", Already, b.Round, r.Rounds)
	case b.Round > r.Rounds:
		return fmt.Errorf("%w: %d, the next is %d", BadRound, b.Round, r.Rounds)
	}
	for _, roots := range b.Rounds {
		store(d, RoundKey(b.Run, r.Rounds), CommittedRound{
			Version: 1, Run: b.Run, Round: r.Rounds, Params: roots.Params, Log: roots.Log,
			Coordinator: tx.Account, Height: d.height,
		})
		r.Rounds++
		r.Params = roots.Params
	}
	r.Active = d.height
	store(d, RunKey(b.Run), r)
	return nil
}
