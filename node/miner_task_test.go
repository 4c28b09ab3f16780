package node

import (
	"fmt"
	"slices"
	"testing"

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
