// Package model is a trained model: its record, its directory of files and its
// translations.
//
// A [Model] is the record that a model's CID names. [Load] reads a model from
// blocks and [Parse] from the files of a directory; both give a [Translator],
// which has the parameters in memory and translates segments.
//
//	t, err := model.Load(ctx, blocks, link)
//	out, err := t.Translate(engine, []string{"good morning"}, unit.Greedy)
package model

import (
	"context"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/nmt"
)

// Model is the record of a trained model (PROTOCOL.md, section 8.6); its CID
// is the model's name. It names no run: two runs that end with the same bits give
// the same model.
type Model struct {
	_              struct{} `cbor:",toarray"`
	Version        uint16
	Source, Target string
	nmt.Shape
	Vocab     uint32
	Params    block.Link // state.SetRecord
	Tokenizer block.Link // a raw block or a record: see the family of Version

	// Form is zero for models of version [VersionOurs]. For others it stands in
	// the record that Tokenizer names, not in this one.
	Form nmt.Form `cbor:"-"`
}

// Config is the model's Transformer, without dropout and smoothing.
func (m Model) Config() nmt.Config {
	c := m.Shape.Transformer(m.Vocab)
	c.Form = m.Form
	return c
}

// Read fetches and checks the record of a model.
func Read(ctx context.Context, b block.Blocks, l block.Link) (Model, error) {
	var m Model
	if err := block.GetNode(ctx, b, l, &m); err != nil {
		return Model{}, fmt.Errorf("model: %w", err)
	}
	f, err := familyOf(m.Version)
	if err == nil {
		err = f.complete(ctx, b, &m)
	}
	if err != nil {
		return Model{}, fmt.Errorf("model %s: %w", l, err)
	}
	if err := m.Config().Validate(); err != nil {
		return Model{}, fmt.Errorf("model %s: %w", l, err)
	}
	return m, nil
}
