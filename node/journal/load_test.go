package journal_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"

	"github.com/alia-network/alia/node/journal"
)

// TestOpenIsSmall: opening a journal of 40 MB takes the memory of its index, and
// what was trimmed takes none.
func TestOpenIsSmall(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, journal.Options{})
	const n = 4000
	for i := 0; i < n; i += 200 {
		var lines []journal.Line
		for u := i; u < i+200; u++ {
			k := key(fmt.Sprint(u))
			l := issued(k, 1)
			r := l.Record.(journal.Issued)
			r.Ticket.Spec = make([]byte, 10_000)
			lines = append(lines, journal.Line{Key: k, Record: r}, accepted(k, 1), settled(k, 1))
		}
		add(t, j, lines...)
	}
	j.Close()
	heap := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := heap()
	j = open(t, dir, journal.Options{})
	if grown := heap() - before; grown > n*600 {
		t.Errorf("an open journal of %d entries takes %d bytes", n, grown)
	}
	if err := j.Trim(1); err != nil {
		t.Fatal(err)
	}
	if got, segments := counts(j), len(files(t, dir)); got[2] > 0 || segments > 1 {
		t.Errorf("trimmed, the journal holds %v and %d segments", got, segments)
	}
	runtime.KeepAlive(j)
}

// TestListCost: what List costs depends on the entries of its state alone.
func TestListCost(t *testing.T) {
	cost := func(others int) float64 {
		j := open(t, t.TempDir(), journal.Options{})
		var lines []journal.Line
		for i := range others {
			k := key(fmt.Sprint(i))
			lines = append(lines, accepted(k, 1), settled(k, 1))
		}
		add(t, j, append(lines, accepted(key("last"), 1))...)
		return testing.AllocsPerRun(20, func() {
			if got, err := j.List(journal.Pending, 256, nil); err != nil || len(got) != 1 {
				t.Error(len(got), err)
			}
		})
	}
	if few, many := cost(1), cost(5000); many > few+5 {
		t.Errorf("beside 1 settled entry List allocates %.0f times, beside 5,000 %.0f times", few, many)
	}
}

func TestConcurrentUse(t *testing.T) {
	j := open(t, t.TempDir(), journal.Options{Segment: 4000})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 50 {
				k := key(fmt.Sprint(w, i))
				changed := j.Changed()
				err := j.Append(issued(k, 1), accepted(k, 1))
				<-changed
				e, ok, gerr := j.Get(k)
				if err != nil || gerr != nil || !ok || e.State != journal.Pending {
					t.Error(err, gerr, ok, e.State)
				}
				if _, err := j.List(journal.Pending, 5, nil); err != nil {
					t.Error(err)
				}
				if err := errors.Join(j.Append(settled(k, uint64(i))), j.Trim(uint64(i)/2)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := counts(j); got[1] != 0 {
		t.Errorf("entries %v", got)
	}
	j.Close()
	if err := j.Append(issued(key("late"), 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Append after Close = %v", err)
	}
}
