package node

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// TestTurns: publishers take turns, however many tickets one of them has sent, and no
// publisher has more tickets in the queue than its share.
func TestTurns(t *testing.T) {
	const share = 6
	ts := newTasks(share)
	give := func(publisher byte, n int) *task {
		unit := block.Link{Cid: block.Sum(block.CBOR, fmt.Append(nil, publisher, n))}
		return &task{key: taskKey{unit, protocol.Account{publisher}}}
	}
	for n := range 100 {
		if _, room := ts.take(give(1, n)); room != (n < share) {
			t.Errorf("ticket %d of publisher 1: room %v", n, room)
		}
	}
	for n := range 2 {
		ts.take(give(2, n))
		ts.take(give(3, n))
	}
	gone := give(3, 2)
	ts.take(gone)
	ts.remove(gone)
	var got []byte
	for x := ts.pop(); x != nil; x = ts.pop() {
		got = append(got, x.key.publisher[0])
	}
	if want := []byte{1, 2, 3, 1, 2, 3, 1, 1, 1, 1}; !slices.Equal(got, want) {
		t.Errorf("the turns are %v, want %v", got, want)
	}
	if len(ts.queue) != 0 || len(ts.turns) != 0 {
		t.Errorf("after the last turn the queue holds %v, %v", ts.queue, ts.turns)
	}
}

// TestPromised: a customer leases a unit again, from another escrow, while the result waits for
// its answer. The journal gets the new ticket once, for only that escrow pays now.
func TestPromised(t *testing.T) {
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal"), protocol.Net{}, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	m := &Miner{journal: j, tasks: newTasks(4)}
	lease := func(escrow uint64) (known *task) {
		t.Helper()
		ticket := protocol.Ticket{Unit: block.Link{Cid: block.Sum(block.CBOR, []byte("unit"))}, Escrow: escrow}
		x := newTask(ticket, fmt.Append(nil, escrow), time.Time{})
		if known, _ = m.tasks.take(x); known == nil {
			return x
		}
		if err := m.promised(known); err != nil {
			t.Fatal(err)
		}
		return known
	}
	first := lease(1)
	first.slot = journal.Key{Unit: first.key.unit}
	lease(1) // before there is a result
	if _, known, err := j.Get(first.slot); known || err != nil {
		t.Errorf("the journal has an entry of a unit that is not computed: %v", err)
	}
	first.state = taskComputed
	done := journal.Done{Result: []byte("result")}
	done.Attestation.Unit, done.Attestation.Result = first.key.unit, protocol.ID(done.Result)
	if err := j.Append(journal.Line{Key: first.slot, Record: journal.Task{Ticket: first.ticket}}, journal.Line{Key: first.slot, Record: done}); err != nil {
		t.Fatal(err)
	}
	for escrow := range uint64(2 * maxAttempts) {
		lease(escrow/2 + 1)
	}
	lease(99)
	e, _, err := j.Get(first.slot)
	if err != nil {
		t.Fatal(err)
	}
	var got []uint64
	for _, ticket := range e.Tickets {
		got = append(got, ticket.Escrow)
	}
	if want := []uint64{1, 2, 3, 4, 5, 6, 7, 8}; !slices.Equal(got, want) {
		t.Errorf("the journal has tickets of escrows %v, want %v", got, want)
	}
}
