package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// TestGolden plays one fixed history and compares its bytes with those that
// other versions of this package wrote: the transactions, their results and
// the root of the state. A difference splits a network whose nodes run
// different versions.
func TestGolden(t *testing.T) {
	w := newWorld(t, DefaultParams())
	txs, results := sha256.New(), sha256.New()
	play := func(who string, body Body) {
		data := w.sign(who, body)
		txs.Write(data)
		for _, r := range w.apply(w.parse(data)) {
			results.Write(append([]byte{byte(r.Code)}, r.Data()...))
		}
	}
	run, job := link("run"), link("job")
	play("coordinator", RunPropose{Run: run, Budget: 10_000_000})
	play("validator", RunVote{Run: run, Yes: true})
	play("coordinator", RoundCommit{Run: run, Rounds: []RoundRoots{{Params: link("params"), Log: link("log")}}})
	play("relay", Settle{Entries: []SettleEntry{w.entry("miner", "coordinator", run, link("unit"), 1_000_000)}})
	play("miner", Transfer{To: acct("customer"), Amount: 50_000_000, Memo: "for a translation"})
	play("customer", EscrowOpen{Job: job, Amount: 10_000_000, Price: 200_000, Deadline: w.state.height + 3})
	play("relay", Settle{Entries: []SettleEntry{
		w.entry("miner", "customer", job, link("sentences"), 4000),
		w.entry("miner", "customer", job, link("sentences"), 4000),
	}})
	play("customer", EscrowClose{Job: job})
	w.apply()
	play("customer", EscrowClose{Job: job})
	for _, c := range []struct {
		what string
		got  []byte
		want string
	}{
		{"transactions", txs.Sum(nil), "b57acc8d1df080b915c3c81a1062e02068688d33e79dad87c585e01296180236"},
		{"results", results.Sum(nil), "e2a40ae4a253efb211142049e50d04d34cc05e493d4fad772057925ecdc7bb21"},
		{"app hash", w.state.AppHash(), "4d1acb55ef72804977c466e8022ec0d26c348e583775a4e0e3078bb80ef43175"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}
