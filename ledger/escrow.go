package ledger

import (
	"fmt"
	"slices"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

const (
	// maxDeadline is how many heights ahead an escrow's deadline may lie.
	maxDeadline = 1_000_000
	// MaxJobUnits bounds the units of a job's escrow, whose record has every claim.
	MaxJobUnits = 1024
	// claimState is the bytes that a claim takes in the record, for which the customer
	// pays gas.
	claimState = 115
	// MaxJobClaims bounds the entries of a [JobClaim].
	MaxJobClaims = 256
	// maxEscrowBytes bounds the records of large escrows that the transactions of a height
	// read. A record of more than largeEscrow bytes is large.
	maxEscrowBytes = 4 << 20
	largeEscrow    = 8 << 10
	// freeUnit is the bytes of a JobClaim that need no fee, for each unit. A ticket can have
	// 128 KiB, and a few would fill the lane of claims.
	freeUnit = 4 << 10
)

// How the price of a translated unit is divided, in parts per hundred. What
// miner and pool do not get is burned.
const (
	minerShare = 85
	poolShare  = 5  // to the audit pool
	bonusShare = 50 // of the burned amount, the most that is minted again for the miner
)

// JobSlot is the slot of a unit of a job, which an escrow pays for. What the unit costs
// at most is in MFLOP.
func JobSlot(index uint32, u block.Link, most uint64) protocol.Slot {
	return protocol.Slot{Kind: uint16(unit.Translate), Index: index, Task: u, Most: most}
}

// EscrowOpen sets an amount aside for a translation job. The ledger pays the units on
// the job's list from it, at Price, to the miners that the sender has leased them to.
type EscrowOpen struct {
	_        struct{} `cbor:",toarray"`
	Job      block.Link
	Units    protocol.SlotGroup // of the slots that JobSlot makes
	Amount   uint64
	Price    uint64 // amount per GFLOP
	Deadline uint64 // height until which the sender cannot close the escrow
}

// Kind returns KindEscrowOpen.
func (EscrowOpen) Kind() TxKind { return KindEscrowOpen }

func (EscrowOpen) signatures() int       { return 0 }
func (EscrowOpen) free(*draft, *Tx) bool { return false }

// grows is the bytes of the escrow's record when all units are claimed.
func (b EscrowOpen) grows() uint64 { return 300 + claimState*uint64(b.Units.Slots) }

func (b EscrowOpen) check() error {
	switch {
	case b.Amount == 0:
		return fmt.Errorf("%w: the escrow", BadAmount)
	case b.Price == 0:
		return fmt.Errorf("%w: the price of a GFLOP", BadAmount)
	case b.Units.Slots == 0 || b.Units.Slots > MaxJobUnits:
		return fmt.Errorf("%w: a job of %d units, want 1 to %d", TooLarge, b.Units.Slots, MaxJobUnits)
	}
	return need("job", b.Job)
}

func (b EscrowOpen) apply(d *draft, tx *Tx) error {
	key := EscrowKey(tx.Account, b.Job)
	if _, open := load[Escrow](d, key); open {
		return Already
	}
	// The invariants compare an escrow with that of the height before (I2).
	if _, was := d.base.Escrow(tx.Account, b.Job); was {
		return fmt.Errorf("%w: the escrow for the job was closed at this height, open another at the next", Busy)
	}
	if err := d.ahead(b.Deadline); err != nil {
		return err
	}
	if err := d.withdraw(tx.Account, b.Amount); err != nil {
		return err
	}
	store(d, key, Escrow{
		Version: 1, Job: b.Job, Customer: tx.Account, Units: b.Units, Price: b.Price,
		Opened: b.Amount, Left: b.Amount, Deadline: b.Deadline, Number: tx.Nonce,
	})
	d.books(func(s *Supply) { s.Escrowed += b.Amount })
	return nil
}

// escrow returns the record of an escrow for a transaction. A height has the time for some
// large ones.
func (d *draft) escrow(key []byte) (Escrow, error) {
	_, changed := d.done[string(key)]
	if _, seen := d.seen[string(key)]; !seen && !changed {
		data, _ := d.base.tree.get(key)
		if n := len(data); n > largeEscrow {
			if d.escrowBytes+n > maxEscrowBytes {
				return Escrow{}, fmt.Errorf("%w: the height has transactions about many large escrows, send it again", Busy)
			}
			d.escrowBytes += n
		}
	}
	e, open := load[Escrow](d, key)
	if !open {
		return e, UnknownEscrow
	}
	return e, nil
}

// ahead checks that a deadline is in the future, and not too far.
func (d *draft) ahead(deadline uint64) error {
	if deadline <= d.height || deadline > d.height+maxDeadline {
		return fmt.Errorf("%w: height %d, and this is height %d", BadDeadline, deadline, d.height)
	}
	return nil
}

// EscrowTopUp adds an amount to the sender's escrow for a job, or extends its deadline, or
// both.
type EscrowTopUp struct {
	_        struct{} `cbor:",toarray"`
	Job      block.Link
	Amount   uint64
	Deadline uint64 // not before the escrow's
}

// Kind returns KindEscrowTopUp.
func (EscrowTopUp) Kind() TxKind { return KindEscrowTopUp }

func (EscrowTopUp) signatures() int       { return 0 }
func (EscrowTopUp) free(*draft, *Tx) bool { return false }

func (b EscrowTopUp) check() error { return need("job", b.Job) }

func (b EscrowTopUp) apply(d *draft, tx *Tx) error {
	key := EscrowKey(tx.Account, b.Job)
	e, err := d.escrow(key)
	if err != nil {
		return err
	}
	switch {
	case b.Deadline < e.Deadline:
		return fmt.Errorf("%w: the escrow's deadline is height %d, and does not come nearer", BadDeadline, e.Deadline)
	case b.Deadline == e.Deadline && b.Amount == 0:
		return fmt.Errorf("%w: what is added", BadAmount)
	case b.Deadline > e.Deadline:
		if err := d.ahead(b.Deadline); err != nil {
			return err
		}
	}
	if err := d.withdraw(tx.Account, b.Amount); err != nil {
		return err
	}
	e.Opened, e.Left, e.Deadline = e.Opened+b.Amount, e.Left+b.Amount, b.Deadline
	store(d, key, e)
	d.books(func(s *Supply) { s.Escrowed += b.Amount })
	return nil
}

// Amount is what the escrow pays for a unit that costs some MFLOP, with the parts that are
// burned and that go to the pool.
func (e Escrow) Amount(cost uint64) uint64 { return mulDiv(cost, e.Price, 1000) }

// EscrowClose returns the rest of the sender's escrow for a job. It is refused while a
// claim is not paid, and until Params.Finality heights after the deadline, unless every
// unit was claimed: miners can rely on the escrow.
type EscrowClose struct {
	_   struct{} `cbor:",toarray"`
	Job block.Link
}

// Kind returns KindEscrowClose.
func (EscrowClose) Kind() TxKind { return KindEscrowClose }

func (EscrowClose) signatures() int { return 0 }

// free: an escrow closes once, and the state gets smaller. The customer may have no other
// tokens, or may have replaced its key, so that all it gets goes to another account.
func (b EscrowClose) free(d *draft, tx *Tx) bool {
	e, err := d.escrow(EscrowKey(tx.Account, b.Job))
	due, ok := e.Closable(d.base.genesis.Params)
	return err == nil && ok && d.height >= due
}

func (b EscrowClose) check() error { return need("job", b.Job) }

func (b EscrowClose) apply(d *draft, tx *Tx) error {
	key := EscrowKey(tx.Account, b.Job)
	e, err := d.escrow(key)
	if err != nil {
		return err
	}
	if due, ok := e.Closable(d.base.genesis.Params); !ok {
		return fmt.Errorf("%w: claims of %s are not paid yet", NotDue, alia(e.Held))
	} else if d.height < due {
		return fmt.Errorf("%w: miners can claim until height %d, and this is height %d", NotDue, due-1, d.height)
	}
	d.remove(key)
	d.books(func(s *Supply) { s.Escrowed -= e.Left })
	d.deposit(tx.Account, e.Left)
	return nil
}

// Closable returns the first height at which the customer can close the escrow. It is not
// ok while a claim waits for its payment.
func (e Escrow) Closable(p Params) (height uint64, ok bool) {
	if int(e.Paid) < len(e.Claims) {
		return 0, false
	}
	if len(e.Claims) == int(e.Units.Slots) {
		return 0, true
	}
	return e.Deadline + p.Finality + 1, true
}

// JobClaim asks for the pay of units of a job from the customer's escrow. The ticket by
// which the customer leased a unit is the promise to pay it. A customer that sends the
// claim itself needs no ticket.
type JobClaim struct {
	_        struct{} `cbor:",toarray"`
	Customer protocol.Account
	Job      block.Link
	Units    List[JobWork]
}

// JobWork is the work for one unit of a job.
type JobWork struct {
	_      struct{} `cbor:",toarray"`
	Slot   protocol.Slot
	Path   []byte // hashes from the slot to the root of the escrow's list
	Work   SlotWork
	Ticket []byte // the canonical bytes of the ticket; none in a claim of the customer
}

func (JobWork) least() int { return 80 }

// Kind returns KindJobClaim.
func (JobClaim) Kind() TxKind { return KindJobClaim }

func (b JobClaim) signatures() int { return 2 * len(b.Units) }

// free: each unit of an escrow is claimed once, and the customer has paid for it.
func (b JobClaim) free(d *draft, tx *Tx) bool {
	_, err := d.escrow(EscrowKey(b.Customer, b.Job))
	return err == nil && tx.size <= freeUnit*len(b.Units)
}

func (b JobClaim) check() error {
	if n := len(b.Units); n == 0 || n > MaxJobClaims {
		return fmt.Errorf("%w: %d units, want 1 to %d", TooLarge, n, MaxJobClaims)
	}
	return need("job", b.Job)
}

func (b JobClaim) apply(d *draft, tx *Tx) error {
	key := EscrowKey(b.Customer, b.Job)
	e, err := d.escrow(key)
	if err != nil {
		return err
	}
	claimed := e.Claimed()
	// All that costs little, before the signatures.
	for _, u := range b.Units {
		root, err := protocol.RootBySlot(u.Slot, u.Slot.Index, e.Units.Slots, protocol.Hashes(u.Path))
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", Malformed, err)
		case root != e.Units.Root:
			return fmt.Errorf("%w: unit %s is not on the list of the escrow", Mismatch, u.Slot.Task)
		case u.Work.Unit != u.Slot.Task:
			return fmt.Errorf("%w: work for unit %s in the slot of unit %s", Mismatch, u.Work.Unit, u.Slot.Task)
		case claimed[u.Slot.Index]:
			return fmt.Errorf("%w: unit %d was claimed", Already, u.Slot.Index)
		}
		claimed[u.Slot.Index] = true
	}
	for _, err := range tx.verify(len(b.Units), func(i int) error { return b.Units[i].verify(tx, b) }) {
		if err != nil {
			return err
		}
	}
	e.Claims = slices.Clone(e.Claims)
	for _, u := range b.Units {
		if err := u.of(e, tx); err != nil {
			return err
		}
		if err := d.claimUnit(&e, u); err != nil {
			return fmt.Errorf("unit %d: %w", u.Slot.Index, err)
		}
	}
	q, _ := load[jobQueue](d, []byte(jobsKey))
	store(d, dueKey(q.Next), dueJobs{Version: 1, Customer: e.Customer, Job: e.Job, Units: uint32(len(b.Units))})
	store(d, []byte(jobsKey), jobQueue{Version: 1, First: q.First, Next: q.Next + 1})
	store(d, key, e)
	return nil
}

