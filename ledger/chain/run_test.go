package chain

import (
	"context"
	"fmt"
	"testing"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/work/unit"
)

// trust approves every run: the plans of these tests are of no corpus.
func trust(context.Context, ledger.RunState) (bool, error) { return true, nil }

// testRun is a run of some rounds with some slots each, of 1,000 MFLOP.
type testRun struct {
	name   string
	slots  [][]protocol.Slot // by round
	groups []protocol.SlotGroup
}

func newRun(name string, rounds, slots int) *testRun {
	r := &testRun{name: name}
	for round := range rounds {
		var of []protocol.Slot
		for k := range slots {
			of = append(of, protocol.Slot{
				Kind: uint16(unit.Gradient), Index: uint32(k), Task: link(fmt.Sprint(name, round, k)), Most: 1000,
			})
		}
		r.slots = append(r.slots, of)
		r.groups = append(r.groups, protocol.GroupOf(of))
	}
	r.groups = append(r.groups, protocol.GroupOf(nil))
	return r
}

func (r *testRun) plan() ledger.Plan {
	p := ledger.Plan{Function: link("function of " + r.name), Root: protocol.PlanRoot(r.groups), Groups: uint32(len(r.groups))}
	for _, g := range r.groups {
		p.Cost += g.Cost
	}
	return p
}

func (r *testRun) propose() ledger.RunPropose {
	return ledger.RunPropose{Run: link(r.name), Plan: r.plan(), Silence: 100}
}

// propose is the proposal of a small run.
func propose(name string) ledger.RunPropose { return newRun(name, 1, 1).propose() }

// claim claims a round for a miner, or for nobody if there is none.
func (r *testRun) claim(t testing.TB, net protocol.Net, round int, coordinator, miner string) ledger.Claim {
	t.Helper()
	c := ledger.RoundClaim{
		Round: uint32(round), Path: protocol.Bytes(protocol.PlanPath(r.groups, round)), Params: link("params"), Log: link("log"),
	}
	for _, s := range r.slots[round] {
		claim := ledger.SlotClaim{Slot: s}
		if miner != "" {
			at := protocol.Attestation{
				Work: link(r.name), Publisher: protocol.AccountOf(key(coordinator)),
				Place: protocol.Place{Round: uint32(round), Kind: s.Kind, Index: s.Index}, Unit: s.Task, Result: link("result"),
			}
			if _, err := protocol.Sign(key(miner), net, &at); err != nil {
				t.Fatal(err)
			}
			claim.Work = []ledger.SlotWork{{Unit: at.Unit, Result: at.Result, Account: at.Account, Sig: at.Sig}}
		}
		c.Slots = append(c.Slots, claim)
	}
	return ledger.Claim{Run: link(r.name), Rounds: []ledger.RoundClaim{c}}
}

// large is a claim of about 20 KB.
func large(t testing.TB, net protocol.Net, name string) ledger.Claim {
	return newRun(name, 1, 300).claim(t, net, 0, name, "")
}
