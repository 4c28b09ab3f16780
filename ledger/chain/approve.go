package chain

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/alia-network/alia/ledger"
)

// Approve says how this validator votes on a proposed run: yes if it can compute the run's
// plan, and finds it as proposed. An error is no vote: the run is looked at again later.
type Approve func(context.Context, ledger.RunState) (yes bool, err error)

// approver looks at proposed runs beside consensus, which never waits for it.
type approver struct {
	approve Approve
	latest  func() *ledger.State
	log     *slog.Logger

	mu       sync.Mutex // guards verdicts
	verdicts map[ledger.RunName]verdict
}

// verdict is what this validator found of a proposal.
type verdict struct {
	plan ledger.Plan
	yes  bool
}

const (
	// approveEvery is the pause between two looks for proposals.
	approveEvery = 100 * time.Millisecond
	// approveFirst is the time for the first turn of a run. A run that takes longer has
	// further turns, each as long as all before together and at most approveWithin.
	approveFirst  = 5 * time.Second
	approveWithin = 30 * time.Minute
	// approveRetry is the pause between two turns of a run.
	approveRetry = 2 * time.Second
)

// turns is what a proposal that is not judged yet has had of this validator's time.
type turns struct {
	spent time.Duration
	last  time.Time // when the last turn ended
}

// run looks at proposals until ctx ends, one after the other. It is the turn of the one
// that has taken the least time: whoever sends a run slowly, or a plan that takes long,
// holds up the others for no longer than they need.
func (a *approver) run(ctx context.Context) {
	tick := time.NewTicker(approveEvery)
	defer tick.Stop()
	had := map[ledger.RunName]turns{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s := a.latest()
		if s == nil {
			continue
		}
		open := s.Proposals()
		a.forget(open)
		for name := range had { // order-free: each is judged alone
			if !slices.Contains(open, name) {
				delete(had, name)
			}
		}
		name, ok := a.next(open, had)
		if !ok {
			continue
		}
		if r, known := s.Run(name.Run, name.Coordinator); known {
			t, began := had[name], time.Now()
			a.look(ctx, name, r, min(max(approveFirst, t.spent), approveWithin))
			had[name] = turns{spent: t.spent + time.Since(began), last: time.Now()}
		}
	}
}

// next returns the proposal whose turn it is.
func (a *approver) next(open []ledger.RunName, had map[ledger.RunName]turns) (next ledger.RunName, ok bool) {
	for _, name := range open {
		t := had[name]
		if a.decided(name) || time.Since(t.last) < approveRetry {
			continue
		}
		if !ok || t.spent < had[next].spent {
			next, ok = name, true
		}
	}
	return next, ok
}

// look judges one proposal within some time.
func (a *approver) look(ctx context.Context, name ledger.RunName, r ledger.RunState, within time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	yes, err := a.approve(ctx, r)
	if err != nil {
		a.log.Info("a proposed run could not be judged yet", "run", name.Run, "coordinator", name.Coordinator, "err", err)
		return
	}
	a.log.Info("a proposed run was judged", "run", name.Run, "coordinator", name.Coordinator, "yes", yes)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.verdicts[name] = verdict{plan: r.Plan, yes: yes}
}

func (a *approver) decided(name ledger.RunName) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.verdicts[name]
	return ok
}

// verdict returns what was found of a proposal.
func (a *approver) verdict(name ledger.RunName) (verdict, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v, ok := a.verdicts[name]
	return v, ok
}

// forget drops the verdicts on runs that are not proposed any more.
func (a *approver) forget(open []ledger.RunName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.verdicts) == 0 {
		return
	}
	still := map[ledger.RunName]bool{}
	for _, name := range open {
		still[name] = true
	}
	for name := range a.verdicts { // order-free: each is judged alone
		if !still[name] {
			delete(a.verdicts, name)
		}
	}
}
