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

// Book is the state of one work. The zero Book has no units and no miners. It
// is not safe for concurrent use.
type Book struct {
	now    time.Time
	units  []*unit  // sorted by order, then CID; slices keep the iteration fixed
	miners []*miner // sorted by account; miners that left stay, with their history
}

// unit is a unit with its leases.
type unit struct {
	Unit
	done   bool
	leases []*lease           // live leases, oldest first
	leased []protocol.Account // miners that ever leased the unit; their results are accepted
	failed []protocol.Account // miners that failed the unit; they get it again only when no other unit is open
}

// miner is a bidder.
type miner struct {
	account  protocol.Account
	here     bool
	inFlight uint32 // units it wants at a time
	pace     uint64 // picoseconds per MFLOP: as bid, until a unit is observed
	bid      uint64 // pace of the bid
	observed bool
	forgiven time.Time       // when its pace was last eased
	last     time.Time       // when it last finished or lost the unit it computed
	leases   []*lease        // live leases, oldest first: the miner computes in this order
	done     uint64          // units
	failures uint64          // in a row
	until    time.Time       // no unit is leased to it before
	idleCode protocol.Reason // why the miner has no unit, as it was last sent to the miner
}

// lease is a unit given to a miner until a time.
type lease struct {
	unit    *unit
	miner   *miner
	issued  time.Time
	expires time.Time
	ppm     uint32    // progress in parts per million
	at      time.Time // when the progress was reported
}

// Apply takes an event and the time at which it happened, and returns the
// actions that follow from it, in order. Time never goes back: an earlier time
// than before counts as the same time. An error has a reason and means that the
// event does not fit the book; the book is then unchanged.
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
	actions = append(actions, b.schedule()...)
	return append(actions, b.tellIdle()...), nil
}

// apply changes the book by one event, or returns an error before it changes
// anything.
func (b *Book) apply(now time.Time, e Event) ([]Action, error) {
	switch e := e.(type) {
	case AddUnits:
		return nil, b.add(e.Units)
	case DropUnits:
		return b.drop(now, e.Units), nil
	case MinerJoined:
		return nil, b.join(e)
	case MinerLeft:
		b.leave(now, e.Miner)
		return nil, nil
	case UnitProgress:
		return nil, b.progress(now, e)
	case UnitDone:
		return b.finish(now, e)
	case UnitFailed:
		return nil, b.fail(now, e)
	case Tick:
		return nil, nil
	}
	return nil, protocol.Refuse(protocol.Malformed, "unknown event %T", e)
}

