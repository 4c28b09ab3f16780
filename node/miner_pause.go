package node

import (
	"context"
	"fmt"

	"github.com/dustin/go-humanize/english"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/market"
)

// This file is how a user has a miner take no new units: for a while, or until it ends.
// Units that are leased are computed, and their results are delivered, in either case.

// wish is what the user wants of a miner.
type wish uint8

const (
	wishWork   wish = iota // take units
	wishPause              // take none until the user wants them again
	wishFinish             // take none, and end when none is left
)

// Pause has the miner take no new units until [Miner.Resume]. It may be called at any time.
func (m *Miner) Pause() { m.want(wishPause) }

// Resume has the miner take units again.
func (m *Miner) Resume() { m.want(wishWork) }

// Finish has the miner take no new units, and has Run end, without an error, when no unit
// is left.
func (m *Miner) Finish() { m.want(wishFinish) }

func (m *Miner) want(w wish) {
	m.mu.Lock()
	changed, ready := m.wish != w, m.ready
	m.wish = w
	m.mu.Unlock()
	if !changed || !ready {
		return
	}
	if w != wishWork {
		m.tasks.leave(m.tasks.quiet())
		m.Report(MinerIdle{m.resting(w, 0)})
	}
	select {
	case m.wished <- struct{}{}:
	default:
	}
}

// wishes is what the user wants now.
func (m *Miner) wishes() wish {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wish
}

// resting is why a miner takes no units, as its user wants.
func (m *Miner) resting(w wish, left int) Why {
	then := "`alia miner resume` has it go on"
	if w == wishFinish {
		then = "it ends when none is left"
	}
	if left > 0 {
		then = fmt.Sprintf("%s left to compute and deliver; %s", english.Plural(left, "unit is", "units are"), then)
	}
	return newWhy(protocol.Paused, then)
}

// errResting ends a session of a miner whose user wants no new units.
var errResting = protocol.Refuse(protocol.Paused, "no unit of this publisher is left")

// rested reports whether a session is to end, because the user wants no new units and none
// of the publisher is left.
func (m *Miner) rested(k market.OfferKey) bool {
	return m.wishes() != wishWork && len(m.tasks.of(k)) == 0
}

// endsWhenDone ends the miner, by end, where the user wants that and no unit is left. Results of
// publishers that are not connected stay in the journal: the next miner shows them.
func (m *Miner) endsWhenDone(end context.CancelFunc) {
	if m.wishes() == wishFinish && !m.tasks.open() {
		end()
	}
}

// quiet lists the sessions whose publishers have no unit here.
func (ts *tasks) quiet() (all []*minerSession) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	busy := map[market.OfferKey]bool{}
	for _, t := range ts.all {
		busy[t.offer()] = true
	}
	for k, s := range ts.sessions {
		if !busy[k] {
			all = append(all, s)
		}
	}
	return all
}

// leave ends sessions.
func (ts *tasks) leave(sessions []*minerSession) {
	for _, s := range sessions {
		s.stream.Close() // a session that ends by itself now is closed twice
	}
}

// open reports whether a unit is to be computed, or its result answered by a publisher that
// is connected.
func (ts *tasks) open() bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, t := range ts.all {
		if t.state != taskComputed || ts.sessions[t.offer()] != nil {
			return true
		}
	}
	return false
}
