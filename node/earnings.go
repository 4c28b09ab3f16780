package node

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Earnings reports to a miner the ledger's payments for its units. A
// publisher's acceptance is only a promise: the pay comes when a relay has
// carried the acceptance to the ledger, seconds or hours later.
type Earnings struct {
	Ledger Settlements
	Miner  protocol.Account
	// Every is the pause between two looks at the ledger.
	Every  time.Duration
	Report Reporter

	mu   sync.Mutex   // guards open
	open []block.Link // units done and not yet paid, the next to look up first

	paid uint64 // amount; Run alone uses it
}

// Settlements is the part of the ledger that Earnings uses.
type Settlements interface {
	// Settled returns the settlements of those units that have one.
	Settled(ctx context.Context, units []block.Link) (map[block.Link]ledger.Settlement, error)
}

const (
	// maxUnpaid bounds the units that are watched. The oldest is forgotten, so
	// that a ledger that stays away costs no memory; its pay comes all the same.
	maxUnpaid = 4096
	// lookUps is the units looked up at a time; each costs the ledger one proof.
	lookUps = 64
)

// Watch notes a unit whose result a publisher has accepted.
func (e *Earnings) Watch(unit block.Link) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.open) == maxUnpaid {
		e.open = slices.Delete(e.open, 0, 1)
	}
	e.open = append(e.open, unit)
}

// Run looks at the ledger until ctx ends. While the ledger cannot be reached it
// says nothing: the relay that carries the units says so.
func (e *Earnings) Run(ctx context.Context) error {
	tick := time.NewTicker(e.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			e.look(ctx)
		}
	}
}

// look asks for the units at the front of the list, and puts those that are not
// paid to the end, so that each has its turn.
func (e *Earnings) look(ctx context.Context) {
	e.mu.Lock()
	n := min(len(e.open), lookUps)
	units := slices.Clone(e.open[:n])
	e.open = slices.Delete(e.open, 0, n)
	e.mu.Unlock()
	if n == 0 {
		return
	}
	settled, err := e.Ledger.Settled(ctx, units)
	if err != nil {
		settled = nil
	}
	var paid UnitsPaid
	e.mu.Lock()
	for _, u := range units {
		s, ok := settled[u]
		switch {
		case !ok:
			e.open = append(e.open, u)
		case s.Miner == e.Miner: // otherwise another miner's result was settled
			paid.Units++
			paid.Amount += s.Paid
		}
	}
	// Units done during the look-up may have filled the list.
	e.open = e.open[max(0, len(e.open)-maxUnpaid):]
	e.mu.Unlock()
	if paid.Units > 0 {
		e.paid += paid.Amount
		paid.Total = e.paid
		e.Report(paid)
	}
}
