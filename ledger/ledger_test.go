package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

const coin = protocol.Coin

func TestTransfer(t *testing.T) {
	w := newWorld(t, DefaultParams())
	w.want(InsufficientFunds, "alice", Transfer{To: acct("bob"), Amount: 1})
	w.earn("alice", 10_000_000) // 10,000 GFLOP: 10 ALIA
	had := w.state.Account(acct("alice")).Balance
	if had < 10*coin {
		t.Fatalf("alice earned %d", had)
	}
	w.must("alice", Transfer{To: acct("bob"), Amount: 3 * coin, Memo: "thanks"})
	w.must("alice", Transfer{To: acct("alice"), Amount: 1 * coin})
	w.want(InsufficientFunds, "bob", Transfer{To: acct("alice"), Amount: 3*coin + 1})
	if a, b := w.state.Account(acct("alice")), w.state.Account(acct("bob")); a.Balance != had-3*coin || b.Balance != 3*coin {
		t.Errorf("alice has %d, bob %d", a.Balance, b.Balance)
	}
}

func TestAdmission(t *testing.T) {
	w := newWorld(t, DefaultParams())
	w.earn("alice", 1_000_000)
	body := Transfer{To: acct("bob"), Amount: 1}
	last := w.state.Account(acct("alice")).Nonce
	height := w.state.height
	for _, c := range []struct {
		name string
		tx   Tx
		want Code
	}{
		{"good", Tx{Nonce: last + 1, ExpHeight: height + 10, Body: body}, OK},
		{"gap in nonces", Tx{Nonce: last + 1e15, ExpHeight: height + 10, Body: body}, OK},
		{"good with a fee", Tx{Nonce: last + 1, ExpHeight: height + 10, Fee: 5, Body: body}, OK},
		{"old nonce", Tx{Nonce: last, ExpHeight: height + 10, Body: body}, BadNonce},
		{"expired", Tx{Nonce: last + 1, ExpHeight: height, Body: body}, BadExpiry},
		{"expires too late", Tx{Nonce: last + 1, ExpHeight: height + Horizon + 2, Body: body}, BadExpiry},
		{"fee above means", Tx{Nonce: last + 1, ExpHeight: height + 10, Fee: maxSupply, Body: body}, InsufficientFunds},
		{"fee overflow", Tx{Nonce: last + 1, ExpHeight: height + 10, Fee: 1<<64 - 1, Body: body}, InsufficientFunds},
	} {
		data, err := Sign(key("alice"), testNet, c.tx)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.state.Check(w.parse(data)); got.Code != c.want {
			t.Errorf("%s: %v, want %v", c.name, got.Code, c.want)
		}
	}
	if got := w.state.Check(&Tx{Nonce: last + 1, ExpHeight: height + 10, Body: body}); got.Code != WrongNetwork {
		t.Errorf("transaction that was never parsed: %v", got.Code)
	}
	before := w.state.Supply()
	tx, _ := Sign(key("alice"), testNet, Tx{Nonce: last + 1, ExpHeight: height + 10, Fee: 7, Body: body})
	if r := w.apply(w.parse(tx), w.parse(tx), nil); r[0].Code != OK || r[1].Code != BadNonce || r[2].Code != Malformed {
		t.Errorf("once, again and nothing: %v", r)
	}
	if burned := w.state.Supply().Burned - before.Burned; burned != 7 {
		t.Errorf("burned %d, want the fee of 7", burned)
	}
}

func TestLeastFee(t *testing.T) {
	p := DefaultParams()
	p.MinFee = 100
	w := newWorld(t, p)
	w.want(FeeTooLow, "coordinator", RunPropose{Run: link("run"), Budget: 1})
}

