package ledger

import (
	"fmt"
	"slices"
	"testing"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

func TestTranslation(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("customer", 10_000_000)
	had := w.free("customer")
	j := w.newJob("customer", "j", 4000, 6000)
	w.must("customer", j.open(8000, 1000))
	w.want(Already, "customer", j.open(1, 1))
	before := w.state.Supply()
	w.must("miner", j.claim(j.work(0, "miner", 4000))) // 4 GFLOP, for nothing: the miner has no tokens
	e := j.escrow()
	if e.Left != 4000 || e.Held != 4000 || len(e.Claims) != 1 || w.free("miner") != 0 {
		t.Fatalf("escrow %+v", e)
	}
	w.want(Already, "miner", j.claim(j.work(0, "miner", 4000)))
	w.want(InsufficientFunds, "miner", j.claim(j.work(1, "miner", 6000))) // what is held is another's
	w.want(NotDue, "customer", EscrowClose{Job: j.id})
	w.wait(e.Claims[0].Due)
	// Of 4000: 3400 to the miner, 200 to the pool, 400 burned, and half of that minted.
	after := w.state.Supply()
	if got := w.free("miner"); got != 3400+200 || got != e.Claims[0].Paid() {
		t.Errorf("the miner has %d, want 3600", got)
	}
	if after.Pool-before.Pool != 200 || after.Minted-before.Minted != 200 || after.Escrowed != 4000 {
		t.Errorf("books %+v after %+v", after, before)
	}
	if e := j.escrow(); e.Released != 3600 || e.Burned != 400 || e.Held != 0 || e.Paid != 1 {
		t.Errorf("escrow %+v", e)
	}
	w.want(InsufficientFunds, "miner", j.claim(j.work(1, "miner", 6000)))
	w.must("customer", EscrowTopUp{Job: j.id, Amount: 2000, Deadline: e.Deadline})
	w.must("miner", j.claim(j.work(1, "miner", 6000)))
	w.finality()
	// All units are claimed and paid, so the escrow closes before its deadline.
	w.must("customer", EscrowClose{Job: j.id})
	w.want(UnknownEscrow, "customer", EscrowClose{Job: j.id})
	if got := w.free("customer"); got > had-10_000 || got < had-10_000-50_000 {
		t.Errorf("the customer has %d of %d", got, had)
	}
	if got := w.state.Supply(); got.Escrowed != 0 {
		t.Errorf("books %+v", got)
	}
}

func TestEscrowRefused(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("customer", 1_000_000)
	j := w.newJob("customer", "j", 4000)
	change := func(f func(*EscrowOpen)) EscrowOpen {
		o := j.open(1000, 1000)
		f(&o)
		return o
	}
	w.refuses(t, []refusal{
		{"for free", FeeTooLow, "customer", j.open(1000, 1), 0},
		{"nothing in it", BadAmount, "customer", j.open(0, 1), enough},
		{"no price", BadAmount, "customer", j.open(1, 0), enough},
		{"no means", InsufficientFunds, "customer", j.open(1<<63, 1), enough},
		{"no job", Malformed, "customer", change(func(o *EscrowOpen) { o.Job = block.Link{} }), enough},
		{"no units", TooLarge, "customer", change(func(o *EscrowOpen) { o.Units = protocol.SlotGroup{} }), enough},
		{"too many units", TooLarge, "customer", change(func(o *EscrowOpen) { o.Units.Slots = MaxJobUnits + 1 }), enough},
		{"deadline now", BadDeadline, "customer", change(func(o *EscrowOpen) { o.Deadline = w.state.height + 1 }), enough},
		{"deadline in the next age", BadDeadline, "customer", change(func(o *EscrowOpen) { o.Deadline = w.state.height + 2 + maxDeadline }), enough},
		{"deadline never", BadDeadline, "customer", change(func(o *EscrowOpen) { o.Deadline = 1<<64 - 1 }), enough},
		{"top-up of no escrow", UnknownEscrow, "customer", EscrowTopUp{Job: j.id, Amount: 1}, enough},
		{"close of no escrow", UnknownEscrow, "customer", EscrowClose{Job: j.id}, enough},
		{"close of nothing", Malformed, "customer", EscrowClose{}, enough},
		{"top-up of nothing", Malformed, "customer", EscrowTopUp{}, enough},
		{"claim without an escrow", UnknownEscrow, "customer", j.claim(j.work(0, "m", 1)), enough},
		{"claim without an escrow, for free", FeeTooLow, "m", j.claim(j.work(0, "m", 1)), 0},
	})
	w.must("customer", j.open(1000, 1))
	deadline := j.escrow().Deadline
	w.refuses(t, []refusal{
		{"deadline comes nearer", BadDeadline, "customer", EscrowTopUp{Job: j.id, Amount: 1, Deadline: deadline - 1}, enough},
		{"nothing is added", BadAmount, "customer", EscrowTopUp{Job: j.id, Deadline: deadline}, enough},
		{"deadline too far", BadDeadline, "customer", EscrowTopUp{Job: j.id, Deadline: w.state.height + 2 + maxDeadline}, enough},
		{"no means to top up", InsufficientFunds, "customer", EscrowTopUp{Job: j.id, Amount: 1<<64 - 1, Deadline: deadline}, enough},
		{"a later deadline", OK, "customer", EscrowTopUp{Job: j.id, Deadline: deadline + 1}, enough},
	})
}

// A customer closes its escrow only when no miner can rely on it any more.
func TestEscrowCloseTime(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("customer", 1_000_000)
	j := w.newJob("customer", "j", 4000, 4000)
	w.must("customer", j.open(8000, 1000))
	last := j.escrow().Deadline + w.state.genesis.Params.Finality
	w.wait(last - 2)
	w.want(NotDue, "customer", EscrowClose{Job: j.id})
	w.must("miner", j.claim(j.work(1, "miner", 4000))) // in the last height in which it is sure to be in time
	w.want(NotDue, "customer", EscrowClose{Job: j.id})
	w.finality()
	if w.free("miner") == 0 {
		t.Error("the miner was not paid")
	}
	w.must("customer", EscrowClose{Job: j.id})
	if got := w.state.Supply().Escrowed; got != 0 {
		t.Errorf("%d in escrows", got)
	}
}

// A customer without other tokens gets its escrow back, and so does who has replaced its
// key: the rest goes to the account of the new key. Before it is due nothing is free.
func TestEscrowCloseFree(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("customer", 1_000_000)
	j := w.newJob("customer", "j", 4000)
	w.must("customer", j.open(8000, 1000))
	w.must("customer", Rotate{To: acct("new")})
	free := func() *Tx {
		return w.parse(w.signTx("customer", Tx{ExpHeight: w.state.height + 10, Body: EscrowClose{Job: j.id}}))
	}
	if r := w.apply(free()); r[0].Code != FeeTooLow {
		t.Errorf("before the deadline: %v", r[0].Code)
	}
	w.wait(j.escrow().Deadline + w.state.genesis.Params.Finality)
	had := w.free("new")
	if r := w.apply(free(), w.parse(w.signTx("miner", Tx{ExpHeight: w.state.height + 10, Body: EscrowClose{Job: j.id}}))); r[0].Code != OK || r[1].Code != FeeTooLow {
		t.Errorf("after the deadline: %v for the customer, %v for another", r[0].Code, r[1].Code)
	}
	if w.free("new") != had+8000 || w.free("customer") != 0 {
		t.Errorf("new has %d, want %d", w.free("new"), had+8000)
	}
	if r := w.apply(free()); r[0].Code != FeeTooLow {
		t.Errorf("once more: %v", r[0].Code)
	}
}

// An escrow that is closed is not opened again at the same height: the invariants compare
// the records of two heights, and one that fails stops the chain.
func TestEscrowReopened(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("customer", 1_000_000)
	j := w.newJob("customer", "j", 4000)
	w.must("customer", j.open(8000, 1000))
	first := j.claim(j.work(0, "miner", 4000))
	w.must("miner", first)
	w.finality()
	close, open := w.tx("customer", EscrowClose{Job: j.id}), w.tx("customer", j.open(5, 7))
	again := w.parse(w.signTx("customer", Tx{Fee: enough, ExpHeight: w.state.height + 5, Body: open.Body}))
	if r := w.apply(close, again); r[0].Code != OK || r[1].Code != Busy {
		t.Fatalf("%v", r)
	}
	w.must("customer", j.open(8000, 1000))
	// The miner's ticket is of the first escrow: it was paid for that work.
	w.want(Mismatch, "miner", first)
	w.must("miner", j.claim(j.work(0, "miner", 4000)))
	// Opened and topped up at one height, or opened and claimed, is well.
	k := w.newJob("customer", "k", 4000)
	o := w.parse(w.signTx("customer", Tx{Fee: enough, ExpHeight: w.state.height + 5, Body: k.open(4000, 1000)}))
	k.number = o.Nonce
	c := w.parse(w.signTx("miner", Tx{ExpHeight: w.state.height + 5, Body: k.claim(k.work(0, "miner", 4000))}))
	if r := w.apply(o, c); r[0].Code != OK || r[1].Code != OK {
		t.Fatalf("%v", r)
	}
}

// A claim that is worth nothing is paid as well, and the escrow waits for it.
func TestClaimWorthNothing(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("customer", 1_000_000)
	j := w.newJob("customer", "j", 500)
	w.must("customer", j.open(10, 1))
	w.must("miner", j.claim(j.work(0, "miner", 500))) // half an amount
	if e := j.escrow(); e.Held != 0 || e.Claims[0].Amount != 0 {
		t.Fatalf("escrow %+v", e)
	}
	w.want(NotDue, "customer", EscrowClose{Job: j.id})
	w.finality()
	w.must("customer", EscrowClose{Job: j.id})
}

func TestJobClaimRefused(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("customer", 1_000_000)
	w.earn("mallory", 1_000_000)
	j := w.newJob("customer", "j", 4000, 5000, 6000)
	k := w.newJob("customer", "k", 4000, 5000, 6000)
	w.must("customer", j.open(100_000, 1000))
	w.must("customer", k.open(100_000, 1000))
	change := func(f func(*JobWork)) JobClaim {
		u := j.work(1, "miner", 5000)
		f(&u)
		return j.claim(u)
	}
	good := j.work(1, "miner", 5000)
	w.refuses(t, []refusal{
		{"no units", TooLarge, "miner", j.claim(), enough},
		{"no job", Malformed, "miner", JobClaim{Customer: acct("customer"), Units: List[JobWork]{good}}, enough},
		{"another customer's", UnknownEscrow, "mallory", JobClaim{Customer: acct("mallory"), Job: j.id, Units: List[JobWork]{good}}, enough},
		{"another cost", Mismatch, "mallory", change(func(u *JobWork) { u.Slot.Most++ }), enough},
		{"another slot", Mismatch, "mallory", change(func(u *JobWork) { u.Slot = j.slots[0] }), enough},
		{"no such slot", Malformed, "mallory", change(func(u *JobWork) { u.Slot.Index = 3 }), enough},
		{"no path", Malformed, "mallory", change(func(u *JobWork) { u.Path = nil }), enough},
		{"work for another unit", Mismatch, "mallory", change(func(u *JobWork) { u.Work = j.work(2, "miner", 5000).Work }), enough},
		{"work for another job", BadSignature, "mallory", change(func(u *JobWork) { u.Work.Sig = k.work(1, "miner", 5000).Work.Sig }), enough},
		{"slot of another job", Mismatch, "mallory", j.claim(k.work(1, "miner", 5000)), enough},
		{"no ticket", Malformed, "mallory", change(func(u *JobWork) { u.Ticket = nil }), enough},
		{"another unit's ticket", Mismatch, "mallory", change(func(u *JobWork) { u.Ticket = j.work(2, "miner", 5000).Ticket }), enough},
		{"another miner's ticket", Mismatch, "mallory", change(func(u *JobWork) { u.Ticket = j.work(1, "other", 5000).Ticket }), enough},
		{"another job's ticket", Mismatch, "mallory", change(func(u *JobWork) { u.Ticket = k.work(1, "miner", 5000).Ticket }), enough},
		{"a ticket of one's own", Mismatch, "mallory", change(func(u *JobWork) { u.Ticket = selfMade(t, "mallory", j, 1) }), enough},
		{"unsigned ticket", BadSignature, "mallory", change(func(u *JobWork) { u.Ticket = zeroSig(u.Ticket) }), enough},
		{"unsigned work", BadSignature, "mallory", change(func(u *JobWork) { u.Work.Sig = make([]byte, 64) }), enough},
		{"a unit twice", Already, "mallory", j.claim(good, good), enough},
		{"no record", Mismatch, "mallory", change(func(u *JobWork) { u.Work.Record = nil }), enough},
		{"one that is bad among good ones", BadSignature, "mallory", j.claim(j.work(0, "miner", 1), change(func(u *JobWork) { u.Work.Sig = make([]byte, 64) }).Units[0]), enough},
		{"sent by anybody", OK, "mallory", j.claim(good), 0},
		{"by the customer, without a ticket", OK, "customer", change(func(u *JobWork) { u.Ticket = nil }), 0},
		{"two units", OK, "miner", j.claim(good, j.work(0, "miner", 4000)), 0},
	})
	many := make([]JobWork, MaxJobClaims+1)
	if err := (JobClaim{Job: j.id, Units: many}).check(); codeOf(err) != TooLarge {
		t.Errorf("%d units: %v", len(many), err)
	}
	// A unit costs at most what its slot says, whatever the result claims.
	w.must("miner", j.claim(j.work(2, "miner", 1<<40)))
	if got := j.escrow().Claims[0]; got.Cost != 6000 || got.Amount != 6000 {
		t.Errorf("claim %+v", got)
	}
	// A cheaper result costs less.
	w.must("miner", j.claim(j.work(1, "miner", 100)))
	if got := j.escrow().Claims[1]; got.Cost != 100 || got.Amount != 100 {
		t.Errorf("claim %+v", got)
	}
}

// selfMade is a ticket that is not the customer's.
func selfMade(t tester, who string, j *testJob, i int) []byte {
	t.Helper()
	ticket := protocol.Ticket{Work: j.id, Unit: j.slots[i].Task, Spec: j.spec(i), Miner: acct("miner"), Escrow: j.escrow().Number}
	data, err := protocol.Sign(key(who), testNet, &ticket)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// zeroSig replaces the signature, which is at the end.
func zeroSig(data []byte) []byte {
	return append(slices.Clone(data[:len(data)-64]), make([]byte, 64)...)
}

// A bonus that the height's share does not pay waits, with the claims behind it; nothing is
// reduced, and the share of training is untouched.
func TestBonusWaits(t *testing.T) {
	w := newWorld(t, smallParams()) // a share of 2000 a height
	w.fill("customer")
	j := w.newJob("customer", "j", 20, 20, 20)
	w.must("customer", j.open(3*40_000, 2_000_000)) // each costs 40,000 and burns 4000
	w.must("miner", j.claim(j.work(0, "miner", 20), j.work(1, "miner", 20), j.work(2, "miner", 20)))
	for i, c := range j.escrow().Claims {
		if c.Amount != 40_000 || c.Bonus > 2000 || c.Bonus < 1500 {
			t.Fatalf("claim %d: %+v", i, c)
		}
	}
	w.wait(j.escrow().Claims[0].Due - 1)
	for i := range uint32(3) {
		if e := j.escrow(); e.Paid != i {
			t.Fatalf("%d paid, want %d", e.Paid, i)
		}
		before := w.state.Supply().Minted
		w.apply()
		if minted := w.state.Supply().Minted - before; minted != j.escrow().Claims[i].Bonus {
			t.Errorf("minted %d", minted)
		}
	}
	if q, _ := decode[jobQueue](w.state.Get([]byte(jobsKey))); q.First != q.Next || j.escrow().Paid != 3 {
		t.Errorf("queue %+v", q)
	}
	if _, left := w.state.Get(dueKey(0)); left {
		t.Error("the record of a paid claim stays")
	}
}

// fill gives an account more than the small parameters would let it earn in a test.
func (w *world) fill(who string) {
	w.Helper()
	a := w.state.Account(acct(who))
	a.Balance += coin
	books := w.state.Supply()
	books.Minted, books.Balances = books.Minted+coin, books.Balances+coin
	w.state = w.with(Change{AccountKey(acct(who)), encode(a)}, Change{SupplyKey(), encode(books)})
}

// The kind of a unit of a job is one whose cost its result says.
func TestJobSlot(t *testing.T) {
	if s := JobSlot(7, link("unit"), 9); s.Kind != uint16(unit.Translate) || s.Index != 7 || s.Task != link("unit") || s.Most != 9 || !Measured(s.Kind) {
		t.Errorf("%+v", s)
	}
	for _, k := range unit.Kinds() {
		if Measured(uint16(k)) != (k == unit.Translate || k == unit.Average) {
			t.Errorf("kind %s", k)
		}
	}
}

// Claims from many large escrows in one height do not stall the chain. Those from small ones
// go on.
func TestLargeEscrowsAreBounded(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("customer", 1_000_000)
	const claims = MaxJobUnits - 1 // that each large escrow has
	full := Escrow{Claims: make([]JobClaimed, claims)}
	for k := range full.Claims {
		full.Claims[k] = JobClaimed{Index: uint32(k), Result: link("result")}
	}
	fit := maxEscrowBytes / (len(encode(full)) + 200)
	slots := w.newJob("customer", "large", make([]uint64, MaxJobUnits)...).slots
	var changes []Change
	var txs []*Tx
	for i := range fit + 2 {
		j := &testJob{w: w, id: link(fmt.Sprint("job ", i)), customer: "customer", slots: slots}
		e := Escrow{Version: 1, Job: j.id, Customer: acct("customer"), Units: protocol.GroupOf(slots), Price: 1, Deadline: 1000}
		n := claims
		if i == fit+1 {
			n = 50
		}
		e.Claims, e.Paid = full.Claims[:n], uint32(n)
		changes = append(changes, Change{EscrowKey(e.Customer, j.id), encode(e)})
		s := slots[claims]
		claim := j.claim(JobWork{
			Slot: s, Path: protocol.Bytes(protocol.PathOf(slots, claims)), Work: attested(w, "miner", "customer", j.id, 0, s, s.Task, 0),
		})
		txs = append(txs, w.parse(w.signTx("customer", Tx{ExpHeight: w.state.height + 10, Body: claim})))
	}
	w.state = w.with(changes...)
	for i, r := range w.apply(txs...) {
		if (r.Code == OK) != (i != fit) {
			t.Errorf("claim %d: %v (%s)", i, r.Code, r.Detail)
		}
	}
	again := w.parse(w.signTx("customer", Tx{ExpHeight: w.state.height + 10, Body: txs[fit].Body}))
	if r := w.apply(again)[0]; r.Code != OK {
		t.Errorf("at the next height: %s", r.Detail)
	}
	// Neither do many that are topped up or closed.
	for _, body := range []func(job block.Link) Body{
		func(job block.Link) Body { return EscrowTopUp{Job: job, Deadline: 2000} },
		func(job block.Link) Body { return EscrowClose{Job: job} },
	} {
		w.finality()
		for i := range fit + 1 {
			txs[i] = w.parse(w.signTx("customer", Tx{Fee: enough, ExpHeight: w.state.height + 10, Body: body(link(fmt.Sprint("job ", i)))}))
		}
		before := w.state
		for i, r := range w.apply(txs[:fit+1]...) {
			if (r.Code == OK) != (i < fit) {
				t.Errorf("%T %d: %v (%s)", txs[i].Body, i, r.Code, r.Detail)
			}
		}
		w.state = before
	}
	// Every unit is paid at last.
	if e, _ := w.state.Escrow(acct("customer"), link(fmt.Sprint("job ", fit))); e.Paid != MaxJobUnits {
		t.Errorf("%d units of the last escrow are paid", e.Paid)
	}
}
