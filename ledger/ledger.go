// Package ledger is the rules of the token as one pure function: accounts,
// training runs and their rounds, escrows, pay for work, mint and supply.
//
// A [State] is the whole ledger after one height. [State.Apply] takes what the next
// height brings and returns the next state, the result of each transaction and the keys
// that changed. The old state stays as it was. The package has no clock, no randomness
// and no storage: package ledger/chain puts the function behind CometBFT, and package
// ledger/light reads states with proofs.
//
// Every token comes from work, and pay belongs to a slot of a plan, never to a name that
// somebody chose.
//
//   - The validators approve the [Plan] of a training run after they have computed it
//     themselves. It says what every unit of the run costs. The coordinator claims each
//     round once ([Claim]); a miner that it leaves out claims with its accept
//     ([UnitClaim]). A claimed round is minted Params.Finality heights later, at the
//     rate of the [Schedule] that the height before the claim has published.
//   - A unit of translation is paid from the customer's [Escrow], which names the job's
//     units. The customer's ticket is the promise to pay ([JobClaim]): 85 % go to the
//     miner, 5 % to the audit pool, and 10 % are burned. At most half of the burned
//     amount is minted for the miner, so that buying one's own work loses money.
//
// A new state and one height:
//
//	state, err := ledger.New(net, genesis)
//	tx, err := ledger.ParseTx(data, net) // checks size, shape and signature
//	next, results, changes, err := state.Apply(ledger.Block{Height: state.Height() + 1, Txs: []*ledger.Tx{tx}})
//	proof := next.Prove(ledger.AccountKey(account)) // leads to next.AppHash()
//
// A state maps keys (see the Key functions) to canonical records. Each key is a leaf of
// a Merkle tree over the keys' hashes. The memory has the tree; the records may lie
// elsewhere (see [Load]).
package ledger

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// State is the ledger after a height. It is immutable and safe for concurrent
// use.
type State struct {
	net     protocol.Net
	genesis Genesis
	height  uint64
	tree    *tree
}

// New returns the state of height 0, with the schedule of height 1.
func New(net protocol.Net, g Genesis) (*State, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	schedule := Schedule{
		Version:     1,
		Height:      1,
		Training:    g.Params.Training * micro,
		Translation: g.Params.Translation * micro,
		Budget:      g.Params.Budget,
		Cap:         2 * g.Params.Budget,
		Gas:         g.Params.Gas,
	}
	changes := []Change{
		{GenesisKey(), encode(g)},
		{ScheduleKey(1), encode(schedule)},
		{SupplyKey(), encode(Supply{Version: 1})},
		{ValidatorsKey(), encode(ValidatorSet{Version: 1, Members: g.Validators})},
	}
	return &State{net: net, genesis: g, tree: emptyTree.update(changes)}, nil
}

// Load returns the state of a height from all its keys and records, sorted by the
// SHA-256 of the keys, as [State.All] returns them. When records is nil, the state
// keeps them in memory; otherwise the state reads them there again when it needs them.
// The caller compares AppHash with the root it trusts. Load does not look
// into records, but [State.Audit] does.
func Load(net protocol.Net, height uint64, records Records, all iter.Seq2[KeyValue, error]) (*State, error) {
	var writes []write
	for pair, err := range all {
		if err != nil {
			return nil, fmt.Errorf("load ledger state: %w", err)
		}
		sum := hash(sha256.Sum256(pair.Key))
		if n := len(writes); n > 0 && compareWrite(writes[n-1], sum) >= 0 {
			return nil, fmt.Errorf("load ledger state: key %x comes twice or too late", pair.Key)
		}
		l := newLeaf(sum, pair)
		if records != nil {
			l.record.Store(nil)
		}
		writes = append(writes, write{sum, l})
	}
	s := &State{net: net, height: height, tree: &tree{top: build(writes), records: records}}
	data, ok := s.Get(GenesisKey())
	if !ok {
		return nil, errors.New("load ledger state: no genesis in it")
	}
	if err := block.Decode(data, &s.genesis); err != nil {
		return nil, fmt.Errorf("load ledger state: genesis: %w", err)
	}
	return s, nil
}

