package ledger

import (
	"fmt"
	"testing"
)

// smallParams have a cap that a few units reach.
func smallParams() Params {
	p := LocalParams()
	p.Budget, p.Step = 8000, 64 // a cap of 16,000, of which a run gets 2000 a height
	return p
}

// What exceeds the cap of a height waits. Nobody's pay is reduced, and a round that is
// paid in part goes on where it stopped.
func TestQueue(t *testing.T) {
	w := newWorld(t, smallParams())
	r := w.run("coordinator", "p", newPlan("p", []uint64{50, 10, 5}, nil)) // about 5000, 1000 and 500
	w.must("coordinator", r.claim(0, "m0", "m1", "m2"))
	owed := w.state.Supply().Owed
	slots := mustRound(t, w, r, 0).Slots
	w.wait(mustRound(t, w, r, 0).Due - 1)
	if w.state.Supply().Minted != 0 {
		t.Fatal("paid before its time")
	}
	const share = 2000
	for i := uint64(1); w.state.Supply().Owed > 0; i++ {
		before := w.state.Supply()
		w.apply()
		after := w.state.Supply()
		paid := after.Minted - before.Minted
		if paid != min(share, before.Owed) || after.Minted+after.Owed != owed {
			t.Fatalf("paid %d of %d", paid, before.Owed)
		}
		if i == 1 {
			before := w.state
			s := mustRound(t, w, r, 0).Slots[0]
			if s.Status != SlotPaid || s.Owed != slots[0].Owed-share {
				t.Errorf("slot paid in part: %+v", s)
			}
			// The pay is due: nobody takes it over, whether it has begun or not.
			w.want(Already, "robber", r.unitClaim(0, 0, "robber"))
			w.want(Already, "robber", r.unitClaim(0, 2, "robber"))
			w.state = before
		}
		if i > 10 {
			t.Fatal("the queue does not end")
		}
	}
	for i, name := range []string{"m0", "m1", "m2"} {
		if got := w.free(name); got != slots[i].Owed {
			t.Errorf("%s has %d, want %d", name, got, slots[i].Owed)
		}
	}
}

// Runs share the cap of a height: each gets an eighth, and every run is the first at some
// height.
func TestRunsShareTheCap(t *testing.T) {
	w := newWorld(t, smallParams())
	const n = 10
	var runs []*testRun
	for i := range n {
		name := fmt.Sprint("r", i)
		runs = append(runs, w.run(name, name, newPlan(name, []uint64{100}, nil))) // about 10,000 each
	}
	var txs []*Tx
	for i, r := range runs {
		txs = append(txs, w.tx(r.coordinator, r.claim(0, fmt.Sprint("m", i))))
	}
	w.apply(txs...)
	w.wait(mustRound(t, w, runs[0], 0).Due - 1)
	for i := range 20 {
		before := w.state.Supply()
		w.apply()
		after := w.state.Supply()
		if paid := after.Minted - before.Minted; paid > 16_000 || paid < 16_000 && before.Owed > 10*2000+16_000 {
			t.Fatalf("a height paid %d of %d", paid, before.Owed)
		}
		for k := range n {
			if i == 2 && w.free(fmt.Sprint("m", k)) == 0 {
				t.Errorf("the run %d waits while others are paid", k)
			}
		}
	}
	for i := range n {
		if got := w.free(fmt.Sprint("m", i)); got < 10_000 {
			t.Errorf("m%d has %d", i, got)
		}
	}
	// The rate fell while a height paid twice the budget.
	if s := w.state.mustSchedule(t); w.state.Supply().Owed != 0 || s.Cap != 16_000 {
		t.Errorf("books %+v, schedule %+v", w.state.Supply(), s)
	}
}

// A flood of claims takes an honest run no pay. It was divided pro rata once.
func TestFloodDilutesNobody(t *testing.T) {
	w := newWorld(t, smallParams())
	honest := w.run("coordinator", "h", newPlan("h", []uint64{10}, nil))
	var flood []*testRun
	for i := range 6 {
		name := fmt.Sprint("flood ", i)
		flood = append(flood, w.run(name, name, newPlan(name, []uint64{1 << 40}, nil)))
	}
	txs := []*Tx{w.tx("coordinator", honest.claim(0, "miner"))}
	for _, r := range flood {
		txs = append(txs, w.tx(r.coordinator, r.claim(0, r.coordinator)))
	}
	w.apply(txs...)
	want := mustRound(t, w, honest, 0).Slots[0].Owed
	w.finality()
	if got := w.free("miner"); got != want || want < 1000 {
		t.Errorf("the miner has %d, want %d", got, want)
	}
}

// The payments of a height are bounded, because they take time.
func TestTillIsBounded(t *testing.T) {
	share := uint64(1 << 60)
	tl := till{amount: 1 << 60, payments: 2}
	for i, want := range []uint64{1, 1, 0} {
		if got := tl.take(1, &share); got != want {
			t.Errorf("payment %d of at most 2: %d, want %d", i+1, got, want)
		}
	}
	if tl.amount != 1<<60-2 {
		t.Errorf("till %+v", tl)
	}
}

