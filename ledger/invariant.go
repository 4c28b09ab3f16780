package ledger

import (
	"errors"
	"fmt"
	"slices"

	"github.com/alia-network/alia/protocol/block"
)

// Totals are the books of a state, added up.
type Totals struct {
	Height   uint64
	Supply   Supply
	Accounts int
	weight
}

// Audit adds up all records and checks each. It reads the whole state. Apply checks the
// same invariants, but only for the records that a height changed.
func (s *State) Audit() (Totals, error) {
	t := Totals{Height: s.height}
	if _, ok := s.Schedule(s.height + 1); !ok {
		return t, fmt.Errorf("no schedule is published for height %d", s.height+1)
	}
	for p := range s.tree.all() {
		v, err := weigh(p.Key, p.Value)
		if err != nil {
			return t, err
		}
		t.add(v)
		t.Accounts += v.accounts
	}
	t.Supply = s.Supply()
	if err := t.check(); err != nil {
		return t, fmt.Errorf("height %d: %w", s.height, err)
	}
	return t, nil
}

// check compares the sums of all records with the books.
func (t Totals) check() error {
	s := t.Supply
	for _, c := range []struct {
		what        string
		held, books uint64
	}{
		{"accounts are free to spend", t.balances, s.Balances},
		{"accounts have locked", t.locked, s.Locked},
		{"escrows hold", t.escrowed, s.Escrowed},
		{"bonds are", t.bonds, s.Bonds},
		{"rounds are owed", t.owed, s.Owed},
		{"all holdings are", s.Holdings(), s.Total()},
	} {
		if c.held != c.books {
			return fmt.Errorf("%s %s, but the books say %s", c.what, alia(c.held), alia(c.books))
		}
	}
	return nil
}

// checkStep checks the changes of one height against the invariants of LEDGER.md,
// section 8:
//
//	I1   the books change by as much as all records
//	I2   every escrow balances
//	I4   no round is claimed or paid twice
//	I5   only rounds that are due are paid
//	I6   the schedule was published by the height before
//	I7   the schedule's cap is kept
//	I8   no nonce falls
//	I9   no round is paid more than its plan says
//
// Changes are enough, because checkStep has checked all other records before.
func checkStep(prev, next *State, changes []Change) error {
	// The records that changed: each one alone (I2, I9), each against the record
	// it replaces (I4, I5, I8), and the sums before and after.
	var before, after weight
	for _, c := range changes {
		kind, err := kindOf(c.Key)
		if err != nil {
			return err
		}
		old, had := prev.tree.get(c.Key)
		if had {
			v, err := kind.weigh(c.Key, old)
			if err != nil {
				return err
			}
			before.add(v)
		}
		if c.Value != nil {
			v, err := kind.weigh(c.Key, c.Value)
			if err != nil {
				return err
			}
			after.add(v)
		}
		if had && kind.follow != nil {
			if err := kind.follow(next.height, c.Key, old, c.Value); err != nil {
				return err
			}
		}
	}
	// The books: records that changed must explain the whole change of the
	// supply (I1), and the mint must follow the published schedule (I6, I7).
	was, is := prev.Supply(), next.Supply()
	schedule, ok := prev.Schedule(next.height)
	switch {
	case after.balances-before.balances != is.Balances-was.Balances:
		return errors.New("balances and their sum changed by different amounts")
	case after.locked-before.locked != is.Locked-was.Locked:
		return errors.New("locked amounts and their sum changed by different amounts")
	case after.escrowed-before.escrowed != is.Escrowed-was.Escrowed:
		return errors.New("escrows and their sum changed by different amounts")
	case after.bonds-before.bonds != is.Bonds-was.Bonds:
		return errors.New("bonds and their sum changed by different amounts")
	case after.owed-before.owed != is.Owed-was.Owed:
		return errors.New("what rounds are owed and its sum changed by different amounts")
	case is.Holdings() != is.Total() || max(is.Balances, is.Locked, is.Escrowed, is.Bonds, is.Pool) > is.Total():
		return errors.New("supply and holdings differ")
	case is.Minted < was.Minted || is.Burned < was.Burned || is.Minted > maxSupply || is.Owed > maxSupply-is.Minted || is.Burned > is.Minted || is.Pool < was.Pool:
		return errors.New("the amount minted, burned or pooled is out of bounds")
	case !ok:
		return fmt.Errorf("no schedule was published for height %d", next.height)
	case is.Minted-was.Minted > schedule.Cap:
		return fmt.Errorf("minted %s, the cap is %s", alia(is.Minted-was.Minted), alia(schedule.Cap))
	}
	return nil
}

func followAccount(_ uint64, key, old, value []byte) error {
	was, _ := decode[AccountState](old, true)
	is, ok := decode[AccountState](value, value != nil)
	if !ok || is.Nonce < was.Nonce || is.Earned < was.Earned {
		return fmt.Errorf("account %x is gone, or its nonce or its pay falls", key)
	}
	return nil
}

func followPayout(_ uint64, key, old, value []byte) error {
	was, _ := decode[Payout](old, true)
	is, _ := decode[Payout](value, value != nil)
	if was.Final && is != was {
		return fmt.Errorf("payout %x was final, and changed", key)
	}
	return nil
}

