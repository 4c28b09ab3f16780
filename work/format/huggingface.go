package format

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/text"
)

// Two architectures of Hugging Face's transformers are Transformers as package nmt
// has them, with the same names of parameters. MarianMT (modeling_marian.py) has
// norms after its sub-layers and a bias of the logits. Pegasus (modeling_pegasus.py)
// has norms before its sub-layers and after its stacks, as models of this program
// do. Both add sinusoids with our frequencies, but all sines first. So the columns
// of our residual stream are exchanged, which does not change the function.

// hfConfig is config.json of MarianMT and Pegasus.
type hfConfig struct {
	Architectures  []string `json:"architectures"`
	ModelType      string   `json:"model_type"`
	Vocab          int      `json:"vocab_size"`
	DecoderVocab   int      `json:"decoder_vocab_size,omitempty"`
	Dim            int      `json:"d_model"`
	Encoder        int      `json:"encoder_layers"`
	Decoder        int      `json:"decoder_layers"`
	EncoderFFN     int      `json:"encoder_ffn_dim"`
	DecoderFFN     int      `json:"decoder_ffn_dim"`
	EncoderHeads   int      `json:"encoder_attention_heads"`
	DecoderHeads   int      `json:"decoder_attention_heads"`
	Activation     string   `json:"activation_function"`
	Scaled         bool     `json:"scale_embedding"`
	Positions      int      `json:"max_position_embeddings"`
	Static         *bool    `json:"static_position_embeddings"`
	NormBefore     *bool    `json:"normalize_before"`
	NormEmbedding  bool     `json:"normalize_embedding"`
	FinalNorm      *bool    `json:"add_final_layer_norm"`
	ShareEmbedding *bool    `json:"share_encoder_decoder_embeddings,omitempty"`
	Tied           *bool    `json:"tie_word_embeddings"`
	Pad            int32    `json:"pad_token_id"`
	BOS            *int32   `json:"bos_token_id"`
	EOS            int32    `json:"eos_token_id"`
	Start          int32    `json:"decoder_start_token_id"`
	ForcedEOS      *int32   `json:"forced_eos_token_id"`
	Dropout        float32  `json:"dropout"`
	AttnDropout    float32  `json:"attention_dropout"`
	ActDropout     float32  `json:"activation_dropout"`
	EncoderDecoder bool     `json:"is_encoder_decoder"`
	Type           string   `json:"torch_dtype,omitempty"`
	AutoMap        any      `json:"auto_map,omitempty"`
	Quantised      any      `json:"quantization_config,omitempty"`
	Blender        bool     `json:"do_blenderbot_90_layernorm,omitempty"`
}

// The files of a directory of Hugging Face's transformers.
const (
	hfConfigFile     = "config.json"
	hfWeightsFile    = "model.safetensors"
	hfPickleFile     = "pytorch_model.bin"
	hfTokenizerFile  = "tokenizer_config.json"
	hfGenerationFile = "generation_config.json"
)

const (
	hfMarian  = "marian"
	hfPegasus = "pegasus"

	hfEncoderPositions = "model.encoder.embed_positions.weight"
	hfDecoderPositions = "model.decoder.embed_positions.weight"
	hfEmbedding        = "model.shared.weight"
	hfDecoderEmbedding = "model.decoder.embed_tokens.weight"
	hfEncoderEmbedding = "model.encoder.embed_tokens.weight"
	hfBias             = "final_logits_bias"
)

// hfCopies are further names of the embedding.
var hfCopies = []string{"lm_head.weight", hfDecoderEmbedding, hfEncoderEmbedding}

// twoParam is hfParam where each side has an embedding of its own.
func twoParam(s nmt.ParamShape) foreignParam {
	switch s.Name {
	case "embedding.weight":
		return foreignParam{name: hfDecoderEmbedding}
	case "encoder.embedding.weight":
		return foreignParam{name: hfEncoderEmbedding}
	}
	return hfParam(s)
}

// hfParam is how transformers name and shape a parameter.
func hfParam(s nmt.ParamShape) foreignParam {
	stack, layer, sub, part, kind := split(s.Name)
	if stack == "" {
		if sub == "output" {
			return foreignParam{name: hfBias, shape: []int{1, s.Dims[0]}}
		}
		return foreignParam{name: hfEmbedding}
	}
	name := "model." + stack
	if layer < 0 {
		return foreignParam{name: name + ".layer_norm." + kind}
	}
	attention := map[string]string{"self": "self_attn", "cross": "encoder_attn"}[sub]
	name += fmt.Sprintf(".layers.%d.", layer)
	switch {
	case sub == "ffn":
		name += map[string]string{"norm": "final_layer_norm", "up": "fc1", "down": "fc2"}[part]
	case part == "norm":
		name += attention + "_layer_norm"
	default:
		name += attention + "." + part + "_proj"
	}
	return foreignParam{name: name + "." + kind, transposed: len(s.Dims) == 2}
}

