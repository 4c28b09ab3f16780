package market

import (
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
	units  []*unit              // that wait for a result; sorted by order, then CID
	byID   map[block.Link]*unit // the same
	crowd  crowd
	number uint64    // of the last ticket
	since  time.Time // since when units wait
	alone  time.Time // since when units wait that no miner computes
	ended  bool
}

// unit is a unit that waits for a result.
type unit struct {
	Unit
	leases []*lease           // live ones, oldest first
	failed []protocol.Account // miners that failed the unit; they get it again only when no other unit is open
}

// Apply takes an event and the time at which it happened, and returns the
// actions that follow from it, in order. Time never goes back: an earlier time
// than before counts as the same time. An error has a reason and means that the
// event does not fit the book; the book is then unchanged.
func (b *Book) Apply(now time.Time, e Event) ([]Action, error) {
	now = later(now, b.now)
	actions, err := b.apply(now, e)
	if err != nil {
		return nil, err
	}
	b.now = now
	switch e.(type) {
	case TicketSigned, UnitProgress, Attested:
		return actions, nil // they come often, and leave no miner without a unit: the next Tick is soon enough
	}
	actions = append(actions, b.expire()...)
	b.crowd.look(now)
	actions = append(actions, b.schedule()...)
	actions = append(actions, b.tellIdle()...)
	return append(actions, b.tellWaiting()...), nil
}

// apply changes the book by one event, or returns an error before it changes
// anything.
func (b *Book) apply(now time.Time, e Event) ([]Action, error) {
	switch e := e.(type) {
	case AddUnits:
		return nil, b.add(now, e.Units)
	case MinerJoined:
		return nil, b.join(now, e)
	case MinerLeft:
		b.crowd.leave(now, e.Miner)
		return nil, nil
	case TicketSigned:
		return nil, b.signed(e)
	case TicketShown:
		return b.shown(now, e)
	case UnitProgress:
		return nil, b.progress(now, e)
	case UnitFailed:
		return nil, b.fail(now, e)
	case Attested:
		return b.attested(now, e)
	case Checked:
		return b.checked(now, e), nil
	case ResultVoided:
		b.voided(now, e.Miner)
		return nil, nil
	case AllDone:
		b.ended = true
		return nil, nil
	case Tick:
		return nil, nil
	}
	return nil, protocol.Refuse(protocol.Malformed, "unknown event %T", e)
}

func (b *Book) add(now time.Time, units []Unit) error {
	for _, u := range units {
		if !u.ID.Defined() {
			return protocol.Refuse(protocol.UnknownUnit, "a unit has no CID")
		}
	}
	if b.byID == nil {
		b.byID = map[block.Link]*unit{}
	}
	if len(b.units) == 0 {
		b.since, b.alone = now, now
	}
	for _, u := range units {
		if b.byID[u.ID] == nil {
			b.byID[u.ID] = &unit{Unit: u}
			b.units = append(b.units, b.byID[u.ID])
		}
	}
	slices.SortFunc(b.units, func(x, y *unit) int {
		return cmp.Or(cmp.Compare(x.Order, y.Order), strings.Compare(x.ID.KeyString(), y.ID.KeyString()))
	})
	return nil
}

func (b *Book) join(now time.Time, e MinerJoined) error {
	if b.ended {
		return protocol.Refuse(protocol.WorkEnded, "nothing more is to be done")
	}
	return b.crowd.join(now, e)
}

// attested has a result checked if a ticket of the miner is for the unit, and the
// unit waits.
func (b *Book) attested(now time.Time, e Attested) ([]Action, error) {
	m := b.crowd.present(e.Miner)
	if m == nil {
		return nil, protocol.Refuse(protocol.PeerGone, "miner %s has no session", e.Miner.Short())
	}
	l := m.named(e.Ticket)
	err := b.welcome(m, e.Unit)
	switch {
	case err != nil:
	case l == nil || l.unit.ID != e.Unit:
		err = protocol.Refuse(protocol.NotLeased, "unit %s", e.Unit)
	case l.checked:
		err = protocol.Refuse(protocol.RateLimited, "a result of unit %s is being fetched", e.Unit)
	}
	if err != nil {
		return b.refuse(now, m, e.Unit, e.Ticket, err), nil
	}
	l.checked = true
	l.compute(now)
	l.expires = later(l.expires, now.Add(checkTime))
	return []Action{CheckResult{Unit: e.Unit, Ticket: e.Ticket, Miner: e.Miner}}, nil
}

// welcome returns an error unless a result of the unit by the miner may count.
func (b *Book) welcome(m *miner, id block.Link) error {
	u := b.byID[id]
	switch {
	case u == nil:
		return protocol.Refuse(protocol.Superseded, "unit %s is done, or never was", id)
	case u.bars(m.account):
		return protocol.Refuse(protocol.Barred, "unit %s", id)
	}
	return nil
}

