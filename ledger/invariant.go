package ledger

import (
	"errors"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
)

// Totals are the books of a state, added up.
type Totals struct {
	Height   uint64
	Supply   Supply
	Balances uint64 // amount, the sum of all accounts
	Escrows  uint64 // amount, the sum of all open escrows
	Accounts int
	Units    int // units of work that were settled
}

// Audit adds up all accounts and escrows and checks every record. It reads the
// whole state. Apply checks the same invariants, but only for the records that
// a height changed.
func (s *State) Audit() (Totals, error) {
	t := Totals{Height: s.height}
	if _, ok := s.Schedule(s.height + 1); !ok {
		return t, fmt.Errorf("no schedule is published for height %d", s.height+1)
	}
	for _, p := range s.tree.pairs(nil) {
		v, err := weigh(p.Key, p.Value)
		if err != nil {
			return t, err
		}
		t.Balances += v.balance
		t.Escrows += v.escrow
		t.Accounts += v.accounts
		t.Units += v.units
	}
	t.Supply = s.Supply()
	if err := t.check(); err != nil {
		return t, fmt.Errorf("height %d: %w", s.height, err)
	}
	return t, nil
}

// check is the first invariant: every token that exists was minted.
func (t Totals) check() error {
	if t.Escrows != t.Supply.Escrowed {
		return fmt.Errorf("escrows hold %s, but the books say %s", alia(t.Escrows), alia(t.Supply.Escrowed))
	}
	if sum := t.Balances + t.Escrows + t.Supply.Pool; sum != t.Supply.Total() {
		return fmt.Errorf("the supply is %s, but accounts, escrows and the pool hold %s", alia(t.Supply.Total()), alia(sum))
	}
	return nil
}

// checkStep checks the changes of one height against the invariants of LEDGER.md,
// section 8:
//
//	I1  the supply changes by as much as all holdings
//	I2  every escrow balances
//	I4  no settlement is written twice
//	I6  the schedule was published by the height before
//	I7  the schedule's cap is kept
//	I8  no nonce falls
//	I9  every run stays within its budget
//
// Changes are enough, because checkStep has checked all other records before.
func checkStep(prev, next *State, changes []Change) error {
	// The records that changed: each one alone (I2, I9), each against the record
	// it replaces (I4, I8), and the sums before and after.
	var before, after weight
	for _, c := range changes {
		old, had := prev.tree.get(c.Key)
		if had {
			v, err := weigh(c.Key, old)
			if err != nil {
				return err
			}
			before.add(v)
		}
		if c.Value != nil {
			v, err := weigh(c.Key, c.Value)
			if err != nil {
				return err
			}
			after.add(v)
		}
		if err := checkChange(c, old, had); err != nil {
			return err
		}
	}
	// The books: holdings that changed must explain the whole change of the
	// supply (I1), and the mint must follow the published schedule (I6, I7).
	was, is := prev.Supply(), next.Supply()
	schedule, ok := prev.Schedule(next.height)
	holdings := (after.balance + after.escrow + is.Pool) - (before.balance + before.escrow + was.Pool)
	switch {
	case holdings != is.Total()-was.Total():
		return errors.New("supply and holdings changed by different amounts")
	case after.escrow-before.escrow != is.Escrowed-was.Escrowed:
		return errors.New("escrows and their sum changed by different amounts")
	case is.Minted < was.Minted || is.Burned < was.Burned || is.Minted > maxSupply || is.Burned > is.Minted:
		return errors.New("the amount minted or burned is out of bounds")
	case !ok:
		return fmt.Errorf("no schedule was published for height %d", next.height)
	case is.Minted-was.Minted > schedule.Cap:
		return fmt.Errorf("minted %s, the cap is %s", alia(is.Minted-was.Minted), alia(schedule.Cap))
	}
	return nil
}

// checkChange checks a change against the record that it replaces.
func checkChange(c Change, old []byte, had bool) error {
	kind, err := kindOf(c.Key)
	if err != nil || !had || kind.follow == nil {
		return err
	}
	return kind.follow(c.Key, old, c.Value)
}

func followAccount(key, old, value []byte) error {
	was, _ := decode[AccountState](old, true)
	is, ok := decode[AccountState](value, value != nil)
	if !ok || is.Nonce < was.Nonce {
		return fmt.Errorf("account %x is gone or its nonce falls", key)
	}
	return nil
}

func followUnit(key, _, _ []byte) error { return fmt.Errorf("settlement %x is written twice", key) }

// weight is the amounts in records.
type weight struct {
	balance, escrow uint64 // amounts
	accounts, units int
}

func (w *weight) add(v weight) {
	w.balance += v.balance
	w.escrow += v.escrow
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
	return weight{balance: a.Balance, accounts: 1}, err
}

func weighEscrow(key, value []byte) (weight, error) {
	e, err := strict[Escrow](key, value)
	if err == nil && e.Opened != e.Left+e.Released+e.Burned {
		err = fmt.Errorf("escrow %x does not balance", key)
	}
	return weight{escrow: e.Left}, err
}

func weighRun(key, value []byte) (weight, error) {
	r, err := strict[RunState](key, value)
	if err == nil && r.Spent > r.Budget {
		err = fmt.Errorf("run %s spent %d MFLOP of %d", r.Run, r.Spent, r.Budget)
	}
	return weight{}, err
}

func weighUnit(key, value []byte) (weight, error) {
	_, err := strict[Settlement](key, value)
	return weight{units: 1}, err
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
