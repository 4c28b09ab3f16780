package ledger

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// settlement returns the bytes of a Settle with the most entries, of an
// approved run.
func settlement(w *world) []byte {
	run := link("run")
	w.approve("coordinator", run, 1<<40)
	var s Settle
	for i := range MaxEntries {
		s.Entries = append(s.Entries, w.entry("miner", "coordinator", run, link(fmt.Sprint("u", i)), 1000))
	}
	return w.sign("relay", s)
}

// Checking 513 signatures.
func BenchmarkParseSettle256(b *testing.B) {
	w := newWorld(b, DefaultParams())
	data := settlement(w)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		w.parse(data)
	}
}

func BenchmarkApplySettle256(b *testing.B) {
	w := newWorld(b, DefaultParams())
	tx := w.parse(settlement(w))
	for b.Loop() {
		if _, r, _, err := w.state.Apply(w.state.height+1, []*Tx{tx}); err != nil || r[0].Code != OK {
			b.Fatal(err, r)
		}
	}
}

func BenchmarkApplyEmpty(b *testing.B) {
	w := newWorld(b, DefaultParams())
	for b.Loop() {
		if _, _, _, err := w.state.Apply(w.state.height+1, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// A thousand changed keys in a state of a hundred thousand.
func BenchmarkTreeUpdate(b *testing.B) {
	var changes []Change
	for i := range 100_000 {
		changes = append(changes, Change{binary.BigEndian.AppendUint64([]byte("u/"), uint64(i)), make([]byte, 128)})
	}
	tr := emptyTree.update(changes)
	for b.Loop() {
		tr.update(changes[:1000])
	}
}