// verify checks the signatures of an entry: the attestation, and the customer's ticket.
func (u JobWork) verify(tx *Tx, b JobClaim) error {
	if err := u.Work.attested(tx.net, b.Job, b.Customer, 0, u.Slot); err != nil {
		return err
	}
	if tx.Account == b.Customer {
		return nil
	}
	var t protocol.Ticket
	if err := protocol.Parse(u.Ticket, tx.net, &t); err != nil {
		return &Refusal{codeOf(err), err.Error()}
	}
	if t.Account != b.Customer || t.Work != b.Job || t.Unit != u.Work.Unit || t.Miner != u.Work.Account {
		return fmt.Errorf("%w: the ticket is %s's for unit %s, to %s", Mismatch, t.Account.Short(), t.Unit, t.Miner.Short())
	}
	return nil
}

// of checks that the ticket is of this escrow, and not of another for the job. verify has checked
// its signature. verify does not look at the escrow, because its answer is kept for a transaction
// that comes again at a later height.
func (u JobWork) of(e Escrow, tx *Tx) error {
	if tx.Account == e.Customer {
		return nil
	}
	var t protocol.Ticket
	if err := block.Decode(u.Ticket, &t); err != nil {
		return fmt.Errorf("%w: %w", Malformed, err)
	}
	if t.Escrow != e.Number {
		return fmt.Errorf("%w: the ticket is of escrow %d of the customer, and this one is %d", Mismatch, t.Escrow, e.Number)
	}
	return nil
}

// claimUnit holds the pay of a unit in its escrow until it is due.
func (d *draft) claimUnit(e *Escrow, u JobWork) error {
	cost, err := u.Work.cost(u.Slot)
	if err != nil {
		return err
	}
	amount := e.Amount(cost)
	if amount > e.Left {
		return fmt.Errorf("%w: the unit costs %s, the escrow holds %s", InsufficientFunds, alia(amount), alia(e.Left))
	}
	e.Left, e.Held = e.Left-amount, e.Held+amount
	// The bonus is less than what is burned: buying one's own work loses.
	burned := amount - mulDiv(amount, minerShare, 100) - mulDiv(amount, poolShare, 100)
	bonus := min(price(cost, d.schedule.Translation), mulDiv(burned, bonusShare, 100), d.schedule.Cap/capShare)
	e.Claims = append(e.Claims, JobClaimed{
		Index: u.Slot.Index, Miner: u.Work.Account, Result: u.Work.Result, Cost: cost, Amount: amount, Bonus: bonus,
		Due: d.height + d.base.genesis.Params.Finality,
	})
	return nil
}
