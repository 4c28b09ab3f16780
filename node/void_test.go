package node_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/unit"
)

// blaming is a crew whose first unit is said to be bad when it is done the first time.
type blaming struct {
	unit.Crew
	mu    sync.Mutex // guards the rest
	units []unit.Outcome
	bad   unit.Unit
	blame func() // called when the unit is said to be bad
}

func (b *blaming) Do(ctx context.Context, units []unit.Unit) ([]unit.Outcome, error) {
	out, err := b.Crew.Do(ctx, units)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, u := range units {
		if len(b.units) == 0 {
			b.bad = u
		}
		if u.ID() == b.bad.ID() {
			b.units = append(b.units, out[i])
		}
	}
	if len(b.units) == 1 && units[0].ID() == b.bad.ID() {
		b.blame()
		return nil, &unit.OutputError{Unit: b.bad, Proven: true, Err: errors.New("its delta is another's")}
	}
	return out, nil
}

// TestVoidedUnit: a run goes on when an accepted result turns out to be bad. The unit
// is done again, by another miner, and the run ends in the same model.
func TestVoidedUnit(t *testing.T) {
	want := local(t)
	v := newVillage(t)
	p := v.peer("coordinator")
	v.miner("miner-1", "portable")
	c, cfg := tiny(t)
	plan, err := run.New(t.Context(), run.Fresh(p.Store), c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	combiner := &work.Local{Worker: work.NewWorker(dev), Blocks: plan.Working(p.Store), Clock: clock, Account: p.Account()}
	tr, err := node.NewTraining(t.Context(), p, plan, combiner, v.report("coordinator"))
	if err != nil {
		t.Fatal(err)
	}
	var late sync.WaitGroup
	defer late.Wait()
	b := &blaming{blame: func() {
		late.Go(func() { // until then the first miner would do it again
			time.Sleep(2 * time.Second)
			v.miner("miner-2", "portable")
		})
	}}
	tr.WrapCrew(func(c unit.Crew) unit.Crew { b.Crew = c; return b })
	out, err := tr.Train(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tr.Settle(t.Context()), tr.Close()); err != nil {
		t.Fatal(err)
	}
	if out.Model != want {
		t.Errorf("the model is %s, a local run's %s", out.Model, want)
	}
	if len(b.units) != 2 || b.units[0].Miner == b.units[1].Miner {
		t.Errorf("the bad unit was done %d times, by %v", len(b.units), b.units)
	}
	j, err := p.OpenJournal(filepath.Join(p.Home.Run(plan.Link), home.JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	e, ok, err := j.Get(journal.Key{Unit: b.bad.ID()})
	if err != nil || !ok || len(e.Voided) != 1 || e.Voided[0].Code != protocol.ResultMismatch || e.Accepted == nil || e.State != journal.Paid {
		t.Errorf("the journal has %+v of the bad unit, %v", e, err)
	}
}

// TestLostResult: a unit whose accepted result is gone is done again, in the next
// slot, and the first acceptance stays.
func TestLostResult(t *testing.T) {
	v := newVillage(t)
	p := v.peer("coordinator")
	v.policy.WorkForFree = true // no ledger knows of the run
	v.miner("miner", "portable")
	c, cfg := tiny(t)
	plan, err := run.New(t.Context(), run.Fresh(p.Store), c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	from, err := plan.Begin(t.Context(), plan.Working(p.Store))
	if err != nil {
		t.Fatal(err)
	}
	units, err := plan.Units(t.Context(), plan.Working(p.Store), 0, from)
	if err != nil {
		t.Fatal(err)
	}
	j, err := p.OpenJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	publisher := node.NewPublisher(node.PublisherConfig{
		Peer: p, Journal: j, Work: plan.Link, Estimate: plan.Estimate, Report: v.report("publisher"),
		Offer: func(time uint64, addrs []string) protocol.Signed {
			return &protocol.RunOffer{Run: plan.Link, Time: time, Rounds: 1, Units: 1, Addrs: addrs}
		},
	})
	err = node.Together(t.Context(), func(ctx context.Context) error {
		var out []unit.Outcome
		for slots := range 3 {
			if slots == 2 { // what is found is not done again; what is lost is
				if err := p.Store.Delete(out[0].Result.Outputs[0].Cid); err != nil {
					return err
				}
			}
			var err error
			if out, err = publisher.Do(ctx, units[:1]); err != nil {
				return err
			}
			entries, err := j.Slots(units[0].ID())
			if err != nil {
				return err
			}
			if want := max(1, slots); len(entries) != want {
				t.Errorf("the unit has %d slots, want %d", len(entries), want)
			}
		}
		return nil
	}, publisher.Run)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := j.Slots(units[0].ID())
	if err != nil || len(entries) != 2 || entries[0].State != journal.Pending || entries[1].State != journal.Pending {
		t.Errorf("slots %+v, %v", entries, err)
	}
}
