// Package run is a training run: its record, its plan, its rounds and its log.
//
// A run is divided into rounds, and a round into units; a unit is the work of one
// machine. A [Record] names a corpus, a tokenizer and a configuration; the [Plan] of a
// run, which says what each unit reads, follows from them. A [Training] gives the units
// of each round to a crew (the machines that compute) and writes the log of the round, a
// [Round]. A verifier makes the same rounds by [Plan.DoRound] and compares the results.
//
// A run may begin with a model ([Continue]), and then train low-rank adapters of this model in
// the place of its parameters: train.Config.LoRA. The state after each round (adapters and
// optimiser) is small then. The model that the run validates, and gives at its end, is a whole
// one, with the adapters merged into its parameters.
//
//	plan, err := run.New(ctx, blocks, corpus, config)
//	t := &run.Training{Plan: plan, Store: blocks, Crew: crew, Home: crew, Done: done}
//	last, err := t.Run(ctx, block.Link{}) // last.Result: the parameters of the model
package run

import (
	"context"
	"errors"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// The versions of a run's record.
const (
	versionPlain   = 1 // the configuration ends in front of LoRA
	versionAdapted = 2 // the run trains adapters; the configuration ends in front of Arithmetic
	versionInt8    = 3 // the run has the arithmetic [train.Int8]
)

// Record is the record of a training run: PROTOCOL.md, section 8.4. Its CID is the
// run's name. Tokenizer, vocabulary and steps follow from corpus and configuration.
// They stand here so that a miner need not read the corpus.
type Record struct {
	_         struct{} `cbor:",toarray"`
	Version   uint16
	Config    train.Config
	Corpus    block.Link // CorpusRecord
	Tokenizer block.Link // raw: tokenizer.json
	Vocab     uint32     // pieces of that tokenizer
	Steps     uint32     // optimiser steps of the whole run
	// Base is the model whose parameters the run begins with, and whose tokenizer it has;
	// none, or one. Without it the run begins with parameters that its seed gives.
	Base []block.Link
	base model.Model `cbor:"-"` // that Base names, once it is read
}

// encodedRecord is a record as it is encoded, with a configuration that ends where that of its
// version ends.
type encodedRecord[C any] struct {
	_                 struct{} `cbor:",toarray"`
	Version           uint16
	Config            C
	Corpus, Tokenizer block.Link
	Vocab, Steps      uint32
	Base              []block.Link
}

// version is the version of a record with the configuration c.
func version(c train.Config) uint16 {
	switch {
	case c.Arithmetic != train.Binary32:
		return versionInt8
	case c.LoRA > 0:
		return versionAdapted
	}
	return versionPlain
}

// shortened is c as a record or a function encodes it: without the last fields, where these say
// nothing. So a run has the name that it had before the fields were there.
func shortened(c train.Config) any {
	switch version(c) {
	case versionPlain:
		return c.PlainConfig
	case versionAdapted:
		return c.AdaptedConfig
	}
	return c
}

// MarshalCBOR is the encoding of an array, with the configuration shortened.
func (r Record) MarshalCBOR() ([]byte, error) {
	return block.Encode(encodedRecord[any]{
		Version: r.Version, Config: shortened(r.Config), Corpus: r.Corpus, Tokenizer: r.Tokenizer, Vocab: r.Vocab, Steps: r.Steps, Base: r.Base,
	})
}

// UnmarshalCBOR reads an array. [Read] says whether it has the fields of its version.
func (r *Record) UnmarshalCBOR(data []byte) error {
	plain := func(c train.PlainConfig) train.Config { return adapted(train.AdaptedConfig{PlainConfig: c}) }
	err := decodeRecord(r, data, plain)
	if err == nil || decodeRecord(r, data, adapted) == nil || decodeRecord(r, data, whole) == nil {
		return nil
	}
	return err
}

// decodeRecord reads an array whose configuration is a C, which lengthen makes whole.
func decodeRecord[C any](r *Record, data []byte, lengthen func(C) train.Config) error {
	var e encodedRecord[C]
	if err := block.Decode(data, &e); err != nil {
		return err
	}
	*r = Record{
		Version: e.Version, Config: lengthen(e.Config), Corpus: e.Corpus, Tokenizer: e.Tokenizer, Vocab: e.Vocab, Steps: e.Steps, Base: e.Base,
	}
	return nil
}

func adapted(c train.AdaptedConfig) train.Config {
	return train.Config{AdaptedConfig: c, Arithmetic: train.Binary32}
}

func whole(c train.Config) train.Config { return c }

// Read fetches and checks the record of a run.
func Read(ctx context.Context, b block.Blocks, l block.Link) (Record, error) {
	var r Record
	if err := block.GetNode(ctx, b, l, &r); err != nil {
		return Record{}, fmt.Errorf("run: %w", err)
	}
	if want := version(r.Config); r.Version != want {
		return Record{}, fmt.Errorf("run %s: version %d with adapters of rank %d and arithmetic %.64q, want version %d", l, r.Version, r.Config.LoRA, r.Config.Arithmetic, want)
	}
	if err := r.readBase(ctx, b); err != nil {
		return Record{}, fmt.Errorf("run %s: %w", l, err)
	}
	// The vocabulary of a model to begin with may be smaller than any that we make.
	if r.Vocab < text.MinPieces && len(r.Base) == 0 || r.Vocab > r.Config.Pieces {
		return Record{}, fmt.Errorf("run %s: vocabulary of %d, configured for at most %d", l, r.Vocab, r.Config.Pieces)
	}
	if err := r.Config.Validate(); err != nil {
		return Record{}, fmt.Errorf("run %s: %w", l, err)
	}
	if r.Config.LoRA > 0 && len(r.Base) == 0 {
		return Record{}, fmt.Errorf("run %s: %w", l, errNoBase)
	}
	if r.Config.Measure == "" {
		return Record{}, fmt.Errorf("run %s: it does not say by what validations are compared", l)
	}
	return r, nil
}

// readBase reads the record of the model that the run begins with, and holds the run's
// record to it.
func (r *Record) readBase(ctx context.Context, b block.Blocks) error {
	switch len(r.Base) {
	case 0:
		return nil
	case 1:
	default:
		return fmt.Errorf("%d models to begin with, want one at most", len(r.Base))
	}
	m, err := model.Read(ctx, b, r.Base[0])
	if err != nil {
		return fmt.Errorf("the model to begin with: %w", err)
	}
	if m.Shape != r.Config.Shape || m.Vocab != r.Vocab || m.Tokenizer != r.Tokenizer {
		return fmt.Errorf("size %+v, vocabulary of %d and tokenizer %s are not those of the model to begin with, %s", r.Config.Shape, r.Vocab, r.Tokenizer, r.Base[0])
	}
	if err := trainable(m, r.Base[0]); err != nil {
		return err
	}
	r.base = m
	return nil
}

// trainable refuses a model of a form that runs do not train.
func trainable(m model.Model, link block.Link) error {
	what := ""
	switch {
	case m.Form.Recurrent:
		what = "its decoder is recurrent (SSRU)"
	case m.Form.SourceVocab > 0:
		what = "its source has a vocabulary of its own"
	default:
		return nil
	}
	return fmt.Errorf("model %s cannot be trained further: %s, and such a model is only translated with", link, what)
}

// Kind is the kind of the units that learn in a round, counted from 0.
func (r Record) Kind(round int) unit.Kind {
	if r.Config.Local(round) {
		return unit.LocalSteps
	}
	return unit.Gradient
}

// Model is the Transformer the run trains.
func (r Record) Model() nmt.Config {
	c := r.Config.Model(int(r.Vocab))
	c.Form = r.base.Form
	c.Still = len(r.Base) > 0 && c.Form.Positions == nmt.Timescales // the base is of the kind of Marian
	return c
}

// SetForm is the form of a set of tensors.
type SetForm interface {
	// Check returns an error unless s has the names, shapes and types of the form.
	Check(s *tensor.Set) error
	// Skeleton returns a set of the form whose tensors have no storage.
	Skeleton() *tensor.Set
	// Elements returns the number of elements of all tensors together.
	Elements() uint64
}

// Trained is the form of what the run trains: adapters, or else all parameters of its model.
func (r Record) Trained() SetForm {
	if r.Config.LoRA > 0 {
		return r.adapters()
	}
	return r.Model()
}

func (r Record) adapters() nmt.Adapters {
	return nmt.Adapters{Model: r.Model(), Rank: int(r.Config.LoRA)}
}

// errNoBase is the error of a run that trains adapters of nothing.
var errNoBase = errors.New("adapters (lora) without a model to begin with: name the model, or train a whole one")

// BaseParams is the parameters of the model that the run begins with. A run that trains
// adapters reads them in every round.
func (r Record) BaseParams() block.Link { return r.base.Params }

// Result is the record of the model that the run gives, with the parameters
// params.
func (r Record) Result(params block.Link) model.Model {
	c := r.Config
	if len(r.Base) > 0 {
		m := r.base
		m.Source, m.Target, m.Params = c.Source, c.Target, params
		return m
	}
	return model.Model{
		Version: model.VersionOurs, Source: c.Source, Target: c.Target,
		Shape: c.Shape, Vocab: r.Vocab,
		Params: params, Tokenizer: r.Tokenizer,
	}
}
