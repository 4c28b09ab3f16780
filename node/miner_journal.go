package node

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/work/unit"
)

// This file is what the miner's journal remembers of tasks. The key of an entry is a unit
// and a slot: when several publishers lease one unit, each accepted result has a slot of
// its own, for good.

const (
	// maxComputed bounds the computed tasks of earlier processes.
	maxComputed = 256
	// maxSlots and maxAttempts bound what publishers can have the journal keep of
	// one unit, by leasing the unit again and again.
	maxSlots    = 8
	maxAttempts = 8
)

// recall makes tasks of the results that no publisher has answered: an earlier
// process computed them.
func (m *Miner) recall(ctx context.Context) error {
	var lines []journal.Line
	n := 0
	err := m.journal.Each(journal.Unaccepted, func(e journal.Entry) error {
		t, err := m.revive(ctx, e)
		if err == nil && n == maxComputed {
			err = protocol.Refuse(protocol.RateLimited, "more than %d results wait", maxComputed)
		}
		if err != nil {
			m.Peer.Store.Unpin(madeBy(e))
			if claimable(e) { // also without the result, which was in memory: see [claims.silent]
				return nil
			}
			lines = append(lines, journal.Line{Key: e.Key, Record: journal.NewVoided(protocol.ResultUnavailable, err.Error(), 0)})
			return nil
		}
		n++
		m.tasks.take(t)
		return nil
	})
	if err == nil {
		err = m.journal.Append(lines...)
	}
	return err
}

// revive makes a task of an entry that has a ticket and a result.
func (m *Miner) revive(ctx context.Context, e journal.Entry) (*task, error) {
	if len(e.Tickets) == 0 || e.Done == nil {
		return nil, errors.New("the entry has no result")
	}
	ticket := e.Tickets[len(e.Tickets)-1]
	body, err := protocol.Encode(&ticket)
	if err != nil {
		return nil, err
	}
	u, err := unit.Parse(ticket.Spec)
	if err != nil {
		return nil, err
	}
	t := newTask(ticket, body, m.now())
	t.unit = u
	if claimable(e) {
		t.conceal()
	}
	t.state, t.late, t.done, t.attested, t.mflop, t.slot = taskComputed, t.taken, 1, e.Done.Attestation, mflopOf(e.Done), e.Key
	return t, m.restore(ctx, t, e.Done)
}

// restore sees to it that the blocks of a result are in the store and stay there for
// a task.
func (m *Miner) restore(ctx context.Context, t *task, d *journal.Done) error {
	blocks := block.Owned{Store: m.Peer.Store, Owner: t.made}
	var r unit.Result
	if err := block.Decode(d.Result, &r); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	for _, out := range r.Outputs {
		data, err := blocks.Get(ctx, out.Cid)
		if err != nil {
			return fmt.Errorf("output: %w", err)
		}
		links, err := block.Links(data)
		if err != nil {
			return fmt.Errorf("output: %w", err)
		}
		for _, c := range links {
			if _, err := blocks.Get(ctx, c); err != nil {
				return fmt.Errorf("output: %w", err)
			}
		}
	}
	_, err := blocks.Put(ctx, block.CBOR, d.Result)
	return err
}

// known finds a result of a task's unit that the miner has computed before and still has;
// nil when there is none. The units of a run are public, whoever published them; a
// translation is its publisher's alone.
func (m *Miner) known(ctx context.Context, t *task) (*journal.Done, error) {
	entries, err := m.journal.Slots(t.key.unit)
	if err != nil {
		return nil, err
	}
	var results []*journal.Done
	wrong := map[block.Link]bool{} // as publishers say
	add := func(tickets []protocol.Ticket, d *journal.Done) {
		theirs := func(of protocol.Ticket) bool { return of.Account == t.key.publisher }
		if d != nil && (t.unit.Kind != unit.Translate || slices.ContainsFunc(tickets, theirs)) {
			results = append(results, d)
		}
	}
	for _, e := range entries {
		add(e.Tickets, e.Done)
		for _, v := range e.Voided {
			add(v.Tickets, v.Done)
			if v.Done != nil && !blameless(v.Code) {
				wrong[v.Done.Attestation.Result] = true
			}
		}
	}
	for _, d := range results {
		if wrong[d.Attestation.Result] {
			continue
		}
		if err := m.restore(ctx, t, d); err == nil {
			return d, nil
		}
	}
	return nil, nil
}

// blameless reports whether a result may be right although it was refused, by the reason
// of the refusal.
func blameless(code protocol.Reason) bool {
	switch code {
	case protocol.Superseded, protocol.NotLeased, protocol.UnknownUnit, protocol.WorkEnded, protocol.TimedOut, protocol.LeaseExpired, protocol.ResultUnavailable:
		return true
	}
	return false
}

