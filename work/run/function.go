package run

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/train"
)

// function is what the results of a run's rounds depend on, and nothing else. Two runs with
// the same function do the same work in the rounds that both have, whatever their records
// are.
//
// The converse does not hold. Two runs of different functions can still do the same work for
// some rounds: a limit of the norm that no gradient reaches changes nothing, and neither does
// the decay before the warm-up ends. Only the parameters that a round gives tell.
type function struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Config  train.Config // as learning leaves it
	Vocab   uint32
	Steps   uint32     // 0 where no learning rate depends on it
	First   block.Link // the parameters that the run begins with
	// Form is the form of the model. Every default is written out, so two spellings of a form
	// are one.
	Form model.WideRecord
	// Pairs is the SHA-256 of the training pairs as tokens, each the canonical bytes of a
	// batch of one. With it, a tokenizer or a corpus that only looks different is the same:
	// another file of the same merges, other test sets, or pairs too long to be read.
	Pairs [sha256.Size]byte
}

// MarshalCBOR is the encoding of an array, with the configuration shortened as in a [Record].
func (f function) MarshalCBOR() ([]byte, error) {
	return block.Encode(struct {
		_            struct{} `cbor:",toarray"`
		Version      uint16
		Config       any
		Vocab, Steps uint32
		First        block.Link
		Form         model.WideRecord
		Pairs        [sha256.Size]byte
	}{Version: f.Version, Config: shortened(f.Config), Vocab: f.Vocab, Steps: f.Steps, First: f.First, Form: f.Form, Pairs: f.Pairs})
}

// Function names the work that the rounds of the plan do. Plans with the same function have
// the same results in the rounds that both have.
func (p *Plan) Function() (block.Link, error) {
	f := function{Version: 1, Config: p.learning(), Vocab: p.Run.Vocab, Steps: p.Run.Steps}
	if !f.Config.NeedsSteps() {
		f.Steps = 0
	}
	// A run without a base begins with the parameters that its seed gives. A run whose base has
	// those parameters does the same work.
	c := p.Run.Model()
	if f.First = p.Run.base.Params; len(p.Run.Base) == 0 {
		f.First = state.SumSet(nmt.Init(c, p.Run.Config.Seed))
	}
	f.Form = model.FormOf(c)
	h := sha256.New()
	for i := range p.pairs.len() {
		s, t, err := p.pairs.at(i)
		if err != nil {
			return block.Link{}, err
		}
		if !p.pairs.lengths[i].Fits(int(p.Run.Config.BatchTokens)) {
			continue // no unit reads it
		}
		data, err := block.Encode(BatchRecord{Version: 1, Source: [][]uint32{s}, Target: [][]uint32{t}})
		if err != nil {
			return block.Link{}, fmt.Errorf("training pair %d: %w", i, err)
		}
		h.Write(data)
	}
	h.Sum(f.Pairs[:0])
	data, err := block.Encode(f)
	return block.Link{Cid: block.Sum(block.CBOR, data)}, err
}

// learning is the configuration without the fields that change no result of a round.
func (p *Plan) learning() train.Config {
	c := p.Run.Config
	c.Source, c.Target = "", "" // names
	c.Pieces = 0                // what was asked for: the vocabulary says what there is
	// How far a run goes does not change the rounds on the way, but for the learning
	// rates that NeedsSteps speaks of.
	c.Epochs, c.Rounds = 0, 0
	// When parameters are measured, and which of them become the model, is of no
	// influence on the rounds, and neither is what is kept.
	c.Validation, c.Patience, c.Average, c.Checkpoint = 0, 0, 0, 0
	c.Measure = ""
	// A run without local steps never reads the settings of those. A lead ends once and
	// for all, so no round takes local steps if the one after the last would not. That one
	// counts: the last combine prepares it.
	if !c.Local(p.Rounds()) {
		c.LocalSteps, c.Lead, c.OuterRatePPM, c.OuterMomentumPPM = 1, 0, 0, 0
	}
	return c
}

// Repeated finds two training pairs that are the same, counted from 0, if there are any: the
// first pair that repeats another.
func (p *Plan) Repeated() (first, second int, found bool, err error) {
	seen := make(map[pairKey]int, p.pairs.len())
	for i := range p.pairs.len() {
		s, t, err := p.pairs.at(i)
		if err != nil {
			return 0, 0, false, err
		}
		key := keyOf(s, t)
		if j, again := seen[key]; again {
			return j, i, true, nil
		}
		seen[key] = i
	}
	return 0, 0, false, nil
}

// pairKey is half a SHA-256 of a pair's tokens: many pairs take little memory.
type pairKey [16]byte

// keyOf is the key of a pair: of the number of source tokens, the source tokens and the target
// tokens, each as a little-endian uint32.
func keyOf(source, target []uint32) pairKey {
	data := make([]byte, 0, 4*(1+len(source)+len(target)))
	data = binary.LittleEndian.AppendUint32(data, uint32(len(source)))
	for _, tokens := range [][]uint32{source, target} {
		for _, token := range tokens {
			data = binary.LittleEndian.AppendUint32(data, token)
		}
	}
	sum := sha256.Sum256(data)
	return pairKey(sum[:16])
}
