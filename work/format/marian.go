package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
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

	marianEps        = 1e-6
	marianBias       = "decoder_ff_logit_out_b"
	marianOutput     = "decoder_ff_logit_out_Wt" // [tokens, dim]
	marianOutputWide = "decoder_ff_logit_out_W"  // [dim, tokens]
	// impossible is the bias of <pad>, which gives <pad> no probability: Marian has
	// no such token.
	impossible = -1e9
)

// marianParam is how Marian names and shapes a parameter.
func (m marianModel) param(s nmt.ParamShape) foreignParam {
	// Marian has vectors as matrices of one row.
	p := foreignParam{shape: s.Dims}
	if len(s.Dims) == 1 {
		p.shape = []int{1, s.Dims[0]}
	}
	switch s.Name {
	case "embedding.weight":
		if p.name = "Wemb"; m.SourceVocab != 0 {
			p.name = "decoder_Wemb"
		}
		return p
	case "encoder.embedding.weight":
		p.name = m.source
		return p
	case "unembedding.weight":
		p.name = m.output
		return p
	case "output.bias":
		p.name = marianBias
		return p
	}
	stack, layer, sub, part, kind := split(s.Name)
	norm := "_ln_" + map[string]string{"weight": "scale", "bias": "bias"}[kind]
	if layer < 0 {
		p.name = stack + "_top" + norm
		return p
	}
	matrix := map[string]string{"weight": "W", "bias": "b"}[kind]
	name := fmt.Sprintf("%s_l%d_%s", stack, layer+1, map[string]string{"self": "self", "cross": "context", "ffn": "ffn"}[sub])
	recurrent := m.Recurrent && stack == "decoder" && sub == "self"
	if recurrent {
		name = fmt.Sprintf("%s_l%d_rnn", stack, layer+1)
	}
	switch {
	case part == "norm" && !m.PostNorm && recurrent:
		p.name = name + norm + "_pre"
	case part == "norm" && (recurrent || sub == "ffn"):
		p.name = name + "_ffn" + norm
	case part == "norm":
		p.name = name + "_Wo" + norm
	default:
		p.name = name + "_" + matrix + map[string]string{"q": "q", "k": "k", "v": "v", "out": "o", "up": "1", "down": "2", "x": "", "keep": "f"}[part]
	}
	if part == "norm" && !m.PostNorm && !recurrent {
		p.name += "_pre"
	}
	return p
}

// importMarian reads a model of Marian. files are the names in its directory.
func importMarian(read ReadFile, files []string) (*model.Translator, error) {
	names, err := marianFilesOf(read, files)
	if err != nil {
		return nil, err
	}
	data, err := read(names.model)
	if err != nil {
		return nil, err
	}
	arrays, err := readMarian(names.model, data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", names.model, err)
	}
	opts, err := readYAML(arrays[marianOptions].b)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", names.model, marianOptions, err)
	}
	delete(arrays, marianOptions) // it is no parameter
	m, err := marianShape(opts)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", names.model, marianOptions, err)
	}
	params, err := marianParams(m, arrays)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", names.model, err)
	}
	tok, err := marianTokenizer(names.source, names.target, m.Config, read)
	if err != nil {
		return nil, err
	}
	return model.NewTranslator(model.Model{Vocab: uint32(m.Vocab), Shape: m.Shape(), Form: m.Form}, params, tok)
}

// readMarian reads the arrays of a model's file.
func readMarian(name string, data []byte) (map[string]array, error) {
	if strings.HasSuffix(name, ".bin") {
		return readMarianBin(data)
	}
	return readNPZ(data)
}

// marianFiles are the names of a model's files: of its parameters, and of its vocabularies.
type marianFiles struct{ model, source, target string }

