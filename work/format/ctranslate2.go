package format

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/text"
)

// The files of a directory of CTranslate2. Vocabulary and model.bin are as its
// python/ctranslate2/specs/model_spec.py writes them (binary version 6). The
// variables are those of transformer_spec.py (revision 7).
const (
	ctModelFile  = "model.bin"
	ctVocabFile  = "shared_vocabulary.json"
	ctConfigFile = "config.json"

	ctVersion  = 6
	ctSpec     = "TransformerSpec"
	ctRevision = 7
)

// ctType is the number of a variable's type.
type ctType uint8

const (
	ctFloat32 ctType = 0
	ctInt8    ctType = 1
	ctInt16   ctType = 2
)

// ctVariable is a variable of model.bin; a scalar has no dimensions.
type ctVariable struct {
	name string
	dims []int
	kind ctType
	f    []float32 // of ctFloat32
	i    int16     // of the other kinds, of which this program reads scalars only
}

// ctConfig is config.json.
type ctConfig struct {
	SourceBOS  bool    `json:"add_source_bos"`
	SourceEOS  bool    `json:"add_source_eos"`
	BOS        string  `json:"bos_token"`
	Start      string  `json:"decoder_start_token"`
	EOS        string  `json:"eos_token"`
	NormEps    float32 `json:"layer_norm_epsilon"`
	MultiQuery bool    `json:"multi_query_attention"`
	Unknown    string  `json:"unk_token"`
}

// ctConfigOf is the config.json of a model of this program's with these names of marks.
func ctConfigOf(pad, start, eos string) ctConfig {
	return ctConfig{SourceEOS: true, BOS: start, Start: start, EOS: eos, Unknown: pad, NormEps: 1e-5}
}

// ctSlot is the variable that has a parameter. The projections of one input are one
// variable, with their rows one after the other: the parameter is number at of the
// variable's of parameters.
func ctSlot(s nmt.ParamShape) (name string, at, of int) {
	stack, layer, sub, part, kind := split(s.Name)
	if part == "norm" {
		kind = map[string]string{"weight": "gamma", "bias": "beta"}[kind]
	}
	switch {
	case sub == "embedding":
		return "decoder/embeddings/weight", 0, 1
	case sub == "output":
		return "decoder/projection/bias", 0, 1
	case layer < 0:
		return stack + "/layer_norm/" + kind, 0, 1
	}
	name = fmt.Sprintf("%s/layer_%d/%s/", stack, layer, map[string]string{"self": "self_attention", "cross": "attention", "ffn": "ffn"}[sub])
	slots := map[string][3]int{ // number of the linear layer, at, of
		"self.q": {0, 0, 3}, "self.k": {0, 1, 3}, "self.v": {0, 2, 3}, "self.out": {1, 0, 1},
		"cross.q": {0, 0, 1}, "cross.k": {1, 0, 2}, "cross.v": {1, 1, 2}, "cross.out": {2, 0, 1},
		"ffn.up": {0, 0, 1}, "ffn.down": {1, 0, 1},
	}
	if part == "norm" {
		return name + "layer_norm/" + kind, 0, 1
	}
	slot := slots[sub+"."+part]
	return fmt.Sprintf("%slinear_%d/%s", name, slot[0], kind), slot[1], slot[2]
}

// ctScalars are the attributes of a model.
func ctScalars(c nmt.Config) []ctVariable {
	flag := func(b bool) int16 {
		if b {
			return 1
		}
		return 0
	}
	activation := map[nmt.Activation]int16{nmt.ReLU: 0, nmt.Swish: 2}[c.Activation]
	var all []ctVariable
	for _, stack := range []string{"encoder", "decoder"} {
		all = append(all,
			ctVariable{name: stack + "/num_heads", kind: ctInt16, i: int16(c.Heads)},
			ctVariable{name: stack + "/pre_norm", kind: ctInt8, i: flag(!c.PostNorm)},
			ctVariable{name: stack + "/activation", kind: ctInt8, i: activation},
			ctVariable{name: stack + "/scale_embeddings", kind: ctInt8, i: flag(!c.Unscaled)})
	}
	return append(all,
		ctVariable{name: "encoder/embeddings_merge", kind: ctInt8},
		ctVariable{name: "encoder/multi_query_attention", kind: ctInt8},
		ctVariable{name: "decoder/alibi", kind: ctInt8},
		ctVariable{name: "decoder/alibi_use_positive_positions", kind: ctInt8},
		ctVariable{name: "decoder/scale_alibi", kind: ctInt8},
		ctVariable{name: "decoder/start_from_zero_embedding", kind: ctInt8},
		ctVariable{name: "decoder/alignment_layer", kind: ctInt16, i: -1},
		ctVariable{name: "decoder/alignment_heads", kind: ctInt16, i: 1})
}

