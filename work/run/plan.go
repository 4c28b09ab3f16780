package run

import (
	"context"
	"fmt"
	"slices"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/score"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// Plan is all that a run will do, known before the run begins: the tokens of its
// corpus, and which of them each unit reads. Everyone who has the run's record
// and its corpus makes the same plan.
//
// A unit's place in the plan is its round, its kind and its index. No two units have the
// same place. The units that follow the last round have the round number [Plan.Rounds].
//
// A Plan does not change and is safe for concurrent use.
type Plan struct {
	Link      block.Link // of the run's record
	Run       Record
	Corpus    *corpus.Corpus // without its training pairs; its sources have codes, see coder
	Tokenizer model.Tokenizer
	coder     *model.Splitter
	schedule  *train.BatchSchedule
	pairs     *sequences // tokens of the training pairs
	repeats   int        // pairs whose tokens are those of an earlier pair, which are left out
}

// New trains the tokenizer of a new run, stores the run's record, its
// corpus and its tokenizer, and makes its plan.
func New(ctx context.Context, b block.Blocks, c *corpus.Corpus, cfg train.Config) (*Plan, error) {
	cfg.Source, cfg.Target = c.Source, c.Target
	cfg = cfg.Measured(score.Fits(c.Target))
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.LoRA > 0 {
		return nil, errNoBase
	}
	stored, c, err := storeCorpus(ctx, b, c)
	if err != nil {
		return nil, err
	}
	tok, err := c.Tokenizer(int(cfg.Pieces))
	if err != nil {
		return nil, err
	}
	// The record names corpus, tokenizer and steps, so that a miner need not
	// find them again.
	run := Record{Version: version(cfg), Config: cfg, Corpus: stored, Vocab: uint32(tok.Pieces())}
	raw, err := b.Put(ctx, block.Raw, tok.JSON())
	if err != nil {
		return nil, fmt.Errorf("store tokenizer: %w", err)
	}
	run.Tokenizer = block.Link{Cid: raw}
	return begin(ctx, b, run, c, tok)
}

// Continue is [New] for a run that begins with the parameters and the tokenizer of the
// model base, which is in b. The model decides the size of the Transformer and of the
// vocabulary, whatever cfg says of them.
func Continue(ctx context.Context, b block.Blocks, c *corpus.Corpus, cfg train.Config, base block.Link) (*Plan, error) {
	m, err := model.Read(ctx, b, base)
	if err != nil {
		return nil, err
	}
	if err := trainable(m, base); err != nil {
		return nil, err
	}
	cfg.Source, cfg.Target = c.Source, c.Target
	cfg = cfg.Measured(score.Fits(c.Target))
	cfg = Sized(cfg, m)
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	tok, err := m.ReadTokenizer(ctx, b)
	if err != nil {
		return nil, err
	}
	if _, err := coder(m, tok, cfg); err != nil { // before a corpus is stored
		return nil, err
	}
	stored, c, err := storeCorpus(ctx, b, c)
	if err != nil {
		return nil, err
	}
	run := Record{Version: version(cfg), Config: cfg, Corpus: stored, Vocab: m.Vocab, Tokenizer: m.Tokenizer, Base: []block.Link{base}, base: m}
	return begin(ctx, b, run, c, tok)
}

// Sized is cfg with the size of the model that a run begins with. An imported vocabulary may
// be smaller than any that this program makes.
func Sized(cfg train.Config, m model.Model) train.Config {
	cfg.Shape, cfg.Pieces = m.Shape, max(m.Vocab, text.MinPieces)
	return cfg
}

// coder puts codes of the target language in front of sources, where the model base takes
// codes; the zero base takes none.
func coder(base model.Model, tok model.Tokenizer, cfg train.Config) (*model.Splitter, error) {
	return (&model.Head{Model: base, Tokenizer: tok}).Splitter(cfg.Target)
}

// storeCorpus stores a corpus. A long one is then read from its blocks, which are clean and
// do not change.
func storeCorpus(ctx context.Context, b block.Blocks, c *corpus.Corpus) (block.Link, *corpus.Corpus, error) {
	stored, err := PutCorpus(ctx, b, c)
	if err != nil || c.Stream == nil {
		return stored, c, err
	}
	c, err = GetCorpus(ctx, b, stored)
	return stored, c, err
}

// begin makes the plan of a new run, and stores its record.
func begin(ctx context.Context, b block.Blocks, run Record, c *corpus.Corpus, tok model.Tokenizer) (*Plan, error) {
	p, err := newPlan(run, c, tok)
	if err != nil {
		return nil, err
	}
	p.Run.Steps = uint32(p.schedule.Steps())
	if p.Link, err = block.PutNode(ctx, b, p.Run); err != nil {
		return nil, fmt.Errorf("store run: %w", err)
	}
	return p, nil
}

// Open makes the plan of a run whose record, corpus and tokenizer are in b.
func Open(ctx context.Context, b block.Blocks, link block.Link) (*Plan, error) {
	run, err := Read(ctx, b, link)
	if err != nil {
		return nil, err
	}
	c, err := GetCorpus(ctx, b, run.Corpus)
	if err != nil {
		return nil, err
	}
	tok, err := run.Result(block.Link{}).ReadTokenizer(ctx, b)
	if err != nil {
		return nil, err
	}
	p, err := newPlan(run, c, tok)
	if err != nil {
		return nil, err
	}
	p.Link = link
	// The record is a claim: its steps decide the learning rate of each unit.
	if got := p.schedule.Steps(); uint64(got) != uint64(run.Steps) {
		return nil, fmt.Errorf("run %s: its record says %d steps, its corpus and configuration give %d", link, run.Steps, got)
	}
	return p, nil
}

// newPlan tokenises the training pairs and cuts the batches of all rounds.
func newPlan(run Record, c *corpus.Corpus, tok model.Tokenizer) (*Plan, error) {
	p := &Plan{Run: run, Corpus: &corpus.Corpus{Source: c.Source, Target: c.Target, Valid: c.Valid, Tests: c.Tests}, Tokenizer: tok}
	n := c.Len()
	var err error
	if p.coder, err = coder(run.base, tok, run.Config); err != nil {
		return nil, err
	}
	p.pairs = &sequences{starts: make([]uint64, 0, n), lengths: make([]corpus.Length, 0, n), most: memoryTokens}
	// Our tokenizer loses nothing, and no two pairs of a clean corpus are the same. That of
	// another model may make the same tokens of two texts.
	var seen map[pairKey]struct{}
	if len(run.Base) > 0 {
		seen = map[pairKey]struct{}{}
	}
	for pair, err := range c.Pairs() {
		if err == nil {
			pair.Source, err = p.coder.Source(pair.Source)
		}
		if err == nil {
			source, target := tok.Source(pair.Source), tok.Target(pair.Target)
			if seen != nil {
				key := keyOf(unsigned(source), unsigned(target))
				if _, again := seen[key]; again {
					p.repeats++
					continue
				}
				seen[key] = struct{}{}
			}
			err = p.pairs.add(source, target)
		}
		if err != nil {
			return nil, err
		}
	}
	if p.Corpus, err = p.coded(p.Corpus); err != nil {
		return nil, err
	}
	p.schedule, err = train.NewBatchSchedule(run.Config, p.pairs.lengths)
	return p, err
}

// coded is a corpus with codes in front of the sources of its validation and its tests.
func (p *Plan) coded(c *corpus.Corpus) (*corpus.Corpus, error) {
	each := func(pairs []corpus.Pair) ([]corpus.Pair, error) {
		pairs = slices.Clone(pairs)
		for i := range pairs {
			var err error
			if pairs[i].Source, err = p.coder.Source(pairs[i].Source); err != nil {
				return nil, err
			}
		}
		return pairs, nil
	}
	out := &corpus.Corpus{Source: c.Source, Target: c.Target}
	var err error
	if out.Valid, err = each(c.Valid); err != nil {
		return nil, err
	}
	for _, t := range c.Tests {
		if t.Pairs, err = each(t.Pairs); err != nil {
			return nil, err
		}
		out.Tests = append(out.Tests, t)
	}
	return out, nil
}

// Repeats is the number of training pairs that are left out because their tokens are those of
// an earlier pair: only in a run that continues a model.
func (p *Plan) Repeats() int { return p.repeats }

// TooLong is the number of training pairs that no unit reads, because they have too many
// tokens for a batch or for the model.
func (p *Plan) TooLong() int {
	return corpus.TooLong(p.pairs.lengths, int(p.Run.Config.BatchTokens))
}

// Rounds is the number of rounds of the run.
func (p *Plan) Rounds() int { return p.schedule.Rounds() }

// Epoch is the epoch, counted from 0, in which round r begins.
func (p *Plan) Epoch(r int) int { return p.schedule.Epoch(r) }

// Validates reports whether the parameters are validated after round r.
func (p *Plan) Validates(r int) bool { return p.schedule.Validates(r) }

// Units stores the batches of round r and gives its units, to be computed
// from the state that the rounds before left.
func (p *Plan) Units(ctx context.Context, b block.Blocks, r int, from State) ([]unit.Unit, error) {
	kind, inputs := p.Run.Kind(r), []block.Link{from.Params}
	if kind == unit.LocalSteps {
		inputs = append(inputs, from.V)
	}
	var units []unit.Unit
	rounds, err := p.Batches(r)
	if err != nil {
		return nil, err
	}
	for k, batches := range rounds {
		u := unit.Unit{
			Version: 1, Kind: kind, Work: p.Link, Round: uint32(r), Index: uint32(k),
			Inputs: slices.Clone(inputs), Base: from.Base, Update: from.Update,
		}
		for _, batch := range batches {
			l, err := block.PutNode(ctx, b, batch)
			if err != nil {
				return nil, fmt.Errorf("store batch of unit %d: %w", k, err)
			}
			u.Inputs = append(u.Inputs, l)
		}
		units = append(units, u)
	}
	return units, nil
}

// Evaluations stores batches of the validation pairs and gives the units that
// measure the loss of the parameters in from.
func (p *Plan) Evaluations(ctx context.Context, b block.Blocks, r int, from State) ([]unit.Unit, error) {
	var units []unit.Unit
	for k, batch := range p.ValidBatches() {
		l, err := block.PutNode(ctx, b, batch)
		if err != nil {
			return nil, fmt.Errorf("store batch %d: %w", k, err)
		}
		units = append(units, unit.Unit{
			Version: 1, Kind: unit.Evaluate, Work: p.Link, Round: uint32(r), Index: uint32(k),
			Inputs: []block.Link{from.Params, l}, Base: from.Base, Update: from.Update,
		})
	}
	return units, nil
}

// Average gives the unit that averages sets of parameters into the model, after the
// last round.
func (p *Plan) Average(sets []block.Link) unit.Unit {
	return unit.Unit{Version: 1, Kind: unit.Average, Work: p.Link, Round: uint32(p.Rounds()), Inputs: sets}
}

// Combine gives the unit that combines round r, from the outputs of its units
// in index order.
func (p *Plan) Combine(r int, from State, outputs [][]block.Link) unit.Unit {
	inputs := append([]block.Link{from.Params, from.M, from.V}, slices.Concat(outputs...)...)
	return unit.Unit{Version: 1, Kind: unit.Combine, Work: p.Link, Round: uint32(r), Inputs: inputs}
}

// TestTranslations gives the units that translate the test sets with the model of the
// run, after the last round: for each set its units. Their index runs on from one set to
// the next, so that no two of them are of one place.
func (p *Plan) TestTranslations(ctx context.Context, b block.Blocks, m block.Link) ([][]unit.Unit, error) {
	var sets [][]unit.Unit
	index := uint32(0)
	for _, t := range p.Corpus.Tests {
		sources, _ := corpus.Sides(t.Pairs)
		units, err := model.Translations(ctx, b, p.Link, m, p.Tokenizer, sources, nil, unit.Greedy)
		if err != nil {
			return nil, fmt.Errorf("test set %s: %w", t.Name, err)
		}
		for i := range units {
			units[i].Round, units[i].Index = uint32(p.Rounds()), index
			index++
		}
		sets = append(sets, units)
	}
	return sets, nil
}

// validationTranslations stores a model with the parameters that round r left,
// and gives the units that translate the validation sources with it.
func (p *Plan) validationTranslations(ctx context.Context, b block.Blocks, r int, params block.Link, sources []string) ([]unit.Unit, error) {
	m, err := block.PutNode(ctx, b, p.Run.Result(params))
	if err != nil {
		return nil, fmt.Errorf("store model: %w", err)
	}
	units, err := model.Translations(ctx, b, p.Link, m, p.Tokenizer, sources, nil, unit.Greedy)
	for i := range units {
		units[i].Round = uint32(r)
	}
	return units, err
}
