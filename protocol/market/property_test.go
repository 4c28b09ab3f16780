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
	twins    []*machine // the same machine at other publishers
}

// job is a unit that a machine has, and when it will be done, if it is the
// machine's turn.
type job struct {
	unit   block.Link
	ticket block.Link
	came   time.Duration
	ends   time.Duration // 0: not begun
	bad    bool
	late   bool // the lease has ended; the machine goes on
}

// world plays a book against machines.
type world struct {
	t        rapid.TB
	book     market.Book
	machines map[protocol.Account]*machine
	order    []*machine
	costs    map[block.Link]uint64
	done     map[block.Link]bool
	starts   int
	events   int
	now      time.Duration
	fault    func(m *machine) bool // whether the next job of m goes wrong
}

// apply applies an event and those that follow from it: tickets get names, results
// are found to be right.
func (w *world) apply(e market.Event) {
	w.events++
	at := time.Unix(0, 0).Add(w.now)
	actions, err := w.book.Apply(at, e)
	if err != nil {
		w.t.Fatalf("%v: %T: %v", w.now, e, err)
	}
	for _, a := range actions {
		switch a := a.(type) {
		case market.IssueTicket:
			ticket := block.Link{Cid: block.Sum(block.CBOR, fmt.Append(nil, "ticket ", a.Number))}
			if _, err := w.book.Apply(at, market.TicketSigned{Miner: a.Miner, Unit: a.Unit, Ticket: ticket}); err != nil {
				w.t.Fatalf("%v: %v", w.now, err)
			}
			w.lease(a, ticket)
		case market.CancelTicket:
			m := w.machines[a.Miner]
			i := slices.IndexFunc(m.queue, func(j job) bool { return j.unit == a.Unit })
			switch {
			case i < 0:
			case a.Code == protocol.LeaseExpired:
				m.queue[i].late = true
			default:
				m.queue = slices.Delete(m.queue, i, i+1)
			}
		case market.CheckResult:
			w.apply(market.Checked{Miner: a.Miner, Unit: a.Unit, Ticket: a.Ticket})
		case market.AcceptResult:
			if w.done[a.Unit] {
				w.t.Fatalf("%v: a second result of a unit is accepted", w.now)
			}
			w.done[a.Unit] = true
		case market.RefuseResult:
			w.t.Fatalf("%v: a right result is refused: %v", w.now, a.Err)
		}
	}
}

func (w *world) lease(a market.IssueTicket, ticket block.Link) {
	m := w.machines[a.Miner]
	i := slices.IndexFunc(m.queue, func(j job) bool { return j.unit == a.Unit })
	live := 0
	for _, j := range m.queue {
		if !j.late {
			live++
		}
	}
	switch {
	case i >= 0 && !m.queue[i].late:
		w.t.Fatalf("%v: a second lease of a unit to one miner", w.now)
	case w.done[a.Unit]:
		w.t.Fatalf("%v: lease of a unit that is done", w.now)
	case live >= int(m.inFlight):
		w.t.Fatalf("%v: more than %d units in flight", w.now, m.inFlight)
	}
	w.starts++
	if i >= 0 { // it has the unit already
		m.queue[i].ticket, m.queue[i].late = ticket, false
		return
	}
	m.queue = append(m.queue, job{unit: a.Unit, ticket: ticket, came: w.now, bad: w.fault(m)})
}

func (m *machine) dead(now time.Duration) bool { return m.dies > 0 && now >= m.dies }

// step lets the machines work for a time and tells the book what came of it.
func (w *world) step(d time.Duration) {
	w.now += d
	for _, m := range w.order {
		if len(m.queue) == 0 || m.dead(w.now) {
			continue
		}
		j := &m.queue[0]
		if j.ends == 0 && slices.ContainsFunc(m.twins, func(o *machine) bool {
			return len(o.queue) > 0 && (o.queue[0].ends > 0 || o.queue[0].came < j.came)
		}) {
			continue // it computes one unit at a time, in the sequence in which they came
		}
		if j.ends == 0 {
			j.ends = w.now - d + time.Duration(w.costs[j.unit]*uint64(time.Second)/m.speed)
		}
		if j.ends > w.now {
			continue
		}
		ended := *j
		m.queue = m.queue[1:]
		if ended.bad {
			w.apply(market.UnitFailed{Miner: m.account, Ticket: ended.ticket})
		} else {
			w.apply(market.Attested{Miner: m.account, Unit: ended.unit, Ticket: ended.ticket})
		}
	}
	w.apply(market.Tick{})
}

