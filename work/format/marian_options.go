package format

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/alia-network/alia/work/nmt"
)

// The options of a model of Marian, as EncoderDecoder of its src/models/encoder_decoder.cpp
// writes them, and what src/models/transformer.h makes of them. An option of neither list
// below may change what the model computes: it is refused unless it is off.

// marianMay are the values of options with which a model is a Transformer of package nmt. An
// option that is not there has the first value.
var marianMay = map[string][]string{
	"type":                                  {"", "transformer"}, // it has to be there
	"transformer-ffn-depth":                 {"2"},
	"transformer-decoder-ffn-depth":         {"0", "2"},
	"transformer-decoder-autoreg":           {"self-attention", "rnn"},
	"transformer-attention-mask":            {"default"},
	"transformer-postprocess-emb":           {"d", ""},
	"transformer-train-position-embeddings": {"false"},
	"transformer-train-positions":           {"false"},
	"transformer-alibi-shift":               {"false"},
	"transformer-alibi-trainable":           {"false"},
	"transformer-no-bias":                   {"false"},
	"transformer-no-affine":                 {"false"},
	"transformer-rnn-projection":            {"false"},
	"transformer-pool":                      {"false"},
	"factors-combine":                       {"sum"},
	"input-types":                           {"", "sequence sequence"},
	"bert-train-type-embeddings":            {"true", "false"}, // of no Transformer for translation
}

// marianShaped are options that marianShape reads.
var marianShaped = []string{
	"dim-emb", "dim-vocabs", "enc-depth", "dec-depth", "dec-cell", "layer-normalization", "transformer-heads",
	"transformer-dim-ffn", "transformer-decoder-dim-ffn", "transformer-ffn-activation", "transformer-preprocess",
	"transformer-postprocess", "transformer-postprocess-top", "transformer-disable-position-embeddings",
	"transformer-no-projection", "transformer-tied-layers", "output-omit-bias", "version",
	"tied-embeddings", "tied-embeddings-src", "tied-embeddings-all",
}

// marianInert are options that change no result of a trained Transformer: of other kinds of
// models, of training, and of decoding, which this program does in its own way.
var marianInert = []string{
	"dim-rnn", "enc-type", "enc-cell", "enc-cell-depth", "dec-cell-base-depth", "dec-cell-high-depth", "skip",
	"special-vocab", "transformer-dim-aan", "transformer-aan-depth", "transformer-aan-activation", "transformer-aan-nogate",
	"transformer-guided-alignment-layer", "transformer-depth-scaling", "transformer-dropout", "transformer-dropout-attention",
	"transformer-dropout-ffn", "dropout-rnn", "dropout-src", "dropout-trg", "separator-symbol", "bert-type-vocab-size",
	"bert-mask-symbol", "bert-sep-symbol", "bert-class-symbol", "bert-masking-fraction", "ulr-dim-emb", "ulr-trainable-transformation",
	"max-length", "max-length-crop", "max-length-factor", "beam-size", "normalize", "word-penalty", "allow-unk", "n-best", "mini-batch",
	"maxi-batch", "maxi-batch-sort", "mini-batch-words", "workspace", "seed", "cpu-threads", "gemm-precision", "precision", "gemm-type",
	"vocabs", "models", "model", "relative-paths", "quiet", "quiet-translation", "log", "log-level", "label-smoothing", "cost-type",
	"shortlist", "alignment", "guided-alignment", "skip-cost", "best-deep", "input-reorder", "ignore-model-config",
}

// marianModel is a model as its options describe it.
type marianModel struct {
	nmt.Config
	source, output string // the arrays of the sources' embeddings and of the output projection
	decoderFFN     int    // width inside the feed-forward sub-layers of the decoder; FFN is the larger one
	encoderFFN     int
	tied           []int // by decoder layer: the number of the layer that has its parameters
	noProjection   bool  // attentions have no projection of their output
}

// marianOptionsOf gives options as text: a list has spaces between its values. What is null is
// left out.
func marianOptionsOf(opts map[string][]string) map[string]string {
	all := map[string]string{}
	for name, values := range opts { // order-free: each its own
		if value := strings.Join(values, " "); value != "~" && value != "null" {
			all[name] = value
		}
	}
	return all
}

// checkMarianOptions refuses the first option, in alphabetical order, that makes a model another one.
func checkMarianOptions(opts map[string]string) error {
	if opts["type"] == "" {
		return fmt.Errorf("option type is missing: want %.200q", "transformer")
	}
	for _, name := range slices.Sorted(maps.Keys(opts)) {
		value, may := opts[name], marianMay[name]
		switch {
		case slices.Contains(may, value), slices.Contains(marianShaped, name), slices.Contains(marianInert, name):
		case may != nil:
			return fmt.Errorf("option %s is %.200q, this program computes models of %.200q", name, value, slices.DeleteFunc(slices.Clone(may), func(s string) bool { return s == "" }))
		case !slices.Contains([]string{"", "false", "0", "0.0", "none", "off"}, value):
			return fmt.Errorf("option %s is %.200q: this program does not compute what it changes", name, value)
		}
	}
	return nil
}

// number is a whole option that is not negative; absent it is no.
func number(opts map[string]string, name string, no int) (int, error) {
	value, ok := opts[name]
	if !ok {
		return no, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("option %s is %.200q, want a number", name, value)
	}
	return n, nil
}

