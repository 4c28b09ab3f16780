package ledger

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/alia-network/alia/protocol"
)

// TxResult is what became of a transaction.
type TxResult struct {
	Code   Code
	Detail string // for people; not part of consensus
}

// Block is what a height brings.
type Block struct {
	Height uint64
	Txs    []*Tx // in their order; nil stands for bytes that did not parse
	// DoubleSigned are validators that signed two blocks of one height.
	DoubleSigned []protocol.Account
}

// draft is a height in the making: the writes of its transactions over the
// state before. The writes of the current transaction have a map of their own,
// so that a refused transaction leaves none.
//
// The maps hold the structs of record.go, by key. A record is decoded once in a height and
// encoded once, however many transactions change it: otherwise many small claims of one
// large round would stall the chain. Who changes a slice of a record clones the slice
// first, because other maps may share it.
type draft struct {
	base     *State
	height   uint64
	schedule Schedule       // of this height
	seen     map[string]any // records of the state before; nil: there is none
	done     map[string]any // writes of the transactions before; nil is a deletion
	writes   map[string]any // writes of the current transaction
	gas      uint64         // of the transactions so far that paid a fee
	// escrowBytes is the bytes of the large escrows that transactions have read.
	escrowBytes int
}

// Apply makes the next height (LEDGER.md, section 7). It returns the next state, the
// result of each transaction, and the keys that changed, sorted. A transaction that is
// refused changes nothing but its account: the nonce, the fee and the outcome. An error
// means that the height is not the next one or that an invariant is broken, and the
// chain must stop.
func (s *State) Apply(b Block) (*State, []TxResult, []Change, error) {
	d, err := s.draft(b.Height)
	if err != nil {
		return nil, nil, nil, err
	}
	d.punish(b.DoubleSigned)
	d.expire()
	out := make([]TxResult, len(b.Txs))
	for i, tx := range b.Txs {
		out[i] = d.execute(tx)
	}
	d.writes = d.done
	d.pay()
	d.close()
	changes := d.changes()
	next := &State{net: s.net, genesis: s.genesis, height: b.Height, tree: s.tree.update(changes)}
	if err := checkStep(s, next, changes); err != nil {
		return nil, nil, nil, fmt.Errorf("apply height %d: %w", b.Height, err)
	}
	return next, out, changes, nil
}

// Check returns the result that a transaction would have if it were the only one
// of the next height.
func (s *State) Check(tx *Tx) TxResult {
	d, err := s.draft(s.height + 1)
	if err != nil {
		return TxResult{Code: Malformed, Detail: err.Error()}
	}
	return d.execute(tx)
}

func (s *State) draft(height uint64) (*draft, error) {
	if height != s.height+1 {
		return nil, fmt.Errorf("apply height %d: the state is of height %d", height, s.height)
	}
	schedule, ok := s.Schedule(height)
	if !ok {
		return nil, fmt.Errorf("apply height %d: no schedule was published for it", height)
	}
	return &draft{base: s, height: height, schedule: schedule, seen: map[string]any{}, done: map[string]any{}, writes: map[string]any{}}, nil
}

// execute runs one transaction and keeps its writes. Of a transaction that its body
// refuses it keeps the nonce, the fee and the outcome.
func (d *draft) execute(tx *Tx) TxResult {
	d.writes = map[string]any{}
	if tx == nil {
		return TxResult{Code: Malformed, Detail: Malformed.String()}
	}
	if err := d.admit(tx); err != nil {
		return TxResult{Code: codeOf(err), Detail: err.Error()}
	}
	if tx.Fee > 0 { // the free lane has bounds of its own, and makes nobody's fee rise
		d.gas += Gas(tx.Body, tx.size)
	}
	admitted := d.writes
	d.writes = maps.Clone(admitted)
	err := tx.Body.apply(d, tx)
	if err != nil {
		d.writes = admitted
	}
	d.outcome(tx, codeOf(err))
	maps.Copy(d.done, d.writes)
	if err != nil {
		return TxResult{Code: codeOf(err), Detail: err.Error()}
	}
	return TxResult{}
}

// admit checks network, expiry, nonce and fee of a transaction, and takes the fee.
func (d *draft) admit(tx *Tx) error {
	if tx.net != d.base.net {
		return WrongNetwork
	}
	if tx.ExpHeight < d.height || tx.ExpHeight > d.height+Horizon {
		return fmt.Errorf("%w: it expires at height %d, and this is height %d", BadExpiry, tx.ExpHeight, d.height)
	}
	a := d.account(tx.Account)
	if tx.Nonce <= a.Nonce || tx.Nonce > maxNonce {
		return fmt.Errorf("%w: %d, and the last was %d", BadNonce, tx.Nonce, a.Nonce)
	}
	if tx.Fee == 0 && tx.Body.free(d, tx) {
		return nil
	}
	gas := Gas(tx.Body, tx.size)
	fee := d.schedule.Fee(gas)
	if tx.Fee < fee {
		return fmt.Errorf("%w: %s, and %d gas cost %s at this height", FeeTooLow, alia(tx.Fee), gas, alia(fee))
	}
	if err := d.withdraw(tx.Account, fee); err != nil {
		return err
	}
	d.books(func(s *Supply) { s.Burned += fee })
	return nil
}

