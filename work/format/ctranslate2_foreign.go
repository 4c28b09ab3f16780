package format

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/text"
)

// Models of CTranslate2 that its converters wrote, and packages of Argos Translate, which hold
// one. src/models/model.cc and src/layers/transformer.cc of CTranslate2 say what they compute.

// ctForeign is config.json of any model. Start is nil where the file has null.
type ctForeign struct {
	SourceBOS bool     `json:"add_source_bos"`
	SourceEOS bool     `json:"add_source_eos"`
	BOS       string   `json:"bos_token"`
	Start     *string  `json:"decoder_start_token"`
	EOS       string   `json:"eos_token"`
	NormEps   *float32 `json:"layer_norm_epsilon"`
	Unknown   string   `json:"unk_token"`
	Quantized *string  `json:"quantization_type"`
}

// configuration is what config.json says, or the variables of an older model.
func (f *ctFile) configuration(read ReadFile) (c ctForeign, err error) {
	start := "<s>"
	c = ctForeign{BOS: "<s>", EOS: "</s>", Unknown: "<unk>", Start: &start}
	data, err := read(ctConfigFile)
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.version < 6:
	case err != nil:
		return c, err
	default:
		if err := parseJSON("", data, &c); err != nil {
			return c, err
		}
	}
	if f.version < 6 {
		c.Unknown, c.BOS, c.EOS = f.string("unk_token", "<unk>"), f.string("bos_token", "<s>"), f.string("eos_token", "</s>")
		c.SourceBOS, c.SourceEOS = f.scalar("with_source_bos", 0) != 0, f.scalar("with_source_eos", 0) != 0
		if c.Start = &c.BOS; f.scalar("with_target_bos", 1) == 0 {
			c.Start = &c.EOS
		}
		if f.scalar("user_decoder_start_tokens", 0) != 0 {
			c.Start = nil
		}
	}
	switch {
	case c.SourceBOS:
		return c, errors.New("option add_source_bos is true: this program puts no token in front of sources")
	case c.Start == nil:
		return c, errors.New("option decoder_start_token is null: the text says how a translation begins, as in models of several languages; import the model from huggingface")
	case c.Quantized != nil:
		return c, fmt.Errorf("option quantization_type is %.200q, this program reads int8, int16 and floats", *c.Quantized)
	}
	return c, nil
}

// ctVocabulary reads a vocabulary by its name without an ending: JSON, or a token on each line.
func ctVocabulary(read ReadFile, name string, most int) ([]string, error) {
	data, err := read(name + ".json")
	var names []string
	switch {
	case err == nil:
		if json.Unmarshal(data, &names) != nil {
			return nil, fmt.Errorf("%s.json is no list of tokens, or cut short", name)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	default:
		if data, err = read(name + ".txt"); err != nil {
			return nil, err
		}
		names = strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	}
	if len(names) != most {
		return nil, fmt.Errorf("%s has %d tokens, the model's embedding %d", name, len(names), most)
	}
	return names, nil
}

// foreignCT is a model of CTranslate2 while it is read.
type foreignCT struct {
	*ctFile
	nmt.Config
	ctForeign
	source, target []string // the vocabularies; source is nil where they are one
	start          int      // the token that begins targets, or -1 for an embedding of zero
	added          bool     // whether <pad> was added, which stands for start
	own            string   // the variable of the sources' embeddings
}

// importForeignCT reads a model that another program wrote, in the directory or in model below it.
func importForeignCT(read ReadFile, files []string) (*model.Translator, error) {
	below := func(name string) ([]byte, error) { return read(name) }
	if slices.Contains(files, "model/"+ctModelFile) && !slices.Contains(files, ctModelFile) {
		below = func(name string) ([]byte, error) { return read("model/" + name) }
	}
	data, err := below(ctModelFile)
	if err != nil {
		return nil, err
	}
	f, err := readCT(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ctModelFile, err)
	}
	m := &foreignCT{ctFile: f}
	if m.ctForeign, err = f.configuration(below); err != nil {
		return nil, fmt.Errorf("%s: %w", ctConfigFile, err)
	}
	if err := m.shape(); err != nil {
		return nil, fmt.Errorf("%s: %w", ctModelFile, err)
	}
	if err := m.vocabularies(below); err != nil {
		return nil, err
	}
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", ctModelFile, err)
	}
	params, err := m.params()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ctModelFile, err)
	}
	tok, err := m.tokenizer(read, below)
	if err != nil {
		return nil, err
	}
	record := model.Model{Vocab: uint32(m.Vocab), Shape: m.Shape(), Form: m.Form}
	if record.Source, record.Target, err = argosLanguages(read); err != nil {
		return nil, err
	}
	return model.NewTranslator(record, params, tok)
}

