package run

import (
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/unit"
)

// What the units of a plan read beside parameters.

// Batches gives the batches of the units of round r: for each unit, in index order, those
// of its steps in sequence.
func (p *Plan) Batches(r int) ([][]BatchRecord, error) {
	var units [][]BatchRecord
	for _, batches := range p.schedule.Round(r) {
		var records []BatchRecord
		for _, pairs := range batches {
			batch := BatchRecord{Version: 1, Source: make([][]uint32, len(pairs)), Target: make([][]uint32, len(pairs))}
			for at, i := range pairs {
				var err error
				if batch.Source[at], batch.Target[at], err = p.pairs.at(i); err != nil {
					return nil, err
				}
			}
			records = append(records, batch)
		}
		units = append(units, records)
	}
	return units, nil
}

// ValidBatches gives the batches of the units that evaluate after a round: the validation
// pairs, but for those that are too long for one.
func (p *Plan) ValidBatches() []BatchRecord {
	var batches []BatchRecord
	tokens, budget := 0, int(p.Run.Config.BatchTokens)
	// A batch takes pairs until the next would exceed its tokens.
	for _, pair := range p.Corpus.Valid {
		s, t := unsigned(p.Tokenizer.Source(pair.Source)), unsigned(p.Tokenizer.Target(pair.Target))
		if l := (corpus.Length{Source: len(s) + 1, Target: len(t) + 1}); !l.Fits(budget) {
			continue
		}
		n := max(len(s), len(t)) + 1
		if len(batches) == 0 || tokens+n > budget {
			batches, tokens = append(batches, BatchRecord{Version: 1}), 0
		}
		batch := &batches[len(batches)-1]
		batch.Source, batch.Target = append(batch.Source, s), append(batch.Target, t)
		tokens += n
	}
	return batches
}

// ValidTexts gives the texts of the units that translate after a round: the validation
// sources.
func (p *Plan) ValidTexts() []unit.Text { return p.texts(p.Corpus.Valid) }

// TestTexts gives the texts of the units that translate after the last round: the sources
// of one test set after the other.
func (p *Plan) TestTexts() (all []unit.Text) {
	for _, t := range p.Corpus.Tests {
		all = append(all, p.texts(t.Pairs)...)
	}
	return all
}

func (p *Plan) texts(pairs []corpus.Pair) []unit.Text {
	sources, _ := corpus.Sides(pairs)
	return model.Cut(p.Tokenizer, sources)
}
