package ledger

import (
	"fmt"
	"slices"

	"github.com/alia-network/alia/protocol"
)

const (
	maxBallots = 64
	ballotLife = 50_000 // heights
)

func (d *draft) validators() ValidatorSet {
	r, _ := load[ValidatorSet](d, ValidatorsKey())
	return r
}

// ValidatorVote is a validator's vote to admit an account to the validators, or to expel
// one. More than two thirds of the validators decide. Who is admitted must have a stake
// locked. A validator that votes to expel itself leaves at once.
type ValidatorVote struct {
	_       struct{}         `cbor:",toarray"`
	Account protocol.Account // its key signs heights
	Admit   bool             // or else expel
}

// Kind returns KindValidatorVote.
func (ValidatorVote) Kind() TxKind { return KindValidatorVote }

func (ValidatorVote) signatures() int { return 0 }

func (ValidatorVote) free(d *draft, tx *Tx) bool {
	return slices.Contains(d.validators().Members, tx.Account)
}

func (b ValidatorVote) check() error { return someone("validator", b.Account) }

func (b ValidatorVote) apply(d *draft, tx *Tx) error {
	v := d.validators()
	member := slices.Contains(v.Members, b.Account)
	switch {
	case !slices.Contains(v.Members, tx.Account):
		return NotValidator
	case member == b.Admit:
		return Already
	case b.Admit && len(v.Members) >= MaxValidators:
		return fmt.Errorf("%w: there are %d validators", Busy, len(v.Members))
	}
	if stake := d.collateral(d.base.genesis.Params.Stake); b.Admit && d.account(b.Account).Locked < stake {
		return fmt.Errorf("%w: a validator has %s locked", NoStake, alia(stake))
	}
	v.Ballots = slices.Clone(v.Ballots)
	until := d.height + d.base.genesis.Params.Unlock
	if tx.Account == b.Account { // it leaves, which needs nobody's vote
		if err := v.change(b.Account, false, until); err != nil {
			return err
		}
		store(d, ValidatorsKey(), v)
		return nil
	}
	i := slices.IndexFunc(v.Ballots, func(o Ballot) bool { return o.Account == b.Account && o.Admit == b.Admit })
	if i < 0 {
		if len(v.Ballots) >= maxBallots {
			return fmt.Errorf("%w: %d votes on validators are open", Busy, len(v.Ballots))
		}
		// A validator that opened them all could not be expelled.
		if n := v.opened(tx.Account); n >= max(1, maxBallots/len(v.Members)) {
			return fmt.Errorf("%w: %d votes that the account began are open, and there are %d validators", Busy, n, len(v.Members))
		}
		i = len(v.Ballots)
		v.Ballots = append(v.Ballots, Ballot{Account: b.Account, Admit: b.Admit, Expires: d.height + ballotLife})
	}
	o := &v.Ballots[i]
	if slices.Contains(o.Yes, tx.Account) {
		return Already
	}
	o.Yes = append(slices.Clone(o.Yes), tx.Account)
	// Only the votes of those count who are validators now.
	votes := v.votes(o.Yes)
	if 3*votes > 2*len(v.Members) {
		if err := v.change(b.Account, b.Admit, until); err != nil {
			return err
		}
	}
	store(d, ValidatorsKey(), v)
	return nil
}

// Punishable returns the validators, and those that left so short a time ago that they can
// still be punished for signing two blocks of one height.
func (v ValidatorSet) Punishable() []protocol.Account {
	all := slices.Clone(v.Members)
	for _, l := range v.Left {
		all = append(all, l.Account)
	}
	return all
}

// votes counts the accounts that are validators.
func (v ValidatorSet) votes(accounts []protocol.Account) int {
	n := 0
	for _, a := range accounts {
		if slices.Contains(v.Members, a) {
			n++
		}
	}
	return n
}

// beganBy reports whether an account opened the ballot.
func (o Ballot) beganBy(a protocol.Account) bool { return slices.Index(o.Yes, a) == 0 }

// opened counts the ballots that an account opened.
func (v ValidatorSet) opened(a protocol.Account) int {
	n := 0
	for _, o := range v.Ballots {
		if o.beganBy(a) {
			n++
		}
	}
	return n
}

// change admits or expels an account. An account that is expelled cannot replace its key
// until a height: so long it can be punished.
func (v *ValidatorSet) change(a protocol.Account, admit bool, until uint64) error {
	v.Ballots = slices.DeleteFunc(v.Ballots, func(o Ballot) bool { return o.Account == a })
	if admit {
		v.Members = append(slices.Clone(v.Members), a)
		return nil
	}
	if len(v.Members) == 1 {
		return fmt.Errorf("%w: the last validator cannot leave", NotDue)
	}
	v.Ballots = slices.DeleteFunc(v.Ballots, func(o Ballot) bool { return o.beganBy(a) })
	v.Members = slices.DeleteFunc(slices.Clone(v.Members), func(m protocol.Account) bool { return m == a })
	v.Left = append(slices.Clone(v.Left), Leaver{Account: a, Height: until})
	return nil
}

// punish burns what validators have locked who signed two blocks of one height, and
// expels them. The last validator stays: without one there is no ledger.
func (d *draft) punish(accounts []protocol.Account) {
	d.writes = d.done
	for _, a := range accounts {
		r := d.account(a)
		burned := r.Locked
		for _, u := range r.Unlocks {
			burned += u.Amount
		}
		if burned > 0 {
			r.Locked, r.Unlocks = 0, nil
			store(d, AccountKey(a), r)
			d.books(func(s *Supply) { s.Locked, s.Burned = s.Locked-burned, s.Burned+burned })
		}
		v := d.validators()
		if !slices.Contains(v.Members, a) {
			continue
		}
		v.Ballots = slices.Clone(v.Ballots)
		if v.change(a, false, d.height+d.base.genesis.Params.Unlock) == nil {
			store(d, ValidatorsKey(), v)
		}
	}
}