// importHuggingFace reads a model of MarianMT, or one that exportHuggingFace wrote.
func importHuggingFace(read ReadFile, p pair) (*model.Translator, error) {
	data, err := read(hfConfigFile)
	if err != nil {
		return nil, err
	}
	c := hfConfig{ModelType: "none", Activation: "gelu"} // as the programs' own defaults
	var tok model.Tokenizer                              // where the form depends on it
	if err := parseJSON(hfConfigFile, data, &c); err != nil {
		return nil, err
	}
	switch {
	case c.AutoMap != nil:
		err = errors.New("it needs code of its author: auto_map")
	case c.Quantised != nil:
		err = errors.New("its parameters are quantised: quantization_config")
	case c.Blender:
		err = errors.New("its embeddings are normalised: do_blenderbot_90_layernorm is true")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", hfConfigFile, err)
	}
	if c.ModelType == hfM2M {
		return c.importM2M(read, p)
	}
	if c.two() {
		if tok, err = model.ParseTwo(read); err != nil {
			return nil, err
		}
	}
	shape, err := c.shape(tok)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", hfConfigFile, err)
	}
	weights, file, err := readWeights(read)
	if err != nil {
		return nil, err
	}
	at, embedding, copies := hfParam, hfEmbedding, hfCopies
	if c.two() {
		at, embedding, copies = twoParam, hfDecoderEmbedding, hfCopies[:1]
	}
	if weights, err = oneEmbedding(weights, embedding, copies); err == nil {
		err = c.checkConstants(weights, shape)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	// Tensors that repeat a constant or the embedding are checked above.
	spare := append([]string{hfEncoderPositions, hfDecoderPositions}, hfCopies...)
	if !shape.OutputBias {
		spare = append(spare, hfBias)
	}
	params, err := gather(shape, weights, at, spare...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c.translator(shape, params, tok, read)
}

// shape is the Transformer that c describes. It fails where package nmt has none
// such.
func (c *hfConfig) shape(tok model.Tokenizer) (nmt.Config, error) {
	no, yes := func(b *bool) bool { return b != nil && !*b }, func(b *bool) bool { return b != nil && *b }
	form := nmt.Form{Positions: nmt.Halves, Unscaled: !c.Scaled, Marks: nmt.Marks{Pad: c.Pad, BOS: c.Start, EOS: c.EOS}}
	// The architecture decides norms and bias.
	switch c.ModelType {
	case hfMarian:
		form.PostNorm, form.OutputBias = true, true
	case hfPegasus:
	default:
		return nmt.Config{}, fmt.Errorf("model_type %.200q%s: this program reads %s, %s and %s", c.ModelType, hfMissing[c.ModelType], hfMarian, hfM2M, hfPegasus)
	}
	switch c.Activation {
	case "swish", "silu":
		form.Activation = nmt.Swish
	case "relu":
	default:
		return nmt.Config{}, fmt.Errorf("activation_function %.200q, this program has swish and relu", c.Activation)
	}
	// Whatever config.json says beside that must agree with the architecture.
	marian := c.ModelType == hfMarian
	for _, wrong := range []struct {
		is   bool
		what string
	}{
		{no(c.Static), "its positions are learned: static_position_embeddings is false"},
		{c.NormEmbedding, "it normalises embeddings: normalize_embedding is true"},
		{no(c.Tied), "its output has a matrix of its own: tie_word_embeddings is false"},
		{!c.two() && (no(c.ShareEmbedding) || c.DecoderVocab != 0 && c.DecoderVocab != c.Vocab), "its embeddings are not one matrix"},
		{marian && yes(c.NormBefore) || !marian && no(c.NormBefore), "normalize_before is not that of a " + c.ModelType},
		{marian && yes(c.FinalNorm) || !marian && no(c.FinalNorm), "add_final_layer_norm is not that of a " + c.ModelType},
		{c.EncoderFFN != c.DecoderFFN, "encoder_ffn_dim and decoder_ffn_dim differ"},
		{c.EncoderHeads != c.DecoderHeads, "encoder_attention_heads and decoder_attention_heads differ"},
	} {
		if wrong.is {
			return nmt.Config{}, errors.New(wrong.what)
		}
	}
	vocab := c.Vocab
	if two, ok := tok.(*text.Marian); ok {
		form.SourceVocab, form.SourceEOS = c.Vocab, two.SourceEOS()
		if c.DecoderVocab != 0 {
			vocab = c.DecoderVocab
		}
	}
	shape := nmt.Config{
		Vocab: vocab, Dim: c.Dim, FFN: c.EncoderFFN, Heads: c.EncoderHeads,
		Encoder: c.Encoder, Decoder: c.Decoder, Form: form,
	}
	return shape, shape.Validate()
}

// hfMissing is, by model_type, what this program has not of other translation models.
var hfMissing = map[string]string{
	"mbart":    ", which has learned positions, GELU and a norm of its embeddings",
	"bart":     ", which has learned positions, GELU and a norm of its embeddings",
	"t5":       ", which has relative positions and norms without a mean",
	"mt5":      ", which has relative positions, norms without a mean and a gated feed-forward layer",
	"umt5":     ", which has relative positions, norms without a mean and a gated feed-forward layer",
	"nllb-moe": ", which chooses among experts",
	"fsmt":     ", which is fairseq's own port with two vocabularies of BPE by words",
}

// two reports whether source and target have embeddings of their own.
func (c *hfConfig) two() bool {
	return c.ModelType == hfMarian && c.ShareEmbedding != nil && !*c.ShareEmbedding
}

// oneEmbedding checks that the embedding of this name and its copies are equal, and gives the
// set with one of them.
func oneEmbedding(w *tensor.Set, name string, copies []string) (*tensor.Set, error) {
	var items []tensor.Named
	first := tensor.Named{}
	for i := range w.Len() {
		x := w.At(i)
		if x.Name != name && !slices.Contains(copies, x.Name) {
			items = append(items, x)
			continue
		}
		if first.Name != "" && !tensor.Equal(first.Tensor, x.Tensor) {
			return nil, fmt.Errorf("%s and %s differ: the model's embeddings are not one matrix", first.Name, x.Name)
		}
		first = x
	}
	if first.Name == "" {
		return nil, fmt.Errorf("no embedding: %s is missing", name)
	}
	return tensor.NewSet(append(items, tensor.Named{Name: name, Tensor: first.Tensor}))
}

// checkConstants compares constants of the architecture that a file may have as
// tensors, such as the sinusoids, with the constants of package nmt.
func (c *hfConfig) checkConstants(w *tensor.Set, shape nmt.Config) error {
	for _, name := range []string{hfEncoderPositions, hfDecoderPositions} {
		x, ok := w.Get(name)
		if !ok {
			continue
		}
		if x.Type != kernel.F32 || len(x.Shape) != 2 || x.Shape[1] != shape.Dim || x.Shape[0] > 1<<16 {
			return fmt.Errorf("tensor %.200q of shape %v: want rows of %d numbers of F32", name, x.Shape, shape.Dim)
		}
		if err := sameTable(name, x.F, shape.PositionTable(x.Shape[0]), shape.Dim); err != nil {
			return err
		}
	}
	if x, ok := w.Get(hfBias); ok && !shape.OutputBias && (x.Type != kernel.F32 || slices.ContainsFunc(x.F, func(b float32) bool { return b != 0 })) {
		return fmt.Errorf("tensor %.200q is not zero", hfBias)
	}
	return nil
}

// sameTable compares a file's table of positions with the architecture's.
func sameTable(name string, x, table []float32, dim int) error {
	const close = 1.0 / 256 // the most that BF16 rounds numbers up to 1
	for i, want := range table {
		if d := x[i] - want; !(d < close && d > -close) {
			return fmt.Errorf("tensor %.200q: position %d is not sinusoidal: models with learned positions are not supported", name, i/dim)
		}
	}
	return nil
}

// translator joins the parts of a model. The tokenizer is read here where tok is nil.
func (c *hfConfig) translator(shape nmt.Config, params *tensor.Set, tok model.Tokenizer, read ReadFile) (*model.Translator, error) {
	m := model.Model{Vocab: uint32(shape.Vocab), Shape: shape.Shape(), Form: shape.Form}
	if data, err := read(hfTokenizerFile); err == nil {
		var t hfTokenizer
		if err := parseJSON(hfTokenizerFile, data, &t); err != nil {
			return nil, err
		}
		if t.Two != c.two() {
			return nil, fmt.Errorf("%s: separate_vocabs is %v, but share_encoder_decoder_embeddings of %s says otherwise", hfTokenizerFile, t.Two, hfConfigFile)
		}
		m.Source, m.Target = t.Source, t.Target
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if c.ModelType == hfPegasus {
		return ourModel(m, params, read)
	}
	if tok == nil {
		var err error
		if tok, err = model.ParseMarian(read); err != nil {
			return nil, err
		}
	}
	return model.NewTranslator(m, params, tok)
}

// ourModel reads a model of this program's that Export wrote: it exchanges the
// columns back.
func ourModel(m model.Model, params *tensor.Set, read ReadFile) (*model.Translator, error) {
	if want := (nmt.Form{Positions: nmt.Halves, Marks: nmt.Marks{Pad: nmt.Pad, BOS: nmt.BOS, EOS: nmt.EOS}}); m.Form != want {
		return nil, fmt.Errorf("%s: this program cannot read the tokenizer of this %s model: it reads only models that it exported", hfConfigFile, hfPegasus)
	}
	data, err := read(text.TokenizerFile)
	if err != nil {
		return nil, err
	}
	tok, err := text.Parse(hfTokens(data, true))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", text.TokenizerFile, err)
	}
	return model.NewTranslator(m, exchange(m.Config(), params, true), tok)
}

// exchange moves the even columns of the residual stream before the odd columns, or
// back, in every parameter that reads or writes the stream.
func exchange(c nmt.Config, p *tensor.Set, back bool) *tensor.Set {
	order := make([]int, c.Dim) // by new column: the old column
	for i := range c.Dim / 2 {
		even, odd, first, second := 2*i, 2*i+1, i, c.Dim/2+i
		if back {
			even, odd, first, second = first, second, even, odd
		}
		order[first], order[second] = even, odd
	}
	out := p.Clone()
	for i := range out.Len() {
		t := out.At(i)
		_, _, sub, part, kind := split(t.Name)
		old := slices.Clone(t.F)
		reads := len(t.Shape) == 2 && slices.Contains([]string{"q", "k", "v", "up"}, part)
		writes := sub == "embedding" || slices.Contains([]string{"norm", "out", "down"}, part)
		switch width := t.Shape[len(t.Shape)-1]; {
		case reads && kind == "weight":
			for to, from := range order {
				copy(t.F[to*width:][:width], old[from*width:])
			}
		case writes:
			for row := 0; row < len(old); row += width {
				for to, from := range order {
					t.F[row+to] = old[row+from]
				}
			}
		}
	}
	return out
}

// hfTokenizer is tokenizer_config.json.
type hfTokenizer struct {
	Class   string `json:"tokenizer_class"`
	Source  string `json:"source_lang,omitempty"`
	Target  string `json:"target_lang,omitempty"`
	Pad     string `json:"pad_token"`
	BOS     string `json:"bos_token,omitempty"`
	EOS     string `json:"eos_token"`
	Unknown string `json:"unk_token,omitempty"`
	Most    int    `json:"model_max_length"`
	Clean   bool   `json:"clean_up_tokenization_spaces"`
	Two     bool   `json:"separate_vocabs,omitempty"`
	// Without it transformers take "<s>" in a text, such as HTML's strike-through, for the mark.
	SplitSpecial bool `json:"split_special_tokens"`
}

// hfTokenizerParts are parts of a tokenizer.json of ours, and their replacements for
// programs that read nothing else: these add text.Normalize and EOS at the end.
var hfTokenizerParts = [][2]string{
	{`[{"type": "NFC"}, `, `[
    {"type": "Replace", "pattern": {"Regex": "[\u00ad\u200b\ufeff]"}, "content": ""},
    {"type": "Replace", "pattern": {"Regex": "[\\s\\p{Cc}]+"}, "content": " "},
    {"type": "Strip", "strip_left": true, "strip_right": true}, {"type": "NFC"}, `},
	{`"post_processor": null`, `"post_processor": {"type": "TemplateProcessing",
    "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
    "special_tokens": {"</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}}`},
}

// hfTokens replaces hfTokenizerParts in a tokenizer.json, or puts them back.
func hfTokens(data []byte, back bool) []byte {
	for _, part := range hfTokenizerParts {
		from, to := part[0], part[1]
		if back {
			from, to = to, from
		}
		data = bytes.Replace(data, []byte(from), []byte(to), 1)
	}
	return data
}
