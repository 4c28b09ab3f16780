package run

import (
	"context"
	"fmt"
	"slices"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/score"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// Progress is what a run's validations have shown so far.
type Validations struct {
	_ struct{} `cbor:",toarray"`
	// Best is the best validation's BLEU, in parts per million, and Waited the
	// validations since. They count where the configuration has patience.
	Best, Waited uint32
	// Recent is the parameters of the last validations, the newest last, as many
	// as are averaged; Kept is what Recent was at the best validation.
	Recent, Kept []block.Link
}

// after is the progress when parameters have been validated.
func (p Validations) after(c train.Config, params block.Link, s Scores) Validations {
	recent := append(slices.Clone(p.Recent), params)
	recent = recent[max(0, len(recent)-int(c.Average)):]
	if c.Patience > 0 && len(p.Kept) > 0 && s.BLEU <= p.Best {
		return Validations{Best: p.Best, Waited: p.Waited + 1, Recent: recent, Kept: p.Kept}
	}
	return Validations{Best: s.BLEU, Recent: recent, Kept: recent}
}

// holds reports whether the parameters may still be averaged.
func (p Validations) holds(params block.Link) bool {
	return slices.Contains(p.Recent, params) || slices.Contains(p.Kept, params)
}

// scores compares the texts that translations gave with their references.
func scores(ctx context.Context, b block.Blocks, outputs [][]block.Link, references []string) (Scores, error) {
	var got []string
	for i, out := range outputs {
		var t unit.Text
		if err := block.GetNode(ctx, b, out[0], &t); err != nil {
			return Scores{}, fmt.Errorf("translation %d: %w", i, err)
		}
		got = append(got, t.Segments...)
	}
	bleu, err := score.NewBLEU(score.Cased, score.Mteval13a).Score(got, references)
	if err != nil {
		return Scores{}, err
	}
	chrf, err := score.ChrF.Score(got, references)
	return Scores{BLEU: millionths(bleu), ChrF: millionths(chrf)}, err
}

// millionths is a score of 0 to 100 in parts per million of 100.
func millionths(x float64) uint32 { return uint32(float64(x*10_000) + 0.5) }
