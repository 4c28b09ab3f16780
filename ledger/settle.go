package ledger

import (
	"errors"
	"fmt"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// MaxEntries bounds the entries of a [Settle].
const MaxEntries = 256

// How the payment of a translated unit is divided, in parts per hundred.
const (
	minerShare = 85
	poolShare  = 5  // the audit pool; what is left over is burned
	bonusShare = 50 // of what is burned, the most that is minted again
)

// SettleEntry settles one unit: its miner's statement of the result, and the accept
// of the run's coordinator or the job's customer.
type SettleEntry struct {
	_           struct{} `cbor:",toarray"`
	Attestation protocol.Attestation
	Accept      protocol.Accept
}

// Settle pays for units of work. Anyone may send it; entries that are refused,
// above all those settled already, are skipped and reported one by one. It is
// refused as a whole only when every entry is.
type Settle struct {
	_       struct{} `cbor:",toarray"`
	Entries []SettleEntry
}

// Settled is what became of an entry.
type Settled struct {
	_    struct{} `cbor:",toarray"`
	Unit block.Link
	Code Code
	Paid uint64 // units, to the miner
}

// Kind returns KindSettle.
func (Settle) Kind() TxKind { return KindSettle }

func (b Settle) check() error {
	if n := len(b.Entries); n == 0 || n > MaxEntries {
		return fmt.Errorf("%w: %d entries, want 1 to %d", TooLarge, n, MaxEntries)
	}
	return nil
}

// verify checks each entry by itself: that its two records agree and that both
// are signed, for this network. It is all that needs no state.
func (b Settle) verify(net protocol.Net) []error {
	verdicts := make([]error, len(b.Entries))
	for i := range b.Entries {
		verdicts[i] = b.Entries[i].verify(net)
	}
	return verdicts
}

func (e *SettleEntry) verify(net protocol.Net) error {
	at, ac := &e.Attestation, &e.Accept
	switch {
	case at.Version != protocol.Version || ac.Version != protocol.Version || at.Role != protocol.Worker:
		return Malformed
	case !at.Work.Defined() || !at.Unit.Defined() || !at.Result.Defined():
		return Malformed
	case at.Net != net || ac.Net != net:
		return WrongNetwork
	case at.Work != ac.Work || at.Unit != ac.Unit || at.Result != ac.Result ||
		at.Cost != ac.Cost || at.Account != ac.Miner:
		return Mismatch
	}
	if err := protocol.Verify(net, at); err != nil {
		return fmt.Errorf("%w: %w", BadSignature, err)
	}
	if err := protocol.Verify(net, ac); err != nil {
		return fmt.Errorf("%w: %w", BadSignature, err)
	}
	return nil
}

func (b Settle) apply(d *draft, tx *Tx) error {
	var refusal error
	taken := 0
	for i := range b.Entries {
		err := tx.verdicts[i]
		if err == nil {
			err = d.settle(&b.Entries[i])
		}
		if err == nil {
			taken++
		} else if refusal == nil {
			refusal = fmt.Errorf("unit %s: %w", b.Entries[i].Attestation.Unit, err)
		}
		if len(d.entries) == i { // settle appends its own when it pays
			d.entries = append(d.entries, Settled{Unit: b.Entries[i].Attestation.Unit, Code: codeOf(err)})
		}
	}
	if taken == 0 {
		return refusal
	}
	return nil
}

// settle pays one entry whose records are verified, or refuses it and leaves
// the draft as it was.
func (d *draft) settle(e *SettleEntry) error {
	if _, done := load[Settlement](d, UnitKey(e.Attestation.Unit)); done {
		return Already
	}
	if run, ok := load[RunState](d, RunKey(e.Attestation.Work)); ok {
		return d.settleTraining(e, run)
	}
	key := EscrowKey(e.Attestation.Work, e.Accept.Account)
	if escrow, ok := load[Escrow](d, key); ok {
		return d.settleTranslation(e, key, escrow)
	}
	return UnknownWork
}

// settleTraining claims the mint for a unit of an approved run (LEDGER.md, section 5.2).
func (d *draft) settleTraining(e *SettleEntry, run RunState) error {
	cost := e.Attestation.Cost
	switch {
	case e.Accept.Account != run.Coordinator:
		return NotCoordinator
	case run.Status != Approved:
		return NotApproved
	case cost > run.Budget-run.Spent:
		return fmt.Errorf("%w: unit of %d MFLOP, %d are left", OverBudget, cost, run.Budget-run.Spent)
	}
	run.Spent += cost
	store(d, RunKey(run.Run), run)
	d.record(e, 0, price(cost, d.schedule.Training))
	return nil
}

// settleTranslation pays a unit from its job's escrow (LEDGER.md, section 5.3).
func (d *draft) settleTranslation(e *SettleEntry, key []byte, escrow Escrow) error {
	fee := mulDiv(e.Attestation.Cost, escrow.Price, 1000)
	if fee > escrow.Left {
		return fmt.Errorf("%w: unit of %d units, %d are left in the escrow", InsufficientFunds, fee, escrow.Left)
	}
	miner, pool := mulDiv(fee, minerShare, 100), mulDiv(fee, poolShare, 100)
	burned := fee - miner - pool
	escrow.Left -= fee
	escrow.Released += miner + pool
	escrow.Burned += burned
	store(d, key, escrow)

	supply := d.supply()
	supply.Escrowed -= fee
	supply.Pool += pool
	supply.Burned += burned
	store(d, SupplyKey(), supply)

	d.deposit(e.Attestation.Account, miner)
	bonus := min(price(e.Attestation.Cost, d.schedule.Translation), mulDiv(burned, bonusShare, 100))
	d.record(e, miner, bonus)
	return nil
}

// record writes a unit's settlement, and claims what is to be minted for it at
// the end of the block.
func (d *draft) record(e *SettleEntry, paid, mint uint64) {
	at := &e.Attestation
	store(d, UnitKey(at.Unit), Settlement{
		Version: 1, Unit: at.Unit, Work: at.Work, Miner: at.Account, Result: at.Result,
		Cost: at.Cost, Paid: paid, Height: d.height,
	})
	d.claims = append(d.claims, claim{
		tx: d.index, entry: len(d.entries), unit: at.Unit, amount: min(mint, d.schedule.Cap),
	})
	d.entries = append(d.entries, Settled{Unit: at.Unit, Code: OK, Paid: paid})
}

// codeOf returns the Code that an error wraps.
func codeOf(err error) Code {
	var c Code
	if err != nil && !errors.As(err, &c) {
		c = Malformed
	}
	return c
}