// marianFilesOf finds a model's files. decoder.yml names them where there is one, or the file that
// Marian wrote beside a model that it trained, such as model.npz.decoder.yml. Otherwise the
// model is the one file of its kind, and so are the vocabularies: model.npz and vocab.yml, or as
// the models of Firefox Translations come: model.*.bin, and vocab.*.spm or srcvocab.*.spm and
// trgvocab.*.spm.
func marianFilesOf(read ReadFile, files []string) (marianFiles, error) {
	decoder := marianDecoderFile
	data, err := read(decoder)
	if errors.Is(err, fs.ErrNotExist) {
		// Where a model was trained, such as model.npz, is model.npz.decoder.yml.
		wrote := slices.DeleteFunc(slices.Clone(files), func(name string) bool { return !strings.HasSuffix(name, "."+marianDecoderFile) })
		if len(wrote) != 1 {
			return guessMarianFiles(files)
		}
		decoder = wrote[0]
		data, err = read(decoder)
	}
	if err != nil {
		return marianFiles{}, err
	}
	opts, err := readYAML(data)
	if err != nil {
		return marianFiles{}, fmt.Errorf("%s: %w", decoder, err)
	}
	models, vocabs := slices.Clone(opts["models"]), slices.Clone(opts["vocabs"])
	if decoder != marianDecoderFile { // it has the paths of the machine that trained
		for _, names := range [][]string{models, vocabs} {
			for i, name := range names {
				names[i] = path.Base(name)
			}
		}
	}
	if len(models) != 1 || len(vocabs) != 2 {
		return marianFiles{}, fmt.Errorf("%s: models %.200q and vocabs %.200q: this program reads one model with a vocabulary for each of two languages", decoder, models, vocabs)
	}
	for _, name := range append(slices.Clone(vocabs), models...) {
		if name == "" || strings.ContainsAny(name, `/\:`) || strings.HasPrefix(name, ".") {
			return marianFiles{}, fmt.Errorf("%s: %.200q: give the name of a file beside it", decoder, name)
		}
	}
	return marianFiles{models[0], vocabs[0], vocabs[1]}, nil
}

// guessMarianFiles finds files of which decoder.yml says nothing.
func guessMarianFiles(files []string) (marianFiles, error) {
	m := marianFiles{marianModelFile, marianVocabFile, marianVocabFile}
	if slices.Contains(files, marianModelFile) && slices.Contains(files, marianVocabFile) {
		return m, nil
	}
	only := func(to *string, what, prefix string, ends ...string) error {
		var found []string
		for _, name := range files {
			if strings.HasPrefix(name, prefix) && !strings.HasSuffix(name, ".optimizer.npz") && slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(name, end) }) {
				found = append(found, name)
			}
		}
		if len(found) > 1 {
			return fmt.Errorf("the %s may be any of %.200q: write %s, which names one", what, found, marianDecoderFile)
		}
		if len(found) == 1 {
			*to = found[0]
		}
		return nil
	}
	vocab := ""
	err := errors.Join(
		only(&m.model, "model", "model", ".npz", ".bin"),
		only(&vocab, "vocabulary", "vocab.", ".spm", ".yml"),
	)
	if m.source, m.target = vocab, vocab; err == nil && vocab == "" {
		m.source, m.target = marianVocabFile, marianVocabFile
		err = errors.Join(only(&m.source, "sources' vocabulary", "srcvocab.", ".spm"), only(&m.target, "targets' vocabulary", "trgvocab.", ".spm"))
	}
	return m, err
}