// shape finds the sizes and the form of the model.
func (m *foreignCT) shape() error {
	embedding, up := m.vars["decoder/embeddings/weight"], m.vars["encoder/layer_0/ffn/linear_0/weight"]
	if len(embedding.dims) != 2 || len(up.dims) != 2 {
		return errors.New("no embedding, or no feed-forward layer, of two dimensions")
	}
	m.Vocab, m.Dim, m.FFN = embedding.dims[0], embedding.dims[1], up.dims[0]
	for stack, n := range map[string]*int{"encoder": &m.Encoder, "decoder": &m.Decoder} { // order-free: each its own
		for m.vars[fmt.Sprintf("%s/layer_%d/ffn/linear_0/weight", stack, *n)].dims != nil {
			*n++
		}
	}
	m.Heads = int(m.scalar("encoder/num_heads", 8))
	m.PostNorm = m.scalar("encoder/pre_norm", 1) == 0
	switch activation := m.scalar("encoder/activation", 0); activation {
	case 0:
	case 2:
		m.Activation = nmt.Swish
	default:
		return fmt.Errorf("activation %v, this program has ReLU (0) and Swish (2)", activation)
	}
	for _, same := range []struct {
		name string
		no   float64
	}{{"num_heads", 8}, {"pre_norm", 1}, {"activation", 0}} {
		if e, d := m.scalar("encoder/"+same.name, same.no), m.scalar("decoder/"+same.name, same.no); e != d {
			return fmt.Errorf("variable %.200q is %v in the encoder and %v in the decoder, this program computes equal ones", same.name, e, d)
		}
	}
	for _, name := range []string{"encoder/multi_query_attention", "decoder/alibi", "decoder/alibi_use_positive_positions", "decoder/scale_alibi", "decoder/multi_query_attention"} {
		if m.scalar(name, 0) != 0 {
			return fmt.Errorf("variable %.200q is on: this program does not compute what it changes", name)
		}
	}
	if m.scalar("decoder/scale_outputs", 1) != 1 {
		return errors.New(`variable "decoder/scale_outputs": this program does not scale outputs`)
	}
	// These are of no use here: which attention is an alignment, and how several sources are joined.
	for _, name := range []string{"decoder/alignment_layer", "decoder/alignment_heads", "encoder/embeddings_merge"} {
		m.scalar(name, 0)
	}
	if m.Config.NormEps = 1e-5; m.ctForeign.NormEps != nil {
		m.Config.NormEps = *m.ctForeign.NormEps
	}
	m.Config.OutputBias = true
	return errors.Join(m.scales(), m.positions(), m.matrices())
}

// scales finds whether embeddings are scaled by the square root of their width.
func (m *foreignCT) scales() error {
	var scale [2]float64
	for i, stack := range []string{"encoder", "decoder"} {
		name := stack + "/scale_embeddings"
		v, ok := m.vars[name]
		switch scale[i] = m.scalar(name, 1); {
		case !ok:
			scale[i] = 1
		case v.kind == ctFloat32 && math.Abs(scale[i]-math.Sqrt(float64(m.Dim))) < 1e-3:
			scale[i] = 1
		case v.kind == ctFloat32 && scale[i] == 1:
			scale[i] = 0
		case v.kind == ctFloat32 || scale[i] != 0 && scale[i] != 1:
			return fmt.Errorf("variable %.200q is %v, this program scales embeddings by the square root of their width, or not", name, scale[i])
		}
	}
	if scale[0] != scale[1] {
		return errors.New("only one of two embeddings is scaled")
	}
	m.Unscaled = scale[0] == 0
	return nil
}

// positions finds the layout of the position tables.
func (m *foreignCT) positions() error {
	for _, stack := range []string{"encoder", "decoder"} {
		name := stack + "/position_encodings/encodings"
		x, dims, err := m.values(name)
		if err != nil {
			return fmt.Errorf("%w: this program does not compute sinusoids that begin at position 1, nor relative positions", err)
		}
		if len(dims) != 2 || dims[1] != m.Dim || m.Dim%2 != 0 || m.Dim < 4 || m.Dim > 1<<13 {
			return fmt.Errorf("variable %.200q has shape %v, want a position of %d on each row", name, dims, m.Dim)
		}
		rows := min(dims[0], 128)
		found := slices.IndexFunc([]nmt.Positions{nmt.Interleaved, nmt.Halves, nmt.Timescales, nmt.Unplaced}, func(p nmt.Positions) bool {
			c := nmt.Config{Dim: m.Dim, Form: nmt.Form{Positions: p}}
			for i, want := range c.PositionTable(rows) {
				if math.Abs(float64(x[i]-want)) > 5e-3 { // a table of bfloat16 is as near as that; sinusoids in binary32 take its place
					return false
				}
			}
			return true
		})
		switch {
		case found < 0:
			return fmt.Errorf("variable %.200q has no sinusoids that this program computes: learned positions, or others", name)
		case stack == "decoder" && m.Positions != nmt.Positions(found):
			return errors.New("the encoder and the decoder have different positions")
		}
		m.Positions = nmt.Positions(found)
	}
	return nil
}

