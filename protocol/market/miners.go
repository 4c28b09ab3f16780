package market

import (
	"bytes"
	"slices"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// crowd is the miners of a work: those with a session, and for a while those that
// left, so that nobody sheds a bad record by coming again.
type crowd struct {
	here  []*miner                    // sorted by account
	known map[protocol.Account]*miner // here, or gone not long ago
	gone  []departure                 // oldest first
	floor uint64                      // the slowest pace of a proven miner that is here; 0: none is
}

// departure is a miner that left, and when. It says nothing if the miner came
// back since.
type departure struct {
	miner *miner
	at    time.Time
}

// miner is a bidder.
type miner struct {
	account  protocol.Account
	here     bool
	joined   time.Time
	left     time.Time
	inFlight int    // units it wants at a time
	bid      uint64 // the pace that it claims, in picoseconds per MFLOP
	pace     uint64 // as bid, until a result is accepted and timed
	floor    uint64 // an unproven miner is not believed to be faster; 0: no floor
	proven   bool
	forgiven time.Time // when its pace was last eased
	last     time.Time // when it last finished or lost the unit it computed
	leases   []*lease  // live ones, oldest first: the miner computes in this order
	late     []*lease  // expired ones, oldest first; their results count
	good     bool      // a result was accepted
	failures uint64    // in a row
	until    time.Time // no unit is leased to it before
	shown    int       // tickets of earlier sessions, in this session
	refused  bucket
	joins    bucket
	bans     uint64
	banned   time.Time       // no session before
	idleCode protocol.Reason // why the miner has no unit, as it was last sent to the miner
}

// present returns the miner of an account, if it has a session.
func (c *crowd) present(a protocol.Account) *miner {
	if m := c.known[a]; m != nil && m.here {
		return m
	}
	return nil
}

func (c *crowd) join(now time.Time, e MinerJoined) error {
	if e.MFLOPS == 0 || e.InFlight == 0 {
		return protocol.Refuse(protocol.Malformed,
			"bid of %s: %d MFLOP/s and %d units at a time, want at least 1 of both",
			e.Miner.Short(), e.MFLOPS, e.InFlight)
	}
	m := c.known[e.Miner]
	if m == nil {
		m = &miner{account: e.Miner}
	}
	if wait := m.banned.Sub(now); wait > 0 {
		return protocol.Refuse(protocol.BackedOff, "the last session was ended: the next may begin in %v", wait)
	}
	if !m.joins.take(now, joinEvery, joinBurst) {
		return protocol.Refuse(protocol.RateLimited, "more than %d bids, want at most one every %v", joinBurst, joinEvery)
	}
	c.leave(now, e.Miner)
	if c.known == nil {
		c.known = map[protocol.Account]*miner{}
	}
	c.known[e.Miner] = m
	i, _ := c.search(e.Miner)
	c.here = slices.Insert(c.here, i, m)
	m.bid = max(1, 1_000_000_000_000/e.MFLOPS)
	switch {
	case !m.proven && m.failures == 0:
		m.pace = m.bid
	case !m.proven: // to come again is no proof of speed
		m.pace = max(m.pace, m.bid)
	}
	m.here, m.joined, m.inFlight, m.shown = true, now, int(min(e.InFlight, maxInFlight)), 0
	m.idleCode = protocol.Unspecified
	return nil
}

// leave ends a miner's session and its tickets. To leave while units are leased
// counts as a failure. The miner may show the tickets in its next session.
func (c *crowd) leave(now time.Time, a protocol.Account) {
	m := c.present(a)
	if m == nil {
		return
	}
	if len(m.leases) > 0 {
		m.blame(now)
	}
	for len(m.leases) > 0 {
		m.leases[0].end(now)
	}
	m.late = nil
	i, _ := c.search(a)
	c.here = slices.Delete(c.here, i, i+1)
	m.here, m.left = false, now
	c.gone = append(c.gone, departure{m, now})
}

// look looks at all miners after an event: it forgets, forgives, and finds the
// floor.
func (c *crowd) look(now time.Time) {
	for len(c.gone) > 0 && (len(c.gone) > maxGone || now.Sub(c.gone[0].at) >= forgetMiner) {
		if d := c.gone[0]; !d.miner.here && d.miner.left.Equal(d.at) {
			delete(c.known, d.miner.account)
		}
		c.gone[0] = departure{}
		c.gone = c.gone[1:]
	}
	c.floor = 0
	for _, m := range c.here {
		m.forgive(now)
		if m.proven {
			c.floor = max(c.floor, m.pace)
		}
	}
	for _, m := range c.here {
		m.floor = c.floor
	}
}

// search returns the index in c.here at which the miner is, or would be.
func (c *crowd) search(a protocol.Account) (int, bool) {
	return slices.BinarySearchFunc(c.here, a, func(m *miner, a protocol.Account) int {
		return bytes.Compare(m.account[:], a[:])
	})
}

// forgive halves the pace of a miner that was idle for long and whose last unit
// was done, but never below the pace of its bid. A machine that was slow for
// a while gets no units, and could otherwise never show that it is fast again.
func (m *miner) forgive(now time.Time) {
	trusted := m.good && m.failures == 0
	if trusted && len(m.leases) == 0 && m.pace > m.bid && now.Sub(later(m.last, m.forgiven)) >= forgiveAfter {
		m.pace, m.forgiven = max(m.bid, m.pace/2), now
	}
}

// blame counts a failure. From the third failure in a row on, the miner must
// wait: 10 seconds, then twice as long each time.
func (m *miner) blame(now time.Time) {
	m.failures++
	if m.failures >= patience {
		m.until = now.Add(backOff(m.failures - patience))
	}
}

// ban keeps a miner without a session for a while, longer each time.
func (m *miner) ban(now time.Time) {
	m.banned = now.Add(backOff(m.bans))
	m.bans++
}

// succeed forgets a miner's failures: a result of it was accepted.
func (m *miner) succeed() {
	m.good, m.failures, m.bans, m.until = true, 0, 0, time.Time{}
}

func backOff(times uint64) time.Duration { return min(maxBackOff, minBackOff<<min(times, 10)) }

// of returns the miner's lease of a unit, live or late, or nil.
func (m *miner) of(unit block.Link) *lease {
	for _, all := range [][]*lease{m.leases, m.late} {
		for _, l := range all {
			if l.unit.ID == unit {
				return l
			}
		}
	}
	return nil
}

// named returns the miner's lease with a ticket, live or late, or nil.
func (m *miner) named(ticket block.Link) *lease {
	for _, all := range [][]*lease{m.leases, m.late} {
		for _, l := range all {
			if slices.Contains(l.tickets, ticket) {
				return l
			}
		}
	}
	return nil
}

// bucket allows an event every so often, and a number of events at once. The zero
// bucket is full.
type bucket struct{ empty time.Time } // when all that was taken is there again

// take takes one event, and reports whether the bucket had it.
func (b *bucket) take(now time.Time, every time.Duration, burst int) bool {
	next := later(b.empty, now).Add(every)
	if next.Sub(now) > time.Duration(burst)*every {
		return false
	}
	b.empty = next
	return true
}
