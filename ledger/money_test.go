package ledger

import (
	"testing"
)

func TestTransfer(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("alice", 10_000_000)
	had := w.free("alice")
	if had < 10*coin {
		t.Fatalf("alice earned %d", had)
	}
	burned := w.state.Supply().Burned
	w.must("alice", Transfer{To: acct("bob"), Amount: 3 * coin, Memo: "thanks"})
	w.must("alice", Transfer{To: acct("alice"), Amount: 1 * coin})
	w.want(InsufficientFunds, "bob", Transfer{To: acct("alice"), Amount: 3*coin + 1})
	fees := w.state.Supply().Burned - burned
	if a, b := w.free("alice"), w.free("bob"); a+b+fees != had || b >= 3*coin || b < 3*coin-10_000 {
		t.Errorf("alice has %d of %d, bob %d, fees %d", a, had, b, fees)
	}
	w.refuses(t, []refusal{
		{"without a fee", FeeTooLow, "alice", Transfer{To: acct("bob"), Amount: 1}, 0},
		{"fee below the price", FeeTooLow, "alice", Transfer{To: acct("bob"), Amount: 1}, 100},
		{"nothing", BadAmount, "alice", Transfer{To: acct("bob")}, enough},
		{"long memo", TooLarge, "alice", Transfer{To: acct("bob"), Amount: 1, Memo: string(make([]byte, 257))}, enough},
		{"to nobody", Malformed, "alice", Transfer{Amount: 1}, enough},
		{"more than all", InsufficientFunds, "alice", Transfer{To: acct("bob"), Amount: 1<<64 - 1}, enough},
		{"no means for the fee", InsufficientFunds, "carol", Transfer{To: acct("bob"), Amount: 1}, enough},
		{"greatest fee", OK, "alice", Transfer{To: acct("bob"), Amount: 1}, 1<<64 - 1}, // the price of the gas is burned
	})
}

func TestAdmission(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("alice", 1_000_000)
	body := Transfer{To: acct("bob"), Amount: 1}
	w.must("alice", body)
	last := w.state.Account(acct("alice")).Nonce
	next := w.state.height + 1
	for _, c := range []struct {
		name          string
		nonce, expiry uint64
		want          Code
	}{
		{"good", last + 1, next + 10, OK},
		{"gap in nonces", last + 1e15, next + 10, OK},
		{"greatest nonce", maxNonce, next + 10, OK},
		{"nonce that leaves none", maxNonce + 1, next + 10, BadNonce},
		{"greatest number", 1<<64 - 1, next + 10, BadNonce},
		{"old nonce", last, next + 10, BadNonce},
		{"last height", last + 1, next, OK},
		{"expired", last + 1, next - 1, BadExpiry},
		{"farthest height", last + 1, next + Horizon, OK},
		{"expires too late", last + 1, next + Horizon + 1, BadExpiry},
		{"expires never", last + 1, 1<<64 - 1, BadExpiry},
	} {
		data := w.signTx("alice", Tx{Nonce: c.nonce, Fee: enough, ExpHeight: c.expiry, Body: body})
		if got := w.state.Check(w.parse(data)); got.Code != c.want {
			t.Errorf("%s: %v, want %v", c.name, got.Code, c.want)
		}
	}
	unparsed := &Tx{Account: acct("alice"), Nonce: last + 1, Fee: enough, ExpHeight: next, Body: body}
	if got := w.state.Check(unparsed); got.Code != WrongNetwork {
		t.Errorf("transaction that was never parsed: %v", got.Code)
	}
	once := w.tx("alice", body)
	if r := w.apply(once, once, nil); r[0].Code != OK || r[1].Code != BadNonce || r[2].Code != Malformed {
		t.Errorf("once, again and nothing: %v", r)
	}
	if _, _, _, err := w.state.Apply(Block{Height: w.state.height + 2}); err == nil {
		t.Error("a height was left out")
	}
}

