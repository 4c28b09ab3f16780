package node

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/work/unit"
)

// task is a unit that a publisher has leased to this miner, from the ticket to the
// publisher's answer to the result. A task outlives the session in which its ticket
// came: the miner computes on, and shows the ticket in the next session.
type task struct {
	unit  unit.Unit
	key   taskKey
	owner string // of the blocks that the computation reads
	made  string // owner of the blocks that it makes
	text  string // owner of the text of a customer, or empty
	// The lock of tasks guards the rest.
	ticket   protocol.Ticket // the newest
	body     []byte          // its signed bytes
	ticketID block.Link      // of body
	state    taskState
	taken    time.Time     // when the ticket came
	took     time.Duration // of the computation
	done     float64       // computed part, 0 to 1
	late     time.Time     // when the lease or the session ended, or the unit was computed; zero before
	session  *minerSession // whose publisher knows the ticket; nil for none
	end      context.CancelCauseFunc

	// Of a computed task:
	submitted bool // to session
	attested  protocol.Attestation
	mflop     uint64      // cost of the result
	slot      journal.Key // the entry in the journal
}

// taskKey names a task: a publisher's unit.
type taskKey struct {
	unit      block.Link
	publisher protocol.Account
}

// newTask makes the task of a ticket, whose signed bytes are body.
func newTask(ticket protocol.Ticket, body []byte, now time.Time) *task {
	id := protocol.ID(body)
	return &task{
		key:   taskKey{ticket.Unit, ticket.Account},
		owner: taskOwner(id), made: resultOwner(ticket.Account, id),
		ticket: ticket, body: body, ticketID: id, taken: now,
	}
}

// conceal keeps what a task reads and makes of a customer's text from the disk.
func (t *task) conceal() { t.text, t.made = t.owner+secret, t.made+secret }

// offer names the offer that the task belongs to.
func (t *task) offer() market.OfferKey {
	return market.OfferKey{Work: t.unit.Work, Publisher: t.key.publisher}
}

type taskState uint8

const (
	taskWaits    taskState = iota // for a worker
	taskComputes                  // on a worker
	taskComputed                  // and waits for the publisher's answer
)

// tasks are all tasks of a miner, and its sessions. The tasks that wait form a queue,
// in which the publishers take turns.
type tasks struct {
	share int           // tasks of one publisher that may wait
	wake  chan struct{} // receives a value when a task waits

	mu       sync.Mutex // guards the fields below, and the tasks
	all      map[taskKey]*task
	queue    map[protocol.Account][]*task // that wait, in the sequence of their tickets
	turns    []protocol.Account           // publishers in the queue, the next first
	sessions map[market.OfferKey]*minerSession
}

func newTasks(share int) *tasks {
	return &tasks{
		share: share, wake: make(chan struct{}, 1), all: map[taskKey]*task{},
		queue: map[protocol.Account][]*task{}, sessions: map[market.OfferKey]*minerSession{},
	}
}

// take adds the task of a ticket. If the miner has a task of the unit already, that
// one takes the ticket over and is returned as known. room is false if as many tasks
// of the publisher wait as may.
func (ts *tasks) take(t *task) (known *task, room bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if known = ts.all[t.key]; known != nil {
		known.ticket, known.body, known.ticketID = t.ticket, t.body, t.ticketID
		known.taken, known.session, known.submitted = t.taken, t.session, false
		if known.state != taskComputed {
			known.late = time.Time{}
		}
		return known, true
	}
	of := t.key.publisher
	if t.state == taskWaits {
		switch len(ts.queue[of]) {
		case ts.share:
			return nil, false
		case 0:
			ts.turns = append(ts.turns, of)
		}
		ts.queue[of] = append(ts.queue[of], t)
		ts.signal()
	}
	ts.all[t.key] = t
	return nil, true
}

// ticket is the newest ticket of a task, and its name.
func (ts *tasks) ticket(t *task) (protocol.Ticket, block.Link) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return t.ticket, t.ticketID
}

// slot is where the journal has the result of a task, once it is computed.
func (ts *tasks) slot(t *task) (k journal.Key, computed bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return t.slot, t.state == taskComputed
}

// has reports whether the miner has a task.
func (ts *tasks) has(k taskKey) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.all[k] != nil
}

// signal wakes a worker. The caller holds mu.
func (ts *tasks) signal() {
	select {
	case ts.wake <- struct{}{}:
	default:
	}
}

// next waits for a task and gives it to a worker; nil when ctx ends.
func (ts *tasks) next(ctx context.Context) *task {
	for {
		if t := ts.pop(); t != nil {
			return t
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ts.wake:
		}
	}
}

// pop takes the task from the queue whose turn it is, or returns nil.
func (ts *tasks) pop() *task {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(ts.turns) == 0 {
		return nil
	}
	of := ts.turns[0]
	t := ts.queue[of][0]
	ts.unqueue(t)
	if len(ts.queue[of]) > 0 { // the others come first
		ts.turns = append(slices.DeleteFunc(ts.turns, func(p protocol.Account) bool { return p == of }), of)
	}
	if len(ts.turns) > 0 {
		ts.signal()
	}
	t.state = taskComputes
	return t
}

