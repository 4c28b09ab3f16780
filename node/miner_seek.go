package node

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/market"
)

// This file is how a miner finds work: it bids on the open offers that its policy
// admits, and says why it passes over the others.

const (
	seekEvery = time.Second
	// seekPause is the time for which there are two looks at most, so that a flood costs no
	// more looks. A new offer takes two: when it comes, and when the ledger is known to pay.
	seekPause = 100 * time.Millisecond
	// aloneFor is how long a miner without a peer waits until it says so: connections take
	// a moment when it starts, and when a peer does.
	aloneFor = 5 * time.Second
	// maxSessions bounds the publishers that a miner deals with at a time.
	maxSessions = 64
	// tellAtOnce bounds the reports of offers that are passed over. After so many at once
	// there is one each seekEvery.
	tellAtOnce = 16

	// A miner bids again after a lost connection, or after a refusal. While a publisher
	// that was lost does not repeat its offer, each pause is twice the last one.
	bidAfterLoss    = time.Second
	bidAfterRefusal = 30 * time.Second

	// maxUnpaid is how many units in a row each worker computes for an offer without an
	// acceptance, and bidAfterUnpaid how long the miner then does not bid. A publisher gets
	// a result before it accepts the result, and nobody checks its reason for a refusal.
	maxUnpaid      = 16
	bidAfterUnpaid = 10 * time.Minute

	// shownAddrs bounds the addresses in one message.
	shownAddrs = 3
)

// rest is how long a miner does not bid on an offer.
type rest struct {
	offered time.Time // the offer's time, when the session ended
	soon    time.Time // when the miner bids, if the offer has been repeated since
	late    time.Time // when the miner bids in any case
	pause   time.Duration
}

// over reports whether the miner bids on the offer again.
func (r rest) over(now time.Time, o market.Offer) bool {
	return !now.Before(r.late) || !now.Before(r.soon) && !o.Time.Equal(r.offered)
}

// next is the rest after a session on the offer that lasted from began to now, by the
// reason why it ended: the publisher was lost, it did not pay, or it refused something.
func (r rest) next(o market.Offer, began, now time.Time, why protocol.Reason) rest {
	pause := bidAfterRefusal
	switch why {
	case protocol.Unspecified, protocol.TimedOut, protocol.UnknownWork: // a publisher that restarts needs a moment until its node knows the work
		pause = bidAfterLoss
	case protocol.Unpaid:
		pause = bidAfterUnpaid
	}
	soon := now.Add(pause)
	if pause == bidAfterLoss {
		if now.Sub(began) < bidAfterRefusal && r.offered.Equal(o.Time) {
			pause = min(max(2*r.pause, bidAfterLoss), bidAfterRefusal)
		}
	}
	return rest{offered: o.Time, soon: soon, late: now.Add(pause), pause: pause}
}

// debt is what a publisher owes the miner.
type debt struct {
	most   uint64           // amount of the customer's escrow when it was opened; 0: no escrow was looked for
	earned uint64           // amount of the results that the customer has accepted
	unpaid int              // units that were begun since the last acceptance
	plan   *market.PaidPlan // the units that the ledger pays for; nil if it was not asked
}

