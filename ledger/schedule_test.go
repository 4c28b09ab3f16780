package ledger

import (
	"math/big"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol"
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
	s := Schedule{Training: genesis, Translation: genesis, Budget: p.Budget, Cap: 2 * p.Budget, Gas: p.Gas}
	for _, c := range []struct{ minted, want uint64 }{
		{p.Budget, genesis},                  // on budget
		{0, genesis + genesis/64},            // nothing minted
		{2 * p.Budget, genesis - genesis/64}, // twice the budget
		{p.Budget / 2, genesis + genesis/128},
	} {
		if got := s.next(p, c.minted, 0); got.Training != c.want || got.Translation != c.want {
			t.Errorf("minted %d: rates %d and %d, want %d", c.minted, got.Training, got.Translation, c.want)
		}
	}
	high, low := s, s
	for range 2000 {
		high, low = high.next(p, 0, 0), low.next(p, 2*p.Budget, 0)
	}
	if high.Training != 4*genesis || low.Training != genesis/100 {
		t.Errorf("rates end at %d and %d of %d", high.Training, low.Training, genesis)
	}
	if high.Height != 2000 || high.Cap != s.Cap || high.Budget != s.Budget {
		t.Errorf("schedule %+v after 2000", high)
	}
}

// The least rate still moves: the fixed point is fine enough.
func TestControllerLeavesTheFloor(t *testing.T) {
	p := DefaultParams()
	p.Training, p.Translation, p.Step = 1, 1, 512
	s := Schedule{Training: micro / 100, Translation: micro / 100, Budget: p.Budget}
	if got := s.next(p, 0, 0); got.Training <= s.Training {
		t.Errorf("rate %d stays on the floor", got.Training)
	}
}

// A height pays what the height before has published, and never anything else. The state
// keeps the schedules of a day.
func TestScheduleIsPublishedBefore(t *testing.T) {
	w := newWorld(t, LocalParams())
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
	old, _ := w.state.Schedule(1)
	w.state = &State{net: w.state.net, genesis: w.state.genesis, height: keepSchedules, tree: w.with(
		Change{ScheduleKey(keepSchedules + 1), encode(old)}, Change{ScheduleKey(keepSchedules), encode(old)}).tree}
	w.apply()
	_, oldest := w.state.Schedule(1)
	if _, kept := w.state.Schedule(keepSchedules); oldest || !kept {
		t.Errorf("after a day: the oldest is kept %v, the last %v", oldest, kept)
	}
}

func TestParams(t *testing.T) {
	for name, change := range map[string]func(*Genesis){
		"no training":       func(g *Genesis) { g.Params.Training = 0 },
		"much training":     func(g *Genesis) { g.Params.Training = 1<<40 + 1 },
		"no translation":    func(g *Genesis) { g.Params.Translation = 0 },
		"much translation":  func(g *Genesis) { g.Params.Translation = 1<<40 + 1 },
		"no budget":         func(g *Genesis) { g.Params.Budget = 0 },
		"no share of a run": func(g *Genesis) { g.Params.Budget = capShare - 1 },
		"much budget":       func(g *Genesis) { g.Params.Budget = 1<<40 + 1 },
		"no step":           func(g *Genesis) { g.Params.Step = 0 },
		"small step":        func(g *Genesis) { g.Params.Step = 1<<20 + 1 },
		"free gas":          func(g *Genesis) { g.Params.Gas = 0 },
		"dear gas":          func(g *Genesis) { g.Params.Gas = 1<<40 + 1 },
		"no finality":       func(g *Genesis) { g.Params.Finality = 0 },
		"late finality":     func(g *Genesis) { g.Params.Finality = 1<<20 + 1 },
		"much bond":         func(g *Genesis) { g.Params.Bond = maxSupply + 1 },
		"much stake":        func(g *Genesis) { g.Params.Stake = maxSupply + 1 },
		"no unlock":         func(g *Genesis) { g.Params.Unlock = 0 },
		"late unlock":       func(g *Genesis) { g.Params.Unlock = 1<<32 + 1 },
		"version":           func(g *Genesis) { g.Version = 2 },
		"no name":           func(g *Genesis) { g.Network = "" },
		"long name":         func(g *Genesis) { g.Network = strings.Repeat("x", MaxName+1) },
		"no validators":     func(g *Genesis) { g.Validators = nil },
		"a validator twice": func(g *Genesis) { g.Validators = append(g.Validators, g.Validators[0]) },
		"too many":          func(g *Genesis) { g.Validators = make([]protocol.Account, MaxValidators+1) },
	} {
		g := Genesis{Version: 1, Network: "test", Params: LocalParams(), Validators: []protocol.Account{acct("v")}}
		if err := g.Check(); err != nil {
			t.Fatal(err)
		}
		change(&g)
		if _, err := New(testNet, g); err == nil {
			t.Errorf("%s: the genesis is taken", name)
		}
	}
	if _, err := ParseGenesis([]byte(`{"version":1,"what":1}`)); err == nil {
		t.Error("an unknown field is taken")
	}
}
