package ledger

import (
	"fmt"
	"testing"
)

func TestProposals(t *testing.T) {
	w := newWorld(t, LocalParams())
	p := newPlan("p", []uint64{10, 20}, nil)
	r := &testRun{plan: p, w: w, id: link("run"), coordinator: "coordinator"}
	w.want(UnknownRun, "validator", r.vote(true))
	w.must("coordinator", r.propose())
	name := RunName{Run: r.id, Coordinator: acct("coordinator")}
	if got := w.state.Proposals(); len(got) != 1 || got[0] != name {
		t.Errorf("proposals %v", got)
	}
	other := *p
	other.Cost++
	w.refuses(t, []refusal{
		{"proposed twice", Already, "coordinator", r.propose(), 0},
		{"vote of a stranger", FeeTooLow, "mallory", r.vote(true), 0},
		{"vote about another plan", Mismatch, "validator", (&testRun{plan: &other, id: r.id, coordinator: "coordinator"}).vote(true), 0},
		{"vote about no run", Malformed, "validator", RunVote{}, 0},
		{"claim before the vote", FeeTooLow, "coordinator", r.claim(0, "miner"), 0},
		{"no run", Malformed, "x", RunPropose{Plan: p.Plan, Silence: 100}, 0},
		{"no function", Malformed, "x", RunPropose{Run: r.id, Plan: Plan{Groups: 2}, Silence: 100}, 0},
		{"one group", Malformed, "x", RunPropose{Run: r.id, Plan: Plan{Function: r.id, Groups: 1}, Silence: 100}, 0},
		{"too many groups", Malformed, "x", RunPropose{Run: r.id, Plan: Plan{Function: r.id, Groups: maxGroups + 1}, Silence: 100}, 0},
		{"short silence", Malformed, "x", RunPropose{Run: r.id, Plan: p.Plan, Silence: minSilence - 1}, 0},
		{"long silence", Malformed, "x", RunPropose{Run: r.id, Plan: p.Plan, Silence: maxSilence + 1}, 0},
		{"the same run of somebody else", OK, "mallory", r.propose(), 0}, // it is in nobody's way
	})
	w.must("validator", r.vote(true))
	w.want(Already, "validator", r.vote(true))
	if got := w.state.Proposals(); len(got) != 0 || r.state().Status != Approved {
		t.Errorf("proposals after the vote: %v, the run is %s", got, r.state().Status)
	}
	if f := r.function(); f.Version != 1 || f.Next != 0 {
		t.Errorf("function %+v", f)
	}
}

func TestNotAValidatorsVote(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("mallory", 1_000_000)
	r := &testRun{plan: newPlan("p", []uint64{1}, nil), w: w, id: link("run"), coordinator: "mallory"}
	w.must("mallory", r.propose())
	w.want(NotValidator, "mallory", r.vote(true))
}

// A refused proposal blocks nothing and loses its bond.
func TestRefusedProposal(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("alice", 10_000_000)
	r := &testRun{plan: newPlan("p", []uint64{1}, nil), w: w, id: link("run"), coordinator: "alice"}
	w.refuses(t, []refusal{{"for free, in a network that has tokens", FeeTooLow, "alice", r.propose(), 0}})
	w.must("alice", r.propose())
	bond := r.state().Bond
	if books := w.state.Supply(); bond == 0 || books.Bonds != bond {
		t.Fatalf("bond %d, books %+v", bond, books)
	}
	burned := w.state.Supply().Burned
	w.must("validator", r.vote(false))
	books := w.state.Supply()
	if _, known := w.state.Run(r.id, acct("alice")); known || books.Burned != burned+bond || books.Bonds != 0 || len(w.state.Proposals()) != 0 {
		t.Errorf("known %v, books %+v after burning %d", known, books, burned)
	}
	w.must("alice", r.propose())
	w.must("validator", r.vote(true))
}

