package run

import (
	"context"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/unit"
)

// part is a part of a round, done before the next begins.
type Phase int

const (
	Learning Phase = iota
	Combining
	Validating
	Translating
	Averaging
)

// of gives a part's lines of a log.
func (p Phase) Of(r Round) []Line {
	return [][]Line{r.Lines, {r.Combine}, r.Valid, r.Translated, r.Final}[p]
}

// conduct brings about round r, which begins with from: it has the units of
// its parts done, in turn, and gives its log. previous and before are the log
// of the round before and the progress there. Who trains and who verifies
// differ in do, which gives the lines of the log and the units' outputs.
func (p *Plan) DoRound(ctx context.Context, b block.Blocks, r int, from State, before Validations, previous block.Link,
	do func(context.Context, Phase, []unit.Unit) ([]Line, [][]block.Link, error)) (Round, error) {
	round := Round{Version: 1, Run: p.Link, Number: uint32(r), Validations: before, Previous: previous}
	units, err := p.Units(ctx, b, r, from)
	if err != nil {
		return Round{}, err
	}
	entries, outputs, err := do(ctx, Learning, units)
	if err != nil {
		return Round{}, err
	}
	round.Lines = entries
	if entries, outputs, err = do(ctx, Combining, []unit.Unit{p.Combine(r, from, outputs)}); err != nil {
		return Round{}, err
	}
	state := outputs[0]
	round.Combine = entries[0]
	round.After = State{Params: state[0], M: state[1], V: state[2], Base: from.Params, Update: state[3]}
	if !p.Validates(r) {
		return round, nil
	}
	if units, err = p.Evaluations(ctx, b, r, round.After); err != nil {
		return Round{}, err
	}
	if round.Valid, _, err = do(ctx, Validating, units); err != nil {
		return Round{}, err
	}
	sources, references := corpus.Sides(p.Corpus.Valid)
	if units, err = p.validationTranslations(ctx, b, r, round.After.Params, sources); err != nil {
		return Round{}, err
	}
	if round.Translated, outputs, err = do(ctx, Translating, units); err != nil {
		return Round{}, err
	}
	if round.Scores, err = scores(ctx, b, outputs, references); err != nil {
		return Round{}, err
	}
	c := p.Run.Config
	round.Validations = before.after(c, round.After.Params, round.Scores)
	if r+1 < p.Rounds() && (c.Patience == 0 || round.Validations.Waited < c.Patience) {
		return round, nil
	}
	kept := round.Validations.Kept
	if round.Result = kept[0]; len(kept) > 1 {
		u := unit.Unit{Version: 1, Kind: unit.Average, Work: p.Link, Round: uint32(r), Inputs: kept}
		if round.Final, outputs, err = do(ctx, Averaging, []unit.Unit{u}); err != nil {
			return Round{}, err
		}
		round.Result = outputs[0][0]
	}
	return round, nil
}
