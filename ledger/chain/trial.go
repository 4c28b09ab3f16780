package chain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/genesis"
)

// Trial is the application of a ledger node without CometBFT, to measure what a height
// costs. Its state can be one that no chain has made.
type Trial struct{ app *app }

// NewTrial opens the application of a home that Init has made, and puts a state on its
// disk in place of the home's own.
func NewTrial(home string, state *ledger.State) (*Trial, error) {
	data, err := os.ReadFile(files(home).GenesisFile())
	if err != nil {
		return nil, fmt.Errorf("trial: %w", err)
	}
	doc, err := genesis.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("trial: %w", err)
	}
	a, err := openApp(Config{Home: home, Log: slog.New(slog.DiscardHandler)}, doc.Net)
	if err != nil {
		return nil, fmt.Errorf("trial: %w", err)
	}
	err = a.store.reset(state)
	if err == nil {
		state, err = a.store.load(doc.Net)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("trial: %w", err), a.close())
	}
	a.states = []*ledger.State{state}
	return &Trial{a}, nil
}

// State returns the state after the last height.
func (t *Trial) State() *ledger.State { return t.app.latest() }

// Height makes the next height of some transactions, and returns the time that the
// application took to apply and to save it. The signatures are checked before, as a node
// checks them when the transactions enter its mempool. A transaction that is refused is an
// error.
func (t *Trial) Height(ctx context.Context, txs [][]byte) (time.Duration, error) {
	for _, tx := range txs {
		if _, err := t.app.parsed.parse(tx); err != nil {
			return 0, fmt.Errorf("trial: %w", err)
		}
	}
	began := time.Now()
	res, err := t.app.FinalizeBlock(ctx, &abci.RequestFinalizeBlock{Height: int64(t.State().Height()) + 1, Txs: txs})
	if err != nil {
		return 0, fmt.Errorf("trial: %w", err)
	}
	if _, err := t.app.Commit(ctx, &abci.RequestCommit{}); err != nil {
		return 0, fmt.Errorf("trial: %w", err)
	}
	took := time.Since(began)
	for i, r := range res.TxResults {
		if r.Code != 0 {
			return 0, fmt.Errorf("trial: transaction %d of height %d: %s", i, t.State().Height(), r.Log)
		}
	}
	return took, nil
}

// Close closes the application's files.
func (t *Trial) Close() error { return t.app.close() }
