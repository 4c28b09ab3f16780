// Package ledger is the rules of the token as one pure function: accounts,
// training runs and their rounds, escrows, settlement of work, mint and supply.
//
// A [State] is the whole ledger after one height. [State.Apply] takes the
// transactions of the next height and returns the next state, the result of each
// transaction and the keys that changed. The old state stays as it was. The
// package has no clock, no randomness and no storage: package ledger/chain puts
// the function behind CometBFT, and package ledger/light reads states with proofs.
//
// Every token comes from work. The ledger settles a unit of work for two
// signatures: the miner's attestation, and the accept of the run's coordinator or
// the job's customer. A unit settles once, however often a transaction is sent.
//
//   - A unit of training mints at the rate of the [Schedule], which the height
//     before has published. The validators must have approved the run, and its
//     budget bounds the mint.
//   - A unit of translation is paid from the customer's [Escrow]: 85 % go to the
//     miner, 5 % to the audit pool, and 10 % are burned. At most half of the burned
//     amount is minted for the miner, so that buying one's own work loses money.
//
// A new state and one height:
//
//	state, err := ledger.New(net, genesis)
//	tx, err := ledger.ParseTx(data, net) // checks size, shape and signatures
//	next, results, changes, err := state.Apply(state.Height()+1, []*ledger.Tx{tx})
//	proof := next.Prove(ledger.UnitKey(unit)) // leads to next.AppHash()
//
// A state maps keys (see the Key functions) to canonical records. The keys lie in
// 65,536 buckets, which are the leaves of a Merkle tree.
package ledger

import (
	"errors"
	"fmt"

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
	}
	changes := []Change{
		{GenesisKey(), encode(g)},
		{ScheduleKey(1), encode(schedule)},
		{SupplyKey(), encode(Supply{Version: 1})},
	}
	return &State{net: net, genesis: g, tree: emptyTree.update(changes)}, nil
}

// Load returns the state of a height from all its keys and records, as
// [State.Pairs] returned them. It checks every record and the books. The caller
// compares AppHash with the root it trusts.
func Load(net protocol.Net, height uint64, pairs []KeyValue) (*State, error) {
	changes := make([]Change, len(pairs))
	for i, p := range pairs {
		changes[i] = Change(p)
	}
	s := &State{net: net, height: height, tree: emptyTree.update(changes)}
	data, ok := s.tree.get(GenesisKey())
	if !ok {
		return nil, errors.New("load ledger state: no genesis in it")
	}
	if err := block.Decode(data, &s.genesis); err != nil {
		return nil, fmt.Errorf("load ledger state: genesis: %w", err)
	}
	if _, err := s.Audit(); err != nil {
		return nil, fmt.Errorf("load ledger state: %w", err)
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

// Get returns the record under a key, which the caller must not change.
func (s *State) Get(key []byte) (value []byte, ok bool) { return s.tree.get(key) }

// Prove returns a proof of a key's record, or of its absence, under AppHash.
func (s *State) Prove(key []byte) Proof { return s.tree.prove(key) }

// Pairs returns all keys that start with prefix, with their records, sorted by key.
func (s *State) Pairs(prefix []byte) []KeyValue { return s.tree.pairs(prefix) }

// Account returns an account's record. An account that was never written has no
// balance.
func (s *State) Account(a protocol.Account) AccountState {
	r, ok := decode[AccountState](s.tree.get(AccountKey(a)))
	if !ok {
		r.Version = 1
	}
	return r
}

// Run returns a run's record.
func (s *State) Run(run block.Link) (RunState, bool) {
	return decode[RunState](s.tree.get(RunKey(run)))
}

// Escrow returns the escrow of a customer for a job.
func (s *State) Escrow(job block.Link, customer protocol.Account) (Escrow, bool) {
	return decode[Escrow](s.tree.get(EscrowKey(job, customer)))
}

// Settlement returns how a unit was settled.
func (s *State) Settlement(unit block.Link) (Settlement, bool) {
	return decode[Settlement](s.tree.get(UnitKey(unit)))
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

// Proposals returns the runs that still await votes.
func (s *State) Proposals() []block.Link {
	r, _ := decode[proposals](s.tree.get([]byte(proposalsKey)))
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
