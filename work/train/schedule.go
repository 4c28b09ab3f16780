package train

import (
	"fmt"
	"sort"
	"sync"

	"github.com/alia-network/alia/work/corpus"
)

// BatchSchedule says which training pairs each unit of a run reads. For each epoch
// the corpus is cut into batches and shuffled anew. The batches of all epochs, one
// after the other, are dealt to the units of one round after the other. The
// schedule is a function of the configuration and of the pairs' lengths. It is safe for
// concurrent use.
type BatchSchedule struct {
	cfg     Config
	lengths []corpus.Length
	ends    []int // by epoch: the batches of it and of those before

	mu      sync.Mutex // guards the rest
	epoch   int        // whose batches are loaded; -1 for none
	batches [][]int
}

// NewBatchSchedule cuts the batches of every epoch.
func NewBatchSchedule(cfg Config, lengths []corpus.Length) (*BatchSchedule, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if len(lengths) == 0 {
		return nil, fmt.Errorf("schedule: no training pairs")
	}
	s := &BatchSchedule{cfg: cfg, lengths: lengths, epoch: -1}
	for e := range int(cfg.Epochs) {
		s.ends = append(s.ends, s.total()+len(s.load(e)))
	}
	if s.total() == 0 {
		return nil, fmt.Errorf("schedule: each of the %d training pairs is too long: a batch has at most %d tokens of a side, and a sentence at most %d", len(lengths), cfg.BatchTokens, corpus.MaxTokens)
	}
	return s, nil
}

// load cuts the batches of an epoch, unless they were cut last.
func (s *BatchSchedule) load(epoch int) [][]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch != epoch {
		s.batches = corpus.Batches(s.lengths, int(s.cfg.BatchTokens), s.cfg.Seed, epoch)
		s.epoch = epoch
	}
	return s.batches
}

// Rounds is the number of rounds of the run.
func (s *BatchSchedule) Rounds() int {
	left := s.total()
	lead := int(s.cfg.Lead)
	rounds := ceil(left, s.cfg.deal(0))
	if rounds > lead {
		rounds = lead + ceil(left-s.first(lead), s.cfg.deal(lead))
	}
	if r := int(s.cfg.Rounds); r > 0 && r < rounds {
		rounds = r
	}
	return rounds
}

// total is the batches of all epochs.
func (s *BatchSchedule) total() int {
	if len(s.ends) == 0 {
		return 0
	}
	return s.ends[len(s.ends)-1]
}

// Local reports whether the units of round r take several local steps, rather
// than give a gradient.
func (c Config) Local(r int) bool { return c.localSteps(r) > 1 }

// localSteps is the optimiser steps of a unit of round r. In the run's last round
// they may be fewer.
func (c Config) localSteps(r int) int {
	if r < int(c.Lead) {
		return 1
	}
	return int(c.LocalSteps)
}

// deal is the batches of a full round like r.
func (c Config) deal(r int) int { return int(c.Units) * int(c.Accumulate) * c.localSteps(r) }

// Batch is the number in the run of the first batch of unit k of round r, if that
// round is full. No batch has two units.
func (c Config) Batch(r, k int) int {
	return c.before(r)*int(c.Units)*int(c.Accumulate) + k*int(c.Accumulate)*c.localSteps(r)
}

// before is the optimiser steps before round r.
func (c Config) before(r int) int {
	lead := min(r, int(c.Lead))
	return lead + (r-lead)*c.localSteps(r)
}

// Position is the position of the first step of round r, in a run of steps steps.
func (c Config) Position(r, steps int) Position { return Position{Step: c.before(r), Steps: steps} }

// first is the first batch of round r.
func (s *BatchSchedule) first(r int) int { return s.cfg.Batch(r, 0) }

// end is the optimiser steps taken at the end of round r.
func (s *BatchSchedule) end(r int) int {
	return min(s.cfg.before(r+1), ceil(s.total(), int(s.cfg.Units)*int(s.cfg.Accumulate)))
}

// Steps is the optimiser steps of the whole run. The units of a round take theirs
// at the same time, so they count once.
func (s *BatchSchedule) Steps() int { return s.end(s.Rounds() - 1) }

// Round gives the batches of round r, counted from 0: for each unit, in index
// order, the batches of its steps in sequence, and for each batch the indices of
// its training pairs. The last round may have fewer steps, and fewer units.
func (s *BatchSchedule) Round(r int) [][][]int {
	at, end := s.first(r), min(s.first(r+1), s.total())
	each := (s.end(r) - s.cfg.before(r)) * int(s.cfg.Accumulate)
	var round [][][]int
	for ; at < end; at += each {
		var unit [][]int
		for b := at; b < min(at+each, end); b++ {
			epoch, i := s.locate(b)
			unit = append(unit, s.load(epoch)[i])
		}
		round = append(round, unit)
	}
	return round
}

// Epoch is the epoch, counted from 0, in which round r begins.
func (s *BatchSchedule) Epoch(r int) int {
	e, _ := s.locate(s.first(r))
	return e
}

// Validates reports whether the validation pairs are measured after round r.
func (s *BatchSchedule) Validates(r int) bool {
	if r+1 == s.Rounds() {
		return true
	}
	if every := int(s.cfg.Validation); every > 0 {
		return (r+1)%every == 0
	}
	return s.Epoch(r+1) != s.Epoch(r)
}

// locate finds batch b of the run: its epoch, and its number there.
func (s *BatchSchedule) locate(b int) (epoch, at int) {
	epoch = sort.SearchInts(s.ends, b+1)
	if epoch > 0 {
		b -= s.ends[epoch-1]
	}
	return epoch, b
}

// ceil is n/d, rounded up.
func ceil(n, d int) int { return (n + d - 1) / d }
