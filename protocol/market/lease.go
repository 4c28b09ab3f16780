package market

import (
	"slices"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// lease is a unit given to a miner until a time. After that time it is late: the
// unit may go to another miner, and the result still counts.
type lease struct {
	unit    *unit
	miner   *miner
	tickets []block.Link // their CIDs, oldest first
	issued  time.Time
	expires time.Time
	late    bool
	start   time.Time // of a late lease: when the miner began the unit
	longest time.Time // progress extends the lease to this time at most
	ppm     uint32    // progress in parts per million
	at      time.Time // when the progress was reported
	told    time.Time // when the miner last reported progress
	checked bool      // a result is being fetched
	untimed bool      // the unit was begun in an earlier session
}

// computed is the ppm of a unit whose result is being fetched.
const computed = 1_000_000

// give leases a unit to a miner for some time.
func (b *Book) give(m *miner, u *unit, length time.Duration) *lease {
	l := &lease{unit: u, miner: m, issued: b.now, expires: b.now.Add(length)}
	l.longest = b.now.Add(max(length, MaxLease))
	if old := m.of(u.ID); old != nil { // the miner still computes it
		l.tickets, l.start, l.checked, l.untimed = old.tickets, old.start, old.checked, old.untimed
		old.end(b.now)
	}
	u.leases = append(u.leases, l)
	m.leases = append(m.leases, l)
	return l
}

// signed gives the newest lease of a unit its ticket's CID.
func (b *Book) signed(e TicketSigned) error {
	if m := b.crowd.present(e.Miner); m != nil {
		if l := m.of(e.Unit); l != nil {
			l.name(e.Ticket)
			return nil
		}
	}
	return protocol.Refuse(protocol.NotLeased, "unit %s is not leased to %s", e.Unit, e.Miner.Short())
}

// name adds the CID of a ticket.
func (l *lease) name(ticket block.Link) {
	if slices.Contains(l.tickets, ticket) {
		return
	}
	if l.tickets = append(l.tickets, ticket); len(l.tickets) > maxNames {
		l.tickets = slices.Delete(l.tickets, 0, 1)
	}
}

// shown takes back a ticket of an earlier session. If the unit is open and the
// miner has a place, the unit is leased to the miner again: the miner computes it.
func (b *Book) shown(now time.Time, e TicketShown) ([]Action, error) {
	m := b.crowd.present(e.Miner)
	if m == nil {
		return nil, protocol.Refuse(protocol.PeerGone, "miner %s has no session", e.Miner.Short())
	}
	if m.shown++; m.shown > MaxShown {
		return b.refuse(now, m, e.Unit, e.Ticket, protocol.Refuse(protocol.RateLimited, "more than %d tickets of earlier sessions", MaxShown)), nil
	}
	if err := b.welcome(m, e.Unit); err != nil { // no fault of the miner
		return []Action{RefuseResult{Unit: e.Unit, Ticket: e.Ticket, Miner: e.Miner, Err: err}}, nil
	}
	l, u := m.of(e.Unit), b.byID[e.Unit]
	if l == nil {
		c := newCandidate(m, now)
		if b.now = now; u.open() && c.room() && !m.until.After(now) && (m.proven || b.crowd.floor == 0 || b.share() > 0) {
			l = b.give(m, u, leaseFor(c.free+c.estimate(u)))
		} else {
			l = &lease{unit: u, miner: m, issued: now, late: true}
			m.addLate(l)
		}
		l.untimed = true
	}
	l.name(e.Ticket)
	return nil, nil
}

// Leased lists the units of which a miner with a session has a ticket, while they wait
// for a result.
func (b *Book) Leased(a protocol.Account) []block.Link {
	m := b.crowd.present(a)
	if m == nil {
		return nil
	}
	var units []block.Link
	for _, l := range slices.Concat(m.leases, m.late) {
		units = append(units, l.unit.ID)
	}
	return units
}

// UnitOf returns the unit that a miner's ticket is for, while the unit waits.
func (b *Book) UnitOf(a protocol.Account, ticket block.Link) (block.Link, bool) {
	if m := b.crowd.present(a); m != nil {
		if l := m.named(ticket); l != nil {
			return l.unit.ID, true
		}
	}
	return block.Link{}, false
}

func (b *Book) progress(now time.Time, e UnitProgress) error {
	m := b.crowd.present(e.Miner)
	if m == nil {
		return protocol.Refuse(protocol.PeerGone, "miner %s has no session", e.Miner.Short())
	}
	l := m.named(e.Ticket)
	switch {
	case l == nil:
		return protocol.Refuse(protocol.NotLeased, "ticket %s", e.Ticket)
	case e.DonePPM > computed:
		return protocol.Refuse(protocol.Malformed, "progress of %d parts per million, want at most %d", e.DonePPM, computed)
	case now.Sub(l.told) < progressLimit:
		return protocol.Refuse(protocol.RateLimited, "progress after less than %v", progressLimit)
	}
	l.told = now
	if e.DonePPM <= l.ppm || l.late {
		return nil
	}
	l.ppm, l.at = e.DonePPM, now
	l.carry(now)
	return nil
}

// compute notes that a unit is computed.
func (l *lease) compute(now time.Time) {
	if l.ppm, l.at = computed, now; !l.late {
		l.carry(now)
	}
}

// carry extends the lease of a miner slower than estimated, which keeps its units
// while it makes progress: this one, and the units that wait behind it. The lease
// does not last for ever, because progress is only a claim.
func (l *lease) carry(now time.Time) {
	extend := func(l *lease, left time.Duration) {
		l.expires = later(l.expires, earlier(now.Add(left*3/2), l.longest))
	}
	extend(l, l.left(now))
	for i, left := range l.miner.ends(now) {
		extend(l.miner.leases[i], left)
	}
}

// fail ends the lease of a unit that the miner gives up.
func (b *Book) fail(now time.Time, e UnitFailed) error {
	m := b.crowd.present(e.Miner)
	if m == nil {
		return protocol.Refuse(protocol.PeerGone, "miner %s has no session", e.Miner.Short())
	}
	l := m.named(e.Ticket)
	if l == nil {
		return protocol.Refuse(protocol.NotLeased, "ticket %s", e.Ticket)
	}
	l.unit.failedBy(e.Miner)
	if !l.late { // the miner was blamed when the lease expired
		m.blame(now)
	}
	l.end(now)
	return nil
}

// expire makes the leases late whose time is over.
func (b *Book) expire() []Action {
	var actions []Action
	for _, m := range b.crowd.here {
		for i := 0; i < len(m.leases); {
			l := m.leases[i]
			if l.expires.After(b.now) {
				i++
				continue
			}
			actions = append(actions, l.cancel(protocol.LeaseExpired))
			m.pace, m.proven = m.paceNow(b.now), false // earlier observations say little now
			m.blame(b.now)
			start := l.begun()
			l.end(b.now)
			l.late, l.start = true, start
			m.addLate(l)
		}
	}
	return actions
}

// addLate remembers a late lease. The oldest is forgotten when there are many; its
// ticket can be shown again.
func (m *miner) addLate(l *lease) {
	if m.late = append(m.late, l); len(m.late) > maxLate {
		m.late = slices.Delete(m.late, 0, 1)
	}
}

// cancel tells the lease's miner that the lease has ended.
func (l *lease) cancel(code protocol.Reason) Action {
	a := CancelTicket{Unit: l.unit.ID, Miner: l.miner.account, Code: code}
	if n := len(l.tickets); n > 0 {
		a.Ticket = l.tickets[n-1]
	}
	return a
}

// end removes a lease from its unit and its miner. If the lease was the miner's
// oldest live one, the miner begins its next unit now.
func (l *lease) end(now time.Time) {
	is := func(o *lease) bool { return o == l }
	if len(l.miner.leases) > 0 && l.miner.leases[0] == l {
		l.miner.last = now
	}
	l.unit.leases = slices.DeleteFunc(l.unit.leases, is)
	l.miner.leases = slices.DeleteFunc(l.miner.leases, is)
	l.miner.late = slices.DeleteFunc(l.miner.late, is)
}

// begun returns when the miner began the unit, if the lease is its oldest.
func (l *lease) begun() time.Time {
	if !l.start.IsZero() {
		return l.start
	}
	return later(l.issued, l.miner.last)
}
