package market

import (
	"cmp"
	"container/heap"
	"math/bits"
	"slices"
	"time"
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
	if m.proven {
		pace = m.pace - m.pace/4 + pace/4
	}
	m.pace, m.proven = max(1, pace), true
}

// speed returns the pace at which the miner is expected to work.
func (m *miner) speed() uint64 {
	if m.proven {
		return m.pace
	}
	return max(m.pace, m.floor)
}

// whole returns how long the miner takes for its oldest unit: estimated from its
// progress if it told any, else from its pace.
func (l *lease) whole() time.Duration {
	if l.ppm > 0 && l.at.After(l.begun()) {
		return min(maxEstimate, l.at.Sub(l.begun())/time.Duration(l.ppm)*1_000_000)
	}
	return duration(l.unit.Cost, l.miner.speed())
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
		return m.speed()
	}
	l := m.leases[0]
	return max(m.speed(), paceOf(l.unit.Cost, max(l.whole(), now.Sub(l.begun()))))
}

// overdue reports whether the miner takes much longer for its oldest unit than its
// pace allows, whatever progress it tells: 1.5 times as long for an unproven miner,
// twice as long for a proven one.
func (m *miner) overdue(now time.Time) bool {
	if len(m.leases) == 0 {
		return false
	}
	most := duration(m.leases[0].unit.Cost, m.speed())
	if m.proven {
		most *= 2
	} else {
		most = most / 2 * 3
	}
	return now.Sub(m.leases[0].begun()) >= max(most, minWait)
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
// If wary, a miner that is overdue is not believed to finish it.
func (u *unit) ends(now time.Time, wary bool) time.Duration {
	soonest := maxEstimate
	for _, l := range u.leases {
		if !wary || !l.miner.overdue(now) {
			soonest = min(soonest, l.miner.ends(now)[slices.Index(l.miner.leases, l)])
		}
	}
	return soonest
}

// candidate is a miner that may get units, while the schedule is made.
type candidate struct {
	*miner
	pace uint64
	free time.Duration // until all its leases are finished
}

func newCandidate(m *miner, now time.Time) *candidate {
	c := &candidate{miner: m, pace: m.paceNow(now)}
	if ends := m.ends(now); len(ends) > 0 {
		c.free = ends[len(ends)-1]
	}
	return c
}

// candidates returns the miners that may get units: the proven ones, then the
// unproven ones in the sequence in which they have their turn.
func (b *Book) candidates() []*candidate {
	var all []*candidate
	for _, m := range b.crowd.here {
		if m.until.After(b.now) {
			continue
		}
		all = append(all, newCandidate(m, b.now))
	}
	slices.SortStableFunc(all, func(x, y *candidate) int {
		switch {
		case x.proven && y.proven:
			return 0
		case x.proven:
			return -1
		case y.proven:
			return 1
		}
		return cmp.Or(cmp.Compare(x.failures, y.failures), x.joined.Compare(y.joined))
	})
	return all
}

// estimate returns how long the candidate takes for a unit.
func (c *candidate) estimate(u *unit) time.Duration { return duration(u.Cost, c.pace) }

// room reports whether the candidate wants, and may have, another unit. An
// unproven miner gets only a few units, however many it wants.
func (c *candidate) room() bool {
	return len(c.leases) < c.inFlight && (c.proven || len(c.leases) < probation)
}

// waits reports whether the candidate is without a unit for so long, while units
// wait, that it has its turn.
func (b *Book) waits(c *candidate) bool {
	return len(c.leases) == 0 && b.now.Sub(later(b.since, later(c.joined, c.last))) >= turnAfter
}

// share is how many units more the unproven miners may hold. Without a proven
// miner they may hold all.
func (b *Book) share() int {
	if b.crowd.floor == 0 {
		return len(b.units)
	}
	share := max(1, len(b.units)/provenShare)
	for _, u := range b.units {
		if len(u.leases) > 0 && u.provenLeases() == 0 {
			share--
		}
	}
	return share
}

// schedule leases units to miners: open units to miners that finish them by T,
// then copies of leased units to miners that would finish them first.
func (b *Book) schedule() []Action {
	if b.ended || len(b.units) == 0 {
		return nil
	}
	candidates := b.candidates()
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
	if len(open) > 0 {
		share := b.share()
		limit := horizon(candidates, open, share)
		for len(open) > 0 {
			c, i := b.choose(candidates, open, limit, share)
			if c == nil {
				break
			}
			if !c.proven {
				share--
			}
			actions = append(actions, b.issue(c, open[i]))
			open = slices.Delete(open, i, i+1)
		}
	}
	for _, proven := range []bool{true, false} {
		for {
			c, u := b.chooseCopy(candidates, proven)
			if c == nil {
				break
			}
			actions = append(actions, b.issue(c, u))
		}
	}
	return actions
}

// queue is the candidates as a heap: the first is the one that would be the first
// to finish a unit of a cost.
type queue struct {
	candidates []*candidate
	free, ends []time.Duration // of each candidate: until it is free, and until it has done one more
}

func (q *queue) Len() int { return len(q.candidates) }
func (q *queue) Less(i, j int) bool {
	return q.ends[i] < q.ends[j]
}
func (q *queue) Swap(i, j int) {
	q.candidates[i], q.candidates[j] = q.candidates[j], q.candidates[i]
	q.free[i], q.free[j] = q.free[j], q.free[i]
	q.ends[i], q.ends[j] = q.ends[j], q.ends[i]
}
func (q *queue) Push(any) {} // nothing is added
func (q *queue) Pop() any {
	n := len(q.candidates) - 1
	q.candidates, q.free, q.ends = q.candidates[:n], q.free[:n], q.ends[:n]
	return nil
}

// cost makes the heap one for units of another cost.
func (q *queue) cost(u *unit) {
	for i, c := range q.candidates {
		q.ends[i] = min(maxEstimate, q.free[i]+c.estimate(u))
	}
	heap.Init(q)
}

// horizon returns T, the earliest time at which the candidates together could
// finish the open units, where the unproven ones take a share at most: each unit in turn goes to
// the candidate that finishes it first. For units of equal cost no smaller T exists.
func horizon(candidates []*candidate, open []*unit, share int) time.Duration {
	q := &queue{candidates: slices.Clone(candidates), ends: make([]time.Duration, len(candidates))}
	for _, c := range candidates {
		q.free = append(q.free, c.free)
	}
	var t time.Duration
	for i, u := range open {
		if i == 0 || u.Cost != open[i-1].Cost {
			q.cost(u)
		}
		for q.Len() > 0 && !q.candidates[0].proven && share <= 0 {
			heap.Pop(q)
		}
		if q.Len() == 0 {
			return t
		}
		if !q.candidates[0].proven {
			share--
		}
		t = max(t, q.ends[0])
		q.free[0] = q.ends[0]
		q.ends[0] = min(maxEstimate, q.free[0]+q.candidates[0].estimate(u))
		heap.Fix(q, 0)
	}
	return t
}

// choose returns the candidate with room that gets the next unit, and that unit's
// index: the one that would be the first to finish a unit. It returns nil if no
// candidate would finish by the limit.
func (b *Book) choose(candidates []*candidate, open []*unit, limit time.Duration, share int) (*candidate, int) {
	if b.crowd.floor == 0 {
		// Bids of miners that come again and again must not keep an honest one waiting.
		for _, c := range candidates {
			if b.waits(c) && c.room() {
				if i := c.pick(open, maxEstimate); i >= 0 {
					return c, i
				}
			}
		}
	}
	var best *candidate
	var unit int
	var first time.Duration
	for _, c := range candidates {
		turns := b.crowd.floor > 0 && !c.proven // they take their turns, whatever they claim
		if turns && (best != nil || share <= 0) {
			break
		}
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
// by the limit, or -1. A unit that it failed, or is late with, comes after all others.
func (c *candidate) pick(open []*unit, limit time.Duration) int {
	again := -1
	for i, u := range open {
		if c.free+c.estimate(u) > limit || u.bars(c.account) {
			continue
		}
		if !slices.Contains(u.failed, c.account) && c.of(u.ID) == nil {
			return i
		}
		if again < 0 {
			again = i
		}
	}
	return again
}

// chooseCopy returns an idle candidate, proven or not, and the leased unit that is
// expected last, if the candidate would finish a copy in three quarters of that
// time. A smaller gain is within the error of the estimates, and a copy that loses
// is wasted work. So is a copy that could save less than minWait.
func (b *Book) chooseCopy(candidates []*candidate, proven bool) (*candidate, *unit) {
	idle := func(c *candidate) bool { return c.proven == proven && len(c.leases) == 0 && c.room() }
	if !slices.ContainsFunc(candidates, idle) {
		return nil, nil
	}
	var last *unit
	var end time.Duration
	for _, u := range b.units {
		if !b.mayCopy(u, proven) {
			continue
		}
		if e := u.ends(b.now, proven); last == nil || e > end {
			last, end = u, e
		}
	}
	if last == nil || end < minWait {
		return nil, nil
	}
	var best *candidate
	end -= end / 4
	for _, c := range candidates {
		if !idle(c) || c.of(last.ID) != nil || last.bars(c.account) {
			continue
		}
		if e := duration(last.Cost, c.miner.pace); e < end {
			best, end = c, e
			if !proven { // they take their turns, whatever they claim
				break
			}
		}
	}
	return best, last
}

// mayCopy reports whether another miner may have the unit, too. Leases of unproven
// miners do not keep a proven one away; they get copies of proven miners' units.
func (b *Book) mayCopy(u *unit, proven bool) bool {
	n, held := len(u.leases), u.provenLeases()
	if proven {
		return n > 0 && held < maxLeases
	}
	return n > 0 && n < maxLeases && (held > 0 || b.crowd.floor == 0)
}

// leaseFor returns the length of a lease for a unit that is finished in some time: 1.5
// times as long.
func leaseFor(ends time.Duration) time.Duration {
	return (max(ends/2*3, minLease) + time.Second - 1).Truncate(time.Second)
}

// issue leases a unit to a candidate.
func (b *Book) issue(c *candidate, u *unit) Action {
	c.free = min(maxEstimate, c.free+c.estimate(u))
	b.number++
	a := IssueTicket{
		Number: uint64(b.now.UnixMilli())<<16 | b.number&0xffff,
		Unit:   u.ID, Slot: u.Slot, Miner: c.account, Copy: len(u.leases) > 0,
	}
	length := leaseFor(c.free)
	a.Seconds = uint32(length / time.Second)
	b.give(c.miner, u, length)
	return a
}
