package node

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/work/unit"
)

// claims sees to it that a miner is paid for the acceptances in its journal. A
// publisher's relay settles them. Where the publisher is gone, or does not settle, the
// miner does: anybody may settle a unit with both signatures.
type claims struct {
	relay     *Relay
	ledger    claimLedger
	connected func(market.OfferKey) bool // whether the miner has a session
	report    Reporter
	height    *atomic.Uint64 // of the ledger, as last seen

	waits   map[journal.Key]claim // acceptances that are not settled
	looked  int                   // steps since the height was last asked for
	trimmed uint64                // the height of the last trim
	refused error                 // why the ledger refused a claim

	mu   sync.Mutex // guards paid
	paid UnitsPaid  // since the start
}

// claim is the heights of an unsettled acceptance: seen is when the miner first saw it,
// next is when the miner may send it again.
type claim struct{ seen, next uint64 }

// claimLedger is the part of the ledger that claims uses.
type claimLedger interface {
	Ledger
	Head(ctx context.Context) (light.ChainHead, error)
}

const (
	// claimEvery is the pause between two looks at the ledger. The height is asked for
	// at every look while an acceptance waits, and otherwise at every headEvery-th.
	claimEvery = 2 * time.Second
	headEvery  = 15
	// A miner settles a unit itself after so many heights: a unit of a job, whose
	// customer gets the escrow back some day; a unit of a run whose coordinator is gone;
	// and a unit of a run whose coordinator is there, but waits for the end of the round.
	claimJob       = 30
	claimRunAlone  = 60
	claimRunServed = 1800
	// claimWindow is the number of heights after which a miner gives a claim up.
	claimWindow = 6000
	// maxClaims bounds the acceptances that wait while the ledger is away.
	maxClaims = 1 << 16
)

func newClaims(m *Miner) *claims {
	c := &claims{
		ledger: m.Peer.Ledger, connected: m.tasks.connected, report: m.Report, height: &m.height, waits: map[journal.Key]claim{},
	}
	c.relay = &Relay{
		Ledger: c.ledger, Sender: m.Peer.Sender, Journal: m.journal, Report: m.Report, Log: m.Peer.Log,
		due: c.due, settled: c.settled,
	}
	return c
}

// run looks after the claims until ctx ends.
func (c *claims) run(ctx context.Context) error {
	tick := time.NewTicker(claimEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		before := c.pay()
		err := c.step(ctx)
		if after := c.pay(); after.Units > before.Units {
			c.report(UnitsPaid{Units: after.Units - before.Units, Amount: after.Amount - before.Amount, Total: after.Amount})
		}
		if ctx.Err() == nil {
			c.relay.tell(err)
		}
	}
}

// step looks up claims, sends those that are due, and gives up the oldest.
func (c *claims) step(ctx context.Context) error {
	j := c.relay.Journal
	if c.looked++; j.Count(journal.Pending) == 0 && c.looked < headEvery {
		return nil
	}
	head, err := c.ledger.Head(ctx)
	if err != nil && j.Count(journal.Pending) == 0 {
		return nil // nobody waits for the ledger
	} else if err != nil {
		return err
	}
	c.looked = 0
	c.height.Store(head.Height)
	if err := c.relay.step(ctx); err != nil {
		c.refused = err
		if !final(err) {
			return err
		}
	}
	if head.Height < c.trimmed+trimEvery {
		return nil
	}
	c.trimmed = head.Height
	if err := c.giveUp(); err != nil {
		return err
	}
	return j.Trim(head.Height - min(head.Height, AuditWindow))
}

// due reports whether the miner is to settle an entry now. After a refusal the miner
// waits at least as long again.
func (c *claims) due(e journal.Entry) bool {
	now := c.height.Load()
	w, known := c.waits[e.Key]
	if !known {
		w.seen = now
		c.waits[e.Key] = w
	}
	wait := c.grace(e)
	if now < w.seen+wait || now < w.next {
		return false
	}
	w.next = now + max(wait, now-w.seen)
	c.waits[e.Key] = w
	return true
}

// grace is the number of heights for which the miner leaves a unit to its publisher.
func (c *claims) grace(e journal.Entry) uint64 {
	of := market.OfferKey{Work: e.Taken.Accept.Work, Publisher: e.Taken.Accept.Account}
	if len(e.Tickets) > 0 {
		if u, err := unit.Parse(e.Tickets[0].Spec); err == nil && u.Kind == unit.Translate {
			return claimJob
		}
	}
	if c.connected(of) {
		return claimRunServed
	}
	return claimRunAlone
}

// giveUp voids claims that the ledger has not settled for claimWindow heights, and the
// oldest where there are too many.
func (c *claims) giveUp() error {
	j, now := c.relay.Journal, c.height.Load()
	var lines []journal.Line
	for k, w := range c.waits { // order-free: each is judged alone
		e, ok, err := j.Get(k)
		switch {
		case err != nil:
			return err
		case !ok || e.State != journal.Pending:
			delete(c.waits, k)
		case now >= w.seen+claimWindow:
			delete(c.waits, k)
			lines = append(lines, journal.Line{Key: k, Record: c.unpaid(fmt.Sprintf("not settled within %d heights", claimWindow))})
		}
	}
	if n := j.Count(journal.Pending) - len(lines) - maxClaims; n > 0 {
		old, err := j.List(journal.Pending, n, nil)
		if err != nil {
			return err
		}
		for _, e := range old {
			lines = append(lines, journal.Line{Key: e.Key, Record: c.unpaid(fmt.Sprintf("more than %d units are not settled", maxClaims))})
		}
	}
	for _, l := range lines {
		v := l.Record.(journal.Voided)
		c.report(Refused{Unit: l.Key.Unit.String(), Why: newWhy(v.Code, v.Text)})
	}
	return j.Append(lines...)
}

// unpaid says why a claim is given up, with the ledger's own reason where there is one.
func (c *claims) unpaid(text string) journal.Voided {
	code := ledger.ReasonOf(c.refused)
	if code == protocol.Unspecified {
		code = protocol.Unpaid
	}
	if c.refused != nil {
		text += ": " + c.refused.Error()
	}
	return journal.NewVoided(code, text, c.height.Load())
}

// settled counts the pay of a unit.
func (c *claims) settled(s ledger.Settlement) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paid.Units++
	c.paid.Amount += s.Paid
}

// pay is what the ledger has paid since the miner started.
func (c *claims) pay() UnitsPaid {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paid
}