// unqueue takes a task from the queue. The caller holds mu.
func (ts *tasks) unqueue(t *task) {
	of := t.key.publisher
	i := slices.Index(ts.queue[of], t)
	if i < 0 {
		return
	}
	ts.queue[of] = slices.Delete(ts.queue[of], i, i+1)
	if len(ts.queue[of]) == 0 {
		delete(ts.queue, of)
		ts.turns = slices.DeleteFunc(ts.turns, func(p protocol.Account) bool { return p == of })
	}
}

// drop removes a task and stops its computation. The caller holds mu.
func (ts *tasks) drop(t *task) {
	delete(ts.all, t.key)
	ts.unqueue(t)
	if t.end != nil {
		t.end(errCancelled)
	}
}

// remove removes a task, and reports whether it was there.
func (ts *tasks) remove(t *task) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	there := ts.all[t.key] == t
	if there {
		ts.drop(t)
	}
	return there
}

// begin notes end, which stops the computation of a task. It reports false if the task
// was removed in the meantime. expired says that its lease ended while it waited for a
// worker: progress of the unit before extends the lease, see [market.UnitProgress], and
// a publisher that does not extend it cancels the ticket.
func (ts *tasks) begin(t *task, now time.Time, end context.CancelCauseFunc) (hints []string, expired, ok bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.all[t.key] != t {
		return nil, false, false
	}
	t.end = end
	lease := time.Duration(t.ticket.LeaseSeconds) * time.Second
	expired = now.Sub(t.taken) >= lease && (t.session == nil || !t.session.reported.After(t.taken))
	return t.ticket.Hints, expired, true
}

// progress notes the computed part of a task. It returns the session to tell it in,
// nil if there is none, and the ticket.
func (ts *tasks) progress(t *task, now time.Time, done float64) (*minerSession, block.Link) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t.done = done
	if t.session != nil {
		t.session.reported = now
	}
	return t.session, t.ticketID
}

// attach adds a session. It returns the computed tasks for its publisher, at most n,
// which the miner shows again.
func (ts *tasks) attach(s *minerSession, n int) []*task {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.sessions[s.offer.OfferKey] = s
	var computed []*task
	for _, t := range ts.all {
		if t.offer() == s.offer.OfferKey && t.state == taskComputed {
			computed = append(computed, t)
		}
	}
	slices.SortFunc(computed, func(x, y *task) int { return x.taken.Compare(y.taken) })
	return computed[:min(len(computed), n)]
}

// detach removes a session. Its tasks that no worker has begun end; the publisher
// leases their units to others.
func (ts *tasks) detach(s *minerSession, now time.Time) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.sessions, s.offer.OfferKey)
	for _, t := range ts.all {
		switch {
		case t.session != s:
		case t.state == taskWaits:
			ts.drop(t)
		default:
			t.session, t.submitted = nil, false
			if t.state == taskComputes {
				t.late = now
			}
		}
	}
}

// submission is what a session sends for a computed task.
type submission struct {
	session  *minerSession
	show     []byte // the ticket, if the publisher does not know it; otherwise nil
	ticketID block.Link
	attested protocol.Attestation // of the result
}

// submit returns what is to be sent for a task; ok is false if nothing is, because the
// task is not computed, or has no session, or is gone.
func (ts *tasks) submit(t *task) (sub submission, ok bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	s := ts.sessions[t.offer()]
	if s == nil || ts.all[t.key] != t || t.state != taskComputed || t.submitted {
		return submission{}, false
	}
	t.submitted = true
	sub = submission{session: s, ticketID: t.ticketID, attested: t.attested}
	if t.session != s {
		sub.show, t.session = t.body, s
	}
	return sub, true
}

// computed notes the result of a task, and reports false if the task is gone.
func (ts *tasks) computed(t *task, at protocol.Attestation, mflop uint64, slot journal.Key, took time.Duration, now time.Time) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.all[t.key] != t {
		return false
	}
	t.state, t.attested, t.mflop, t.slot, t.took, t.late = taskComputed, at, mflop, slot, took, now
	t.done, t.end = 1, nil
	return true
}

// expire notes that the lease of a task has ended. It reports false if no worker has
// begun the task.
func (ts *tasks) expire(t *task, now time.Time) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t.state == taskComputes && t.late.IsZero() {
		t.late = now
	}
	return t.state != taskWaits
}

// connected reports whether the miner has a session with a publisher.
func (ts *tasks) connected(k market.OfferKey) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.sessions[k] != nil
}

// find returns the task of a session that matches, or nil.
func (ts *tasks) find(k market.OfferKey, match func(*task) bool) *task {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, t := range ts.all { // order-free: one matches at most
		if t.offer() == k && match(t) {
			return t
		}
	}
	return nil
}

// of lists the tasks of an offer.
func (ts *tasks) of(k market.OfferKey) []*task {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	var all []*task
	for _, t := range ts.all {
		if t.offer() == k {
			all = append(all, t)
		}
	}
	return all
}

// stale stops the computations that are late for lateTime, and lists the computed tasks
// that wait for heldTime.
func (ts *tasks) stale(now time.Time) []*task {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	var stale []*task
	for _, t := range ts.all {
		switch age := now.Sub(t.late); {
		case t.late.IsZero():
		case t.state == taskComputed && age >= heldTime:
			stale = append(stale, t)
		case t.state == taskComputes && age >= lateTime && t.end != nil:
			t.end(errLate)
		}
	}
	return stale
}