// matrices finds which embeddings are one.
func (m *foreignCT) matrices() error {
	if m.own = "encoder/embeddings_0/weight"; m.vars[m.own].dims == nil {
		m.own = "encoder/embeddings/weight"
	}
	if _, ok := m.vars["encoder/embeddings_1/weight"]; ok {
		return errors.New(`variable "encoder/embeddings_1/weight": this program reads one token at each position of a source`)
	}
	source, target, out := m.vars[m.own], m.vars["decoder/embeddings/weight"], m.vars["decoder/projection/weight"]
	if len(source.dims) != 2 || len(out.dims) != 2 {
		return errors.New("no embedding of sources, or no output projection, of two dimensions")
	}
	if source.name != target.name {
		m.SourceVocab = source.dims[0]
	}
	m.OwnOutput = out.name != target.name
	return nil
}

// vocabularies reads the vocabularies and finds the special tokens.
func (m *foreignCT) vocabularies(read ReadFile) error {
	var err error
	m.target, err = ctVocabulary(read, "shared_vocabulary", m.Vocab)
	switch {
	case err == nil && m.SourceVocab != 0:
		m.source = slices.Clone(m.target)
	case errors.Is(err, fs.ErrNotExist):
		if m.target, err = ctVocabulary(read, "target_vocabulary", m.Vocab); err != nil {
			return err
		}
		if m.source, err = ctVocabulary(read, "source_vocabulary", m.Sources()); err == nil && m.SourceVocab == 0 {
			if m.SourceVocab = m.Vocab; slices.Equal(m.source, m.target) {
				m.source, m.SourceVocab = nil, 0
			}
		}
	}
	if err != nil {
		return err
	}
	if m.source != nil && len(m.source) != m.SourceVocab {
		return fmt.Errorf("the vocabulary has %d tokens, the embedding of sources %d", len(m.source), m.SourceVocab)
	}
	// The tokenizer knows special tokens by their names in Marian.
	m.start = slices.Index(m.target, *m.Start)
	if m.scalar("decoder/start_from_zero_embedding", 0) != 0 {
		m.start = -1
	} else if m.start < 0 {
		return fmt.Errorf("%s: decoder_start_token %.200q is in no vocabulary", ctConfigFile, *m.Start)
	}
	pad := slices.Index(m.target, text.MarianPad)
	if m.added = pad < 0 || pad != m.start; m.added {
		if pad >= 0 {
			m.target[pad] = "<pad of " + ctSpec + ">"
		}
		pad, m.target, m.Vocab = m.Vocab, append(m.target, text.MarianPad), m.Vocab+1
	}
	for _, names := range [][]string{m.target, m.source} {
		for _, n := range [][2]string{{m.EOS, text.MarianEOS}, {m.Unknown, text.MarianUnknown}} {
			if at := slices.Index(names, n[0]); at >= 0 {
				names[at] = n[1]
			}
		}
	}
	eos := slices.Index(m.target, text.MarianEOS)
	if eos < 0 {
		return fmt.Errorf("%s: eos_token %.200q is not in the vocabulary", ctConfigFile, m.EOS)
	}
	if !slices.Contains(m.target, text.MarianUnknown) || m.source != nil && !slices.Contains(m.source, text.MarianUnknown) {
		return fmt.Errorf("%s: unk_token %.200q is not in the vocabulary", ctConfigFile, m.Unknown)
	}
	m.Marks = nmt.Marks{Pad: int32(pad), BOS: int32(pad), EOS: int32(eos)}
	if m.source != nil {
		end := slices.Index(m.source, text.MarianEOS)
		if end < 0 {
			return fmt.Errorf("%s: eos_token %.200q is not in the vocabulary of sources", ctConfigFile, m.EOS)
		}
		m.Form.SourceEOS = int32(end)
	}
	// MarianMT's tokenizer puts </s> behind a source itself, and its models begin with <pad>.
	m.BareSource = !m.SourceEOS && m.added
	return nil
}