// errAgain refuses a unit that its publishers have leased too often.
var errAgain = protocol.Refuse(protocol.RateLimited, "the unit was leased to this miner %d times", maxSlots*maxAttempts)

// keepResult attests the result of a task, and writes ticket, result and attestation to
// the journal.
func (m *Miner) keepResult(t *task, result []byte, link block.Link) (protocol.Attestation, journal.Key, error) {
	ticket, id := m.tasks.ticket(t)
	k := journal.Key{Unit: t.key.unit}
	at := protocol.Attestation{
		Work: ticket.Work, Publisher: ticket.Account, Place: placeOf(t.unit), Unit: ticket.Unit, Result: link, Ticket: id,
	}
	if _, err := protocol.Sign(m.Peer.Key, m.Peer.Net, &at); err != nil {
		return at, k, err
	}
	entries, err := m.journal.Slots(t.key.unit)
	if err != nil {
		return at, k, err
	}
	slot := slices.IndexFunc(entries, func(e journal.Entry) bool { return e.State == journal.Void && len(e.Voided) < maxAttempts })
	if slot < 0 {
		slot = len(entries)
	}
	if slot == maxSlots {
		return at, k, errAgain
	}
	k.Slot = uint32(slot)
	return at, k, m.journal.Append(
		journal.Line{Key: k, Record: journal.Task{Ticket: ticket}},
		journal.Line{Key: k, Record: journal.Done{Result: result, Attestation: at}})
}

// promised writes the newest ticket of a unit of a job to the journal, where the result of an
// earlier ticket waits and the new one is of another escrow: an escrow pays its own tickets.
func (m *Miner) promised(t *task) error {
	ticket, _ := m.tasks.ticket(t)
	slot, computed := m.tasks.slot(t)
	if !computed {
		return nil // the result will be kept with the newest ticket
	}
	e, known, err := m.journal.Get(slot)
	of := func(old protocol.Ticket) bool { return old.Escrow == ticket.Escrow }
	if err != nil || !known || len(e.Tickets) >= maxAttempts || slices.ContainsFunc(e.Tickets, of) {
		return err
	}
	return m.journal.Append(journal.Line{Key: slot, Record: journal.Task{Ticket: ticket}})
}

// accepted checks that a publisher accepts what this miner attested, and keeps the
// acceptance. Otherwise a publisher could make the miner report units and pay that do not
// exist. accepted returns no task for an acceptance that the miner already has: a publisher
// that leased the unit twice, for example because it was restarted, answers twice.
func (m *Miner) accepted(o market.Offer, a protocol.Accept) (*task, error) {
	t := m.tasks.find(o.OfferKey, func(t *task) bool { return t.key.unit == a.Unit && t.state == taskComputed })
	if t == nil {
		entries, err := m.journal.Slots(a.Unit)
		if err != nil {
			return nil, err
		}
		again := func(e journal.Entry) bool {
			return e.Taken != nil && e.Taken.Accept.Account == o.Publisher && a.Account == o.Publisher && e.Taken.Accept.Result == a.Result
		}
		if slices.ContainsFunc(entries, again) {
			return nil, nil
		}
	}
	if t == nil || a.Account != o.Publisher || a.Miner != m.Peer.Account() || a.Work != o.Work || a.Result != t.attested.Result || a.Place != t.attested.Place {
		return nil, protocol.Refuse(protocol.ResultMismatch, "the publisher accepts a result of unit %s that this miner did not send", a.Unit)
	}
	lines := []journal.Line{{Key: t.slot, Record: journal.Taken{Accept: a}}}
	if !o.Run() && o.Price == 0 {
		lines = append(lines, journal.Line{Key: t.slot, Record: journal.NewVoided(protocol.Unpaid, "a gift", m.height.Load())})
	}
	return t, m.journal.Append(lines...)
}

// discard ends a task whose result, if there is one, nobody takes.
func (m *Miner) discard(t *task, code protocol.Reason, text string) error {
	if !m.tasks.remove(t) {
		return nil
	}
	m.keep(t)
	if t.state != taskComputed {
		return nil
	}
	e, _, err := m.journal.Get(t.slot)
	if err != nil || e.State == journal.Paid { // claimed without an answer
		return err
	}
	// A customer that ends its job says nothing of the result. It may have read it, and the
	// ticket stays its promise: [claims.silent] claims the unit, unless the ledger pays another.
	if code == protocol.WorkEnded && claimable(e) {
		return nil
	}
	return m.journal.Append(journal.Line{Key: t.slot, Record: journal.NewVoided(code, text, m.height.Load())})
}
