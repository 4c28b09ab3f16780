package ledger

import (
	"fmt"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol"
)

func TestGas(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("alice", 1_000_000)
	tx := w.tx("alice", Transfer{To: acct("bob"), Amount: 1})
	if got, want := Gas(tx.Body, tx.size), uint64(tx.size)+gasSignature+gasState*200; got != want {
		t.Errorf("a transfer takes %d gas, want %d", got, want)
	}
	r := w.run("founder", "p", newPlan("p", []uint64{1, 1, 1}, nil))
	claim := w.tx("founder", r.claim(0, "a", "", "b"))
	if got, want := Gas(claim.Body, claim.size), uint64(claim.size)+gasSignature*3; got != want {
		t.Errorf("a claim takes %d gas, want %d", got, want)
	}
	j := w.newJob("alice", "j", 1, 1)
	open := w.tx("alice", j.open(1, 1))
	if got := Gas(open.Body, open.size); got < uint64(open.size)+gasState*2*claimState {
		t.Errorf("an escrow of two units takes %d gas", got)
	}
	largest := encode(JobClaimed{Index: MaxJobUnits, Result: link("x"), Cost: 1 << 63, Amount: 1 << 60, Bonus: 1 << 60, Due: 1 << 32})
	if len(largest) > claimState {
		t.Errorf("a claim takes up to %d bytes of state, the gas is for %d", len(largest), claimState)
	}
	burned := w.state.Supply().Burned
	w.apply(tx)
	if got, want := w.state.Supply().Burned-burned, w.state.mustSchedule(t).Fee(Gas(tx.Body, tx.size)); got != want {
		t.Errorf("burned %d, want %d", got, want)
	}
}

func TestPriceOfGas(t *testing.T) {
	const least = 1000
	for _, c := range []struct{ price, used, want uint64 }{
		{least, 0, least},            // not below the least
		{least, gasTarget, least},    // on the target
		{8 * least, gasTarget, 8000}, // stays
		{8 * least, 0, 7000},         // an eighth less
		{8 * least, gasTarget / 2, 7500},
		{8 * least, 2 * gasTarget, 9000}, // an eighth more
		{8 * least, 1 << 60, 9000},       // not more than an eighth
		{8 * least, gasTarget + gasTarget/2, 8500},
		{1, gasTarget + 1, least}, // rises by at least one, to the least
		{1 << 40, 1 << 60, 1 << 40},
	} {
		if got := nextGas(c.price, least, c.used); got != c.want {
			t.Errorf("price %d after %d gas: %d, want %d", c.price, c.used, got, c.want)
		}
	}
	if got := nextGas(5, 1, gasTarget+1); got != 6 {
		t.Errorf("a small price stays at %d", got)
	}
}

// The price rises while heights are full of transactions that pay, and falls again. Free
// transactions make nobody's fee rise.
func TestPriceOfGasFollowsDemand(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("alice", 1_000_000)
	price := func() uint64 { return w.state.mustSchedule(t).Gas }
	// 500 transfers of 2,000 gas and more are over the target.
	var txs []*Tx
	for range 500 {
		txs = append(txs, w.parse(w.signTx("alice", Tx{Fee: enough, ExpHeight: w.state.height + 5, Body: Transfer{To: acct("bob"), Amount: 1}})))
	}
	w.apply(txs...)
	w.apply()
	if price() <= micro {
		t.Errorf("price %d after a full height", price())
	}
	w.wait(w.state.height + 3)
	if price() != micro {
		t.Errorf("price %d after empty heights", price())
	}
	d, _ := w.state.draft(w.state.height + 1)
	for i := range 10 {
		p := newPlan("p", []uint64{1}, nil)
		r := &testRun{plan: p, w: w, id: link(fmt.Sprint(i)), coordinator: "validator"}
		d.execute(w.parse(w.signTx("validator", Tx{ExpHeight: w.state.height + 5, Body: r.vote(true)})))
	}
	if d.gas != 0 {
		t.Errorf("free transactions took %d gas", d.gas)
	}
}

// laned is a transaction as the lanes see it.
func laned(who string, body Body, fee uint64) *Tx {
	return &Tx{Account: acct(who), Fee: fee, Body: body}
}

