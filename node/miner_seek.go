package node

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/market"
)

// This file is how a miner finds work: it bids on the open offers that its policy
// admits, and says why it passes over the others.

const (
	seekEvery = time.Second
	// maxSessions bounds the publishers that a miner deals with at a time.
	maxSessions = 64
	// tellAtOnce bounds the reports of offers that are passed over. After so many at once
	// there is one each seekEvery.
	tellAtOnce = 16
)

// seek opens a session with the publisher of every open offer that the policy admits.
func (m *Miner) seek(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	tick := time.NewTicker(seekEvery)
	defer tick.Stop()
	waiting := false
	for {
		open := m.Peer.Offers.Open(time.Now())
		open = slices.DeleteFunc(open, func(o market.OpenOffer) bool { return o.Publisher == m.Peer.Account() })
		m.forget(open)
		if len(open) == 0 && !waiting {
			m.idles(market.OfferKey{}, newWhy(protocol.NoOffer, "waiting for one"))
		}
		waiting = len(open) == 0
		for _, o := range open {
			if m.claim(o) {
				wg.Go(func() {
					defer m.release(o.OfferKey)
					m.serve(ctx, o.Offer)
				})
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-m.Peer.Offers.Changed():
		case <-tick.C:
			m.mu.Lock()
			m.tellings = min(m.tellings+1, tellAtOnce)
			m.mu.Unlock()
		}
	}
}

// claim reports whether the miner is to open a session for an offer, and notes one. It
// notes why not, unless there is a session.
func (m *Miner) claim(o market.OpenOffer) bool {
	why, over := m.Policy.admits(o)
	m.mu.Lock()
	_, busy := m.sessions[o.OfferKey]
	if full := len(m.sessions) >= maxSessions; full && !over {
		why, over = newWhy(protocol.OverInFlight, "it deals with as many publishers as it can"), true
	}
	if !busy && !over {
		m.sessions[o.OfferKey] = struct{}{}
		delete(m.passed, o.OfferKey)
	}
	m.mu.Unlock()
	if !busy && over {
		m.passOver(o, why)
	}
	return !busy && !over
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
	for k := range m.idle { // order-free: each is judged alone
		if _, busy := m.sessions[k]; !busy && !keep[k] {
			delete(m.idle, k)
		}
	}
	for k := range m.passed { // order-free: each is judged alone
		if !keep[k] {
			delete(m.passed, k)
		}
	}
}

// passOver notes why the miner does not bid on an offer, and reports it once for each
// change of the reason. Under a flood of offers some are not reported; [Miner.PassedOver]
// lists all.
func (m *Miner) passOver(o market.OpenOffer, why Why) {
	n := PassedOver{Work: o.Work.String(), Publisher: o.Publisher, Reason: why}
	m.mu.Lock()
	old, known := m.passed[o.OfferKey]
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