func followEscrow(_ uint64, key, old, value []byte) error {
	was, _ := decode[Escrow](old, true)
	is, ok := decode[Escrow](value, value != nil)
	if !ok {
		if int(was.Paid) < len(was.Claims) {
			return fmt.Errorf("escrow %x is gone, and had claims to pay", key)
		}
		return nil
	}
	if len(is.Claims) < len(was.Claims) || !slices.Equal(is.Claims[:len(was.Claims)], was.Claims) {
		return fmt.Errorf("escrow %x forgot a claim", key)
	}
	if is.Opened < was.Opened || is.Paid < was.Paid || int(is.Paid) > len(is.Claims) || is.Released < was.Released || is.Burned < was.Burned || is.Units != was.Units || is.Price != was.Price || is.Number != was.Number {
		return fmt.Errorf("escrow %x changed what does not change", key)
	}
	return nil
}

func followFunction(_ uint64, key, old, value []byte) error {
	was, _ := decode[FunctionState](old, true)
	is, ok := decode[FunctionState](value, value != nil)
	if !ok || is.Next < was.Next || is.Paid < was.Paid || was.Closing && !is.Closing || was.ClosingPaid && !is.ClosingPaid {
		return fmt.Errorf("function %x is gone, or was claimed or paid for twice", key)
	}
	return nil
}

func followRound(height uint64, key, old, value []byte) error {
	was, _ := decode[RoundState](old, true)
	is, ok := decode[RoundState](value, value != nil)
	if !ok { // it was paid in this height, whole
		if height < was.Due {
			return fmt.Errorf("round %x was paid before its time", key)
		}
		return nil
	}
	for i, s := range was.Slots[:min(len(was.Slots), len(is.Slots))] {
		now := is.Slots[i]
		paid := now.Owed < s.Owed && now.Status == s.Status || now.Status == SlotPaid && s.Status != SlotPaid
		switch {
		case now.Status < s.Status || s.Status == SlotPaid && (now.Miner != s.Miner || now.Owed > s.Owed):
			return fmt.Errorf("slot %d of round %x is paid twice", i, key)
		case paid && height < was.Due:
			return fmt.Errorf("slot %d of round %x was paid before its time", i, key)
		}
	}
	return nil
}

// weight is the amounts in records.
type weight struct {
	balances, locked, escrowed, bonds, owed uint64 // amounts
	accounts                                int
}

func (w *weight) add(v weight) {
	w.balances += v.balances
	w.locked += v.locked
	w.escrowed += v.escrowed
	w.bonds += v.bonds
	w.owed += v.owed
}

// weigh decodes a record, checks it alone and returns its amounts.
func weigh(key, value []byte) (weight, error) {
	kind, err := kindOf(key)
	if err != nil {
		return weight{}, err
	}
	return kind.weigh(key, value)
}

func weighAccount(key, value []byte) (weight, error) {
	a, err := strict[AccountState](key, value)
	w := weight{balances: a.Balance, locked: a.Locked, accounts: 1}
	for _, u := range a.Unlocks {
		w.locked += u.Amount
	}
	if err == nil && (len(a.Unlocks) > maxUnlocks || len(a.Outcomes) > keepOutcomes) {
		err = fmt.Errorf("account %x has %d unlocks and %d outcomes", key, len(a.Unlocks), len(a.Outcomes))
	}
	return w, err
}

func weighEscrow(key, value []byte) (weight, error) {
	e, err := strict[Escrow](key, value)
	if err == nil && (e.Opened != e.Left+e.Held+e.Released+e.Burned || len(e.Claimed()) != len(e.Claims)) {
		err = fmt.Errorf("escrow %x does not balance, or has a unit twice", key)
	}
	return weight{escrowed: e.Left + e.Held}, err
}

func weighRun(key, value []byte) (weight, error) {
	r, err := strict[RunState](key, value)
	return weight{bonds: r.Bond}, err
}

func weighFunction(key, value []byte) (weight, error) {
	f, err := strict[FunctionState](key, value)
	if err == nil && (f.Paid > f.Next || f.ClosingPaid && !f.Closing) {
		err = fmt.Errorf("function %x has paid %d of %d rounds", key, f.Paid, f.Next)
	}
	return weight{}, err
}

func weighRound(key, value []byte) (weight, error) {
	r, err := strict[RoundState](key, value)
	var w weight
	for _, s := range r.Slots {
		w.owed += s.Owed
	}
	if cost := r.cost(); err == nil && (cost > r.Group.Cost || len(r.Slots) != int(r.Group.Slots)) {
		err = fmt.Errorf("round %x has claimed %d MFLOP of %d, for %d slots of %d", key, cost, r.Group.Cost, len(r.Slots), r.Group.Slots)
	}
	if err == nil && slices.ContainsFunc(r.Slots, func(s SlotState) bool { return s.Status == SlotOpen && s.Owed > 0 }) {
		err = fmt.Errorf("round %x owes for a slot that nobody has claimed", key)
	}
	return w, err
}

// weighNothing is for records that hold no money.
func weighNothing[T any](key, value []byte) (weight, error) {
	_, err := strict[T](key, value)
	return weight{}, err
}

// strict decodes a record that may be damaged.
func strict[T any](key, value []byte) (T, error) {
	var r T
	if err := block.Decode(value, &r); err != nil {
		return r, fmt.Errorf("record %x: %w", key, err)
	}
	return r, nil
}