// run adds n units of one cost and plays until all are done. It returns how long
// that takes.
func (w *world) run(n int, cost uint64) time.Duration {
	start := w.now
	w.add(n, cost)
	for len(w.done) < len(w.costs) {
		w.step(50 * time.Millisecond)
		if w.now-start > 100*time.Hour {
			w.t.Fatalf("%d of %d units done after %v", len(w.done), len(w.costs), w.now-start)
		}
	}
	return w.now - start
}

// add adds n units of one cost.
func (w *world) add(n int, cost uint64) {
	var units []market.Unit
	for range n {
		id := block.Link{Cid: block.Sum(block.CBOR, fmt.Append(nil, len(w.costs)))}
		w.costs[id] = cost
		units = append(units, market.Unit{ID: id, Cost: cost, Order: uint64(len(w.costs))})
	}
	w.apply(market.AddUnits{Units: units})
}

func newWorld(t rapid.TB, machines []*machine) *world {
	w := &world{t: t, machines: map[protocol.Account]*machine{}, costs: map[block.Link]uint64{}, done: map[block.Link]bool{},
		fault: func(*machine) bool { return false }}
	for _, m := range machines {
		w.join(m)
	}
	return w
}

// join gives a machine an account and lets it bid.
func (w *world) join(m *machine) {
	n := len(w.order) + 1
	m.account = protocol.Account{byte(n), byte(n >> 8), byte(n >> 16)}
	w.machines[m.account] = m
	w.order = append(w.order, m)
	w.apply(market.MinerJoined{Miner: m.account, MFLOPS: m.bid, InFlight: m.inFlight})
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

// TestFreshKeys: two fresh keys join every 5 s, claim any speed and compute
// nothing. The one honest miner does the units in nearly the time that it takes
// without them, whether it is proven or comes after the first of them.
func TestFreshKeys(t *testing.T) {
	for _, proven := range []bool{true, false} {
		for _, takes := range []time.Duration{2 * time.Second, 10 * time.Second, time.Minute} {
			for _, claim := range []uint64{1, 1000, 1 << 40} {
				t.Run(fmt.Sprintf("proven %v, units of %v, claims of %d", proven, takes, claim), func(t *testing.T) {
					cost := uint64(takes / time.Second * 1000)
					honest := &machine{bid: 1000, speed: 1000, inFlight: 2}
					w := newWorld(t, nil)
					fresh := func() { w.join(&machine{bid: claim, speed: 1, inFlight: 2, dies: 1}) }
					if proven {
						w.join(honest)
						w.run(1, cost)
					} else {
						fresh()
						fresh()
						w.now++
						w.join(honest)
					}
					const n = 8
					start := w.now
					w.add(n, cost)
					for next := start; len(w.done) < len(w.costs); w.step(250 * time.Millisecond) {
						if w.now >= next {
							fresh()
							fresh()
							next += 5 * time.Second
						}
						if w.now-start > time.Hour {
							t.Fatalf("%d of %d units done after an hour", len(w.done), len(w.costs))
						}
					}
					took, alone := w.now-start, n*takes
					t.Logf("%v, alone %v; %d keys", took, alone, len(w.order))
					if took > alone*3/2+15*time.Second {
						t.Errorf("took %v, alone it takes %v", took, alone)
					}
				})
			}
		}
	}
}

// TestLongUnits: a miner alone throws no work away, however long its units are and
// however wrong the estimate of their cost is.
func TestLongUnits(t *testing.T) {
	for _, takes := range []time.Duration{7 * time.Minute, 1000 * time.Second, 3 * time.Hour} {
		for _, wrong := range []uint64{1, 30, 1000} { // times that the unit costs more than estimated
			m := &machine{bid: 1000, speed: max(1, 1000/wrong), inFlight: 2}
			w := newWorld(t, []*machine{m})
			cost := uint64(takes/time.Second) * m.speed
			if took := w.run(4, cost); took > 4*takes+time.Second {
				t.Errorf("4 units of %v, %d times as slow as estimated: took %v", takes, wrong, took)
			}
		}
	}
}

// TestSeveralPublishers: publishers share miners, which compute what comes first. Each
// sees miners that are two or three times slower than they say. No unit is refused, few
// are leased again, and all works end in little more than the time of a fair share.
func TestSeveralPublishers(t *testing.T) {
	const miners, units, cost, takes = 3, 24, 60_000, time.Minute
	for publishers := 1; publishers <= 3; publishers++ {
		var worlds []*world
		for range publishers {
			var machines []*machine
			for range miners {
				machines = append(machines, &machine{bid: cost / 60, speed: cost / 60, inFlight: 2})
			}
			worlds = append(worlds, newWorld(t, machines))
		}
		for i, w := range worlds {
			for k, m := range w.order {
				for j, other := range worlds {
					if i != j {
						m.twins = append(m.twins, other.order[k])
					}
				}
			}
			w.add(units, cost)
		}
		fair := time.Duration(publishers*units/miners) * takes
		var now time.Duration
		for left := 1; left > 0 && now < 10*fair; now += 250 * time.Millisecond {
			left = 0
			for _, w := range worlds {
				w.step(250 * time.Millisecond)
				left += len(w.costs) - len(w.done)
			}
		}
		starts := 0
		for _, w := range worlds {
			starts += w.starts
		}
		t.Logf("%d publishers: %v, a fair share is %v; %d leases of %d units", publishers, now, fair, starts, publishers*units)
		if now > fair*5/4 || starts > publishers*units*3/2 {
			t.Errorf("%d publishers: took %v, want %v; %d leases of %d units", publishers, now, fair, starts, publishers*units)
		}
	}
}

// TestForgotten: of tens of thousands of miners that came and went the book
// remembers some for a while, then none.
func TestForgotten(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 3 * market.MaxGone {
		a := protocol.Account{255, byte(i), byte(i >> 8)}
		w.apply(market.MinerJoined{Miner: a, MFLOPS: 1, InFlight: 1})
		w.apply(market.MinerLeft{Miner: a})
	}
	if n := w.book.Known(); n != market.MaxGone {
		t.Errorf("the book remembers %d miners, want %d", n, market.MaxGone)
	}
	w.now = market.ForgetMiner
	w.apply(market.Tick{})
	if n := w.book.Known(); n != 0 {
		t.Errorf("the book remembers %d miners for ever", n)
	}
}

// TestSpeed: 1,000 miners do 4,096 units, in virtual time. The book is told of each
// event, and each is fast. Tens of thousands of miners that came and went do not
// make it slower.
func TestSpeed(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute of events")
	}
	w := newWorld(t, nil)
	for i := range 20_000 {
		a := protocol.Account{255, byte(i), byte(i >> 8)}
		w.apply(market.MinerJoined{Miner: a, MFLOPS: 1, InFlight: 1})
		w.apply(market.MinerLeft{Miner: a})
	}
	for i := range 1000 {
		w.join(&machine{bid: uint64(1000 + i), speed: uint64(1000 + i), inFlight: 2})
	}
	began := time.Now()
	w.events = 0
	took := w.run(4096, 60_000)
	spent := time.Since(began)
	best := optimum(w.order, 4096, 60_000)
	t.Logf("%v of work in %v of computing, %d events, %v an event; the optimum is %v", took, spent, w.events, spent/time.Duration(w.events), best)
	if took > best*13/10+time.Minute {
		t.Errorf("took %v, the optimum is %v", took, best)
	}
	if mean := spent / time.Duration(w.events); mean > 20*time.Millisecond {
		t.Errorf("an event takes %v", mean)
	}
}

// BenchmarkBook applies what a result brings about in a large work, of 4,096
// units and some miners: the result is attested, checked and accepted, and the unit
// is added again, so that the work never ends.
func BenchmarkBook(b *testing.B) {
	for _, miners := range []int{50, 1000} {
		b.Run(fmt.Sprint(miners, " miners"), func(b *testing.B) {
			w := newWorld(b, nil)
			for i := range miners {
				w.join(&machine{bid: uint64(1000 + i), speed: uint64(1000 + i), inFlight: 2})
			}
			w.add(4096, 60_000)
			i := 0
			for b.Loop() {
				for len(w.order[i%miners].queue) == 0 {
					i++
				}
				m := w.order[i%miners]
				j := m.queue[0]
				m.queue = m.queue[1:]
				i++
				w.now += time.Millisecond
				w.apply(market.Attested{Miner: m.account, Unit: j.unit, Ticket: j.ticket})
				delete(w.done, j.unit)
				w.apply(market.AddUnits{Units: []market.Unit{{ID: j.unit, Cost: 60_000, Order: 1 << 40}}})
			}
		})
	}
}
