package chain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/types"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
)

// sign returns a transaction of an account that expires late.
func sign(t testing.TB, net protocol.Net, who string, nonce uint64, body ledger.Body) []byte {
	t.Helper()
	tx, err := ledger.Sign(key(who), net, ledger.Tx{Nonce: nonce, ExpHeight: 1000, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// A proposal is never larger than CometBFT takes, however full the mempool is and
// whatever this validator votes. CometBFT refuses a larger one and asks again for ever.
// The vote comes first.
func TestProposalFits(t *testing.T) {
	const proposals = 20
	home, net := initHome(t)
	c := quick(home)
	c.Approve = nil // so that the proposals stay open
	n, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	waitFor(t, "height", func() bool { return n.State() != nil && n.State().Height() > 1 })
	judge := &approver{verdicts: map[ledger.RunName]verdict{}}
	for i := range proposals {
		body := propose(fmt.Sprint("run", i))
		submit(t, n.RPC(), net, fmt.Sprint("proposer", i), body, 0)
		judge.verdicts[ledger.RunName{Run: body.Run, Coordinator: protocol.AccountOf(key(fmt.Sprint("proposer", i)))}] = verdict{plan: body.Plan, yes: true}
	}
	waitFor(t, "proposals", func() bool { return len(n.State().Proposals()) == proposals })
	a := &app{net: net, parsed: newParsedTxs(net), voter: key("validator"), judge: judge, states: []*ledger.State{n.State()}}
	var txs [][]byte
	for i := range 500 {
		txs = append(txs, sign(t, net, fmt.Sprint("mallory", i), 1, propose("x")))
	}
	txs = append(txs, sign(t, net, "mallory", 5000, large(t, net, "mallory")), []byte("nonsense"), nil)
	for _, most := range []int64{100, 1000, 2000, 5000, 20_000, 50_000, 100_000, 1 << 20, 4 << 20} {
		res, err := a.PrepareProposal(t.Context(), &abci.RequestPrepareProposal{Txs: slices.Clone(txs), MaxTxBytes: most})
		if err != nil {
			t.Fatal(err)
		}
		if err := types.ToTxs(res.Txs).Validate(most); err != nil {
			t.Errorf("%d bytes: %v", most, err)
		}
		if len(res.Txs) == 0 {
			if most > 2000 {
				t.Errorf("%d bytes: nothing is proposed", most)
			}
			continue
		}
		if tx, err := a.parsed.parse(res.Txs[0]); err != nil || tx.Body.Kind() != ledger.KindRunVote {
			t.Errorf("%d bytes: the first transaction is not the vote: %v", most, err)
		}
		if p, err := a.ProcessProposal(t.Context(), &abci.RequestProcessProposal{Txs: res.Txs}); err != nil || p.Status != abci.ResponseProcessProposal_ACCEPT {
			t.Errorf("%d bytes: the own proposal is refused: %v", most, err)
		}
	}
}

// paid returns a transaction with a fee.
func paid(t testing.TB, net protocol.Net, who string, nonce uint64, body ledger.Body) []byte {
	t.Helper()
	tx, err := ledger.Sign(key(who), net, ledger.Tx{Nonce: nonce, Fee: 1, ExpHeight: 1000, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// A validator refuses what an honest one would not propose, and takes the rest.
func TestProcessRefuses(t *testing.T) {
	n := quickNode(t)
	net := n.State().Net()
	good := sign(t, net, "mallory", 1, propose("x"))
	var many [][]byte
	claim := large(t, net, "x")
	for size := int64(0); size <= ledger.MaxBlock*3/4; size += int64(len(many[0])) { // what claims may fill
		many = append(many, paid(t, net, "mallory", uint64(len(many)+1), claim))
	}
	other := sign(t, protocol.Net{1}, "mallory", 1, propose("x"))
	for name, c := range map[string]struct {
		txs  [][]byte
		want abci.ResponseProcessProposal_ProposalStatus
	}{
		"empty":           {nil, abci.ResponseProcessProposal_ACCEPT},
		"good":            {[][]byte{good}, abci.ResponseProcessProposal_ACCEPT},
		"nonsense":        {[][]byte{good, []byte("nonsense")}, abci.ResponseProcessProposal_REJECT},
		"another network": {[][]byte{other}, abci.ResponseProcessProposal_REJECT},
		"a bit flipped":   {[][]byte{append(bytes.Clone(good[:len(good)-1]), good[len(good)-1]^1)}, abci.ResponseProcessProposal_REJECT},
		"two free":        {[][]byte{good, sign(t, net, "mallory", 2, propose("y"))}, abci.ResponseProcessProposal_REJECT},
		"large":           {many, abci.ResponseProcessProposal_REJECT},
		"nearly large":    {many[:len(many)-2], abci.ResponseProcessProposal_ACCEPT},
	} {
		r, err := n.app.ProcessProposal(t.Context(), &abci.RequestProcessProposal{Txs: c.txs})
		if err != nil || r.Status != c.want {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
}

// A mempool that is full of large transactions, and of proposals that this validator
// votes on, does not stop the chain. How many of an account wait: see TestWaitingCount.
func TestFullMempool(t *testing.T) {
	home, _ := initHome(t)
	path := filepath.Join(home, "config", "genesis.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	small := bytes.Replace(data, []byte(`"max_bytes": "4194304"`), []byte(`"max_bytes": "2097152"`), 1) // for a short test
	if bytes.Equal(small, data) {
		t.Fatal("the genesis document has no max_bytes of 4 MiB")
	}
	if err := os.WriteFile(path, small, 0o600); err != nil {
		t.Fatal(err)
	}
	net, c := Net(small), quick(home)
	c.BlockInterval = 500 * time.Millisecond
	n, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	send := func(tx []byte) string {
		body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "broadcast_tx_sync", "params": map[string]any{"tx": tx}})
		if err != nil {
			t.Fatal(err)
		}
		_, answer := post(t, n, string(body))
		return string(answer)
	}
	taken := func(tx []byte) bool { return strings.Contains(send(tx), `"code":0`) }

	// Each account has a run, so that it may send large transactions.
	const accounts = 4
	name := func(i int) string { return fmt.Sprint("mallory", i) }
	waitFor(t, "height", func() bool { return n.State() != nil && n.State().Height() > 0 })
	for i := range accounts {
		if !taken(sign(t, net, name(i), 1, newRun(name(i), 1, 300).propose())) {
			t.Fatal("a proposal is refused")
		}
	}
	waitFor(t, "runs", func() bool { return status(t, n.RPC(), name(accounts-1), name(accounts-1)) == ledger.Approved })

	// In one height: as many large transactions as each account may have, and proposals
	// that this validator votes on while the large ones still wait.
	var burst [][]byte
	for i := range accounts {
		for k := range 2 * maxAccountWaiting {
			burst = append(burst, sign(t, net, name(i), uint64(k+2), large(t, net, name(i))))
		}
	}
	var votes [][]byte
	for i := range 100 {
		votes = append(votes, sign(t, net, fmt.Sprint("voted", i), 1, propose(fmt.Sprint("voted", i))))
	}
	h := n.State().Height()
	waitFor(t, "next height", func() bool { return n.State().Height() > h })
	for _, tx := range votes {
		if !taken(tx) {
			t.Fatal("a proposal is refused")
		}
	}
	for _, tx := range burst {
		send(tx) // taken, or refused when too many of its account wait
	}
	h = n.State().Height()
	waitFor(t, "votes on all proposals", func() bool { return status(t, n.RPC(), "voted99", "voted99") == ledger.Approved })
	waitFor(t, "two more heights", func() bool { return n.State().Height() > h+2 })
	waitFor(t, "room for the account", func() bool {
		return taken(sign(t, net, name(0), uint64(time.Now().UnixNano()), propose(fmt.Sprint(time.Now()))))
	})
}

// The count of waiting transactions follows the mempool: a height takes them out, and
// CometBFT checks the others again.
func TestWaitingCount(t *testing.T) {
	n := quickNode(t)
	net := n.State().Net()
	a := &app{net: net, parsed: newParsedTxs(net), states: n.app.states, room: n.app.room, waiting: map[protocol.Account]int{}}
	check := func(nonce int, typ abci.CheckTxType) ledger.Code {
		t.Helper()
		r, err := a.CheckTx(t.Context(), &abci.RequestCheckTx{Tx: sign(t, net, "mallory", uint64(nonce), propose(fmt.Sprint(nonce))), Type: typ})
		if err != nil {
			t.Fatal(err)
		}
		return ledger.Code(r.Code)
	}
	fill := func(from, want int) {
		t.Helper()
		got := 0
		for i := range 2 * maxAccountWaiting {
			if check(from+i, abci.CheckTxType_New) == ledger.OK {
				got++
			}
		}
		if got != want {
			t.Errorf("%d transactions wait, want %d", got, want)
		}
	}
	fill(1, maxAccountWaiting)
	clear(a.waiting) // as Commit does
	for i := range 10 {
		if code := check(i+1, abci.CheckTxType_Recheck); code != ledger.OK {
			t.Errorf("checked again: %v", code)
		}
	}
	fill(100, maxAccountWaiting-10)
	if code := check(1000, abci.CheckTxType_Recheck); code != ledger.OK {
		t.Errorf("a transaction that waits already: %v", code)
	}
}

// Many accounts that claim one slot for nothing do not fill the mempool. A fee is not in
// the way, and neither is another slot.
func TestWaitingOfOneSlot(t *testing.T) {
	a := newApp(t, Config{})
	claim := func(who, slot int, fee uint64) *ledger.Tx {
		body := ledger.JobClaim{Units: ledger.List[ledger.JobWork]{{Slot: protocol.Slot{Index: uint32(slot)}}}}
		return &ledger.Tx{Account: protocol.AccountOf(key(fmt.Sprint(who))), Fee: fee, Body: body}
	}
	for i := range 2 * maxSlotWaiting {
		if got := a.wait(claim(i, 1, 0), true); got != (i < maxSlotWaiting) {
			t.Errorf("claim %d of a slot: %v", i, got)
		}
	}
	if !a.wait(claim(1, 1, 0), false) || !a.wait(claim(100, 1, 1), true) || !a.wait(claim(101, 2, 0), true) {
		t.Error("a claim that waits already, one with a fee, or one of another slot is refused")
	}
	heights(t, a, 1)
	if !a.wait(claim(102, 1, 0), true) {
		t.Error("the count does not begin anew with a height")
	}
}

// What no height has room for does not enter the mempool: CometBFT proposes what has waited
// longest, as much as fits into a height, and would propose nothing else.
func TestTooLargeForAHeight(t *testing.T) {
	a := newApp(t, Config{})
	if got, most := heightRoom(ledger.MaxBlock), int64(ledger.MaxBlock); got >= most || got < most*9/10 {
		t.Fatalf("a height of %d bytes has room for %d", most, got)
	}
	heights(t, a, 1)
	me := a.latest().Account(protocol.AccountOf(key("alice")))
	check := func(room int64) ledger.Code {
		t.Helper()
		a.room = room
		tx := sign(t, a.net, "alice", me.Nonce+1, propose("another run"))
		r, err := a.CheckTx(t.Context(), &abci.RequestCheckTx{Tx: tx})
		if err != nil {
			t.Fatal(err)
		}
		return ledger.Code(r.Code)
	}
	size := int64(len(sign(t, a.net, "alice", me.Nonce+1, propose("another run"))))
	if got := check(4 * (size + 8)); got != ledger.OK {
		t.Errorf("with room: %v", got)
	}
	if got := check(4 * size); got != ledger.FeeTooLow { // free ones have a quarter of the room
		t.Errorf("without room: %v", got)
	}
}
