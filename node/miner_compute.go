package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/unit"
)

// This file is a task on a worker: the computation, the attestation, the journal, and
// what is sent to the publisher. The next session sends what no session can send now.

const (
	// lateTime is how long a worker goes on with a unit whose lease or session has
	// ended, and heldTime how long a result waits for a session.
	lateTime  = 15 * time.Minute
	heldTime  = time.Hour
	tidyEvery = 10 * time.Second
)

// The causes for which a miner stops to compute a unit.
var (
	errCancelled = errors.New("the publisher no longer needs the unit")
	errLate      = protocol.Refuse(protocol.LeaseExpired, "the unit is not computed %v after the end of its lease or session", lateTime)
)

// compute computes leased units one after another. When the worker's device
// breaks down, another worker takes its place.
func (m *Miner) compute(ctx context.Context, at int, w *work.Worker) error {
	for {
		t := m.tasks.next(ctx)
		if t == nil {
			return nil
		}
		m.uses(at, w.Device().Name(), t)
		broken, err := m.do(ctx, w, t)
		m.uses(at, w.Device().Name(), nil)
		if err != nil {
			return fmt.Errorf("miner: %w", err)
		}
		if !errors.Is(broken, kernel.ErrDevice) {
			continue
		}
		if m.Replace == nil {
			return fmt.Errorf("miner: %w", broken)
		}
		if w, err = m.Replace(w, broken); err != nil {
			return fmt.Errorf("miner: %w", err)
		}
		m.uses(at, w.Device().Name(), nil)
	}
}

