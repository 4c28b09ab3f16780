package node_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/ledgertest"
	"github.com/alia-network/alia/protocol"
)

// TestRunClaims: a run is proposed, approved, claimed round by round in order, then several
// rounds in one claim, then what follows the last round, and ended. Everybody is paid, the
// bond comes back, and the journal says that nothing is left.
func TestRunClaims(t *testing.T) {
	l := ledgertest.New(t)
	l.Earn(key("coordinator"), 1_000_000) // a bond, and what it is measured by
	sent := len(l.Sent())
	c := newClaiming(t, l, "coordinator")
	me := protocol.AccountOf(key("coordinator"))
	before := l.State().Account(me)
	if c.claims.Left() != "" {
		t.Errorf("before the first round %s are left", c.claims.Left())
	}
	c.step(node.ErrNotApproved)
	c.commit(0, 1)
	c.step(node.ErrNotApproved)
	if bond := l.State().Supply().Bonds; bond == 0 || l.State().Account(me).Balance >= before.Balance {
		t.Errorf("a bond of %d is set aside", bond)
	}
	l.Vote(c.plan.Link, me, true)
	c.step(nil)
	c.step(nil) // nothing to do
	c.commit(1, len(c.rounds))
	if want := fmt.Sprintf("%d rounds", len(c.rounds)-1); c.claims.Left() != want {
		t.Errorf("%q are left, want %q", c.claims.Left(), want)
	}
	c.step(nil)
	c.claims.Trained(c.closing)
	c.step(nil)
	c.step(nil)
	want := []string{"ledger.RunPropose", "ledger.RunVote", "ledger.Claim", "ledger.Claim", "ledger.Claim", "ledger.RunEnd"}
	if got := kinds(l, sent); !reflect.DeepEqual(got, want) {
		t.Errorf("the ledger took %v, want %v", got, want)
	}
	if several := l.Sent()[sent+3].(ledger.Claim); len(several.Rounds) != len(c.rounds)-1 {
		t.Errorf("the second claim has %d rounds", len(several.Rounds))
	}
	c.over()
	c.paid(len(c.rounds), true)
	if s := l.State().Supply(); s.Bonds != 0 || s.Owed != 0 {
		t.Errorf("at the end bonds of %d are set aside, and %d are owed", s.Bonds, s.Owed)
	}
	if n := c.told.count(func(n node.Notice) bool { _, ok := n.(node.UnitsSettled); return ok }); n != 3 {
		t.Errorf("the coordinator heard %d times of claimed units", n)
	}
}

// TestRunClaimsRestart: a coordinator that is started again tells its claims of all rounds.
// Those that the ledger has are not claimed again, also after the ledger has forgotten the
// run.
func TestRunClaimsRestart(t *testing.T) {
	l := ledgertest.New(t)
	c := newClaiming(t, l, "coordinator")
	c.commit(0, 2)
	c.approved()
	c.step(nil)
	again := func() {
		c.journal.Close()
		c.open()
	}
	again()
	c.step(nil) // before it is told of its rounds
	c.commit(0, 3)
	if c.drain(); l.State().Supply().Minted > 0 {
		t.Error("rounds were paid at once")
	}
	again()
	c.end()
	c.drain()
	c.over()
	c.paid(len(c.rounds), true)
	sent, minted := len(l.Sent()), l.State().Supply().Minted
	for range 2 { // while the run is known, and when it is dropped
		again()
		c.end()
		c.drain()
		c.over()
		l.Pass(10)
	}
	if len(l.Sent()) != sent || l.State().Supply().Minted != minted {
		t.Errorf("%v were sent for a run that has ended", kinds(l, sent))
	}
}

// TestRunClaimsLate: the ledger was away during the whole run. Everything is claimed
// afterwards.
func TestRunClaimsLate(t *testing.T) {
	l := ledgertest.New(t)
	c := newClaiming(t, l, "coordinator")
	l.Break(func(string) error { return light.ErrUnreachable })
	c.end()
	c.step(light.ErrUnreachable)
	l.Break(nil)
	if c.claims.Left() == "" {
		t.Error("nothing is left of a run that nobody has proposed")
	}
	c.approved()
	c.drain()
	c.over()
	c.paid(len(c.rounds), true)
}

// TestRunClaimsEarlyEnd: a run that ends before its plan does claims what it has done, and
// what follows.
func TestRunClaimsEarlyEnd(t *testing.T) {
	l := ledgertest.New(t)
	c := newClaiming(t, l, "coordinator")
	const rounds = 2
	c.approved()
	c.commit(0, rounds)
	c.step(nil)
	c.claims.Trained(c.closing)
	c.drain()
	if f, _ := l.State().Function(must(c.plan.Function())(t)); f.Next != rounds || !f.Closing {
		t.Errorf("the ledger has %d rounds, closing %v", f.Next, f.Closing)
	}
	c.paid(rounds, true)
	if r, known := l.State().Run(c.plan.Link, protocol.AccountOf(key("coordinator"))); known {
		t.Errorf("the run is still %v", r.Status)
	}
}

