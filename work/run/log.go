package run

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// Round is the log of one round (PROTOCOL.md, section 8.4): what was planned,
// who did it, and the state it left. Its CID, with the chain of Previous, is
// the history of the run.
type Round struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Run     block.Link
	Number  uint32 // from 0
	Lines   []Line // gradients or local steps, in index order
	Combine Line
	// Valid, Translated and Scores are set only if the plan validates after the
	// round. They measure the parameters that the round left: their loss on the
	// validation pairs, and the greedy translations of the validation sources.
	Valid, Translated []Line
	Scores            Scores
	// After is the state that the next round begins with.
	After       State
	Validations Validations
	// Result is, in the last round only, the parameters of the run's model. Final
	// is the unit that averaged them, where there were several to average.
	Result   block.Link
	Final    []Line
	Previous block.Link
}

// Line is a unit in the log of a round.
type Line struct {
	_            struct{} `cbor:",toarray"`
	Kind         unit.Kind
	Index        uint32
	Unit, Result block.Link
	Miner        [32]byte // account; zero for a run without a network
	unit.Effort
	Tokens    uint32
	Loss, NLL uint32 // bits of binary32
	Cost      uint64 // FLOP
}

// Of is the line with the fields that follow from the unit and its result.
func (l Line) Of(u unit.Unit, result block.Link, r unit.Result) Line {
	l.Kind, l.Index, l.Unit, l.Result = u.Kind, u.Index, u.ID(), result
	l.Tokens, l.Loss, l.NLL, l.Cost = r.Tokens, r.Loss, r.NLL, r.Cost
	return l
}

// All returns all lines of the log, in the sequence in which the units were done.
func (r Round) All() []Line {
	return slices.Concat(r.Lines, []Line{r.Combine}, r.Valid, r.Translated, r.Final)
}

// Ended is when the round's combine ended, by the clock of the machine that combined:
// milliseconds since the Unix epoch.
func (r Round) Ended() uint64 { return r.Combine.Started + r.Combine.Took }

// Loss is the mean label-smoothed cross-entropy of a target token, in nats. It is
// for people: a run does not read it.
func Loss(lines []Line) float64 { return mean(lines, func(l Line) uint32 { return l.Loss }) }

// NLL is the mean negative log-likelihood of a target token, in nats.
func NLL(lines []Line) float64 { return mean(lines, func(l Line) uint32 { return l.NLL }) }

// mean is the mean over target tokens of sums that are bits of binary32.
func mean(lines []Line, sum func(Line) uint32) float64 {
	var total float64
	for _, l := range lines {
		total += float64(math.Float32frombits(sum(l)))
	}
	return total / float64(Tokens(lines))
}

// Tokens is the sum of the target tokens of the lines.
func Tokens(lines []Line) uint64 {
	var n uint64
	for _, l := range lines {
		n += uint64(l.Tokens)
	}
	return n
}

// ReadRound fetches the log of a round.
func ReadRound(ctx context.Context, b block.Blocks, l block.Link) (Round, error) {
	var r Round
	if err := block.GetNode(ctx, b, l, &r); err != nil {
		return Round{}, fmt.Errorf("round log: %w", err)
	}
	return r, unit.CheckVersion(fmt.Sprintf("round log %s", l), r.Version)
}

// History reads all logs of a run, from that of its last round back to the first.
// Element r is the log of round r.
func History(ctx context.Context, b block.Blocks, head block.Link) ([]Round, error) {
	last, err := ReadRound(ctx, b, head)
	if err != nil {
		return nil, err
	}
	rounds := make([]Round, last.Number+1)
	for r := last; ; {
		rounds[r.Number] = r
		if r.Number == 0 {
			return rounds, nil
		}
		before, err := ReadRound(ctx, b, r.Previous)
		if err != nil {
			return nil, err
		}
		if before.Number+1 != r.Number || before.Run != r.Run {
			return nil, fmt.Errorf("round log %s: round %d of run %s follows round %d of run %s", r.Previous, r.Number, r.Run, before.Number, before.Run)
		}
		r = before
	}
}
