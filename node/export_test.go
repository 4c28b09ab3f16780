package node

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/unit"
)

// Bounds of a miner and of its publisher.
const (
	MaxShown     = market.MaxShown
	MaxGivenBack = maxGivenBack
	MaxUnpaid    = maxUnpaid
	MaxSlots     = maxSlots
	MaxAttempts  = maxAttempts
	MaxDetail    = maxDetail
)

// Detail is as much of a text as a refusal holds.
func Detail(text string) string { return detail(text) }

// SetClock gives the miner another clock, and another pause between messages of
// progress.
func (m *Miner) SetClock(now func() time.Time, progressEvery time.Duration) {
	m.now, m.progressEvery = now, progressEvery
}

// SetFreeMemory gives the miner a machine with so many bytes of free memory.
func (m *Miner) SetFreeMemory(bytes uint64) {
	m.freeMemory = func() (uint64, error) { return bytes, nil }
}

// SetClock gives the publisher of a training another clock.
func (t *Training) SetClock(now func() time.Time) { t.publisher.counter.now = now }

// SetClock gives the publisher another clock.
func (p *Publisher) SetClock(now func() time.Time) { p.counter.now = now }

// SetConfirm gives the publisher a crew that computes units whose results are said to be
// not finite.
func (p *Publisher) SetConfirm(c unit.Crew) { p.counter.acceptance.confirm = c }

// Tick tells the publisher to look at its clock.
func (p *Publisher) Tick() { p.counter.tell(market.Tick{}) }

// Recorder is a recorder, for tests.
type Recorder struct{ recorder }

func NewRecorder(j *journal.Journal) *Recorder { return &Recorder{newRecorder(j)} }

func (r *Recorder) Run()                        { r.run() }
func (r *Recorder) Append(l journal.Line) error { return r.append(l) }
func (r *Recorder) Close()                      { r.close() }

// Tick tells the publisher of a training to look at its clock.
func (t *Training) Tick() {
	t.publisher.counter.tell(market.Tick{})
}

// WrapCrew puts a crew around the training's publisher.
func (t *Training) WrapCrew(wrap func(unit.Crew) unit.Crew) { t.coordinator.Crew = wrap(t.publisher) }

// Judge asks a ledger about the offers of a board until ctx ends, as a miner does.
func Judge(ctx context.Context, p Policy, l funding, offers *Offers) error {
	return p.judge(ctx, l, offers)
}

// Admits says why a miner with a policy does not bid on an offer, or false.
func Admits(p Policy, o market.OpenOffer) (Why, bool) { return p.admits(o) }

// Pauses returns how long a miner rests before each of n bids on an offer, of a publisher
// that is lost at once each time. The publisher repeats its offer every so often, or
// never (0).
func Pauses(n int, repeats time.Duration) []time.Duration {
	o := market.Offer{Time: time.Unix(1e9, 0)}
	signed := o.Time
	now := o.Time.Add(time.Millisecond)
	var r rest
	var pauses []time.Duration
	for range n {
		r = r.next(o, now, now, protocol.Unspecified)
		lost := now
		for !r.over(now, o) {
			now = now.Add(time.Second / 4)
			if repeats > 0 && now.Sub(signed) >= repeats {
				signed, o.Time = now, now
			}
		}
		pauses = append(pauses, now.Sub(lost))
	}
	return pauses
}

// NewRunClaims gives claims the run of a plan, whose record is in the claims' store.
func NewRunClaims(ctx context.Context, plan *run.Plan, c *RunClaims) (*RunClaims, error) {
	slots, err := findSlots(ctx, c.Store, plan)
	if err != nil {
		return nil, err
	}
	c.run, c.slots, c.trims = plan.Link, slots, trimmer{journal: c.Journal}
	return c, nil
}

// SetFresh says that the home has no round of the run.
func (c *RunClaims) SetFresh() { c.fresh = true }

// Slots are the slots of a round of the run.
func (c *RunClaims) Slots(ctx context.Context, round uint32) ([]protocol.Slot, error) {
	slots, _, err := c.slots.of(ctx, round)
	return slots, err
}

// MinerClaims is the claims of a miner without the miner.
type MinerClaims struct{ *claims }

// NewMinerClaims returns the claims of an account from a journal. A miner has a session with
// the publishers for which connected reports true.
func NewMinerClaims(l Ledger, s Sender, j *journal.Journal, me protocol.Account, connected func(market.OfferKey) bool, report Reporter) MinerClaims {
	return MinerClaims{&claims{
		ledger: l, sender: s, journal: j, trims: trimmer{journal: j}, account: me, connected: connected, report: report,
		height: new(atomic.Uint64), waits: map[journal.Key]claim{}, tried: map[journal.Key]bool{},
	}}
}

// Paid is the amount that the ledger has paid since the claims began.
func (c MinerClaims) Paid() uint64 { return c.pay() }

// Waiting is the number of claims in memory.
func (c MinerClaims) Waiting() int { return len(c.waits) }

// PaidUnit checks that the ledger pays for the unit of a ticket.
func PaidUnit(p market.PaidPlan, t protocol.Ticket, u unit.Unit) error { return paidUnit(p, t, u) }

// The heights for which a miner leaves a unit to its publisher, and after which it gives
// up; and the most reads of the ledger at a look, about.
const (
	ClaimJob       = claimJob
	ClaimSilent    = claimSilent
	ClaimRunAlone  = claimRunAlone
	ClaimRunServed = claimRunServed
	ClaimWindow    = claimWindow
	MaxReads       = maxReads
)

// ErrNotApproved is returned while a run may not mint, ErrRefused when the validators have
// refused it, and ErrNoResult for an accepted unit whose result is lost.
var ErrNotApproved, ErrRefused, ErrNoResult = errNotApproved, errRefused, errNoResult

// Computable is computable.
func Computable(ctx context.Context, b block.Blocks, link block.Link) error {
	return computable(ctx, b, link)
}
