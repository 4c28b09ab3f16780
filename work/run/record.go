// Package run is a training run: its record, its plan, its rounds and its log.
//
// A [Record] names a corpus, a tokenizer and a configuration; the [Plan] of a
// run follows from them. A [Training] has the units of each round done by a
// crew and writes the log of the round, a [Round]. A verifier makes the same rounds
// by [Plan.Conduct] and compares the results.
//
//	plan, err := run.New(ctx, blocks, corpus, config)
//	t := &run.Training{Plan: plan, Store: blocks, Crew: crew, Home: crew, Done: done}
//	last, err := t.Run(ctx, block.Link{}) // last.Result: the parameters of the model
package run

import (
	"context"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
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
}

// Read fetches and checks the record of a run.
func Read(ctx context.Context, b block.Blocks, l block.Link) (Record, error) {
	var r Record
	if err := block.GetNode(ctx, b, l, &r); err != nil {
		return Record{}, fmt.Errorf("run: %w", err)
	}
	if err := unit.CheckVersion(fmt.Sprintf("run %s", l), r.Version); err != nil {
		return Record{}, err
	}
	if r.Vocab < text.MinPieces || r.Vocab > r.Config.Pieces {
		return Record{}, fmt.Errorf("run %s: vocabulary of %d, configured for at most %d", l, r.Vocab, r.Config.Pieces)
	}
	if err := r.Config.Validate(); err != nil {
		return Record{}, fmt.Errorf("run %s: %w", l, err)
	}
	return r, nil
}

// Kind is the kind of the units that learn in a round, counted from 0.
func (r Record) Kind(round int) unit.Kind {
	if r.Config.Local(round) {
		return unit.LocalSteps
	}
	return unit.Gradient
}

// Model is the Transformer the run trains.
func (r Record) Model() nmt.Config { return r.Config.Model(int(r.Vocab)) }

// Result is the record of the model that the run gives, with the parameters
// params.
func (r Record) Result(params block.Link) model.Model {
	c := r.Config
	return model.Model{
		Version: model.VersionOurs, Source: c.Source, Target: c.Target,
		Shape: c.Shape, Vocab: r.Vocab,
		Params: params, Tokenizer: r.Tokenizer,
	}
}
