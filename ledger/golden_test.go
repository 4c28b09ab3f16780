package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
)

// TestGolden compares bytes with those that other versions of this package wrote: of a
// transaction of each kind, and of all records of a history in which every kind is taken.
// A difference splits a network whose nodes run different versions.
func TestGolden(t *testing.T) {
	w := newWorld(t, LocalParams())
	kinds := sha256.New()
	for _, body := range bodies(w) {
		kinds.Write(w.signTx("alice", Tx{Fee: 5, ExpHeight: 10, Body: body}))
	}
	w = newWorld(t, LocalParams())
	results, records := sha256.New(), sha256.New()
	taken := map[TxKind]bool{}
	height := func(txs ...*Tx) {
		next, out, changes, err := w.state.Apply(Block{Height: w.state.height + 1, Txs: txs})
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range out {
			taken[txs[i].Body.Kind()] = taken[txs[i].Body.Kind()] || r.Code == OK
			fmt.Fprintln(results, next.height, r.Code)
		}
		for _, c := range changes {
			fmt.Fprintf(records, "%d %x %x\n", next.height, c.Key, c.Value)
		}
		w.state = next
	}
	play := func(who string, body Body) { height(w.tx(who, body)) }
	wait := func(n uint64) {
		for range n {
			height()
		}
	}
	history(w, play, wait)
	for kind := range kindRows { // order-free: each is checked alone
		if !taken[kind] {
			t.Errorf("the history takes no transaction of kind %d", kind)
		}
	}
	for _, c := range []struct {
		what string
		got  []byte
		want string
	}{
		{"transactions", kinds.Sum(nil), "a687bd9029884d9cf45a6b8f03644649c137a6f45bff09c298bef1cea6a77ea8"},
		{"results", results.Sum(nil), "41bda56e2d3b8a6538f89283bfe2116a07aa580721c933c7756a25e813d49441"},
		{"records", records.Sum(nil), "d45ac2f603a17811dc7076910e1872ef794391922519818ce704c818bd2c3cdb"},
		{"app hash", w.state.AppHash(), "8c68232eeff87157ee67808b81575929a88a07919edf5df22f74d3c21d20203d"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

// history has a transaction of every kind that is taken, and some that are refused.
func history(w *world, play func(who string, body Body), wait func(heights uint64)) {
	w.Helper()
	r := &testRun{plan: newPlan("p", []uint64{1_000_000, 2_000_000}, []uint64{500, 0}, []uint64{700}), w: w, id: link("run"), coordinator: "coordinator"}
	play("coordinator", r.propose())
	play("validator", r.vote(true))
	play("coordinator", r.claim(0, "miner", "coordinator"))
	play("miner 2", r.unitClaim(1, 0, "miner 2"))
	wait(6)
	play("miner", Transfer{To: acct("customer"), Amount: 50_000_000, Memo: "for a translation"})
	play("miner", Transfer{To: acct("customer"), Amount: 1 << 60})
	play("miner", Lock{Amount: 10_000_000})
	play("miner", Unlock{Amount: 1_000_000})
	play("miner", SetPayout{To: acct("safe")})
	j := w.newJob("customer", "j", 4000, 5000)
	play("customer", j.open(10_000_000, 200_000))
	play("miner", j.claim(j.work(0, "miner", 3000), j.work(1, "miner", 5000)))
	play("customer", EscrowTopUp{Job: j.id, Amount: 7, Deadline: j.escrow().Deadline})
	play("validator", ValidatorVote{Account: acct("miner"), Admit: true})
	play("miner", ValidatorVote{Account: acct("miner")})
	wait(20)
	play("coordinator", Heartbeat{Run: r.id})
	play("customer", EscrowClose{Job: j.id})
	play("customer", Rotate{To: acct("customer 2")})
	wait(minSilence + 1)
	play("miner", RunTake{Run: r.id, Coordinator: acct("coordinator")})
	r.coordinator = "miner"
	play("miner", Claim{Run: r.id, Rounds: List[RoundClaim]{r.round(1, "miner"), r.round(2, "miner")}})
	play("miner", RunEnd{Run: r.id})
	wait(7)
}
