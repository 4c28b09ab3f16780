package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
)

// Run is a training run coordinated over a network: a [Coordinator] whose crew
// is a [Publisher], and a [Relay] that settles what miners did.
type Run struct {
	coordinator *Coordinator
	publisher   *Publisher
	relay       *Relay
	journal     *Journal
}

// drainTime is how long a run that was stopped waits for the ledger.
const drainTime = 30 * time.Second

// NewRun prepares the coordination of plan by p. dir keeps the run's head and
// journal; home does the combines in this process.
func NewRun(p *Peer, plan *work.Plan, dir string, home work.Crew, report Reporter) (*Run, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	journal, err := OpenJournal(filepath.Join(dir, "journal"), p.Net)
	if err != nil {
		return nil, err
	}
	config := plan.Run.Config
	r := &Run{journal: journal}
	r.relay = &Relay{
		Ledger: p.Ledger, Sender: p.Ledger.Sender(p.Key), Journal: journal,
		Run: plan.Link, Budget: plan.Budget(), Every: time.Second / 2, Report: report, Log: p.Log,
	}
	r.publisher = &Publisher{
		Peer: p, Journal: journal, Work: plan.Link, Topic: protocol.RunTopic(p.Net), Estimate: plan.Estimate, Report: report,
		Offer: func(seq uint64, addrs []string) protocol.Signed {
			return &protocol.RunOffer{
				Run: plan.Link, Seq: seq, Rounds: uint32(plan.Rounds()), K: config.Workers,
				UnitCost: plan.Estimate(work.Unit{Kind: work.Gradient}), Addrs: addrs,
			}
		},
	}
	r.coordinator = &Coordinator{
		Dir: dir, Store: p.Store, Plan: plan, Crew: r.publisher, Home: home, Committed: r.relay.Committed, Report: report,
	}
	return r, nil
}

// Do brings the run to its end, and what was earned in it to the ledger. When
// ctx ends sooner, what was accepted until then is settled, and Do can be
// called again in a new process.
func (r *Run) Do(ctx context.Context) (*Outcome, error) {
	var out *Outcome
	err := Together(ctx, func(ctx context.Context) (err error) {
		out, err = r.coordinator.Run(ctx)
		if err == nil {
			r.publisher.End()
		}
		return err
	}, r.publisher.Run, r.relay.Carry)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	if err == nil {
		drain, cancel = context.WithCancel(ctx) // the work is done: settling it is all that is left
	}
	defer cancel()
	if derr := r.relay.Drain(drain); derr != nil {
		r.relay.Report(Event{Kind: EventWaiting, Work: r.relay.Run}.because(protocol.ChainUnreachable, derr.Error()))
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Pin announces the roots of a finished run in the DHT, so that strangers
// find who holds them.
func (r *Run) Pin(ctx context.Context, o *Outcome) error {
	var errs []error
	for _, l := range []block.Link{r.coordinator.Plan.Link, r.coordinator.Plan.Run.Corpus, o.Model, o.Head} {
		errs = append(errs, r.publisher.Peer.Mesh.Provide(ctx, l.Cid))
	}
	return errors.Join(errs...)
}

// Close closes the run's journal.
func (r *Run) Close() error { return r.journal.Close() }
