package chain

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	abci "github.com/cometbft/cometbft/abci/types"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	"github.com/cometbft/cometbft/types"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/genesis"
	"github.com/alia-network/alia/protocol"
)

const (
	// codespace marks our codes in CometBFT's answers.
	codespace = "alia"
	// keepStates is how many heights answer queries.
	keepStates = 16
	// keepBlocks is the number of heights whose transactions CometBFT keeps. It is
	// not less than the age up to which evidence of double signing counts.
	keepBlocks = genesis.EvidenceHeights
	// voteHorizon is how many heights an automatic vote stays valid.
	voteHorizon = 10
	// The mempool: the transactions that wait for a height, and their bytes.
	maxWaiting        = 2_000
	maxWaitingBytes   = 4 * ledger.MaxBlock
	maxAccountWaiting = 32 // of one account
	maxSlotWaiting    = 4  // free ones that claim one slot
)

// app is the ABCI application: it passes CometBFT's calls to the state. CometBFT
// makes the consensus calls one after another. Queries and checks run at the same
// time and see only committed states.
type app struct {
	abci.BaseApplication
	net       protocol.Net
	log       *slog.Logger
	parsed    *parsedTxs
	voter     ed25519.PrivateKey // votes on proposed runs as judge finds; nil votes on none
	judge     *approver
	failed    chan error // the first error that halts the chain
	snapshots snapshots
	interval  uint64 // heights between snapshots
	room      int64  // bytes of transactions that every height can have

	// next and changes come from FinalizeBlock, for the Commit that follows.
	next    *ledger.State
	changes []ledger.Change

	// One goroutine at a time exports a snapshot, until life ends.
	life      context.Context
	end       context.CancelFunc
	exporting atomic.Bool
	exports   sync.WaitGroup

	// restoreMu guards the next three, and is held while a chunk of a snapshot is
	// applied. Consensus calls read store without it: CometBFT makes none meanwhile.
	restoreMu sync.Mutex
	restore   *restore // nil when none is under way
	store     *store
	retired   []*store // replaced by a snapshot, and closed at the end

	// checks is held for reading during a check of a transaction. CometBFT v0.40.0 does not
	// wait for the checks that follow a height (state/execution.go, asyncUpdateMempool)
	// when it stops: close does.
	checks sync.RWMutex
	closed bool // guarded by checks

	mu      sync.Mutex // guards the rest
	states  []*ledger.State
	waiting map[protocol.Account]int // transactions in the mempool, by account
	claims  map[ledger.FreePlace]int // free transactions in the mempool, by what they claim
}

func openApp(c Config, net protocol.Net) (*app, error) {
	dir := files(c.Home).DBDir()
	path := filepath.Join(dir, "ledger.db")
	if err := removeUnfinished(path); err != nil {
		return nil, err
	}
	snapshots, err := openSnapshots(filepath.Join(dir, "snapshots"))
	if err != nil {
		return nil, err
	}
	s, err := openStore(path, net)
	if err != nil {
		return nil, err
	}
	state, err := s.load(net)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	a := &app{
		net: net, log: c.Log, store: s, parsed: newParsedTxs(net), failed: make(chan error, 1),
		room: heightRoom(ledger.MaxBlock), snapshots: snapshots, interval: cmp.Or(c.SnapshotInterval, snapshotInterval),
		waiting: make(map[protocol.Account]int), claims: make(map[ledger.FreePlace]int),
	}
	a.life, a.end = context.WithCancel(context.Background())
	if state != nil {
		a.states = []*ledger.State{state}
	}
	return a, nil
}

// close stops what the application does beside consensus, and closes its files.
func (a *app) close() error {
	a.checks.Lock()
	a.closed = true
	a.checks.Unlock()
	a.end()
	a.exports.Wait()
	a.restoreMu.Lock()
	defer a.restoreMu.Unlock()
	err := a.dropRestore()
	for _, s := range append(a.retired, a.store) {
		err = errors.Join(err, s.close())
	}
	return err
}