// seek opens a session with the publisher of every open offer that the policy admits. It
// calls end when the user wants that, and no unit is left.
func (m *Miner) seek(ctx context.Context, end context.CancelFunc) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	tick := time.NewTicker(seekEvery)
	defer tick.Stop()
	met := time.Now()          // the last look at which there was a peer, or the start
	waits := ""                // code of the reason why no offer is open
	var before, last time.Time // the two last looks
	for {
		m.endsWhenDone(end)
		before, last = last, time.Now()
		open := m.Peer.Offers.Open(last)
		open = slices.DeleteFunc(open, func(o market.OpenOffer) bool { return o.Publisher == m.Peer.Account() })
		m.forget(open)
		if len(m.Peer.Mesh.Peers()) > 0 {
			met = last
		}
		var why Why
		switch {
		case len(open) > 0:
		case last.Sub(met) >= aloneFor:
			why = m.alone()
		default:
			why = newWhy(protocol.NoOffer, "waiting for one")
		}
		if why.Code != "" && why.Code != waits {
			m.idles(market.OfferKey{}, why)
		}
		waits = why.Code
		for _, o := range open {
			if m.reserve(o) {
				wg.Go(func() {
					defer m.release(o.OfferKey)
					m.serve(ctx, o.Offer)
				})
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-m.wished:
		case <-m.Peer.Offers.Changed():
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(time.Until(before.Add(seekPause))):
			}
		case <-tick.C:
			m.mu.Lock()
			m.tellings = min(m.tellings+1, tellAtOnce)
			m.mu.Unlock()
		}
	}
}

// alone says why no peer is connected.
func (m *Miner) alone() Why {
	self := "/p2p/" + m.Peer.Mesh.ID().String()
	tried := slices.DeleteFunc(slices.Clone(m.Peer.Network.Bootstrap), func(addr string) bool { return strings.HasSuffix(addr, self) })
	if len(tried) == 0 {
		return newWhy(protocol.NoPeer, "the network file names no other node, so the miner waits for one to connect")
	}
	more := ""
	if n := len(tried) - shownAddrs; n > 0 {
		tried, more = tried[:shownAddrs], fmt.Sprintf(" and %d more", n)
	}
	return newWhy(protocol.NoPeer, fmt.Sprintf("%s%s cannot be reached; the miner tries again, and `alia doctor` says what fails", strings.Join(tried, ", "), more))
}

// reserve reports whether the miner is to open a session for an offer, and notes one. It
// notes why not, unless there is a session.
func (m *Miner) reserve(o market.OpenOffer) bool {
	why, over := m.Policy.admits(o)
	m.mu.Lock()
	_, busy := m.sessions[o.OfferKey]
	if full := len(m.sessions) >= maxSessions; full && !over {
		why, over = newWhy(protocol.OverInFlight, "it deals with as many publishers as it can"), true
	}
	if m.wish != wishWork && !over && len(m.tasks.of(o.OfferKey)) == 0 {
		why, over = m.resting(m.wish, 0), true
	}
	begins := !busy && !over && m.rests[o.OfferKey].over(time.Now(), o.Offer)
	if begins {
		m.sessions[o.OfferKey] = struct{}{}
		d := m.debts[o.OfferKey]
		if d.most = o.Verdict.Most; o.Verdict.Paid() && !m.Policy.WorkForFree {
			d.plan = &o.Verdict.Plan
		}
		m.debts[o.OfferKey] = d
	}
	if !over {
		delete(m.passed, o.OfferKey)
	}
	m.mu.Unlock()
	if !busy && over {
		m.passOver(o, why)
	}
	return begins
}

// serve bids on one offer and takes tickets until the session ends. While the
// offer is open, seek opens another session later.
func (m *Miner) serve(ctx context.Context, o market.Offer) {
	began := time.Now()
	err := m.session(ctx, o)
	if ctx.Err() != nil || m.rested(o.OfferKey) {
		return
	}
	now, code := time.Now(), protocol.ReasonOf(err)
	if code == protocol.WorkEnded {
		m.Peer.Offers.End(now, o.OfferKey)
		m.idles(o.OfferKey, newWhy(code, ""))
		return
	}
	m.Peer.Log.Debug("market session ended", "work", o.Work, "err", err)
	m.idles(o.OfferKey, gone(err))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rests[o.OfferKey] = m.rests[o.OfferKey].next(o, began, now, code)
	if code == protocol.Unpaid { // the publisher may try again after the rest
		d := m.debts[o.OfferKey]
		d.unpaid = 0
		m.debts[o.OfferKey] = d
	}
}

