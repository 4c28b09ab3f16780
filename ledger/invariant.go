package ledger

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
)

// Totals are the books of a state, added up.
type Totals struct {
	Height   uint64
	Supply   Supply
	Balances uint64 // sum of all accounts, in units
	Escrows  uint64 // sum of what is left in all escrows, in units
	Accounts int
	Units    int // settled
}

// Audit adds up every account and escrow and checks every record. It reads the
// whole state; Apply checks the same for what a height changed.
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

// check is the first invariant: no token without its mint.
func (t Totals) check() error {
	if t.Escrows != t.Supply.Escrowed {
		return fmt.Errorf("escrows hold %d units, the books say %d", t.Escrows, t.Supply.Escrowed)
	}
	if sum := t.Balances + t.Escrows + t.Supply.Pool; sum != t.Supply.Total() {
		return fmt.Errorf("supply is %d units, but all holdings are %d", t.Supply.Total(), sum)
	}
	return nil
}

// checkStep checks what a height changed: supply equals holdings (I1), every
// escrow balances (I2), no settlement is written twice (I4), the schedule was
// published before (I6) and its cap kept (I7), nonces do not fall (I8), runs
// stay within their budgets (I9). The names are those of LEDGER.md, section 8.
// Looking at the changes is enough, because every other record was checked
// when it changed.
func checkStep(prev, next *State, changes []Change) error {
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
	was, is := prev.Supply(), next.Supply()
	schedule, ok := prev.Schedule(next.height)
	held := (after.balance + after.escrow + is.Pool) - (before.balance + before.escrow + was.Pool)
	switch {
	case held != is.Total()-was.Total():
		return errors.New("supply and holdings changed by different amounts")
	case after.escrow-before.escrow != is.Escrowed-was.Escrowed:
		return errors.New("escrows and their sum changed by different amounts")
	case is.Minted < was.Minted || is.Burned < was.Burned || is.Minted > maxSupply || is.Burned > is.Minted:
		return errors.New("minted or burned ran out of bounds")
	case !ok:
		return fmt.Errorf("no schedule was published for height %d", next.height)
	case is.Minted-was.Minted > schedule.Cap:
		return fmt.Errorf("minted %d units, the cap is %d", is.Minted-was.Minted, schedule.Cap)
	}
	return nil
}

// checkChange checks a single change against what stood there.
func checkChange(c Change, old []byte, had bool) error {
	switch {
	case bytes.HasPrefix(c.Key, []byte("u/")) && had:
		return fmt.Errorf("settlement %x is written twice", c.Key)
	case bytes.HasPrefix(c.Key, []byte("a/")) && had:
		was, _ := decode[AccountState](old, true)
		is, ok := decode[AccountState](c.Value, c.Value != nil)
		if !ok || is.Nonce < was.Nonce {
			return fmt.Errorf("account %x is gone or its nonce falls", c.Key)
		}
	}
	return nil
}

// weight is what records hold.
type weight struct {
	balance, escrow uint64
	accounts, units int
}

func (w *weight) add(v weight) {
	w.balance += v.balance
	w.escrow += v.escrow
}

// weigh decodes a record, checks it by itself and returns what it holds.
func weigh(key, value []byte) (weight, error) {
	kind, _, _ := bytes.Cut(key, []byte("/"))
	switch string(kind) {
	case "a":
		a, err := strict[AccountState](key, value)
		return weight{balance: a.Balance, accounts: 1}, err
	case "e":
		e, err := strict[Escrow](key, value)
		if err == nil && e.Opened != e.Left+e.Released+e.Burned {
			err = fmt.Errorf("escrow %x does not balance", key)
		}
		return weight{escrow: e.Left}, err
	case "n":
		r, err := strict[RunState](key, value)
		if err == nil && r.Spent > r.Budget {
			err = fmt.Errorf("run %s spent %d MFLOP of %d", r.Run, r.Spent, r.Budget)
		}
		return weight{}, err
	case "l":
		_, err := strict[CommittedRound](key, value)
		return weight{}, err
	case "u":
		_, err := strict[Settlement](key, value)
		return weight{units: 1}, err
	case "s":
		_, err := strict[Schedule](key, value)
		return weight{}, err
	}
	return weight{}, checkMeta(key, value)
}

// checkMeta checks the records that exist once.
func checkMeta(key, value []byte) error {
	var err error
	switch string(key) {
	case string(SupplyKey()):
		_, err = strict[Supply](key, value)
	case string(GenesisKey()):
		_, err = strict[Genesis](key, value)
	case string(proposalsKey):
		_, err = strict[proposals](key, value)
	default:
		err = fmt.Errorf("unknown key %x", key)
	}
	return err
}

func strict[T any](key, value []byte) (T, error) {
	var r T
	if err := block.Decode(value, &r); err != nil {
		return r, fmt.Errorf("record %x: %w", key, err)
	}
	return r, nil
}
