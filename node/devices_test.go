package node_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/unit"
)

// failing is a device that works for left stages. Then it breaks down, or, if it
// is quiet, begins to give wrong bits.
type failing struct {
	kernel.Device
	left  int
	quiet bool
}

func (f *failing) Do(c *kernel.Call) { f.Stage(nil, nil, nil, []kernel.Call{*c}) }

func (f *failing) Group(calls []kernel.Call) { f.Stage(nil, nil, nil, calls) }

func (f *failing) Stage(calls []kernel.Call, sides []uint8, cuts [][]int32, free []kernel.Call) {
	f.left--
	if f.left < 0 && !f.quiet {
		panic(&kernel.DeviceError{Device: f.Name(), Err: errors.New("it fell off the bus")})
	}
	f.Device.Stage(calls, sides, cuts, free)
	for i := range free {
		if out := free[i].Out[0].F; f.left < 0 && len(out) > 0 {
			out[0] += out[0] / 1024
		}
	}
}

// TestBrokenDevices: a miner's device breaks down in the middle of a unit, and
// another's gives wrong bits without a word. Their units go back unharmed, the
// miners go on with the processor, and the model is that of a local run.
func TestBrokenDevices(t *testing.T) {
	want := local(t)
	v := newVillage(t)
	p := v.peer("coordinator")
	open := func() kernel.Device {
		dev, err := kernel.Open("auto", 1)
		if err != nil {
			t.Fatal(err)
		}
		return dev
	}
	broken := map[string]*failing{"loud": {Device: open(), left: 60}, "quiet": {Device: open(), left: 60, quiet: true}}
	var stops []func()
	for name, dev := range broken {
		stops = append(stops, v.minerOn(name, dev, open()))
	}
	if out := v.coordinate(p, nil); out.Model != want {
		t.Errorf("the model is %s, a local run's %s", out.Model, want)
	}
	for _, stop := range stops {
		stop()
	}
	for name, dev := range broken {
		if dev.left >= 0 {
			t.Errorf("the %s device was used for too little to break down: %d", name, dev.left)
		}
	}
}

// TestConfirmedDefect: where a miner finds a result that is not finite, and this
// process finds the same, that is the unit's outcome, as it is without a network.
func TestConfirmedDefect(t *testing.T) {
	v := newVillage(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := v.peer("publisher")
	c, cfg := tiny(t)
	plan, err := run.New(ctx, run.Fresh(p.Store), c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	from, err := plan.Begin(ctx, plan.Working(p.Store))
	if err != nil {
		t.Fatal(err)
	}
	params := nmt.Init(plan.Run.Model(), 1)
	for i := range params.Len() {
		for j := range params.At(i).F {
			params.At(i).F[j] = 3e38
		}
	}
	if from.Params, err = state.PutSet(ctx, public(p), params); err != nil {
		t.Fatal(err)
	}
	units, err := plan.Units(ctx, plan.Working(p.Store), 0, from)
	if err != nil {
		t.Fatal(err)
	}
	journal, err := p.OpenJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close()
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	publisher := node.NewPublisher(node.PublisherConfig{
		Peer: p, Journal: journal, Work: plan.Link, Estimate: plan.Estimate, Report: v.report("publisher"),
		Confirm: &work.Local{Worker: work.NewWorker(dev), Blocks: plan.Working(p.Store), Clock: clock},
		Offer: func(time uint64, addrs []string) protocol.Signed {
			return &protocol.RunOffer{Run: plan.Link, Time: time, Rounds: 1, Units: 1, Addrs: addrs}
		},
	})
	v.policy.WorkForFree = true // no ledger knows of the run
	v.miner("honest", "portable")
	var outcomes []unit.Outcome
	err = node.Together(ctx, func(ctx context.Context) (err error) {
		outcomes, err = publisher.Do(ctx, units[:1])
		publisher.End(ctx)
		return err
	}, publisher.Run)
	if err != nil {
		t.Fatal(err)
	}
	if err := outcomes[0].Result.Err(units[0]); !errors.Is(err, unit.ErrDefect) {
		t.Errorf("the outcome is %+v", outcomes[0].Result)
	}
}

// countingCrew counts the units that a crew computes.
type countingCrew struct {
	unit.Crew
	units atomic.Int32
}

func (c *countingCrew) Do(ctx context.Context, units []unit.Unit) ([]unit.Outcome, error) {
	c.units.Add(int32(len(units)))
	return c.Crew.Do(ctx, units)
}

// TestClaimedDefects: miners with fresh keys claim a defect that a unit does not have.
// Each is refused; the publisher computes the unit once, and not once for each key.
func TestClaimedDefects(t *testing.T) {
	v := newVillage(t)
	p := v.peer("publisher")
	publisher, plan, units := v.publish(p, v.report("publisher"))
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	crew := &countingCrew{Crew: &work.Local{Worker: work.NewWorker(dev), Blocks: p.Store, Clock: clock}}
	publisher.SetConfirm(crew)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	until(t, ctx, p, publisher, units[:1], true, func() {
		for i := range 3 {
			k := bid(t, ctx, v.peer(fmt.Sprint("liar ", i)), p.Account(), p.Mesh.Addrs(), plan.Link)
			ticket, body := k.ticket()
			k.sign(claim(k.peer, ticket, protocol.ID(body), func(r *unit.Result) { *r = unit.Result{Defect: unit.NonFinite, Detail: nmt.ErrNonFinite.Error()} }))
			if got := k.refused(protocol.ID(body)); got != protocol.ResultMismatch {
				t.Errorf("the claim of liar %d is refused for %v", i, got)
			}
			k.Close()
		}
		k := bid(t, ctx, v.peer("honest"), p.Account(), p.Mesh.Addrs(), plan.Link)
		_, ticket := k.ticket()
		k.sign(right(t, p, k.peer, units[0], ticket))
		k.nextOf(protocol.TypeAccept)
	})
	if n := crew.units.Load(); n != 1 {
		t.Errorf("the publisher computed %d units, want 1", n)
	}
}
