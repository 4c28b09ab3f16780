package node_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/node/ledgertest"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/unit"
)

// trainedRun is a run that a coordinator and two miners have trained, as the coordinator's
// home has it.
type trainedRun struct {
	plan    *run.Plan
	store   *block.MemoryStore // the run's record, the logs and the results
	rounds  []run.Round
	logs    []block.Link
	closing []run.Line
	done    []didUnit // by the miners
}

type didUnit struct {
	unit   unit.Unit
	result unit.Result
	link   block.Link
	miner  string
}

// miners are the names of those who have trained the run.
var miners = []string{"miner-1", "miner-2"}

// between is a crew that does units in this process in the names of the miners.
type between struct {
	unit.Crew
	h *trainedRun
}

func (b between) Do(ctx context.Context, units []unit.Unit) ([]unit.Outcome, error) {
	out, err := b.Crew.Do(ctx, units)
	for i := range out {
		d := didUnit{unit: units[i], result: out[i].Result, link: out[i].Link, miner: miners[len(b.h.done)%len(miners)]}
		out[i].Miner = protocol.AccountOf(key(d.miner))
		b.h.done = append(b.h.done, d)
		if err == nil {
			_, err = block.PutNode(ctx, b.h.store, d.result)
		}
	}
	return out, err
}

// theRun is the run of aRun, once it is trained.
var theRun struct {
	mu sync.Mutex // guards the rest
	h  *trainedRun
}

