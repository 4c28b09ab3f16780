package ledger

import (
	"fmt"
	"slices"

	"github.com/alia-network/alia/protocol"
)

// maxMemo bounds a transfer's memo, in bytes.
const maxMemo = 256

// Transfer moves an amount to an account.
type Transfer struct {
	_      struct{} `cbor:",toarray"`
	To     protocol.Account
	Amount uint64
	Memo   string // for people; everybody can read it
}

// Kind returns KindTransfer.
func (Transfer) Kind() TxKind { return KindTransfer }

func (Transfer) signatures() int       { return 0 }
func (Transfer) free(*draft, *Tx) bool { return false }

func (b Transfer) check() error {
	if len(b.Memo) > maxMemo {
		return fmt.Errorf("%w: memo of %d bytes, the limit is %d", TooLarge, len(b.Memo), maxMemo)
	}
	if b.Amount == 0 {
		return fmt.Errorf("%w: the transfer", BadAmount)
	}
	return someone("recipient", b.To)
}

func (b Transfer) apply(d *draft, tx *Tx) error {
	if err := d.withdraw(tx.Account, b.Amount); err != nil {
		return err
	}
	d.deposit(b.To, b.Amount)
	return nil
}

// Lock moves an amount from the sender's balance to its locked tokens. They stand for
// the sender's honesty: a validator must have some, and so must who takes a run over.
type Lock struct {
	_      struct{} `cbor:",toarray"`
	Amount uint64
}

// Kind returns KindLock.
func (Lock) Kind() TxKind { return KindLock }

func (Lock) signatures() int       { return 0 }
func (Lock) free(*draft, *Tx) bool { return false }

func (b Lock) check() error {
	if b.Amount == 0 {
		return fmt.Errorf("%w: the lock", BadAmount)
	}
	return nil
}

func (b Lock) apply(d *draft, tx *Tx) error {
	if err := d.withdraw(tx.Account, b.Amount); err != nil {
		return err
	}
	a := d.account(tx.Account)
	a.Locked += b.Amount
	store(d, AccountKey(tx.Account), a)
	d.books(func(s *Supply) { s.Locked += b.Amount })
	return nil
}

// maxUnlocks bounds the amounts of an account that are on their way to be free.
const maxUnlocks = 8

// Unlock starts to move an amount of the sender's locked tokens to its balance. They are
// free after Params.Unlock heights. A validator keeps its stake.
type Unlock struct {
	_      struct{} `cbor:",toarray"`
	Amount uint64
}

// Kind returns KindUnlock.
func (Unlock) Kind() TxKind { return KindUnlock }

func (Unlock) signatures() int       { return 0 }
func (Unlock) free(*draft, *Tx) bool { return false }

func (b Unlock) check() error {
	if b.Amount == 0 {
		return fmt.Errorf("%w: the unlock", BadAmount)
	}
	return nil
}

func (b Unlock) apply(d *draft, tx *Tx) error {
	a := d.account(tx.Account)
	var stays uint64
	if slices.Contains(d.validators().Members, tx.Account) {
		stays = d.collateral(d.base.genesis.Params.Stake)
	}
	switch {
	case a.Locked < b.Amount:
		return fmt.Errorf("%w: %s are locked", InsufficientFunds, alia(a.Locked))
	case a.Locked-b.Amount < stays:
		return fmt.Errorf("%w: a validator keeps %s locked", NoStake, alia(stays))
	case len(a.Unlocks) >= maxUnlocks:
		return fmt.Errorf("%w: %d amounts are on their way to be free, the first at height %d", Busy, len(a.Unlocks), a.Unlocks[0].Height+1)
	}
	a.Locked -= b.Amount
	a.Unlocks = append(slices.Clone(a.Unlocks), Unlocking{Amount: b.Amount, Height: d.height + d.base.genesis.Params.Unlock})
	store(d, AccountKey(tx.Account), a)
	return nil
}

// collateral is the amount that a parameter asks for. While little was minted it is a
// thousandth of that: the first members of a network have nothing to set aside.
func (d *draft) collateral(most uint64) uint64 { return Collateral(most, d.supply()) }

// Collateral is the amount that is set aside, where a parameter asks for most, while the
// books say supply.
func Collateral(most uint64, supply Supply) uint64 { return min(most, supply.Minted/1000) }

// SetPayout has all later pay of the sender go to another account, such as one whose key
// is in a safe place. Naming the sender ends that.
type SetPayout struct {
	_  struct{} `cbor:",toarray"`
	To protocol.Account
}

// Kind returns KindSetPayout.
func (SetPayout) Kind() TxKind { return KindSetPayout }

func (SetPayout) signatures() int       { return 0 }
func (SetPayout) free(*draft, *Tx) bool { return false }

func (b SetPayout) check() error { return someone("recipient", b.To) }

func (b SetPayout) apply(d *draft, tx *Tx) error {
	if b.To != tx.Account {
		return d.redirect(tx.Account, b.To, false)
	}
	old, set := load[Payout](d, PayoutKey(tx.Account))
	switch {
	case !set:
		return Already
	case old.Final:
		return fmt.Errorf("%w: the key was replaced by that of %s", Retired, old.To.Short())
	}
	d.remove(PayoutKey(tx.Account))
	return nil
}

// redirect has the pay of an account go to another. That one must have no payout itself,
// so that no money goes round in circles.
func (d *draft) redirect(from, to protocol.Account, final bool) error {
	if old, set := load[Payout](d, PayoutKey(from)); set && old.Final {
		return fmt.Errorf("%w: the key was replaced by that of %s", Retired, old.To.Short())
	}
	if from == to {
		return fmt.Errorf("%w: %s is the sender", BadPayout, to.Short())
	}
	if _, set := load[Payout](d, PayoutKey(to)); set {
		return fmt.Errorf("%w: %s has a payout itself", BadPayout, to.Short())
	}
	store(d, PayoutKey(from), Payout{Version: 1, To: to, Final: final})
	return nil
}

// Rotate replaces the sender's key, for example because others may know it: all money of
// the account, now and later, is that of another one. The old key can still report
// work, whose pay goes to the new account, and can undo nothing.
type Rotate struct {
	_  struct{} `cbor:",toarray"`
	To protocol.Account
}

// Kind returns KindRotate.
func (Rotate) Kind() TxKind { return KindRotate }

func (Rotate) signatures() int       { return 0 }
func (Rotate) free(*draft, *Tx) bool { return false }

func (b Rotate) check() error { return someone("successor", b.To) }

func (b Rotate) apply(d *draft, tx *Tx) error {
	v := d.validators()
	if slices.Contains(v.Members, tx.Account) {
		return fmt.Errorf("%w: a validator's key signs heights: leave the validators first", NotDue)
	}
	if i := slices.IndexFunc(v.Left, func(l Leaver) bool { return l.Account == tx.Account }); i >= 0 {
		return fmt.Errorf("%w: the account was a validator, and can be punished until height %d", NotDue, v.Left[i].Height)
	}
	if err := d.redirect(tx.Account, b.To, true); err != nil {
		return err
	}
	// What is on its way to be free is locked again: so nobody can fill the list of
	// unlocks of an account that is not its own.
	old, now := d.account(tx.Account), d.account(b.To)
	now.Balance, now.Locked = now.Balance+old.Balance, now.Locked+old.Locked
	for _, u := range old.Unlocks {
		now.Locked += u.Amount
	}
	old.Balance, old.Locked, old.Unlocks = 0, 0, nil
	store(d, AccountKey(tx.Account), old)
	store(d, AccountKey(b.To), now)
	return nil
}