func (b *Book) add(units []Unit) error {
	for _, u := range units {
		if !u.ID.Defined() {
			return protocol.Refuse(protocol.UnknownUnit, "a unit has no CID")
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

func (b *Book) join(e MinerJoined) error {
	if e.MFLOPS == 0 || e.InFlight == 0 {
		return protocol.Refuse(protocol.Malformed,
			"bid of %s: %d MFLOP/s and %d units at a time, want at least 1 of both",
			e.Miner.Short(), e.MFLOPS, e.InFlight)
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
	m.here, m.inFlight = true, e.InFlight
	m.idleCode = protocol.Unspecified
	return nil
}

// leave ends the leases of a miner. To leave while units are leased counts as a
// failure.
func (b *Book) leave(now time.Time, a protocol.Account) {
	i, known := b.search(a)
	if !known {
		return
	}
	m := b.miners[i]
	if len(m.leases) > 0 {
		m.blame(now)
	}
	for len(m.leases) > 0 {
		end(now, m.leases[0])
	}
	m.here = false
}

func (b *Book) progress(now time.Time, e UnitProgress) error {
	l, err := b.find(e.Miner, e.Unit)
	if err != nil {
		return err
	}
	if e.DonePPM > Computed {
		return protocol.Refuse(protocol.Malformed, "progress of %d parts per million, want at most %d", e.DonePPM, Computed)
	}
	if e.DonePPM <= l.ppm {
		return nil
	}
	l.ppm, l.at = e.DonePPM, now
	if l.ppm == Computed { // the time of the transfer is unknown
		l.expires = l.issued.Add(MaxLease)
	}
	// A miner slower than estimated keeps its units while it makes progress: this
	// one, and the units that wait behind it.
	l.extend(now, l.left(now))
	for i, left := range l.miner.ends(now) {
		l.miner.leases[i].extend(now, left)
	}
	return nil
}

// extend moves the end of a lease to 1.5 times the time that the miner still
// needs. The lease does not last for ever, because progress is only a claim.
func (l *lease) extend(now time.Time, left time.Duration) {
	l.expires = later(l.expires, earlier(now.Add(left*3/2), l.issued.Add(MaxLease)))
}

// finish accepts the first result of a unit and cancels the unit's other leases.
func (b *Book) finish(now time.Time, e UnitDone) ([]Action, error) {
	u, err := b.unit(e.Unit)
	if err != nil {
		return nil, err
	}
	if u.done {
		return nil, protocol.Refuse(protocol.Superseded, "unit %s is done", u.ID)
	}
	if !slices.Contains(u.leased, e.Miner) {
		return nil, protocol.Refuse(protocol.NotLeased, "unit %s was never leased to %s", u.ID, e.Miner.Short())
	}
	i, _ := b.search(e.Miner) // a miner that leased a unit is known
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

func (b *Book) fail(now time.Time, e UnitFailed) error {
	l, err := b.find(e.Miner, e.Unit)
	if err != nil {
		return err
	}
	l.unit.failed = append(l.unit.failed, e.Miner)
	l.miner.blame(now)
	end(now, l)
	return nil
}

// expire ends the leases whose time is over.
func (b *Book) expire() []Action {
	var actions []Action
	for _, m := range b.miners {
		for _, l := range slices.Clone(m.leases) {
			if !l.expires.After(b.now) {
				actions = append(actions, CancelTicket{Unit: l.unit.ID, Miner: m.account, Code: protocol.LeaseExpired})
				m.pace, m.observed = m.paceNow(b.now), false // earlier observations say little now
				m.blame(b.now)
				end(b.now, l)
			}
		}
	}
	return actions
}

// forgive halves the pace of miners that were idle for long and whose last unit
// was done, but never below the pace of their bids. A machine that was slow for
// a while gets no units, and could otherwise never show that it is fast again.
func (b *Book) forgive() {
	for _, m := range b.miners {
		trusted := m.done > 0 && m.failures == 0
		if trusted && m.here && len(m.leases) == 0 && m.pace > m.bid && b.now.Sub(later(m.last, m.forgiven)) >= forgiveAfter {
			m.pace, m.forgiven = max(m.bid, m.pace/2), b.now
		}
	}
}

// tellIdle tells each miner without a unit the reason, once for each change of
// the reason.
func (b *Book) tellIdle() []Action {
	open := slices.ContainsFunc(b.units, (*unit).open)
	var actions []Action
	for _, m := range b.miners {
		if !m.here || len(m.leases) > 0 {
			m.idleCode = protocol.Unspecified
			continue
		}
		code := b.refusal(m)
		if code == protocol.Unspecified && open {
			code = protocol.TooSlow
		} else if code == protocol.Unspecified {
			code = protocol.NoOpenUnits
		}
		if code != m.idleCode {
			m.idleCode = code
			actions = append(actions, TellIdle{Miner: m.account, Code: code})
		}
	}
	return actions
}

// refusal returns why no unit at all is leased to the miner, or Unspecified.
func (b *Book) refusal(m *miner) protocol.Reason {
	if m.until.After(b.now) {
		return protocol.BackedOff
	}
	return protocol.Unspecified
}

// search returns the index in b.miners at which the miner is, or would be.
func (b *Book) search(a protocol.Account) (int, bool) {
	return slices.BinarySearchFunc(b.miners, a, func(m *miner, a protocol.Account) int {
		return bytes.Compare(m.account[:], a[:])
	})
}

func (b *Book) unit(id block.Link) (*unit, error) {
	i := slices.IndexFunc(b.units, func(u *unit) bool { return u.ID == id })
	if i < 0 {
		return nil, protocol.Refuse(protocol.UnknownUnit, "unit %s is not in the book", id)
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
		actions = append(actions, CancelTicket{Unit: u.ID, Miner: u.leases[0].miner.account, Code: code})
		end(now, u.leases[0])
	}
	return actions
}

// end removes a lease from its unit and its miner. If the lease was the miner's
// oldest, the miner begins its next unit now.
func end(now time.Time, l *lease) {
	if l.miner.leases[0] == l {
		l.miner.last = now
	}
	is := func(o *lease) bool { return o == l }
	l.unit.leases = slices.DeleteFunc(l.unit.leases, is)
	l.miner.leases = slices.DeleteFunc(l.miner.leases, is)
}

// open reports whether the unit is neither done nor leased.
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

// blame counts a failure. From the third failure in a row on, the miner must
// wait: 10 seconds, then twice as long each time.
func (m *miner) blame(now time.Time) {
	m.failures++
	if m.failures >= patience {
		m.until = now.Add(min(maxBackOff, minBackOff<<min(m.failures-patience, 10)))
	}
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
