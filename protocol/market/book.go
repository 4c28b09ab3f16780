package market

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Book is the state of one work. The zero Book has no units and no miners, and
// takes any price. It is not safe for concurrent use.
type Book struct {
	MaxPrice uint64 // units per GFLOP above which a bid is not served; 0: none

	now    time.Time
	units  []*unit  // by order and then CID; slices keep iteration fixed
	miners []*miner // by account; those that left stay, with their record
}

// unit is a unit and what has become of it.
type unit struct {
	Unit
	done   bool
	leases []*lease           // live ones, oldest first
	held   []protocol.Account // who ever leased it, of whom results are taken
	failed []protocol.Account // who failed it, and gets it again only when nothing else is to be had
}

// miner is a bidder.
type miner struct {
	account  protocol.Account
	here     bool
	inFlight uint32
	price    uint64
	pace     uint64 // picoseconds per MFLOP: as bid, until it is observed
	bid      uint64 // the pace it bid
	observed bool
	forgiven time.Time // when its pace was last eased
	last     time.Time // when it last finished or lost the unit it was at
	leases   []*lease  // live ones, oldest first: it works in this order
	done     uint64
	failures uint64    // in a row
	until    time.Time // it is given nothing before
	told     protocol.Reason
}

// lease is a ticket that is out.
type lease struct {
	unit    *unit
	miner   *miner
	issued  time.Time
	expires time.Time
	ppm     uint32 // progress, and when it was told
	at      time.Time
}

// Apply takes an event at a time, which never goes back, and returns what is to
// be done about it, in order. An error, which has a reason, means that the event
// does not fit; the book is then as it was.
func (b *Book) Apply(now time.Time, e Event) ([]Action, error) {
	if now.Before(b.now) {
		now = b.now
	}
	actions, err := b.apply(now, e)
	if err != nil {
		return nil, err
	}
	b.now = now
	actions = append(actions, b.expire()...)
	b.forgive()
	actions = append(actions, b.lease()...)
	return append(actions, b.idle()...), nil
}

// apply changes the book by one event, or returns an error before it changes
// anything.
func (b *Book) apply(now time.Time, e Event) ([]Action, error) {
	switch e := e.(type) {
	case Add:
		return nil, b.add(e.Units)
	case Drop:
		return b.drop(now, e.Units), nil
	case Join:
		return nil, b.join(e)
	case Tick:
		return nil, nil
	case Credit:
		m, err := b.live(e.Miner)
		if err == nil {
			m.inFlight = e.InFlight
		}
		return nil, err
	case Leave:
		m, err := b.live(e.Miner)
		if err == nil {
			b.leave(now, m)
		}
		return nil, err
	case Progress:
		return nil, b.progress(now, e)
	case Done:
		return b.finish(now, e)
	case Fail:
		return nil, b.fail(now, e)
	}
	return nil, protocol.Refuse(protocol.Malformed, "unknown event %T", e)
}

func (b *Book) add(units []Unit) error {
	for _, u := range units {
		if !u.ID.Defined() {
			return protocol.Refuse(protocol.UnknownUnit, "a unit without a CID")
		}
	}
	known := make(map[block.Link]struct{}, len(b.units))
	for _, u := range b.units {
		known[u.ID] = struct{}{}
	}
	for _, u := range units {
		if _, ok := known[u.ID]; !ok {
			known[u.ID] = struct{}{}
			b.units = append(b.units, &unit{Unit: u})
		}
	}
	slices.SortFunc(b.units, func(x, y *unit) int {
		return cmp.Or(cmp.Compare(x.Order, y.Order), strings.Compare(x.ID.KeyString(), y.ID.KeyString()))
	})
	return nil
}

func (b *Book) drop(now time.Time, ids []block.Link) []Action {
	gone := make(map[block.Link]struct{}, len(ids))
	for _, id := range ids {
		gone[id] = struct{}{}
	}
	var actions []Action
	b.units = slices.DeleteFunc(b.units, func(u *unit) bool {
		if _, ok := gone[u.ID]; !ok {
			return false
		}
		actions = append(actions, cancel(now, u, protocol.WorkEnded)...)
		return true
	})
	return actions
}

