package run

import (
	"context"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/unit"
)

// Phase is a phase of a round. All units of a phase are done before the next
// phase begins.
type Phase int

const (
	Learning    Phase = iota // gradients or local steps
	Combining                // of their outputs into the next state
	Validating               // the loss of the validation pairs
	Translating              // the validation sources
	Averaging                // of the last validated parameters into the model
)

// Lines are the lines of a log that belong to the phase.
func (p Phase) Lines(r Round) []Line {
	return [][]Line{r.Lines, {r.Combine}, r.Valid, r.Translated, r.Final}[p]
}

// Do has the units of a phase computed. It returns, for each unit in sequence, its line
// of the log and its outputs.
type Do func(ctx context.Context, p Phase, units []unit.Unit) ([]Line, [][]block.Link, error)

// Beginning is the state before a round: zero Validations and Previous are those
// of round 0.
type Beginning struct {
	State
	Validations
	Previous block.Link // log of the round before
}

// DoRound makes round r: it plans the units of each phase, has them done, and
// gives the log of the round. Blocks that the units read go to b. Training and
// verifying differ only in do: one has a crew compute the units, the other
// computes them again and compares.
func (p *Plan) DoRound(ctx context.Context, b block.Blocks, r int, begin Beginning, do Do) (Round, error) {
	round := Round{Version: 1, Run: p.Link, Number: uint32(r), Validations: begin.Validations, Previous: begin.Previous}
	units, err := p.Units(ctx, b, r, begin.State)
	if err != nil {
		return Round{}, err
	}
	lines, outputs, err := do(ctx, Learning, units)
	if err != nil {
		return Round{}, err
	}
	round.Lines = lines
	// The outputs of the round's units lead to the next state.
	lines, combined, err := do(ctx, Combining, []unit.Unit{p.Combine(r, begin.State, outputs)})
	if err != nil {
		return Round{}, blame(ctx, b, units, outputs, err)
	}
	next := combined[0]
	round.Combine = lines[0]
	round.After = State{Params: next[0], M: next[1], V: next[2], Base: begin.Params, Update: next[3]}
	if !p.Validates(r) {
		return round, nil
	}
	params, err := p.validate(ctx, b, &round, do)
	if err != nil {
		return Round{}, err
	}
	c := p.Run.Config
	round.Validations = begin.Validations.after(c, params, round.Scores, NLL(round.Valid))
	if r+1 < p.Rounds() && (c.Patience == 0 || round.Validations.Waited < c.Patience) {
		return round, nil
	}
	err = p.finish(ctx, &round, do)
	return round, err
}

// validate measures the parameters that a round left, and returns them: their loss on the
// validation pairs, and the scores of their translations.
func (p *Plan) validate(ctx context.Context, b block.Blocks, round *Round, do Do) (params block.Link, err error) {
	r := int(round.Number)
	units, err := p.Evaluations(ctx, b, r, round.After)
	if err != nil {
		return params, err
	}
	if round.Valid, _, err = do(ctx, Validating, units); err != nil {
		return params, err
	}
	if params, err = p.merged(ctx, b, round.After.Params); err != nil {
		return params, err
	}
	sources, references := corpus.Sides(p.Corpus.Valid)
	if units, err = p.validationTranslations(ctx, b, r, params, sources); err != nil {
		return params, err
	}
	var outputs [][]block.Link
	if round.Translated, outputs, err = do(ctx, Translating, units); err != nil {
		return params, err
	}
	got, err := model.Texts(ctx, b, units, outputs)
	if err != nil {
		return params, err
	}
	round.Scores, err = scores(p.Run.Config, got, references)
	return params, err
}

// finish gives the run its result in the last round: the parameters kept, or
// their mean where there are several.
func (p *Plan) finish(ctx context.Context, round *Round, do Do) (err error) {
	round.Result = round.Validations.Kept[0]
	if len(round.Validations.Kept) == 1 {
		return nil
	}
	var outputs [][]block.Link
	if round.Final, outputs, err = do(ctx, Averaging, []unit.Unit{p.Average(round.Validations.Kept)}); err != nil {
		return err
	}
	round.Result = outputs[0][0]
	return nil
}
