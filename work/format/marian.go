package format

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/text"
)

// Marian's own files: model.npz has the parameters under the names that
// src/models/transformer.h of Marian gives, and the options of the model as YAML.
// Marian's Transformer adds 1e-6 to variances, and its sinusoids have timescales.
// Its decoder begins with an embedding of zero and no token. As in MarianMT, a token
// <pad> with that embedding is added after the vocabulary.
const (
	marianModelFile   = "model.npz"
	marianVocabFile   = "vocab.yml"
	marianDecoderFile = "decoder.yml"
	marianOptions     = "special:model.yml"

	marianEps  = 1e-6
	marianBias = "decoder_ff_logit_out_b"
	// impossible is the bias of <pad>, which gives <pad> no probability: Marian has
	// no such token.
	impossible = -1e9
)

// marianParam is how Marian names and shapes a parameter.
func marianParam(c nmt.Config) func(nmt.ParamShape) foreignParam {
	return func(s nmt.ParamShape) foreignParam {
		stack, layer, sub, part, kind := split(s.Name)
		if sub == "embedding" {
			return foreignParam{name: "Wemb"}
		}
		// Marian has vectors as matrices of one row.
		p := foreignParam{shape: s.Dims}
		if len(s.Dims) == 1 {
			p.shape = []int{1, s.Dims[0]}
		}
		norm := "_ln_" + map[string]string{"weight": "scale", "bias": "bias"}[kind]
		matrix := map[string]string{"weight": "W", "bias": "b"}[kind]
		switch {
		case sub == "output":
			p.name = marianBias
			return p
		case layer < 0:
			p.name = stack + "_top" + norm
			return p
		}
		if !c.PostNorm {
			norm += "_pre"
		}
		name := fmt.Sprintf("%s_l%d_%s_", stack, layer+1, map[string]string{"self": "self", "cross": "context", "ffn": "ffn"}[sub])
		switch {
		case part == "norm" && sub == "ffn":
			p.name = name + "ffn" + norm
		case part == "norm":
			p.name = name + "Wo" + norm
		default:
			p.name = name + matrix + map[string]string{"q": "q", "k": "k", "v": "v", "out": "o", "up": "1", "down": "2"}[part]
		}
		return p
	}
}

// required are options that a model must have. optional are the values that other
// options may have where they are given. With other values the model is no
// Transformer of package nmt. marianShape reads norms, activation and sizes.
var (
	required = map[string]string{"type": "transformer", "tied-embeddings-all": "true"}
	optional = map[string][]string{
		"transformer-ffn-depth": {"2"}, "transformer-decoder-autoreg": {"self-attention"},
		"transformer-train-position-embeddings": {"false"}, "transformer-train-positions": {"false"},
		"transformer-postprocess-emb": {"d", ""}, "transformer-tied-layers": {}, "input-types": {}, "lemma-dim-emb": {"0"},
		"transformer-no-projection": {"false"}, "transformer-no-bias": {"false"}, "transformer-no-affine": {"false"},
		"transformer-rnn-projection": {"false"}, "transformer-pool": {"false"}, "output-omit-bias": {"false"},
		"ulr": {"false"}, "right-left": {"false"},
	}
)

// importMarian reads a model of Marian.
func importMarian(read ReadFile) (*model.Translator, error) {
	modelFile, vocabFile, err := marianNames(read)
	if err != nil {
		return nil, err
	}
	data, err := read(modelFile)
	if err != nil {
		return nil, err
	}
	arrays, err := readNPZ(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", modelFile, err)
	}
	opts, err := readYAML(arrays[marianOptions].b)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", modelFile, marianOptions, err)
	}
	delete(arrays, marianOptions) // it is no parameter
	shape, err := marianShape(opts)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", modelFile, marianOptions, err)
	}
	params, err := marianParams(shape, arrays)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", modelFile, err)
	}
	if data, err = read(vocabFile); err != nil {
		return nil, err
	}
	tok, err := marianTokenizer(vocabFile, data, shape.Vocab, read)
	if err != nil {
		return nil, err
	}
	return model.NewTranslator(model.Model{Vocab: uint32(shape.Vocab), Shape: shape.Shape(), Form: shape.Form}, params, tok)
}

