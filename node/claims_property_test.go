package node_test

import (
	"errors"
	"os"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node/ledgertest"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/disk"
)

// faultyDisk is a disk on which a sync may fail.
type faultyDisk struct {
	mu    sync.Mutex // guards fault
	fault func() error
}

func (d *faultyDisk) Sync(f *os.File) error {
	d.mu.Lock()
	fault := d.fault
	d.mu.Unlock()
	if fault != nil {
		if err := fault(); err != nil {
			return err
		}
	}
	return disk.OS.Sync(f)
}

// set has the disk fail from now on where fault returns an error.
func (d *faultyDisk) set(fault func() error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = fault
}

var errKilled = errors.New("killed")

// killer fails calls as a fault of a process: at the call number at it is killed, and every
// call from there on fails until the next process.
type killer struct {
	mu    sync.Mutex // guards the rest
	calls int
	at    int
}

func (k *killer) call() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.calls++; k.calls >= k.at {
		return errKilled
	}
	return nil
}

// TestRunClaimsInterrupted: at whatever call of the ledger and whatever write of the journal
// the coordinator is killed, again and again, in the end every unit that it has accepted is
// claimed, and paid once.
func TestRunClaimsInterrupted(t *testing.T) {
	h := aRun(t)
	rapid.Check(t, func(r *rapid.T) {
		l := ledgertest.New(t)
		c := newClaiming(t, l, "coordinator")
		voted := false
		for lives := 0; ; lives++ {
			k := &killer{at: rapid.IntRange(1, 12).Draw(r, "calls until it is killed")}
			if lives == 30 {
				k.at = 1 << 30 // it lives
			}
			l.Break(func(string) error { return k.call() })
			c.disk.set(k.call)
			// A process is told of the rounds that are combined, and does steps until it is killed.
			c.commit(0, rapid.IntRange(0, len(h.rounds)).Draw(r, "rounds at first"))
			for range 4 {
				c.claims.Step(t.Context())
				l.Pass(rapid.IntRange(0, 3).Draw(r, "heights"))
			}
			c.end()
			var err error
			for range 10 {
				if err = c.claims.Step(t.Context()); err == nil && c.claims.Left() == "" {
					break
				}
				if run, known := l.State().Run(c.plan.Link, protocol.AccountOf(key(c.name))); known && run.Status == ledger.Proposed {
					l.Vote(c.plan.Link, run.Coordinator, true)
					voted = true
				}
			}
			c.disk.set(nil)
			l.Break(nil)
			if err == nil && c.claims.Left() == "" {
				break
			}
			if lives == 30 {
				r.Fatalf("%q are left, %v", c.claims.Left(), err)
			}
			c.journal.Close()
			c.open()
		}
		c.over()
		c.paid(len(h.rounds), true)
		c.journal.Close()
		if !voted {
			r.Fatal("the run was never proposed")
		}
	})
}