const ctPositions = "decoder/position_encodings/encodings"

// ctAliases are second names of variables.
var ctAliases = [][2]string{
	{"decoder/projection/weight", "decoder/embeddings/weight"},
	{"encoder/embeddings_0/weight", "decoder/embeddings/weight"},
	{"encoder/position_encodings/encodings", ctPositions},
}

// exportCTranslate2 writes a model for CTranslate2, which adds EOS to sources itself.
// CTranslate2 may write the marks for padding and beginning, although a trained
// model hardly ever does: its option suppress_sequences forbids them. With that, and with
// min_decoding_length 0, its searches are those of this program.
func exportCTranslate2(t *model.Translator) (map[string][]byte, error) {
	c := t.Model.Config()
	if c.SourceVocab != 0 || c.FirstPosition != 0 || c.Start != 0 {
		return nil, errors.New("export to ctranslate2: this program does not write models with two vocabularies, or whose languages have tokens")
	}
	names := t.Tokenizer.Names()
	marks := c.Tokens()
	pad, start, eos := names[marks.Pad], names[marks.BOS], names[marks.EOS]
	conf := ctConfigOf(pad, start, eos)
	if c.NormEps != 0 {
		conf.NormEps = c.NormEps
	}
	if unknown := t.Tokenizer.Unknown(); unknown != "" {
		conf.Unknown = unknown
	}
	files := t.Tokenizer.Files()
	delete(files, text.VocabFile) // CTranslate2 has its own
	all := append(ctScalars(c), ctVariable{name: ctPositions, dims: []int{nmt.MaxLength, c.Dim}, f: c.PositionTable(nmt.MaxLength)})
	weights := map[string]*ctVariable{}
	for _, s := range c.Shapes() {
		x, ok := t.Params.Get(s.Name)
		if !ok {
			return nil, fmt.Errorf("no parameter %s", s.Name)
		}
		name, at, of := ctSlot(s)
		if len(x.Shape) == 2 && s.Name != "embedding.weight" {
			x = transpose(x)
		}
		v := weights[name]
		if v == nil {
			dims := slices.Clone(x.Shape)
			dims[0] *= of
			v = &ctVariable{name: name, dims: dims, f: make([]float32, of*len(x.F))}
			weights[name] = v
		}
		copy(v.f[at*len(x.F):], x.F)
	}
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		all = append(all, *weights[name])
	}
	files[ctModelFile], files[ctConfigFile], files[ctVocabFile] = encodeCT(all), pretty(conf), pretty(names)
	return files, nil
}

// encodeCT writes model.bin; all numbers are little endian.
func encodeCT(all []ctVariable) []byte {
	slices.SortFunc(all, func(a, b ctVariable) int { return bytes.Compare([]byte(a.name), []byte(b.name)) })
	u16, u32 := binary.LittleEndian.AppendUint16, binary.LittleEndian.AppendUint32
	str := func(out []byte, s string) []byte { return append(append(u16(out, uint16(len(s)+1)), s...), 0) }
	out := u32(str(u32(nil, ctVersion), ctSpec), ctRevision)
	out = u32(out, uint32(len(all)))
	for _, v := range all {
		out = append(str(out, v.name), byte(len(v.dims)))
		for _, d := range v.dims {
			out = u32(out, uint32(d))
		}
		out = append(out, byte(v.kind))
		switch v.kind {
		case ctInt8:
			out = append(u32(out, 1), byte(v.i))
		case ctInt16:
			out = u16(u32(out, 2), uint16(v.i))
		default:
			out = u32(out, uint32(4*len(v.f)))
			for _, x := range v.f {
				out = u32(out, math.Float32bits(x))
			}
		}
	}
	out = u32(out, uint32(len(ctAliases)))
	for _, a := range ctAliases {
		out = str(str(out, a[0]), a[1])
	}
	return out
}

