package model

import (
	"context"
	"fmt"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/unit"
)

// Translator is a model in memory, ready to translate.
type Translator struct {
	Head
	Params *tensor.Set // as the model's record names them

	prepared *tensor.Set // by Prepare or On; nil before
}

// Load reads a model and its parts from blocks.
func Load(ctx context.Context, b block.Blocks, l block.Link) (*Translator, error) {
	h, err := ReadHead(ctx, b, l)
	if err != nil {
		return nil, err
	}
	t := &Translator{Head: h}
	if t.Params, err = state.GetSetLike(ctx, b, h.Model.Params, h.Model.Config().Skeleton()); err != nil {
		return nil, fmt.Errorf("model %s: parameters: %w", l, err)
	}
	return t, nil
}

// NewTranslator joins the parts of a model. Languages and shape are those of m,
// and so is the form where the tokenizer's family has one; version and links are
// set here. It fails when the parts do not fit together.
func NewTranslator(m Model, params *tensor.Set, tok Tokenizer) (*Translator, error) {
	f, err := familyWith(m.Form, tok)
	if err != nil {
		return nil, err
	}
	m.Version = f.version
	if !f.form {
		m.Form = nmt.Form{}
	}
	if err := f.fits(m, tok); err != nil {
		return nil, err
	}
	if err := m.Config().Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", ConfigFile, err)
	}
	if err := m.Config().Check(params); err != nil {
		return nil, fmt.Errorf("%s: %w", ParamsFile, err)
	}
	if m.Tokenizer, err = f.put(context.Background(), nowhere{}, m, tok); err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	m.Params = state.SumSet(params)
	return &Translator{Head: Head{Model: m, Tokenizer: tok}, Params: params}, nil
}

// nowhere computes the CIDs of blocks and stores nothing.
type nowhere struct{}

// Put gives the CID of a block.
func (nowhere) Put(_ context.Context, c block.Codec, data []byte) (cid.Cid, error) {
	return block.Sum(c, data), nil
}

// Get finds nothing.
func (nowhere) Get(_ context.Context, c cid.Cid) ([]byte, error) {
	return nil, fmt.Errorf("%s: %w", c, block.ErrNotFound)
}

// Put stores the model's parts and record, and gives its CID.
func (t *Translator) Put(ctx context.Context, b block.Blocks) (block.Link, error) {
	if _, err := state.PutSet(ctx, b, t.Params); err != nil {
		return block.Link{}, err
	}
	if _, err := t.Model.family().put(ctx, b, t.Model, t.Tokenizer); err != nil {
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

// Prepare makes later translations on dev faster, and takes some milliseconds. In
// binary32 they stay the same, bit for bit. In int8 the model computes another
// function of the text: see [nmt.PrepareOn], which takes Params over.
func (t *Translator) Prepare(dev kernel.Device, int8 bool) (err error) {
	t.prepared, err = nmt.PrepareOn(dev, t.Model.Config(), t.Params, int8)
	return err
}

// On moves the parameters of later translations to the memory of dev.
func (t *Translator) On(dev kernel.Device) { t.prepared = t.Prepared().On(dev) }

// Prepared returns the parameters to translate with: those of Prepare and On, or
// Params.
func (t *Translator) Prepared() *tensor.Set {
	if t.prepared != nil {
		return t.prepared
	}
	return t.Params
}

// Translate translates segments with an engine for the model's shape, such as
// that of [Model.NewEngine].
func (t *Translator) Translate(e Engine, segments []string, d unit.Decoding) ([]string, error) {
	return t.TranslateText(e, unit.Text{Version: unit.Plain, Segments: segments}, d)
}

// TranslateText is [Translator.Translate] for a text that may have terms.
func (t *Translator) TranslateText(e Engine, in unit.Text, d unit.Decoding) ([]string, error) {
	out, _, _, err := TranslateSegments(e, t.Tokenizer, t.Prepared(), in, d)
	return out, err
}