// latest returns the last committed state, nil before the first InitChain.
func (a *app) latest() *ledger.State {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.states) == 0 {
		return nil
	}
	return a.states[len(a.states)-1]
}

// Info tells CometBFT the application's height, so that CometBFT replays the heights
// after it.
func (a *app) Info(context.Context, *abci.RequestInfo) (*abci.ResponseInfo, error) {
	info := &abci.ResponseInfo{Data: "alia ledger", AppVersion: 1}
	if s := a.latest(); s != nil && s.Height() > 0 {
		info.LastBlockHeight, info.LastBlockAppHash = int64(s.Height()), s.AppHash()
	}
	return info, nil
}

// InitChain makes the state of height 0 and writes it to disk.
func (a *app) InitChain(_ context.Context, req *abci.RequestInitChain) (_ *abci.ResponseInitChain, err error) {
	defer a.guard(&err)
	g, err := ledger.ParseGenesis(req.AppStateBytes)
	if err != nil {
		return nil, err
	}
	s, err := ledger.New(a.net, g)
	if err != nil {
		return nil, err
	}
	if err := a.store.reset(s); err != nil {
		return nil, err
	}
	if s, err = a.store.load(a.net); err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.states = []*ledger.State{s}
	a.mu.Unlock()
	return &abci.ResponseInitChain{AppHash: s.AppHash()}, nil
}

// CheckTx says whether a transaction may wait in the mempool, or may stay there. It never
// returns an error, which would be a panic of CometBFT.
func (a *app) CheckTx(_ context.Context, req *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	a.checks.RLock()
	defer a.checks.RUnlock()
	r, err := a.check(req)
	if err != nil {
		r = ledger.TxResult{Code: ledger.Busy, Detail: err.Error()}
	}
	return &abci.ResponseCheckTx{Code: uint32(r.Code), Log: r.Detail, Codespace: codespace}, nil
}

// check is CheckTx. An error is about this node, and not about the transaction.
func (a *app) check(req *abci.RequestCheckTx) (_ ledger.TxResult, err error) {
	defer a.guard(&err)
	s := a.latest()
	switch {
	case a.closed:
		return ledger.TxResult{}, errors.New("this node is stopping: ask another")
	case s == nil:
		return ledger.TxResult{}, errors.New("this node has no state yet: ask another, or wait")
	}
	tx, err := a.parsed.parse(req.Tx)
	if err != nil {
		var code ledger.Code
		errors.As(err, &code)
		return ledger.TxResult{Code: code, Detail: err.Error()}, nil
	}
	r := s.Check(tx)
	if r.Code == ledger.OK && len(a.fits([][]byte{req.Tx}, a.room)) == 0 {
		r = ledger.TxResult{Code: ledger.TooLarge, Detail: fmt.Sprintf("%d bytes, which no height has room for", len(req.Tx))}
		if tx.Fee == 0 { // with a fee there is more
			r = ledger.TxResult{Code: ledger.FeeTooLow, Detail: fmt.Sprintf("%d bytes, which need a fee", len(req.Tx))}
		}
	}
	if r.Code == ledger.OK && !a.wait(tx, req.Type == abci.CheckTxType_New) {
		r.Code = ledger.Busy
		r.Detail = fmt.Sprintf("%d transactions of the account wait, or %d that claim the same: send the next one after a height",
			maxAccountWaiting, maxSlotWaiting)
	}
	return r, nil
}

// heightRoom is the bytes of transactions that a height of a size always has room for, with
// the most validators and evidence.
func heightRoom(size int64) int64 {
	return types.MaxDataBytes(size, genesis.MaxEvidenceBytes, ledger.MaxValidators)
}

