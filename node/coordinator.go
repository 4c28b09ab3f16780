package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ipfs/go-cid"
	"golang.org/x/sync/errgroup"

	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/disk"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/score"
	"github.com/alia-network/alia/work/unit"
)

// Coordinator computes a training run to its end. Its crew is a [Publisher] in a
// network, or a worker in this process.
type Coordinator struct {
	// Dir keeps what must survive a crash: the run's heads and its journal.
	Dir   string
	Store RunStore
	Plan  *run.Plan
	// Crew does the units; Home, in this process, the combines.
	Crew, Home unit.Crew
	// Committed is called with each round when its log is durable; nil without a ledger.
	Committed func(run.Round, block.Link)
	// Logged is called with the lines of units when their results are here: a later sweep may
	// delete these. It is nil without a ledger.
	Logged func([]run.Line) error
	// Trained is called at the end with the lines of the units that follow the last round;
	// nil without a ledger.
	Trained func([]run.Line)
	Report  Reporter
	// Disk makes the head file durable; nil is the operating system.
	Disk disk.Syncer
}

// TrainingResult is the model of a finished training run, and figures from its
// logs.
type TrainingResult struct {
	Model   block.Link
	Head    block.Link // the last round's log
	Last    run.Round
	Rounds  int
	Seconds float64
	Loss    float64 // mean training loss of the last round
	Valid   float64 // mean validation NLL
	Tests   []TestScore
	Units   int
	Tokens  uint64 // target tokens trained on
}

// TestScore is the scores of one test set's translation.
type TestScore struct {
	Name      string  `json:"name"`
	BLEU      float64 `json:"bleu"`
	ChrF      float64 `json:"chrf"`
	Signature string  `json:"signature"`
	Sentences int     `json:"sentences"`
}

// BLEUText is BLEU for people, with the tokenizer of the signature where that is not the common
// one, 13a.
func (s TestScore) BLEUText() string {
	_, tok, _ := strings.Cut(s.Signature, "|tok:")
	if tok, _, _ = strings.Cut(tok, "|"); tok == "" || tok == "13a" {
		return fmt.Sprintf("BLEU %.2f", s.BLEU)
	}
	return fmt.Sprintf("BLEU %.2f (%s)", s.BLEU, tok)
}

// Run trains to the end of the plan, from where an earlier Run was stopped,
// and evaluates the model on the corpus's test sets.
func (c *Coordinator) Run(ctx context.Context) (*TrainingResult, error) {
	began := time.Now()
	out := &TrainingResult{Rounds: c.Plan.Rounds()}
	t := c.training(ctx, out)
	var err error
	if t.AllCheckpoints, err = keepsCheckpoints(c.Dir); err != nil {
		return nil, err
	}
	head, history, err := c.resume(ctx, t)
	if err != nil {
		return nil, err
	}
	c.count(head, history, out)
	c.Report(Planned{Round: len(history), Rounds: out.Rounds, Text: "run " + c.Plan.Link.String()})
	if out.Last, err = t.Run(ctx, head); err != nil {
		return nil, err
	}
	blocks := c.Plan.Working(c.Store)
	defer c.Store.Unpin(blocks.Owner)
	if out.Model, err = block.PutNode(ctx, blocks, c.Plan.Run.Result(out.Last.Result)); err != nil {
		return nil, fmt.Errorf("store model: %w", err)
	}
	if err := block.PinTree(ctx, c.Store, ModelOwner(out.Model), out.Model.Cid); err != nil {
		return nil, fmt.Errorf("store model: %w", err)
	}
	out.Rounds = int(out.Last.Number) + 1
	out.Loss, out.Valid = run.Loss(out.Last.Lines), run.NLL(out.Last.Valid)
	lines, err := c.test(ctx, blocks, out)
	if err != nil {
		return nil, err
	}
	if c.Trained != nil {
		c.Trained(append(slices.Clone(out.Last.Final), lines...))
	}
	out.Seconds = time.Since(began).Seconds()
	return out, nil
}

// training returns the training of the run, which adds its rounds to out.
func (c *Coordinator) training(ctx context.Context, out *TrainingResult) *run.Training {
	type logged struct {
		run.Round
		log block.Link
	}
	var fresh []logged // rounds after the newest head: their logs are not durable
	var heads pace
	return &run.Training{
		Plan: c.Plan, Store: c.Store, Crew: c.Crew, Home: c.Home, Due: heads.due, Sweep: c.sweep,
		Done: func(r run.Round, l block.Link) error {
			fresh = append(fresh, logged{r, l})
			out.Units += crewed(r)
			out.Tokens += run.Tokens(r.Lines)
			n := RoundNotice(c.Plan, r)
			n.Samples, _ = Samples(ctx, c.Store, c.Plan, r) // for people: the run does not need them
			c.Report(n)
			return c.logged(r.All())
		},
		Keep: func(ctx context.Context, head block.Link, blocks []cid.Cid) error {
			err := heads.measure(func() error {
				if err := c.Store.Sync(ctx, blocks); err != nil {
					return err
				}
				return noteHead(disk.Or(c.Disk), c.Dir, head)
			})
			if err != nil {
				return err
			}
			// A power cut may change the log of a round until the round is the head, or
			// before it. So the ledger is told of it now.
			for _, r := range fresh {
				if c.Committed != nil {
					c.Committed(r.Round, r.log)
				}
			}
			out.Head, fresh = head, nil
			return nil
		},
	}
}