// marianTokenizer reads the tokenizer of a model of configuration c. A vocabulary is YAML beside
// two SentencePiece models, or one such model.
func marianTokenizer(source, target string, c nmt.Config, read ReadFile) (model.Tokenizer, error) {
	files := map[string][]byte{}
	vocabulary := func(file, spm string, size int) ([]string, error) {
		data, err := read(file)
		if err != nil {
			return nil, err
		}
		names := make([]string, size)
		if !strings.HasSuffix(file, ".spm") {
			err = yamlVocab(data, names)
		} else if m, bad := text.ParseSentencePiece(data); bad != nil {
			err = bad
		} else if m.Pieces() != size {
			err = fmt.Errorf("%d pieces, the model's embedding has %d", m.Pieces(), size)
		} else {
			files[spm] = data
			for id := range names {
				names[id] = m.Piece(int32(id))
			}
		}
		if err == nil && (names[0] != text.MarianEOS || slices.Contains(names, text.MarianPad)) {
			err = fmt.Errorf("piece 0 is %.200q, want %s, and no piece %s", names[0], text.MarianEOS, text.MarianPad)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		return names, nil
	}
	names, err := vocabulary(target, text.TargetFile, c.Vocab-1)
	if err != nil {
		return nil, err
	}
	names = append(names, text.MarianPad)
	files[text.VocabFile] = jsonVocab(names)
	switch {
	case c.SourceVocab != 0:
		own, err := vocabulary(source, text.SourceFile, c.SourceVocab)
		if err != nil {
			return nil, err
		}
		files[text.VocabFile], files[text.TargetVocabFile] = jsonVocab(own), files[text.VocabFile]
	case source != target:
		return nil, fmt.Errorf("vocabularies %s and %s: the model has one embedding for both languages", source, target)
	case files[text.TargetFile] != nil:
		files[text.SourceFile] = files[text.TargetFile]
	}
	return model.ParseWide(func(name string) ([]byte, error) {
		if data := files[name]; data != nil || name == text.TargetVocabFile {
			if data == nil {
				return nil, fs.ErrNotExist
			}
			return data, nil
		}
		return read(name)
	})
}

// yamlVocab reads a vocabulary of pieces and ids.
func yamlVocab(data []byte, names []string) error {
	if len(data) > 32<<20 {
		return fmt.Errorf("%d bytes, at most 32 MiB are read", len(data))
	}
	var pieces map[string][]string
	var err error
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) { // JSON is YAML too, and some vocabularies are
		var ids map[string]int
		if err = json.Unmarshal(data, &ids); err == nil {
			pieces = make(map[string][]string, len(ids))
			for piece, id := range ids { // order-free: each its own
				pieces[piece] = []string{strconv.Itoa(id)}
			}
		}
	} else {
		pieces, err = readYAML(data)
	}
	if err != nil {
		return err
	}
	for _, piece := range slices.Sorted(maps.Keys(pieces)) {
		id, err := strconv.Atoi(strings.Join(pieces[piece], " "))
		if err != nil || id < 0 || id >= len(names) || names[id] != "" || piece == "" {
			return fmt.Errorf("piece %.200q, id %.200q: want each of 0 to %d once", piece, pieces[piece], len(names)-1)
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

// exportMarian writes a model that came from Marian, or has Marian's form.
func exportMarian(t *model.Translator) (map[string][]byte, error) {
	c := t.Model.Config()
	switch t.Model.Version {
	case model.VersionMarian:
	case model.VersionOurs:
		return nil, errors.New("export to marian: its decoder begins with an embedding of zero, but this model's decoder begins with the token <s>: export to huggingface or ctranslate2 instead")
	default:
		return nil, errors.New("export to marian: this program does not write models with two vocabularies, or whose languages have tokens")
	}
	if !c.PostNorm {
		return nil, errors.New("export to marian: its norms precede the attentions. The decoder of Marian 1.12.43 does not normalise the keys and values of such a model, as its training and its scorer do, and translates otherwise: export to ctranslate2 instead")
	}
	return writeMarian(t)
}

// writeMarian writes the files of a model for Marian.
func writeMarian(t *model.Translator) (map[string][]byte, error) {
	c := t.Model.Config()
	embedding, _ := t.Params.Get("embedding.weight")
	bias, _ := t.Params.Get("output.bias")
	pad := int(c.Marks.Pad)
	switch {
	case c.Positions != nmt.Timescales || c.NormEps != marianEps:
		return nil, fmt.Errorf("export to marian: its sinusoids have timescales and its norms add %v, but this model has others", marianEps)
	case !c.OutputBias || c.Unscaled || c.Marks.EOS != 0 || pad != c.Vocab-1:
		return nil, errors.New("export to marian: it adds a bias to logits, scales embeddings, and begins its vocabulary with </s>; this model does not")
	case slices.ContainsFunc(embedding.F[pad*c.Dim:], func(x float32) bool { return x != 0 }) || bias.F[pad] > impossible/2: // an average of biases may round
		return nil, errors.New("export to marian: its decoder begins with an embedding of zero, but this model's decoder begins with the token <pad>: export to huggingface instead")
	}
	// <pad> leaves the embedding and the bias.
	set, err := scatter(c, t.Params, marianModel{Config: c}.param)
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

// marianYAML is the options of a model. Those of alignments change no translation, but the
// converters of other programs ask for them.
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
transformer-guided-alignment-layer: last
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