// wait counts a transaction that waits in the mempool. It refuses one that is new when too
// many of the account wait already, or too many free ones that claim the same slot. Commit begins the count
// anew, because CometBFT then checks again every transaction that still waits. A
// transaction that CometBFT itself refuses after this count, because the mempool is
// full, counts until then.
func (a *app) wait(tx *ledger.Tx, isNew bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	slots := tx.FreePlaces()
	slots = slots[min(1, len(slots)):] // without the sender
	full := func(p ledger.FreePlace) bool { return a.claims[p] >= maxSlotWaiting }
	if isNew && (a.waiting[tx.Account] >= maxAccountWaiting || slices.ContainsFunc(slots, full)) {
		return false
	}
	a.waiting[tx.Account]++
	for _, p := range slots {
		a.claims[p]++
	}
	return true
}

// PrepareProposal proposes this validator's own votes and then the transactions of the
// mempool, as far as they fit.
func (a *app) PrepareProposal(_ context.Context, req *abci.RequestPrepareProposal) (_ *abci.ResponsePrepareProposal, err error) {
	defer a.guard(&err)
	votes, err := a.votes()
	if err != nil {
		return nil, err
	}
	return &abci.ResponsePrepareProposal{Txs: a.fits(append(votes, req.Txs...), req.MaxTxBytes)}, nil
}

// fits returns the transactions that a height may have, in the same sequence: those
// that parse, and that the height's lanes have room for. Bytes are as CometBFT counts
// them, with the transactions' heads in protobuf. PrepareProposal proposes nothing else,
// and ProcessProposal accepts nothing else.
func (a *app) fits(txs [][]byte, maxBytes int64) [][]byte {
	var chosen [][]byte
	lanes := ledger.NewLanes(uint64(max(0, maxBytes)))
	for _, data := range txs {
		tx, err := a.parsed.parse(data)
		if err != nil || !lanes.Admit(tx, uint64(types.ComputeProtoSizeForTxs([]types.Tx{data}))) {
			continue
		}
		chosen = append(chosen, data)
	}
	return chosen
}

// votes returns the voter's votes on the proposed runs that were judged, one for each
// height: more would not fit into the free lane.
func (a *app) votes() ([][]byte, error) {
	if a.voter == nil {
		return nil, nil
	}
	s := a.latest()
	me := protocol.AccountOf(a.voter)
	nonce := s.Account(me).Nonce
	var votes [][]byte
	for _, name := range s.Proposals() {
		run, _ := s.Run(name.Run, name.Coordinator)
		v, judged := a.judge.verdict(name)
		if run.Voted(me) || !judged || v.plan != run.Plan {
			continue
		}
		nonce++
		vote, err := ledger.Sign(a.voter, a.net, ledger.Tx{
			Nonce: nonce, ExpHeight: s.Height() + voteHorizon,
			Body: ledger.RunVote{Run: name.Run, Coordinator: name.Coordinator, Plan: run.Plan, Yes: v.yes},
		})
		if err != nil {
			return nil, err
		}
		return append(votes, vote), nil
	}
	return votes, nil
}

// ProcessProposal refuses a proposal that PrepareProposal would not make.
func (a *app) ProcessProposal(_ context.Context, req *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	status := abci.ResponseProcessProposal_ACCEPT
	if len(a.fits(req.Txs, ledger.MaxBlock)) != len(req.Txs) {
		status = abci.ResponseProcessProposal_REJECT
	}
	return &abci.ResponseProcessProposal{Status: status}, nil
}

// FinalizeBlock makes the next state, which Commit keeps.
func (a *app) FinalizeBlock(_ context.Context, req *abci.RequestFinalizeBlock) (_ *abci.ResponseFinalizeBlock, err error) {
	defer a.guard(&err)
	txs := make([]*ledger.Tx, len(req.Txs))
	for i, data := range req.Txs {
		tx, err := a.parsed.parse(data)
		if err == nil {
			txs[i] = tx
		}
	}
	last := a.latest()
	next, results, changes, err := last.Apply(ledger.Block{
		Height: uint64(req.Height), Txs: txs, DoubleSigned: doubleSigned(last.Validators(), req.Misbehavior),
	})
	if err != nil {
		return nil, a.halt(err)
	}
	a.next, a.changes = next, changes
	res := &abci.ResponseFinalizeBlock{
		AppHash: next.AppHash(), TxResults: make([]*abci.ExecTxResult, len(results)),
		ValidatorUpdates: validatorUpdates(last.Validators().Members, next.Validators().Members),
	}
	for i, r := range results {
		res.TxResults[i] = &abci.ExecTxResult{Code: uint32(r.Code), Log: r.Detail, Codespace: codespace}
	}
	return res, nil
}

