package work

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
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

// modelConfig is config.json: the shape of the Transformer and its languages.
type modelConfig struct {
	Architecture string `json:"architecture"`
	Numerics     string `json:"numerics"`
	Source       string `json:"source"`
	Target       string `json:"target"`
	Vocab        uint32 `json:"vocab_size"`
	Dim          uint32 `json:"d_model"`
	FFN          uint32 `json:"ffn_dim"`
	Heads        uint32 `json:"attention_heads"`
	Encoder      uint32 `json:"encoder_layers"`
	Decoder      uint32 `json:"decoder_layers"`
	Pad          int    `json:"pad_token_id"`
	BOS          int    `json:"bos_token_id"`
	EOS          int    `json:"eos_token_id"`
}

const architecture = "transformer, pre-norm, sinusoidal positions, one embedding, ReLU"

// Translator is a model in memory, ready to translate.
type Translator struct {
	Model     Model
	Params    *tensor.Set // as the model's record names them
	Tokenizer *text.Tokenizer

	prepared *tensor.Set // of Prepare
}

// LoadModel reads a model and its parts from blocks.
func LoadModel(ctx context.Context, b block.Blocks, l block.Link) (*Translator, error) {
	m, err := ReadModel(ctx, b, l)
	if err != nil {
		return nil, err
	}
	t := &Translator{Model: m}
	if t.Tokenizer, err = readTokenizer(ctx, b, m.Tokenizer, int(m.Vocab)); err != nil {
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
	m := t.Model
	config, err := json.MarshalIndent(modelConfig{
		Architecture: architecture, Numerics: "ALIA-F32 v1", Source: m.Source, Target: m.Target,
		Vocab: m.Vocab, Dim: m.Dim, FFN: m.FFN, Heads: m.Heads, Encoder: m.Encoder, Decoder: m.Decoder,
		Pad: nmt.Pad, BOS: nmt.BOS, EOS: nmt.EOS,
	}, "", "  ")
	if err != nil {
		panic("work: " + err.Error()) // strings and numbers
	}
	return map[string][]byte{
		ParamsFile: EncodeSafetensors(t.Params), TokenizerFile: t.Tokenizer.JSON(), ConfigFile: append(config, '\n'),
	}
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
	if c.Architecture != architecture {
		return nil, fmt.Errorf("%s: architecture %q, this program knows %q", ConfigFile, c.Architecture, architecture)
	}
	t := &Translator{Model: Model{
		Version: 1, Source: c.Source, Target: c.Target, Vocab: c.Vocab,
		Dim: c.Dim, FFN: c.FFN, Heads: c.Heads, Encoder: c.Encoder, Decoder: c.Decoder,
	}}
	if err := t.Model.Shape().Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", ConfigFile, err)
	}
	if data, err = read(TokenizerFile); err != nil {
		return nil, err
	}
	if t.Tokenizer, err = text.Parse(data); err != nil {
		return nil, fmt.Errorf("%s: %w", TokenizerFile, err)
	}
	if t.Tokenizer.Pieces() != int(c.Vocab) {
		return nil, fmt.Errorf("%s has %d pieces, %s says %d", TokenizerFile, t.Tokenizer.Pieces(), ConfigFile, c.Vocab)
	}
	t.Model.Tokenizer = block.Link{Cid: block.Sum(block.Raw, data)}
	if data, err = read(ParamsFile); err != nil {
		return nil, err
	}
	if t.Params, err = DecodeSafetensors(data); err != nil {
		return nil, fmt.Errorf("%s: %w", ParamsFile, err)
	}
	if err := t.Model.Shape().Check(t.Params); err != nil {
		return nil, fmt.Errorf("%s: %w", ParamsFile, err)
	}
	t.Model.Params = SumSet(t.Params)
	return t, nil
}

// Put stores the model's parts and record, and gives its CID.
func (t *Translator) Put(ctx context.Context, b block.Blocks) (block.Link, error) {
	if _, err := PutSet(ctx, b, t.Params); err != nil {
		return block.Link{}, err
	}
	if _, err := b.Put(ctx, block.Raw, t.Tokenizer.JSON()); err != nil {
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
		len(t.Tokenizer.Encode(text.Normalize(segment))) <= maxSource
}

// Prepare makes what follows faster, for some milliseconds: in binary32 the
// results stay the same bits, in int8 they are another function of the model;
// see [nmt.Prepare].
func (t *Translator) Prepare(int8 bool) (err error) {
	t.prepared, err = nmt.Prepare(t.Model.Shape(), t.Params, int8)
	return err
}

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