// A proposal that nobody decides expires, and its bond comes back.
func TestProposalExpires(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("alice", 10_000_000)
	r := &testRun{plan: newPlan("p", []uint64{1}, nil), w: w, id: link("run"), coordinator: "alice"}
	w.must("alice", r.propose())
	had, bond := w.free("alice"), r.state().Bond
	w.wait(r.state().Active + ProposalLife)
	if _, known := w.state.Run(r.id, acct("alice")); !known {
		t.Fatal("gone too early")
	}
	w.apply()
	if _, known := w.state.Run(r.id, acct("alice")); known || w.free("alice") != had+bond || len(w.state.Proposals()) != 0 {
		t.Errorf("known %v, alice has %d, want %d", known, w.free("alice"), had+bond)
	}
}

// While a network is young, proposals are free. Their number is bounded, and they expire.
func TestProposalsAreBounded(t *testing.T) {
	w := newWorld(t, LocalParams())
	p := newPlan("p", []uint64{1}, nil)
	var txs []*Tx
	for i := range maxProposals {
		r := &testRun{plan: p, w: w, id: link(fmt.Sprint(i)), coordinator: "x"}
		txs = append(txs, w.parse(w.signTx(fmt.Sprint("fresh key ", i), Tx{ExpHeight: 10, Body: r.propose()})))
	}
	w.apply(txs...)
	honest := &testRun{plan: p, w: w, id: link("honest"), coordinator: "coordinator"}
	w.want(Busy, "coordinator", honest.propose())
	w.wait(w.state.height + ProposalLife)
	w.must("coordinator", honest.propose())
}

// Votes count that validators give, and at their numbers when the last one votes.
func TestRunVotes(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.admit("v2", "v3", "v4")
	r := &testRun{plan: newPlan("p", []uint64{1}, nil), w: w, id: link("run"), coordinator: "coordinator"}
	w.must("coordinator", r.propose())
	w.must("v2", r.vote(true))
	w.must("v3", r.vote(true))
	if r.state().Status != Proposed {
		t.Fatal("two of four approve")
	}
	// A vote of an account that is no validator any more does not count.
	w.must("v3", ValidatorVote{Account: acct("v3")})
	w.must("v4", r.vote(true)) // v2 and v4 of three
	if r.state().Status != Proposed {
		t.Fatal("two of three approve")
	}
	w.must("validator", r.vote(true))
	if r.state().Status != Approved {
		t.Fatal("three of three do not approve")
	}
	// A third refuses.
	r = &testRun{plan: newPlan("q", []uint64{1}, nil), w: w, id: link("run 2"), coordinator: "coordinator"}
	w.must("coordinator", r.propose())
	w.must("v2", r.vote(false))
	if _, known := w.state.Run(r.id, acct("coordinator")); known {
		t.Error("a third does not refuse")
	}
}

func TestRunEnd(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("coordinator", 10_000_000)
	r := w.run("coordinator", "p", newPlan("p", []uint64{1000, 1000}, []uint64{1000, 1000}, []uint64{1000}, nil))
	late := r.unitClaim(1, 0, "miner")
	w.must("coordinator", r.claim(0, "miner"))
	had, bond := w.free("coordinator"), r.state().Bond
	w.must("coordinator", RunEnd{Run: r.id})
	if r.state().Status != Ended {
		t.Fatal("the run has not ended")
	}
	w.refuses(t, []refusal{
		{"ended twice", Already, "coordinator", RunEnd{Run: r.id}, enough},
		{"claim after the end", NotApproved, "coordinator", r.claim(1, "miner"), enough},
		{"sign of life after the end", NotApproved, "coordinator", Heartbeat{Run: r.id}, enough},
		{"take-over after the end", NotApproved, "founder", RunTake{Run: r.id, Coordinator: acct("coordinator")}, enough},
		{"end of no run", UnknownRun, "founder", RunEnd{Run: r.id}, enough},
		{"end of nothing", Malformed, "founder", RunEnd{}, enough},
		{"propose while the record stands", Already, "coordinator", r.propose(), enough},
	})
	// The miner of the round that is not claimed claims itself, with its accept.
	miner := w.free("miner")
	w.must("miner", late)
	w.wait(r.state().Active + w.state.genesis.Params.Finality + 1)
	if _, known := w.state.Run(r.id, acct("coordinator")); known || w.free("coordinator") != had+bond {
		t.Errorf("known %v, the coordinator has %d, want %d", known, w.free("coordinator"), had+bond)
	}
	w.finality()
	if got := w.free("miner"); got <= miner {
		t.Errorf("the miner has %d", got)
	}
	w.want(UnknownRun, "miner", r.unitClaim(1, 1, "miner"))
	w.want(UnknownRun, "miner", r.unitClaim(2, 0, "miner"))
	if got := w.state.Supply().Owed; got != 0 {
		t.Errorf("%d are owed", got)
	}
	// The function is remembered: its rounds do not mint again.
	again := w.run("coordinator", "p", r.plan)
	w.want(Already, "coordinator", again.claim(0, "miner"))
	w.must("coordinator", again.claim(1, "miner"))
}

