package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/disk"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/unit"
)

// Training is a training run over a network: a [Coordinator] whose crew is a
// [Publisher], and a [Relay] that claims the work on the ledger.
type Training struct {
	coordinator *Coordinator
	publisher   *Publisher
	claims      *RunClaims
	relay       *Relay
	journal     *journal.Journal
	report      Reporter
}

// drainTime is how long an interrupted training waits for the ledger.
const drainTime = 30 * time.Second

// NewTraining prepares the training of a plan by p, whose home keeps the run's heads
// and journal. here does the combines in this process.
func NewTraining(ctx context.Context, p *Peer, plan *run.Plan, here unit.Crew, report Reporter) (*Training, error) {
	slots, err := findSlots(ctx, p.Store, plan)
	if err != nil {
		return nil, err
	}
	dir := p.Home.Run(plan.Link)
	if err := disk.MakeDir(disk.OS, dir); err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	head, err := Head(dir)
	if err != nil {
		return nil, err
	}
	units, err := p.OpenJournal(filepath.Join(dir, home.JournalFile))
	if err != nil {
		return nil, err
	}
	here = &turns{crew: here}
	t := &Training{journal: units, report: report}
	claims := &RunClaims{
		Ledger: p.Ledger, Sender: p.Sender, Journal: units, Store: p.Store, Key: p.Key, Net: p.Net, Report: report,
		run: plan.Link, slots: slots, fresh: !head.Defined(), trims: trimmer{journal: units},
	}
	t.claims = claims
	t.relay = &Relay{Claims: claims, Every: time.Second / 2, Report: report, Log: p.Log}
	t.publisher = NewPublisher(PublisherConfig{
		Peer: p, Journal: units, Work: plan.Link, Estimate: plan.Estimate, Proof: slots.proof, Confirm: here, Report: report,
		Offer: func(time uint64, addrs []string) protocol.Signed {
			return &protocol.RunOffer{
				Run: plan.Link, Time: time, Rounds: uint32(plan.Rounds()), Units: plan.Run.Config.Units, Addrs: addrs,
			}
		},
	})
	t.coordinator = &Coordinator{
		Dir: dir, Store: p.Store, Plan: plan, Crew: &paidCrew{claims: claims, miners: t.publisher, here: here, report: report}, Home: here, Committed: claims.Committed, Logged: claims.Logged, Trained: claims.Trained, Report: report,
	}
	return t, nil
}

// turns is a crew of one worker, which several goroutines ask in turn: to combine,
// and to confirm what miners say.
type turns struct {
	mu   sync.Mutex // guards the crew
	crew unit.Crew
}

// Do implements [unit.Crew].
func (t *turns) Do(ctx context.Context, units []unit.Unit) ([]unit.Outcome, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.crew.Do(ctx, units)
}

// paidCrew does the units of a run: by miners, where the ledger pays them. The ledger pays
// a round once. So a coordinator that has taken a run over, or has lost its blocks, does
// the rounds that are claimed in this process.
type paidCrew struct {
	claims       *RunClaims
	miners, here unit.Crew
	report       Reporter
	told         sync.Once // that units are done here
}

// Do implements [unit.Crew]. The units are of one round.
func (c *paidCrew) Do(ctx context.Context, units []unit.Unit) ([]unit.Outcome, error) {
	if len(units) == 0 || !c.claims.has(units[0].Round) {
		return c.miners.Do(ctx, units)
	}
	c.told.Do(func() {
		c.report(Resumed{Round: int(units[0].Round), Text: "the ledger has rounds already that are not here: this process does them again, because no miner is paid for them twice"})
	})
	return c.here.Do(ctx, units)
}

// Train trains to the end of the run. If ctx ends sooner, Train still carries
// the accepted units to the ledger for up to drainTime. A new process can then
// continue the run.
func (t *Training) Train(ctx context.Context) (*TrainingResult, error) {
	if err := t.claims.look(ctx); err != nil && ctx.Err() == nil {
		t.relay.tell(err) // the run begins without the ledger
	}
	var out *TrainingResult
	err := Together(ctx, func(ctx context.Context) (err error) {
		out, err = t.coordinate(ctx)
		if err == nil {
			t.publisher.End(ctx)
		}
		return err
	}, t.publisher.Run, t.relay.Carry)
	if err == nil {
		return out, nil
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if derr := t.relay.Drain(drain); derr != nil {
		return nil, fmt.Errorf("%w; %w", err, derr)
	}
	return nil, err
}

// coordinate trains to the end of the run. Where the run cannot go on with an
// accepted result that no honest miner gives, the result is voided, and the run goes
// on from its head: the unit is done again.
func (t *Training) coordinate(ctx context.Context) (*TrainingResult, error) {
	for {
		out, err := t.coordinator.Run(ctx)
		var bad *unit.OutputError
		if !errors.As(err, &bad) || !bad.Proven {
			return out, err
		}
		why := newWhy(protocol.ResultMismatch, bad.Error())
		if err := t.publisher.Void(bad.Unit.ID(), protocol.ResultMismatch, bad.Error()); err != nil {
			return nil, err
		}
		t.report(Refused{Unit: bad.Unit.ID().String(), Why: why})
	}
}

// Settle claims all rounds that the ledger does not have yet, and ends the run there,
// however long the ledger cannot be reached. If ctx ends sooner, the rest stays in the
// journal and is claimed when the run is started again.
func (t *Training) Settle(ctx context.Context) error { return t.relay.Drain(ctx) }

// Pin announces the roots of a finished run in the DHT, so that any node finds
// the peers that have the run and its model, and serves the model.
func (t *Training) Pin(ctx context.Context, o *TrainingResult) error {
	peer, plan := t.publisher.peer, t.coordinator.Plan
	for _, l := range []block.Link{plan.Link, plan.Run.Corpus, o.Head} {
		peer.Mesh.Provide(l.Cid)
	}
	h := protocol.HeldModel{Model: o.Model, Source: plan.Run.Config.Source, Target: plan.Run.Config.Target}
	if len(o.Tests) > 0 {
		h.ChrF = millionths(o.Tests[0].ChrF)
	}
	return peer.ServeModel(ctx, h)
}

// Close closes the run's journal.
func (t *Training) Close() error { return t.journal.Close() }
