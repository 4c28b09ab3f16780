package client_test

import (
	"context"
	"sync"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
)

// miner is a miner of a test.
type miner struct {
	account protocol.Account
	kill    func() // without a word to anybody
	dead    chan struct{}

	mu       sync.Mutex
	computed map[string]int // by unit: how often a result that was accepted was computed
}

// mine starts a miner.
func (w *world) mine(name string) *miner {
	w.Helper()
	p, err := w.Peer(w.ctx, name)
	w.check(err)
	dev, err := kernel.Open("portable", 1)
	w.check(err)
	m := &miner{account: p.Account(), dead: make(chan struct{}), computed: map[string]int{}}
	report := func(n node.Notice) {
		if u, ok := n.(node.UnitDone); ok && u.Seconds > 0 {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.computed[u.Unit]++
		}
	}
	worker := &node.Miner{
		Peer: p, Workers: []*work.Worker{work.NewWorker(dev)}, Report: report,
		Capability: protocol.Capability{Kernel: dev.Name(), Threads: 1, MFLOPS: 1000},
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- node.Together(ctx, worker.Run, func(ctx context.Context) error { return p.Listen(ctx, [][2]string{{"en", "de"}}) })
	}()
	m.kill = sync.OnceFunc(func() {
		p.Mesh.Close() // the connections first, as when the machine loses its power
		stop()
		<-ended
		close(m.dead)
	})
	w.Cleanup(m.kill)
	return m
}

// pause waits a moment between two looks at the ledger.
func (w *world) pause() {
	w.Helper()
	select {
	case <-w.ctx.Done():
		w.Fatal(w.ctx.Err())
	case <-time.After(testnetHeight):
	}
}

// testnetHeight is about the time between heights.
const testnetHeight = 100 * time.Millisecond
