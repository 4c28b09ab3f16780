package chain

import (
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
)

// An error that no height can follow ends Wait, so that the process can stop
// instead of answering from a ledger that stands still.
func TestFailureHalts(t *testing.T) {
	home, _ := initHome(t)
	n, err := Start(t.Context(), quick(home))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if _, err := n.app.FinalizeBlock(t.Context(), &abci.RequestFinalizeBlock{Height: 1 << 40}); err == nil {
		t.Fatal("a height that does not follow is made")
	}
	if err := n.Wait(); err == nil {
		t.Error("Wait returned no error")
	}
}

// Bytes that are not a transaction do not enter the mempool, and queries for nothing
// are refused.
func TestRefusesNonsense(t *testing.T) {
	n := quickNode(t)
	bad := []byte("nonsense")
	if r, err := n.app.CheckTx(t.Context(), &abci.RequestCheckTx{Tx: bad}); err != nil || r.Code != uint32(ledger.Malformed) {
		t.Errorf("check: %v, %v", r, err)
	}
	for _, req := range []*abci.RequestQuery{{Path: "nothing"}, {Path: "supply", Height: 1 << 40}} {
		if r, err := n.app.Query(t.Context(), req); err != nil || r.Code == 0 {
			t.Errorf("query %v: %v, %v", req, r, err)
		}
	}
}

// CometBFT checks the waiting transactions again while a node stops, and it panics when a
// check fails. A node that is closed refuses them, and does not call its closed store damaged.
func TestCheckAfterClose(t *testing.T) {
	a := newApp(t, Config{})
	heights(t, a, 1)
	tx := sign(t, a.net, "alice", a.latest().Account(protocol.AccountOf(key("alice"))).Nonce+1, propose("another run"))
	for _, want := range []ledger.Code{ledger.OK, ledger.Busy} {
		r, err := a.CheckTx(t.Context(), &abci.RequestCheckTx{Tx: tx, Type: abci.CheckTxType_Recheck})
		if err != nil || ledger.Code(r.Code) != want {
			t.Fatalf("check: %v, %v, want %v", r, err, want)
		}
		if err := a.close(); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-a.failed:
		t.Errorf("a node that was closed says %v", err)
	default:
	}
}