// params are the model's parameters. It refuses other variables.
func (m *foreignCT) params() (*tensor.Set, error) {
	if err := enough(m.Config, m.stored()); err != nil {
		return nil, err
	}
	var items []tensor.Named
	cache := map[string][]float32{} // by variable: its numbers, of which several parameters may be parts
	for _, s := range m.Shapes() {
		name, at, of := ctSlot(s)
		table := true
		switch s.Name {
		case "embedding.weight":
		case "encoder.embedding.weight":
			name = m.own
		case "unembedding.weight":
			name = "decoder/projection/weight"
		default:
			table = false
		}
		dims := slices.Clone(s.Dims)
		turn := len(dims) == 2 && !table
		if turn {
			dims[0], dims[1] = dims[1], dims[0]
		}
		more := 0 // elements of <pad>
		if m.added && (s.Name == "embedding.weight" || s.Name == "unembedding.weight" || s.Name == "output.bias") {
			dims[0]--
			more = (&kernel.Tensor{Shape: dims}).Len() / dims[0]
		}
		whole := slices.Clone(dims)
		whole[0] *= of
		x, ok := cache[name]
		if !ok {
			var got []int
			var err error
			if _, there := m.vars[name]; s.Name == "output.bias" && !there {
				x, got = make([]float32, whole[0]), whole // a model may have none
			} else if x, got, err = m.values(name); err != nil {
				return nil, err
			}
			if !slices.Equal(got, whole) {
				return nil, fmt.Errorf("variable %.200q has shape %v, want %v", name, got, whole)
			}
			cache[name] = x
		}
		n := len(x) / of
		y := kernel.Tensor{Type: kernel.F32, Shape: dims, F: x[at*n : (at+1)*n : (at+1)*n]}
		if turn {
			y = transpose(y)
		}
		if more > 0 { // <pad> has the embedding of the token that it stands for, and no probability
			extra := make([]float32, more)
			switch {
			case s.Name == "output.bias":
				extra[0] = impossible
			case m.start >= 0 && s.Name == "embedding.weight":
				copy(extra, y.F[m.start*more:(m.start+1)*more])
			}
			y = kernel.Tensor{Type: kernel.F32, Shape: s.Dims, F: append(slices.Clone(y.F), extra...)}
		}
		items = append(items, tensor.Named{Name: s.Name, Tensor: y})
	}
	for _, alias := range []string{m.own, "decoder/projection/weight"} {
		m.used[alias], m.used[alias+"_scale"] = true, true
	}
	for _, name := range slices.Sorted(maps.Keys(m.vars)) {
		if !m.used[name] {
			return nil, fmt.Errorf("variable %.200q: this program does not compute what it is for", name)
		}
	}
	p, err := tensor.NewSet(items)
	if err == nil && !p.Finite() {
		err = errors.New("a parameter is not a finite number")
	}
	return p, err
}

// tokenizer joins the vocabularies and the SentencePiece models beside them.
func (m *foreignCT) tokenizer(read, below ReadFile) (model.Tokenizer, error) {
	files := map[string][]byte{text.VocabFile: jsonVocab(m.target)}
	if m.source != nil {
		files[text.VocabFile], files[text.TargetVocabFile] = jsonVocab(m.source), files[text.VocabFile]
	}
	for _, name := range []string{text.SourceFile, text.TargetFile} {
		for _, from := range []func() ([]byte, error){
			func() ([]byte, error) { return below(name) },
			func() ([]byte, error) { return read("sentencepiece.model") },
		} {
			data, err := from()
			if err == nil && files[name] == nil {
				files[name] = data
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
		if files[name] != nil {
			continue
		}
		if _, err := read("bpe.model"); err == nil {
			return nil, errors.New("bpe.model: this program reads tokenizers of SentencePiece, not of subword-nmt")
		}
		return nil, fmt.Errorf("no %s: CTranslate2 keeps no tokenizer, so put the SentencePiece models that the model was trained with beside %s, as %s and %s, or one for both as sentencepiece.model",
			name, ctModelFile, text.SourceFile, text.TargetFile)
	}
	return model.ParseWide(func(name string) ([]byte, error) {
		if data := files[name]; data != nil {
			return data, nil
		}
		return nil, fs.ErrNotExist
	})
}

// argosLanguages are the languages of a package of Argos Translate, or none.
func argosLanguages(read ReadFile) (source, target string, err error) {
	data, err := read("metadata.json")
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	} else if err != nil {
		return "", "", err
	}
	var m struct {
		From string `json:"from_code"`
		To   string `json:"to_code"`
	}
	if err := parseJSON("metadata.json", data, &m); err != nil {
		return "", "", err
	}
	return m.From, m.To, nil
}
