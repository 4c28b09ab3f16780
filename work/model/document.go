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
	out, err := Segments(ctx, b, units, outcomes)
	return out, outcomes, err
}

// Segments reads the segments that Translate units gave, in sequence. It fails with a
// [unit.OutputError] that names the unit, and with [unit.ErrDefect] where that has a
// defect.
func Segments(ctx context.Context, b block.Blocks, units []unit.Unit, outcomes []unit.Outcome) ([]string, error) {
	outputs := make([][]block.Link, len(outcomes))
	for i, o := range outcomes {
		if o.Result.Defect != 0 {
			return nil, &unit.OutputError{Unit: units[i], Output: -1, Err: fmt.Errorf("%s: %w", o.Result.Detail, unit.ErrDefect)}
		}
		outputs[i] = o.Result.Outputs
	}
	return Texts(ctx, b, units, outputs)
}

// Texts is [Segments] of the units' outputs.
func Texts(ctx context.Context, b block.Blocks, units []unit.Unit, outputs [][]block.Link) ([]string, error) {
	var all []string
	for i, u := range units {
		var in, out unit.Text
		if err := block.GetNode(ctx, b, u.Inputs[1], &in); err != nil {
			return nil, fmt.Errorf("text of translation %d: %w", i, err)
		}
		if len(outputs[i]) != 1 {
			return nil, &unit.OutputError{Unit: u, Output: -1, Proven: true, Err: fmt.Errorf("%d outputs, want 1", len(outputs[i]))}
		}
		if err := block.GetNode(ctx, b, outputs[i][0], &out); err != nil {
			return nil, &unit.OutputError{Unit: u, Proven: unit.Proven(ctx, b, outputs[i][0], err), Err: err}
		}
		if len(out.Segments) != len(in.Segments) {
			return nil, &unit.OutputError{Unit: u, Proven: true, Err: fmt.Errorf("%d segments, want %d", len(out.Segments), len(in.Segments))}
		}
		all = append(all, out.Segments...)
	}
	return all, nil
}