// Rounds of many slots are paid over several heights.
func TestManyPayments(t *testing.T) {
	if testing.Short() {
		t.Skip("makes thousands of claims: go test without -short runs it")
	}
	p := LocalParams()
	p.Finality = 1
	w := newWorld(t, p)
	const n = 3 // rounds of the most slots
	costs := make([]uint64, maxClaimed)
	for i := range costs {
		costs[i] = 1
	}
	var txs []*Tx
	var runs []*testRun
	for i := range n {
		name := fmt.Sprint("r", i)
		r := w.run(name, name, newPlan(name, costs, nil))
		c := r.claim(0, "")
		runs = append(runs, r)
		txs = append(txs, w.tx(name, c))
	}
	w.apply(txs...)
	// The claims' signatures are left out: what is tested is the payment.
	for _, r := range runs {
		s := mustRound(t, w, r, 0)
		for i := range s.Slots {
			s.Slots[i] = SlotState{Status: SlotClaimed, Miner: acct("miner"), Cost: 1, Owed: 1}
		}
		books := w.state.Supply()
		books.Owed += maxClaimed
		w.state = w.with(Change{RoundKey(r.Function, 0), encode(s)}, Change{SupplyKey(), encode(books)})
	}
	for owed := uint64(n * maxClaimed); owed > 0; {
		w.apply()
		paid := owed - w.state.Supply().Owed
		if reading := uint64(n * (1 + maxClaimed/readSlots)); paid > maxPayments || paid < min(owed, maxPayments-reading) {
			t.Fatalf("a height made %d payments of %d", paid, owed)
		}
		owed -= paid
	}
}

// At the end of the supply nothing more is owed, so that no queue waits for ever.
func TestEndOfSupply(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("customer", 1_000_000)
	w.earn("coordinator", 1_000_000)
	r := w.run("coordinator", "p", newPlan("p", []uint64{1000, 1000}, nil))
	// The ledger has minted all but a little, which nobody holds any more.
	const left = 150_000
	books := w.state.Supply()
	lost := maxSupply - left - books.Minted
	books.Minted, books.Burned = books.Minted+lost, books.Burned+lost
	w.state = w.with(Change{SupplyKey(), encode(books)})
	j := w.newJob("customer", "j", 1000)
	w.must("customer", j.open(100_000, 10_000))
	w.must("coordinator", r.claim(0, "m0", "m1"))
	if s := mustRound(t, w, r, 0).Slots; s[0].Owed+s[1].Owed != left || s[0].Owed <= s[1].Owed || s[1].Owed == 0 {
		t.Fatalf("slots %+v", s)
	}
	w.must("m2", j.claim(j.work(0, "m2", 1000)))
	w.finality()
	w.finality()
	got := w.state.Supply()
	if got.Minted != maxSupply || got.Owed != 0 || w.free("m0")+w.free("m1") != left || w.free("m2") != 8500 {
		t.Errorf("books %+v, m0 %d, m1 %d, m2 %d", got, w.free("m0"), w.free("m1"), w.free("m2"))
	}
	if l, _ := decode[owing](w.state.Get([]byte(owingKey))); len(l.Functions) != 0 {
		t.Errorf("%d functions wait for ever", len(l.Functions))
	}
}

// The list of those that are owed pay is bounded.
func TestOwingIsBounded(t *testing.T) {
	w := newWorld(t, LocalParams())
	r := w.run("coordinator", "p", newPlan("p", []uint64{1000}, nil))
	var l owing
	for i := range maxOwing {
		l.Functions = append(l.Functions, owed{Function: link(fmt.Sprint(i)), Due: 1 << 60})
	}
	l.Version = 1
	w.state = w.with(Change{[]byte(owingKey), encode(l)})
	w.want(Busy, "coordinator", r.claim(0, "miner"))
}

// While a miner's own claims are paid in parts, nobody puts the rest off with a claim of
// another slot.
func TestUnitClaimPutsNothingOff(t *testing.T) {
	w := newWorld(t, smallParams())
	r := w.run("coordinator", "p", newPlan("p", []uint64{1 << 30, 1000}, []uint64{1}, nil))
	w.must("miner", r.unitClaim(0, 0, "miner"))
	w.finality()
	before := w.free("miner")
	if before == 0 || mustRound(t, w, r, 0).Slots[0].Owed == 0 {
		t.Fatalf("the miner has %d, and is to wait for more", before)
	}
	w.must("mallory", r.unitClaim(0, 1, "mallory"))
	w.apply()
	share := w.state.mustSchedule(t).Cap / capShare
	if got := w.free("miner"); got != before+2*share {
		t.Errorf("the miner has %d after two more heights, want %d", got, before+2*share)
	}
}

// A height pays a bounded number of rounds, also of those for which nothing is owed.
func TestPaidRoundsAreBounded(t *testing.T) {
	w := newWorld(t, LocalParams())
	const rounds = maxPayments + 10
	r := w.run("coordinator", "p", newPlan("p", []uint64{1}, nil))
	f := r.function()
	f.Next = rounds
	changes := []Change{{FunctionKey(r.Function), encode(f)}}
	for i := range uint32(rounds) {
		changes = append(changes, Change{RoundKey(r.Function, i), encode(RoundState{
			Version: 1, Function: r.Function, Round: i, Run: r.id, Coordinator: acct("coordinator"), Claimed: true,
			Due: 1, Group: r.groups[0], Slots: make([]SlotState, 1),
		})})
	}
	changes = append(changes, Change{[]byte(owingKey), encode(owing{Version: 1, Functions: []owed{{Function: r.Function, Due: 1}}})})
	w.state = w.with(changes...)
	w.apply()
	if got := r.function().Paid; got == 0 || got > maxPayments {
		t.Errorf("a height paid %d rounds", got)
	}
	w.apply()
	if got := r.function().Paid; got != rounds {
		t.Errorf("two heights paid %d rounds of %d", got, rounds)
	}
}
