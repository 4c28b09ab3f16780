package train

import (
	"fmt"

	"github.com/alia-network/alia/work/corpus"
)

// Length is the number of tokens of a pair's two sides, end marks included.
type Length = corpus.Length

// Schedule is which training pairs each unit of a run reads: for each epoch
// a new cut and shuffle of the corpus, laid end to end and dealt K batches
// to a round. It is decided by the configuration and the pairs' lengths.
type Schedule struct {
	cfg      Config
	lengths  []Length
	perEpoch []int // batches of each epoch
	epoch    int   // the epoch held in batches
	batches  [][]int
}

// NewSchedule cuts the batches of every epoch.
func NewSchedule(cfg Config, lengths []Length) (*Schedule, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if len(lengths) == 0 {
		return nil, fmt.Errorf("schedule: no training pairs")
	}
	s := &Schedule{cfg: cfg, lengths: lengths, epoch: -1}
	for e := range int(cfg.Epochs) {
		s.load(e)
		s.perEpoch = append(s.perEpoch, len(s.batches))
	}
	return s, nil
}

func (s *Schedule) load(epoch int) {
	if s.epoch != epoch {
		s.batches = corpus.Batches(s.lengths, int(s.cfg.BatchTokens), s.cfg.Seed, epoch)
		s.epoch = epoch
	}
}

// Rounds is the number of rounds of the run.
func (s *Schedule) Rounds() int {
	total := 0
	for _, n := range s.perEpoch {
		total += n
	}
	k := int(s.cfg.Workers)
	rounds := (total + k - 1) / k
	if r := int(s.cfg.Rounds); r > 0 && r < rounds {
		rounds = r
	}
	return rounds
}

// Round gives the batches of round r, counted from 0, in index order: for
// each the indices of its training pairs. The last round may have fewer
// than K.
func (s *Schedule) Round(r int) [][]int {
	k := int(s.cfg.Workers)
	var round [][]int
	for b := r * k; b < (r+1)*k; b++ {
		epoch, at := s.locate(b)
		if epoch == len(s.perEpoch) {
			break
		}
		s.load(epoch)
		round = append(round, s.batches[at])
	}
	return round
}

// Epoch is the epoch, counted from 0, in which round r begins.
func (s *Schedule) Epoch(r int) int {
	e, _ := s.locate(r * int(s.cfg.Workers))
	return e
}

// locate finds batch b of the run: its epoch, and its place there.
func (s *Schedule) locate(b int) (epoch, at int) {
	for e, n := range s.perEpoch {
		if b < n {
			return e, b
		}
		b -= n
	}
	return len(s.perEpoch), 0
}
