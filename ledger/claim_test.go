package ledger

import (
	"testing"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// Several rounds in one transaction, then one, then the last group.
func TestClaim(t *testing.T) {
	w := newWorld(t, LocalParams())
	r := w.run("coordinator", "p", newPlan("p", []uint64{1000, 2000}, []uint64{3000, 0}, []uint64{5000}, []uint64{7000}))
	rate := w.state.mustSchedule(t).Training
	w.want(BadRound, "coordinator", r.claim(1, "miner"))
	w.want(BadRound, "coordinator", r.claim(3, "miner")) // the last group needs a round before
	two := Claim{Run: r.id, Rounds: List[RoundClaim]{r.round(0, "miner", "other"), r.round(1, "miner")}}
	w.must("coordinator", two)
	if f := r.function(); f.Next != 2 || f.Params != link("params 1") || f.Log != link("log 1") || r.spent() != 6000 {
		t.Errorf("function %+v, spent %d", f, r.spent())
	}
	round, ok := w.state.Round(r.Function, 0)
	due := w.state.height + w.state.genesis.Params.Finality
	if !ok || round.Due != due || !round.Claimed || round.Slots[1] != (SlotState{Status: SlotClaimed, Miner: acct("other"), Cost: 2000, Owed: w.state.Supply().Owed - round.Slots[0].Owed - mustRound(t, w, r, 1).Slots[0].Owed}) {
		t.Errorf("round %+v", round)
	}
	if want := price(1000, rate); round.Slots[0].Owed < want || round.Slots[0].Owed > want+want/10 {
		t.Errorf("owed %d, want about %d", round.Slots[0].Owed, want)
	}
	w.want(Already, "coordinator", two)
	w.want(Already, "coordinator", Claim{Run: r.id, Rounds: List[RoundClaim]{r.round(2, "miner"), r.round(2, "miner")}})
	w.must("coordinator", Claim{Run: r.id, Rounds: List[RoundClaim]{r.round(2, "miner"), r.round(3, "miner")}})
	w.want(Already, "coordinator", r.claim(3, "miner"))
	w.finality()
	if f := r.function(); f.Paid != 3 || f.Next != 3 || !f.ClosingPaid || r.spent() != 0 {
		t.Errorf("function %+v", f)
	}
	if got := w.state.Supply(); got.Owed != 0 || got.Minted != w.free("miner")+w.free("other") {
		t.Errorf("books %+v", got)
	}
	if other, miner := w.free("other"), w.free("miner"); miner < 7*other || miner > 9*other {
		t.Errorf("miner has %d for 16,000 MFLOP, other %d for 2000", miner, other)
	}
}

func mustRound(t tester, w *world, r *testRun, round uint32) RoundState {
	t.Helper()
	s, ok := w.state.Round(r.Function, round)
	if !ok {
		t.Fatalf("there is no record of round %d", round)
	}
	return s
}

// A run that ends early is paid for the rounds it did, and for what follows the last. A
// later run of the same function goes on from there, and is paid for no group twice.
func TestClaimEarlyEnd(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("second", 1_000_000)
	w.earn("first", 1_000_000)
	short := w.run("first", "short", newPlan("p", []uint64{1000}, []uint64{500}))
	w.must("first", Claim{Run: short.id, Rounds: List[RoundClaim]{short.round(0, "m0"), short.round(1, "closer")}})
	w.finality()
	closer := w.free("closer")
	if f := short.function(); w.free("m0") == 0 || closer == 0 || f.Paid != 1 || !f.ClosingPaid || w.state.Supply().Owed != 0 {
		t.Errorf("m0 %d, closer %d, function %+v", w.free("m0"), closer, f)
	}
	long := w.run("second", "long", newPlan("p", []uint64{1000}, []uint64{1000}, []uint64{500}))
	w.want(Already, "second", long.claim(0, "m0"))
	w.must("second", long.claim(1, "m1"))
	w.want(Already, "second", long.claim(2, "closer"))
	w.finality()
	if f := long.function(); w.free("m1") == 0 || w.free("closer") != closer || f.Paid != 2 {
		t.Errorf("m1 %d, closer %d, function %+v", w.free("m1"), w.free("closer"), f)
	}
}

// Nobody is paid for a slot without work. Its miner can still claim it.
func TestClaimLeavesSlotsOpen(t *testing.T) {
	w := newWorld(t, LocalParams())
	r := w.run("coordinator", "p", newPlan("p", []uint64{1000, 1000, 1000}, nil))
	w.must("coordinator", r.claim(0, "miner", "", ""))
	w.must("left out", r.unitClaim(0, 1, "left out"))
	w.finality()
	if a, b := w.free("miner"), w.free("left out"); a == 0 || b < a || b > a+a/10 {
		t.Errorf("miner has %d, left out %d", a, b)
	}
	if f := r.function(); f.Paid != 1 {
		t.Errorf("function %+v", f)
	}
	if _, known := w.state.Round(r.Function, 0); known {
		t.Error("the record of a paid round stays")
	}
}

func TestClaimRefused(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("mallory", 1_000_000)
	w.earn("coordinator", 1_000_000)
	r := w.run("coordinator", "p", newPlan("p", []uint64{1000, 2000}, []uint64{3000}, nil))
	change := func(f func(*RoundClaim)) Claim {
		c := r.round(0, "miner")
		f(&c)
		return Claim{Run: r.id, Rounds: List[RoundClaim]{c}}
	}
	work := func(f func(*SlotWork)) Claim {
		return change(func(c *RoundClaim) { f(&c.Slots[1].Work[0]) })
	}
	w.refuses(t, []refusal{
		{"of a stranger", UnknownRun, "mallory", r.claim(0, "mallory"), enough},
		{"no rounds", TooLarge, "coordinator", Claim{Run: r.id}, enough},
		{"no run", Malformed, "coordinator", Claim{Rounds: r.claim(0, "m").Rounds}, enough},
		{"no params", Malformed, "coordinator", change(func(c *RoundClaim) { c.Params = block.Link{} }), enough},
		{"no log", Malformed, "coordinator", change(func(c *RoundClaim) { c.Log = block.Link{} }), enough},
		{"slot of another cost", Mismatch, "coordinator", change(func(c *RoundClaim) { c.Slots[0].Slot.Most++ }), enough},
		{"slot of another task", Mismatch, "coordinator", change(func(c *RoundClaim) { c.Slots[0].Slot.Task = link("x") }), enough},
		{"slot too few", Mismatch, "coordinator", change(func(c *RoundClaim) { c.Slots = c.Slots[:1] }), enough},
		{"slot twice", Mismatch, "coordinator", change(func(c *RoundClaim) { c.Slots[1] = c.Slots[0] }), enough},
		{"round of another number", Mismatch, "coordinator", change(func(c *RoundClaim) { c.Slots = r.round(1, "m").Slots }), enough},
		{"no path", Malformed, "coordinator", change(func(c *RoundClaim) { c.Path = nil }), enough},
		{"half a hash", Malformed, "coordinator", change(func(c *RoundClaim) { c.Path = c.Path[1:] }), enough},
		{"two works in a slot", Malformed, "coordinator", change(func(c *RoundClaim) { c.Slots[0].Work = append(c.Slots[0].Work, c.Slots[0].Work[0]) }), enough},
		{"another result", BadSignature, "coordinator", work(func(s *SlotWork) { s.Result = link("x") }), enough},
		{"another unit", BadSignature, "coordinator", work(func(s *SlotWork) { s.Unit = link("x") }), enough},
		{"another ticket", BadSignature, "coordinator", work(func(s *SlotWork) { s.Ticket = link("x") }), enough},
		{"another miner", BadSignature, "coordinator", work(func(s *SlotWork) { s.Account = acct("mallory") }), enough},
		{"no signature", BadSignature, "coordinator", work(func(s *SlotWork) { s.Sig = nil }), enough},
		{"no result", Malformed, "coordinator", work(func(s *SlotWork) { s.Result = block.Link{} }), enough},
		{"record of a cost that is known", Malformed, "coordinator", work(func(s *SlotWork) { s.Record = []byte{1} }), enough},
		{"good", OK, "coordinator", r.claim(0, "miner"), 0},
	})
}

// Plans of one function agree in what learns. A plan that does not, which no validator
// computes, cannot spoil what miners have claimed.
func TestPlansThatDisagree(t *testing.T) {
	w := newWorld(t, LocalParams())
	for _, who := range []string{"a", "b", "c"} {
		w.earn(who, 1_000_000)
	}
	a := w.run("a", "a", newPlan("p", []uint64{1000, 1000}, nil))
	b := w.run("b", "b", newPlan("p", []uint64{1000}, nil))
	c := w.run("c", "c", newPlan("p", []uint64{100, 100}, nil))
	w.must("m", a.unitClaim(0, 1, "m"))
	w.want(Mismatch, "b", b.claim(0, "crony"))
	w.want(OverBudget, "c", c.claim(0, ""))
	w.must("a", a.claim(0, ""))
	w.finality()
	if w.free("m") == 0 {
		t.Error("the miner was not paid")
	}
}

// measuredPlan has translations, whose cost depends on the result.
func measuredPlan(name string, most uint64, n int) *plan {
	rounds := [][]protocol.Slot{{slot(name, 0, 1000)}, nil}
	for i := range n {
		rounds[1] = append(rounds[1], JobSlot(uint32(i), link(name), most))
	}
	return planOf(name, rounds)
}

// The cost of a translation stands in the record of its result, and is at most the slot's.
func TestMeasuredCost(t *testing.T) {
	w := newWorld(t, LocalParams())
	r := w.run("coordinator", "p", measuredPlan("p", 5000, 2))
	w.must("coordinator", r.claim(0, "miner"))
	liar := attested(t, "liar", "coordinator", r.id, 1, r.rounds[1][1], link("unit"), 1<<40)
	cheap := attested(t, "honest", "coordinator", r.id, 1, r.rounds[1][0], link("unit"), 3000)
	claim := func(a, b SlotWork) Claim {
		c := r.round(1, "honest")
		c.Slots[0].Work, c.Slots[1].Work = List[SlotWork]{a}, List[SlotWork]{b}
		return Claim{Run: r.id, Rounds: List[RoundClaim]{c}}
	}
	forged, other, none := liar, liar, liar
	forged.Record = encode(unit.Result{Version: 1, Unit: liar.Unit, Cost: 1})
	other.Unit = link("other")
	none.Record = nil
	wrong := attested(t, "liar", "coordinator", r.id, 1, r.rounds[1][1], link("unit"), 1)
	wrong.Unit = link("a unit that the record does not name")
	resign(t, "liar", "coordinator", r.id, 1, r.rounds[1][1], &wrong)
	w.refuses(t, []refusal{
		{"another record", Mismatch, "coordinator", claim(cheap, forged), 0},
		{"no record", Mismatch, "coordinator", claim(cheap, none), 0},
		{"record of another unit", Mismatch, "coordinator", claim(cheap, wrong), 0},
		{"another unit", BadSignature, "coordinator", claim(cheap, other), 0},
	})
	w.must("coordinator", claim(cheap, liar))
	if got := r.spent(); got != 1000+3000+5000 {
		t.Errorf("spent %d, want 9000", got)
	}
	// A result that is no result.
	q := w.run("coordinator 2", "q", measuredPlan("q", 5000, 1))
	w.must("coordinator 2", q.claim(0, "miner"))
	junk := attested(t, "liar", "coordinator 2", q.id, 1, q.rounds[1][0], link("unit"), 1)
	junk.Record = []byte{0x80}
	junk.Result = block.Link{Cid: block.Sum(block.CBOR, junk.Record)}
	resign(t, "liar", "coordinator 2", q.id, 1, q.rounds[1][0], &junk)
	qc := q.round(1, "liar")
	qc.Slots[0].Work = List[SlotWork]{junk}
	w.want(Malformed, "coordinator 2", Claim{Run: q.id, Rounds: List[RoundClaim]{qc}})
}

// resign signs changed work.
func resign(t tester, miner, publisher string, work block.Link, round uint32, s protocol.Slot, w *SlotWork) {
	t.Helper()
	at := protocol.Attestation{
		Work: work, Publisher: acct(publisher), Place: protocol.Place{Round: round, Kind: s.Kind, Index: s.Index},
		Unit: w.Unit, Result: w.Result, Ticket: w.Ticket,
	}
	if _, err := protocol.Sign(key(miner), testNet, &at); err != nil {
		t.Fatal(err)
	}
	w.Account, w.Sig = at.Account, at.Sig
}

// A miner's own claim, with the coordinator's accept, takes the place of the coordinator's
// claim for somebody else. The first such claim stands.
func TestUnitClaim(t *testing.T) {
	w := newWorld(t, LocalParams())
	r := w.run("coordinator", "p", newPlan("p", []uint64{1000, 1000}, []uint64{1000}, nil))
	early := r.unitClaim(0, 0, "honest")
	w.must("honest", early) // before the coordinator's claim
	w.want(Already, "honest", early)
	w.want(Already, "second", r.unitClaim(0, 0, "second"))
	w.want(BadRound, "honest", r.unitClaim(1, 0, "honest"))
	w.must("coordinator", r.claim(0, "crony"))
	round := mustRound(t, w, r, 0)
	if round.Slots[0].Miner != acct("honest") || round.Slots[0].Status != SlotAccepted || round.Slots[1].Miner != acct("crony") {
		t.Fatalf("slots %+v", round.Slots)
	}
	w.want(Already, "crony", r.unitClaim(0, 1, "crony")) // it has it
	w.must("robbed", r.unitClaim(0, 1, "robbed"))
	w.want(Already, "crony", r.unitClaim(0, 1, "crony"))
	w.finality()
	if w.free("honest") == 0 || w.free("robbed") == 0 || w.free("crony") != 0 || w.state.Supply().Owed != 0 {
		t.Errorf("honest %d, robbed %d, crony %d", w.free("honest"), w.free("robbed"), w.free("crony"))
	}
	w.want(Already, "third", r.unitClaim(0, 1, "third"))
}

// A coordinator cannot spoil a miner's pay by a claim that costs nothing: the miner's
// claim has a record of its own.
func TestUnitClaimCountsItsOwnCost(t *testing.T) {
	w := newWorld(t, LocalParams())
	r := w.run("coordinator", "p", measuredPlan("p", 5000, 1))
	w.must("coordinator", r.claim(0, "miner"))
	c := r.round(1, "crony")
	c.Slots[0].Work = List[SlotWork]{attested(t, "crony", "coordinator", r.id, 1, r.rounds[1][0], link("unit"), 0)}
	w.must("coordinator", Claim{Run: r.id, Rounds: List[RoundClaim]{c}})
	w.must("honest", r.unitClaimOf(1, 0, attested(t, "honest", "coordinator", r.id, 1, r.rounds[1][0], link("unit"), 4000)))
	if got := r.spent(); got != 5000 {
		t.Errorf("spent %d, want 5000", got)
	}
	w.finality()
	if w.free("honest") == 0 {
		t.Error("the miner was not paid")
	}
}

// Where the coordinator never claims a round, the units that learn are paid by the claims
// of their miners. Nobody puts the pay of others off.
func TestUnitClaimAlone(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("m1", 1_000_000)
	w.earn("coordinator", 1_000_000)
	rounds := newPlan("p", []uint64{1000}, []uint64{1000, 1000, 1000}, []uint64{1000}).rounds
	rounds[1][2].Kind = uint16(unit.Combine)
	r := w.run("coordinator", "p", planOf("p", rounds))
	w.must("coordinator", r.claim(0, "miner"))
	w.want(NotDue, "m1", r.unitClaim(1, 2, "m1")) // a combine waits for the coordinator
	w.want(BadRound, "m1", r.unitClaim(2, 0, "m1"))
	closing := r.unitClaim(1, 0, "m1")
	closing.Closing = true // which it is not
	w.want(NotDue, "m1", closing)
	had := w.free("m1")
	w.must("m1", r.unitClaim(1, 0, "m1"))
	due := mustRound(t, w, r, 1).Due
	w.apply()
	w.must("m2", r.unitClaim(1, 1, "m2")) // paid with m1
	w.wait(due - 1)
	if w.free("m1") != had || w.free("m2") != 0 {
		t.Errorf("too early m1 has %d of %d, m2 %d", w.free("m1"), had, w.free("m2"))
	}
	w.apply()
	if w.free("m1") == had || w.free("m2") == 0 || w.state.Supply().Owed != 0 {
		t.Errorf("m1 has %d of %d, m2 %d, books %+v", w.free("m1"), had, w.free("m2"), w.state.Supply())
	}
	// The coordinator comes back: what is paid stays, the rest is claimed.
	w.must("coordinator", Claim{Run: r.id, Rounds: List[RoundClaim]{r.round(1, "crony", "crony", "combiner"), r.round(2, "crony")}})
	m1 := w.free("m1")
	w.finality()
	if w.free("combiner") == 0 || w.free("crony") == 0 || w.free("m1") != m1 || r.function().Paid != 2 || w.state.Supply().Owed != 0 {
		t.Errorf("combiner has %d, crony %d, m1 %d of %d, function %+v", w.free("combiner"), w.free("crony"), w.free("m1"), m1, r.function())
	}
}

// The end of a run does not lose the units of a round that only its miners have claimed.
func TestUnitClaimBeforeEarlyEnd(t *testing.T) {
	w := newWorld(t, LocalParams())
	r := w.run("coordinator", "p", newPlan("p", []uint64{1000}, []uint64{1000, 1000}, []uint64{1000}, []uint64{1000}))
	w.must("coordinator", r.claim(0, "miner"))
	w.must("m1", r.unitClaim(1, 0, "m1"))
	w.must("coordinator", r.claim(3, "closer"))
	w.must("m2", r.unitClaim(1, 1, "m2"))
	w.finality()
	w.finality()
	if w.free("m1") == 0 || w.free("m2") == 0 || w.free("closer") == 0 || w.state.Supply().Owed != 0 || !r.function().ClosingPaid {
		t.Errorf("m1 has %d, m2 %d, closer %d, function %+v", w.free("m1"), w.free("m2"), w.free("closer"), r.function())
	}
}

// What follows the last round is claimed by its miners only after the coordinator.
func TestUnitClaimOfTheLastGroup(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("m1", 1_000_000)
	r := w.run("founder", "p", newPlan("p", []uint64{1000}, []uint64{1000, 1000}))
	w.must("founder", r.claim(0, "miner"))
	mine := r.unitClaim(1, 0, "m1")
	w.want(NotDue, "m1", mine)
	hidden := mine
	hidden.Closing = false
	w.want(NotDue, "m1", hidden)
	hidden.Closing, hidden.Round = true, 0
	w.want(Already, "m1", hidden)
	w.must("founder", r.claim(1, "", "crony"))
	w.want(UnknownRun, "m1", UnitClaim{Run: r.id, Function: link("x"), Work: mine.Work, Proof: mine.Proof})
	had := w.free("m1")
	w.must("m1", mine)
	w.must("m1", r.unitClaim(1, 1, "m1"))
	w.finality()
	if w.free("m1") <= had || w.free("crony") != 0 || w.state.Supply().Owed != 0 {
		t.Errorf("m1 has %d of %d, crony %d", w.free("m1"), had, w.free("crony"))
	}
}

func TestUnitClaimRefused(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("miner", 1_000_000)
	w.earn("coordinator", 1_000_000)
	r := w.run("coordinator", "p", newPlan("p", []uint64{1000, 2000}, []uint64{1000}, nil))
	w.must("coordinator", r.claim(0, "miner", ""))
	change := func(f func(*UnitClaim)) UnitClaim {
		c := r.unitClaim(0, 1, "miner")
		f(&c)
		return c
	}
	w.refuses(t, []refusal{
		{"no function", Malformed, "miner", change(func(c *UnitClaim) { c.Function = block.Link{} }), enough},
		{"no run", Malformed, "miner", change(func(c *UnitClaim) { c.Run = block.Link{} }), enough},
		{"unknown function", UnknownRun, "miner", change(func(c *UnitClaim) { c.Function = link("x") }), enough},
		{"unknown function for free", FeeTooLow, "miner", change(func(c *UnitClaim) { c.Function = link("x") }), 0},
		{"too many slots", TooLarge, "miner", change(func(c *UnitClaim) { c.Proof.Group.Slots = maxClaimed + 1 }), enough},
		{"another cost", Mismatch, "miner", change(func(c *UnitClaim) { c.Proof.Slot.Most++ }), enough},
		{"another position", Mismatch, "miner", change(func(c *UnitClaim) { c.Proof.Position = 0 }), enough},
		{"another round", Mismatch, "miner", change(func(c *UnitClaim) { c.Round = 1 }), enough},
		{"not the coordinator", NotCoordinator, "miner", change(func(c *UnitClaim) { c.Acceptor = acct("mallory") }), enough},
		{"another run", NotCoordinator, "miner", change(func(c *UnitClaim) { c.Run = link("x") }), enough},
		{"no accept", BadSignature, "miner", change(func(c *UnitClaim) { c.Accept = nil }), enough},
		{"another's accept", BadSignature, "miner", change(func(c *UnitClaim) { c.Accept = r.unitClaim(0, 1, "other").Accept }), enough},
		{"accept of another slot", BadSignature, "miner", change(func(c *UnitClaim) { c.Accept = r.unitClaim(0, 0, "miner").Accept }), enough},
		{"another result", BadSignature, "miner", change(func(c *UnitClaim) { c.Work.Result = link("x") }), enough},
		{"good", OK, "miner", r.unitClaim(0, 1, "miner"), 0},
		{"sent by anybody", OK, "stranger", r.unitClaim(0, 1, "miner"), 0},
	})
	// When the pay is due, the round is closed.
	good := r.unitClaim(0, 1, "miner")
	w.finality()
	w.want(Already, "miner", good)
}