func TestLanes(t *testing.T) {
	const kb = 1000
	l := NewLanes(100 * kb) // 25 kB for claims, 50 kB for all
	// A flood of transfers leaves the claims their room.
	n := 0
	for n < 200 && l.Admit(laned("a", Transfer{}, 1), kb) {
		n++
	}
	if n != 50 {
		t.Errorf("%d kB of transfers, want 50", n)
	}
	if l.Admit(laned("a", Lock{}, 1), 1) {
		t.Error("one more byte fits")
	}
	n = 0
	for n < 200 && l.Admit(laned("a", Claim{}, 1), kb) {
		n++
	}
	if n != 25 {
		t.Errorf("%d kB of claims beside them, want 25", n)
	}
	// A flood of claims takes its lane and what is for all, and no more.
	l = NewLanes(100 * kb)
	n = 0
	for n < 200 && l.Admit(laned("a", JobClaim{}, 1), kb) {
		n++
	}
	if n != 75 || l.Admit(laned("a", Transfer{}, 1), kb) {
		t.Errorf("%d kB of claims, want 75", n)
	}
	// Free transactions: in the lane of claims alone, and one of an account.
	l = NewLanes(100 * kb)
	if !l.Admit(laned("a", Claim{}, 0), 10*kb) || l.Admit(laned("a", Claim{}, 0), kb) || !l.Admit(laned("a", Claim{}, 1), kb) {
		t.Error("an account has other than one free transaction")
	}
	if !l.Admit(laned("b", Claim{}, 0), 14*kb) || l.Admit(laned("c", Claim{}, 0), 1) || !l.Admit(laned("c", Claim{}, 1), 1) {
		t.Error("free transactions leave their lane, or do not fill it")
	}
	if NewLanes(100*kb).Admit(laned("a", Transfer{}, 0), 1) || NewLanes(100*kb).Admit(laned("a", RunTake{}, 0), 1) {
		t.Error("a transaction takes room for nothing")
	}
	// A refused transaction takes no room.
	l = NewLanes(100 * kb)
	if l.Admit(laned("a", Claim{}, 0), 26*kb) || !l.Admit(laned("a", Claim{}, 0), 25*kb) {
		t.Error("what did not fit took room, or the account's free transaction")
	}
	// A proposer's limit above that of the network does not count.
	if NewLanes(1<<40).Admit(laned("a", Transfer{}, 1), MaxBlock/2+1) || NewLanes(0).Admit(laned("a", Transfer{}, 1), 1) {
		t.Error("the limit is not kept")
	}
}

// Many accounts that claim one slot for nothing take the room of one.
func TestLanesOfOneSlot(t *testing.T) {
	job := func(i uint32) JobClaim {
		return JobClaim{Customer: acct("c"), Job: link("j"), Units: List[JobWork]{{Slot: protocol.Slot{Index: i}}}}
	}
	two := job(1)
	two.Units = append(two.Units, job(2).Units...)
	round := func(n uint32, closing bool, i uint32) UnitClaim {
		return UnitClaim{Function: link("f"), Round: n, Closing: closing, Proof: protocol.SlotProof{Position: i}}
	}
	l := NewLanes(MaxBlock)
	for _, c := range []struct {
		who  string
		body Body
		fee  uint64
		want bool
	}{
		{"a", job(1), 0, true},
		{"b", job(1), 0, false},
		{"b", two, 0, false},
		{"b", job(1), 1, true},
		{"b", job(2), 0, true},
		{"d", round(0, false, 1), 0, true},
		{"e", round(0, false, 1), 0, false},
		{"e", round(1, false, 1), 0, true},
		{"f", round(0, false, 2), 0, true},
		{"g", round(3, true, 1), 0, true},
		{"h", round(4, true, 1), 0, false}, // what follows the last round is one, whatever its number
	} {
		if got := l.Admit(laned(c.who, c.body, c.fee), 100); got != c.want {
			t.Errorf("%s, fee %d, %+v: %v, want %v", c.who, c.fee, c.body, got, c.want)
		}
	}
}

// A claim whose ticket is long pays for its bytes.
func TestLongClaimIsNotFree(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("customer", 1_000_000)
	j := w.newJob("customer", "j", 1000, 1000)
	w.must("customer", j.open(coin/10, 100))
	long := j.work(0, "miner", 1000)
	ticket := protocol.Ticket{Work: j.id, Unit: j.slots[0].Task, Spec: j.spec(0), Miner: acct("miner"), LeaseSeconds: 60, Escrow: j.escrow().Number}
	for range protocol.MaxAddrs {
		ticket.Hints = append(ticket.Hints, strings.Repeat("x", 250))
	}
	var err error
	if long.Ticket, err = protocol.Sign(key("customer"), testNet, &ticket); err != nil {
		t.Fatal(err)
	}
	w.refuses(t, []refusal{
		{"long", FeeTooLow, "miner", j.claim(long), 0},
		{"long, and one more", OK, "miner", j.claim(long, j.work(1, "miner", 1000)), 0},
		{"short", OK, "miner", j.claim(j.work(0, "miner", 1000)), 0},
	})
	w.earn("miner", 1_000_000)
	w.refuses(t, []refusal{{"with a fee", OK, "miner", j.claim(long), enough}})
}

// Which kinds may be free. The rest pay always.
func TestFreeKinds(t *testing.T) {
	free := map[TxKind]bool{
		KindRunPropose: true, KindRunVote: true, KindRunEnd: true, KindHeartbeat: true,
		KindClaim: true, KindUnitClaim: true, KindEscrowClose: true, KindJobClaim: true, KindValidatorVote: true,
	}
	for kind, row := range kindRows { // order-free: each is checked alone
		if row.claim != free[kind] {
			t.Errorf("kind %d: free is %v", kind, row.claim)
		}
		if row.most <= 0 || row.most > MaxTx {
			t.Errorf("kind %d: a bound of %d bytes", kind, row.most)
		}
	}
}