// Net returns the state's network.
func (s *State) Net() protocol.Net { return s.net }

// Genesis returns the network's genesis record.
func (s *State) Genesis() Genesis { return s.genesis }

// Height returns the height whose transactions made this state.
func (s *State) Height() uint64 { return s.height }

// AppHash returns the root of the state's tree, 32 bytes. CometBFT's header of
// the next height carries it.
func (s *State) AppHash() []byte {
	root := s.tree.root()
	return root[:]
}

// Get returns the record under a key, which the caller must not change. Get, and
// every method that reads a record, panics with [*DamageError] when the state's
// [Records] fail: a record that cannot be read must never pass for one that is
// absent.
func (s *State) Get(key []byte) (value []byte, ok bool) { return s.tree.get(key) }

// Prove returns a proof of a key's record, or of its absence, under AppHash.
func (s *State) Prove(key []byte) Proof { return s.tree.prove(key) }

// All returns all keys and their records, sorted by the SHA-256 of the keys. It reads the
// whole state.
func (s *State) All() iter.Seq[KeyValue] { return s.tree.all() }

// Saved tells the state that its [Records] have the changes which made it, so that
// the memory need not keep them. The states before stay readable. Saved and the
// next Apply must not run at the same time.
func (s *State) Saved(changes []Change) { s.tree.saved(changes) }

// Account returns an account's record. An account that was never written has no
// balance.
func (s *State) Account(a protocol.Account) AccountState {
	r, ok := decode[AccountState](s.tree.get(AccountKey(a)))
	if !ok {
		r.Version = 1
	}
	return r
}

// Run returns the record of a run of a coordinator.
func (s *State) Run(run block.Link, coordinator protocol.Account) (RunState, bool) {
	return decode[RunState](s.tree.get(RunKey(run, coordinator)))
}

// Function returns how far the rounds of a function are claimed and paid.
func (s *State) Function(function block.Link) (FunctionState, bool) {
	return decode[FunctionState](s.tree.get(FunctionKey(function)))
}

// Round returns a round that is claimed and not paid.
func (s *State) Round(function block.Link, round uint32) (RoundState, bool) {
	return decode[RoundState](s.tree.get(RoundKey(function, round)))
}

// Escrow returns the escrow of a customer for a job.
func (s *State) Escrow(customer protocol.Account, job block.Link) (Escrow, bool) {
	return decode[Escrow](s.tree.get(EscrowKey(customer, job)))
}

// Validators returns who makes the heights.
func (s *State) Validators() ValidatorSet {
	r, _ := decode[ValidatorSet](s.tree.get(ValidatorsKey()))
	return r
}

// Schedule returns the rates of pay at a height. The state has the schedules of about a
// day's heights, the last of them for Height()+1.
func (s *State) Schedule(height uint64) (Schedule, bool) {
	return decode[Schedule](s.tree.get(ScheduleKey(height)))
}

// Supply returns the books.
func (s *State) Supply() Supply {
	r, _ := decode[Supply](s.tree.get(SupplyKey()))
	return r
}

// Proposals returns the runs that wait for votes.
func (s *State) Proposals() []RunName {
	r, _ := decode[runList](s.tree.get([]byte(proposalsKey)))
	return r.Runs
}

// encode returns a record's canonical bytes.
func encode[T any](record T) []byte {
	data, err := block.Encode(record)
	if err != nil {
		panic(fmt.Sprintf("ledger: own record does not encode: %v", err))
	}
	return data
}

// decode reads a record of the state. Its arguments are those that get returns.
func decode[T any](data []byte, found bool) (record T, ok bool) {
	if !found {
		return record, false
	}
	if err := block.Decode(data, &record); err != nil {
		panic(fmt.Sprintf("ledger: own record does not decode: %v", err)) // Load and Apply let none in
	}
	return record, true
}
