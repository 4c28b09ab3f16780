package swarm

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is one step of a fault script, which kills a process or starts it.
type Fault struct {
	Round  int           // due when this number of rounds is done; 0 when After counts
	After  time.Duration // due this long after the swarm began
	Kill   bool          // kill the process with SIGKILL; otherwise start it
	Target string        // ledger, ledger-N, coordinator or miner-N
}

// String writes the fault as a step of a script.
func (f Fault) String() string {
	action := "start"
	if f.Kill {
		action = "kill"
	}
	if f.Round > 0 {
		return fmt.Sprintf("round %d: %s %s", f.Round, action, f.Target)
	}
	return fmt.Sprintf("%v: %s %s", f.After, action, f.Target)
}

const (
	maxFaults = 1000
	maxMiners = 64
	maxRound  = 1 << 30
)

// ParseFaults reads a fault script. Steps are separated by ";" or by line ends. A
// step is a round or a time since the swarm began, and an action:
//
//	round 10: kill miner-2; round 20: start miner-4
//	30s: kill ledger; 60s: start ledger
//
// A miner that the swarm does not begin with joins when a step starts it. A line that
// begins with # is a comment.
func ParseFaults(script string) ([]Fault, error) {
	var faults []Fault
	for line := range strings.Lines(script) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for step := range strings.SplitSeq(line, ";") {
			step = strings.TrimSpace(step)
			if step == "" {
				continue
			}
			f, err := parseFault(step)
			if err != nil {
				return nil, fmt.Errorf("fault script, step %d, %q: %w", len(faults)+1, step, err)
			}
			if faults = append(faults, f); len(faults) > maxFaults {
				return nil, fmt.Errorf("fault script: more than %d steps", maxFaults)
			}
		}
	}
	return faults, nil
}

// CheckFaults refuses a script that kills a process which never runs: the swarm has fewer
// validators, or it begins with fewer miners, and no step starts this one.
func CheckFaults(faults []Fault, validators, miners int) error {
	for i, f := range faults {
		if n, err := validatorNumber(f.Target); err == nil && n > validators {
			return fmt.Errorf("fault script, step %d, %q: the swarm has %d validators, and the last is %s", i+1, f, validators, ValidatorName(validators))
		}
		n, err := minerNumber(f.Target)
		if err != nil || n <= miners || !f.Kill {
			continue
		}
		started := slices.ContainsFunc(faults, func(g Fault) bool { return g.Target == f.Target && !g.Kill })
		if !started {
			return fmt.Errorf("fault script, step %d, %q: the swarm begins with %d miners, and no step starts %s", i+1, f, miners, f.Target)
		}
	}
	return nil
}

func parseFault(step string) (Fault, error) {
	when, what, ok := strings.Cut(step, ":")
	if !ok {
		return Fault{}, errors.New(`want "WHEN: kill|start NAME", such as "round 10: kill miner-2"`)
	}
	f, err := parseWhen(strings.Fields(when))
	if err != nil {
		return Fault{}, err
	}
	words := strings.Fields(what)
	if len(words) != 2 || (words[0] != "kill" && words[0] != "start") {
		return Fault{}, fmt.Errorf(`%q is no action: want "kill NAME" or "start NAME"`, strings.TrimSpace(what))
	}
	f.Kill, f.Target = words[0] == "kill", words[1]
	if _, err := validatorNumber(f.Target); err == nil || f.Target == CoordinatorName {
		return f, nil
	}
	if _, err := minerNumber(f.Target); err != nil {
		return Fault{}, err
	}
	return f, nil
}

func parseWhen(words []string) (Fault, error) {
	switch {
	case len(words) == 2 && words[0] == "round":
		n, err := strconv.Atoi(words[1])
		if err != nil || n < 1 || n > maxRound {
			return Fault{}, fmt.Errorf("round %q: want a number from 1", words[1])
		}
		return Fault{Round: n}, nil
	case len(words) == 1:
		d, err := time.ParseDuration(words[0])
		if err != nil || d <= 0 {
			return Fault{}, fmt.Errorf(`time %q: want a time such as "30s" or "1m30s"`, words[0])
		}
		return Fault{After: d}, nil
	}
	return Fault{}, fmt.Errorf(`%q is no time: want "round N", or a time such as "30s"`, strings.Join(words, " "))
}

// validatorNumber reads the number of a validator, 1 for the name ledger and N for ledger-N.
func validatorNumber(name string) (int, error) {
	if name == LedgerName {
		return 1, nil
	}
	digits, ok := strings.CutPrefix(name, LedgerName+"-")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 2 || ValidatorName(n) != name {
		return 0, fmt.Errorf("%q is no ledger node", name)
	}
	return n, nil
}

// minerNumber reads N of a name miner-N.
func minerNumber(name string) (int, error) {
	digits, ok := strings.CutPrefix(name, "miner-")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || n > maxMiners || MinerName(n) != name {
		return 0, fmt.Errorf("%q is no process: want %s, %s-2, %s-3 and so on, %s or miner-1 to miner-%d", name, LedgerName, LedgerName, LedgerName, CoordinatorName, maxMiners)
	}
	return n, nil
}

// MinerName is the name of the nth miner, from 1.
func MinerName(n int) string { return fmt.Sprintf("miner-%d", n) }

// script is the steps that have not happened yet.
type script struct{ faults []Fault }

// late removes the steps of rounds above the last one, which never happen.
func (s *script) late(last int) []Fault {
	var never []Fault
	s.faults = slices.DeleteFunc(s.faults, func(f Fault) bool {
		if f.Round > last {
			never = append(never, f)
		}
		return f.Round > last
	})
	return never
}

// due removes the steps whose time has come, in the sequence of the script. While
// the coordinator is down no round ends, so its next start is due at once.
func (s *script) due(round int, elapsed time.Duration, coordinatorDown bool) []Fault {
	var now []Fault
	s.faults = slices.DeleteFunc(s.faults, func(f Fault) bool {
		due := f.Round > 0 && round >= f.Round || f.Round == 0 && elapsed >= f.After
		if coordinatorDown && f.Round > 0 && !f.Kill && f.Target == CoordinatorName {
			due, coordinatorDown = true, false
		}
		if due {
			now = append(now, f)
		}
		return due
	})
	return now
}