// uses notes what the device of a worker computes; nil is nothing.
func (m *Miner) uses(at int, device string, t *task) {
	d := DeviceSnapshot{Name: device}
	if t != nil {
		d.Unit = t.key.unit.String()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.devices[at] = d
}

// do computes a task and submits its result. If it cannot, it gives the unit back.
// broken is the error of the computation; err is the journal's.
func (m *Miner) do(ctx context.Context, w *work.Worker, t *task) (broken, err error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	began := m.now()
	hints, expired, ok := m.tasks.begin(t, began, end)
	switch {
	case !ok: // the task was removed before a worker began it
		return nil, nil
	case expired:
		m.giveUp(t, protocol.Refuse(protocol.LeaseExpired, "no worker was free within the %d s of the lease", t.ticket.LeaseSeconds))
		return nil, nil
	}
	m.lend(t.offer())
	blocks := &remote{store: m.Peer.Store, mesh: m.Peer.Mesh, hints: hints, owner: t.owner, made: t.made}
	if t.unit.Kind == unit.Translate {
		blocks.root = t.unit.Inputs[0].Cid // the customer may not have the model
	}
	if t.text != "" {
		blocks.text, blocks.textOwner = t.unit.Inputs[1].Cid, t.text
		defer m.Peer.Store.Unpin(t.text)
	}
	r, link, broken := m.result(ctx, w, t, blocks)
	if broken != nil {
		if cause := context.Cause(ctx); cause == nil || cause == errLate {
			m.giveUp(t, cmp.Or(cause, broken))
		}
		m.keep(t)
		return broken, nil
	}
	there, err := m.finish(t, r, link, m.now().Sub(began))
	if !there {
		m.keep(t)
	}
	if protocol.ReasonOf(err) != protocol.Unspecified {
		m.giveUp(t, err)
		return nil, nil
	}
	if err == nil {
		if err := m.submit(t); err != nil {
			m.Peer.Log.Debug("attestation not sent", "unit", t.key.unit, "err", err)
		}
	}
	return nil, err
}

// result computes the unit of a task, and stores its result.
func (m *Miner) result(ctx context.Context, w *work.Worker, t *task, blocks *remote) (r unit.Result, link block.Link, err error) {
	pace := &pacer{every: m.progressEvery, at: m.now()}
	w.Progress = func(done float64) {
		if ppm := uint32(1e6 * done); pace.due(m.now(), ppm) {
			m.progress(t, ppm)
		}
	}
	memory, err := blocks.bound(ctx, t.unit)
	if err == nil {
		err = m.fits(memory)
	}
	if err == nil && t.unit.Kind == unit.Translate {
		if err = m.text(ctx, t); err == nil {
			err = m.covered(ctx, t, blocks)
		}
	}
	if err == nil {
		r, err = w.Do(ctx, blocks, t.unit)
	}
	w.Progress = nil
	if dev := w.Device(); err == nil && m.Check != nil {
		if wrong := m.Check(dev); wrong != nil {
			return r, link, protocol.Refuse(protocol.Conformance, "%w", &kernel.DeviceError{Device: dev.Name(), Err: wrong})
		}
	}
	if errors.Is(err, block.ErrNotFound) {
		return r, link, protocol.Refuse(protocol.InputUnavailable, "%w", err)
	} else if err != nil {
		return r, link, err
	}
	link, err = block.PutNode(ctx, blocks, r)
	return r, link, err
}

// fits refuses a unit that takes more memory than is free, before its model is fetched.
// Where the system does not say how much is free, every unit fits.
func (m *Miner) fits(memory uint64) error {
	free, err := m.freeMemory()
	if err != nil || memory <= free {
		return nil
	}
	return protocol.Refuse(protocol.TooLarge, "the unit takes at least %s of memory, and %s are free", machine.MiB(memory), machine.MiB(free))
}

// text fetches the text of a translation from the publisher, even if the text is here: the
// text may be another customer's. Otherwise a publisher that knows only the CID of a text
// would get the translation.
func (m *Miner) text(ctx context.Context, t *task) error {
	publisher, err := mesh.PeerOf(t.key.publisher)
	if err != nil {
		return err
	}
	text := t.unit.Inputs[1].Cid
	m.Peer.Store.Pin(cmp.Or(t.text, t.owner), text)
	return m.Peer.Mesh.FetchFrom(ctx, publisher, mesh.Want{CID: text, Most: block.MaxSize})
}

// covered refuses a translation that may cost more than the slot of its ticket pays.
func (m *Miner) covered(ctx context.Context, t *task, blocks *remote) error {
	ticket, _ := m.tasks.ticket(t)
	if m.Policy.WorkForFree || len(ticket.Proof) == 0 || ticket.Proof[0].Groups > 0 {
		return nil // the validators have recomputed the slots of a run
	}
	e, err := m.checker.Expect(ctx, blocks, t.unit)
	if err != nil {
		return err
	}
	if slot := ticket.Proof[0].Slot.Most; slot < e.MFLOP() {
		return protocol.Refuse(protocol.Unpaid, "the job's list pays for %d MFLOP of the unit, which may cost %d", slot, e.MFLOP())
	}
	return nil
}

// finish writes the result of a task to the journal. It reports false if the publisher
// has ended the task.
func (m *Miner) finish(t *task, r unit.Result, link block.Link, took time.Duration) (bool, error) {
	body, err := block.Encode(r)
	if err != nil {
		return false, err
	}
	at, slot, err := m.keepResult(t, body, link)
	if err != nil {
		return false, err
	}
	m.computed()
	if m.tasks.computed(t, at, r.MFLOP(), slot, took, m.now()) {
		return true, nil
	}
	return false, m.journal.Append(journal.Line{Key: slot, Record: journal.NewVoided(protocol.Superseded, "", m.height.Load())})
}

// computed notes that a unit was computed and written to the disk.
func (m *Miner) computed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.full = Why{}
}

// answer marks a task as computed if the journal has the result of its unit.
func (m *Miner) answer(ctx context.Context, t *task) error {
	if m.tasks.has(t.key) {
		return nil
	}
	d, err := m.known(ctx, t)
	if err != nil || d == nil {
		return err
	}
	if t.attested, t.slot, err = m.keepResult(t, d.Result, d.Attestation.Result); err != nil {
		return err
	}
	t.state, t.late, t.done, t.mflop = taskComputed, m.now(), 1, mflopOf(d)
	return nil
}

