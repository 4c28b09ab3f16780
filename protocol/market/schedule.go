package market

import (
	"math/bits"
	"slices"
	"time"

	"github.com/alia-network/alia/protocol"
)

// maxEstimate stands for "never" among estimates, and keeps sums of them finite.
const maxEstimate = 30 * 24 * time.Hour

// duration returns how long a cost in MFLOP takes at a pace.
func duration(cost, pace uint64) time.Duration {
	hi, lo := bits.Mul64(cost, pace) // picoseconds
	if hi >= 1000 {
		return maxEstimate
	}
	ns, _ := bits.Div64(hi, lo, 1000)
	return time.Duration(min(ns, uint64(maxEstimate)))
}

// paceOf returns the pace at which a cost takes the given time.
func paceOf(cost uint64, took time.Duration) uint64 {
	hi, lo := bits.Mul64(uint64(min(max(took, 0), maxEstimate)), 1000)
	if hi >= cost {
		return 1 << 63 // slower than any; callers leave out a cost of 0
	}
	pace, _ := bits.Div64(hi, lo, cost)
	return max(1, pace)
}

// observe updates the miner's pace by the time it just took for a cost. The
// first observation replaces the bid, which is only a claim. Later observations
// count for a quarter.
func (m *miner) observe(cost uint64, took time.Duration) {
	if cost == 0 || took <= 0 {
		return
	}
	pace := paceOf(cost, took)
	if m.observed {
		pace = m.pace - m.pace/4 + pace/4
	}
	m.pace, m.observed = max(1, pace), true
}

// begun returns when the miner began the unit, if the lease is its oldest.
func (l *lease) begun() time.Time { return later(l.issued, l.miner.last) }

// whole returns how long the miner takes for its oldest unit: estimated from its
// progress if it told any, else from its pace.
func (l *lease) whole() time.Duration {
	if l.ppm > 0 && l.at.After(l.begun()) {
		return min(maxEstimate, l.at.Sub(l.begun())/time.Duration(l.ppm)*1_000_000)
	}
	return duration(l.unit.Cost, l.miner.pace)
}

// left returns how much longer the miner's oldest unit takes. A unit that is
// overdue by some time is expected to take that time again, so that a dead miner
// looks slower and slower.
func (l *lease) left(now time.Time) time.Duration {
	spent, whole := now.Sub(l.begun()), l.whole()
	if spent < whole {
		return whole - spent
	}
	return min(maxEstimate, spent-whole)
}

// paceNow returns the miner's pace, or a slower pace if its oldest unit is
// overdue. Otherwise a round would wait for a miner that claims any speed and
// computes nothing.
func (m *miner) paceNow(now time.Time) uint64 {
	if len(m.leases) == 0 || m.leases[0].unit.Cost == 0 {
		return m.pace
	}
	l := m.leases[0]
	return max(m.pace, paceOf(l.unit.Cost, max(l.whole(), now.Sub(l.begun()))))
}

// ends returns in how long the miner finishes each of its leases, oldest first.
func (m *miner) ends(now time.Time) []time.Duration {
	pace := m.paceNow(now)
	var busy time.Duration
	all := make([]time.Duration, len(m.leases))
	for i, l := range m.leases {
		if i == 0 {
			busy = l.left(now)
		} else {
			busy = min(maxEstimate, busy+duration(l.unit.Cost, pace))
		}
		all[i] = busy
	}
	return all
}

// ends returns in how long a leased unit is finished, by the first of its leases.
func (u *unit) ends(now time.Time) time.Duration {
	soonest := maxEstimate
	for _, l := range u.leases {
		soonest = min(soonest, l.miner.ends(now)[slices.Index(l.miner.leases, l)])
	}
	return soonest
}

// candidate is a miner that may get units, while the schedule is made.
type candidate struct {
	*miner
	pace uint64
	free time.Duration // until all its leases are finished
}

func (b *Book) candidate(m *miner) *candidate {
	c := &candidate{miner: m, pace: m.paceNow(b.now)}
	if ends := m.ends(b.now); len(ends) > 0 {
		c.free = ends[len(ends)-1]
	}
	return c
}

// estimate returns how long the candidate takes for a unit.
func (c *candidate) estimate(u *unit) time.Duration { return duration(u.Cost, c.pace) }

// room reports whether the candidate wants, and may have, another unit. Until
// its pace is observed it gets only a few units, however many it wants.
func (c *candidate) room() bool {
	return len(c.leases) < int(c.inFlight) && (c.observed || len(c.leases) < probation)
}

