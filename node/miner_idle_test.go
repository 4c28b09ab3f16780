package node

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/market"
)

// TestIdleIsReportedOnChange: a miner that gets all units of many short rounds tells once
// that between two rounds there is none. Another reason is told each time.
func TestIdleIsReportedOnChange(t *testing.T) {
	var told []string
	m := &Miner{Report: func(n Notice) { told = append(told, n.(MinerIdle).Code) }, idle: map[market.OfferKey]string{}}
	k := market.OfferKey{Publisher: protocol.Account{1}}
	for range 3 {
		for range 5 {
			m.busy(k)
			m.idles(k, newWhy(protocol.NoOpenUnits, ""))
		}
		m.busy(k)
		m.idles(k, newWhy(protocol.PeerGone, ""))
	}
	once := []string{protocol.NoOpenUnits.String(), protocol.PeerGone.String()}
	if want := slices.Repeat(once, 3); !slices.Equal(told, want) {
		t.Errorf("the miner tells %v, want %v", told, want)
	}
	if m.busy(k); (m.why != Why{}) {
		t.Errorf("a miner that has a unit gives the reason %v", m.why)
	}
}

// TestDiskFull: a miner that gives a unit up for want of space says so as the reason why it
// has no unit, whatever publishers say, until it has computed another.
func TestDiskFull(t *testing.T) {
	var told []string
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal"), protocol.Net{1}, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	m := &Miner{
		Report: func(n Notice) {
			if r, ok := n.(Refused); ok {
				told = append(told, r.Code)
			}
		},
		idle: map[market.OfferKey]string{}, tasks: newTasks(1), journal: j, claims: &claims{}, ready: true,
	}
	ticket := protocol.Ticket{Unit: protocol.ID([]byte("unit"))}
	one := newTask(ticket, []byte("one"), time.Now())
	m.tasks.take(one)
	m.giveUp(one, fmt.Errorf("put block: %w", &fs.PathError{Op: "write", Path: "blocks", Err: syscall.ENOSPC}))
	m.idles(one.offer(), newWhy(protocol.BackedOff, ""))
	full := protocol.DiskFull.String()
	if s := m.Snapshot(); s.State != MinerWaiting || s.Reason.Code != full || !slices.Equal(told, []string{full}) {
		t.Errorf("with a full disk the miner is %v for %v, and tells %v", s.State, s.Reason, told)
	}
	m.computed()
	if s := m.Snapshot(); s.Reason.Code != protocol.BackedOff.String() {
		t.Errorf("when there is space again, the miner has no unit for %v", s.Reason)
	}
}