// A transaction that its body refuses takes its nonce and its fee, and its outcome stands
// in the account. So a confirmation is a proof, and nobody fills heights for nothing.
func TestOutcomes(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("alice", 1_000_000)
	before := w.state.Account(acct("alice"))
	books := w.state.Supply()
	tx := w.tx("alice", Transfer{To: acct("bob"), Amount: before.Balance}) // all, and the fee is missing
	if r := w.apply(tx); r[0].Code != InsufficientFunds {
		t.Fatalf("%v", r)
	}
	after := w.state.Account(acct("alice"))
	fee := before.Balance - after.Balance
	if got, ok := after.Outcome(tx.Nonce); !ok || got != InsufficientFunds || after.Nonce != tx.Nonce || fee == 0 {
		t.Errorf("outcome %v %v, nonce %d of %d, fee %d", got, ok, after.Nonce, tx.Nonce, fee)
	}
	if burned := w.state.Supply().Burned - books.Burned; burned != fee || fee != w.state.mustSchedule(t).Fee(Gas(tx.Body, tx.size)) {
		t.Errorf("burned %d for a fee of %d", burned, fee)
	}
	// The newest outcomes are kept, refused or not.
	var nonces []uint64
	for range keepOutcomes {
		tx := w.tx("alice", Transfer{To: acct("bob"), Amount: 1})
		nonces = append(nonces, tx.Nonce)
		w.apply(tx)
	}
	a := w.state.Account(acct("alice"))
	if _, ok := a.Outcome(after.Nonce); ok || len(a.Outcomes) != keepOutcomes {
		t.Errorf("outcomes %v", a.Outcomes)
	}
	for _, n := range nonces {
		if got, ok := a.Outcome(n); !ok || got != OK {
			t.Errorf("outcome of %d: %v %v", n, got, ok)
		}
	}
	if _, ok := a.Outcome(nonces[0] + 1e9); ok {
		t.Error("an outcome of no transaction")
	}
}

// mustSchedule is the schedule of the newest height.
func (s *State) mustSchedule(t tester) Schedule {
	t.Helper()
	r, ok := s.Schedule(s.height)
	if !ok {
		t.Fatalf("no schedule of height %d", s.height)
	}
	return r
}

