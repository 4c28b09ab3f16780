package ledger

import (
	"fmt"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestMulDiv(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Uint64().Draw(t, "a"), rapid.Uint64().Draw(t, "b")
		c := rapid.Uint64Min(1).Draw(t, "c")
		want := new(big.Int).SetUint64(a)
		want.Mul(want, new(big.Int).SetUint64(b)).Div(want, new(big.Int).SetUint64(c))
		if !want.IsUint64() {
			want.SetUint64(1<<64 - 1)
		}
		if got := mulDiv(a, b, c); got != want.Uint64() {
			t.Errorf("%d*%d/%d = %d, want %d", a, b, c, got, want)
		}
	})
}

// The rates move towards the budget by at most a step, and stay in bounds.
func TestController(t *testing.T) {
	p := DefaultParams()
	p.Step = 64
	genesis := p.Training * micro
	s := Schedule{Training: genesis, Translation: genesis, Budget: p.Budget, Cap: 2 * p.Budget}
	if got := s.next(p, p.Budget); got.Training != genesis {
		t.Errorf("on budget: rate %d, want %d", got.Training, genesis)
	}
	if got := s.next(p, 0); got.Training != genesis+genesis/64 {
		t.Errorf("nothing minted: rate %d, want %d", got.Training, genesis+genesis/64)
	}
	if got := s.next(p, 2*p.Budget); got.Training != genesis-genesis/64 {
		t.Errorf("twice the budget: rate %d, want %d", got.Training, genesis-genesis/64)
	}
	if got := s.next(p, p.Budget/2); got.Training != genesis+genesis/128 {
		t.Errorf("half the budget: rate %d, want %d", got.Training, genesis+genesis/128)
	}
	high, low := s, s
	for range 2000 {
		high, low = high.next(p, 0), low.next(p, 2*p.Budget)
	}
	if high.Training != 4*genesis || low.Training != genesis/100 {
		t.Errorf("rates end at %d and %d of %d", high.Training, low.Training, genesis)
	}
	if high.Height != 2000 {
		t.Errorf("height %d after 2000", high.Height)
	}
}

// The least rate still moves: the fixed point is fine enough.
func TestControllerLeavesTheFloor(t *testing.T) {
	p := DefaultParams()
	p.Training, p.Translation, p.Step = 1, 1, 512
	s := Schedule{Training: micro / 100, Translation: micro / 100, Budget: p.Budget}
	if got := s.next(p, 0); got.Training <= s.Training {
		t.Errorf("rate %d stays on the floor", got.Training)
	}
}

// When the claims of a height exceed the cap, each is reduced in the same proportion.
func TestCapIsProRata(t *testing.T) {
	p := DefaultParams()
	p.Budget = 1000
	w := newWorld(t, p)
	run := link("run")
	w.approve("coordinator", run, 1<<40)
	schedule, _ := w.state.Schedule(w.state.height + 1)
	var txs []*Tx
	for i := range 4 { // claims of about 300, 600, 900 and 1200 units
		e := w.entry(fmt.Sprint("miner", i), "coordinator", run, link(fmt.Sprint(i)), uint64(3*(i+1)))
		txs = append(txs, w.parse(w.sign("relay", Settle{Entries: []SettleEntry{e}})))
	}
	results := w.apply(txs...)
	var total, paid uint64
	for i := range results {
		total += price(uint64(3*(i+1)), schedule.Training)
	}
	for i, r := range results {
		want := mulDiv(price(uint64(3*(i+1)), schedule.Training), schedule.Cap, total)
		if r.Entries[0].Paid != want {
			t.Errorf("claim %d paid %d, want %d", i, r.Entries[0].Paid, want)
		}
		if s, _ := w.state.Settlement(link(fmt.Sprint(i))); s.Paid != want || s.Minted != want {
			t.Errorf("settlement %d says %d", i, s.Paid)
		}
		paid += want
	}
	if paid > schedule.Cap || paid < schedule.Cap-4 {
		t.Errorf("minted %d, the cap is %d", paid, schedule.Cap)
	}
	// Minted twice the budget: the next rate falls.
	if next, _ := w.state.Schedule(w.state.height + 1); next.Training >= schedule.Training {
		t.Errorf("rate %d after %d", next.Training, schedule.Training)
	}
}

// A height pays what the height before has published, and never anything else.
func TestScheduleIsPublishedBefore(t *testing.T) {
	w := newWorld(t, DefaultParams())
	for range 5 {
		published, ok := w.state.Schedule(w.state.height + 1)
		if !ok || published.Height != w.state.height+1 {
			t.Fatalf("height %d: schedule %+v, %v", w.state.height, published, ok)
		}
		w.apply()
		if kept, ok := w.state.Schedule(w.state.height); !ok || kept != published {
			t.Fatalf("schedule of height %d changed from %+v to %+v", w.state.height, published, kept)
		}
	}
}
