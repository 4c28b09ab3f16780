package model

import (
	"context"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// unitTokens is the most source tokens of a unit, unless one segment has more.
const unitTokens = 2048

// Translations stores segments in texts of up to 2048 source tokens, and gives
// the units that translate them with a model. The units belong to owner, a run or
// a job.
func Translations(ctx context.Context, b block.Blocks, owner, model block.Link, tok Tokenizer, segments []string, d unit.Decoding) ([]unit.Unit, error) {
	var units []unit.Unit
	for at := 0; at < len(segments); {
		end, tokens := at, 0
		for end < len(segments) {
			n := len(tok.Source(segments[end])) + 1
			if end > at && tokens+n > unitTokens {
				break
			}
			tokens += n
			end++
		}
		l, err := block.PutNode(ctx, b, unit.Text{Version: 1, Segments: segments[at:end]})
		if err != nil {
			return nil, fmt.Errorf("store text: %w", err)
		}
		units = append(units, unit.Unit{
			Version: 1, Kind: unit.Translate, Work: owner, Index: uint32(len(units)),
			Inputs: []block.Link{model, l}, Decoding: d,
		})
		at = end
	}
	return units, nil
}

// TranslateAll has a crew translate segments, and gives their translations in the
// same sequence.
func TranslateAll(ctx context.Context, b block.Blocks, crew unit.Crew, owner, model block.Link, tok Tokenizer, segments []string, d unit.Decoding) ([]string, []unit.Outcome, error) {
	units, err := Translations(ctx, b, owner, model, tok, segments, d)
	if err != nil {
		return nil, nil, err
	}
	outcomes, err := crew.Do(ctx, units)
	if err != nil {
		return nil, nil, err
	}
	out, err := Segments(ctx, b, outcomes)
	if err != nil {
		return nil, nil, err
	}
	if len(out) != len(segments) {
		return nil, nil, fmt.Errorf("translation: %d segments for %d", len(out), len(segments))
	}
	return out, outcomes, nil
}

// Segments reads the segments that Translate units gave, in sequence. It fails with
// [unit.ErrDefect] where a unit has a defect.
func Segments(ctx context.Context, b block.Blocks, outcomes []unit.Outcome) ([]string, error) {
	var out []string
	for i, o := range outcomes {
		if o.Result.Defect != 0 || len(o.Result.Outputs) != 1 {
			return nil, fmt.Errorf("translation %d, unit %s: %w", i, o.Result.Unit, unit.ErrDefect)
		}
		var t unit.Text
		if err := block.GetNode(ctx, b, o.Result.Outputs[0], &t); err != nil {
			return nil, fmt.Errorf("translation %d: %w", i, err)
		}
		out = append(out, t.Segments...)
	}
	return out, nil
}
