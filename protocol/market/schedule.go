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

// paceOf returns the pace at which a cost takes so long.
func paceOf(cost uint64, took time.Duration) uint64 {
	hi, lo := bits.Mul64(uint64(min(max(took, 0), maxEstimate)), 1000)
	if hi >= cost {
		return 1 << 63 // slower than any; a cost of 0 says nothing, and no one asks
	}
	pace, _ := bits.Div64(hi, lo, cost)
	return max(1, pace)
}

// observe moves the miner's pace towards what it just took for a cost. The
// first observation counts for all: a bid is only a claim. Later ones count for
// a quarter.
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

// begun returns when the miner turned to the unit, if it is its oldest.
func (l *lease) begun() time.Time { return later(l.issued, l.miner.last) }

// whole returns how long the miner takes for its oldest unit: by its own word if
// it told its progress, else by its pace.
func (l *lease) whole() time.Duration {
	if l.ppm > 0 && l.at.After(l.begun()) {
		return min(maxEstimate, l.at.Sub(l.begun())/time.Duration(l.ppm)*1_000_000)
	}
	return duration(l.unit.Cost, l.miner.pace)
}

// left returns how long the miner's oldest unit takes yet. What is overdue is
// expected to take as long again, so that a miner that has died looks slower
// and slower.
func (l *lease) left(now time.Time) time.Duration {
	spent, whole := now.Sub(l.begun()), l.whole()
	if spent < whole {
		return whole - spent
	}
	return min(maxEstimate, spent-whole)
}

// paceNow returns the miner's pace, or a slower one of which its oldest unit is
// the evidence. Without it, a miner that claims any speed and does nothing would
// be waited for.
func (m *miner) paceNow(now time.Time) uint64 {
	if len(m.leases) == 0 || m.leases[0].unit.Cost == 0 {
		return m.pace
	}
	l := m.leases[0]
	return max(m.pace, paceOf(l.unit.Cost, max(l.whole(), now.Sub(l.begun()))))
}

// ends returns how long each of the miner's leases takes yet, oldest first.
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

// ends returns how long a leased unit takes yet, by the soonest of its leases.
func (u *unit) ends(now time.Time) time.Duration {
	soonest := maxEstimate
	for _, l := range u.leases {
		soonest = min(soonest, l.miner.ends(now)[slices.Index(l.miner.leases, l)])
	}
	return soonest
}

// worker is a miner that may be given units, while the schedule is made.
type worker struct {
	*miner
	pace uint64
	free time.Duration // until it is done with all it has
}

func (b *Book) worker(m *miner) *worker {
	w := &worker{miner: m, pace: m.paceNow(b.now)}
	if ends := m.ends(b.now); len(ends) > 0 {
		w.free = ends[len(ends)-1]
	}
	return w
}

// estimate returns how long the worker takes for a unit.
func (w *worker) estimate(u *unit) time.Duration { return duration(u.Cost, w.pace) }

// room reports whether the worker wants, and may have, another unit. Until it
// has shown what it can do, a claim of any size gets it only a few.
func (w *worker) room() bool {
	return len(w.leases) < int(w.inFlight) && (w.observed || len(w.leases) < probation)
}

// lease gives units to miners: open ones to those that finish them by T, and
// copies to those that would win.
func (b *Book) lease() []Action {
	var workers []*worker
	for _, m := range b.miners {
		if m.here && b.refusal(m) == protocol.Unspecified {
			workers = append(workers, b.worker(m))
		}
	}
	if !slices.ContainsFunc(workers, (*worker).room) {
		return nil // before the costly part
	}
	var open []*unit
	for _, u := range b.units {
		if u.open() {
			open = append(open, u)
		}
	}
	var actions []Action
	limit := horizon(workers, open)
	for len(open) > 0 {
		w, i := choose(workers, open, limit)
		if w == nil {
			return actions
		}
		actions = append(actions, b.issue(w, open[i]))
		open = slices.Delete(open, i, i+1)
	}
	for {
		w, u := b.chooseCopy(workers)
		if w == nil {
			return actions
		}
		actions = append(actions, b.issue(w, u))
	}
}

// horizon returns T, the soonest that the workers together could be done with
// the open units: each unit in turn goes to whoever is done with it first. For
// units of one cost that is the least T there is.
func horizon(workers []*worker, open []*unit) time.Duration {
	free := make([]time.Duration, len(workers))
	for i, w := range workers {
		free[i] = w.free
	}
	var t time.Duration
	for _, u := range open {
		best, first := -1, time.Duration(0)
		for i, w := range workers {
			if end := min(maxEstimate, free[i]+w.estimate(u)); best < 0 || end < first {
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

// choose returns the worker with room that would be done first with a unit it
// may have, and that unit's index, or nil if none would be done by the limit.
func choose(workers []*worker, open []*unit, limit time.Duration) (*worker, int) {
	var best *worker
	var unit int
	var first time.Duration
	for _, w := range workers {
		if !w.room() {
			continue
		}
		i := w.pick(open, limit)
		if i < 0 {
			continue
		}
		if end := w.free + w.estimate(open[i]); best == nil || end < first {
			best, unit, first = w, i, end
		}
	}
	return best, unit
}

// pick returns the index of the first open unit that the worker would be done
// with by the limit, or -1. One that it failed before comes after all others.
func (w *worker) pick(open []*unit, limit time.Duration) int {
	again := -1
	for i, u := range open {
		if w.free+w.estimate(u) > limit {
			continue
		}
		if !slices.Contains(u.failed, w.account) {
			return i
		}
		if again < 0 {
			again = i
		}
	}
	return again
}

// chooseCopy returns an idle worker and, of the units that are leased, the one
// expected last, if the worker would be done with a copy well before that: in
// three quarters of the time. Less is within the error of the estimates, and a
// copy that loses is work wasted; so is one that could save less than minWait.
func (b *Book) chooseCopy(workers []*worker) (*worker, *unit) {
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
	var best *worker
	end -= end / 4
	for _, w := range workers {
		if len(w.leases) > 0 || !w.room() || w.lease(last) != nil {
			continue
		}
		if e := w.estimate(last); e < end {
			best, end = w, e
		}
	}
	return best, last
}

// issue leases a unit for half as long again as the worker should need.
func (b *Book) issue(w *worker, u *unit) Action {
	w.free += w.estimate(u)
	length := min(max(w.free*3/2, minLease), maxLease)
	seconds := uint32((length + time.Second - 1) / time.Second)
	l := &lease{unit: u, miner: w.miner, issued: b.now, expires: b.now.Add(time.Duration(seconds) * time.Second)}
	a := Lease{Unit: u.ID, Miner: w.account, Seconds: seconds, Copy: len(u.leases) > 0}
	u.leases = append(u.leases, l)
	w.leases = append(w.leases, l)
	if !slices.Contains(u.held, w.account) {
		u.held = append(u.held, w.account)
	}
	return a
}
