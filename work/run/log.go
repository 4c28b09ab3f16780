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
	// Number counts from 0.
	Number  uint32
	Lines   []Line // gradients or steps, in index order
	Combine Line
	// Valid is the evaluation of the parameters the round left, Translated the
	// greedy translation of the validation sources by them, and Scores what that
	// scored, where the plan validates after the round.
	Valid, Translated []Line
	Scores            Scores
	// After is the state the next round begins with.
	After       State
	Validations Validations
	// Result is the parameters the run gives, in its last round only, and Final
	// the unit that averaged them, where there are several to average.
	Result   block.Link
	Final    []Line
	Previous block.Link
}

// Entry is a line of a round's log.
type Line struct {
	_            struct{} `cbor:",toarray"`
	Kind         unit.Kind
	Index        uint32
	Unit, Result block.Link
	Miner        [32]byte
	unit.Effort
	Tokens    uint32
	Loss, NLL uint32 // float32 bits
	Cost      uint64 // FLOP
}

// of is the line with what follows from the unit and its result.
func (e Line) Of(u unit.Unit, result block.Link, r unit.Result) Line {
	e.Kind, e.Index, e.Unit, e.Result = u.Kind, u.Index, u.ID(), result
	e.Tokens, e.Loss, e.NLL, e.Cost = r.Tokens, r.Loss, r.NLL, r.Cost
	return e
}

// Lines is all lines of the log, in the order in which they were done.
func (r Round) All() []Line {
	return slices.Concat(r.Lines, []Line{r.Combine}, r.Valid, r.Translated, r.Final)
}

// Scores is how translations compare with their references, in parts per
// million. Everyone finds the same: see [score].
type Scores struct {
	_          struct{} `cbor:",toarray"`
	BLEU, ChrF uint32
}

// Loss is the mean label-smoothed cross-entropy of a target token, in nats.
// It is for people: the run itself does not read it.
func Loss(entries []Line) float64 { return mean(entries, func(e Line) uint32 { return e.Loss }) }

// NLL is the mean negative log-likelihood of a target token, in nats.
func NLL(entries []Line) float64 { return mean(entries, func(e Line) uint32 { return e.NLL }) }

func mean(entries []Line, of func(Line) uint32) float64 {
	var sum float64
	for _, e := range entries {
		sum += float64(math.Float32frombits(of(e)))
	}
	return sum / float64(Tokens(entries))
}

// Tokens is the target tokens of the entries together.
func Tokens(entries []Line) uint64 {
	var n uint64
	for _, e := range entries {
		n += uint64(e.Tokens)
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

// History reads the logs of a run from its last round's back to the first;
// element r is the log of round r.
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