// A coordinator takes its proposal back, with the bond.
func TestProposalTakenBack(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("alice", 10_000_000)
	r := &testRun{plan: newPlan("p", []uint64{1}, nil), w: w, id: link("run"), coordinator: "alice"}
	w.must("alice", r.propose())
	w.must("alice", RunEnd{Run: r.id})
	if _, known := w.state.Run(r.id, acct("alice")); known || len(w.state.Proposals()) != 0 || w.state.Supply().Bonds != 0 {
		t.Errorf("known %v, books %+v", known, w.state.Supply())
	}
	w.want(UnknownRun, "validator", r.vote(true))
}

func TestHeartbeatAndTake(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("rescuer", 10_000_000)
	w.earn("poor", 1000)
	w.earn("coordinator", 1_000_000)
	r := w.run("coordinator", "p", newPlan("p", []uint64{1000}, []uint64{1000}, []uint64{1000}, nil))
	w.must("coordinator", r.claim(0, "miner"))
	old := r.unitClaim(0, 0, "late miner")
	w.want(Already, "coordinator", Heartbeat{Run: r.id})
	w.wait(r.state().Active + r.state().Silence/4 - 1)
	w.must("coordinator", Heartbeat{Run: r.id})
	active := w.state.height
	if r.state().Active != active {
		t.Errorf("active at %d, want %d", r.state().Active, active)
	}
	take := RunTake{Run: r.id, Coordinator: acct("coordinator")}
	w.must("rescuer", Lock{Amount: coin})
	w.wait(active + r.state().Silence - 1)
	w.want(NotDue, "rescuer", take)
	w.refuses(t, []refusal{
		{"without stake", NoStake, "poor", take, enough},
		{"for free", FeeTooLow, "rescuer", take, 0},
		{"of a run that is none", UnknownRun, "rescuer", RunTake{Run: r.id, Coordinator: acct("mallory")}, enough},
		{"of nothing", Malformed, "rescuer", RunTake{}, enough},
		{"of the own run", Already, "coordinator", take, enough},
	})
	w.must("rescuer", take)
	if _, known := w.state.Run(r.id, acct("coordinator")); known {
		t.Error("the old coordinator still has the run")
	}
	w.want(UnknownRun, "coordinator", r.claim(1, "miner"))
	// The next round is the rescuer's; that which was claimed stayed with the old one.
	r.coordinator = "rescuer"
	if got := r.state(); got.Status != Approved || got.Bond == 0 {
		t.Errorf("run %+v", got)
	}
	w.must("rescuer", r.claim(1, "miner"))
	w.want(UnknownRun, "late miner", old) // it is paid by now
	w.must("rescuer", r.claim(2, "miner"))
	w.must("rescuer", RunEnd{Run: r.id})
	w.finality()
	w.apply()
	if got := w.state.Supply(); got.Owed != 0 || got.Bonds != 0 {
		t.Errorf("books %+v", got)
	}
}

// admit makes accounts validators, one after another.
func (w *world) admit(names ...string) {
	w.Helper()
	for _, name := range names {
		stake := Collateral(w.state.genesis.Params.Stake, w.state.Supply())
		if w.state.Account(acct(name)).Locked < stake {
			w.earn(name, 100_000)
			w.must(name, Lock{Amount: 2*stake + 1})
		}
		for _, m := range w.state.Validators().Members {
			if w.member(acct(name)) {
				break
			}
			w.apply(w.parse(w.sign(w.nameOf(m), ValidatorVote{Account: acct(name), Admit: true})))
		}
		if !w.member(acct(name)) {
			w.Fatalf("%s was not admitted", name)
		}
	}
}
