package node_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/node/ledgertest"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/work/unit"
)

// finality is the heights from a claim to its payment.
const finality = 5

// planned is a plan of two rounds and what follows them: per round two gradients, a combine
// and an evaluation, and in the end a translation. Every unit costs what its slot says.
type planned struct {
	run, function block.Link
	slots         [][]protocol.Slot
	groups        []protocol.SlotGroup
}

func newPlan(name string) *planned {
	p := &planned{run: named("run of " + name), function: named("function of " + name)}
	slot := func(r int, k unit.Kind, index uint32, most uint64) protocol.Slot {
		return protocol.Slot{Kind: uint16(k), Index: index, Task: named(fmt.Sprint(name, r, k, index)), Most: most}
	}
	for r := range 2 {
		p.slots = append(p.slots, []protocol.Slot{
			slot(r, unit.Gradient, 0, 100), slot(r, unit.Gradient, 1, 200), slot(r, unit.Combine, 0, 30), slot(r, unit.Evaluate, 0, 40),
		})
	}
	p.slots = append(p.slots, []protocol.Slot{slot(2, unit.Translate, 0, 500)})
	for _, s := range p.slots {
		p.groups = append(p.groups, protocol.GroupOf(s))
	}
	return p
}

func (p *planned) plan() ledger.Plan {
	plan := ledger.Plan{Function: p.function, Root: protocol.PlanRoot(p.groups), Groups: uint32(len(p.groups))}
	for _, g := range p.groups {
		plan.Cost += g.Cost
	}
	return plan
}

// proof shows that a slot of a round is in the plan.
func (p *planned) proof(r, i int) protocol.SlotProof {
	proof := protocol.Prove(p.slots[r], i, protocol.PlanPath(p.groups, r))
	proof.Function, proof.Groups = p.function, uint32(len(p.groups))
	return proof
}

// owed is a unit whose result a publisher has accepted.
type owed struct {
	at     protocol.Attestation
	accept protocol.Accept
	ticket protocol.Ticket
	result []byte
}

// earning is a miner whose claims look at a ledger.
type earning struct {
	*testing.T
	ledger    *ledgertest.InMemory
	name      string
	journal   *journal.Journal
	claims    node.MinerClaims
	connected map[protocol.Account]bool // publishers
	told      *notices
	numbers   uint64 // of the tickets
}

func newEarning(t *testing.T, l *ledgertest.InMemory, name string) *earning {
	t.Helper()
	m := &earning{T: t, ledger: l, name: name, connected: map[protocol.Account]bool{}}
	var err error
	if m.journal, err = journal.Open(filepath.Join(t.TempDir(), "journal"), ledgertest.Net, journal.Options{Segment: 1 << 14}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.journal.Close() })
	m.start()
	return m
}

// start begins a process of the miner.
func (m *earning) start() {
	m.told = &notices{watch: func(node.Notice) {}}
	m.claims = node.NewMinerClaims(m.ledger, m.ledger.Sender(key(m.name)), m.journal, m.account(),
		func(k market.OfferKey) bool { return m.connected[k.Publisher] }, m.told.report)
}

func (m *earning) account() protocol.Account { return protocol.AccountOf(key(m.name)) }

// look has the claims look at the ledger so often.
func (m *earning) look(times int) {
	m.Helper()
	for range times {
		if err := m.claims.Step(m.Context()); err != nil {
			m.Logf("Step: %v", err)
		}
	}
}

// did has a publisher lease a unit to the miner and accept its result. The slot is proven
// by the ticket.
func (m *earning) did(publisher string, work block.Link, round int, proof ...protocol.SlotProof) owed {
	m.Helper()
	o := did(m.T, m.name, publisher, work, round, m.numbers, proof...)
	m.numbers++
	k := journal.Key{Unit: o.at.Unit}
	err := m.journal.Append(
		journal.Line{Key: k, Record: journal.Task{Ticket: o.ticket}},
		journal.Line{Key: k, Record: journal.Done{Result: o.result, Attestation: o.at}},
		journal.Line{Key: k, Record: journal.Taken{Accept: o.accept}})
	if err != nil {
		m.Fatal(err)
	}
	return o
}

// specOf is a unit for a slot of a round.
func specOf(work block.Link, round int, s protocol.Slot) unit.Unit {
	u := unit.Unit{Version: 1, Kind: unit.Kind(s.Kind), Work: work, Round: uint32(round), Index: s.Index}
	switch u.Kind {
	case unit.Translate:
		u.Inputs, u.Decoding = []block.Link{named("model"), s.Task}, unit.Greedy
	case unit.Combine:
		u.Inputs = []block.Link{named("parameters"), named("m"), named("v"), named("delta")}
	default:
		u.Inputs = []block.Link{named("parameters"), s.Task}
	}
	return u
}