// lend notes a unit that is begun before its publisher pays.
func (m *Miner) lend(k market.OfferKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.debts[k]
	d.unpaid++
	m.debts[k] = d
}

// earn notes an accepted result, and the fee for it where it is of a job.
func (m *Miner) earn(o market.Offer, mflop uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.debts[o.OfferKey]
	hi, lo := bits.Mul64(mflop, o.Price)
	fee, _ := bits.Div64(min(hi, 999), lo, 1000) // the price is for a GFLOP
	d.earned, d.unpaid = d.earned+min(fee, math.MaxUint64-d.earned), 0
	m.debts[o.OfferKey] = d
}

// spent refuses to work on for a customer whose escrow cannot pay more than what the
// miner has earned of it. An honest customer's escrow pays for the whole job.
func (m *Miner) spent(k market.OfferKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d := m.debts[k]; d.most > 0 && d.earned >= d.most {
		return protocol.Refuse(protocol.OverBudget, "the escrow had %s ALIA, and this miner has earned %s",
			protocol.FormatAmount(d.most), protocol.FormatAmount(d.earned))
	}
	return nil
}

// pays refuses a unit that the ledger does not pay for.
func (m *Miner) pays(k market.OfferKey, t *task) error {
	m.mu.Lock()
	plan := m.debts[k].plan
	m.mu.Unlock()
	if plan == nil {
		return nil
	}
	return paidUnit(*plan, t.ticket, t.unit)
}

// cheated refuses to work on for a publisher that accepts nothing.
func (m *Miner) cheated(k market.OfferKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := m.debts[k].unpaid; n >= maxUnpaid*len(m.Workers) {
		return protocol.Refuse(protocol.Unpaid, "the publisher has accepted none of the last %d units", n)
	}
	return nil
}

func (m *Miner) release(k market.OfferKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, k)
}

// forget forgets what was said of offers that are not open any more.
func (m *Miner) forget(open []market.OpenOffer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	keep := map[market.OfferKey]bool{{}: true}
	for _, o := range open {
		keep[o.OfferKey] = true
	}
	gone := func(k market.OfferKey) bool {
		_, busy := m.sessions[k]
		return !busy && !keep[k]
	}
	maps.DeleteFunc(m.idle, func(k market.OfferKey, _ string) bool { return gone(k) })
	maps.DeleteFunc(m.passed, func(k market.OfferKey, _ PassedOver) bool { return gone(k) })
	maps.DeleteFunc(m.rests, func(k market.OfferKey, _ rest) bool { return gone(k) })
	maps.DeleteFunc(m.debts, func(k market.OfferKey, _ debt) bool { return gone(k) })
}

// passOver notes why the miner does not bid on an offer, and reports it once for each
// change of the reason. Under a flood of offers some are not reported; [Miner.PassedOver]
// lists all.
func (m *Miner) passOver(o market.OpenOffer, why Why) {
	m.mu.Lock()
	old, known := m.passed[o.OfferKey]
	if known && old.Reason == why {
		m.mu.Unlock()
		return
	}
	n := PassedOver{Work: o.Work.String(), Publisher: o.Publisher, Reason: why}
	m.passed[o.OfferKey] = n
	tell := why != unjudged && (!known || old.Reason.Code != why.Code || old.Reason == unjudged) && m.tellings > 0
	if tell {
		m.tellings--
	}
	m.mu.Unlock()
	if tell {
		m.Report(n)
	}
}

// PassedOver lists the open offers on which the miner does not bid, and why, by the
// name of the work.
func (m *Miner) PassedOver() []PassedOver {
	m.mu.Lock()
	all := slices.Collect(maps.Values(m.passed))
	m.mu.Unlock()
	slices.SortFunc(all, func(x, y PassedOver) int {
		return cmp.Or(cmp.Compare(x.Work, y.Work), slices.Compare(x.Publisher[:], y.Publisher[:]))
	})
	return all
}
