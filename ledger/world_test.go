package ledger

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// testNet is the network of this package's tests.
var testNet = protocol.Net(sha256.Sum256([]byte("test")))

func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func acct(name string) protocol.Account { return protocol.AccountOf(key(name)) }

func link(name string) block.Link { return block.Link{Cid: block.Sum(block.CBOR, []byte(name))} }

// tester is what testing.T, testing.F and rapid.T have in common.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

// world drives a state through heights. Accounts are named; validator is the
// only validator.
type world struct {
	tester
	state *State
	nonce uint64
}

func newWorld(t tester, params Params) *world {
	t.Helper()
	g := Genesis{Version: 1, Network: "test", Params: params, Validators: []protocol.Account{acct("validator")}}
	s, err := New(testNet, g)
	if err != nil {
		t.Fatal(err)
	}
	return &world{tester: t, state: s}
}

// sign returns a transaction's bytes, with a new nonce.
func (w *world) sign(who string, body Body) []byte {
	w.Helper()
	w.nonce++
	data, err := Sign(key(who), testNet, Tx{Nonce: w.nonce, ExpHeight: w.state.height + 10, Body: body})
	if err != nil {
		w.Fatal(err)
	}
	return data
}

func (w *world) parse(data []byte) *Tx {
	w.Helper()
	tx, err := ParseTx(data, testNet)
	if err != nil {
		w.Fatal(err)
	}
	return tx
}

// apply makes the next height of the transactions, and audits it.
func (w *world) apply(txs ...*Tx) []TxResult {
	w.Helper()
	next, results, _, err := w.state.Apply(w.state.height+1, txs)
	if err != nil {
		w.Fatal(err)
	}
	if _, err := next.Audit(); err != nil {
		w.Fatal(err)
	}
	w.state = next
	return results
}

// do applies one transaction in a height of its own.
func (w *world) do(who string, body Body) TxResult {
	w.Helper()
	return w.apply(w.parse(w.sign(who, body)))[0]
}

// must is do for a transaction that is to be taken.
func (w *world) must(who string, body Body) {
	w.Helper()
	if r := w.do(who, body); r.Code != OK {
		w.Fatalf("%T of %s: %s", body, who, r.Detail)
	}
}

// want is do for one that is to be refused.
func (w *world) want(code Code, who string, body Body) {
	w.Helper()
	before := w.state
	if r := w.do(who, body); r.Code != code {
		w.Errorf("%T of %s: %v (%s), want %v", body, who, r.Code, r.Detail, code)
	}
	if a, b := before.Account(acct(who)), w.state.Account(acct(who)); a != b {
		w.Errorf("%T of %s was refused but left %+v of %+v", body, who, b, a)
	}
}

// approve has the coordinator propose a run and the validator approve it.
func (w *world) approve(coordinator string, run block.Link, budget uint64) {
	w.Helper()
	w.must(coordinator, RunPropose{Run: run, Budget: budget})
	w.must("validator", RunVote{Run: run, Yes: true})
}

// earn gives an account tokens the only way there is.
func (w *world) earn(who string, cost uint64) {
	w.Helper()
	w.nonce++
	run := link(fmt.Sprint("run for ", who, w.nonce))
	w.approve("coordinator", run, cost)
	w.must("relay", Settle{Entries: []SettleEntry{w.entry(who, "coordinator", run, link(fmt.Sprint("unit", w.nonce)), cost)}})
}

// entry is a unit, attested by its miner and accepted.
func (w *world) entry(miner, accepter string, work, unit block.Link, cost uint64) SettleEntry {
	w.Helper()
	e := SettleEntry{
		Attestation: protocol.Attestation{Work: work, Unit: unit, Result: link("result"), Cost: cost},
		Accept:      protocol.Accept{Work: work, Unit: unit, Miner: acct(miner), Result: link("result"), Cost: cost},
	}
	w.resign(&e, miner, accepter)
	return e
}

// resign signs both records of an entry.
func (w *world) resign(e *SettleEntry, miner, accepter string) {
	w.Helper()
	if _, err := protocol.Sign(key(miner), testNet, &e.Attestation); err != nil {
		w.Fatal(err)
	}
	if _, err := protocol.Sign(key(accepter), testNet, &e.Accept); err != nil {
		w.Fatal(err)
	}
}