// A refused transaction of an account that has no record leaves none, if it was free.
func TestPennilessRefusalLeavesNothing(t *testing.T) {
	w := newWorld(t, LocalParams())
	p := newPlan("p", []uint64{10}, nil)
	r := w.run("coordinator", "p", p)
	root := w.state.tree.root()
	stranger := r.unitClaim(0, 0, "miner")
	stranger.Accept = make([]byte, 64)
	data := w.signTx("stranger", Tx{ExpHeight: w.state.height + 10, Body: stranger})
	d, err := w.state.draft(w.state.height + 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.execute(w.parse(data)); got.Code != BadSignature {
		t.Fatalf("%v", got)
	}
	if c := d.changes(); len(c) != 0 || w.state.tree.root() != root {
		t.Errorf("a refused free transaction wrote %d records", len(c))
	}
	// A free transaction that is refused counts for an account that has a record.
	if got := w.apply(w.parse(w.signTx("coordinator", Tx{ExpHeight: w.state.height + 10, Body: stranger}))); got[0].Code != BadSignature {
		t.Fatalf("%v", got)
	}
	if got, ok := w.state.Account(acct("coordinator")).Outcome(w.nonce); !ok || got != BadSignature {
		t.Errorf("outcome %v %v", got, ok)
	}
}

func TestLock(t *testing.T) {
	p := LocalParams()
	p.Unlock = 20
	w := newWorld(t, p)
	w.earn("alice", 10_000_000)
	w.must("alice", Lock{Amount: 5 * coin})
	w.want(InsufficientFunds, "alice", Lock{Amount: 50 * coin})
	w.want(InsufficientFunds, "alice", Unlock{Amount: 5*coin + 1})
	w.refuses(t, []refusal{
		{"lock nothing", BadAmount, "alice", Lock{}, enough},
		{"unlock nothing", BadAmount, "alice", Unlock{}, enough},
		{"lock without a fee", FeeTooLow, "alice", Lock{Amount: 1}, 0},
	})
	w.must("alice", Unlock{Amount: 2 * coin})
	unlocked := w.state.height
	a := w.state.Account(acct("alice"))
	if a.Locked != 3*coin || len(a.Unlocks) != 1 || w.state.Supply().Locked != 5*coin {
		t.Fatalf("alice %+v", a)
	}
	had := a.Balance
	w.wait(unlocked + p.Unlock - 1)
	if got := w.free("alice"); got != had {
		t.Errorf("free after %d heights: %d, want %d", p.Unlock-1, got, had)
	}
	w.wait(unlocked + p.Unlock)
	if got := w.free("alice"); got != had+2*coin {
		t.Errorf("free after %d heights: %d, want %d", p.Unlock, got, had+2*coin)
	}
	// The record says so once it is written.
	w.must("alice", Transfer{To: acct("bob"), Amount: had + coin})
	if a := w.state.Account(acct("alice")); len(a.Unlocks) != 0 || w.state.Supply().Locked != 3*coin {
		t.Errorf("alice %+v, books %+v", a, w.state.Supply())
	}
	for range maxUnlocks {
		w.must("alice", Unlock{Amount: 1000})
	}
	w.want(Busy, "alice", Unlock{Amount: 1000})
}

func TestPayout(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("miner", 1_000_000)
	w.want(Already, "miner", SetPayout{To: acct("miner")})
	w.must("miner", SetPayout{To: acct("safe")})
	w.refuses(t, []refusal{
		{"to nobody", Malformed, "miner", SetPayout{}, enough},
		{"to an account with a payout", BadPayout, "founder", SetPayout{To: acct("miner")}, enough},
		{"rotate to nobody", Malformed, "miner", Rotate{}, enough},
	})
	had, safe := w.free("miner"), w.free("safe")
	w.earn("miner", 1_000_000)
	if w.free("miner") != had || w.free("safe") <= safe {
		t.Errorf("miner has %d of %d, safe %d", w.free("miner"), had, w.free("safe"))
	}
	w.want(BadPayout, "safe", SetPayout{To: acct("miner")}) // money would go round in a circle
	// What is not pay stays.
	w.must("founder", Transfer{To: acct("miner"), Amount: 1})
	if w.free("miner") != had+1 {
		t.Errorf("miner has %d, want %d", w.free("miner"), had+1)
	}
	w.must("miner", SetPayout{To: acct("miner")})
	safe = w.free("safe")
	w.earn("miner", 1_000_000)
	if w.free("safe") != safe || w.free("miner") <= had {
		t.Errorf("after the payout ended: miner has %d, safe %d", w.free("miner"), w.free("safe"))
	}
}

// Payouts that follow one another end: pay stops at the last account of a long row.
func TestPayoutsInARow(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("m0", 1_000_000)
	names := []string{"m0"}
	for i := range MaxPayouts + 2 {
		from, to := names[i], names[i]+"'"
		if i > 0 {
			w.must("founder", Transfer{To: acct(from), Amount: 100_000})
		}
		w.must(from, SetPayout{To: acct(to)})
		names = append(names, to)
	}
	stop := names[MaxPayouts]
	had := w.free(stop)
	w.earn("m0", 1_000_000)
	if w.free(stop) <= had {
		t.Errorf("%q has %d, had %d", stop, w.free(stop), had)
	}
}

// A replaced key loses all money, now and later, for ever.
func TestRotate(t *testing.T) {
	p := LocalParams()
	p.Unlock = 20
	w := newWorld(t, p)
	w.earn("old", 10_000_000)
	w.must("old", Lock{Amount: 4 * coin})
	w.must("old", Unlock{Amount: 1 * coin})
	w.want(BadPayout, "old", Rotate{To: acct("old")})
	had := w.free("old")
	w.must("old", Rotate{To: acct("new")})
	old, now := w.state.Account(acct("old")), w.state.Account(acct("new"))
	if old.Balance != 0 || old.Locked != 0 || len(old.Unlocks) != 0 || now.Balance > had || now.Balance < had-10_000 || now.Locked != 4*coin {
		t.Errorf("old %+v, new %+v", old, now)
	}
	// Money that comes later.
	new0 := w.free("new")
	w.must("founder", Transfer{To: acct("old"), Amount: 1_000_000})
	if w.free("old") != 0 || w.free("new") != new0+1_000_000 {
		t.Errorf("after a transfer: old has %d, new %d", w.free("old"), w.free("new"))
	}
	w.earn("old", 1_000_000)
	if w.free("old") != 0 || w.free("new") <= new0+1_000_000 {
		t.Errorf("after pay: old has %d, new %d", w.free("old"), w.free("new"))
	}
	// The old key can spend nothing any more: it has no fee.
	w.refuses(t, []refusal{
		{"undo", InsufficientFunds, "old", SetPayout{To: acct("old")}, enough},
		{"rotate again", InsufficientFunds, "old", Rotate{To: acct("thief")}, enough},
	})
	d, _ := w.state.draft(w.state.height + 1)
	if err := d.redirect(acct("old"), acct("thief"), true); codeOf(err) != Retired {
		t.Errorf("a final payout changed: %v", err)
	}
	if err := (SetPayout{To: acct("old")}).apply(d, &Tx{Account: acct("old")}); codeOf(err) != Retired {
		t.Errorf("a final payout ended: %v", err)
	}
}

// Nobody fills the unlocks of an account that is not its own by replacing keys.
func TestRotateFillsNoUnlocks(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("victim", 1_000_000)
	w.earn("mallory", 1_000_000)
	w.must("victim", Lock{Amount: 1000})
	w.must("mallory", Lock{Amount: 1000})
	for range maxUnlocks {
		w.must("mallory", Unlock{Amount: 1})
	}
	w.must("mallory", Rotate{To: acct("victim")})
	w.must("victim", Unlock{Amount: 1000})
}
