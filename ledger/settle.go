package ledger

import (
	"fmt"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// MaxEntries bounds the entries of a [Settle].
const MaxEntries = 256

// How the price of a translated unit is divided, in parts per hundred. What
// miner and pool do not get is burned.
const (
	minerShare = 85
	poolShare  = 5  // to the audit pool
	bonusShare = 50 // of the burned amount, the most that is minted again for the miner
)

// SettleEntry settles one unit: its miner's statement of the result, and the
// accept of the run's coordinator or the job's customer.
type SettleEntry struct {
	_           struct{} `cbor:",toarray"`
	Attestation protocol.Attestation
	Accept      protocol.Accept
}

// Settle pays for units of work. Anyone may send it. An entry that is refused,
// for example because its unit was settled before, is skipped and reported;
// the whole transaction is refused only when every entry is.
type Settle struct {
	_       struct{} `cbor:",toarray"`
	Entries []SettleEntry
}

// EntryResult is the result of one entry.
type EntryResult struct {
	_    struct{} `cbor:",toarray"`
	Unit block.Link
	Code Code
	Paid uint64 // amount, to the miner
}

// Kind returns KindSettle.
func (Settle) Kind() TxKind { return KindSettle }

func (b Settle) check() error {
	if n := len(b.Entries); n == 0 || n > MaxEntries {
		return fmt.Errorf("%w: %d entries, want 1 to %d", TooLarge, n, MaxEntries)
	}
	return nil
}

// verify checks each entry without the state, and returns an error or nil for
// each.
func (b Settle) verify(net protocol.Net) []error {
	verdicts := make([]error, len(b.Entries))
	for i := range b.Entries {
		verdicts[i] = b.Entries[i].verify(net)
	}
	return verdicts
}

// verify checks that the two records agree and that both are well-formed and
// signed for this network.
func (e *SettleEntry) verify(net protocol.Net) error {
	at, ac := &e.Attestation, &e.Accept
	if at.Work != ac.Work || at.Unit != ac.Unit || at.Result != ac.Result || at.Cost != ac.Cost || at.Account != ac.Miner {
		return Mismatch
	}
	for _, r := range []protocol.Signed{at, ac} {
		if err := protocol.Verify(net, r); err != nil {
			return &Refusal{codeOf(err), err.Error()}
		}
	}
	return nil
}

func (b Settle) apply(d *draft, tx *Tx) error {
	var refusal error // of the first entry that was refused
	taken := 0
	for i := range b.Entries {
		err := tx.verdicts[i]
		if err == nil {
			err = d.settle(&b.Entries[i])
		}
		if err == nil {
			taken++
			continue
		}
		if refusal == nil {
			refusal = fmt.Errorf("unit %s: %w", b.Entries[i].Attestation.Unit, err)
		}
		d.entries = append(d.entries, EntryResult{Unit: b.Entries[i].Attestation.Unit, Code: codeOf(err)})
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
		return fmt.Errorf("%w: the unit costs %d MFLOP, %d are left", OverBudget, cost, run.Budget-run.Spent)
	}
	run.Spent += cost
	store(d, RunKey(run.Run), run)
	d.record(e, 0, price(cost, d.schedule.Training))
	return nil
}

// settleTranslation pays a unit from its job's escrow (LEDGER.md, section 5.3).
func (d *draft) settleTranslation(e *SettleEntry, key []byte, escrow Escrow) error {
	fee := mulDiv(e.Attestation.Cost, escrow.Price, 1000) // cost in MFLOP, price per GFLOP
	if fee > escrow.Left {
		return fmt.Errorf("%w: the unit costs %s, the escrow holds %s", InsufficientFunds, alia(fee), alia(escrow.Left))
	}
	// The remainder of the rounding is burned too, so that the parts add up.
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

	// The bonus is less than what was burned: buying one's own work loses.
	d.deposit(e.Attestation.Account, miner)
	bonus := min(price(e.Attestation.Cost, d.schedule.Translation), mulDiv(burned, bonusShare, 100))
	d.record(e, miner, bonus)
	return nil
}

// record writes a unit's settlement and claims the amount to be minted for the
// unit at the end of the height.
func (d *draft) record(e *SettleEntry, paid, mint uint64) {
	at := &e.Attestation
	store(d, UnitKey(at.Unit), Settlement{
		Version: 1, Unit: at.Unit, Work: at.Work, Miner: at.Account, Result: at.Result,
		Cost: at.Cost, Paid: paid, Height: d.height,
	})
	d.claims = append(d.claims, claim{
		tx: d.index, entry: len(d.entries), unit: at.Unit, amount: min(mint, d.schedule.Cap),
	})
	d.entries = append(d.entries, EntryResult{Unit: at.Unit, Code: OK, Paid: paid})
}