// did is a unit that a miner did for a publisher, with what both signed.
func did(t *testing.T, miner, publisher string, work block.Link, round int, number uint64, proof ...protocol.SlotProof) owed {
	t.Helper()
	var slot protocol.Slot
	if len(proof) > 0 {
		slot = proof[0].Slot
	} else {
		slot = protocol.Slot{Kind: uint16(unit.Gradient), Index: uint32(number)}
	}
	u := specOf(work, round, slot)
	if len(proof) > 0 && proof[0].Groups == 0 { // of a job, whose slot names the unit
		u = jobUnit(work, slot.Index)
	}
	var escrow uint64
	if len(proof) > 0 && proof[0].Groups == 0 {
		escrow = 1 // the customer's first transaction opens it
	}
	o := owed{ticket: protocol.Ticket{
		Escrow: escrow, Work: work, Number: number, Unit: u.ID(), Spec: u.Spec(), Miner: protocol.AccountOf(key(miner)), LeaseSeconds: 60, Proof: proof,
	}}
	body, err := protocol.Sign(key(publisher), ledgertest.Net, &o.ticket)
	if err != nil {
		t.Fatal(err)
	}
	if o.result, err = block.Encode(unit.Result{Version: 1, Unit: u.ID(), Outputs: []block.Link{named("output")}, Cost: 90_000_000}); err != nil {
		t.Fatal(err)
	}
	o.at = *attest(o.ticket, protocol.ID(body), block.Link{Cid: block.Sum(block.CBOR, o.result)})
	if _, err := protocol.Sign(key(miner), ledgertest.Net, &o.at); err != nil {
		t.Fatal(err)
	}
	o.accept = *acceptOf(o.at)
	if _, err := protocol.Sign(key(publisher), ledgertest.Net, &o.accept); err != nil {
		t.Fatal(err)
	}
	return o
}

// approve has a coordinator propose a plan and the validator approve it.
func (p *planned) approve(t *testing.T, l *ledgertest.InMemory, coordinator string) {
	t.Helper()
	if _, err := l.Sender(key(coordinator)).Send(t.Context(), ledger.RunPropose{Run: p.run, Plan: p.plan(), Silence: 1000}); err != nil {
		t.Fatal(err)
	}
	l.Vote(p.run, protocol.AccountOf(key(coordinator)), true)
}

// claim has a coordinator claim a round with the given work, by slot.
func (p *planned) claim(t *testing.T, l *ledgertest.InMemory, coordinator string, round int, did map[int]owed) {
	t.Helper()
	c := ledger.RoundClaim{
		Round: uint32(round), Path: protocol.Bytes(protocol.PlanPath(p.groups, round)), Params: named("parameters"), Log: named("log"),
	}
	for i, s := range p.slots[round] {
		sc := ledger.SlotClaim{Slot: s}
		if o, ok := did[i]; ok {
			w := ledger.SlotWork{Unit: o.at.Unit, Result: o.at.Result, Ticket: o.at.Ticket, Account: o.at.Account, Sig: o.at.Sig}
			if ledger.Measured(s.Kind) {
				w.Record = o.result
			}
			sc.Work = append(sc.Work, w)
		}
		c.Slots = append(c.Slots, sc)
	}
	if _, err := l.Sender(key(coordinator)).Send(t.Context(), ledger.Claim{Run: p.run, Rounds: []ledger.RoundClaim{c}}); err != nil {
		t.Fatal(err)
	}
}

// counts fails the test unless the journal has so many units that are pending, paid and
// void.
func (m *earning) counts(pending, paid, void int) {
	m.Helper()
	j := m.journal
	if a, b, c := j.Count(journal.Pending), j.Count(journal.Paid), j.Count(journal.Void); a != pending || b != paid || c != void {
		m.Errorf("%d units are pending, %d paid and %d void, want %d, %d and %d", a, b, c, pending, paid, void)
	}
}

// idleLooks is after how many looks a miner without claims asks for its earnings.
const idleLooks = 16

// earned fails the test unless the miner was paid for so many MFLOP of runs. In a thousand
// heights the rate rises by a thousandth.
func (m *earning) earned(mflop uint64) {
	m.Helper()
	m.ledger.Pass(finality + 1)
	m.look(idleLooks)
	want := ledgertest.Pay(mflop)
	if got := m.ledger.State().Account(m.account()).Earned; got < want || got > want+want/100 || m.claims.Paid() != got {
		m.Errorf("the miner has earned %d and knows of %d, want %d", got, m.claims.Paid(), want)
	}
}

// refusals are the units that the miner was told are not paid, and why.
func (m *earning) refusals() (all []node.Refused) {
	m.told.mu.Lock()
	defer m.told.mu.Unlock()
	for _, n := range m.told.all {
		if r, ok := n.(node.Refused); ok {
			all = append(all, r)
		}
	}
	return all
}