// KeepCheckpoints says, for the run in dir, whether all its checkpoints stay, or only
// those that an audit needs: see [run.AuditTime]. It counts for every later process, until
// KeepCheckpoints is called again. Call it before the run begins or goes on.
func KeepCheckpoints(dir string, all bool) error {
	path, err := filepath.Join(dir, home.KeepFile), error(nil)
	if all {
		err = disk.WriteFile(disk.OS, path, nil)
	} else if err = os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("run's checkpoints: %w", err)
	}
	return nil
}

// keepsCheckpoints reports whether all checkpoints of the run in dir stay.
func keepsCheckpoints(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, home.KeepFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("run's checkpoints: %w", err)
	}
	return true, nil
}

// spareModels is how many times the bytes of its model a run leaves in the store beside
// what it needs: the newest results and outputs, which nobody owns. With the states of
// the head, of the last round and of the round in progress that is less than 12 times;
// the checkpoints that an audit needs are 6 times.
const spareModels = 1

// sweep deletes blocks that nobody needs.
func (c *Coordinator) sweep(ctx context.Context) error {
	parameters := int64(c.Plan.Run.Model().Elements())
	_, err := c.Store.Sweep(ctx, spareModels*4*parameters)
	return err
}

// count adds up the rounds that were done before this process began.
func (c *Coordinator) count(head block.Link, history []run.Round, out *TrainingResult) {
	out.Head = head
	for i, r := range history {
		out.Units += crewed(r)
		out.Tokens += run.Tokens(r.Lines)
		if c.Committed == nil {
			continue
		}
		log := head
		if i+1 < len(history) {
			log = history[i+1].Previous
		}
		c.Committed(r, log)
	}
}

// crewed is the units of a round that its crew did.
func crewed(r run.Round) int { return len(r.Lines) + len(r.Valid) + len(r.Translated) }

func (c *Coordinator) logged(lines []run.Line) error {
	if c.Logged == nil {
		return nil
	}
	return c.Logged(lines)
}

// test translates the corpus's test sets with the crew and scores them. It returns the
// lines of the units.
func (c *Coordinator) test(ctx context.Context, blocks block.Blocks, out *TrainingResult) ([]run.Line, error) {
	sets, err := c.Plan.TestTranslations(ctx, blocks, out.Model)
	if err != nil {
		return nil, err
	}
	var lines []run.Line
	for i, split := range c.Plan.Corpus.Tests {
		outcomes, err := c.Crew.Do(ctx, sets[i])
		if err != nil {
			return nil, fmt.Errorf("translate %s: %w", split.Name, err)
		}
		for k, o := range outcomes {
			lines = append(lines, lineOf(sets[i][k], o))
		}
		if err := c.logged(lines[len(lines)-len(outcomes):]); err != nil {
			return nil, err
		}
		got, err := model.Segments(ctx, blocks, sets[i], outcomes)
		if err != nil {
			return nil, fmt.Errorf("translate %s: %w", split.Name, err)
		}
		out.Units += len(outcomes)
		_, refs := corpus.Sides(split.Pairs)
		scores, err := Score(split.Name, c.Plan.Corpus.Target, got, refs)
		if err != nil {
			return nil, err
		}
		out.Tests = append(out.Tests, scores)
	}
	return lines, nil
}

// Score compares translations into a language with references, line by line.
func Score(name, language string, got, lines []string) (TestScore, error) {
	m, refs := score.BLEU{WordSplitter: score.TokenizerFor(language)}.Metric(), score.References(lines)
	b, err := m.Score(got, refs)
	if err != nil {
		return TestScore{}, fmt.Errorf("test set %s: %w", name, err)
	}
	c, err := score.NewChrF().Metric().Score(got, refs)
	if err != nil {
		return TestScore{}, fmt.Errorf("test set %s: %w", name, err)
	}
	return TestScore{Name: name, BLEU: b, ChrF: c, Signature: m.Signature(refs), Sentences: len(got)}, nil
}

// Together runs functions until the first returns, then cancels the others
// and waits for them. It returns the first error that is not a cancellation.
func Together(ctx context.Context, first func(context.Context) error, others ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	for _, f := range others {
		g.Go(func() error {
			if err := f(ctx); err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		})
	}
	g.Go(func() error { defer cancel(); return first(ctx) })
	return g.Wait()
}