func TestParseTxRefuses(t *testing.T) {
	w := newWorld(t, DefaultParams())
	good := w.sign("alice", Transfer{To: acct("bob"), Amount: 1})
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	other := protocol.Net{1}
	foreign, err := Sign(key("alice"), other, Tx{Nonce: 1, ExpHeight: 5, Body: Transfer{To: acct("bob"), Amount: 1}})
	if err != nil {
		t.Fatal(err)
	}
	moved := bytes.Replace(foreign, other[:], testNet[:], 1) // pretends to be of this network
	for _, c := range []struct {
		name string
		data []byte
		want Code
	}{
		{"flipped bit", flipped, BadSignature},
		{"another network", foreign, WrongNetwork},
		{"another network's signature", moved, BadSignature},
		{"trailing byte", append(bytes.Clone(good), 0), Malformed},
		{"cut", good[:len(good)-1], Malformed},
		{"empty", nil, Malformed},
		{"too long", make([]byte, MaxTx+1), TooLarge},
		{"nothing to transfer", w.sign("alice", Transfer{To: acct("bob")}), BadAmount},
		{"no run", w.sign("alice", RunPropose{}), Malformed},
		{"no entries", w.sign("alice", Settle{}), TooLarge},
	} {
		if _, err := ParseTx(c.data, testNet); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestRuns(t *testing.T) {
	w := newWorld(t, DefaultParams())
	run := link("run")
	w.want(UnknownRun, "validator", RunVote{Run: run, Yes: true})
	w.must("coordinator", RunPropose{Run: run, Budget: 100})
	w.want(Already, "mallory", RunPropose{Run: run, Budget: 1e18})
	w.want(NotValidator, "mallory", RunVote{Run: run, Yes: true})
	w.want(NotCoordinator, "mallory", RoundCommit{Run: run, Rounds: []RoundRoots{{Params: link("p"), Log: link("l")}}})
	if got := w.state.Proposals(); len(got) != 1 || got[0] != run {
		t.Errorf("proposals %v", got)
	}
	w.must("validator", RunVote{Run: run, Yes: true})
	w.want(Already, "validator", RunVote{Run: run, Yes: true})
	if got := w.state.Proposals(); len(got) != 0 {
		t.Errorf("proposals after the vote: %v", got)
	}
	for r := range uint64(3) {
		w.want(BadRound, "coordinator", RoundCommit{Run: run, Round: r + 1, Rounds: []RoundRoots{{Params: link("p"), Log: link("l")}}})
		w.must("coordinator", RoundCommit{Run: run, Round: r, Rounds: []RoundRoots{{Params: link(fmt.Sprint("p", r)), Log: link("l")}}})
		w.want(Already, "coordinator", RoundCommit{Run: run, Round: r, Rounds: []RoundRoots{{Params: link("p"), Log: link("l")}}})
	}
	if r, _ := w.state.Run(run); r.Rounds != 3 || r.Params != link("p2") {
		t.Errorf("run %+v", r)
	}
	for r := range uint64(3) {
		round, ok := decode[CommittedRound](w.state.Get(RoundKey(run, r)))
		if !ok || round.Round != r || round.Params != link(fmt.Sprint("p", r)) || round.Log != link("l") || round.Coordinator != acct("coordinator") {
			t.Errorf("round %d is %+v", r, round)
		}
	}
}

func TestRefusedRunDoesNotMint(t *testing.T) {
	w := newWorld(t, DefaultParams())
	run := link("run")
	entry := w.entry("miner", "coordinator", run, link("unit"), 10)
	w.want(UnknownWork, "relay", Settle{Entries: []SettleEntry{entry}})
	w.must("coordinator", RunPropose{Run: run, Budget: 100})
	w.want(NotApproved, "relay", Settle{Entries: []SettleEntry{entry}})
	w.must("validator", RunVote{Run: run, Yes: false})
	w.want(NotApproved, "relay", Settle{Entries: []SettleEntry{entry}})
}

func TestSettleEntries(t *testing.T) {
	w := newWorld(t, DefaultParams())
	run := link("run")
	w.approve("coordinator", run, 1000)
	unit := func(name string, change func(*SettleEntry)) SettleEntry {
		e := w.entry("miner", "coordinator", run, link(name), 100)
		change(&e)
		return e
	}
	cases := []struct {
		name  string
		entry SettleEntry
		want  Code
	}{
		{"good", unit("1", func(*SettleEntry) {}), OK},
		{"again in the same transaction", unit("1", func(*SettleEntry) {}), Already},
		{"accept not by the coordinator", unit("2", func(e *SettleEntry) { w.resign(e, "miner", "mallory") }), NotCoordinator},
		{"miner not who accept says", unit("3", func(e *SettleEntry) { w.resign(e, "mallory", "coordinator") }), Mismatch},
		{"cost raised", unit("4", func(e *SettleEntry) { e.Attestation.Cost++; w.resign(e, "miner", "coordinator") }), Mismatch},
		{"attestation changed", unit("5", func(e *SettleEntry) { e.Attestation.Cost++; e.Accept.Cost++ }), BadSignature},
		{"accept unsigned", unit("6", func(e *SettleEntry) { e.Accept.Sig = nil }), BadSignature},
		{"no unit", unit("8", func(e *SettleEntry) {
			e.Attestation.Unit, e.Accept.Unit = block.Link{}, block.Link{}
		}), Malformed},
		{"another network's", unit("9", func(e *SettleEntry) { e.Attestation.Net = protocol.Net{1} }), WrongNetwork},
		{"over the budget", w.entry("miner", "coordinator", run, link("10"), 901), OverBudget},
		{"unknown work", w.entry("miner", "coordinator", link("?"), link("11"), 1), UnknownWork},
		{"rest of the budget", w.entry("miner", "coordinator", run, link("12"), 900), OK},
	}
	var settle Settle
	for _, c := range cases {
		settle.Entries = append(settle.Entries, c.entry)
	}
	r := w.do("relay", settle)
	if r.Code != OK {
		t.Fatalf("settle: %s", r.Detail)
	}
	entries, err := ParseEntries(r.Data())
	if err != nil || len(entries) != len(cases) {
		t.Fatalf("%d results, %v", len(entries), err)
	}
	var paid uint64
	for i, c := range cases {
		if entries[i].Code != c.want {
			t.Errorf("%s: %v, want %v", c.name, entries[i].Code, c.want)
		}
		paid += entries[i].Paid
	}
	if got := w.state.Account(acct("miner")).Balance; got != paid || paid == 0 {
		t.Errorf("miner has %d, was paid %d", got, paid)
	}
	w.want(Already, "relay", settle)
	w.want(Already, "another relay", settle)
}

func TestTranslation(t *testing.T) {
	w := newWorld(t, DefaultParams())
	w.earn("customer", 10_000_000)
	had := w.state.Account(acct("customer")).Balance
	job := link("job")
	w.want(BadDeadline, "customer", EscrowOpen{Job: job, Amount: 1, Price: 1, Deadline: w.state.height})
	w.want(InsufficientFunds, "customer", EscrowOpen{Job: job, Amount: had + 1, Price: 1, Deadline: w.state.height + 9})
	deadline := w.state.height + 20
	w.must("customer", EscrowOpen{Job: job, Amount: 5000, Price: 1000, Deadline: deadline})
	w.want(Already, "customer", EscrowOpen{Job: job, Amount: 5000, Price: 1000, Deadline: deadline})
	w.want(UnknownWork, "relay", Settle{Entries: []SettleEntry{w.entry("miner", "mallory", job, link("mt0"), 1)}})

	before := w.state.Supply()
	w.must("relay", Settle{Entries: []SettleEntry{w.entry("miner", "customer", job, link("mt1"), 4000)}}) // 4 GFLOP
	after := w.state.Supply()
	// Of 4000: 3400 to the miner, 200 to the pool, 400 burned, and half of that minted.
	if got := w.state.Account(acct("miner")).Balance; got != 3400+200 {
		t.Errorf("miner has %d, want 3600", got)
	}
	if after.Pool-before.Pool != 200 || after.Burned-before.Burned != 400 || after.Minted-before.Minted != 200 {
		t.Errorf("books %+v after %+v", after, before)
	}
	w.want(InsufficientFunds, "relay", Settle{Entries: []SettleEntry{w.entry("miner", "customer", job, link("mt2"), 1001)}})
	w.want(NotDue, "customer", EscrowClose{Job: job})
	for w.state.height < deadline {
		w.apply()
	}
	w.must("customer", EscrowClose{Job: job})
	w.want(UnknownEscrow, "customer", EscrowClose{Job: job})
	if got := w.state.Account(acct("customer")).Balance; got != had-4000 {
		t.Errorf("customer has %d, want %d", got, had-4000)
	}
}

// Buying one's own work loses.
func TestSelfDealingLoses(t *testing.T) {
	w := newWorld(t, DefaultParams())
	w.earn("wash", 10_000_000)
	had := w.state.Account(acct("wash")).Balance
	job := link("job")
	w.must("wash", EscrowOpen{Job: job, Amount: coin, Price: coin, Deadline: w.state.height + 2})
	w.must("wash", Settle{Entries: []SettleEntry{w.entry("wash", "wash", job, link("mt"), 1000)}})
	w.apply()
	w.apply()
	w.must("wash", EscrowClose{Job: job})
	if got := w.state.Account(acct("wash")).Balance; got > had-coin/20 {
		t.Errorf("has %d of %d: lost less than a twentieth of the fee", got, had)
	}
}
