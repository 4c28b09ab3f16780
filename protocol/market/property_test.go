package market_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
)

// machine is a simulated miner: what it bids, how fast it really is, and what
// goes wrong with it.
type machine struct {
	account  protocol.Account
	bid      uint64 // MFLOP per second
	speed    uint64
	inFlight uint32
	dies     time.Duration // 0: never
	queue    []job
}

// job is a unit that a machine has, and when it will be done, if it is the
// machine's turn.
type job struct {
	unit block.Link
	ends time.Duration // 0: not begun
	bad  bool
}

// world plays a book against machines.
type world struct {
	t        *rapid.T
	book     market.Book
	machines []*machine
	costs    map[block.Link]uint64
	done     map[block.Link]bool
	leases   map[string]bool // live ones, "unit miner"
	starts   int
	now      time.Duration
	fault    func(m *machine) bool // whether the next job of m goes wrong
}

func (w *world) apply(e market.Event) {
	actions, err := w.book.Apply(time.Unix(0, 0).Add(w.now), e)
	if err != nil {
		w.t.Fatalf("%v: %T: %v", w.now, e, err)
	}
	for _, a := range actions {
		switch a := a.(type) {
		case market.IssueTicket:
			w.lease(a)
		case market.CancelTicket:
			delete(w.leases, a.Unit.String()+a.Miner.String())
			m := w.machine(a.Miner)
			m.queue = slices.DeleteFunc(m.queue, func(j job) bool { return j.unit == a.Unit })
		}
	}
}

func (w *world) lease(a market.IssueTicket) {
	key := a.Unit.String() + a.Miner.String()
	m := w.machine(a.Miner)
	switch {
	case w.leases[key]:
		w.t.Fatalf("%v: a second lease of a unit to one miner", w.now)
	case w.done[a.Unit]:
		w.t.Fatalf("%v: lease of a unit that is done", w.now)
	case len(m.queue) >= int(m.inFlight):
		w.t.Fatalf("%v: more than %d units in flight", w.now, m.inFlight)
	}
	w.leases[key] = true
	w.starts++
	m.queue = append(m.queue, job{unit: a.Unit, bad: w.fault(m)})
}

func (w *world) machine(a protocol.Account) *machine {
	return w.machines[slices.IndexFunc(w.machines, func(m *machine) bool { return m.account == a })]
}

func (m *machine) dead(now time.Duration) bool { return m.dies > 0 && now >= m.dies }

// step lets the machines work for a time and tells the book what came of it.
func (w *world) step(d time.Duration) {
	w.now += d
	for _, m := range w.machines {
		if len(m.queue) == 0 || m.dead(w.now) {
			continue
		}
		j := &m.queue[0]
		if j.ends == 0 {
			j.ends = w.now - d + time.Duration(w.costs[j.unit]*uint64(time.Second)/m.speed)
		}
		if j.ends > w.now {
			continue
		}
		ended := *j
		m.queue = m.queue[1:]
		delete(w.leases, ended.unit.String()+m.account.String())
		if ended.bad {
			w.apply(market.UnitFailed{Miner: m.account, Unit: ended.unit})
		} else {
			w.done[ended.unit] = true
			w.apply(market.UnitDone{Miner: m.account, Unit: ended.unit})
		}
	}
	w.apply(market.Tick{})
}

// run adds n units of one cost and plays until all are done.
func (w *world) run(n int, cost uint64) time.Duration {
	var units []market.Unit
	for i := range n {
		id := block.Link{Cid: block.Sum(block.CBOR, fmt.Append(nil, i))}
		w.costs[id] = cost
		units = append(units, market.Unit{ID: id, Cost: cost})
	}
	w.apply(market.AddUnits{Units: units})
	for len(w.done) < n {
		w.step(50 * time.Millisecond)
		if w.now > 10*time.Hour {
			w.t.Fatalf("%d of %d units done after %v", len(w.done), n, w.now)
		}
	}
	return w.now
}

func newWorld(t *rapid.T, machines []*machine) *world {
	w := &world{t: t, machines: machines, costs: map[block.Link]uint64{}, done: map[block.Link]bool{},
		leases: map[string]bool{}, fault: func(*machine) bool { return false }}
	for i, m := range machines {
		m.account = protocol.Account{byte(i + 1)}
		w.apply(market.MinerJoined{Miner: m.account, MFLOPS: m.bid, InFlight: m.inFlight})
	}
	return w
}

// optimum is the least time in which machines of these speeds can do n units of
// a cost, when each unit is done by one of them.
func optimum(machines []*machine, n int, cost uint64) time.Duration {
	free := make([]time.Duration, len(machines))
	var t time.Duration
	for range n {
		best := 0
		for i, m := range machines {
			if free[i]+m.takes(cost) < free[best]+machines[best].takes(cost) {
				best = i
			}
		}
		free[best] += machines[best].takes(cost)
		t = max(t, free[best])
	}
	return t
}

func (m *machine) takes(cost uint64) time.Duration {
	return time.Duration(cost * uint64(time.Second) / m.speed)
}