// doubleSigned returns the accounts of validators that signed two blocks of one height.
// CometBFT names a validator by the first 20 bytes of the SHA-256 of its key.
func doubleSigned(v ledger.ValidatorSet, evidence []abci.Misbehavior) []protocol.Account {
	var accounts []protocol.Account
	for _, e := range evidence {
		for _, m := range v.Punishable() {
			if e.Type == abci.MisbehaviorType_DUPLICATE_VOTE && bytes.Equal(e.Validator.Address, cmted25519.PubKey(m[:]).Address()) {
				accounts = append(accounts, m)
			}
		}
	}
	return accounts
}

// validatorUpdates tells CometBFT who came and who left.
func validatorUpdates(was, is []protocol.Account) []abci.ValidatorUpdate {
	var updates []abci.ValidatorUpdate
	for _, m := range is {
		if !slices.Contains(was, m) {
			updates = append(updates, abci.UpdateValidator(m[:], 1, cmted25519.KeyType))
		}
	}
	for _, m := range was {
		if !slices.Contains(is, m) {
			updates = append(updates, abci.UpdateValidator(m[:], 0, cmted25519.KeyType))
		}
	}
	return updates
}

// Commit writes the state of the height to disk.
func (a *app) Commit(context.Context, *abci.RequestCommit) (*abci.ResponseCommit, error) {
	if err := a.store.save(a.next, a.changes); err != nil {
		return nil, a.halt(err)
	}
	a.next.Saved(a.changes)
	if a.next.Height()%a.interval == 0 {
		a.export(a.next)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.waiting) // see wait
	clear(a.claims)
	a.states = append(a.states, a.next)
	if len(a.states) > keepStates {
		a.states = append(a.states[:0:0], a.states[1:]...)
	}
	return &abci.ResponseCommit{RetainHeight: max(0, int64(a.next.Height())-keepBlocks)}, nil
}

// halt reports an error that ends the chain.
func (a *app) halt(err error) error {
	select {
	case a.failed <- err:
	default:
	}
	return err
}

// guard turns the panic of a state whose records cannot be read into an error that
// halts the chain.
func (a *app) guard(err *error) {
	switch r := recover().(type) {
	case nil:
	case *ledger.DamageError:
		*err = a.halt(r)
	default:
		panic(r)
	}
}

// Query answers from a committed state, with a proof.
func (a *app) Query(_ context.Context, req *abci.RequestQuery) (_ *abci.ResponseQuery, err error) {
	defer a.guard(&err)
	s := a.stateAt(req.Height)
	if s == nil {
		return refuseQuery(fmt.Errorf("height %d is not among the last %d heights, which answer queries", req.Height, keepStates)), nil
	}
	key, err := ledger.QueryKey(req.Path, req.Data)
	if err != nil {
		return refuseQuery(err), nil
	}
	value, _ := s.Get(key)
	op := s.Prove(key).Op(key)
	return &abci.ResponseQuery{
		Height: int64(s.Height()), Key: key, Value: value,
		ProofOps: &cmtcrypto.ProofOps{Ops: []cmtcrypto.ProofOp{op}},
	}, nil
}

func refuseQuery(err error) *abci.ResponseQuery {
	return &abci.ResponseQuery{Code: uint32(ledger.Malformed), Log: err.Error(), Codespace: codespace}
}

// stateAt returns the state of a height, or nil. Height 0 stands for the newest
// height but one, because the newest header carries its root.
func (a *app) stateAt(height int64) *ledger.State {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := len(a.states)
	if height == 0 && n > 0 {
		return a.states[max(0, n-2)]
	}
	for _, s := range a.states {
		if int64(s.Height()) == height {
			return s
		}
	}
	return nil
}
