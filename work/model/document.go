package model

import (
	"context"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// unitTokens is the most source tokens of a unit, unless one segment has more.
const unitTokens = 2048

// Cut cuts segments into texts of up to 2048 source tokens: the inputs of Translate
// units.
func Cut(tok Tokenizer, segments []string) (texts []unit.Text) {
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
		texts = append(texts, unit.Text{Version: 1, Segments: segments[at:end]})
		at = end
	}
	return texts
}

// Translations cuts segments into texts, stores the texts, and gives the units that
// translate them with a model. The units belong to owner, a run or a job. terms has those of each
// segment; nil is none. The texts have no salt.
func Translations(
	ctx context.Context, b block.Blocks, owner, model block.Link, tok Tokenizer, segments []string, terms [][]string, d unit.Decoding,
) ([]unit.Unit, error) {
	return JobTranslations(ctx, b, owner, unit.Job{Model: model, Decoding: d}, tok, segments, terms)
}

// JobTranslations is [Translations] for a job: with its model and its decoding, and its salts.
func JobTranslations(
	ctx context.Context, b block.Blocks, owner block.Link, j unit.Job, tok Tokenizer, segments []string, terms [][]string,
) ([]unit.Unit, error) {
	var units []unit.Unit
	for i, text := range Cut(tok, segments) {
		if n := len(text.Segments); terms != nil {
			text = unit.NewText(text.Segments, terms[:n])
			terms = terms[n:]
		}
		l, err := block.PutNode(ctx, b, text.WithSalt(j.TextSalt(uint32(i))))
		if err != nil {
			return nil, fmt.Errorf("store text: %w", err)
		}
		units = append(units, unit.Unit{
			Version: 1, Kind: unit.Translate, Work: owner, Index: uint32(i),
			Inputs: []block.Link{j.Model, l}, Decoding: j.Decoding,
		})
	}
	return units, nil
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