// marianNames are the names of the files with the parameters and the vocabulary.
// decoder.yml gives them where there is one.
func marianNames(read ReadFile) (model, vocab string, err error) {
	data, err := read(marianDecoderFile)
	if errors.Is(err, fs.ErrNotExist) {
		return marianModelFile, marianVocabFile, nil
	} else if err != nil {
		return "", "", err
	}
	opts, err := readYAML(data)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", marianDecoderFile, err)
	}
	models, vocabs := opts["models"], opts["vocabs"]
	if len(models) != 1 || len(vocabs) != 2 || vocabs[0] != vocabs[1] {
		return "", "", fmt.Errorf("%s: models %q and vocabs %q: this program reads one model with one vocabulary for both languages", marianDecoderFile, models, vocabs)
	}
	for _, name := range []string{models[0], vocabs[0]} {
		if name == "" || strings.ContainsAny(name, `/\:`) || strings.HasPrefix(name, ".") {
			return "", "", fmt.Errorf("%s: %q: give the name of a file beside it", marianDecoderFile, name)
		}
	}
	return models[0], vocabs[0], nil
}

// marianShape is the Transformer that a model's options describe.
func marianShape(opts map[string][]string) (nmt.Config, error) {
	one := func(name string) string {
		if len(opts[name]) == 1 {
			return opts[name][0]
		}
		return strings.Join(opts[name], " ")
	}
	for _, name := range slices.Sorted(maps.Keys(required)) {
		if value := one(name); value != required[name] {
			return nmt.Config{}, fmt.Errorf("option %s is %q, this program computes models of %q", name, value, required[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(optional)) {
		if value, may := one(name), optional[name]; opts[name] != nil && !slices.Contains(may, value) {
			return nmt.Config{}, fmt.Errorf("option %s is %q, this program computes models of %q", name, value, may)
		}
	}
	var c nmt.Config
	for _, n := range []struct {
		name string
		to   *int
	}{
		{"dim-emb", &c.Dim}, {"transformer-dim-ffn", &c.FFN}, {"transformer-heads", &c.Heads}, {"enc-depth", &c.Encoder}, {"dec-depth", &c.Decoder},
	} {
		var err error
		if *n.to, err = strconv.Atoi(one(n.name)); err != nil {
			return nmt.Config{}, fmt.Errorf("option %s: %w", n.name, err)
		}
	}
	sizes := opts["dim-vocabs"]
	if len(sizes) != 2 || sizes[0] != sizes[1] {
		return nmt.Config{}, fmt.Errorf("option dim-vocabs is %q, want one size twice", sizes)
	}
	pieces, err := strconv.Atoi(sizes[0])
	if err != nil || pieces < 2 || pieces > 1<<18 {
		return nmt.Config{}, fmt.Errorf("option dim-vocabs: %q pieces", sizes[0])
	}
	c.Vocab = pieces + 1 // <pad> is added
	c.Form = nmt.Form{
		OutputBias: true, Positions: nmt.Timescales, NormEps: marianEps,
		Marks: nmt.Marks{Pad: int32(pieces), BOS: int32(pieces), EOS: 0},
	}
	// Marian writes the operations around a sub-layer as letters: d is dropout, a adds
	// the input of the sub-layer, n normalises.
	switch norms := [3]string{one("transformer-preprocess"), one("transformer-postprocess"), one("transformer-postprocess-top")}; norms {
	case [3]string{"", "dan", ""}:
		c.PostNorm = true
	case [3]string{"n", "da", "n"}:
	default:
		return nmt.Config{}, fmt.Errorf("transformer-preprocess, -postprocess and -postprocess-top are %q, this program computes dan alone, or n, da and n", norms)
	}
	switch activation := one("transformer-ffn-activation"); activation {
	case "swish":
		c.Activation = nmt.Swish
	case "relu":
	default:
		return nmt.Config{}, fmt.Errorf("transformer-ffn-activation is %q, this program has swish and relu", activation)
	}
	return c, c.Validate()
}

// marianTokenizer reads the tokenizer of a vocabulary of size tokens, <pad> included.
// The vocabulary is YAML beside two SentencePiece models, or one such model for both
// languages.
func marianTokenizer(file string, data []byte, size int, read ReadFile) (model.Tokenizer, error) {
	names, both := make([]string, size-1), []byte(nil)
	if strings.HasSuffix(file, ".spm") {
		m, err := text.ParseSentencePiece(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if both = data; m.Pieces() != len(names) {
			return nil, fmt.Errorf("%s has %d pieces, the model's embedding %d", file, m.Pieces(), len(names))
		}
		for id := range names {
			names[id] = m.Piece(int32(id))
		}
	} else if err := yamlVocab(data, names); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if names[0] != text.MarianEOS || slices.Contains(names, text.MarianPad) {
		return nil, fmt.Errorf("%s: piece 0 is %q, want %s, and no piece %s", file, names[0], text.MarianEOS, text.MarianPad)
	}
	return model.ParseMarian(func(name string) ([]byte, error) {
		switch {
		case name == text.VocabFile:
			return jsonVocab(append(names, text.MarianPad)), nil
		case both != nil:
			return both, nil
		}
		return read(name)
	})
}

// yamlVocab reads a vocabulary of pieces and ids.
func yamlVocab(data []byte, names []string) error {
	if len(data) > 32<<20 {
		return fmt.Errorf("%d bytes, at most 32 MiB are read", len(data))
	}
	pieces, err := readYAML(data)
	if err != nil {
		return err
	}
	for _, piece := range slices.Sorted(maps.Keys(pieces)) {
		id, err := strconv.Atoi(strings.Join(pieces[piece], " "))
		if err != nil || id < 0 || id >= len(names) || names[id] != "" || piece == "" {
			return fmt.Errorf("piece %q, id %q: want each of 0 to %d once", piece, pieces[piece], len(names)-1)
		}
		names[id] = piece
	}
	if at := slices.Index(names, ""); at >= 0 {
		return fmt.Errorf("no piece %d, of %d", at, len(names))
	}
	return nil
}

// jsonVocab is the vocab.json of pieces, whose ids are their indices.
func jsonVocab(names []string) []byte {
	var b bytes.Buffer
	for id, name := range names {
		fmt.Fprintf(&b, "%s%s: %d", map[bool]string{true: "{", false: ", "}[id == 0], inline(name), id)
	}
	b.WriteString("}\n")
	return b.Bytes()
}

// inline is a quoted string of JSON, which is one of YAML too.
func inline(s string) []byte { return bytes.TrimSpace(pretty(s)) }

// marianParams makes parameters of configuration c from a model's arrays.
func marianParams(c nmt.Config, arrays map[string]array) (*tensor.Set, error) {
	var items []tensor.Named
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		a := arrays[name]
		if a.f == nil {
			return nil, fmt.Errorf("array %q is not of F32", name)
		}
		switch name { // <pad> has an embedding of zero and no probability
		case "Wemb":
			if !slices.Equal(a.shape, []int{c.Vocab - 1, c.Dim}) {
				return nil, fmt.Errorf("array %q has shape %v, want %v", name, a.shape, []int{c.Vocab - 1, c.Dim})
			}
			a.shape, a.f = []int{c.Vocab, c.Dim}, append(a.f, make([]float32, c.Dim)...)
		case marianBias:
			if !slices.Equal(a.shape, []int{1, c.Vocab - 1}) {
				return nil, fmt.Errorf("array %q has shape %v, want %v", name, a.shape, []int{1, c.Vocab - 1})
			}
			a.shape, a.f = []int{1, c.Vocab}, append(a.f, impossible)
		}
		items = append(items, named(name, a.f, a.shape...))
	}
	set, err := tensor.NewSet(items)
	if err != nil {
		return nil, err
	}
	return gather(c, set, marianParam(c))
}

// exportMarian writes a model that came from Marian, or has Marian's form.
func exportMarian(t *model.Translator) (map[string][]byte, error) {
	c := t.Model.Config()
	if t.Model.Version != model.VersionMarian {
		return nil, errors.New("export to marian: its decoder begins with an embedding of zero, but this model's decoder begins with the token <s>: export to huggingface or ctranslate2 instead")
	}
	embedding, _ := t.Params.Get("embedding.weight")
	bias, _ := t.Params.Get("output.bias")
	pad := int(c.Marks.Pad)
	switch {
	case c.Positions != nmt.Timescales || c.NormEps != marianEps:
		return nil, fmt.Errorf("export to marian: its sinusoids have timescales and its norms add %v, but this model has others", marianEps)
	case !c.OutputBias || c.Unscaled || c.Marks.EOS != 0 || pad != c.Vocab-1:
		return nil, errors.New("export to marian: it adds a bias to logits, scales embeddings, and begins its vocabulary with </s>; this model does not")
	case slices.ContainsFunc(embedding.F[pad*c.Dim:], func(x float32) bool { return x != 0 }) || bias.F[pad] != impossible:
		return nil, errors.New("export to marian: its decoder begins with an embedding of zero, but this model's decoder begins with the token <pad>: export to huggingface instead")
	}
	// <pad> leaves the embedding and the bias.
	set, err := scatter(c, t.Params, marianParam(c))
	if err != nil {
		return nil, err
	}
	var arrays []array
	for i := range set.Len() {
		x := set.At(i)
		a := array{name: x.Name, shape: slices.Clone(x.Shape), f: x.F}
		switch x.Name {
		case "Wemb":
			a.shape[0], a.f = pad, a.f[:pad*c.Dim]
		case marianBias:
			a.shape[1], a.f = pad, a.f[:pad]
		}
		arrays = append(arrays, a)
	}
	opts := append([]byte(marianYAML(c, pad)), 0)
	arrays = append(arrays, array{name: marianOptions, shape: []int{len(opts)}, b: opts})
	m, err := writeNPZ(arrays)
	if err != nil {
		return nil, err
	}
	var vocab strings.Builder
	for id, name := range t.Tokenizer.Names()[:pad] {
		fmt.Fprintf(&vocab, "%s: %d\n", inline(name), id)
	}
	files := t.Tokenizer.Files()
	return map[string][]byte{
		marianModelFile: m, marianVocabFile: []byte(vocab.String()), text.SourceFile: files[text.SourceFile], text.TargetFile: files[text.TargetFile],
		marianDecoderFile: fmt.Appendf(nil, "relative-paths: true\nmodels:\n  - %s\nvocabs:\n  - %s\n  - %s\n", marianModelFile, marianVocabFile, marianVocabFile),
	}, nil
}

// marianYAML is the options of a model.
func marianYAML(c nmt.Config, pieces int) string {
	norms := []string{`"n"`, `"da"`, `"n"`}
	if c.PostNorm {
		norms = []string{`""`, `"dan"`, `""`}
	}
	activation := map[nmt.Activation]string{nmt.ReLU: "relu", nmt.Swish: "swish"}[c.Activation]
	return fmt.Sprintf(`dec-depth: %d
dim-emb: %d
dim-vocabs:
  - %d
  - %d
enc-depth: %d
max-length: %d
tied-embeddings-all: true
transformer-decoder-autoreg: self-attention
transformer-dim-ffn: %d
transformer-ffn-activation: %s
transformer-ffn-depth: 2
transformer-heads: %d
transformer-no-projection: false
transformer-postprocess: %s
transformer-postprocess-emb: d
transformer-postprocess-top: %s
transformer-preprocess: %s
transformer-train-position-embeddings: false
type: transformer
`, c.Decoder, c.Dim, pieces, pieces, c.Encoder, nmt.MaxLength, c.FFN, activation, c.Heads, norms[1], norms[2], norms[0])
}
