package node_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/unit"
)

// patient is a miner whose end a test waits for.
func (v *village) patient(name string) (m *node.Miner, ended <-chan error) {
	v.t.Helper()
	p := v.peer(name)
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		v.t.Fatal(err)
	}
	m = &node.Miner{
		Peer: p, Workers: []*work.Worker{work.NewWorker(dev)}, Policy: v.policy, Report: v.report(name),
		Capability: protocol.Capability{Kernel: dev.Name(), Threads: 1, MFLOPS: 1000},
	}
	out := make(chan error, 1)
	listen := func(ctx context.Context) error { return p.Listen(ctx, nil) }
	go func() { out <- node.Together(v.t.Context(), m.Run, listen) }()
	return m, out
}

// TestPause: a miner that is paused takes no unit and says why, while the run goes on with
// the other. It works again when it is resumed. A miner that is to finish ends by itself.
func TestPause(t *testing.T) {
	v := newVillage(t)
	p := v.peer("coordinator")
	paused, pausedEnd := v.patient("miner-1")
	other, otherEnd := v.patient("miner-2")
	me := paused.Peer.Account()
	if paused.Pause(); paused.Snapshot().State == node.MinerWorking {
		t.Error("a miner that has not begun works")
	}
	paused.Resume()

	var mu sync.Mutex // guards the counts
	units, restRound, atRest, atResume := 0, 0, -1, -1
	c, cfg := tiny(t)
	cfg.Epochs = 30
	rounds := 0
	out := v.train(p, c, cfg, func(n node.Notice) {
		mu.Lock()
		defer mu.Unlock()
		switch n := n.(type) {
		case node.UnitDone:
			if n.Miner == me {
				units++
			}
		case node.RoundDone:
			rounds = n.Rounds
			switch s := paused.Snapshot(); {
			case atRest < 0 && units > 0 && s.State != node.MinerPaused:
				paused.Pause()
			case atRest < 0 && s.State == node.MinerPaused && len(s.Tasks) == 0 && s.Sessions == 0:
				atRest, restRound = units, n.Round
				if s.Reason.Code != protocol.Paused.String() || s.Devices[0].State != node.MinerPaused || s.Devices[0].Reason != s.Reason {
					t.Errorf("the paused miner says %+v", s)
				}
			case atRest >= 0 && atResume < 0 && n.Round > restRound+2:
				atResume = units
				paused.Resume()
			}
		}
	}, func(own unit.Crew) unit.Crew { return own })
	t.Logf("%d of %d rounds; units when it rested %d, when it went on %d, in the end %d", out.Rounds, rounds, atRest, atResume, units)
	if atRest < 1 || atResume != atRest {
		t.Errorf("the miner did %d units before the pause, and %d until it was resumed", atRest, atResume)
	}
	if units <= atResume {
		t.Errorf("the miner did no unit after it was resumed")
	}
	for _, m := range []*node.Miner{paused, other} {
		m.Finish()
	}
	for _, end := range []<-chan error{pausedEnd, otherEnd} {
		select {
		case err := <-end:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(5 * time.Minute):
			t.Fatal("a miner that was to finish goes on")
		}
	}
	if s := paused.Snapshot(); s.State != node.MinerEnding || len(s.Tasks) > 0 {
		t.Errorf("the miner that has finished says %+v", s)
	}
}
