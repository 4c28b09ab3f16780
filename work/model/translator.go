package model

import (
	"context"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// Tokenizer turns sentences into a model's tokens, none of them a mark, and
// back. It normalises them first, as the model's training did.
type Tokenizer interface {
	Source(sentence string) []int32
	Target(sentence string) []int32
	Decode(tokens []int32) string
	Pieces() int     // tokens are below it
	Names() []string // of the pieces, by token
}

// Translator is a model in memory, ready to translate.
type Translator struct {
	Model     Model
	Params    *tensor.Set // as the model's record names them
	Tokenizer Tokenizer

	prepared *tensor.Set // of Prepare
}

// LoadModel reads a model and its parts from blocks.
func Load(ctx context.Context, b block.Blocks, l block.Link) (*Translator, error) {
	m, err := Read(ctx, b, l)
	if err != nil {
		return nil, err
	}
	t := &Translator{Model: m}
	if t.Tokenizer, err = m.ReadTokenizer(ctx, b); err != nil {
		return nil, err
	}
	if t.Params, err = state.GetSet(ctx, b, m.Params); err != nil {
		return nil, err
	}
	if err := m.Config().Check(t.Params); err != nil {
		return nil, fmt.Errorf("model %s: %w", l, err)
	}
	return t, nil
}

// NewTranslator joins the parts of a model. Its languages and shape are m's, and
// so is its form where the tokenizer is another program's. It fails where the
// parts do not fit.
func NewTranslator(m Model, params *tensor.Set, tok Tokenizer) (*Translator, error) {
	switch tok := tok.(type) {
	case *text.BPE:
		if tok.Pieces() != int(m.Vocab) {
			return nil, fmt.Errorf("%s has %d pieces, %s says %d", TokenizerFile, tok.Pieces(), ConfigFile, m.Vocab)
		}
		m.Version, m.Form = 1, nmt.Form{}
		m.Tokenizer = block.Link{Cid: block.Sum(block.Raw, tok.JSON())}
	case *text.Marian:
		m.Version = 2
		if err := m.fits(tok); err != nil {
			return nil, err
		}
		var err error
		if m.Tokenizer, err = putForeign(context.Background(), nowhere{}, m.Form, tok.Files()); err != nil {
			return nil, err
		}
	}
	if err := m.Config().Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", ConfigFile, err)
	}
	if err := m.Config().Check(params); err != nil {
		return nil, fmt.Errorf("%s: %w", ParamsFile, err)
	}
	m.Params = state.SumSet(params)
	return &Translator{Model: m, Params: params, Tokenizer: tok}, nil
}

// Put stores the model's parts and record, and gives its CID.
func (t *Translator) Put(ctx context.Context, b block.Blocks) (block.Link, error) {
	if _, err := state.PutSet(ctx, b, t.Params); err != nil {
		return block.Link{}, err
	}
	var err error
	switch tok := t.Tokenizer.(type) {
	case *text.BPE:
		_, err = b.Put(ctx, block.Raw, tok.JSON())
	case *text.Marian:
		_, err = putForeign(ctx, b, t.Model.Form, tok.Files())
	}
	if err != nil {
		return block.Link{}, fmt.Errorf("store tokenizer: %w", err)
	}
	return block.PutNode(ctx, b, t.Model)
}

// ID is the model's CID.
func (t *Translator) ID() block.Link {
	data, err := block.Encode(t.Model)
	if err != nil {
		panic("model: a model that cannot be encoded: " + err.Error())
	}
	return block.Link{Cid: block.Sum(block.CBOR, data)}
}

// Fits reports whether a segment is translated whole, and not cut.
func (t *Translator) Fits(segment string) bool {
	return 12*len(segment) < maxSource || // no normalisation makes twelve bytes of one
		len(t.Tokenizer.Source(segment)) <= maxSource
}

// Prepare makes what follows faster, for some milliseconds: in binary32 the
// results stay the same bits, in int8 they are another function of the model;
// see [nmt.Prepare].
func (t *Translator) Prepare(int8 bool) (err error) {
	t.prepared, err = nmt.Prepare(t.Model.Config(), t.Params, int8)
	return err
}

// On has what follows done with parameters that lie where dev computes on them
// best. It comes after Prepare.
func (t *Translator) On(dev kernel.Device) { t.prepared = t.Prepared().On(dev) }

// Prepared is the parameters to translate with: those of Prepare, or Params.
func (t *Translator) Prepared() *tensor.Set {
	if t.prepared != nil {
		return t.prepared
	}
	return t.Params
}

// Translate translates segments on an engine of the model's shape.
func (t *Translator) Translate(e *nmt.Engine, segments []string, d unit.Decoding) ([]string, error) {
	out, _, _, err := TranslateSegments(e, t.Tokenizer, t.Prepared(), segments, d)
	return out, err
}
