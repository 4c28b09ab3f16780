package ledger

import (
	"fmt"
	"slices"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// The records of the state (LEDGER.md, section 3). Amounts of money are in 1e-8 ALIA,
// costs of work in MFLOP, times in heights. A record is stored in canonical encoding
// under the key that its comment names; keys.go makes the keys.

// AccountState is a member's money: key a/<account>. An account that was never written
// has no balance and nonce 0.
type AccountState struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Balance uint64      // amount, free to spend
	Locked  uint64      // amount that stands for the account's honesty, see [Lock]
	Unlocks []Unlocking // amounts on their way from Locked to Balance, the oldest first
	Nonce   uint64      // of the account's last transaction
	Earned  uint64      // amount that work has paid, since genesis
	// Outcomes are those of the account's last transactions, the newest last.
	Outcomes []TxOutcome
}

// Unlocking is an amount that becomes free after a height.
type Unlocking struct {
	_      struct{} `cbor:",toarray"`
	Amount uint64
	Height uint64 // the last height at which the amount is not free
}

// TxOutcome is what became of a transaction that a height has.
type TxOutcome struct {
	_     struct{} `cbor:",toarray"`
	Nonce uint64
	Code  Code
}

// Outcome returns what became of the transaction with a nonce, and false if the account's
// record does not say: no height has it, or it is too old.
func (a AccountState) Outcome(nonce uint64) (Code, bool) {
	for _, o := range a.Outcomes {
		if o.Nonce == nonce {
			return o.Code, true
		}
	}
	return OK, false
}

// Free returns the balance at a height, with the unlocked amounts that are free then.
func (a AccountState) Free(height uint64) uint64 {
	free := a.Balance
	for _, u := range a.Unlocks {
		if height > u.Height {
			free += u.Amount
		}
	}
	return free
}

// Payout says where the pay of an account goes: key p/<account>.
type Payout struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	To      protocol.Account
	Final   bool // the key was replaced, see [Rotate]: all money goes to To, for ever
}

// Escrow is a customer's deposit for one job: key e/<customer><job>.
// Opened = Left + Held + Released + Burned at every height.
type Escrow struct {
	_        struct{} `cbor:",toarray"`
	Version  uint16
	Job      block.Link
	Customer protocol.Account
	Units    protocol.SlotGroup // what is paid for: a slot's task is the unit
	Price    uint64             // amount per GFLOP
	Opened   uint64             // amount, with what was added
	Left     uint64             // amount that is promised to nobody
	Held     uint64             // amount of claims that are not paid yet
	Released uint64             // amount, to miners and the audit pool
	Burned   uint64             // amount
	Deadline uint64             // height until which the customer cannot close the escrow
	Claims   []JobClaimed       // in the sequence in which they came
	Paid     uint32             // how many of the claims are paid, from the first on
	// Number is the nonce of the transaction that opened the escrow. No two escrows of a
	// customer have the same, so no ticket of a closed one is good for another.
	Number uint64
}

// JobClaimed is a claim of a unit that an escrow pays: what a receipt shows.
type JobClaimed struct {
	_      struct{} `cbor:",toarray"`
	Index  uint32   // of the unit's slot
	Miner  protocol.Account
	Result block.Link
	Cost   uint64 // MFLOP
	Amount uint64 // from the escrow, with the parts that are burned and that go to the pool
	Bonus  uint64 // amount that is minted for the miner
	Due    uint64 // the first height that may pay
}

// Paid returns the amount that the miner gets.
func (c JobClaimed) Paid() uint64 { return mulDiv(c.Amount, minerShare, 100) + c.Bonus }

// Claimed returns the units that were claimed, by the index of the slot.
func (e Escrow) Claimed() map[uint32]bool {
	all := make(map[uint32]bool, len(e.Claims))
	for _, c := range e.Claims {
		all[c.Index] = true
	}
	return all
}

// RunStatus says whether the validators let a run mint.
type RunStatus uint8

// A run mints only while it is Approved. A proposal that is refused or not decided in
// time leaves no record. The record of an ended run stays for Params.Finality heights.
const (
	Proposed RunStatus = iota + 1
	Approved
	Ended
)

// String returns the status in words.
func (s RunStatus) String() string {
	switch s {
	case Proposed:
		return "proposed"
	case Approved:
		return "approved"
	case Ended:
		return "ended"
	}
	return fmt.Sprintf("status %d", uint8(s))
}

// RunState is a coordinator's right to mint for a run: key n/<run><coordinator>. Nobody
// else's proposal of the same run is in its way.
type RunState struct {
	_           struct{} `cbor:",toarray"`
	Version     uint16
	Run         block.Link
	Coordinator protocol.Account
	Plan        Plan
	Silence     uint64 // heights without a sign of life after which others may take the run over
	Status      RunStatus
	Active      uint64 // height of the proposal, of the end, or of the coordinator's last sign of life
	Bond        uint64 // amount that the coordinator has set aside
	Yes         []protocol.Account
	No          []protocol.Account
}

// Voted says whether an account has voted on the run.
func (r RunState) Voted(a protocol.Account) bool {
	return slices.Contains(r.Yes, a) || slices.Contains(r.No, a)
}

// Plan is what a run may mint for. Validators recompute it before they vote.
type Plan struct {
	_ struct{} `cbor:",toarray"`
	// Function names the computation. Runs that differ only in what does not change
	// their units have one function.
	Function block.Link
	Root     [32]byte // see protocol.PlanRoot
	// Groups is the number of groups of slots: one for each round, and the last for what
	// follows the last round.
	Groups uint32
	Cost   uint64 // MFLOP, of all slots
}