func (b *Book) join(e Join) error {
	if e.MFLOPS == 0 {
		return protocol.Refuse(protocol.Malformed, "bid of %s with no speed", e.Miner.Short())
	}
	i, known := b.search(e.Miner)
	if !known {
		b.miners = slices.Insert(b.miners, i, &miner{account: e.Miner})
	}
	m := b.miners[i]
	m.bid = max(1, 1_000_000_000_000/e.MFLOPS)
	if !m.observed {
		m.pace = m.bid
	}
	m.here, m.inFlight, m.price = true, e.InFlight, e.Price
	m.told = protocol.Unspecified
	return nil
}

func (b *Book) leave(now time.Time, m *miner) {
	if len(m.leases) > 0 {
		m.blame(now)
	}
	for len(m.leases) > 0 {
		end(now, m.leases[0])
	}
	m.here = false
}

func (b *Book) progress(now time.Time, e Progress) error {
	l, err := b.find(e.Miner, e.Unit)
	if err != nil {
		return err
	}
	if e.DonePPM > 1_000_000 {
		return protocol.Refuse(protocol.Malformed, "%d parts per million done", e.DonePPM)
	}
	if e.DonePPM <= l.ppm {
		return nil
	}
	l.ppm, l.at = e.DonePPM, now
	// A miner slower than thought keeps the unit as long as it gets on with it,
	// but not for ever: progress is its word alone.
	limit := l.issued.Add(min(3*l.expires.Sub(l.issued), maxLease))
	if extended := now.Add(l.left(now) * 3 / 2); extended.After(l.expires) && l.expires.Before(limit) {
		l.expires = earlier(extended, limit)
	}
	return nil
}

// finish takes the first result of a unit and cancels its other leases.
func (b *Book) finish(now time.Time, e Done) ([]Action, error) {
	u, err := b.unit(e.Unit)
	if err != nil {
		return nil, err
	}
	if u.done {
		return nil, protocol.Refuse(protocol.Superseded, "unit %s is done", u.ID)
	}
	if !slices.Contains(u.held, e.Miner) {
		return nil, protocol.Refuse(protocol.NotLeased, "unit %s was never leased to %s", u.ID, e.Miner.Short())
	}
	i, _ := b.search(e.Miner) // who leased it is known
	m := b.miners[i]
	if l := m.lease(u); l != nil {
		m.observe(u.Cost, now.Sub(l.begun()))
		end(now, l)
	}
	m.done++
	m.failures = 0
	m.until = time.Time{}
	u.done = true
	return cancel(now, u, protocol.Superseded), nil
}

func (b *Book) fail(now time.Time, e Fail) error {
	l, err := b.find(e.Miner, e.Unit)
	if err != nil {
		return err
	}
	l.unit.failed = append(l.unit.failed, e.Miner)
	l.miner.blame(now)
	end(now, l)
	return nil
}

// expire ends the leases that have run out.
func (b *Book) expire() []Action {
	var actions []Action
	for _, m := range b.miners {
		for _, l := range slices.Clone(m.leases) {
			if !l.expires.After(b.now) {
				actions = append(actions, Cancel{Unit: l.unit.ID, Miner: m.account, Code: protocol.LeaseExpired})
				m.pace, m.observed = m.paceNow(b.now), false // what it did before says little now
				m.blame(b.now)
				end(b.now, l)
			}
		}
	}
	return actions
}

// forgive eases the pace of miners that were idle for long and whose last unit
// was done, half of the way each time and never below their bids. A machine that was slow for a while, and
// so is given nothing, could otherwise never show that it no longer is.
func (b *Book) forgive() {
	for _, m := range b.miners {
		trusted := m.done > 0 && m.failures == 0
		if trusted && m.here && len(m.leases) == 0 && m.pace > m.bid && b.now.Sub(later(m.last, m.forgiven)) >= forgiveAfter {
			m.pace, m.forgiven = max(m.bid, m.pace/2), b.now
		}
	}
}

// idle tells the miners without a unit why, if they do not know.
func (b *Book) idle() []Action {
	open := slices.ContainsFunc(b.units, (*unit).open)
	var actions []Action
	for _, m := range b.miners {
		if !m.here || len(m.leases) > 0 {
			m.told = protocol.Unspecified
			continue
		}
		code := b.refusal(m)
		if code == protocol.Unspecified && open {
			code = protocol.TooSlow
		} else if code == protocol.Unspecified {
			code = protocol.NoOpenUnits
		}
		if code != m.told {
			m.told = code
			actions = append(actions, Idle{Miner: m.account, Code: code})
		}
	}
	return actions
}

