package bench

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"runtime"

	"github.com/cometbft/cometbft/mempool"
	"golang.org/x/sync/errgroup"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// benchRun is a run of a plan that is made up: all its rounds have the same slots.
type benchRun struct {
	id          block.Link
	coordinator ed25519.PrivateKey
	plan        ledger.Plan
	rounds      []ledger.RoundClaim // but the last, which has no slots
}

// planRuns makes runs whose rounds are as many as the heights of the measurement can have
// claims of. The rounds are not signed.
func (b *LedgerBench) planRuns() []*benchRun {
	heights := int(b.Window/b.Interval) + 2
	rounds := 1 + heights*claimRounds
	slots := make([]protocol.Slot, benchMiners)
	for i := range slots {
		slots[i] = protocol.Slot{Kind: uint16(unit.Gradient), Index: uint32(i), Task: madeUp("batch", i), Most: slotMFLOP}
	}
	groups := make([]protocol.SlotGroup, rounds+1)
	for i := range rounds {
		groups[i] = protocol.GroupOf(slots)
	}
	groups[rounds] = protocol.GroupOf(nil)
	root := protocol.PlanRoot(groups)
	var runs []*benchRun
	for i := range benchRuns {
		runs = append(runs, &benchRun{
			id: madeUp("run", i), coordinator: benchKey(fmt.Sprint("coordinator ", i)),
			plan:   ledger.Plan{Function: madeUp("function", i), Root: root, Groups: uint32(len(groups)), Cost: uint64(rounds) * groups[0].Cost},
			rounds: make([]ledger.RoundClaim, rounds),
		})
	}
	for round := range rounds {
		path := protocol.Bytes(protocol.PlanPath(groups, round))
		for _, r := range runs {
			c := &r.rounds[round]
			*c = ledger.RoundClaim{Round: uint32(round), Path: path, Params: madeUp("params", round), Log: madeUp("log", round)}
			for _, s := range slots {
				c.Slots = append(c.Slots, ledger.SlotClaim{Slot: s})
			}
		}
	}
	return runs
}

// sign signs what the miners attest: each has done a slot of each round.
func sign(ctx context.Context, net protocol.Net, runs []*benchRun) error {
	miners := benchKeys("miner", benchMiners)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, r := range runs {
		for i := range r.rounds {
			g.Go(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				return r.attest(net, i, miners)
			})
		}
	}
	return g.Wait()
}

// attest signs the slots of a round.
func (r *benchRun) attest(net protocol.Net, round int, miners []ed25519.PrivateKey) error {
	c := &r.rounds[round]
	for i := range c.Slots {
		s := c.Slots[i].Slot
		name := fmt.Sprint(r.id, " ", round, " ", i)
		at := protocol.Attestation{
			Work: r.id, Publisher: protocol.AccountOf(r.coordinator),
			Place: protocol.Place{Round: c.Round, Kind: s.Kind, Index: s.Index},
			Unit:  madeUp("unit "+name, 0), Result: madeUp("result "+name, 0), Ticket: madeUp("ticket "+name, 0),
		}
		if _, err := protocol.Sign(miners[i], net, &at); err != nil {
			return err
		}
		c.Slots[i].Work = ledger.List[ledger.SlotWork]{{
			Unit: at.Unit, Result: at.Result, Ticket: at.Ticket, Account: at.Account, Sig: at.Sig,
		}}
	}
	return nil
}

// madeUp is the CID of nothing that exists.
func madeUp(what string, i int) block.Link {
	return block.Link{Cid: block.Sum(block.CBOR, fmt.Append(nil, what, " ", i))}
}

// isFull reports that a mempool has no room.
func isFull(err error) bool {
	var full mempool.ErrMempoolIsFull
	return errors.As(err, &full)
}
