package format

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/text"
)

// hfArchitectures are, by the version of a model's record, what Hugging Face's
// programs call such a model. The function adapts the rest, and gives the
// parameters as they are there.
var hfArchitectures = map[uint16]struct {
	modelType, class, tokenizer string
	adapt                       func(t *model.Translator, shape *nmt.Config, c *hfConfig, words *hfTokenizer, files map[string][]byte) (*tensor.Set, error)
}{
	model.VersionOurs:   {hfPegasus, "PegasusForConditionalGeneration", "PreTrainedTokenizerFast", asPegasus},
	model.VersionMarian: {hfMarian, "MarianMTModel", "MarianTokenizer", asMarian},
	model.VersionTwo:    {hfMarian, "MarianMTModel", "MarianTokenizer", asTwo},
}

// asPegasus adapts a model of ours: Pegasus has the same Transformer, with the
// columns of its sinusoids in another sequence.
func asPegasus(t *model.Translator, shape *nmt.Config, _ *hfConfig, words *hfTokenizer, files map[string][]byte) (*tensor.Set, error) {
	params := exchange(*shape, t.Params, false)
	shape.Positions = nmt.Halves
	words.BOS = "<s>"
	files[text.TokenizerFile] = hfTokens(files[text.TokenizerFile], false)
	return params, nil
}

// asMarian adapts a model that came from MarianMT.
func asMarian(t *model.Translator, shape *nmt.Config, c *hfConfig, words *hfTokenizer, _ map[string][]byte) (*tensor.Set, error) {
	if !shape.PostNorm || !shape.OutputBias || shape.Positions != nmt.Halves || shape.NormEps != 0 {
		return nil, fmt.Errorf("export to huggingface: transformers has no architecture with this model's norms, output and positions")
	}
	c.BOS, c.ShareEmbedding = nil, ref(true)
	words.Unknown = t.Tokenizer.Unknown()
	return t.Params, nil
}

// asTwo adapts a model that came from a MarianMT with two vocabularies.
func asTwo(t *model.Translator, shape *nmt.Config, c *hfConfig, words *hfTokenizer, files map[string][]byte) (*tensor.Set, error) {
	params, err := asMarian(t, shape, c, words, files)
	c.ShareEmbedding, words.Two = ref(false), true
	c.Vocab, c.DecoderVocab = shape.SourceVocab, shape.Vocab
	return params, err
}

// exportHuggingFace writes a model for Hugging Face's transformers.
func exportHuggingFace(t *model.Translator) (map[string][]byte, error) {
	if t.Model.Version == model.VersionFairseq {
		return exportM2M(t)
	}
	shape := t.Model.Config()
	marks := shape.Tokens()
	c := hfConfig{
		Vocab: shape.Vocab, Dim: shape.Dim, Encoder: shape.Encoder, Decoder: shape.Decoder,
		EncoderFFN: shape.FFN, DecoderFFN: shape.FFN, EncoderHeads: shape.Heads, DecoderHeads: shape.Heads,
		Activation: "relu", Scaled: !shape.Unscaled, Positions: nmt.MaxLength, EncoderDecoder: true, Type: "float32",
		Pad: marks.Pad, BOS: &marks.BOS, EOS: marks.EOS, Start: marks.BOS,
		Static: ref(true), NormBefore: ref(!shape.PostNorm), FinalNorm: ref(!shape.PostNorm), Tied: ref(true),
	}
	if shape.Activation == nmt.Swish {
		c.Activation = "swish"
	}
	files := t.Tokenizer.Files()
	words := hfTokenizer{Source: t.Model.Source, Target: t.Model.Target, Pad: "<pad>", EOS: "</s>", Most: nmt.MaxLength, SplitSpecial: true}
	as, ok := hfArchitectures[t.Model.Version]
	if !ok {
		return nil, fmt.Errorf("export to huggingface: transformers has no architecture for models of version %d", t.Model.Version)
	}
	c.ModelType, c.Architectures, words.Class = as.modelType, []string{as.class}, as.tokenizer
	params, err := as.adapt(t, &shape, &c, &words, files)
	if err != nil {
		return nil, err
	}
	// Transformers read their constants from the file.
	positions := shape.PositionTable(nmt.MaxLength)
	more := []tensor.Named{
		named(hfEncoderPositions, positions, nmt.MaxLength, shape.Dim), named(hfDecoderPositions, positions, nmt.MaxLength, shape.Dim),
	}
	if !shape.OutputBias {
		more = append(more, tensor.Named{Name: hfBias, Tensor: kernel.New(kernel.F32, 1, shape.Vocab)})
	}
	at := hfParam
	if c.two() {
		at = twoParam
	}
	weights, err := scatter(shape, params, at, more...)
	if err != nil {
		return nil, err
	}
	// Generation must not write the marks.
	never := [][]int32{{marks.Pad}}
	if marks.BOS != marks.Pad {
		never = append(never, []int32{marks.BOS})
	}
	files[hfWeightsFile] = state.EncodeSafetensors(weights)
	files[hfConfigFile], files[hfTokenizerFile] = pretty(c), pretty(words)
	files[hfGenerationFile] = pretty(struct {
		Pad   int32     `json:"pad_token_id"`
		BOS   *int32    `json:"bos_token_id,omitempty"`
		EOS   int32     `json:"eos_token_id"`
		Start int32     `json:"decoder_start_token_id"`
		Never [][]int32 `json:"bad_words_ids"`
		Most  int       `json:"max_length"`
		Beams int       `json:"num_beams"`
	}{marks.Pad, c.BOS, marks.EOS, marks.BOS, never, nmt.MaxLength, 1})
	return files, nil
}

// ref is a pointer to x: config.json tells false from absent.
func ref[T any](x T) *T { return &x }

// pretty is a value as an indented JSON file.
func pretty(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		panic("format: " + err.Error()) // strings and numbers
	}
	return b.Bytes()
}