// aRun is the tiny run, trained once for all tests.
func aRun(t *testing.T) *trainedRun {
	t.Helper()
	theRun.mu.Lock()
	defer theRun.mu.Unlock()
	if theRun.h != nil {
		return theRun.h
	}
	h := &trainedRun{store: new(block.MemoryStore)}
	store, err := block.Open(filepath.Join(t.TempDir(), "blocks"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	c, cfg := tiny(t)
	cfg.Epochs, cfg.Units, cfg.Validation, cfg.Average = 6, 3, 2, 2
	if h.plan, err = run.New(t.Context(), store, c, cfg); err == nil {
		_, err = run.New(t.Context(), h.store, c, cfg)
	}
	if err != nil {
		t.Fatal(err)
	}
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	local := &work.Local{Worker: work.NewWorker(dev), Blocks: store, Clock: clock, Account: protocol.AccountOf(key("coordinator"))}
	keep := func(l block.Link) {
		data, err := store.Get(t.Context(), l.Cid)
		if err == nil {
			_, err = h.store.Put(t.Context(), block.CBOR, data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = (&node.Coordinator{
		Dir: t.TempDir(), Store: store, Plan: h.plan, Crew: between{local, h}, Home: local, Report: func(node.Notice) {},
		Committed: func(r run.Round, log block.Link) {
			keep(log)
			for _, l := range r.Final { // the coordinator's, of which the ledger wants the record
				keep(l.Result)
			}
			h.rounds, h.logs = append(h.rounds, r), append(h.logs, log)
		},
		Trained: func(lines []run.Line) { h.closing = lines },
	}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(h.rounds) < 3 || len(h.closing) < 2 || h.plan.Rounds() != len(h.rounds) {
		t.Fatalf("a run of %d rounds and %d closing units is too small for the tests", len(h.rounds), len(h.closing))
	}
	theRun.h = h
	return h
}

// claiming is a coordinator that claims the run.
type claiming struct {
	*testing.T
	*trainedRun
	name    string
	ledger  *ledgertest.InMemory
	dir     string // of the journal
	disk    *faultyDisk
	journal *journal.Journal
	claims  *node.RunClaims
	told    *notices
}

func newClaiming(t *testing.T, l *ledgertest.InMemory, name string) *claiming {
	t.Helper()
	c := &claiming{T: t, trainedRun: aRun(t), name: name, ledger: l, dir: filepath.Join(t.TempDir(), "journal"), disk: &faultyDisk{}}
	c.told = &notices{watch: func(node.Notice) {}}
	c.open()
	c.accept()
	t.Cleanup(func() { c.journal.Close() })
	return c
}

// open begins a process of the coordinator.
func (c *claiming) open() {
	c.Helper()
	var err error
	if c.journal, err = journal.Open(c.dir, ledgertest.Net, journal.Options{Disk: c.disk}); err != nil {
		c.Fatal(err)
	}
	c.claims, err = node.NewRunClaims(c.Context(), c.plan, &node.RunClaims{
		Ledger: c.ledger, Sender: c.ledger.Sender(key(c.name)), Journal: c.journal, Store: c.store, Key: key(c.name), Net: ledgertest.Net, Report: c.told.report,
	})
	if err != nil {
		c.Fatal(err)
	}
}

// accept has the coordinator accept all units of the miners.
func (c *claiming) accept() {
	c.Helper()
	var lines []journal.Line
	for _, d := range c.done {
		at := protocol.Attestation{
			Work: c.plan.Link, Publisher: protocol.AccountOf(key(c.name)), Unit: d.unit.ID(), Result: d.link,
			Place: protocol.Place{Round: d.unit.Round, Kind: uint16(d.unit.Kind), Index: d.unit.Index},
		}
		if _, err := protocol.Sign(key(d.miner), ledgertest.Net, &at); err != nil {
			c.Fatal(err)
		}
		ac := acceptOf(at)
		if _, err := protocol.Sign(key(c.name), ledgertest.Net, ac); err != nil {
			c.Fatal(err)
		}
		lines = append(lines, journal.Line{Key: journal.Key{Unit: at.Unit}, Record: journal.Accepted{Attestation: at, Accept: *ac, Round: d.unit.Round}})
	}
	if err := c.journal.Append(lines...); err != nil {
		c.Fatal(err)
	}
}

// commit tells the claims of rounds from one to before another.
func (c *claiming) commit(from, to int) {
	for r := from; r < to; r++ {
		c.claims.Committed(c.rounds[r], c.logs[r])
	}
}

// end tells the claims of everything, up to the end of the run.
func (c *claiming) end() {
	c.commit(0, len(c.rounds))
	c.claims.Trained(c.closing)
}

// step has the claims do a step, which must end with an error that wraps want, or nil.
func (c *claiming) step(want error) {
	c.Helper()
	if err := c.claims.Step(c.Context()); !errors.Is(err, want) {
		c.Fatalf("Step = %v, want %v", err, want)
	}
}

// approved has the run proposed and approved.
func (c *claiming) approved() {
	c.Helper()
	c.step(node.ErrNotApproved)
	c.ledger.Vote(c.plan.Link, protocol.AccountOf(key(c.name)), true)
}

// drain does steps until nothing is left.
func (c *claiming) drain() {
	c.Helper()
	r := &node.Relay{Claims: c.claims, Report: c.told.report, Log: quiet}
	if err := r.Drain(c.Context()); err != nil {
		c.Fatal(err)
	}
}

// paid checks that each miner was paid once for each of its units of the first rounds, and
// for its closing units if the run has ended.
func (c *claiming) paid(rounds int, closing bool) {
	c.Helper()
	c.ledger.Pass(int(c.ledger.State().Genesis().Params.Finality) + 1)
	want := map[string]uint64{}
	for _, d := range c.done {
		if r := int(d.unit.Round); r < rounds || closing && r == c.plan.Rounds() {
			want[d.miner] += ledgertest.Pay(c.cost(d))
		}
	}
	for _, m := range miners {
		if got := c.ledger.State().Account(protocol.AccountOf(key(m))).Earned; got != want[m] || got == 0 {
			c.Errorf("%s has earned %d, want %d", m, got, want[m])
		}
	}
}

// cost is the cost of a unit by the plan.
func (c *claiming) cost(d didUnit) uint64 {
	c.Helper()
	slots, err := c.claims.Slots(c.Context(), d.unit.Round)
	if err != nil {
		c.Fatal(err)
	}
	i := slices.IndexFunc(slots, func(s protocol.Slot) bool { return s.Kind == uint16(d.unit.Kind) && s.Index == d.unit.Index })
	if i < 0 {
		c.Fatalf("unit %+v has no slot", d.unit)
	}
	return min(slots[i].Most, d.result.MFLOP())
}

// over checks that the run has ended on the ledger and in the journal.
func (c *claiming) over() {
	c.Helper()
	if left := c.claims.Left(); left != "" {
		c.Errorf("%s are left", left)
	}
	r, known := c.ledger.State().Run(c.plan.Link, protocol.AccountOf(key(c.name)))
	if known && r.Status != ledger.Ended {
		c.Errorf("the run is %v", r.Status)
	}
	if p, n := c.journal.Count(journal.Pending), c.journal.Count(journal.Paid); p != 0 || n != len(c.done) {
		c.Errorf("the journal has %d units that are pending and %d that are paid, of %d", p, n, len(c.done))
	}
}

// kinds are the kinds of the transactions that were taken.
func kinds(l *ledgertest.InMemory, from int) (all []string) {
	for _, b := range l.Sent()[from:] {
		all = append(all, fmt.Sprintf("%T", b))
	}
	return all
}