// ctReader reads model.bin, and keeps the first error.
type ctReader struct {
	data []byte
	err  error
}

// take gives the next n bytes, or zeros after an error.
func (r *ctReader) take(n int) []byte {
	if r.err == nil && n > len(r.data) {
		r.err = fmt.Errorf("want %d more bytes, have %d: the file is cut short", n, len(r.data))
	}
	if r.err != nil {
		return make([]byte, min(n, 4))
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

// u32 reads a number.
func (r *ctReader) u32() int { return int(binary.LittleEndian.Uint32(r.take(4))) }

// str reads a string with its length and a NUL at its end.
func (r *ctReader) str() string {
	b := r.take(int(binary.LittleEndian.Uint16(r.take(2))))
	if r.err == nil && (len(b) == 0 || bytes.IndexByte(b, 0) != len(b)-1) {
		r.err = errors.New("want a name that ends with a NUL byte and has no other one")
	}
	return string(bytes.TrimRight(b, "\x00"))
}

// decodeCT is the inverse of encodeCT.
func decodeCT(data []byte) (map[string]ctVariable, error) {
	r := &ctReader{data: data}
	if v := r.u32(); r.err == nil && v != ctVersion {
		return nil, fmt.Errorf("binary version %d, this program reads %d", v, ctVersion)
	}
	if spec, revision := r.str(), r.u32(); r.err == nil && (spec != ctSpec || revision != ctRevision) {
		return nil, fmt.Errorf("%s of revision %d, this program reads %s of %d", spec, revision, ctSpec, ctRevision)
	}
	all := map[string]ctVariable{}
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		v := r.variable()
		if _, twice := all[v.name]; twice && r.err == nil {
			return nil, fmt.Errorf("variable %.200q is there twice", v.name)
		}
		all[v.name] = v
	}
	var aliases [][2]string
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		aliases = append(aliases, [2]string{r.str(), r.str()})
	}
	switch {
	case r.err != nil:
		return nil, r.err
	case len(r.data) > 0:
		return nil, fmt.Errorf("%d bytes after the aliases", len(r.data))
	case !slices.Equal(aliases, ctAliases):
		return nil, fmt.Errorf("aliases %v, want %v: the model's embeddings are not one matrix", aliases, ctAliases)
	}
	return all, nil
}

// variable reads a variable. It takes memory only for elements that the file has.
func (r *ctReader) variable() ctVariable {
	v := ctVariable{name: r.str()}
	elements := uint64(1)
	for range r.take(1)[0] {
		d := r.u32()
		v.dims, elements = append(v.dims, d), elements*uint64(d)
		if r.err == nil && (d == 0 || elements > uint64(len(r.data))) {
			r.err = fmt.Errorf("variable %.200q of shape %v is larger than the file", v.name, v.dims)
		}
		if r.err != nil {
			return v
		}
	}
	// The number of bytes follows from type and shape, and stands in the file too.
	v.kind = ctType(r.take(1)[0])
	size, ok := map[ctType]uint64{ctFloat32: 4, ctInt8: 1, ctInt16: 2}[v.kind]
	if n := uint64(r.u32()); r.err == nil && (!ok || n != size*elements || v.kind != ctFloat32 && len(v.dims) > 0) {
		r.err = fmt.Errorf("variable %.200q has type %d, shape %v and %d bytes: this program reads numbers of F32 and scalars of I8 and I16", v.name, v.kind, v.dims, n)
	}
	if r.err != nil {
		return v
	}
	b := r.take(int(size * elements))
	if r.err != nil {
		return v
	}
	switch v.kind {
	case ctInt8:
		v.i = int16(int8(b[0]))
	case ctInt16:
		v.i = int16(binary.LittleEndian.Uint16(b))
	default:
		v.f = make([]float32, elements)
		for i := range v.f {
			v.f[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
	}
	return v
}

// importCTranslate2 reads a model of this program's that exportCTranslate2 wrote, with its
// tokenizer, or one that another program wrote.
func importCTranslate2(read ReadFile, files []string) (*model.Translator, error) {
	data, err := read(text.TokenizerFile)
	if errors.Is(err, fs.ErrNotExist) {
		return importForeignCT(read, files)
	} else if err != nil {
		return nil, err
	}
	tok, err := text.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", text.TokenizerFile, err)
	}
	if data, err = read(ctModelFile); err != nil {
		return nil, err
	}
	all, err := decodeCT(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ctModelFile, err)
	}
	if data, err = read(ctVocabFile); err != nil {
		return nil, err
	}
	// The vocabulary file repeats the tokenizer's pieces.
	var names []string
	if err := json.Unmarshal(data, &names); err != nil || !slices.Equal(names, tok.Names()) {
		return nil, fmt.Errorf("%s does not have the pieces of %s (%v)", ctVocabFile, text.TokenizerFile, err)
	}
	m, err := ctModel(all, tok.Pieces())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ctModelFile, err)
	}
	if data, err = read(ctConfigFile); err != nil {
		return nil, err
	}
	var conf ctConfig
	if err := parseJSON(ctConfigFile, data, &conf); err != nil {
		return nil, err
	}
	if want := ctConfigOf(names[nmt.Pad], names[nmt.BOS], names[nmt.EOS]); conf != want {
		return nil, fmt.Errorf("%s says %+v, a model that this program exported has %+v", ctConfigFile, conf, want)
	}
	params, err := ctParams(m.Config(), all)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ctModelFile, err)
	}
	return model.NewTranslator(m, params, tok)
}

