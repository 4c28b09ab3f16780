package run

import (
	"context"
	"fmt"
	"slices"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// Plan is all that a run will do, known before the run begins: the tokens of its
// corpus, and which of them each unit reads. Everyone who has the run's record
// and its corpus makes the same plan.
type Plan struct {
	Link     block.Link // of the run's record
	Run      Record
	Corpus   *corpus.Corpus // without its training pairs
	text     *text.BPE
	schedule *train.BatchSchedule
	source   sequences // of the training pairs
	target   sequences
}

// sequences are sequences of tokens, one after another. A slice for each would be tens
// of thousands of pointers, which every garbage collection of a long run follows.
type sequences struct {
	tokens []uint32
	ends   []int
}

func (s *sequences) add(tokens []int32) {
	s.tokens = append(s.tokens, unsigned(tokens)...)
	s.ends = append(s.ends, len(s.tokens))
}

func (s *sequences) at(i int) []uint32 {
	begin := 0
	if i > 0 {
		begin = s.ends[i-1]
	}
	return s.tokens[begin:s.ends[i]:s.ends[i]]
}

// New trains the tokenizer of a new run, stores the run's record, its
// corpus and its tokenizer, and makes its plan.
func New(ctx context.Context, b block.Blocks, c *corpus.Corpus, cfg train.Config) (*Plan, error) {
	cfg.Source, cfg.Target = c.Source, c.Target
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	tok, err := text.Train(corpus.Lines(c.Train), int(cfg.Pieces))
	if err != nil {
		return nil, fmt.Errorf("train tokenizer: %w", err)
	}
	// The record names corpus, tokenizer and steps, so that a miner need not
	// find them again.
	run := Record{Version: 1, Config: cfg, Vocab: uint32(tok.Pieces())}
	if run.Corpus, err = PutCorpus(ctx, b, c); err != nil {
		return nil, err
	}
	raw, err := b.Put(ctx, block.Raw, tok.JSON())
	if err != nil {
		return nil, fmt.Errorf("store tokenizer: %w", err)
	}
	run.Tokenizer = block.Link{Cid: raw}
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
	tok, err := model.ReadBPE(ctx, b, run.Tokenizer, run.Vocab)
	if err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", run.Tokenizer, err)
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
func newPlan(run Record, c *corpus.Corpus, tok *text.BPE) (*Plan, error) {
	p := &Plan{Run: run, Corpus: &corpus.Corpus{Source: c.Source, Target: c.Target, Valid: c.Valid, Tests: c.Tests}, text: tok}
	var lengths []corpus.Length
	for _, pair := range c.Train {
		s, t := tok.Encode(pair.Source), tok.Encode(pair.Target)
		p.source.add(s)
		p.target.add(t)
		lengths = append(lengths, corpus.Length{Source: len(s) + 1, Target: len(t) + 1})
	}
	var err error
	p.schedule, err = train.NewBatchSchedule(run.Config, lengths)
	return p, err
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
	for k, batches := range p.schedule.Round(r) {
		u := unit.Unit{
			Version: 1, Kind: kind, Work: p.Link, Round: uint32(r), Index: uint32(k),
			Inputs: slices.Clone(inputs), Base: from.Base, Update: from.Update,
		}
		for _, pairs := range batches {
			batch := BatchRecord{Version: 1}
			for _, i := range pairs {
				batch.Source, batch.Target = append(batch.Source, p.source.at(i)), append(batch.Target, p.target.at(i))
			}
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
// measure the loss of the parameters in from. Pairs longer than a batch are left
// out.
func (p *Plan) Evaluations(ctx context.Context, b block.Blocks, r int, from State) ([]unit.Unit, error) {
	var units []unit.Unit
	var batch BatchRecord
	tokens, budget := 0, int(p.Run.Config.BatchTokens)
	// flush makes a unit of the batch so far.
	flush := func() error {
		if len(batch.Source) == 0 {
			return nil
		}
		batch.Version = 1
		l, err := block.PutNode(ctx, b, batch)
		if err != nil {
			return fmt.Errorf("store batch %d: %w", len(units), err)
		}
		units = append(units, unit.Unit{
			Version: 1, Kind: unit.Evaluate, Work: p.Link, Round: uint32(r), Index: uint32(len(units)),
			Inputs: []block.Link{from.Params, l}, Base: from.Base, Update: from.Update,
		})
		batch, tokens = BatchRecord{}, 0
		return nil
	}
	// A batch takes pairs until the next would exceed its tokens.
	for _, pair := range p.Corpus.Valid {
		s, t := unsigned(p.text.Encode(pair.Source)), unsigned(p.text.Encode(pair.Target))
		n := max(len(s), len(t)) + 1
		if n > budget {
			continue
		}
		if tokens+n > budget {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		batch.Source, batch.Target = append(batch.Source, s), append(batch.Target, t)
		tokens += n
	}
	return units, flush()
}

// Combine gives the unit that combines round r, from the outputs of its units
// in index order.
func (p *Plan) Combine(r int, from State, outputs [][]block.Link) unit.Unit {
	inputs := append([]block.Link{from.Params, from.M, from.V}, slices.Concat(outputs...)...)
	return unit.Unit{Version: 1, Kind: unit.Combine, Work: p.Link, Round: uint32(r), Inputs: inputs}
}

// validationTranslations stores a model with the parameters that round r left,
// and gives the units that translate the validation sources with it.
func (p *Plan) validationTranslations(ctx context.Context, b block.Blocks, r int, params block.Link, sources []string) ([]unit.Unit, error) {
	m, err := block.PutNode(ctx, b, p.Run.Result(params))
	if err != nil {
		return nil, fmt.Errorf("store model: %w", err)
	}
	units, err := model.Translations(ctx, b, p.Link, m, p.text, sources, unit.Greedy)
	for i := range units {
		units[i].Round = uint32(r)
	}
	return units, err
}
