package ledger

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// TxResult is what became of a transaction.
type TxResult struct {
	Code    Code
	Detail  string        // for people; not part of consensus
	Entries []EntryResult // of a [Settle], in its order
}

// results is the canonical form of TxResult.Entries.
type results struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Entries []EntryResult
}

// Data returns the canonical bytes of the entries, on which validators agree.
// A transaction that is not a [Settle] has none.
func (r TxResult) Data() []byte {
	if len(r.Entries) == 0 {
		return nil
	}
	return encode(results{Version: 1, Entries: r.Entries})
}

// ParseEntries reads what Data returned.
func ParseEntries(data []byte) ([]EntryResult, error) {
	if len(data) == 0 {
		return nil, nil
	}
	var r results
	if err := block.Decode(data, &r); err != nil {
		return nil, fmt.Errorf("parse settlement results: %w", err)
	}
	return r.Entries, nil
}

// draft is a height in the making: the writes of its transactions over the
// state before. The writes of the current transaction have a map of their own,
// so that a refused transaction leaves none.
type draft struct {
	base     *State
	height   uint64
	schedule Schedule          // of this height
	done     map[string][]byte // writes of the transactions before; nil is a deletion
	writes   map[string][]byte // writes of the current transaction
	index    int               // the current transaction
	entries  []EntryResult     // of the current transaction
	claims   []claim
}

// claim is an amount to be minted at the end of the height, when the sum of all
// claims is known. See [draft.mint].
type claim struct {
	tx, entry int
	unit      block.Link
	amount    uint64 // at most the height's cap, so that sums stay far below 2^64
}

// Apply makes the next height from its transactions, in their order (LEDGER.md,
// section 7). It returns the next state, the result of each transaction, and the keys that changed,
// sorted. A transaction that is refused changes nothing; nil stands for bytes
// that did not parse. An error means that height is not the next one or that an
// invariant is broken, and the chain must stop.
func (s *State) Apply(height uint64, txs []*Tx) (*State, []TxResult, []Change, error) {
	d, err := s.draft(height)
	if err != nil {
		return nil, nil, nil, err
	}
	out := make([]TxResult, len(txs))
	for i, tx := range txs {
		d.index = i
		out[i] = d.execute(tx)
	}
	d.mint(out)
	d.close()
	changes := d.changes()
	next := &State{net: s.net, genesis: s.genesis, height: height, tree: s.tree.update(changes)}
	if err := checkStep(s, next, changes); err != nil {
		return nil, nil, nil, fmt.Errorf("apply height %d: %w", height, err)
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
	return &draft{base: s, height: height, schedule: schedule, done: make(map[string][]byte)}, nil
}

// execute runs one transaction and keeps its writes unless it is refused.
func (d *draft) execute(tx *Tx) TxResult {
	d.writes, d.entries = make(map[string][]byte), nil
	if tx == nil {
		return TxResult{Code: Malformed, Detail: Malformed.String()}
	}
	err := d.admit(tx)
	if err == nil {
		err = tx.Body.apply(d, tx)
	}
	if err != nil {
		return TxResult{Code: codeOf(err), Detail: err.Error(), Entries: d.entries}
	}
	for key, value := range d.writes { // order-free: a union of maps
		d.done[key] = value
	}
	return TxResult{Entries: d.entries}
}

// admit checks network, expiry, nonce and fee of a transaction, takes its nonce
// and burns its fee.
func (d *draft) admit(tx *Tx) error {
	if tx.net != d.base.net {
		return WrongNetwork
	}
	if tx.ExpHeight < d.height || tx.ExpHeight > d.height+Horizon {
		return fmt.Errorf("%w: it expires at height %d, and this is height %d", BadExpiry, tx.ExpHeight, d.height)
	}
	a := d.account(tx.Account)
	if tx.Nonce <= a.Nonce {
		return fmt.Errorf("%w: %d, and the last was %d", BadNonce, tx.Nonce, a.Nonce)
	}
	if least := d.base.genesis.Params.Fee(tx.Body); tx.Fee < least {
		return fmt.Errorf("%w: %s, the least is %s", FeeTooLow, alia(tx.Fee), alia(least))
	}
	a.Nonce = tx.Nonce
	store(d, AccountKey(tx.Account), a)
	if tx.Fee == 0 {
		return nil
	}
	supply := d.supply()
	supply.Burned += tx.Fee
	store(d, SupplyKey(), supply)
	return d.withdraw(tx.Account, tx.Fee)
}

// mint pays the claims of the height (LEDGER.md, section 5.4). When their sum exceeds the cap, each claim
// is reduced in the same proportion.
func (d *draft) mint(out []TxResult) {
	d.writes = d.done
	supply := d.supply()
	limit := min(d.schedule.Cap, maxSupply-supply.Minted)
	var total uint64
	for _, c := range d.claims {
		total += c.amount
	}
	for _, c := range d.claims {
		amount := c.amount
		if total > limit {
			amount = mulDiv(amount, limit, total)
		}
		unit, _ := load[Settlement](d, UnitKey(c.unit))
		unit.Minted = amount
		unit.Paid += amount
		store(d, UnitKey(c.unit), unit)
		d.deposit(unit.Miner, amount)
		supply.Minted += amount
		out[c.tx].Entries[c.entry].Paid += amount
	}
	store(d, SupplyKey(), supply)
}

// close publishes the schedule of the next height and drops the oldest one.
func (d *draft) close() {
	before := d.base.Supply()
	minted := d.supply().Minted - before.Minted
	store(d, ScheduleKey(d.height+1), d.schedule.next(d.base.genesis.Params, minted))
	if d.height > keepSchedules {
		d.remove(ScheduleKey(d.height - keepSchedules))
	}
}

// changes returns the height's writes, sorted by key, without those that leave a
// record as it was.
func (d *draft) changes() []Change {
	changes := make([]Change, 0, len(d.done))
	for key, value := range d.done { // order-free: sorted below
		if old, ok := d.base.tree.get([]byte(key)); ok != (value != nil) || !bytes.Equal(old, value) {
			changes = append(changes, Change{Key: []byte(key), Value: value})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return bytes.Compare(a.Key, b.Key) })
	return changes
}

// get returns the record under a key as the current transaction sees it, with
// the transaction's own writes.
func (d *draft) get(key []byte) ([]byte, bool) {
	if value, ok := d.writes[string(key)]; ok {
		return value, value != nil
	}
	if value, ok := d.done[string(key)]; ok {
		return value, value != nil
	}
	return d.base.tree.get(key)
}

func (d *draft) remove(key []byte) { d.writes[string(key)] = nil }

func load[T any](d *draft, key []byte) (T, bool) { return decode[T](d.get(key)) }

func store[T any](d *draft, key []byte, record T) { d.writes[string(key)] = encode(record) }

func (d *draft) account(a protocol.Account) AccountState {
	r, _ := load[AccountState](d, AccountKey(a))
	r.Version = 1
	return r
}

func (d *draft) supply() Supply {
	r, _ := load[Supply](d, SupplyKey())
	return r
}

func (d *draft) deposit(to protocol.Account, amount uint64) {
	a := d.account(to)
	a.Balance += amount
	store(d, AccountKey(to), a)
}

func (d *draft) withdraw(from protocol.Account, amount uint64) error {
	a := d.account(from)
	if a.Balance < amount {
		return fmt.Errorf("%w: %s needed, the account has %s", InsufficientFunds, alia(amount), alia(a.Balance))
	}
	a.Balance -= amount
	store(d, AccountKey(from), a)
	return nil
}
