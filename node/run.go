package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/unit"
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
// journal; here does the combines in this process.
func NewRun(p *Peer, plan *run.Plan, dir string, here unit.Crew, report Reporter) (*Run, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	journal, err := OpenJournal(filepath.Join(dir, home.JournalFile), p.Net)
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
				Run: plan.Link, Seq: seq, Rounds: uint32(plan.Rounds()), Units: config.Units, Addrs: addrs,
			}
		},
	}
	r.coordinator = &Coordinator{
		Dir: dir, Store: p.Store, Plan: plan, Crew: r.publisher, Home: here, Committed: r.relay.Committed, Report: report,
	}
	return r, nil
}

// Train brings the run to its end. When ctx ends sooner, what was accepted
// until then is carried to the ledger for as long as drainTime allows, and a
// new process can go on from there.
func (r *Run) Train(ctx context.Context) (*Outcome, error) {
	var out *Outcome
	err := Together(ctx, func(ctx context.Context) (err error) {
		out, err = r.coordinator.Run(ctx)
		if err == nil {
			r.publisher.End()
		}
		return err
	}, r.publisher.Run, r.relay.Carry)
	if err == nil {
		return out, nil
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	return nil, errors.Join(err, r.relay.Drain(drain))
}

// Settle carries to the ledger what of the run is not there yet, however long
// the ledger is away. When ctx ends sooner, the rest is kept, and settles when
// the run is started again.
func (r *Run) Settle(ctx context.Context) error { return r.relay.Drain(ctx) }

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
