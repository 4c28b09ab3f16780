package work

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/text"
)

// The files of a model's directory.
const (
	ParamsFile    = "model.safetensors"
	TokenizerFile = "tokenizer.json"
	ConfigFile    = "config.json"
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

// modelConfig is config.json: the shape of the Transformer and its languages.
type modelConfig struct {
	Architecture string      `json:"architecture"`
	Numerics     string      `json:"numerics"`
	Source       string      `json:"source"`
	Target       string      `json:"target"`
	Vocab        uint32      `json:"vocab_size"`
	Dim          uint32      `json:"d_model"`
	FFN          uint32      `json:"ffn_dim"`
	Heads        uint32      `json:"attention_heads"`
	Encoder      uint32      `json:"encoder_layers"`
	Decoder      uint32      `json:"decoder_layers"`
	Pad          int32       `json:"pad_token_id"`
	BOS          int32       `json:"bos_token_id"`
	EOS          int32       `json:"eos_token_id"`
	Form         *formConfig `json:"form,omitempty"` // of a model from another program
}

const architecture = "transformer, pre-norm, sinusoidal positions, one embedding, ReLU"

// Translator is a model in memory, ready to translate.
type Translator struct {
	Model     Model
	Params    *tensor.Set // as the model's record names them
	Tokenizer Tokenizer

	prepared *tensor.Set // of Prepare
}

// LoadModel reads a model and its parts from blocks.
func LoadModel(ctx context.Context, b block.Blocks, l block.Link) (*Translator, error) {
	m, err := ReadModel(ctx, b, l)
	if err != nil {
		return nil, err
	}
	t := &Translator{Model: m}
	if t.Tokenizer, err = m.tokenizer(ctx, b); err != nil {
		return nil, err
	}
	if t.Params, err = GetSet(ctx, b, m.Params); err != nil {
		return nil, err
	}
	if err := m.Shape().Check(t.Params); err != nil {
		return nil, fmt.Errorf("model %s: %w", l, err)
	}
	return t, nil
}

// Files gives the model's directory: the contents of each of its files.
func (t *Translator) Files() map[string][]byte {
	m, marks := t.Model, t.Model.Shape().Tokens()
	c := modelConfig{
		Architecture: architecture, Numerics: "ALIA-F32 v1", Source: m.Source, Target: m.Target,
		Vocab: m.Vocab, Dim: m.Dim, FFN: m.FFN, Heads: m.Heads, Encoder: m.Encoder, Decoder: m.Decoder,
		Pad: marks.Pad, BOS: marks.BOS, EOS: marks.EOS,
	}
	files := map[string][]byte{ParamsFile: EncodeSafetensors(t.Params)}
	switch tok := t.Tokenizer.(type) {
	case *text.BPE:
		files[TokenizerFile] = tok.JSON()
	case *text.Marian:
		c.Architecture, c.Form = foreignArchitecture, configOf(m.Form)
		f := tok.Files()
		files[SourceFile], files[TargetFile], files[VocabFile] = f.Source, f.Target, f.Vocab
	}
	config, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		panic("work: " + err.Error()) // strings and numbers
	}
	files[ConfigFile] = append(config, '\n')
	return files
}

// ParseModel reads a model from the contents of its directory's files, which
// read gives by name. The parameters share their file's memory.
func ParseModel(read func(name string) ([]byte, error)) (*Translator, error) {
	data, err := read(ConfigFile)
	if err != nil {
		return nil, err
	}
	var c modelConfig
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", ConfigFile, err)
	}
	m := Model{
		Source: c.Source, Target: c.Target, Vocab: c.Vocab,
		Dim: c.Dim, FFN: c.FFN, Heads: c.Heads, Encoder: c.Encoder, Decoder: c.Decoder,
	}
	parseTokenizer := parseOurs
	switch {
	case c.Architecture == architecture && c.Form == nil:
	case c.Architecture == foreignArchitecture && c.Form != nil:
		parseTokenizer = parseForeign
		if m.Form, err = c.form(); err != nil {
			return nil, fmt.Errorf("%s: %w", ConfigFile, err)
		}
	default:
		return nil, fmt.Errorf("%s: architecture %q, this program knows %q, and %q with a form", ConfigFile, c.Architecture, architecture, foreignArchitecture)
	}
	if err := m.Shape().Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", ConfigFile, err)
	}
	tok, err := parseTokenizer(read)
	if err != nil {
		return nil, err
	}
	if data, err = read(ParamsFile); err != nil {
		return nil, err
	}
	params, err := DecodeSafetensors(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ParamsFile, err)
	}
	return NewTranslator(m, params, tok)
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
	if err := m.Shape().Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", ConfigFile, err)
	}
	if err := m.Shape().Check(params); err != nil {
		return nil, fmt.Errorf("%s: %w", ParamsFile, err)
	}
	m.Params = SumSet(params)
	return &Translator{Model: m, Params: params, Tokenizer: tok}, nil
}

// parseOurs reads the tokenizer of a model of ours.
func parseOurs(read func(name string) ([]byte, error)) (Tokenizer, error) {
	data, err := read(TokenizerFile)
	if err != nil {
		return nil, err
	}
	tok, err := text.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", TokenizerFile, err)
	}
	return tok, nil
}

// Put stores the model's parts and record, and gives its CID.
func (t *Translator) Put(ctx context.Context, b block.Blocks) (block.Link, error) {
	if _, err := PutSet(ctx, b, t.Params); err != nil {
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
		panic("work: a model that cannot be encoded: " + err.Error())
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
	t.prepared, err = nmt.Prepare(t.Model.Shape(), t.Params, int8)
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
func (t *Translator) Translate(e *nmt.Engine, segments []string, d Decoding) ([]string, error) {
	out, _, _, err := TranslateSegments(e, t.Tokenizer, t.Prepared(), segments, d)
	return out, err
}