// ctModel finds the shape of a model from its variables. It removes from all the
// variables that are no parameters.
func ctModel(all map[string]ctVariable, pieces int) (model.Model, error) {
	embedding, up := all["decoder/embeddings/weight"], all["encoder/layer_0/ffn/linear_0/weight"]
	if len(embedding.dims) != 2 || len(up.dims) != 2 {
		return model.Model{}, errors.New("no embedding, or no feed-forward layer, of two dimensions")
	}
	m := model.Model{Vocab: uint32(pieces), Shape: nmt.Shape{
		Dim: uint32(embedding.dims[1]), FFN: uint32(up.dims[0]), Heads: uint32(uint16(all["encoder/num_heads"].i)),
	}}
	for stack, n := range map[string]*uint32{"encoder": &m.Encoder, "decoder": &m.Decoder} { // order-free: each its own
		for all[fmt.Sprintf("%s/layer_%d/ffn/linear_0/weight", stack, *n)].dims != nil {
			*n++
		}
	}
	c := m.Config()
	if err := c.Validate(); err != nil {
		return model.Model{}, err
	}
	for _, want := range ctScalars(c) {
		if got := all[want.name]; got.kind != want.kind || got.i != want.i {
			return model.Model{}, fmt.Errorf("variable %.200q is %d, want %d as in a model of this program", want.name, got.i, want.i)
		}
		delete(all, want.name)
	}
	if got := all[ctPositions]; !slices.Equal(got.dims, []int{nmt.MaxLength, c.Dim}) || !slices.Equal(got.f, c.PositionTable(nmt.MaxLength)) {
		return model.Model{}, fmt.Errorf("variable %.200q does not have the sinusoids of a model of this program", ctPositions)
	}
	delete(all, ctPositions)
	return m, nil
}

// ctParams are the parameters of configuration c. It refuses other variables in all.
func ctParams(c nmt.Config, all map[string]ctVariable) (*tensor.Set, error) {
	var items []tensor.Named
	used := map[string]bool{}
	for _, s := range c.Shapes() {
		name, at, of := ctSlot(s)
		used[name] = true
		dims := slices.Clone(s.Dims)
		turned := len(dims) == 2 && s.Name != "embedding.weight"
		if turned {
			dims[0], dims[1] = dims[1], dims[0]
		}
		whole := slices.Clone(dims)
		whole[0] *= of
		v := all[name]
		if v.kind != ctFloat32 || !slices.Equal(v.dims, whole) {
			return nil, fmt.Errorf("variable %.200q has shape %v, want %v of F32", name, v.dims, whole)
		}
		// The parameter is one of several in the variable, transposed.
		n := len(v.f) / of
		x := kernel.Tensor{Type: kernel.F32, Shape: dims, F: v.f[at*n : (at+1)*n]}
		if turned {
			x = transpose(x)
		}
		items = append(items, tensor.Named{Name: s.Name, Tensor: x})
	}
	if len(used) != len(all) {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if !used[name] {
				return nil, fmt.Errorf("variable %.200q does not belong to a model of this program", name)
			}
		}
	}
	return tensor.NewSet(items)
}