// TestEveryUnitIsDone: machines lie about their speed, fail units and die, one
// of them being sound; every unit is done all the same, no miner has a unit
// twice at a time, or more units than it wants (world.lease checks both).
func TestEveryUnitIsDone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		machines := []*machine{{bid: 100, speed: 100, inFlight: 1}} // the sound one
		for range rapid.IntRange(0, 7).Draw(t, "others") {
			m := &machine{
				bid:      uint64(rapid.IntRange(1, 5000).Draw(t, "bid")),
				speed:    uint64(rapid.IntRange(10, 1000).Draw(t, "speed")),
				inFlight: uint32(rapid.IntRange(1, 3).Draw(t, "in flight")),
			}
			if rapid.Bool().Draw(t, "mortal") {
				m.dies = time.Duration(rapid.IntRange(1, 100).Draw(t, "dies")) * time.Second
			}
			machines = append(machines, m)
		}
		w := newWorld(t, machines)
		w.fault = func(m *machine) bool {
			return m != machines[0] && rapid.IntRange(0, 3).Draw(t, "fails") == 0
		}
		w.run(rapid.IntRange(1, 30).Draw(t, "units"), 1000)
	})
}

// TestRoundsAreShort: without failures, and with bids up to a quarter off, a
// round takes at most 1.3 times the optimum and one unit of the fastest miner.
func TestRoundsAreShort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var machines []*machine
		for range rapid.IntRange(1, 16).Draw(t, "machines") {
			speed := uint64(rapid.IntRange(100, 1000).Draw(t, "speed"))
			machines = append(machines, &machine{
				bid: speed * uint64(rapid.IntRange(75, 125).Draw(t, "bid")) / 100, speed: speed, inFlight: 1,
			})
		}
		n := len(machines) * rapid.IntRange(1, 8).Draw(t, "units a machine")
		best := optimum(machines, n, 2000)
		fastest := slices.MaxFunc(machines, func(x, y *machine) int { return int(x.speed) - int(y.speed) })
		w := newWorld(t, machines)
		took := w.run(n, 2000)
		if limit := best*13/10 + fastest.takes(2000); took > limit {
			t.Errorf("took %v, the optimum is %v", took, best)
		}
		if extra := w.starts - n; extra > 2+n/4 {
			t.Errorf("%d copies of %d units", extra, n)
		}
	})
}

// TestFreeloaders: miners that claim up to a thousand times what others do, take
// units and never answer, delay a round with a unit or more for everybody; it is
// done in 2.5 times the optimum of those that work (a lease of 1.5 times the
// estimate, and the unit again), and two leases of the shortest length, since
// two miners may have a unit at a time. The worst of 3,000 worlds took 2.63.
func TestFreeloaders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var machines, honest []*machine
		for range rapid.IntRange(1, 8).Draw(t, "honest") {
			speed := uint64(rapid.IntRange(100, 1000).Draw(t, "speed"))
			honest = append(honest, &machine{bid: speed, speed: speed, inFlight: 2})
		}
		for range rapid.IntRange(1, 8).Draw(t, "freeloaders") {
			claim := uint64(rapid.IntRange(100, 1_000_000).Draw(t, "claim"))
			machines = append(machines, &machine{bid: claim, speed: 100, inFlight: 1000, dies: 1})
		}
		machines = append(machines, honest...)
		n := len(machines) * rapid.IntRange(1, 8).Draw(t, "units a machine")
		best := optimum(honest, n, 5000)
		w := newWorld(t, machines)
		if took := w.run(n, 5000); took > best*5/2+20*time.Second {
			t.Errorf("took %v, the optimum without them is %v", took, best)
		}
	})
}

// BenchmarkBook applies what a result brings about in a large work, of 4,096
// units and 50 miners: the unit is done and dropped, and another added.
func BenchmarkBook(b *testing.B) {
	var book market.Book
	var leases []market.IssueTicket
	apply := func(e market.Event) {
		actions, err := book.Apply(time.Time{}, e)
		if err != nil {
			b.Fatal(err)
		}
		for _, a := range actions {
			if l, ok := a.(market.IssueTicket); ok {
				leases = append(leases, l)
			}
		}
	}
	var units []market.Unit
	for i := range 4096 {
		units = append(units, market.Unit{ID: block.Link{Cid: block.Sum(block.CBOR, fmt.Append(nil, i))}, Cost: 1000, Order: uint64(i)})
	}
	apply(market.AddUnits{Units: units})
	for i := range 50 {
		apply(market.MinerJoined{Miner: protocol.Account{byte(i)}, MFLOPS: uint64(100 + i), InFlight: 2})
	}
	for b.Loop() {
		l := leases[0]
		leases = leases[1:]
		apply(market.UnitDone{Miner: l.Miner, Unit: l.Unit})
		apply(market.DropUnits{Units: []block.Link{l.Unit}})
		apply(market.AddUnits{Units: []market.Unit{{ID: l.Unit, Cost: 1000}}}) // so that it never ends
	}
}
