package swarm

import (
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
)

// Snapshot is a swarm at one moment.
type Snapshot struct {
	Network node.Network
	Phase   string // what the swarm does
	Members []Process
	Notes   []string // the newest first
}

// Process is a member of a swarm, in a [Snapshot].
type Process struct {
	Name    string
	Home    home.Dir
	Account string
	Down    string // why its process does not run; "" while it runs, or starts
}

// snapshot is the swarm now. The customer is left out: it has a process only while it
// translates.
func (s *swarm) snapshot() Snapshot {
	out := Snapshot{Network: s.network, Phase: s.view.phase}
	for _, name := range s.order {
		m := s.members[name]
		p := Process{Name: name, Home: m.home, Account: m.account.String(), Down: s.view.down[name]}
		if v := s.view.miner(m.account); v != nil && v.state >= down {
			p.Down = v.reason
		}
		out.Members = append(out.Members, p)
	}
	for i := len(s.view.notes) - 1; i >= 0; i-- {
		n := s.view.notes[i]
		out.Notes = append(out.Notes, clock(n.at)+" "+shortCIDs(n.text))
	}
	return out
}