// marianShape is the Transformer that a model's options describe.
func marianShape(options map[string][]string) (marianModel, error) {
	opts, m := marianOptionsOf(options), marianModel{}
	if err := checkMarianOptions(opts); err != nil {
		return m, err
	}
	for _, n := range []struct {
		name string
		to   *int
	}{
		{"dim-emb", &m.Dim}, {"transformer-dim-ffn", &m.encoderFFN}, {"transformer-heads", &m.Heads},
		{"enc-depth", &m.Encoder}, {"dec-depth", &m.Decoder}, {"transformer-decoder-dim-ffn", &m.decoderFFN},
	} {
		var err error
		if *n.to, err = number(opts, n.name, 0); err != nil {
			return m, err
		}
	}
	if m.decoderFFN == 0 {
		m.decoderFFN = m.encoderFFN
	}
	m.FFN = max(m.encoderFFN, m.decoderFFN)
	m.Form = nmt.Form{OutputBias: true, Positions: nmt.Timescales, NormEps: marianEps}
	if err := m.embeddings(opts); err != nil {
		return m, err
	}
	if opts["transformer-disable-position-embeddings"] == "true" { // Marian then scales no embedding either
		m.Positions, m.Unscaled = nmt.Unplaced, true
	}
	if err := m.Validate(); err != nil { // before memory is taken for its layers
		return m, err
	}
	return m, m.sublayers(opts)
}

// embeddings reads the sizes of the vocabularies, and which matrices are one.
func (m *marianModel) embeddings(opts map[string]string) error {
	var sizes [2]int
	for i, s := range strings.Fields(opts["dim-vocabs"]) {
		n, err := strconv.Atoi(s)
		if i > 1 || err != nil || n < 2 || n >= 1<<18 {
			return fmt.Errorf("option dim-vocabs is %.200q, want two sizes of 2 to %d", opts["dim-vocabs"], 1<<18-1)
		}
		sizes[i] = n
	}
	if sizes[1] == 0 {
		return fmt.Errorf("option dim-vocabs is %.200q, want two sizes", opts["dim-vocabs"])
	}
	m.Vocab = sizes[1] + 1 // <pad> is added
	m.Marks = nmt.Marks{Pad: int32(sizes[1]), BOS: int32(sizes[1]), EOS: 0}
	all, target := opts["tied-embeddings-all"] == "true", opts["tied-embeddings"] == "true"
	shared := all || opts["tied-embeddings-src"] == "true"
	switch {
	case shared && sizes[0] != sizes[1]:
		return fmt.Errorf("option dim-vocabs is %.200q, want one size twice, since the embeddings of both languages are one", opts["dim-vocabs"])
	case shared:
		m.source = "Wemb"
	default:
		m.source, m.SourceVocab = "encoder_Wemb", sizes[0]
	}
	if m.OwnOutput = !all && !target; m.OwnOutput {
		m.output = marianOutput
	}
	return nil
}

// sublayers reads the forms of the layers.
func (m *marianModel) sublayers(opts map[string]string) error {
	// Marian writes the operations around a sub-layer as letters: d is dropout, which a trained
	// model has no more, a adds the input of the sub-layer, n normalises.
	letters := func(name, no string) string {
		value, ok := opts[name]
		if !ok {
			value = no
		}
		return strings.ReplaceAll(value, "d", "")
	}
	switch norms := [3]string{letters("transformer-preprocess", ""), letters("transformer-postprocess", "dan"), letters("transformer-postprocess-top", "")}; norms {
	case [3]string{"", "an", ""}:
		m.PostNorm = true
	case [3]string{"n", "a", "n"}:
		if old(opts["version"]) {
			return fmt.Errorf("option transformer-preprocess is \"n\" and the model is of Marian %s: before 1.10.24 such a model normalised the queries of self-attention and not the keys and values, which this program does not compute", opts["version"])
		}
	default:
		return fmt.Errorf("options transformer-preprocess, -postprocess and -postprocess-top are %.200q without dropout, this program computes an alone, or n, a and n", norms)
	}
	switch activation, ok := opts["transformer-ffn-activation"]; {
	case activation == "swish" || !ok:
		m.Activation = nmt.Swish
	case activation != "relu":
		return fmt.Errorf("option transformer-ffn-activation is %.200q, this program has swish and relu", activation)
	}
	if m.Recurrent = opts["transformer-decoder-autoreg"] == "rnn"; m.Recurrent {
		for _, want := range [][2]string{{"dec-cell", "ssru"}, {"layer-normalization", "false"}} {
			if value := opts[want[0]]; value != want[1] && (value != "" || want[1] != "false") {
				return fmt.Errorf("option %s is %.200q, this program computes recurrent decoders of %.200q", want[0], value, want[1])
			}
		}
	}
	m.noProjection = opts["transformer-no-projection"] == "true"
	// Layer i has the parameters of layer tied[i].
	for i := range m.Decoder {
		m.tied = append(m.tied, i+1)
	}
	if tied := strings.Fields(opts["transformer-tied-layers"]); len(tied) > 0 {
		for i, s := range tied {
			n, err := strconv.Atoi(s)
			if err != nil || n < 1 || n > m.Decoder || len(tied) != m.Decoder {
				return fmt.Errorf("option transformer-tied-layers is %.200q, want a layer for each of %d", opts["transformer-tied-layers"], m.Decoder)
			}
			m.tied[i] = n
		}
	}
	return nil
}

// old reports whether a version of Marian, such as "v1.9.0 ba94c5b9 2020-05-17 10:42:17 +0100", is
// before 1.10.24. A file of another program may have none.
func old(version string) bool {
	var have [3]int
	if _, err := fmt.Sscanf(version, "v%d.%d.%d", &have[0], &have[1], &have[2]); err != nil {
		return false
	}
	return slices.Compare(have[:], []int{1, 10, 24}) < 0
}
