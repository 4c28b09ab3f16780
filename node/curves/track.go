package curves

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/score"
)

// Track writes the curves of a run, round after round, from the notices of its
// rounds. A Track is not safe for concurrent use.
type Track struct {
	plan  *run.Plan
	at    []float64 // by round: the passes over the corpus before it
	files *Writer   // nil when they are closed
	dir   string
	Done  int // rounds that were done before this process began
}

// OpenTrack writes the curves of the rounds done so far, from their logs.
func OpenTrack(ctx context.Context, store block.Blocks, plan *run.Plan, dir string) (*Track, error) {
	_, history, err := node.History(ctx, store, dir)
	if err != nil {
		return nil, fmt.Errorf("curves: %w", err)
	}
	t := &Track{plan: plan, at: passes(plan), dir: dir, Done: len(history)}
	if err := trimSamples(dir, t.Done); err != nil {
		return nil, fmt.Errorf("curves: %w", err)
	}
	var points []Point
	for _, r := range history {
		points = append(points, t.point(node.RoundNotice(plan, r)))
	}
	c := plan.Run.Config
	t.files, err = Open(dir, fmt.Sprintf("Training run, %s to %s", c.Source, c.Target), points)
	return t, err
}

// passes is, for each round of a plan and for its end, the passes over the
// corpus before it: whole ones where an epoch begins, and between two such
// rounds in proportion to the batches.
func passes(plan *run.Plan) []float64 {
	n := plan.Rounds()
	at := make([]float64, n+1)
	batch := func(r int) int { return plan.Run.Config.Batch(r, 0) }
	for from := 0; from < n; {
		epoch, until := plan.Epoch(from), from+1
		for plan.Epoch(until) == epoch { // beyond the run's end, too, if that is within an epoch
			until++
		}
		each := float64(plan.Epoch(until)-epoch) / float64(batch(until)-batch(from))
		for r := from; r <= min(until, n); r++ {
			passed := float64(epoch) + float64(each*float64(batch(r)-batch(from)))
			at[r] = math.Round(passed*1e6) / 1e6
		}
		from = until
	}
	return at
}

// point is a round as a point of the
func (t *Track) point(e node.RoundDone) Point {
	record := t.plan.Run
	place := record.Config.Position(e.Round, int(record.Steps)) // of the step after the round
	place.Step = min(place.Step, place.Steps)
	p := Point{
		Round: e.Round, Step: place.Step, Epoch: t.at[e.Round], Loss: e.Loss, NLL: e.NLL,
		Tokens: e.Tokens, Seconds: e.Seconds, Time: e.Time,
	}
	place.Step-- // the round's last
	p.LearningRate = decimal(record.Config.Rate(place))
	if e.Valid != 0 {
		p.Validation = &Validation{NLL: e.Valid, BLEU: e.BLEU, ChrF: e.ChrF, Tokenizer: score.TokenizerFor(record.Config.Target).Name}
		if record.Config.Patience > 0 {
			p.Validation.Measure = record.Config.Measure
		}
	}
	return p
}

// decimal is the number of fewest digits that x is the nearest binary32 to.
func decimal(x float32) float64 {
	v, err := strconv.ParseFloat(strconv.FormatFloat(float64(x), 'g', -1, 32), 64)
	if err != nil {
		panic(err) // what was formatted can be parsed
	}
	return v
}

// Add adds a round that is done.
func (t *Track) Add(e node.RoundDone) error {
	err := t.files.Add(t.point(e))
	if len(e.Samples) > 0 {
		err = errors.Join(err, addSamples(t.dir, Samples{e.Round, e.Samples}))
	}
	return err
}

// Close finishes the files, if there are any. It may be called more than once.
func (t *Track) Close() error {
	if t == nil || t.files == nil {
		return nil
	}
	err := t.files.Close()
	t.files = nil
	return err
}