// schedule leases units to miners: open units to miners that finish them by T,
// then copies of leased units to miners that would finish them first.
func (b *Book) schedule() []Action {
	var candidates []*candidate
	for _, m := range b.miners {
		if m.here && b.refusal(m) == protocol.Unspecified {
			candidates = append(candidates, b.candidate(m))
		}
	}
	if !slices.ContainsFunc(candidates, (*candidate).room) {
		return nil // the rest is costly
	}
	var open []*unit
	for _, u := range b.units {
		if u.open() {
			open = append(open, u)
		}
	}
	var actions []Action
	limit := horizon(candidates, open)
	for len(open) > 0 {
		c, i := choose(candidates, open, limit)
		if c == nil {
			return actions
		}
		actions = append(actions, b.issue(c, open[i]))
		open = slices.Delete(open, i, i+1)
	}
	for {
		c, u := b.chooseCopy(candidates)
		if c == nil {
			return actions
		}
		actions = append(actions, b.issue(c, u))
	}
}

// horizon returns T, the earliest time at which the candidates together could
// finish the open units: each unit in turn goes to the candidate that finishes
// it first. For units of equal cost no smaller T exists.
func horizon(candidates []*candidate, open []*unit) time.Duration {
	free := make([]time.Duration, len(candidates))
	for i, c := range candidates {
		free[i] = c.free
	}
	var t time.Duration
	for _, u := range open {
		best, first := -1, time.Duration(0)
		for i, c := range candidates {
			if end := min(maxEstimate, free[i]+c.estimate(u)); best < 0 || end < first {
				best, first = i, end
			}
		}
		if best >= 0 {
			free[best] = first
			t = max(t, first)
		}
	}
	return t
}

// choose returns the candidate with room that would be the first to finish a
// unit, and that unit's index. It returns nil if no candidate would finish by
// the limit.
func choose(candidates []*candidate, open []*unit, limit time.Duration) (*candidate, int) {
	var best *candidate
	var unit int
	var first time.Duration
	for _, c := range candidates {
		if !c.room() {
			continue
		}
		i := c.pick(open, limit)
		if i < 0 {
			continue
		}
		if end := c.free + c.estimate(open[i]); best == nil || end < first {
			best, unit, first = c, i, end
		}
	}
	return best, unit
}

// pick returns the index of the first open unit that the candidate would finish
// by the limit, or -1. A unit that it failed before comes after all others.
func (c *candidate) pick(open []*unit, limit time.Duration) int {
	again := -1
	for i, u := range open {
		if c.free+c.estimate(u) > limit {
			continue
		}
		if !slices.Contains(u.failed, c.account) {
			return i
		}
		if again < 0 {
			again = i
		}
	}
	return again
}

// chooseCopy returns an idle candidate and the leased unit that is expected
// last, if the candidate would finish a copy in three quarters of that time. A
// smaller gain is within the error of the estimates, and a copy that loses is
// wasted work. So is a copy that could save less than minWait.
func (b *Book) chooseCopy(candidates []*candidate) (*candidate, *unit) {
	var last *unit
	var end time.Duration
	for _, u := range b.units {
		if len(u.leases) == 0 || len(u.leases) >= maxLeases {
			continue
		}
		if e := u.ends(b.now); last == nil || e > end {
			last, end = u, e
		}
	}
	if last == nil || end < minWait {
		return nil, nil
	}
	var best *candidate
	end -= end / 4
	for _, c := range candidates {
		if len(c.leases) > 0 || !c.room() || c.lease(last) != nil {
			continue
		}
		if e := c.estimate(last); e < end {
			best, end = c, e
		}
	}
	return best, last
}

// issue leases a unit for 1.5 times as long as the candidate should need.
func (b *Book) issue(c *candidate, u *unit) Action {
	c.free += c.estimate(u)
	length := min(max(c.free*3/2, minLease), MaxLease)
	seconds := uint32((length + time.Second - 1) / time.Second)
	length = time.Duration(seconds) * time.Second
	l := &lease{unit: u, miner: c.miner, issued: b.now, expires: b.now.Add(length)}
	a := IssueTicket{Unit: u.ID, Miner: c.account, Seconds: seconds, Copy: len(u.leases) > 0}
	u.leases = append(u.leases, l)
	c.leases = append(c.leases, l)
	if !slices.Contains(u.leased, c.account) {
		u.leased = append(u.leased, c.account)
	}
	return a
}