// mflopOf is the cost of a result of this miner.
func mflopOf(d *journal.Done) uint64 {
	r, err := unit.ParseResult(d.Result)
	if err != nil {
		return 0
	}
	return r.MFLOP()
}

// submit sends the attestation of a computed task, if the task has a session.
func (m *Miner) submit(t *task) error {
	sub, ok := m.tasks.submit(t)
	if !ok {
		return nil
	}
	at := sub.attested
	at.Ticket = sub.ticketID
	body, err := protocol.Sign(m.Peer.Key, m.Peer.Net, &at)
	if err != nil {
		return err
	}
	if sub.show != nil {
		if err := sub.session.send(protocol.TypeTicket, sub.show); err != nil {
			return err
		}
	}
	return sub.session.send(protocol.TypeAttestation, body)
}

// giveUp tells the publisher, and the user, that the miner does not compute a
// unit.
func (m *Miner) giveUp(t *task, why error) {
	if !m.tasks.remove(t) {
		return
	}
	code := protocol.ReasonOf(why)
	switch {
	case errors.Is(why, syscall.ENOSPC):
		code = protocol.DiskFull
		m.mu.Lock()
		m.full = newWhy(code, because(why))
		m.mu.Unlock()
	case code == protocol.Unspecified:
		code = protocol.UnitFailed
	}
	m.Report(Refused{Unit: t.key.unit.String(), Why: newWhy(code, because(why))})
	if t.session == nil {
		return
	}
	if err := t.session.cancel(t.ticketID, code, toPeer(why)); err != nil {
		m.Peer.Log.Debug("cancel not sent", "err", err)
	}
}

// tidy ends the tasks that nobody waits for, until ctx ends.
func (m *Miner) tidy(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, t := range m.tasks.stale(m.now()) {
			m.Report(Refused{Unit: t.key.unit.String(), Why: newWhy(protocol.TimedOut, "the publisher gave no answer to the result")})
			if err := m.discard(t, protocol.TimedOut, ""); err != nil {
				return fmt.Errorf("miner: %w", err)
			}
		}
	}
}

// progress reports the progress of a unit to the publisher and to the user.
func (m *Miner) progress(t *task, ppm uint32) {
	done := float64(ppm) / 1e6
	s, ticket := m.tasks.progress(t, m.now(), done)
	m.Report(UnitProgress{Unit: t.key.unit.String(), Task: t.unit.Kind.String(), Done: done})
	if s == nil {
		return
	}
	if err := s.say(&protocol.Progress{Version: protocol.Version, Ticket: ticket, DonePPM: ppm}); err != nil {
		m.Peer.Log.Debug("progress not sent", "err", err)
	}
}

// Progress is sent after at least progressEvery and progressStep, whichever
// takes longer.
const (
	progressEvery = 2 * time.Second
	progressStep  = 50_000 // parts per million
)

// pacer limits how often progress is sent.
type pacer struct {
	every time.Duration
	at    time.Time // of the last message, at first the beginning of the unit
	ppm   uint32    // in the last message
}

// due reports whether progress is to be sent now, and remembers the time. The end
// of a unit needs no progress: the attestation reports it.
func (p *pacer) due(now time.Time, ppm uint32) bool {
	if now.Sub(p.at) < p.every || ppm < p.ppm+progressStep || ppm >= 1e6 {
		return false
	}
	p.at, p.ppm = now, ppm
	return true
}

// toPeer is the text of an error for the other side of a session. It leaves out a path of
// this home: the path may contain the name of the user.
func toPeer(err error) string {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err.Error()
	case errors.As(err, &link):
		return link.Err.Error()
	}
	return because(err)
}
