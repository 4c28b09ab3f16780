package node

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/kernel"
)

// Miner does units for every publisher that offers work: it bids on open offers,
// computes the units leased to it, and signs the results.
type Miner struct {
	Peer *Peer
	// Workers compute one unit each at a time; there is at least one.
	Workers []*work.Worker
	// Check, unless nil, returns an error if a device computes wrong bits. It is
	// called before each result is signed, because a GPU can begin to compute
	// wrong bits without any error.
	Check func(dev kernel.Device) error
	// Replace, unless nil, returns the worker that takes the place of a worker
	// whose device broke down.
	Replace func(broken *work.Worker, why error) (*work.Worker, error)
	// Capability is what bids say of this machine. Run sets Numerics.
	Capability protocol.Capability
	Policy     Policy
	// Disk is the most bytes of blocks in the home; 0 sets no limit.
	Disk   int64
	Report Reporter

	tasks         *tasks
	journal       *journal.Journal
	claims        *claims
	checker       *check.Checker
	height        atomic.Uint64    // of the ledger, as last seen
	now           func() time.Time // time.Now; tests have a clock of their own
	progressEvery time.Duration
	freeMemory    func() (uint64, error) // bytes; tests have machines of their own
	wished        chan struct{}          // has an item when wish has changed

	mu       sync.Mutex // guards the fields below
	sessions map[market.OfferKey]struct{}
	passed   map[market.OfferKey]PassedOver // open offers on which the miner does not bid
	tellings int                            // how many of them may be reported at once
	rests    map[market.OfferKey]rest       // open offers on which the miner bids again later
	debts    map[market.OfferKey]debt       // of the customers of open offers
	idle     map[market.OfferKey]string     // code of the reason last reported; the zero key is for no offer at all
	why      Why                            // why the miner had no unit at last; empty while it has one
	full     Why                            // where the disk was full at the last unit
	ready    bool                           // Run has set the fields above mu
	wish     wish                           // of the user
	devices  []DeviceSnapshot               // of the workers; State and Reason are not set
	recent   []*task                        // the last tasks that have ended, whose blocks are kept; oldest first
}

const (
	// inFlight is the number of units that a miner asks for, for each worker: one
	// to compute and one that waits, so that the worker never waits for a ticket.
	inFlight = 2
	// share is the number of tickets of one publisher that may wait, for each worker.
	share = 2 * inFlight
	// keepUnits is the number of units whose blocks a miner keeps for their publishers.
	keepUnits = 8
)

// Run mines until ctx ends.
func (m *Miner) Run(ctx context.Context) (err error) {
	m.tasks = newTasks(share * len(m.Workers))
	m.sessions = map[market.OfferKey]struct{}{}
	m.passed, m.tellings = map[market.OfferKey]PassedOver{}, tellAtOnce
	m.rests, m.debts = map[market.OfferKey]rest{}, map[market.OfferKey]debt{}
	m.idle, m.wished = map[market.OfferKey]string{}, make(chan struct{}, 1)
	m.Capability.Numerics = kernel.Numerics
	if m.now == nil {
		m.now = time.Now
	}
	if m.progressEvery == 0 {
		m.progressEvery = progressEvery
	}
	if m.freeMemory == nil {
		m.freeMemory = machine.FreeMemory
	}
	if m.journal, err = m.Peer.OpenJournal(m.Peer.Home.MinerJournal()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.journal.Close()) }()
	m.claims, m.checker = newClaims(m), check.New()
	if err := m.recall(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	m.ready, m.devices = true, make([]DeviceSnapshot, len(m.Workers))
	m.mu.Unlock()
	ctx, end := context.WithCancel(ctx)
	defer end()
	g, ctx := errgroup.WithContext(ctx)
	for i, w := range m.Workers {
		m.uses(i, w.Device().Name(), nil)
		g.Go(func() error { return m.compute(ctx, i, w) })
	}
	g.Go(func() error { return m.seek(ctx, end) })
	g.Go(func() error { return m.tidy(ctx) })
	g.Go(func() error { return m.claims.run(ctx) })
	if !m.Policy.WorkForFree {
		g.Go(func() error { return m.Policy.judge(ctx, m.Peer.Ledger, m.Peer.Offers) })
	}
	return g.Wait()
}

// idles reports why the miner has no unit of an offer, once for each change of
// the reason.
func (m *Miner) idles(k market.OfferKey, why Why) {
	m.mu.Lock()
	same := m.idle[k] == why.Code
	m.idle[k], m.why = why.Code, why
	m.mu.Unlock()
	if !same {
		m.Report(MinerIdle{why})
	}
}

// busy notes that the miner has a unit, so that its next idle time is reported. NoOpenUnits
// is reported only once: it comes with every round.
func (m *Miner) busy(k market.OfferKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.idle[k] != protocol.NoOpenUnits.String() {
		delete(m.idle, k)
	}
	delete(m.idle, market.OfferKey{})
	m.why = Why{}
}

// keep keeps the blocks of a finished unit for its publisher, and unpins those of the
// oldest unit when there are more than keepUnits. Blocks without an owner may fill what is
// left of Disk; without a limit, they may have as many bytes as the pinned blocks.
func (m *Miner) keep(t *task) {
	m.mu.Lock()
	m.recent = append(m.recent, t)
	var old []*task
	if n := len(m.recent) - keepUnits; n > 0 {
		old, m.recent = m.recent[:n], m.recent[n:]
	}
	m.mu.Unlock()
	needed := m.Peer.Store.Usage().OwnedBytes
	for _, t := range old {
		m.Peer.Store.Unpin(t.owner)
		m.Peer.Store.Unpin(t.made)
		m.Peer.Store.Unpin(t.text)
	}
	spare := needed
	if m.Disk > 0 {
		spare = max(0, m.Disk-m.Peer.Store.Usage().OwnedBytes)
	}
	if _, err := m.Peer.Store.Sweep(context.Background(), spare); err != nil {
		m.Peer.Log.Warn("blocks not deleted", "err", err)
	}
}