// checked accepts the first right result of a unit, and cancels the unit's other
// tickets. The miner may have left meanwhile: a right result is right.
func (b *Book) checked(now time.Time, e Checked) []Action {
	u, m := b.byID[e.Unit], b.crowd.known[e.Miner]
	var l *lease
	if m != nil {
		if l = m.of(e.Unit); l != nil {
			l.checked = false
		}
	}
	switch {
	case m == nil && (u == nil || e.Err != nil):
		return nil
	case u == nil:
		return b.refuse(now, m, e.Unit, e.Ticket, protocol.Refuse(protocol.Superseded, "unit %s is done", e.Unit))
	case e.Err != nil:
		u.failedBy(e.Miner)
		m.blame(now)
		if l != nil {
			l.end(now)
		}
		return b.refuse(now, m, e.Unit, e.Ticket, e.Err)
	}
	a := AcceptResult{Unit: u.ID, Slot: u.Slot, Miner: e.Miner, Began: now}
	if l != nil {
		a.Began = l.issued
		if !l.untimed {
			m.observe(u.Cost, now.Sub(l.begun()))
		}
		l.end(now)
	}
	if m != nil {
		m.succeed()
	}
	return append([]Action{a}, b.close(now, u)...)
}

// close takes a unit from the book, and cancels what tickets it has.
func (b *Book) close(now time.Time, u *unit) []Action {
	delete(b.byID, u.ID)
	b.units = slices.DeleteFunc(b.units, func(o *unit) bool { return o == u })
	var actions []Action
	for _, m := range b.crowd.here {
		if l := m.of(u.ID); l != nil {
			actions = append(actions, l.cancel(protocol.Superseded))
			l.end(now)
		}
	}
	return actions
}

// refuse refuses a result, or a ticket that is shown. A miner of which too many
// are refused loses its session, and must wait.
func (b *Book) refuse(now time.Time, m *miner, unit, ticket block.Link, err error) []Action {
	if !m.here {
		return nil
	}
	actions := []Action{RefuseResult{Unit: unit, Ticket: ticket, Miner: m.account, Err: err}}
	if m.refused.take(now, refusedEvery, refusedBurst) {
		return actions
	}
	m.ban(now)
	err = protocol.Refuse(protocol.RateLimited, "more than %d results were refused, the last as %w", refusedBurst, err)
	b.crowd.leave(now, m.account)
	return append(actions, EndSession{Miner: m.account, Err: err})
}

// voided blames a miner whose accepted result proved wrong: it must wait at once.
func (b *Book) voided(now time.Time, a protocol.Account) {
	if m := b.crowd.known[a]; m != nil {
		m.failures = max(m.failures, patience-1)
		m.blame(now)
		m.proven = false
	}
}

// tellIdle tells each miner without a unit the reason, once for each change of
// the reason.
func (b *Book) tellIdle() []Action {
	open := slices.ContainsFunc(b.units, (*unit).open)
	var actions []Action
	for _, m := range b.crowd.here {
		if len(m.leases) > 0 && !b.ended {
			m.idleCode = protocol.Unspecified
			continue
		}
		if code := b.idle(m, open); code != m.idleCode {
			m.idleCode = code
			actions = append(actions, TellIdle{Miner: m.account, Code: code})
		}
	}
	return actions
}

// idle says why a miner has no unit, when there are open units or none.
func (b *Book) idle(m *miner, open bool) protocol.Reason {
	switch {
	case b.ended:
		return protocol.WorkEnded
	case m.until.After(b.now):
		return protocol.BackedOff
	case !open:
		return protocol.NoOpenUnits
	case !slices.ContainsFunc(b.units, func(u *unit) bool { return u.open() && !u.bars(m.account) }):
		return protocol.Barred
	case !m.proven && b.crowd.floor > 0 && b.share() <= 0:
		return protocol.Unproven
	}
	return protocol.TooSlow
}

// tellWaiting says from time to time why no miner computes the units that wait.
func (b *Book) tellWaiting() []Action {
	if len(b.units) == 0 || slices.ContainsFunc(b.crowd.here, func(m *miner) bool { return len(m.leases) > 0 }) {
		b.alone = b.now
		return nil
	}
	if b.now.Sub(b.alone) < waitingEvery {
		return nil
	}
	b.alone = b.now
	code := protocol.NoMiner
	if len(b.crowd.here) > 0 {
		code = b.idle(b.crowd.here[0], true)
	}
	return []Action{TellWaiting{Units: len(b.units), Code: code}}
}

// open reports whether no miner has a lease of the unit.
func (u *unit) open() bool { return len(u.leases) == 0 }

// failedBy remembers that a miner failed the unit.
func (u *unit) failedBy(a protocol.Account) {
	if slices.Contains(u.failed, a) {
		return
	}
	if u.failed = append(u.failed, a); len(u.failed) > maxFailed {
		u.failed = slices.Delete(u.failed, 0, 1)
	}
}

// provenLeases counts the leases of proven miners.
func (u *unit) provenLeases() (n int) {
	for _, l := range u.leases {
		if l.miner.proven {
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