// maxNonce leaves an account nonces after any that it has used: clients count in
// milliseconds or microseconds since 1970.
const maxNonce = 1 << 62

// keepOutcomes is how many outcomes of transactions an account's record has.
const keepOutcomes = 4

// outcome takes a transaction's nonce and records what became of it. An account without
// a record gets none for a free transaction that was refused: such transactions would
// make the state grow for nothing.
func (d *draft) outcome(tx *Tx, code Code) {
	if _, known := load[AccountState](d, AccountKey(tx.Account)); !known && code != OK && tx.Fee == 0 {
		return
	}
	a := d.account(tx.Account)
	a.Nonce = tx.Nonce
	a.Outcomes = append(slices.Clone(a.Outcomes[max(0, len(a.Outcomes)-keepOutcomes+1):]), TxOutcome{Nonce: tx.Nonce, Code: code})
	store(d, AccountKey(tx.Account), a)
}

// close publishes the schedule of the next height and drops the oldest one.
func (d *draft) close() {
	before := d.base.Supply()
	minted := d.supply().Minted - before.Minted
	store(d, ScheduleKey(d.height+1), d.schedule.next(d.base.genesis.Params, minted, d.gas))
	if d.height > keepSchedules {
		d.remove(ScheduleKey(d.height - keepSchedules))
	}
}

// changes returns the height's writes, sorted by key, without those that leave a
// record as it was.
func (d *draft) changes() []Change {
	changes := make([]Change, 0, len(d.done))
	for key, record := range d.done { // order-free: sorted below
		var value []byte
		if record != nil {
			value = encode(record)
		}
		if old, ok := d.base.tree.get([]byte(key)); ok != (value != nil) || !bytes.Equal(old, value) {
			changes = append(changes, Change{Key: []byte(key), Value: value})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return bytes.Compare(a.Key, b.Key) })
	return changes
}

// load returns the record under a key as the current transaction sees it, with the
// transaction's own writes.
func load[T any](d *draft, key []byte) (record T, ok bool) {
	for _, records := range [...]map[string]any{d.writes, d.done, d.seen} {
		if r, known := records[string(key)]; known {
			record, ok = r.(T)
			return record, ok
		}
	}
	record, ok = decode[T](d.base.tree.get(key))
	d.seen[string(key)] = nil
	if ok {
		d.seen[string(key)] = record
	}
	return record, ok
}

func store[T any](d *draft, key []byte, record T) { d.writes[string(key)] = record }

func (d *draft) remove(key []byte) { d.writes[string(key)] = nil }

// account returns the record of an account. What has become free since the record was
// written is in its balance.
func (d *draft) account(a protocol.Account) AccountState {
	r, _ := load[AccountState](d, AccountKey(a))
	r.Version = 1
	for len(r.Unlocks) > 0 && d.height > r.Unlocks[0].Height {
		amount := r.Unlocks[0].Amount
		r.Balance += amount
		r.Unlocks = r.Unlocks[1:]
		d.books(func(s *Supply) { s.Balances, s.Locked = s.Balances+amount, s.Locked-amount })
		store(d, AccountKey(a), r)
	}
	return r
}

func (d *draft) supply() Supply {
	r, _ := load[Supply](d, SupplyKey())
	return r
}

// books changes the supply.
func (d *draft) books(change func(*Supply)) {
	r := d.supply()
	change(&r)
	store(d, SupplyKey(), r)
}

// MaxPayouts bounds the payouts that an amount follows from account to account.
const MaxPayouts = 16

// owner returns the account that gets the money of an account: another one if the key
// was replaced, and for pay also where the account says so.
func (d *draft) owner(a protocol.Account, pay bool) protocol.Account {
	for range MaxPayouts {
		p, ok := load[Payout](d, PayoutKey(a))
		if !ok || !pay && !p.Final {
			break
		}
		a = p.To
	}
	return a
}

// deposit gives an amount to an account.
func (d *draft) deposit(to protocol.Account, amount uint64) { d.credit(d.owner(to, false), amount, 0) }

// reward gives an amount that work has earned to an account.
func (d *draft) reward(to protocol.Account, amount uint64) {
	d.credit(d.owner(to, true), amount, amount)
}

func (d *draft) credit(to protocol.Account, amount, earned uint64) {
	a := d.account(to)
	a.Balance += amount
	a.Earned += earned
	store(d, AccountKey(to), a)
	d.books(func(s *Supply) { s.Balances += amount })
}

func (d *draft) withdraw(from protocol.Account, amount uint64) error {
	a := d.account(from)
	if a.Balance < amount {
		return fmt.Errorf("%w: %s needed, the account has %s", InsufficientFunds, alia(amount), alia(a.Balance))
	}
	a.Balance -= amount
	store(d, AccountKey(from), a)
	d.books(func(s *Supply) { s.Balances -= amount })
	return nil
}