// FunctionState is how far the rounds of a function are claimed and paid: key
// f/<function>. It is kept for ever, so that no round mints twice, whichever run claims it.
type FunctionState struct {
	_           struct{} `cbor:",toarray"`
	Version     uint16
	Next        uint32     // the next round to be claimed
	Paid        uint32     // the next round to be paid
	Closing     bool       // what follows the last round was claimed
	ClosingPaid bool       // and paid
	Params      block.Link // parameters after the last claimed round
	Log         block.Link // that round's log
}

// SlotStatus says what became of a slot.
type SlotStatus uint8

// The statuses of a slot.
const (
	SlotOpen     SlotStatus = iota // nobody has claimed it
	SlotClaimed                    // the coordinator has claimed it for a miner
	SlotAccepted                   // a miner has claimed it, with the coordinator's accept
	SlotPaid                       // it is paid, at least in part
)

// SlotState is a slot of a round that is not paid yet.
type SlotState struct {
	_      struct{} `cbor:",toarray"`
	Status SlotStatus
	Miner  protocol.Account // zero while the slot is open
	Cost   uint64           // MFLOP
	Owed   uint64           // amount that is not minted yet
}

// RoundState is a round that is claimed and not paid: key l/<function><round>. What
// follows the last round has the number ClosingRound in the key. The record is deleted
// when the round is paid.
type RoundState struct {
	_           struct{} `cbor:",toarray"`
	Version     uint16
	Function    block.Link
	Round       uint32 // in the plan of the run
	Run         block.Link
	Coordinator protocol.Account // who has claimed the round, or accepted its units so far
	Claimed     bool             // by the coordinator
	Due         uint64           // the first height that may pay
	Group       protocol.SlotGroup
	Slots       []SlotState // in the sequence of the plan
}

// cost is the sum of what the claimed slots cost, in MFLOP.
func (r RoundState) cost() uint64 {
	var sum uint64
	for _, s := range r.Slots {
		sum = protocol.AddCosts(sum, s.Cost)
	}
	return sum
}

// ClosingRound stands for what follows the last round in the key of a [RoundState]. Runs of
// one function may have different last rounds.
const ClosingRound = 1<<32 - 1

// ValidatorSet is who makes the heights and votes: key m/validators. All have the same power.
type ValidatorSet struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Members []protocol.Account
	Ballots []Ballot // open ones, the oldest first
	Left    []Leaver // that can still be punished, the oldest first
}

// Leaver is an account that has left the validators.
type Leaver struct {
	_       struct{} `cbor:",toarray"`
	Account protocol.Account
	Height  uint64 // last height at which its key cannot be replaced
}

// Ballot is an open vote on a change of the validators.
type Ballot struct {
	_       struct{} `cbor:",toarray"`
	Account protocol.Account
	Admit   bool // or else expel
	Yes     []protocol.Account
	Expires uint64 // height after which the ballot is dropped
}

// Supply is the token's books: key m/supply. At every height
// Minted - Burned = Balances + Locked + Escrowed + Bonds + Pool.
type Supply struct {
	_        struct{} `cbor:",toarray"`
	Version  uint16
	Minted   uint64 // amount, since genesis
	Burned   uint64 // amount, since genesis
	Balances uint64 // amount that accounts are free to spend
	Locked   uint64 // amount locked, with what is on its way to be free
	Escrowed uint64 // amount in open escrows
	Bonds    uint64 // amount that coordinators have set aside
	Pool     uint64 // amount in the audit pool
	Owed     uint64 // amount that is to be minted for claimed rounds; not part of the supply yet
}

// Total returns the amount of all tokens that exist.
func (s Supply) Total() uint64 { return s.Minted - s.Burned }

// Holdings returns the sum of all that is held. It equals Total.
func (s Supply) Holdings() uint64 { return s.Balances + s.Locked + s.Escrowed + s.Bonds + s.Pool }

// Schedule is the rates of pay and the price of gas at a height: key s/<height>. The
// height before writes it.
type Schedule struct {
	_           struct{} `cbor:",toarray"`
	Version     uint16
	Height      uint64
	Training    uint64 // millionths of an amount per GFLOP of training
	Translation uint64 // millionths of an amount per GFLOP, the most that translation adds to its price
	Budget      uint64 // amount that the height should mint
	Cap         uint64 // amount that the height can mint
	Gas         uint64 // millionths of an amount per gas
}

// runList is runs in the sequence in which they came: those that await votes under the key
// m/proposals, and those that have ended under the key m/ended.
type runList struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Runs    []RunName
}

// RunName names a run and who coordinates it.
type RunName struct {
	_           struct{} `cbor:",toarray"`
	Run         block.Link
	Coordinator protocol.Account
}

// owing lists the functions whose rounds are owed pay: key m/owing.
type owing struct {
	_         struct{} `cbor:",toarray"`
	Version   uint16
	Functions []owed
}

// owed is a function on the list.
type owed struct {
	_        struct{} `cbor:",toarray"`
	Function block.Link
	Due      uint64 // before this height there is nothing to pay
}

// jobQueue is the numbers of the claims of translated units that wait for their payment:
// key m/jobs.
type jobQueue struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	First   uint64 // that waits
	Next    uint64 // number of the next claim to come
}

// dueJobs is a claim that waits, of some units of one escrow: key t/<number>. An escrow's
// claims are paid in their sequence.
type dueJobs struct {
	_        struct{} `cbor:",toarray"`
	Version  uint16
	Customer protocol.Account
	Job      block.Link
	Units    uint32 // that are not paid yet
}
