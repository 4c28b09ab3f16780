package run

import (
	"math"
	"slices"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/score"
	"github.com/alia-network/alia/work/train"
)

// Validations is the result of a run's validations so far, for early stopping and
// for averaging.
type Validations struct {
	_ struct{} `cbor:",toarray"`
	// Best is the best validation by the configuration's measure: its score in parts per
	// million, or its loss in millionths of a nat. Waited is the validations since then.
	// They matter where the configuration has patience.
	Best, Waited uint32
	// Recent is the parameters of the last validations, the newest last: as many
	// as the configuration averages. Kept is Recent at the best validation.
	Recent, Kept []block.Link
}

// after adds a validation: of params, with scores s and a loss in nats.
func (v Validations) after(c train.Config, params block.Link, s Scores, loss float64) Validations {
	recent := append(slices.Clone(v.Recent), params)
	recent = recent[max(0, len(recent)-int(c.Average)):]
	now, better := s.BLEU, s.BLEU > v.Best
	switch c.Measure {
	case train.ByChrF:
		now, better = s.ChrF, s.ChrF > v.Best
	case train.ByLoss:
		// A loss that is no number, or beyond what is kept, is the worst.
		now = math.MaxUint32
		if loss < 4000 {
			now = uint32(float64(loss*1e6) + 0.5)
		}
		better = now < v.Best
	}
	if c.Patience > 0 && len(v.Kept) > 0 && !better {
		return Validations{Best: v.Best, Waited: v.Waited + 1, Recent: recent, Kept: v.Kept}
	}
	return Validations{Best: now, Recent: recent, Kept: recent}
}

// useful returns the parameters that later validations may average into the model: a
// validation adds its own, so of the last ones one fewer is needed than are averaged.
func (v Validations) useful(c train.Config) []block.Link {
	recent := v.Recent[max(0, len(v.Recent)-int(c.Average)+1):]
	if c.Patience == 0 {
		return recent // the next validation is the best
	}
	return slices.Concat(recent, v.Kept)
}

// Scores compare translations with references, in parts per million. Everyone
// finds the same scores: see package score.
type Scores struct {
	_          struct{} `cbor:",toarray"`
	BLEU, ChrF uint32
}

// scores measures translations against references.
func scores(c train.Config, got, references []string) (Scores, error) {
	each := score.References(references)
	bleu, err := score.BLEU{WordSplitter: score.TokenizerFor(c.Target)}.Metric().Score(got, each)
	if err != nil {
		return Scores{}, err
	}
	chrf, err := score.NewChrF().Metric().Score(got, each)
	return Scores{BLEU: millionths(bleu), ChrF: millionths(chrf)}, err
}

// millionths is a score of 0 to 100 in parts per million.
func millionths(x float64) uint32 { return uint32(float64(x*10_000) + 0.5) }
