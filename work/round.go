package work

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/score"
	"github.com/alia-network/alia/work/train"
)

// Entry is a line of a round's log.
type Entry struct {
	_                 struct{} `cbor:",toarray"`
	Kind              Kind
	Index             uint32
	Unit, Result      block.Link
	Worker            [32]byte
	Started, Took     uint64 // milliseconds
	BytesIn, BytesOut uint64
	Tokens            uint32
	Loss, NLL         uint32 // float32 bits
	Cost              uint64 // FLOP
}

// of is the line with what follows from the unit and its result.
func (e Entry) of(u Unit, result block.Link, r Result) Entry {
	e.Kind, e.Index, e.Unit, e.Result = u.Kind, u.Index, u.ID(), result
	e.Tokens, e.Loss, e.NLL, e.Cost = r.Tokens, r.Loss, r.NLL, r.Cost
	return e
}

// Round is the log of one round: what was planned, who did it, and the state
// it left. Its CID, with the chain of Previous, is the history of the run.
type Round struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Run     block.Link
	// Number counts from 0.
	Number  uint32
	Entries []Entry // gradients or steps, in index order
	Combine Entry
	// Valid is the evaluation of the parameters the round left, Translated the
	// greedy translation of the validation sources by them, and Scores what that
	// scored, where the plan validates after the round.
	Valid, Translated []Entry
	Scores            Scores
	// After is the state the next round begins with.
	After    Checkpoint
	Progress Progress
	// Result is the parameters the run gives, in its last round only, and Final
	// the unit that averaged them, where there are several to average.
	Result   block.Link
	Final    []Entry
	Previous block.Link
}

// Lines is all lines of the log, in the order in which they were done.
func (r Round) Lines() []Entry {
	return slices.Concat(r.Entries, []Entry{r.Combine}, r.Valid, r.Translated, r.Final)
}

// Scores is how translations compare with their references, in parts per
// million. Everyone finds the same: see [score].
type Scores struct {
	_          struct{} `cbor:",toarray"`
	BLEU, ChrF uint32
}

// Progress is what a run's validations have shown so far.
type Progress struct {
	_ struct{} `cbor:",toarray"`
	// Best is the best validation's BLEU, in parts per million, and Waited the
	// validations since. They count where the configuration has patience.
	Best, Waited uint32
	// Recent is the parameters of the last validations, the newest last, as many
	// as are averaged; Kept is what Recent was at the best validation.
	Recent, Kept []block.Link
}

// after is the progress when parameters have been validated.
func (p Progress) after(c train.Config, params block.Link, s Scores) Progress {
	recent := append(slices.Clone(p.Recent), params)
	recent = recent[max(0, len(recent)-int(c.Average)):]
	if c.Patience > 0 && len(p.Kept) > 0 && s.BLEU <= p.Best {
		return Progress{Best: p.Best, Waited: p.Waited + 1, Recent: recent, Kept: p.Kept}
	}
	return Progress{Best: s.BLEU, Recent: recent, Kept: recent}
}

// holds reports whether the parameters may still be averaged.
func (p Progress) holds(params block.Link) bool {
	return slices.Contains(p.Recent, params) || slices.Contains(p.Kept, params)
}

// Loss is the mean label-smoothed cross-entropy of a target token, in nats.
// It is for people: the run itself does not read it.
func Loss(entries []Entry) float64 { return mean(entries, func(e Entry) uint32 { return e.Loss }) }

// NLL is the mean negative log-likelihood of a target token, in nats.
func NLL(entries []Entry) float64 { return mean(entries, func(e Entry) uint32 { return e.NLL }) }

func mean(entries []Entry, of func(Entry) uint32) float64 {
	var sum float64
	for _, e := range entries {
		sum += float64(math.Float32frombits(of(e)))
	}
	return sum / float64(Tokens(entries))
}

// Tokens is the target tokens of the entries together.
func Tokens(entries []Entry) uint64 {
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
	if r.Version != 1 {
		return Round{}, fmt.Errorf("round log %s: version %d, this program knows 1", l, r.Version)
	}
	return r, nil
}

// part is a part of a round, done before the next begins.
type part int

const (
	learning part = iota
	combining
	validating
	translating
	averaging
)

// of gives a part's lines of a log.
func (p part) of(r Round) []Entry {
	return [][]Entry{r.Entries, {r.Combine}, r.Valid, r.Translated, r.Final}[p]
}

// conduct brings about round r, which begins with from: it has the units of
// its parts done, in turn, and gives its log. previous and before are the log
// of the round before and the progress there. Who trains and who verifies
// differ in do, which gives the lines of the log and the units' outputs.
func (p *Plan) conduct(ctx context.Context, b block.Blocks, r int, from Checkpoint, before Progress, previous block.Link,
	do func(context.Context, part, []Unit) ([]Entry, [][]block.Link, error)) (Round, error) {
	round := Round{Version: 1, Run: p.Link, Number: uint32(r), Progress: before, Previous: previous}
	units, err := p.Units(ctx, b, r, from)
	if err != nil {
		return Round{}, err
	}
	entries, outputs, err := do(ctx, learning, units)
	if err != nil {
		return Round{}, err
	}
	round.Entries = entries
	if entries, outputs, err = do(ctx, combining, []Unit{p.Combine(r, from, outputs)}); err != nil {
		return Round{}, err
	}
	state := outputs[0]
	round.Combine = entries[0]
	round.After = Checkpoint{Params: state[0], M: state[1], V: state[2], Base: from.Params, Update: state[3]}
	if !p.Validates(r) {
		return round, nil
	}
	if units, err = p.Evaluations(ctx, b, r, round.After); err != nil {
		return Round{}, err
	}
	if round.Valid, _, err = do(ctx, validating, units); err != nil {
		return Round{}, err
	}
	sources, references := corpus.Sides(p.Corpus.Valid)
	if units, err = p.rehearsals(ctx, b, r, round.After.Params, sources); err != nil {
		return Round{}, err
	}
	if round.Translated, outputs, err = do(ctx, translating, units); err != nil {
		return Round{}, err
	}
	if round.Scores, err = scores(ctx, b, outputs, references); err != nil {
		return Round{}, err
	}
	c := p.Run.Config
	round.Progress = before.after(c, round.After.Params, round.Scores)
	if r+1 < p.Rounds() && (c.Patience == 0 || round.Progress.Waited < c.Patience) {
		return round, nil
	}
	kept := round.Progress.Kept
	if round.Result = kept[0]; len(kept) > 1 {
		u := Unit{Version: 1, Kind: Average, Work: p.Link, Round: uint32(r), Inputs: kept}
		if round.Final, outputs, err = do(ctx, averaging, []Unit{u}); err != nil {
			return Round{}, err
		}
		round.Result = outputs[0][0]
	}
	return round, nil
}

// rehearsals gives the units that translate the validation sources with the
// parameters that round r left.
func (p *Plan) rehearsals(ctx context.Context, b block.Blocks, r int, params block.Link, sources []string) ([]Unit, error) {
	model, err := block.PutNode(ctx, b, p.Run.Result(params))
	if err != nil {
		return nil, fmt.Errorf("store model: %w", err)
	}
	units, err := Translations(ctx, b, p.Link, model, p.text, sources, Greedy)
	for i := range units {
		units[i].Round = uint32(r)
	}
	return units, err
}

// scores compares the texts that translations gave with their references.
func scores(ctx context.Context, b block.Blocks, outputs [][]block.Link, references []string) (Scores, error) {
	var got []string
	for i, out := range outputs {
		var t Text
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
