package nmt

import (
	"fmt"
	"math"
	"slices"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// decoder computes one position of many hypotheses at a time. It keeps the keys and values of
// earlier positions: each hypothesis owns a range of rows in every layer's cache, which
// segment tables name, so hypotheses come and go without moving others. It calls the
// operations of package kernel directly, without a graph. The result of a hypothesis does
// not depend on the other hypotheses.
type decoder struct {
	dev    kernel.Device
	config Config
	marks  Marks
	cost   uint64      // so far
	call   kernel.Call // the call being made, whose storage is used again

	params []*kernel.Tensor // by parameter: the field below that holds it, nil for none
	table  kernel.Tensor    // embeddings [Vocab, Dim]
	own    kernel.Tensor    // the output's own embeddings [Vocab, Dim], if it has them
	output linear           // to [Vocab]; without a weight where table serves
	pe     kernel.Tensor    // position table [L, Dim]
	norm   linear           // after the last layer
	layers []decoderLayer
	source *ragged // the sentences being translated
	live   []hypothesis
	ids    []int32 // by live hypothesis: its newest token
	pos    []int32 // by live hypothesis: the position of that token
	self   []int32 // segment tables [n,4]: to the hypothesis's own rows of the caches,
	cross  []int32 // and to the rows of its source
	rows   []int32 // by live hypothesis: its present row in the caches
	hidden []int32 // the indexes of logits that are set to -infinity

	repeats Repeats
	written [][]int32      // by live hypothesis: its tokens so far
	first   [][]int32      // by sentence: the tokens that its translation begins with
	spared  [][]int32      // by live hypothesis: tokens that are not banned, for its terms
	banned  [][]int32      // by live hypothesis: tokens that the last step banned; empty if it changed no logits
	had     []bool         // [Vocab]: the tokens of one hypothesis; all false between two uses
	fetched kernel.Staging // for the logits of an accelerator

	x, z, q, k, v, y, stats kernel.Tensor // [n, Dim], stats [n, 2]
	h                       kernel.Tensor // [n, FFN]
	logits                  kernel.Tensor // [n, Vocab]
	never                   kernel.Tensor // [2n, 1]: -infinity
	picked                  kernel.Tensor // [n, 1]: the logits of the chosen tokens
	narrowed                narrowing
	gates                   gates            // of SSRUs
	reader                  *attentionReader // reads an attention; nil in a translation
	codes, scales           kernel.Tensor    // I8 [n, Dim or FFN], [n]: the input of 8-bit projections
}

// linear is a projection's weight and bias, or a norm's gain and bias. A weight of 8-bit codes
// has a scale for each column.
type linear struct{ weight, scale, bias kernel.Tensor }

// target is a projection and the tensor for its result.
type target struct {
	y kernel.Tensor
	linear
}

// attention is the parameters of an attention sub-layer, and its keys and values [rows, Dim].
type attention struct {
	norm, q, k, v, out linear
	keys, values       kernel.Tensor
}

// decoderLayer is the parameters and caches of one layer.
type decoderLayer struct {
	self, cross    attention
	x, keep        linear // of an SSRU, whose norm and cells are self.norm and self.keys
	norm, up, down linear
}

// hypothesis is the beginning of a translation.
type hypothesis struct {
	sentence int // in the source
	slot     int // its first row in the caches
}

// load gives d the parameters p, whose shapes are those of layOut.
func (d *decoder) load(dev kernel.Device, c Config, p *tensor.Set) {
	d.dev, d.config, d.marks, d.cost = dev, c, c.Tokens(), 0
	d.narrowed.table = kernel.Tensor{}
	for i, t := range d.params {
		if t != nil {
			*t = p.At(i).Tensor
		}
	}
}

// layOut finds the field of an empty decoder for each parameter. The encoder's parameters
// have none.
func (d *decoder) layOut(c Config, shapes []ParamShape) {
	places := map[string]*kernel.Tensor{"embedding.weight": &d.table, unembedding: &d.own}
	lin := func(name string, l *linear) {
		places[name+".weight"], places[name+".scale"], places[name+".bias"] = &l.weight, &l.scale, &l.bias
	}
	lin("output", &d.output)
	lin("decoder.norm", &d.norm)
	d.layers = make([]decoderLayer, c.Decoder)
	for i := range d.layers {
		l := &d.layers[i]
		name := fmt.Sprintf("decoder.%d", i)
		for _, a := range []struct {
			*attention
			name string
		}{{&l.self, name + ".self"}, {&l.cross, name + ".cross"}} {
			lin(a.name+".norm", &a.norm)
			lin(a.name+".q", &a.q)
			lin(a.name+".k", &a.k)
			lin(a.name+".v", &a.v)
			lin(a.name+".out", &a.out)
		}
		lin(name+".self.x", &l.x)
		lin(name+".self.keep", &l.keep)
		lin(name+".ffn.norm", &l.norm)
		lin(name+".ffn.up", &l.up)
		lin(name+".ffn.down", &l.down)
	}
	d.params = make([]*kernel.Tensor, len(shapes))
	for i, s := range shapes {
		d.params[i] = places[s.Name]
	}
}

// begin makes room for n hypotheses with rows rows of the caches together. The keys and values
// of the cross attentions are already there.
func (d *decoder) begin(n, rows int, source *ragged, pe kernel.Tensor) {
	c := d.config
	d.source, d.pe = source, pe
	for _, t := range []*kernel.Tensor{&d.x, &d.z, &d.q, &d.k, &d.v, &d.y} {
		d.reserve(t, n, c.Dim)
	}
	d.reserve(&d.stats, n, 2)
	d.reserve(&d.h, n, c.FFN)
	if w := &d.narrowed; w.on {
		d.reserve(&w.wide, n, len(w.all))
	} else {
		d.reserve(&d.logits, n, c.Vocab)
	}
	for len(d.never.F) < 2*n {
		d.never.F = append(d.never.F, float32(math.Inf(-1)))
	}
	// Codes of the widest input; project cuts them to each input's size.
	if wide := n * max(c.Dim, c.FFN); cap(d.codes.B) < wide {
		d.codes, d.scales = kernel.Alloc(d.dev, kernel.I8, wide), kernel.Alloc(d.dev, kernel.F32, n)
		d.codes.Shape = []int{1, wide}
	}
	for i := range d.layers {
		d.reserve(&d.layers[i].self.keys, rows, c.Dim)
		if !c.Recurrent {
			d.reserve(&d.layers[i].self.values, rows, c.Dim)
		}
	}
	if c.Recurrent {
		d.gates.reserve(d.dev, n, c.Dim)
	}
	d.live, d.ids = d.live[:0], d.ids[:0]
	d.written, d.spared = d.written[:0], d.spared[:0]
}

// reserve gives t the shape [rows, width], with new storage if there is too little. The
// elements are arbitrary.
func (d *decoder) reserve(t *kernel.Tensor, rows, width int) {
	if cap(t.F) < rows*width { // the old elements are not needed: nothing is copied
		*t = kernel.Alloc(d.dev, kernel.F32, rows*width)
		t.Shape = []int{rows, width}
		return
	}
	t.Shape[0], t.Shape[1] = rows, width
	t.F = t.F[:rows*width]
}

// step computes the logits [n, Vocab] of the token that follows d.ids, which are the tokens
// at position t of the n live hypotheses, BOS at 0. The logits of Pad and BOS are -infinity. The
// result is valid until the next step. With a shortlist the columns are the candidates of
// each row's sentence, and -infinity behind them. Repeats have changed the logits.
func (d *decoder) step(t int) kernel.Tensor {
	kernel.BeginAsync(d.dev)
	defer kernel.EndAsync(d.dev)
	return d.discourage(d.predict(d.advance(t + d.config.lead())))
}

// all is step with the logits of every token, Pad and BOS included.
func (d *decoder) all(t int) kernel.Tensor {
	z := d.advance(t)
	d.reserve(&d.logits, len(d.live), d.config.Vocab)
	d.unembed(z, target{d.logits, d.output})
	return d.logits
}

// advance computes the layers for d.ids, the tokens in row t of each live hypothesis's range of the
// caches, and puts their keys and values there. It returns the input of the output projection.
func (d *decoder) advance(t int) kernel.Tensor {
	n := len(d.live)
	for _, b := range []*kernel.Tensor{&d.x, &d.z, &d.q, &d.k, &d.v, &d.y, &d.stats, &d.h} {
		d.reserve(b, n, b.Shape[1])
	}
	// Each hypothesis is a segment of one query: in self attention its keys are its own
	// rows of the caches so far, in cross attention those of its source.
	d.pos, d.self, d.cross, d.rows = d.pos[:0], d.self[:0], d.cross[:0], d.rows[:0]
	for i, h := range d.live {
		from, to := d.source.starts[h.sentence], d.source.starts[h.sentence+1]
		d.pos = append(d.pos, int32(t))
		d.self = append(d.self, int32(i), 1, int32(h.slot), int32(t+1))
		d.cross = append(d.cross, int32(i), 1, from, to-from)
		d.rows = append(d.rows, int32(h.slot+t))
	}
	self, cross, rows := ints(d.self, n, 4), ints(d.cross, n, 4), ints(d.rows, n)

	d.do(kernel.Embed, kernel.Attr{Scale: d.config.embedScale()}, []kernel.Tensor{d.x},
		[]kernel.Tensor{d.table, ints(d.ids, n), ints(d.pos, n), d.pe})
	// The layers, as in model.decode. New keys and values go to the caches first.
	for i := range d.layers {
		l := &d.layers[i]
		if d.config.Recurrent {
			d.recur(l, t, rows)
		} else {
			z := d.enter(l.self.norm)
			d.project(z, target{d.q, l.self.q}, target{d.k, l.self.k}, target{d.v, l.self.v})
			d.put(l.self.keys, rows, d.k)
			d.put(l.self.values, rows, d.v)
			d.attend(&l.self, self)
		}
		d.project(d.enter(l.cross.norm), target{d.q, l.cross.q})
		d.reader.read(d, i, cross)
		d.attend(&l.cross, cross)
		d.project(d.enter(l.norm), target{d.h, l.up})
		d.do(d.config.activate(), kernel.Attr{}, []kernel.Tensor{d.h}, []kernel.Tensor{d.h})
		d.project(d.h, target{d.y, l.down})
		d.leave(l.norm)
	}
	return d.enter(d.norm)
}

// enter is the input of a sub-layer or of the output projection: norm(x), or x itself where
// norms follow sub-layers.
func (d *decoder) enter(norm linear) kernel.Tensor {
	if d.config.PostNorm {
		return d.x
	}
	d.normalize(norm)
	return d.z
}

// leave adds y, the output of a sub-layer, to x.
func (d *decoder) leave(norm linear) {
	d.do(kernel.Add, kernel.Attr{}, []kernel.Tensor{d.x}, []kernel.Tensor{d.x, d.y})
	if d.config.PostNorm {
		d.normalize(norm)
		d.x, d.z = d.z, d.x
	}
}

// normalize is z = norm(x).
func (d *decoder) normalize(l linear) {
	d.do(kernel.LayerNorm, kernel.Attr{Eps: d.config.Epsilon()},
		[]kernel.Tensor{d.z, d.stats}, []kernel.Tensor{d.x, l.weight, l.bias})
}

// predict computes the logits output(z), with -infinity for tokens that no translation
// contains.
func (d *decoder) predict(z kernel.Tensor) kernel.Tensor {
	if w := &d.narrowed; w.on {
		d.reserve(&w.wide, len(d.live), len(w.all))
		d.unembed(z, target{w.wide, w.output})
		return w.choose(d)
	}
	d.reserve(&d.logits, len(d.live), d.config.Vocab)
	d.unembed(z, target{d.logits, d.output})
	// Pad and BOS of every row, as indexes of the matrix seen as one column.
	d.hidden = d.hidden[:0]
	for i := range d.live {
		row := int32(i * d.config.Vocab)
		d.hidden = append(d.hidden, row+d.marks.Pad)
		if d.marks.BOS != d.marks.Pad { // some programs use one token for both
			d.hidden = append(d.hidden, row+d.marks.BOS)
		}
	}
	n := len(d.hidden)
	d.put(column(d.logits), ints(d.hidden, n), floats(d.never.F[:n], n, 1))
	return d.logits
}

// pick brings the logits of one token of each row to the host.
func (d *decoder) pick(logits kernel.Tensor, tokens []int32) []float32 {
	n := len(tokens)
	// Gather from the matrix seen as one column.
	ids := make([]int32, n)
	for i, token := range tokens {
		ids[i] = int32(i*logits.Shape[1]) + token
	}
	d.picked.F = slices.Grow(d.picked.F[:0], n)[:n]
	d.run(kernel.Gather, kernel.Attr{},
		[]kernel.Tensor{floats(d.picked.F, n, 1)}, []kernel.Tensor{column(logits), ints(ids, n)})
	return d.picked.F
}

// column is a matrix's elements as a matrix of one column.
func column(x kernel.Tensor) kernel.Tensor {
	x.Shape = []int{x.Len(), 1}
	return x
}

// put sets rows of x to values, in place. Operations that only move values do not count in
// the cost.
func (d *decoder) put(x, rows, values kernel.Tensor) {
	d.run(kernel.Scatter, kernel.Attr{}, []kernel.Tensor{x}, []kernel.Tensor{x, rows, values})
}

// unembedding is the table [Vocab, Dim] of the output projection.
func (d *decoder) unembedding() kernel.Tensor {
	if d.config.OwnOutput {
		return d.own
	}
	return d.table
}

// unembed is the output projection. Where it is not prepared it uses a table of embeddings.
func (d *decoder) unembed(z kernel.Tensor, to target) {
	switch to.weight.Type {
	case kernel.I8:
		d.project(z, to)
		return
	case kernel.F32:
		d.do(kernel.MatMul, kernel.Attr{}, []kernel.Tensor{to.y}, []kernel.Tensor{z, to.weight})
	default:
		d.do(kernel.MatMul, kernel.Attr{Trans: kernel.NT}, []kernel.Tensor{to.y}, []kernel.Tensor{z, d.unembedding()})
	}
	if d.config.OutputBias {
		d.do(kernel.AddBias, kernel.Attr{}, []kernel.Tensor{to.y}, []kernel.Tensor{to.y, to.bias})
	}
}

// project computes y = x*weight + bias for each target. Either all weights are 8-bit codes or
// none is; the codes of x are made once.
func (d *decoder) project(x kernel.Tensor, to ...target) {
	if to[0].weight.Type == kernel.I8 {
		n := x.Shape[0]
		d.codes.Shape[0], d.codes.Shape[1], d.codes.B = n, x.Shape[1], d.codes.B[:len(x.F)]
		d.scales.Shape[0], d.scales.F = n, d.scales.F[:n]
		d.do(kernel.QuantizeRows, kernel.Attr{}, []kernel.Tensor{d.codes, d.scales}, []kernel.Tensor{x})
	}
	for _, t := range to {
		if t.weight.Type == kernel.I8 {
			d.do(kernel.Linear8, kernel.Attr{},
				[]kernel.Tensor{t.y}, []kernel.Tensor{d.codes, d.scales, t.weight, t.scale, t.bias})
			continue
		}
		d.do(kernel.MatMul, kernel.Attr{}, []kernel.Tensor{t.y}, []kernel.Tensor{x, t.weight})
		d.do(kernel.AddBias, kernel.Attr{}, []kernel.Tensor{t.y}, []kernel.Tensor{t.y, t.bias})
	}
}

// attend computes attention of the queries d.q to a's keys and values, and adds its
// projection to x.
func (d *decoder) attend(a *attention, seg kernel.Tensor) {
	// The result goes to d.k: the new keys are in the cache already.
	d.do(kernel.Attend, softmaxAttr(d.config, false),
		[]kernel.Tensor{d.k}, []kernel.Tensor{d.q, a.keys, a.values, seg})
	d.project(d.k, target{d.y, a.out})
	d.leave(a.norm)
}

// do computes one operation and counts its cost.
func (d *decoder) do(op kernel.Op, attr kernel.Attr, out, in []kernel.Tensor) {
	d.run(op, attr, out, in)
	d.cost += kernel.Cost(&d.call)
}

// run computes one operation.
func (d *decoder) run(op kernel.Op, attr kernel.Attr, out, in []kernel.Tensor) {
	d.call.Op, d.call.Attr = op, attr
	d.call.Out = append(d.call.Out[:0], out...)
	d.call.In = append(d.call.In[:0], in...)
	d.dev.Do(&d.call)
}
