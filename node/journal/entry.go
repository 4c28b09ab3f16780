package journal

import (
	"fmt"
	"slices"

	"github.com/alia-network/alia/protocol"
)

// State is the progress of an entry.
type State uint8

// The states of an entry.
const (
	Unaccepted State = iota // it has a ticket or a result, and no acceptance
	Pending                 // it was accepted, and the ledger has no claim of it
	Paid                    // the ledger has the claim, or has paid it
	Void                    // it counts no more
	states
)

// String is the state's name.
func (s State) String() string { return [...]string{"unaccepted", "pending", "paid", "void"}[s] }

// final reports whether nothing more is to be done about an entry.
func (s State) final() bool { return s == Paid || s == Void }

// Entry is the content of the journal about a unit's slot.
type Entry struct {
	Key
	State State
	// Tickets are those issued by this publisher or to this miner, oldest first.
	Tickets []protocol.Ticket
	// Accepted is the publisher's acceptance, nil when there is none.
	Accepted *Accepted
	// Done is the miner's result, and Taken the publisher's acceptance that it
	// holds; nil when there is none.
	Done  *Done
	Taken *Taken
	// Voided are the earlier attempts, oldest first. Those fields above are of
	// what came after the last of them.
	Voided []Attempt
	// Height is that of the ledger when the entry was settled or voided.
	Height uint64
}

// Attempt is a part of an entry's history that a [Voided] ended.
type Attempt struct {
	Voided
	Tickets  []protocol.Ticket
	Accepted *Accepted
	Done     *Done
	Taken    *Taken
}

// Agreed returns what a claim is made of: the miner's attestation and the publisher's
// acceptance of it, from the journal of either. ok is false when one is missing.
func (e *Entry) Agreed() (at protocol.Attestation, accept protocol.Accept, ok bool) {
	switch {
	case e.Accepted != nil:
		return e.Accepted.Attestation, e.Accepted.Accept, true
	case e.Done != nil && e.Taken != nil:
		return e.Done.Attestation, e.Taken.Accept, true
	}
	return at, accept, false
}

// add takes the next record of the entry.
func (e *Entry) add(r Record) {
	switch r := r.(type) {
	case Issued:
		e.Tickets = append(e.Tickets, r.Ticket)
	case Task:
		e.Tickets = append(e.Tickets, r.Ticket)
	case Accepted:
		e.Accepted = &r
	case Done:
		e.Done = &r
	case Taken:
		e.Taken = &r
	case Voided:
		e.Voided = append(e.Voided, Attempt{Voided: r, Tickets: e.Tickets, Accepted: e.Accepted, Done: e.Done, Taken: e.Taken})
		e.Tickets, e.Accepted, e.Done, e.Taken = nil, nil, nil, nil
	}
}

// item is an entry in memory: the places of its records, not their content. The
// items of a state form a list in the order in which they came to the state.
type item struct {
	key        keyBytes
	state      State
	height     uint64
	refs       []ref // in the order of the records; never empty
	prev, next *item
}

// ref is the place of a record.
type ref struct {
	segment uint32
	offset  uint32
	length  uint32 // of the whole record in the file
	kind    kind
}

// index is the entries of a journal.
type index struct {
	items map[keyBytes]*item
	lists [states]list
}

// list is a doubly linked list of items.
type list struct {
	first, last *item
	n           int
}

func (l *list) push(it *item) {
	it.prev, it.next = l.last, nil
	if l.last == nil {
		l.first = it
	} else {
		l.last.next = it
	}
	l.last = it
	l.n++
}

func (l *list) remove(it *item) {
	if it.prev == nil {
		l.first = it.next
	} else {
		it.prev.next = it.next
	}
	if it.next == nil {
		l.last = it.prev
	} else {
		it.next.prev = it.prev
	}
	it.prev, it.next = nil, nil
	l.n--
}

// after returns the state of an entry after a record of a kind. known says whether
// the journal already has a record of the entry. ok is false if the record changes
// nothing: it ends an entry that is not known.
func after(s State, known bool, k kind) (next State, ok bool) {
	switch k {
	case kindIssued, kindTask, kindDone:
		if !known || s == Void {
			return Unaccepted, true
		}
		return s, true
	case kindAccepted, kindTaken:
		return Pending, true
	case kindSettled:
		return Paid, known
	case kindVoided:
		return Void, known
	}
	return s, false
}

// add takes a record that is on disk.
func (x *index) add(key keyBytes, at ref, height uint64) {
	it, known := x.items[key]
	if at.kind == kindMoved {
		if known {
			x.forget(it)
		}
		return
	}
	var s State
	if known {
		s = it.state
	}
	next, ok := after(s, known, at.kind)
	if !ok {
		return
	}
	if !known {
		it = &item{key: key, state: next}
		x.items[key] = it
		x.lists[next].push(it)
	}
	it.refs = append(it.refs, at)
	if at.kind == kindSettled || at.kind == kindVoided {
		it.height = height
	}
	if it.state != next {
		x.lists[it.state].remove(it)
		it.state = next
		x.lists[next].push(it)
	}
}

func (x *index) forget(it *item) {
	x.lists[it.state].remove(it)
	delete(x.items, it.key)
}

// drop forgets the records in the segments before one. Afterwards the index is the
// same as after reading only the other segments: a settled entry is gone.
func (x *index) drop(before uint32) {
	for _, it := range x.items {
		if it.refs[0].segment >= before {
			continue
		}
		begin := slices.IndexFunc(it.refs, func(r ref) bool {
			return r.segment >= before && r.kind != kindSettled && r.kind != kindVoided
		})
		if begin < 0 {
			x.forget(it)
			continue
		}
		it.refs = slices.Clone(it.refs[begin:]) // so that the longer array can be freed
	}
}

// needed returns the entries that are not final or became final above a height, and
// the sum of their records' bytes. The entries are grouped by the segment of their
// first record.
func (x *index) needed(past uint64) (by map[uint32][]*item, bytes int64) {
	by = map[uint32][]*item{}
	for s := range x.lists {
		for it := x.lists[s].first; it != nil; it = it.next {
			if it.state.final() && it.height <= past {
				continue
			}
			by[it.refs[0].segment] = append(by[it.refs[0].segment], it)
			for _, r := range it.refs {
				bytes += int64(r.length)
			}
		}
	}
	return by, bytes
}

// fits reports whether a record may follow the records of an entry, and whether it
// adds anything. last returns the body of the entry's last record of a kind.
func fits(s State, known bool, k kind, body []byte, last func(kind) ([]byte, error)) (bool, error) {
	switch k {
	case kindSettled:
		return known && s != Paid, nil
	case kindVoided:
		return known && s != Void, nil
	case kindTaken:
		if done, err := last(kindDone); err != nil || done == nil {
			return false, orElse(err, "the entry has no result that could be accepted")
		}
	case kindAccepted:
	default: // a ticket or a result, which a settled entry needs no more
		return s != Paid, nil
	}
	if s != Pending && s != Paid {
		return true, nil
	}
	held, err := last(k)
	if err != nil {
		return false, err
	}
	if held == nil { // its miner has claimed it, without the answer
		return false, nil
	}
	if string(held) != string(body) {
		return false, ErrAccepted
	}
	return false, nil
}

func orElse(err error, text string) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%s", text)
}
