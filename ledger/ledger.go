// Package ledger is the token rules as one pure function: accounts, training
// runs and their rounds, escrow, settlement of work, minting and supply.
//
// A [State] is what the ledger knows after a height. [State.Apply] takes the
// transactions of the next height and returns the next state, what became of
// each transaction and the keys that changed; the old state stays as it was.
// There is no clock, no randomness and no storage here: ledger/chain puts the
// function behind CometBFT, ledger/light reads its results with proofs.
//
// Tokens come from work only. A unit of work settles with two signatures: its
// miner's attestation and the accept of whoever asked for it. Training mints
// at the rate of the [Schedule], which the height before has published, if the
// run was approved by the validators and is within its budget. Translation is
// paid from the customer's [Escrow]: 85 % to the miner, 5 % to the audit pool,
// 10 % burned, and at most half of what is burned is minted for the miner, so
// that buying one's own work loses. A unit settles once, whatever is replayed.
//
//	state, err := ledger.New(net, genesis)
//	tx, err := ledger.ParseTx(data, net)     // size, shape, signatures
//	next, results, changes, err := state.Apply(state.Height()+1, []*ledger.Tx{tx})
//	proof := next.Prove(ledger.UnitKey(unit)) // under next.AppHash()
//
// The state is a sorted map of keys (see the Key functions) to canonical
// records, in 65,536 buckets under a Merkle tree.
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
		Costs:       g.Params.Costs,
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

// Load returns the state of a height from all its pairs, as [State.Pairs] gave
// them. It checks every record and the books; the root is the caller's to
// compare.
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

// Net returns the network the state is of.
func (s *State) Net() protocol.Net { return s.net }

// Genesis returns what the network started with.
func (s *State) Genesis() Genesis { return s.genesis }

// Height returns the height after which this is the state.
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

// Pairs returns all keys that start with prefix and their records, sorted.
func (s *State) Pairs(prefix []byte) []KeyValue { return s.tree.pairs(prefix) }

// Account returns an account's record, zero for one that was never written.
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

// Schedule returns what the block of a height pays: published for every height
// up to Height()+1, and kept for a day's heights.
func (s *State) Schedule(height uint64) (Schedule, bool) {
	return decode[Schedule](s.tree.get(ScheduleKey(height)))
}

// Supply returns the books.
func (s *State) Supply() Supply {
	r, _ := decode[Supply](s.tree.get(SupplyKey()))
	return r
}

// Proposals returns the runs on which validators have still to vote.
func (s *State) Proposals() []block.Link {
	r, _ := decode[proposals](s.tree.get(proposalsKey))
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

// decode reads a record of the state, given as the state's get returns it.
func decode[T any](data []byte, found bool) (record T, ok bool) {
	if !found {
		return record, false
	}
	if err := block.Decode(data, &record); err != nil {
		panic(fmt.Sprintf("ledger: own record does not decode: %v", err)) // Load and Apply let none in
	}
	return record, true
}
