package node_test

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
)

// TestSoakFlat: a network that works under faults for a long time does not grow. The
// coordinator stops and starts again, miners come and go. It takes ten minutes, or what
// ALIA_SOAK_TIME says, such as 1h.
func TestSoakFlat(t *testing.T) {
	if os.Getenv("ALIA_SOAK") == "" {
		t.Skip("a long test: make soak runs it")
	}
	length := 10 * time.Minute
	if s := os.Getenv("ALIA_SOAK_TIME"); s != "" {
		var err error
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	v := newVillage(t)
	v.peer("bootstrap")
	own := t.TempDir()
	var rounds atomic.Int64
	ctx, stop := context.WithTimeout(t.Context(), length)
	defer stop()
	coordinator := make(chan struct{})
	go func() {
		defer close(coordinator)
		for ctx.Err() == nil {
			v.coordinateFor(ctx, 40*time.Second, home.Dir(own), &rounds)
		}
	}()
	var miners sync.WaitGroup
	for i := range 3 {
		miners.Go(func() {
			dir := home.Dir(t.TempDir())
			for ctx.Err() == nil {
				v.mineFor(ctx, time.Duration(10+rand.IntN(30))*time.Second, dir, fmt.Sprint("miner-", i))
				if i > 0 { // one comes back at once
					sleep(ctx, time.Duration(rand.IntN(10))*time.Second)
				}
			}
		})
	}
	var all []sample
	for sleep(ctx, 5*time.Second); ctx.Err() == nil; sleep(ctx, 5*time.Second) {
		s := take(t, own, rounds.Load())
		all = append(all, s)
		if len(all)%12 == 0 {
			t.Log(s)
		}
	}
	<-coordinator
	miners.Wait()
	// The first quarter is for the network to come up, and for windows to fill.
	early, late := middle(all[len(all)/4:len(all)/2]), middle(all[3*len(all)/4:])
	t.Logf("early: %v", early)
	t.Logf("late:  %v", late)
	if late.rounds <= early.rounds {
		t.Errorf("the run made no progress: %d rounds, then %d", early.rounds, late.rounds)
	}
	// What a round leaves for good is its log: one block, of about a hundred bytes a unit.
	// The ledger, which is in this process too, keeps half a kilobyte of each settled unit.
	logs := late.rounds - early.rounds
	for _, c := range []struct {
		what        string
		early, late int64
		slack       int64
	}{
		{"goroutines", early.goroutines, late.goroutines, 50},
		{"heap", early.heap, late.heap, logs*8*600 + 16<<20},
		{"open files", early.open, late.open, 20},
		{"files", early.files, late.files, logs*3/2 + 100},
		{"bytes on disk", early.bytes, late.bytes, logs*4096 + 1<<20},
	} {
		if c.late > c.early*5/4+c.slack {
			t.Errorf("%s grew from %d to %d, of which %d may be", c.what, c.early, c.late, c.slack)
		}
	}
}

// coordinateFor trains a long run for a time, as a process that is then stopped.
func (v *village) coordinateFor(ctx context.Context, d time.Duration, own home.Dir, rounds *atomic.Int64) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	p := v.join(ctx, own, "coordinator")
	if p == nil {
		return
	}
	defer p.Close()
	c, cfg := tiny(v.t)
	cfg.Epochs, cfg.Checkpoint = 20_000, 100_000 // the first checkpoints would look like growth
	plan, err := run.New(ctx, run.Fresh(p.Store), c, cfg)
	if err != nil {
		return
	}
	dev, err := kernel.Open("", 1)
	if err != nil {
		v.t.Error(err)
		return
	}
	here := &work.Local{Worker: work.NewWorker(dev), Blocks: plan.Working(p.Store), Clock: clock, Account: p.Account()}
	r, err := node.NewTraining(ctx, p, plan, here, func(n node.Notice) {
		if _, ok := n.(node.RoundDone); ok {
			rounds.Add(1)
		}
	})
	if err != nil {
		v.t.Error(err)
		return
	}
	defer r.Close()
	if _, err := r.Train(ctx); err != nil && ctx.Err() == nil {
		v.t.Error(err)
	}
}

// mineFor mines for a time, as a process that is then stopped.
func (v *village) mineFor(ctx context.Context, d time.Duration, own home.Dir, name string) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	p := v.join(ctx, own, name)
	if p == nil {
		return
	}
	defer p.Close()
	dev, err := kernel.Open("", 1)
	if err != nil {
		v.t.Error(err)
		return
	}
	m := &node.Miner{Peer: p, Workers: []*work.Worker{work.NewWorker(dev)}, Report: func(node.Notice) {}, Capability: protocol.Capability{Kernel: dev.Name(), Threads: 1, MFLOPS: 1000}}
	if err := node.Together(ctx, m.Run, func(ctx context.Context) error { return p.Listen(ctx, nil) }); err != nil && ctx.Err() == nil {
		v.t.Error(err)
	}
}

// join opens a peer that nothing holds once it is closed. It returns nil when it cannot.
func (v *village) join(ctx context.Context, own home.Dir, name string) *node.Peer {
	p, err := node.OpenPeer(ctx, node.PeerConfig{
		Home: own, Network: v.network, Key: key(name), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil && ctx.Err() == nil {
		v.t.Error(err)
	}
	if err != nil {
		return nil
	}
	return p
}

// sample is what the process and the coordinator's home hold at a time.
type sample struct{ rounds, goroutines, heap, open, files, bytes int64 }

func (s sample) String() string {
	return fmt.Sprintf("%d rounds, %d goroutines, %.1f MB of heap, %d open files; the home has %d files of %.1f MB",
		s.rounds, s.goroutines, float64(s.heap)/1e6, s.open, s.files, float64(s.bytes)/1e6)
}

func take(t *testing.T, home string, rounds int64) sample {
	t.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s := sample{rounds: rounds, goroutines: int64(runtime.NumGoroutine()), heap: int64(m.HeapAlloc)}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil { // elsewhere it stays 0
		s.open = int64(len(open))
	}
	err := filepath.WalkDir(home, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			if info, err := e.Info(); err == nil { // a file may go meanwhile
				s.files++
				s.bytes += info.Size()
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return s
}

// middle is the medians of samples.
func middle(all []sample) sample {
	of := func(f func(sample) int64) int64 {
		var v []int64
		for _, s := range all {
			v = append(v, f(s))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return sample{
		of(func(s sample) int64 { return s.rounds }), of(func(s sample) int64 { return s.goroutines }), of(func(s sample) int64 { return s.heap }),
		of(func(s sample) int64 { return s.open }), of(func(s sample) int64 { return s.files }), of(func(s sample) int64 { return s.bytes }),
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
