package node_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/unit"
)

// slotsOf is the slots of the tiny run, and its plan.
func slotsOf(t *testing.T, b block.Blocks) (*check.Slots, *run.Plan) {
	t.Helper()
	c, cfg := tiny(t)
	plan, err := run.New(t.Context(), b, c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := check.New().Slots(t.Context(), b, plan)
	if err != nil {
		t.Fatal(err)
	}
	return s, plan
}

// prove is the proof of slot i of a round of a run.
func prove(t *testing.T, s *check.Slots, round, i int) protocol.SlotProof {
	t.Helper()
	slots, err := s.Round(t.Context(), round)
	if err != nil {
		t.Fatal(err)
	}
	p := protocol.Prove(slots, i, protocol.PlanPath(s.Groups, round))
	p.Function, p.Groups = s.Function, uint32(len(s.Groups))
	return p
}

// unitsOf is the learning units of round 0 of a plan.
func unitsOf(t *testing.T, b block.Blocks, p *run.Plan) []unit.Unit {
	t.Helper()
	from, err := p.Begin(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	units, err := p.Units(t.Context(), b, 0, from)
	if err != nil {
		t.Fatal(err)
	}
	return units
}

// TestPaidUnit: a miner takes only tickets that prove that the ledger pays for the unit: by
// the plan that was approved, or by the list of the job's escrow.
func TestPaidUnit(t *testing.T) {
	b := new(block.MemoryStore)
	s, plan := slotsOf(t, b)
	units := unitsOf(t, b, plan)
	paid := market.PaidPlan{Function: s.Function, Root: s.Root, Groups: uint32(len(s.Groups))}
	job, other := named("job"), named("other job")
	list := node.JobSlots([]unit.Unit{jobUnit(job, 0), jobUnit(job, 1)}, []uint64{5, 6})
	escrow := market.PaidPlan{Job: protocol.GroupOf(list)}
	good := prove(t, s, 0, 0)
	edit := func(p protocol.SlotProof, f func(*protocol.SlotProof)) []protocol.SlotProof {
		p.Path, p.GroupPath = slices.Clone(p.Path), slices.Clone(p.GroupPath)
		f(&p)
		return []protocol.SlotProof{p}
	}
	stolen := units[0]
	stolen.Inputs = slices.Clone(stolen.Inputs)
	stolen.Inputs[1] = named("another batch")
	later := units[0]
	later.Round = 1
	last := uint32(len(s.Groups) - 1)
	for name, c := range map[string]struct {
		plan  market.PaidPlan
		proof []protocol.SlotProof
		unit  unit.Unit
		want  protocol.Reason
	}{
		"right":                   {paid, []protocol.SlotProof{good}, units[0], protocol.Unspecified},
		"the second":              {paid, []protocol.SlotProof{prove(t, s, 0, 1)}, units[1], protocol.Unspecified},
		"no proof":                {paid, nil, units[0], protocol.Unpaid},
		"another slot":            {paid, []protocol.SlotProof{prove(t, s, 0, 1)}, units[0], protocol.Unpaid},
		"another kind":            {paid, edit(good, func(p *protocol.SlotProof) { p.Slot.Kind++ }), units[0], protocol.Unpaid},
		"another round":           {paid, []protocol.SlotProof{prove(t, s, 1, 0)}, units[0], protocol.Unpaid},
		"another round's unit":    {paid, []protocol.SlotProof{good}, later, protocol.Unpaid},
		"a round out of the plan": {paid, []protocol.SlotProof{good}, roundOf(units[0], 1<<31), protocol.Malformed},
		"another function":        {paid, edit(good, func(p *protocol.SlotProof) { p.Function = named("another") }), units[0], protocol.Unpaid},
		"another number":          {paid, edit(good, func(p *protocol.SlotProof) { p.Groups++ }), units[0], protocol.Unpaid},
		"another plan":            {market.PaidPlan{Function: s.Function, Root: [32]byte{1}, Groups: paid.Groups}, []protocol.SlotProof{good}, units[0], protocol.Unpaid},
		"a higher cost":           {paid, edit(good, func(p *protocol.SlotProof) { p.Slot.Most++ }), units[0], protocol.Unpaid},
		"a false path":            {paid, edit(good, func(p *protocol.SlotProof) { p.Path[0]++ }), units[0], protocol.Unpaid},
		"half a path":             {paid, edit(good, func(p *protocol.SlotProof) { p.Path = p.Path[:5] }), units[0], protocol.Malformed},
		"another batch":           {paid, []protocol.SlotProof{good}, stolen, protocol.Unpaid},
		"a claimed round":         {market.PaidPlan{Function: s.Function, Root: s.Root, Groups: paid.Groups, Next: 1}, []protocol.SlotProof{good}, units[0], protocol.Superseded},
		"a claimed end": {
			market.PaidPlan{Function: s.Function, Root: s.Root, Groups: paid.Groups, Closing: true}, []protocol.SlotProof{good}, roundOf(units[0], last), protocol.Superseded,
		},
		"a run's proof for a job":  {escrow, []protocol.SlotProof{good}, units[0], protocol.Unpaid},
		"on the list":              {escrow, []protocol.SlotProof{protocol.Prove(list, 1, nil)}, jobUnit(job, 1), protocol.Unspecified},
		"another of the list":      {escrow, []protocol.SlotProof{protocol.Prove(list, 1, nil)}, jobUnit(job, 0), protocol.Unpaid},
		"not on the list":          {escrow, []protocol.SlotProof{protocol.Prove(list, 1, nil)}, jobUnit(other, 1), protocol.Unpaid},
		"a job's unit with a plan": {escrow, edit(protocol.Prove(list, 1, nil), func(p *protocol.SlotProof) { p.Groups = 1 }), jobUnit(job, 1), protocol.Unpaid},
	} {
		ticket := protocol.Ticket{Work: c.unit.Work, Unit: c.unit.ID(), Spec: c.unit.Spec(), Proof: c.proof}
		if got := protocol.ReasonOf(node.PaidUnit(c.plan, ticket, c.unit)); got != c.want {
			t.Errorf("%s: refused as %v, want %v", name, got, c.want)
		}
	}
}

func roundOf(u unit.Unit, r uint32) unit.Unit {
	u.Round = r
	return u
}

// TestTicketProof: a miner that works for pay gives a unit back that the ledger does not pay
// for, and computes one that it pays for.
func TestTicketProof(t *testing.T) {
	v := newVillage(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m := v.machine("miner")
	m.policy = node.Policy{}
	close(m.gate)
	d := v.stand(ctx, "publisher", m.peer)
	v.first.Store(d.peer) // it has the run, of which the validator computes the plan
	s, plan := slotsOf(t, d.peer.Store)
	nonce, err := d.peer.Sender.Send(ctx, ledger.RunPropose{Run: plan.Link, Silence: 1000, Plan: ledger.Plan{
		Function: s.Function, Root: s.Root, Groups: uint32(len(s.Groups)), Cost: s.Cost,
	}})
	if err == nil {
		err = d.peer.Sender.Confirm(ctx, nonce)
	}
	if err != nil {
		t.Fatal(err)
	}
	m.start()
	k := d.meet()
	back := func(u unit.Unit, proof ...protocol.SlotProof) {
		t.Helper()
		d.lease(k, u, proof...)
		var c protocol.Cancel
		if k.next(&c); c.Code != protocol.Unpaid || c.Detail == "" {
			t.Errorf("the ticket is given back as %v, %q", c.Code, c.Detail)
		}
	}
	back(d.units[0])
	back(d.units[0], prove(t, s, 0, 1))
	stolen := d.units[0]
	stolen.Inputs = slices.Clone(stolen.Inputs)
	stolen.Inputs[1] = d.units[1].Inputs[1]
	back(stolen, prove(t, s, 0, 0))
	d.lease(k, d.units[0], prove(t, s, 0, 0))
	var a protocol.Attestation
	if k.next(&a); a.Unit != d.units[0].ID() || a.Publisher != d.peer.Account() || a.Place != (protocol.Place{Kind: uint16(unit.Gradient)}) {
		t.Errorf("the miner attests %+v", a)
	}
	if m.computed.Load() != 1 {
		t.Errorf("%d units were computed", m.computed.Load())
	}
}

// TestCheapSlot: a miner gives a translation back whose slot pays for less than the unit may
// cost.
func TestCheapSlot(t *testing.T) {
	r := newReading(t)
	if err := r.Fund(r.ctx, r.Holder.Key); err != nil {
		t.Fatal(err)
	}
	job, units := document(t, r.Cluster, 2)
	for _, u := range units { // a publisher would let the lessee read the text
		data, err := r.Holder.Store.Get(r.ctx, u.Inputs[1].Cid)
		if err == nil {
			_, err = public(r.Holder).Put(r.ctx, block.CBOR, data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	slots := node.JobSlots(units, []uint64{0, 1000})
	nonce, err := r.Holder.Sender.Send(r.ctx, ledger.EscrowOpen{Job: job, Units: protocol.GroupOf(slots), Amount: 1000, Price: 1000, Deadline: 10_000})
	if err == nil {
		err = r.Holder.Sender.Confirm(r.ctx, nonce)
	}
	if err != nil {
		t.Fatal(err)
	}
	miner := r.peer("miner")
	mining, stop := context.WithCancel(r.ctx)
	defer stop()
	earner(t, mining, miner, node.Policy{}, func(node.Notice) {})
	d := &publisherEnd{T: t, ctx: r.ctx, peer: r.Holder, sessions: sessionsOf(r.ctx, r.Holder), escrow: nonce}
	d.offer(miner, &protocol.JobOffer{Job: job, Time: clock(), Src: "en", Dst: "de", Model: r.Model, Price: 1000, Addrs: r.Holder.Mesh.Addrs()})
	k := d.meet()
	d.lease(k, units[0], protocol.Prove(slots, 0, nil))
	var c protocol.Cancel
	if k.next(&c); c.Code != protocol.Unpaid {
		t.Errorf("the ticket is given back as %v, %q", c.Code, c.Detail)
	}
	d.lease(k, units[1], protocol.Prove(slots, 1, nil))
	var a protocol.Attestation
	k.next(&a)
}

// TestAttestationOfAnother: a publisher takes no attestation that is made for another
// publisher, or for another place of the run: it could be used there.
func TestAttestationOfAnother(t *testing.T) {
	v := newVillage(t)
	p, m := v.peer("publisher"), v.peer("miner")
	publisher, plan, units := v.publish(p, v.report("publisher"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	until(t, ctx, p, publisher, units[:1], true, func() {
		for _, c := range []struct {
			lie  func(*protocol.Attestation)
			want protocol.Reason
		}{
			{func(a *protocol.Attestation) { a.Publisher = m.Account() }, protocol.WrongAccount},
			{func(a *protocol.Attestation) { a.Place.Round++ }, protocol.Malformed},
			{func(a *protocol.Attestation) { a.Place.Kind++ }, protocol.Malformed},
			{func(a *protocol.Attestation) { a.Place.Index++ }, protocol.Malformed},
		} {
			liar := v.peer("liar")
			k := bid(t, ctx, liar, p.Account(), p.Mesh.Addrs(), plan.Link)
			_, ticket := k.ticket()
			at := right(t, p, liar, units[0], ticket)
			c.lie(at)
			k.sign(at)
			if got := k.refused(at.Ticket); got != c.want {
				t.Errorf("%+v for %s is refused as %v, want %v", at.Place, at.Publisher.Short(), got, c.want)
			}
			k.Close()
			liar.Close()
		}
		k := bid(t, ctx, m, p.Account(), p.Mesh.Addrs(), plan.Link)
		_, ticket := k.ticket()
		k.sign(right(t, p, m, units[0], ticket))
		k.nextOf(protocol.TypeAccept)
	})
}

// TestAcceptOfAnother: an acceptance that names another place, with which the ledger would
// not pay, is none.
func TestAcceptOfAnother(t *testing.T) {
	_, _, m, _, d, k := taskTest(t)
	close(m.gate)
	d.lease(k, d.units[0])
	var a protocol.Attestation
	k.next(&a)
	wrong := acceptOf(a)
	wrong.Place.Index++
	k.sign(wrong)
	m.hears(d.ctx, 1, func(n node.Notice) bool {
		i, ok := n.(node.MinerIdle)
		return ok && i.Code == protocol.ResultMismatch.String()
	})
	if m.count(isDone) > 0 {
		t.Error("the miner tells of a unit done")
	}
}
