package chain

import (
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/alia-network/alia/ledger"
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

// Bytes that are not a transaction enter neither the mempool nor a proposal nor a
// height.
func TestRefusesNonsense(t *testing.T) {
	home, net := initHome(t)
	n, err := Start(t.Context(), quick(home))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	good, err := ledger.Sign(key("alice"), net, ledger.Tx{
		Nonce: 1, ExpHeight: 1000, Body: ledger.RunPropose{Run: link("run"), Budget: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	bad := []byte("nonsense")
	if r, err := n.app.CheckTx(t.Context(), &abci.RequestCheckTx{Tx: bad}); err != nil || r.Code != uint32(ledger.Malformed) {
		t.Errorf("check: %v, %v", r, err)
	}
	prepared, err := n.app.PrepareProposal(t.Context(), &abci.RequestPrepareProposal{Txs: [][]byte{bad, good}, MaxTxBytes: 1 << 20})
	if err != nil || len(prepared.Txs) != 1 || string(prepared.Txs[0]) != string(good) {
		t.Errorf("prepared %q, %v", prepared, err)
	}
	prepared, err = n.app.PrepareProposal(t.Context(), &abci.RequestPrepareProposal{Txs: [][]byte{good}, MaxTxBytes: int64(len(good)) - 1})
	if err != nil || len(prepared.Txs) != 0 {
		t.Errorf("prepared %d transactions where none fits, %v", len(prepared.Txs), err)
	}
	for _, c := range []struct {
		tx   []byte
		want abci.ResponseProcessProposal_ProposalStatus
	}{{good, abci.ResponseProcessProposal_ACCEPT}, {bad, abci.ResponseProcessProposal_REJECT}} {
		r, err := n.app.ProcessProposal(t.Context(), &abci.RequestProcessProposal{Txs: [][]byte{c.tx}})
		if err != nil || r.Status != c.want {
			t.Errorf("proposal of %q: %v, %v", c.tx, r, err)
		}
	}
	for _, req := range []*abci.RequestQuery{{Path: "nothing"}, {Path: "supply", Height: 1 << 40}} {
		if r, err := n.app.Query(t.Context(), req); err != nil || r.Code == 0 {
			t.Errorf("query %v: %v, %v", req, r, err)
		}
	}
}