// TestClaimsOfHonest: a coordinator claims its round for the miner. The miner sends nothing,
// and learns what it is paid, also when the ledger has forgotten the run, and after a
// restart.
func TestClaimsOfHonest(t *testing.T) {
	for name, restart := range map[string]bool{"at once": false, "after a restart": true} {
		t.Run(name, func(t *testing.T) {
			l, p := ledgertest.New(t), newPlan("plan")
			m := newEarning(t, l, "miner")
			p.approve(t, l, "coordinator")
			m.look(1)
			m.connected[protocol.AccountOf(key("coordinator"))] = true
			a, b := m.did("coordinator", p.run, 0, p.proof(0, 0)), m.did("coordinator", p.run, 0, p.proof(0, 3))
			m.look(2)
			p.claim(t, l, "coordinator", 0, map[int]owed{0: a, 3: b})
			sent := len(l.Sent())
			if restart {
				if _, err := l.Sender(key("coordinator")).Send(t.Context(), ledger.RunEnd{Run: p.run}); err != nil {
					t.Fatal(err)
				}
				l.Pass(20)
				m.start()
				m.look(1)
				m.counts(0, 2, 0)
				return
			}
			m.look(1)
			m.counts(0, 2, 0)
			m.earned(100 + 40)
			if len(l.Sent()) != sent {
				t.Errorf("the miner sent %v", kinds(l, sent))
			}
		})
	}
}

// TestClaimsOfThief: a coordinator claims a unit for an account of its own, and leaves
// another out. The miner claims both with the accepts that it holds, and its claims count.
func TestClaimsOfThief(t *testing.T) {
	l, p := ledgertest.New(t), newPlan("plan")
	m := newEarning(t, l, "miner")
	p.approve(t, l, "thief")
	m.look(1)
	m.connected[protocol.AccountOf(key("thief"))] = true // it answers, as if nothing were wrong
	m.did("thief", p.run, 0, p.proof(0, 0))
	m.did("thief", p.run, 0, p.proof(0, 1))
	m.look(1)
	own := did(t, "thief", "thief", p.run, 0, 9, p.proof(0, 0))
	p.claim(t, l, "thief", 0, map[int]owed{0: own})
	m.look(2)
	m.counts(0, 2, 0)
	m.earned(100 + 200)
	if e := l.State().Account(protocol.AccountOf(key("thief"))).Earned; e != 0 {
		t.Errorf("the thief has earned %d", e)
	}
}

// TestClaimsTooLate: a coordinator cheats a miner that looks at the ledger too late. The
// miner is told that its pay went to another, and not that it was paid.
func TestClaimsTooLate(t *testing.T) {
	l, p := ledgertest.New(t), newPlan("plan")
	m := newEarning(t, l, "miner")
	p.approve(t, l, "thief")
	m.did("thief", p.run, 0, p.proof(0, 0))
	p.claim(t, l, "thief", 0, map[int]owed{0: did(t, "thief", "thief", p.run, 0, 9, p.proof(0, 0))})
	l.Break(func(call string) error {
		if call == "Send" {
			return light.ErrUnreachable
		}
		return nil
	})
	m.look(2) // it sees the theft, and can do nothing
	l.Break(nil)
	l.Pass(finality + 1)
	m.look(2)
	m.counts(0, 0, 1)
	if r := m.refusals(); len(r) != 1 || r[0].Code != protocol.Unpaid.String() || !strings.Contains(r[0].Text, "another miner") {
		t.Errorf("the miner is told %v", r)
	}
	if p := m.claims.Paid(); p != 0 {
		t.Errorf("the miner is told of pay: %d", p)
	}
}

// TestClaimsOfDead: a coordinator is gone. After a while the miner claims the units that
// learn; what has no result without the coordinator is given up, with the reason.
func TestClaimsOfDead(t *testing.T) {
	l, p := ledgertest.New(t), newPlan("plan")
	m := newEarning(t, l, "miner")
	p.approve(t, l, "coordinator")
	m.look(1)
	m.did("coordinator", p.run, 0, p.proof(0, 0))
	m.did("coordinator", p.run, 0, p.proof(0, 3)) // an evaluation
	m.did("coordinator", p.run, 1, p.proof(1, 0)) // of a round that cannot be claimed yet
	m.look(1)
	sent := len(l.Sent())
	l.Pass(node.ClaimRunAlone - 1)
	m.look(2)
	if len(l.Sent()) != sent {
		t.Errorf("after %d heights the miner sent %v", node.ClaimRunAlone-1, kinds(l, sent))
	}
	l.Pass(1)
	m.look(2)
	if got := kinds(l, sent); len(got) != 1 || got[0] != "ledger.UnitClaim" {
		t.Errorf("the miner sent %v", got)
	}
	m.counts(2, 1, 0)
	m.earned(100)
	l.Pass(node.ClaimWindow)
	m.look(2)
	m.counts(0, 1, 2)
	if r := m.refusals(); len(r) != 2 || r[0].Code != protocol.Unpaid.String() || !strings.Contains(r[0].Text, "not claimed within") {
		t.Errorf("the miner is told %v", r)
	}
	if m.claims.Waiting() != 0 {
		t.Errorf("%d claims are in memory", m.claims.Waiting())
	}
}

