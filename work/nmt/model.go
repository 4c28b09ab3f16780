package nmt

import (
	"fmt"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// normEps is added to the variance in every layer norm, as in PyTorch.
const normEps = 1e-5

// model appends the Transformer to a graph. Its methods read from top to bottom like the
// paper. A value is [T, Dim] unless a comment says otherwise.
type model struct {
	Config
	g           *tensor.Graph
	in          *inputs
	leaves      []leaf
	params      map[string]tensor.Value
	pe          tensor.Value                  // [L, Dim]: the position table
	key         tensor.Value                  // I32 [4]: the dropout key; none without dropout
	sites       uint32                        // number of dropouts so far
	inputCodes  map[tensor.Value]tensor.Value // by input of 8-bit projections: its codes
	weightCodes map[string]tensor.Value       // by projection: the codes of its weight, which quantize makes

	source, target tensor.Partition // the rows of each sentence; target only if the model decodes
}

// leaf is a leaf of the graph, and the tensor that it gets for every batch.
type leaf struct {
	value tensor.Value
	from  *kernel.Tensor
}

// newModel starts a graph whose leaves are the parameters of in.
func newModel(c Config, in *inputs) *model {
	m := &model{
		Config: c, g: tensor.NewGraph(), in: in,
		params: make(map[string]tensor.Value, len(in.params)), inputCodes: map[tensor.Value]tensor.Value{},
	}
	m.source = m.g.Partition(in.source.starts)
	for i, s := range in.shapes {
		m.params[s.Name] = m.leaf(tensor.Param, s.Name, &in.params[i])
	}
	m.pe = m.leaf(tensor.Const, "positions", &in.positions)
	return m
}

func (m *model) leaf(kind tensor.LeafKind, name string, from *kernel.Tensor, parts ...tensor.Partition) tensor.Value {
	v := m.g.Leaf(kind, name, *from, parts...)
	m.leaves = append(m.leaves, leaf{v, from})
	return v
}

// refresh gives the leaves and partitions the present contents of m.in.
func (m *model) refresh() {
	for _, l := range m.leaves {
		m.g.Set(l.value, *l.from)
	}
	// A partition's storage may have moved when it grew.
	m.g.SetPartition(m.source, m.in.source.starts)
	if m.target != 0 {
		m.g.SetPartition(m.target, m.in.target.starts)
	}
}

// embed is the embeddings of the packed tokens ids plus those of their positions. name is
// source or target.
func (m *model) embed(name string, ids, positions *kernel.Tensor, part tensor.Partition) tensor.Value {
	m.g.Module(name)
	table := "embedding.weight"
	if name == "source" && m.SourceVocab > 0 {
		table = sourceEmbedding
	}
	id := m.leaf(tensor.Input, name, ids, part)
	pos := m.leaf(tensor.Input, name+".positions", positions, part)
	x := m.g.Do(kernel.Embed, kernel.Attr{Scale: m.embedScale()}, m.params[table], id, pos, m.pe)
	return m.dropout(x)
}

// encode is the encoder's output for the packed sources.
func (m *model) encode() tensor.Value {
	x := m.embed("source", &m.in.sourceIDs, &m.in.sourceWhere, m.source)
	seg := m.leaf(tensor.Input, "source.segments", &m.in.self, m.source, m.source)
	for i := range m.Encoder {
		layer := fmt.Sprintf("encoder.%d", i)
		x = m.selfAttention(layer+".self", x, seg, false)
		x = m.feedForward(layer+".ffn", x)
	}
	return m.last("encoder.norm", x)
}

// decode is the logits [T, Vocab] of the token that follows each target token, given the
// encoder's output.
func (m *model) decode(memory tensor.Value) tensor.Value {
	m.target = m.g.Partition(m.in.target.starts)
	x := m.embed("target", &m.in.targetIDs, &m.in.targetWhere, m.target)
	self := m.leaf(tensor.Input, "target.segments", &m.in.mask, m.target, m.target)
	cross := m.leaf(tensor.Input, "cross.segments", &m.in.cross, m.target, m.source)
	for i := range m.Decoder {
		layer := fmt.Sprintf("decoder.%d", i)
		x = m.selfAttention(layer+".self", x, self, true)
		x = m.crossAttention(layer+".cross", x, memory, cross)
		x = m.feedForward(layer+".ffn", x)
	}
	x = m.last("decoder.norm", x)
	// The output projection: by 8-bit codes, by a transposed copy of the embedding, or by
	// the embedding itself. See layout.
	m.g.Module("output")
	if m.coded("output") {
		return m.codedLinear("output", x)
	}
	bias, has := m.params["output.bias"]
	if w, ok := m.weightCodes["output"]; ok {
		if !has {
			bias = m.g.Leaf(tensor.Const, "zeros", tensor.Zeros(kernel.F32, m.Vocab))
		}
		return m.product8(x, w, w.Out(1), bias)
	}
	var y tensor.Value
	if w, ok := m.params[outputWeight]; ok {
		y = m.g.Do(kernel.MatMul, kernel.Attr{}, x, w)
	} else {
		y = m.g.Do(kernel.MatMul, kernel.Attr{Trans: kernel.NT}, x, m.params[m.outputTable()])
	}
	if !has {
		return y
	}
	return m.g.Do(kernel.AddBias, kernel.Attr{}, y, bias)
}

// loss returns the sum [1] of the smoothed loss over all target tokens, the sum [1] of their
// negative log-likelihoods, and the negative log-likelihood [T] of each.
func (m *model) loss(logits tensor.Value) (loss, nll, each tensor.Value) {
	m.g.Module("loss")
	none := kernel.Attr{}
	// Row maximum, sum of exponentials and sum: what the loss of a row needs of all logits.
	y := m.leaf(tensor.Input, "target.next", &m.in.next, m.target)
	most := m.g.Do(kernel.RowMax, none, logits)
	exp := m.g.Do(kernel.RowSumExp, none, logits, most)
	sum := m.g.Do(kernel.RowSum, none, logits)
	ce := m.g.Do(kernel.CrossEntropy, kernel.Attr{Eps: m.Smoothing}, logits, most, exp, sum, y)
	return m.g.Do(kernel.Sum, none, ce), m.g.Do(kernel.Sum, none, ce.Out(1)), ce.Out(1)
}

func (m *model) selfAttention(name string, x, seg tensor.Value, causal bool) tensor.Value {
	z := m.enter(name, x) // query, key and value all come from it
	a := m.attention(name, m.linear(name+".q", z), m.linear(name+".k", z), m.linear(name+".v", z), seg, causal)
	return m.leave(name, x, m.linear(name+".out", a))
}

func (m *model) crossAttention(name string, x, memory, seg tensor.Value) tensor.Value {
	q := m.linear(name+".q", m.enter(name, x))
	k, v := m.memory(name, memory)
	return m.leave(name, x, m.linear(name+".out", m.attention(name, q, k, v, seg, false)))
}

// memory is the keys and values of a cross attention, from the encoder's output.
func (m *model) memory(name string, memory tensor.Value) (k, v tensor.Value) {
	return m.linear(name+".k", memory), m.linear(name+".v", memory)
}

// attention is multi-head scaled dot-product attention without its projections (Vaswani et
// al., 2017, section 3.2).
func (m *model) attention(name string, q, k, v, seg tensor.Value, causal bool) tensor.Value {
	m.g.Module(name)
	heads := kernel.Attr{Heads: m.Heads}
	s := m.g.Do(kernel.AttnScores, heads, q, k, seg)
	p := m.g.Do(kernel.AttnSoftmax, softmaxAttr(m.Config, causal), s, seg)
	return m.g.Do(kernel.AttnMix, heads, p, v, seg)
}

// softmaxAttr divides scores by the square root of a head's width.
func softmaxAttr(c Config, causal bool) kernel.Attr {
	return kernel.Attr{Heads: c.Heads, Causal: causal, Scale: 1 / root(c.Dim/c.Heads)}
}

func (m *model) feedForward(name string, x tensor.Value) tensor.Value {
	h := m.linear(name+".up", m.enter(name, x)) // [T, FFN]
	m.g.Module(name)
	h = m.g.Do(m.activate(), kernel.Attr{}, h)
	return m.leave(name, x, m.linear(name+".down", h))
}

// enter is the input of a sub-layer, from the residual stream x.
func (m *model) enter(name string, x tensor.Value) tensor.Value {
	if m.PostNorm {
		return x
	}
	return m.norm(name+".norm", x)
}

// leave adds the output y of a sub-layer to the residual stream x.
func (m *model) leave(name string, x, y tensor.Value) tensor.Value {
	x = m.g.Do(kernel.Add, kernel.Attr{}, x, m.dropout(y))
	if m.PostNorm {
		x = m.norm(name+".norm", x)
	}
	return x
}

// last is the output of a stack of layers.
func (m *model) last(name string, x tensor.Value) tensor.Value {
	if m.PostNorm {
		return x
	}
	return m.norm(name, x)
}

// quantize makes the codes of all projections, which then multiply codes.
// They stand in front of all other operations: a weight belongs to no sentence, so its codes
// would interrupt a stage of operations on sentences.
func (m *model) quantize() {
	m.weightCodes = map[string]tensor.Value{}
	for _, s := range m.in.shapes {
		if name, ok := projection(s.Name, s.Dims); ok && s.Name != outputWeight {
			m.g.Module(name)
			m.weightCodes[name] = m.g.Do(kernel.QuantizeWeight, kernel.Attr{}, m.params[s.Name])
		}
	}
	m.g.Module("output")
	m.weightCodes["output"] = m.g.Do(kernel.QuantizeWeight, kernel.Attr{Trans: kernel.NT}, m.params[m.outputTable()])
}

// outputTable is the parameter that the output projection multiplies by.
func (m *model) outputTable() string {
	if m.OwnOutput {
		return unembedding
	}
	return "embedding.weight"
}

func (m *model) linear(name string, x tensor.Value) tensor.Value {
	m.g.Module(name)
	if m.coded(name) {
		return m.codedLinear(name, x)
	}
	if w, ok := m.weightCodes[name]; ok {
		return m.product8(x, w, w.Out(1), m.params[name+".bias"])
	}
	y := m.g.Do(kernel.MatMul, kernel.Attr{}, x, m.params[name+".weight"])
	return m.g.Do(kernel.AddBias, kernel.Attr{}, y, m.params[name+".bias"])
}

// coded reports whether a projection has 8-bit codes, which have scales.
func (m *model) coded(name string) bool { return m.params[name+".scale"] != (tensor.Value{}) }

// codedLinear is a projection whose parameters are 8-bit codes.
func (m *model) codedLinear(name string, x tensor.Value) tensor.Value {
	return m.product8(x, m.params[name+".weight"], m.params[name+".scale"], m.params[name+".bias"])
}

// product8 is a projection by 8-bit codes w with scales. The codes of x are made once, although
// query, key and value projections all read x.
func (m *model) product8(x, w, scales, bias tensor.Value) tensor.Value {
	q, ok := m.inputCodes[x]
	if !ok {
		q = m.g.Do(kernel.QuantizeRows, kernel.Attr{}, x)
		m.inputCodes[x] = q
	}
	return m.g.Do(kernel.Linear8, kernel.Attr{}, q, q.Out(1), w, scales, bias)
}

func (m *model) norm(name string, x tensor.Value) tensor.Value {
	m.g.Module(name)
	return m.g.Do(kernel.LayerNorm, kernel.Attr{Eps: m.Epsilon()}, x, m.params[name+".weight"], m.params[name+".bias"])
}

func (m *model) dropout(x tensor.Value) tensor.Value {
	if m.key == (tensor.Value{}) {
		return x
	}
	// The site makes every dropout of a graph draw other random words.
	site := m.sites
	m.sites++
	return m.g.Do(kernel.Dropout, kernel.Attr{Rate: m.Dropout, Scale: 1 / (1 - m.Dropout), Site: site}, x, m.key)
}
