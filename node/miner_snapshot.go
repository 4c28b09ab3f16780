package node

import (
	"cmp"
	"slices"
	"time"

	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
)

// MinerSnapshot is the state of a miner at one moment: the answer of `alia miner status`
// where the miner runs.
type MinerSnapshot struct {
	State      MinerState     `json:"state"`
	Reason     Why            `json:"reason"`   // why the miner has no task; empty while it has one
	Sessions   int            `json:"sessions"` // with publishers
	Tasks      []TaskSnapshot `json:"tasks"`    // by deadline
	PassedOver []PassedOver   `json:"passed_over"`
	Earned     uint64         `json:"earned"`  // amount that the ledger has paid since the miner started
	Pending    int            `json:"pending"` // accepted units that the ledger has not settled
}

// MinerState is what a miner does.
type MinerState string

// The states of a miner.
const (
	MinerStarting MinerState = "starting"
	MinerWorking  MinerState = "working"
	MinerWaiting  MinerState = "idle"
	MinerStopped  MinerState = "stopped" // no miner runs
)

// TaskSnapshot is a unit that is leased to a miner, or whose result waits for the
// publisher's answer.
type TaskSnapshot struct {
	Unit     string  `json:"unit"`
	Task     string  `json:"kind"`     // the unit's kind
	Done     float64 `json:"done"`     // computed part, 0 to 1
	Deadline uint64  `json:"deadline"` // the end of the lease, in milliseconds since the Unix epoch
}

// unanswered is why a miner has no task while no publisher has given a reason.
var unanswered = Why{Code: protocol.TimedOut.String(), Text: "no publisher has leased a unit yet"}

// Snapshot returns the miner's state. It may be called at any time, also before Run.
func (m *Miner) Snapshot() MinerSnapshot {
	m.mu.Lock()
	ready, why, full := m.ready, m.why, m.full
	m.mu.Unlock()
	s := MinerSnapshot{State: MinerStarting, Tasks: []TaskSnapshot{}, PassedOver: []PassedOver{}}
	if !ready {
		return s
	}
	s.Tasks, s.Sessions = m.tasks.snapshot()
	s.PassedOver = append(s.PassedOver, m.PassedOver()...)
	s.Earned, s.Pending = m.claims.pay().Amount, m.journal.Count(journal.Pending)
	if s.State = MinerWorking; len(s.Tasks) > 0 {
		return s
	}
	s.State, s.Reason = MinerWaiting, why
	switch {
	case full != Why{}:
		s.Reason = full
	case s.Sessions == 0 && len(s.PassedOver) > 0: // the open offers are the reason
		s.Reason = s.PassedOver[0].Reason
	case why == Why{}:
		s.Reason = unanswered
	}
	return s
}

// snapshot lists the tasks, and counts the sessions.
func (ts *tasks) snapshot() ([]TaskSnapshot, int) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	all := []TaskSnapshot{}
	for _, t := range ts.all {
		lease := time.Duration(t.ticket.LeaseSeconds) * time.Second
		all = append(all, TaskSnapshot{
			Unit: t.key.unit.String(), Task: t.unit.Kind.String(), Done: t.done, Deadline: uint64(t.taken.Add(lease).UnixMilli()),
		})
	}
	slices.SortFunc(all, func(x, y TaskSnapshot) int {
		return cmp.Or(cmp.Compare(x.Deadline, y.Deadline), cmp.Compare(x.Unit, y.Unit))
	})
	return all, len(ts.sessions)
}
