package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
)

// Ledger is what a relay needs of the ledger.
type Ledger interface {
	Run(ctx context.Context, run block.Link) (ledger.Run, bool, error)
	Settled(ctx context.Context, units []block.Link) (map[block.Link]ledger.Settlement, error)
}

// Sender signs and submits transactions of one account.
type Sender interface {
	Send(ctx context.Context, body ledger.Body) (nonce uint64, err error)
	Confirm(ctx context.Context, nonce uint64) error
}

// Relay carries accepted work from a journal to the ledger, at least once: it
// sends what is not settled, then looks at what the ledger holds, and sends
// the rest again. With the ledger down it waits; nothing of the work waits
// for it. For a run it also proposes the run and commits the rounds' logs.
type Relay struct {
	Ledger  Ledger
	Sender  Sender
	Journal *Journal
	// Run, when set, is proposed with a Budget in MFLOP, and its rounds are committed.
	Run    block.Link
	Budget uint64
	// Every is the pause between two looks at the ledger.
	Every  time.Duration
	Report Reporter
	Log    *slog.Logger

	mu     sync.Mutex           // guards the rest
	rounds []ledger.RoundCommit // in order, from round first
	first  uint64
	behind int // rounds not yet committed, at the last look
}

// settleBatch is the entries of one transaction; commitBatch the round logs sent before the next look.
const (
	settleBatch = 128
	commitBatch = 64
)

// Committed notes a round whose log is to be committed.
func (r *Relay) Committed(round work.Round, log block.Link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := ledger.RoundCommit{Run: round.Run, Round: uint64(round.Number), Params: round.After.Params, Log: log}
	// A resumed run tells of its past from the last round to the first.
	switch {
	case len(r.rounds) == 0:
		r.rounds, r.first = []ledger.RoundCommit{c}, c.Round
	case c.Round+1 == r.first:
		r.rounds, r.first = append([]ledger.RoundCommit{c}, r.rounds...), c.Round
	case c.Round == r.first+uint64(len(r.rounds)):
		r.rounds = append(r.rounds, c)
	}
}

// Carry carries until ctx ends.
func (r *Relay) Carry(ctx context.Context) error {
	down := false
	for {
		err := r.step(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if unreachable := errors.Is(err, light.ErrUnreachable); unreachable && !down {
			down = true
			r.Report(Event{Kind: EventWaiting, Work: r.Run}.because(protocol.ChainUnreachable, "work goes on and is settled later"))
		} else if err != nil && !unreachable {
			r.Log.Warn("relay", "err", err)
		} else if err == nil {
			down = false
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(r.Every):
		}
	}
}

// Drain carries until nothing is left to carry, or ctx ends.
func (r *Relay) Drain(ctx context.Context) error {
	for {
		err := r.step(ctx)
		if _, pending := r.Journal.Counts(); err == nil && pending == 0 && r.uncommitted() == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			_, pending := r.Journal.Counts()
			return fmt.Errorf("%d units and %d rounds are not settled; they are kept, and settle when this run is started again: %w",
				pending, r.uncommitted(), errors.Join(ctx.Err(), err))
		case <-time.After(r.Every):
		}
	}
}

// step brings the ledger one step nearer to what the journal says.
func (r *Relay) step(ctx context.Context) error {
	if r.Run.Defined() {
		approved, err := r.propose(ctx)
		if err != nil || !approved {
			return err
		}
		if err := r.commit(ctx); err != nil {
			return err
		}
	}
	return r.settle(ctx)
}

// propose sees to it that the ledger knows the run, and reports whether the
// run may mint.
func (r *Relay) propose(ctx context.Context) (approved bool, err error) {
	run, known, err := r.Ledger.Run(ctx, r.Run)
	if err != nil {
		return false, fmt.Errorf("read run: %w", err)
	}
	if !known {
		return false, r.send(ctx, ledger.RunPropose{Run: r.Run, Budget: r.Budget})
	}
	r.mu.Lock()
	r.behind = int(r.first) + len(r.rounds) - int(run.Rounds)
	r.mu.Unlock()
	if run.Status != ledger.Approved {
		r.Report(Event{Kind: EventWaiting, Work: r.Run}.because(protocol.NotApproved, fmt.Sprintf("the run is %v", run.Status)))
		return false, nil
	}
	return true, nil
}

// commit sends the logs of rounds the ledger lacks, in order.
func (r *Relay) commit(ctx context.Context) error {
	r.mu.Lock()
	n := min(r.behind, commitBatch, len(r.rounds))
	var next []ledger.RoundCommit
	if r.behind > 0 {
		at := len(r.rounds) - min(r.behind, len(r.rounds))
		next = append(next, r.rounds[at:at+n]...)
	}
	r.mu.Unlock()
	for _, c := range next {
		if _, err := r.Sender.Send(ctx, c); err != nil && !errors.Is(err, ledger.Already) {
			return fmt.Errorf("commit round %d: %w", c.Round, err)
		}
	}
	return nil
}

func (r *Relay) uncommitted() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(r.behind, 0)
}

// settle sends a batch of accepted work and notes what the ledger then holds.
func (r *Relay) settle(ctx context.Context) error {
	batch := r.Journal.Pending(settleBatch)
	if len(batch) == 0 {
		return nil
	}
	body := ledger.Settle{}
	units := make([]block.Link, len(batch))
	for i, a := range batch {
		units[i] = a.Accept.Unit
		body.Entries = append(body.Entries, ledger.Entry{Attestation: a.Attestation, Accept: a.Accept})
	}
	if err := r.send(ctx, body); err != nil && !errors.Is(err, ledger.Already) {
		return fmt.Errorf("settle: %w", err)
	}
	settled, err := r.Ledger.Settled(ctx, units)
	if err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	var done []block.Link
	for _, u := range units {
		if _, ok := settled[u]; ok {
			done = append(done, u)
		}
	}
	if err := r.Journal.Settle(done); err != nil {
		return err
	}
	if len(done) > 0 {
		r.Report(Event{Kind: EventSettled, Work: r.Run, Units: len(done)})
	}
	return nil
}

// confirmTime is how long a transaction may take to be in a block before the
// relay looks again and sends what is missing.
const confirmTime = 15 * time.Second

// send submits a transaction and waits until it is in a block.
func (r *Relay) send(ctx context.Context, body ledger.Body) error {
	nonce, err := r.Sender.Send(ctx, body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, confirmTime)
	defer cancel()
	return r.Sender.Confirm(ctx, nonce)
}