// TestClaimsOfSlow: a coordinator that is there, but does not end its round, is given more
// time.
func TestClaimsOfSlow(t *testing.T) {
	l, p := ledgertest.New(t), newPlan("plan")
	m := newEarning(t, l, "miner")
	p.approve(t, l, "coordinator")
	m.connected[protocol.AccountOf(key("coordinator"))] = true
	m.did("coordinator", p.run, 0, p.proof(0, 0))
	m.look(1)
	sent := len(l.Sent())
	l.Pass(node.ClaimRunServed - 1)
	if m.look(2); len(l.Sent()) != sent {
		t.Errorf("the miner sent %v", kinds(l, sent))
	}
	l.Pass(1)
	m.look(1)
	m.earned(100)
}

// TestClaimsOfBusy: a miner that gets a new unit before every look still sees what becomes of
// the ones before.
func TestClaimsOfBusy(t *testing.T) {
	l, p := ledgertest.New(t), newPlan("plan")
	m := newEarning(t, l, "miner")
	p.approve(t, l, "coordinator")
	a := m.did("coordinator", p.run, 0, p.proof(0, 0))
	m.look(1)
	p.claim(t, l, "coordinator", 0, map[int]owed{0: a})
	m.did("coordinator", p.run, 1, p.proof(1, 0))
	m.look(1)
	m.did("coordinator", p.run, 1, p.proof(1, 1))
	m.look(1)
	m.counts(2, 1, 0)
}

// TestClaimsSuperseded: another coordinator of the same function claims the round. The
// miner does not claim what cannot be claimed, and is told that it is not paid.
func TestClaimsSuperseded(t *testing.T) {
	l, p := ledgertest.New(t), newPlan("plan")
	m := newEarning(t, l, "miner")
	p.approve(t, l, "coordinator")
	p.approve(t, l, "rival")
	m.did("coordinator", p.run, 0, p.proof(0, 0))
	p.claim(t, l, "rival", 0, map[int]owed{0: did(t, "other", "rival", p.run, 0, 1, p.proof(0, 0))})
	sent := len(l.Sent())
	m.look(2)
	m.counts(1, 0, 0)
	l.Pass(finality + 1)
	m.look(1)
	m.counts(0, 0, 1)
	if len(l.Sent()) != sent || len(m.refusals()) != 1 {
		t.Errorf("the miner sent %v and is told %v", kinds(l, sent), m.refusals())
	}
}

// TestClaimsUnproven: a unit whose ticket had no proof is given up, and does not stop
// others.
func TestClaimsUnproven(t *testing.T) {
	l, p := ledgertest.New(t), newPlan("plan")
	m := newEarning(t, l, "miner")
	p.approve(t, l, "coordinator")
	m.did("coordinator", p.run, 0)
	a := m.did("coordinator", p.run, 0, p.proof(0, 1))
	m.look(1)
	p.claim(t, l, "coordinator", 0, map[int]owed{1: a})
	m.look(1)
	m.counts(1, 1, 0)
	l.Pass(node.ClaimWindow)
	m.look(1)
	m.counts(0, 1, 1)
	if r := m.refusals(); len(r) != 1 || !strings.Contains(r[0].Text, "did not prove") {
		t.Errorf("the miner is told %v", r)
	}
}

// jobUnit is unit i of a job.
func jobUnit(job block.Link, i uint32) unit.Unit {
	return specOf(job, 0, protocol.Slot{Kind: uint16(unit.Translate), Index: i, Task: named(fmt.Sprint(job, i))})
}

// jobPrice is the amount that the jobs of tests pay for a GFLOP.
const jobPrice = 1000

// escrow has a customer open an escrow for a job of some units, each of 90 MFLOP, with the
// amount for so many of them.
func escrow(t *testing.T, l *ledgertest.InMemory, customer string, job block.Link, units, pays int) []protocol.Slot {
	t.Helper()
	var all []unit.Unit
	var most []uint64
	for i := range units {
		all, most = append(all, jobUnit(job, uint32(i))), append(most, 100)
	}
	slots := node.JobSlots(all, most)
	l.Earn(key(customer), 1000)
	_, err := l.Sender(key(customer)).Send(t.Context(), ledger.EscrowOpen{
		Job: job, Units: protocol.GroupOf(slots), Amount: uint64(pays) * 90 * jobPrice / 1000, Price: jobPrice, Deadline: l.State().Height() + 100_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	return slots
}
