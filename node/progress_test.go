package node_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
)

// simulated is a clock that moves only when it is told to.
type simulated struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func (c *simulated) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *simulated) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// slow is a device for which some simulated time passes before each stage.
type slow struct {
	kernel.Device
	pass func()
}

func (s *slow) Do(c *kernel.Call) { s.Stage(nil, nil, nil, []kernel.Call{*c}) }

func (s *slow) Group(calls []kernel.Call) { s.Stage(nil, nil, nil, calls) }

func (s *slow) Stage(calls []kernel.Call, sides []uint8, cuts [][]int32, free []kernel.Call) {
	s.pass()
	s.Device.Stage(calls, sides, cuts, free)
}

// notices collects what a role reports.
type notices struct {
	watch func(node.Notice)

	mu   sync.Mutex // guards the fields below
	all  []node.Notice
	next chan struct{} // unless nil, closed by the next notice
}

func (l *notices) report(n node.Notice) {
	l.mu.Lock()
	l.all = append(l.all, n)
	if l.next != nil {
		close(l.next)
		l.next = nil
	}
	l.mu.Unlock()
	l.watch(n)
}

// wait waits for n notices that match, or until ctx ends.
func (l *notices) wait(ctx context.Context, n int, match func(node.Notice) bool) {
	for {
		l.mu.Lock()
		if l.next == nil {
			l.next = make(chan struct{})
		}
		next := l.next
		l.mu.Unlock()
		if l.count(match) >= n {
			return
		}
		select {
		case <-next:
		case <-ctx.Done():
			return
		}
	}
}

// count counts the notices that match.
func (l *notices) count(match func(node.Notice) bool) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.all {
		if match(x) {
			n++
		}
	}
	return n
}

func expired(n node.Notice) bool {
	r, ok := n.(node.Refused)
	return ok && r.Code == protocol.LeaseExpired.String()
}

// lateUnit: a unit was done in twice the shortest lease.
func lateUnit(n node.Notice) bool {
	u, ok := n.(node.UnitDone)
	return ok && u.Task == "steps" && u.Seconds > 20
}

func isDone(n node.Notice) bool {
	_, ok := n.(node.UnitDone)
	return ok
}

func progressed(n node.Notice) bool {
	p, ok := n.(node.UnitProgress)
	return ok && p.Unit != "" && p.Task == "steps" && p.Done > 0 && p.Done < 1
}

// TestProgressExtendsLeases: a real miner over real hosts takes longer, in
// simulated time, than its bid let expect. With progress it keeps its units
// beyond the first length of their leases, and both sides report the progress.
// Without progress its lease expires.
func TestProgressExtendsLeases(t *testing.T) {
	for name, c := range map[string]struct {
		every time.Duration // between messages of progress
		until func(node.Notice) bool
	}{
		"progress": {2 * time.Second, lateUnit},
		"mute":     {1000 * time.Hour, expired},
	} {
		t.Run(name, func(t *testing.T) {
			clock := &simulated{now: time.Unix(1_800_000_000, 0)}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var publisher, miner notices
			publisher.watch = func(n node.Notice) {
				if c.until(n) || expired(n) {
					cancel()
				}
			}
			miner.watch = publisher.watch
			training, v := steps(t, clock, publisher.report)
			dev, err := kernel.Open("portable", 1)
			if err != nil {
				t.Fatal(err)
			}
			computed := 0 // units
			p := v.peer("miner")
			m := &node.Miner{Peer: p, Report: miner.report, Capability: protocol.Capability{Kernel: "slow", Threads: 1, MFLOPS: 1000},
				Workers: []*work.Worker{work.NewWorker(&slow{dev, func() {
					clock.add(100 * time.Millisecond)
					training.Tick()
					// Messages take no simulated time.
					publisher.wait(ctx, miner.count(progressed), progressed)
					publisher.wait(ctx, computed, isDone)
				}})}}
			m.Check = func(kernel.Device) error { computed++; return nil } // by the worker, as the function above
			m.SetClock(clock.time, c.every)
			var mining sync.WaitGroup
			mining.Go(func() {
				if err := node.Together(ctx, m.Run, func(ctx context.Context) error { return p.Listen(ctx, nil) }); err != nil {
					t.Error(err)
				}
			})
			if _, err := training.Train(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("the training ended before the test had seen enough: %v", err)
			}
			mining.Wait()
			said, heard, late := miner.count(progressed), publisher.count(progressed), miner.count(expired)
			t.Logf("progress sent %d times, heard %d times; %d leases expired", said, heard, late)
			switch name {
			case "progress":
				if said < 2 || heard < 2 || late > 0 {
					t.Error("leases expired, or progress was not heard")
				}
			case "mute":
				if said > 0 || heard > 0 || late == 0 {
					t.Error("the miner was not mute, or its lease did not expire")
				}
			}
		})
	}
}

// steps prepares a run whose units have several local steps, on a simulated
// clock.
func steps(t *testing.T, on *simulated, report node.Reporter) (*node.Training, *village) {
	t.Helper()
	v := newVillage(t)
	p := v.peer("coordinator")
	c, cfg := tiny(t)
	cfg.LocalSteps, cfg.Units, cfg.Epochs, cfg.Lead = 6, 2, 2, 0
	plan, err := run.New(t.Context(), run.Fresh(p.Store), c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	here := &work.Local{Worker: work.NewWorker(dev), Blocks: plan.Working(p.Store), Clock: clock, Account: p.Account()}
	training, err := node.NewTraining(t.Context(), p, plan, here, report)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { training.Close() })
	training.SetClock(on.time)
	return training, v
}