// TestRunClaimsRefused: a coordinator whose run the validators refuse does not propose it
// again, for each refusal burns a bond. One that they did not decide in time it does.
func TestRunClaimsRefused(t *testing.T) {
	l := ledgertest.New(t)
	l.Earn(key("coordinator"), 1_000_000)
	sent := len(l.Sent())
	c := newClaiming(t, l, "coordinator")
	c.step(node.ErrNotApproved)
	l.Pass(ledger.ProposalLife + 1) // nobody votes
	c.step(node.ErrNotApproved)
	l.Vote(c.plan.Link, protocol.AccountOf(key("coordinator")), false)
	c.end()
	for range 3 {
		c.step(node.ErrRefused)
		l.Pass(ledger.ProposalLife)
	}
	r := &node.Relay{Claims: c.claims, Report: c.told.report, Log: quiet}
	if err := r.Drain(t.Context()); !errors.Is(err, node.ErrRefused) {
		t.Errorf("Drain = %v", err)
	}
	if got, want := kinds(l, sent), []string{"ledger.RunPropose", "ledger.RunPropose", "ledger.RunVote"}; !reflect.DeepEqual(got, want) {
		t.Errorf("the ledger took %v, want %v", got, want)
	}
}

// TestRunClaimsEnded: a run that was ended on the ledger goes on as a new proposal.
func TestRunClaimsEnded(t *testing.T) {
	l := ledgertest.New(t)
	c := newClaiming(t, l, "coordinator")
	c.commit(0, 1)
	c.approved()
	c.step(nil)
	if _, err := l.Sender(key("coordinator")).Send(t.Context(), ledger.RunEnd{Run: c.plan.Link}); err != nil {
		t.Fatal(err)
	}
	c.commit(1, len(c.rounds))
	c.step(node.ErrNotApproved)
	l.Pass(int(l.State().Genesis().Params.Finality) + 1)
	c.approved()
	c.claims.Trained(c.closing)
	c.drain()
	c.over()
	c.paid(len(c.rounds), true)
}

// TestRunClaimsSuperseded: of two coordinators of one function each round is paid to the
// miners of the first that claims it. The other hears why its own are not, and goes on when
// it is ahead.
func TestRunClaimsSuperseded(t *testing.T) {
	l := ledgertest.New(t)
	a, b := newClaiming(t, l, "coordinator"), newClaiming(t, l, "rival")
	a.approved()
	b.approved()
	b.commit(0, 2)
	b.step(nil)
	a.step(nil) // it may have rounds of which it has not told yet
	a.claims.SetFresh()
	if err := a.claims.Step(t.Context()); protocol.ReasonOf(err) != protocol.Superseded {
		t.Errorf("a new coordinator: %v", err)
	}
	a.commit(0, 1)
	if err := a.claims.Step(t.Context()); protocol.ReasonOf(err) != protocol.Superseded {
		t.Errorf("behind the other: %v", err)
	}
	a.end()
	a.drain()
	a.over()
	a.paid(len(a.rounds), true) // the miners are the same
	b.end()
	b.drain()
	claims := map[uint32]int{}
	for _, body := range l.Sent() {
		if c, ok := body.(ledger.Claim); ok {
			for _, r := range c.Rounds {
				claims[r.Round]++
			}
		}
	}
	for r, n := range claims { // order-free: each is compared alone
		if n != 1 {
			t.Errorf("round %d was claimed %d times", r, n)
		}
	}
	if len(claims) != len(a.rounds)+1 {
		t.Errorf("%d rounds were claimed, want %d and the closing", len(claims), len(a.rounds))
	}
}

// TestRunClaimsOtherKey: a coordinator that has got another key claims the rounds, but cannot
// claim the units that its miners attested for the old one.
func TestRunClaimsOtherKey(t *testing.T) {
	l := ledgertest.New(t)
	c := newClaiming(t, l, "old")
	c.journal.Close()
	c.name = "new"
	c.open()
	c.approved()
	c.commit(0, 1)
	c.step(nil)
	for _, m := range miners {
		l.Pass(finality + 1)
		if e := l.State().Account(protocol.AccountOf(key(m))).Earned; e != 0 {
			t.Errorf("%s has earned %d", m, e)
		}
	}
	if f, _ := l.State().Function(must(c.plan.Function())(t)); f.Next != 1 {
		t.Errorf("%d rounds are claimed", f.Next)
	}
}

// TestRunClaimsTwice: two relays of one coordinator, as when it runs on two machines, claim
// nothing twice.
func TestRunClaimsTwice(t *testing.T) {
	l := ledgertest.New(t)
	a, b := newClaiming(t, l, "coordinator"), newClaiming(t, l, "coordinator")
	a.approved()
	for r := range a.rounds {
		a.commit(r, r+1)
		b.commit(r, r+1)
		if r%2 == 0 {
			a.step(nil)
			b.step(nil)
		} else {
			b.step(nil)
			a.step(nil)
		}
	}
	a.claims.Trained(a.closing)
	b.claims.Trained(b.closing)
	a.drain()
	b.drain()
	a.over()
	b.over()
	a.paid(len(a.rounds), true)
}

// TestRunClaimsHeartbeat: a coordinator whose round takes long tells the ledger that it is
// alive, and not more often than the ledger wants.
func TestRunClaimsHeartbeat(t *testing.T) {
	l := ledgertest.New(t)
	c := newClaiming(t, l, "coordinator")
	c.approved()
	sent := len(l.Sent())
	for range 1000 {
		c.step(nil)
		l.Pass(1)
	}
	n := len(l.Sent()) - sent
	if n < 4 || n > 6 {
		t.Errorf("%d signs of life in 1000 heights: %v", n, kinds(l, sent))
	}
	r, _ := l.State().Run(c.plan.Link, protocol.AccountOf(key("coordinator")))
	if l.State().Height()-r.Active > r.Silence/2 {
		t.Errorf("the last sign of life was %d heights ago", l.State().Height()-r.Active)
	}
}
