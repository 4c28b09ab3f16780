package node_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/node/ledgertest"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/work/unit"
)

// TestClaimsOfJob: a customer is gone after it has accepted units. The miner claims them with
// its tickets; those that the customer did claim it leaves alone.
func TestClaimsOfJob(t *testing.T) {
	l, job := ledgertest.New(t), named("job")
	m := newEarning(t, l, "miner")
	slots := escrow(t, l, "customer", job, 3, 3)
	m.look(1)
	var all []owed
	for i := range slots {
		all = append(all, m.did("customer", job, 0, protocol.Prove(slots, i, nil)))
	}
	m.look(1)
	_, err := l.Sender(key("customer")).Send(t.Context(), ledger.JobClaim{
		Customer: protocol.AccountOf(key("customer")), Job: job,
		Units: []ledger.JobWork{{Slot: slots[1], Path: protocol.Bytes(protocol.PathOf(slots, 1)), Work: ledger.SlotWork{
			Unit: all[1].at.Unit, Result: all[1].at.Result, Ticket: all[1].at.Ticket, Record: all[1].result, Account: all[1].at.Account, Sig: all[1].at.Sig,
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	sent := len(l.Sent())
	m.look(1)
	m.counts(2, 1, 0)
	l.Pass(node.ClaimJob - 1)
	m.look(2)
	if got := kinds(l, sent); len(got) != 2 || got[0] != "ledger.JobClaim" {
		t.Errorf("the miner sent %v", got)
	}
	m.counts(0, 3, 0)
	l.Pass(finality + 1)
	m.look(idleLooks)
	var want uint64
	e, _ := l.State().Escrow(protocol.AccountOf(key("customer")), job)
	for _, c := range e.Claims {
		want += c.Paid()
	}
	if p := m.claims.Paid(); p != want || len(e.Claims) != 3 {
		t.Errorf("the miner knows of %d, the escrow has %+v", p, e)
	}
}

// TestClaimsOfSilent: a customer is gone before it answers results. The miner claims the units
// with its tickets, but not while it has a session with the customer, and not what the
// customer has refused. An answer that comes later changes nothing.
func TestClaimsOfSilent(t *testing.T) {
	l, job, customer := ledgertest.New(t), named("job"), protocol.AccountOf(key("customer"))
	m := newEarning(t, l, "miner")
	slots := escrow(t, l, "customer", job, 4, 4)
	m.look(1)
	// Unit 2 is refused, and unit 3 done for another customer, whose tickets prove nothing.
	var all []owed
	for i := range slots {
		who, proof := "customer", []protocol.SlotProof{protocol.Prove(slots, i, nil)}
		if i == 3 {
			who, proof = "stranger", nil
		}
		o := did(t, "miner", who, job, 0, uint64(i), proof...)
		k := journal.Key{Unit: o.at.Unit}
		if err := m.journal.Append(
			journal.Line{Key: k, Record: journal.Task{Ticket: o.ticket}}, journal.Line{Key: k, Record: journal.Done{Result: o.result, Attestation: o.at}},
		); err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	if err := m.journal.Append(journal.Line{Key: journal.Key{Unit: all[2].at.Unit}, Record: journal.NewVoided(protocol.ResultMismatch, "", 0)}); err != nil {
		t.Fatal(err)
	}
	sent := len(l.Sent())
	m.connected[customer] = true
	m.look(1)
	l.Pass(2 * node.ClaimSilent)
	m.look(1)
	m.connected[customer] = false
	l.Pass(node.ClaimSilent - 1)
	m.look(2)
	if got := kinds(l, sent); len(got) != 0 {
		t.Fatalf("the miner sent %v before it was time", got)
	}
	l.Pass(1)
	m.look(2)
	m.counts(0, 2, 1)
	if n := m.journal.Count(journal.Unaccepted); n != 1 {
		t.Errorf("%d units wait, want that of the stranger", n)
	}
	e, _ := l.State().Escrow(customer, job)
	if len(e.Claims) != 2 || e.Claims[0].Miner != m.account() || e.Claims[1].Miner != m.account() {
		t.Errorf("the escrow has %+v", e)
	}
	if err := m.journal.Append(journal.Line{Key: journal.Key{Unit: all[0].at.Unit}, Record: journal.Taken{Accept: all[0].accept}}); err != nil {
		t.Errorf("a late answer: %v", err)
	}
	m.counts(0, 2, 1)
}

// TestClaimsOfReopened: a customer closes its escrow and opens another for the job, before the
// miner has claimed. The ticket of the first escrow pays nothing, and the miner sends no claim
// that must be refused. With a ticket of the second it is paid, whatever tickets are around it.
func TestClaimsOfReopened(t *testing.T) {
	l, job, customer := ledgertest.New(t), named("job"), protocol.AccountOf(key("customer"))
	m := newEarning(t, l, "miner")
	u := jobUnit(job, 0)
	slots := node.JobSlots([]unit.Unit{u}, []uint64{100})
	l.Earn(key("customer"), 1000)
	sender := l.Sender(key("customer"))
	send := func(body ledger.Body) {
		t.Helper()
		if _, err := sender.Send(t.Context(), body); err != nil {
			t.Fatal(err)
		}
	}
	open := func() ledger.Escrow {
		t.Helper()
		send(ledger.EscrowOpen{Job: job, Units: protocol.GroupOf(slots), Amount: 1000, Price: jobPrice, Deadline: l.State().Height() + 2})
		e, _ := l.State().Escrow(customer, job)
		return e
	}
	first := open()
	o := m.did("customer", job, 0, protocol.Prove(slots, 0, nil))
	if o.ticket.Escrow != first.Number {
		t.Fatalf("the ticket is of escrow %d, the first is %d", o.ticket.Escrow, first.Number)
	}
	l.Pass(finality + 3)
	send(ledger.EscrowClose{Job: job})
	second := open()
	sent := len(l.Sent())
	m.look(1)
	l.Pass(20)
	m.look(2)
	if got := kinds(l, sent); len(got) != 0 {
		t.Errorf("with a ticket of escrow %d, the miner sent %v to escrow %d", first.Number, got, second.Number)
	}
	m.counts(1, 0, 0)
	for _, number := range []uint64{second.Number + 9, second.Number, 0} {
		ticket := o.ticket
		ticket.Escrow = number
		if _, err := protocol.Sign(key("customer"), ledgertest.Net, &ticket); err != nil {
			t.Fatal(err)
		}
		if err := m.journal.Append(journal.Line{Key: journal.Key{Unit: u.ID()}, Record: journal.Task{Ticket: ticket}}); err != nil {
			t.Fatal(err)
		}
	}
	m.look(1)
	l.Pass(20)
	m.look(3)
	m.counts(0, 1, 0)
	if e, _ := l.State().Escrow(customer, job); len(e.Claims) != 1 || e.Claims[0].Miner != m.account() {
		t.Errorf("the second escrow has %+v", e.Claims)
	}
}

// TestClaimsOfCheat: a customer claims an accepted unit for an account of its own. The slot
// is gone: the miner says so at once.
func TestClaimsOfCheat(t *testing.T) {
	l, job := ledgertest.New(t), named("job")
	m := newEarning(t, l, "miner")
	slots := escrow(t, l, "cheat", job, 1, 1)
	m.did("cheat", job, 0, protocol.Prove(slots, 0, nil))
	m.look(1)
	own := did(t, "cheat", "cheat", job, 0, 9, protocol.Prove(slots, 0, nil))
	if _, err := l.Sender(key("cheat")).Send(t.Context(), ledger.JobClaim{
		Customer: protocol.AccountOf(key("cheat")), Job: job, Units: []ledger.JobWork{{Slot: slots[0], Work: ledger.SlotWork{
			Unit: own.at.Unit, Result: own.at.Result, Ticket: own.at.Ticket, Record: own.result, Account: own.at.Account, Sig: own.at.Sig,
		}}},
	}); err != nil {
		t.Fatal(err)
	}
	m.look(1)
	m.counts(0, 0, 1)
	if r := m.refusals(); len(r) != 1 || !strings.Contains(r[0].Text, "claimed for another") {
		t.Errorf("the miner is told %v", r)
	}
}

// TestClaimsOfEmptyEscrow: an escrow pays one unit of two hundred. The claims of the others
// are refused, made again at growing distances, and given up with the ledger's reason. A
// unit of another customer is paid all the while.
func TestClaimsOfEmptyEscrow(t *testing.T) {
	l, job := ledgertest.New(t), named("job")
	m := newEarning(t, l, "miner")
	const units = 200
	slots := escrow(t, l, "poor", job, units, 1)
	for i := range slots {
		m.did("poor", job, 0, protocol.Prove(slots, i, nil))
	}
	other := named("other job")
	m.did("rich", other, 0, protocol.Prove(escrow(t, l, "rich", other, 1, 1), 0, nil))
	tries := 0
	l.Break(func(call string) error {
		if call == "Send" {
			tries++
		}
		return nil
	})
	for range 10 {
		m.look(1)
		l.Pass(1)
	}
	m.counts(units-1, 2, 0)
	for range node.ClaimWindow / 50 {
		m.look(1)
		l.Pass(50)
	}
	m.look(1)
	m.counts(0, 2, units-1)
	if tries > 12*units {
		t.Errorf("%d claims were sent for %d units", tries, units)
	}
	for _, r := range m.refusals() {
		if r.Code != protocol.Unpaid.String() || !strings.Contains(r.Text, "insufficient funds") {
			t.Fatalf("the miner is told %v", r)
		}
	}
}

// TestClaimsPayout: the pay of the miner goes to an account that has another account get its
// own, and later to a third one. The miner counts what was paid since it began, and not what
// those accounts had before.
func TestClaimsPayout(t *testing.T) {
	l, p := ledgertest.New(t), newPlan("plan")
	for _, who := range []string{"first", "second", "third"} {
		l.Earn(key(who), 7_000)
	}
	l.Earn(key("miner"), 1000)
	m := newEarning(t, l, "miner")
	payout := func(from, to string) {
		if _, err := l.Sender(key(from)).Send(t.Context(), ledger.SetPayout{To: protocol.AccountOf(key(to))}); err != nil {
			t.Fatal(err)
		}
	}
	l.Earn(key("coordinator"), 1000)
	knows := func(mflop uint64) {
		if got, want := m.claims.Paid(), ledgertest.Pay(mflop); got < want || got > want+want/100 {
			t.Errorf("the miner knows of %d, want %d", got, want)
		}
	}
	payout("miner", "first")
	payout("first", "second")
	p.approve(t, l, "coordinator")
	m.look(1)
	a, b := m.did("coordinator", p.run, 0, p.proof(0, 0)), m.did("coordinator", p.run, 1, p.proof(1, 1))
	p.claim(t, l, "coordinator", 0, map[int]owed{0: a})
	l.Pass(finality + 1)
	m.look(idleLooks)
	knows(100)
	payout("miner", "third")
	m.look(idleLooks)
	p.claim(t, l, "coordinator", 1, map[int]owed{1: b})
	l.Pass(finality + 1)
	m.look(idleLooks)
	knows(300)
}

// TestClaimsPayoutsInARow: the ledger follows a bounded number of payouts, and the miner looks
// for its pay where the ledger has put it.
func TestClaimsPayoutsInARow(t *testing.T) {
	l, p := ledgertest.New(t), newPlan("plan")
	m := newEarning(t, l, "miner")
	at := "miner"
	for i := range ledger.MaxPayouts + 2 {
		next := fmt.Sprint("payee ", i)
		l.Earn(key(at), 1_000)
		if _, err := l.Sender(key(at)).Send(t.Context(), ledger.SetPayout{To: protocol.AccountOf(key(next))}); err != nil {
			t.Fatal(err)
		}
		at = next
	}
	l.Earn(key("coordinator"), 1_000) // a bond
	p.approve(t, l, "coordinator")
	m.look(1)
	p.claim(t, l, "coordinator", 0, map[int]owed{0: m.did("coordinator", p.run, 0, p.proof(0, 0))})
	l.Pass(finality + 1)
	m.look(idleLooks)
	if got, want := m.claims.Paid(), ledgertest.Pay(100); got < want || got > want+want/100 {
		t.Errorf("the miner knows of %d, want %d", got, want)
	}
}

// TestClaimsLedgerAway: while the ledger is away claims wait, and a miner without claims
// does not ask for it.
func TestClaimsLedgerAway(t *testing.T) {
	l, p := ledgertest.New(t), newPlan("plan")
	m := newEarning(t, l, "miner")
	p.approve(t, l, "coordinator")
	l.Break(func(string) error { return light.ErrUnreachable })
	for range 40 {
		if err := m.claims.Step(t.Context()); err != nil {
			t.Fatalf("nobody waits for the ledger: %v", err)
		}
	}
	a := m.did("coordinator", p.run, 0, p.proof(0, 0))
	if err := m.claims.Step(t.Context()); !errors.Is(err, light.ErrUnreachable) {
		t.Errorf("Step = %v", err)
	}
	l.Break(nil)
	p.claim(t, l, "coordinator", 0, map[int]owed{0: a})
	m.look(1)
	m.counts(0, 1, 0)
}

// TestClaimsReads: thousands of units of one round are looked up with a few reads, and
// units of many jobs with a bounded number at a time.
func TestClaimsReads(t *testing.T) {
	l, p := ledgertest.New(t), newPlan("plan")
	m := newEarning(t, l, "miner")
	p.approve(t, l, "coordinator")
	m.look(1)
	slots := []protocol.Slot{ledger.JobSlot(0, jobUnit(named("x"), 0).ID(), 1)}
	proof := protocol.Prove(slots, 0, nil)
	const jobs = 500
	for i := range jobs {
		m.did("customer", named(fmt.Sprint("job ", i)), 0, proof)
	}
	before := l.Reads()
	m.look(1)
	if n := l.Reads() - before; n > node.MaxReads+10 {
		t.Errorf("%d reads at one look", n)
	}
}

// lagging is a ledger whose nodes are some heights apart: what it says that an account has
// earned rises and falls.
type lagging struct {
	*ledgertest.InMemory
	earned uint64
}

func (l *lagging) Account(context.Context, protocol.Account) (ledger.AccountState, error) {
	return ledger.AccountState{Version: 1, Earned: l.earned}, nil
}

// TestEarningsOfLaggingNode: a node that is behind the one that answered before does not
// make the miner count its pay wrongly.
func TestEarningsOfLaggingNode(t *testing.T) {
	l := &lagging{InMemory: ledgertest.New(t)}
	m := newEarning(t, l.InMemory, "miner")
	m.claims = node.NewMinerClaims(l, l.Sender(key("miner")), m.journal, m.account(), nil, m.told.report)
	for _, c := range []struct{ earned, paid uint64 }{{100, 0}, {90, 0}, {100, 0}, {130, 30}, {110, 30}, {140, 40}} {
		l.earned = c.earned
		m.look(idleLooks)
		if got := m.claims.Paid(); got != c.paid {
			t.Errorf("the account has earned %d, and the miner says it was paid %d, want %d", c.earned, got, c.paid)
		}
	}
}