// refusal returns why the miner is given nothing, whatever is open.
func (b *Book) refusal(m *miner) protocol.Reason {
	switch {
	case m.inFlight == 0:
		return protocol.NoCredit
	case b.MaxPrice > 0 && m.price > b.MaxPrice:
		return protocol.PriceTooHigh
	case m.until.After(b.now):
		return protocol.BackedOff
	}
	return protocol.Unspecified
}

// search returns where the miner is, or would be, in b.miners.
func (b *Book) search(a protocol.Account) (int, bool) {
	return slices.BinarySearchFunc(b.miners, a, func(m *miner, a protocol.Account) int {
		return bytes.Compare(m.account[:], a[:])
	})
}

// live returns a miner that is here.
func (b *Book) live(a protocol.Account) (*miner, error) {
	i, ok := b.search(a)
	if !ok || !b.miners[i].here {
		return nil, protocol.Refuse(protocol.UnknownOffer, "miner %s has no bid", a.Short())
	}
	return b.miners[i], nil
}

func (b *Book) unit(id block.Link) (*unit, error) {
	i := slices.IndexFunc(b.units, func(u *unit) bool { return u.ID == id })
	if i < 0 {
		return nil, protocol.Refuse(protocol.UnknownUnit, "unit %s", id)
	}
	return b.units[i], nil
}

// find returns a live lease.
func (b *Book) find(a protocol.Account, id block.Link) (*lease, error) {
	u, err := b.unit(id)
	if err != nil {
		return nil, err
	}
	i, ok := b.search(a)
	if ok {
		if l := b.miners[i].lease(u); l != nil {
			return l, nil
		}
	}
	return nil, protocol.Refuse(protocol.NotLeased, "unit %s is not leased to %s", id, a.Short())
}

// cancel ends all leases of a unit.
func cancel(now time.Time, u *unit, code protocol.Reason) []Action {
	var actions []Action
	for len(u.leases) > 0 {
		actions = append(actions, Cancel{Unit: u.ID, Miner: u.leases[0].miner.account, Code: code})
		end(now, u.leases[0])
	}
	return actions
}

// end takes a lease out of its unit and its miner, who turns to its next one
// if this is the one it was at.
func end(now time.Time, l *lease) {
	if l.miner.leases[0] == l {
		l.miner.last = now
	}
	is := func(o *lease) bool { return o == l }
	l.unit.leases = slices.DeleteFunc(l.unit.leases, is)
	l.miner.leases = slices.DeleteFunc(l.miner.leases, is)
}

// open reports whether the unit waits for a miner.
func (u *unit) open() bool { return !u.done && len(u.leases) == 0 }

// lease returns the miner's live lease of a unit, or nil.
func (m *miner) lease(u *unit) *lease {
	for _, l := range m.leases {
		if l.unit == u {
			return l
		}
	}
	return nil
}

// blame counts a failure and, past patience, makes the miner wait: ten seconds,
// then twice as long each time.
func (m *miner) blame(now time.Time) {
	m.failures++
	if m.failures >= patience {
		m.until = now.Add(min(maxBackOff, minBackOff<<min(m.failures-patience, 10)))
	}
}

// Status is what the book knows of a miner.
type Status struct {
	Miner    protocol.Account
	Here     bool   // it has a bid
	MFLOPS   uint64 // as bid or, later, as observed
	InFlight uint32 // units it has now
	Done     uint64 // units, of this book
	Failures uint64 // in a row
	Idle     protocol.Reason
}

// Miners returns what the book knows of every miner, by account.
func (b *Book) Miners() []Status {
	all := make([]Status, 0, len(b.miners))
	for _, m := range b.miners {
		all = append(all, Status{
			Miner: m.account, Here: m.here, MFLOPS: 1_000_000_000_000 / m.pace,
			InFlight: uint32(len(m.leases)), Done: m.done, Failures: m.failures, Idle: m.told,
		})
	}
	return all
}

// Left returns how many units are not done.
func (b *Book) Left() int {
	n := 0
	for _, u := range b.units {
		if !u.done {
			n++
		}
	}
	return n
}

func earlier(s, t time.Time) time.Time {
	if t.Before(s) {
		return t
	}
	return s
}

func later(s, t time.Time) time.Time {
	if t.After(s) {
		return t
	}
	return s
}
