package chain

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/config"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

const (
	// codespace marks our codes in CometBFT's answers.
	codespace = "alia"
	// keepStates is how many heights answer queries.
	keepStates = 16
	// keepBlocks is the number of heights whose transactions CometBFT keeps. It is
	// not less than the age up to which evidence of double signing counts.
	keepBlocks = 100_000
	// voteHorizon is how many heights an automatic vote stays valid.
	voteHorizon = 10
)

// app is the ABCI application: it passes CometBFT's calls to the state. CometBFT
// makes the consensus calls one after another. Queries and checks run at the same
// time and see only committed states.
type app struct {
	abci.BaseApplication
	net    protocol.Net
	store  *store
	parsed *parsedTxs
	voter  ed25519.PrivateKey // votes yes on every proposed run; nil votes on none
	failed chan error         // the first error that halts the chain

	// next and changes come from FinalizeBlock, for the Commit that follows.
	next    *ledger.State
	changes []ledger.Change

	mu     sync.Mutex // guards states
	states []*ledger.State
}

func openApp(cfg *config.Config, net protocol.Net) (*app, error) {
	s, err := openStore(cfg.DBDir(), net)
	if err != nil {
		return nil, err
	}
	a := &app{net: net, store: s, parsed: newParsedTxs(net), failed: make(chan error, 1)}
	state, err := s.load(net)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	if state != nil {
		a.states = []*ledger.State{state}
	}
	return a, nil
}

func (a *app) close() error { return a.store.close() }

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

// InitChain makes the state of height 0.
func (a *app) InitChain(_ context.Context, req *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	g, err := ledger.ParseGenesis(req.AppStateBytes)
	if err != nil {
		return nil, err
	}
	s, err := ledger.New(a.net, g)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.states = []*ledger.State{s}
	a.mu.Unlock()
	return &abci.ResponseInitChain{AppHash: s.AppHash()}, nil
}

// CheckTx says whether a transaction may wait in the mempool.
func (a *app) CheckTx(_ context.Context, req *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	tx, err := a.parsed.parse(req.Tx)
	if err != nil {
		var code ledger.Code
		errors.As(err, &code)
		return &abci.ResponseCheckTx{Code: uint32(code), Log: err.Error(), Codespace: codespace}, nil
	}
	r := a.latest().Check(tx)
	return &abci.ResponseCheckTx{Code: uint32(r.Code), Log: r.Detail, Data: r.Data(), Codespace: codespace}, nil
}

// PrepareProposal proposes this validator's own votes and then the transactions of
// the mempool, up to the size of a height.
func (a *app) PrepareProposal(_ context.Context, req *abci.RequestPrepareProposal) (*abci.ResponsePrepareProposal, error) {
	votes, err := a.votes()
	if err != nil {
		return nil, err
	}
	var chosen [][]byte
	var size int64
	for _, tx := range append(votes, req.Txs...) {
		if _, err := a.parsed.parse(tx); err != nil {
			continue
		}
		if size += int64(len(tx)); size > req.MaxTxBytes {
			break
		}
		chosen = append(chosen, tx)
	}
	return &abci.ResponsePrepareProposal{Txs: chosen}, nil
}

// votes returns the voter's yes for each proposed run that it has not voted on.
func (a *app) votes() ([][]byte, error) {
	if a.voter == nil {
		return nil, nil
	}
	s := a.latest()
	me := protocol.AccountOf(a.voter)
	nonce := s.Account(me).Nonce
	var votes [][]byte
	for _, id := range s.Proposals() {
		run, _ := s.Run(id)
		if run.Voted(me) {
			continue
		}
		nonce++
		vote, err := ledger.Sign(a.voter, a.net, ledger.Tx{
			Nonce: nonce, ExpHeight: s.Height() + voteHorizon, Body: ledger.RunVote{Run: id, Yes: true},
		})
		if err != nil {
			return nil, err
		}
		votes = append(votes, vote)
	}
	return votes, nil
}

// ProcessProposal refuses a proposal with bytes that are not a transaction.
func (a *app) ProcessProposal(_ context.Context, req *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	for _, tx := range req.Txs {
		if _, err := a.parsed.parse(tx); err != nil {
			return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
		}
	}
	return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}, nil
}

// FinalizeBlock makes the next state, which Commit keeps.
func (a *app) FinalizeBlock(_ context.Context, req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	txs := make([]*ledger.Tx, len(req.Txs))
	for i, data := range req.Txs {
		tx, err := a.parsed.parse(data)
		if err == nil {
			txs[i] = tx
		}
	}
	next, results, changes, err := a.latest().Apply(uint64(req.Height), txs)
	if err != nil {
		return nil, a.halt(err)
	}
	a.next, a.changes = next, changes
	res := &abci.ResponseFinalizeBlock{AppHash: next.AppHash(), TxResults: make([]*abci.ExecTxResult, len(results))}
	for i, r := range results {
		res.TxResults[i] = &abci.ExecTxResult{Code: uint32(r.Code), Data: r.Data(), Log: r.Detail, Codespace: codespace}
	}
	return res, nil
}

// Commit writes the state of the height to disk.
func (a *app) Commit(context.Context, *abci.RequestCommit) (*abci.ResponseCommit, error) {
	changes := a.changes
	if a.next.Height() == 1 { // the genesis state is not on disk yet
		changes = nil
		for _, p := range a.next.Pairs(nil) {
			changes = append(changes, ledger.Change(p))
		}
	}
	if err := a.store.save(a.next, changes); err != nil {
		return nil, a.halt(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
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

// Query answers from a committed state, with a proof.
func (a *app) Query(_ context.Context, req *abci.RequestQuery) (*abci.ResponseQuery, error) {
	s := a.stateAt(req.Height)
	if s == nil {
		return refuseQuery(fmt.Errorf("height %d is not among the last %d heights, which answer queries", req.Height, keepStates)), nil
	}
	if req.Path == "accounts" {
		value, err := block.Encode(s.List(req.Data, ledger.MaxListing))
		if err != nil {
			return refuseQuery(err), nil
		}
		return &abci.ResponseQuery{Height: int64(s.Height()), Value: value}, nil
	}
	key, err := ledger.QueryKey(req.Path, req.Data)
	if err != nil {
		return refuseQuery(err), nil
	}
	value, _ := s.Get(key)
	op := ledger.ProofOperator{Key: key, Proof: s.Prove(key)}.ProofOp()
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
