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
	State      MinerState       `json:"state"`
	Reason     Why              `json:"reason"`   // why the miner has no task; empty while it has one
	Sessions   int              `json:"sessions"` // with publishers
	Devices    []DeviceSnapshot `json:"devices"`
	Tasks      []TaskSnapshot   `json:"tasks"` // by deadline
	PassedOver []PassedOver     `json:"passed_over"`
	Earned     uint64           `json:"earned"`  // amount that the ledger has paid since the miner started
	Pending    int              `json:"pending"` // accepted units that are not claimed on the ledger
}

// MinerState is what a miner does.
type MinerState string

// The states of a miner.
const (
	MinerStarting MinerState = "starting"
	MinerWorking  MinerState = "working"
	MinerWaiting  MinerState = "idle"
	MinerPaused   MinerState = "paused"    // see [Miner.Pause]
	MinerEnding   MinerState = "finishing" // see [Miner.Finish]
	MinerStopped  MinerState = "stopped"   // no miner runs
)

// DeviceSnapshot is a device that a miner computes with.
type DeviceSnapshot struct {
	Name   string     `json:"name"`
	State  MinerState `json:"state"`  // working, or why not
	Reason Why        `json:"reason"` // why it computes nothing; empty while it does
	Unit   string     `json:"unit,omitempty"`
}

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
	ready, why, full, wish := m.ready, m.why, m.full, m.wish
	devices := slices.Clone(m.devices)
	m.mu.Unlock()
	s := MinerSnapshot{State: MinerStarting, Tasks: []TaskSnapshot{}, PassedOver: []PassedOver{}, Devices: []DeviceSnapshot{}}
	if !ready {
		return s
	}
	s.Tasks, s.Sessions = m.tasks.snapshot()
	s.PassedOver = append(s.PassedOver, m.PassedOver()...)
	s.Earned, s.Pending = m.claims.pay(), m.journal.Count(journal.Pending)
	s.State, s.Reason = m.state(s, why, full, wish)
	for _, d := range devices {
		if d.State = MinerWorking; d.Unit == "" {
			d.State, d.Reason = s.State, s.Reason
		}
		if d.Unit == "" && s.State == MinerWorking {
			d.State, d.Reason = MinerWaiting, unbegun
		}
		s.Devices = append(s.Devices, d)
	}
	return s
}

// unbegun is why a device of a miner that has tasks computes nothing.
var unbegun = newWhy(protocol.NoOpenUnits, "the miner's other units are on other devices, or wait for their publisher's answer")

// state is the state of a snapshot, and its reason.
func (m *Miner) state(s MinerSnapshot, why, full Why, w wish) (MinerState, Why) {
	switch {
	case w == wishPause:
		return MinerPaused, m.resting(w, len(s.Tasks))
	case w == wishFinish:
		return MinerEnding, m.resting(w, len(s.Tasks))
	case len(s.Tasks) > 0:
		return MinerWorking, Why{}
	case full != Why{}:
		why = full
	case s.Sessions == 0 && len(s.PassedOver) > 0: // the open offers are the reason
		why = s.PassedOver[0].Reason
	case why == Why{}:
		why = unanswered
	}
	return MinerWaiting, why
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
