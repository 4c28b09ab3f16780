package nmt

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// layout is the form in which a set of parameters stores a model. The weight of the output
// projection tells which one it is.
type layout uint8

const (
	trained    layout = iota // as Shapes lists them; the output's weight is the embedding
	transposed               // also the embedding transposed, [Dim, Vocab], which products read faster
	coded                    // each projection in 8-bit codes, with scales of its columns
)

// outputWeight is the parameter that only prepared layouts have.
const outputWeight = "output.weight"

// layoutOf returns the layout of p.
func layoutOf(p *tensor.Set) layout {
	// A training set shares the embedding, so it has no such parameter.
	switch t, ok := p.Get(outputWeight); {
	case !ok:
		return trained
	case t.Type == kernel.I8:
		return coded
	}
	return transposed
}

// shapes lists the parameters in the layout l, ascending by name.
func (c Config) shapes(l layout) []ParamShape {
	var all []ParamShape
	// The parameters of training, with codes in the place of projections.
	for _, s := range c.Shapes() {
		if name, ok := projection(s.Name, s.Dims); ok && l == coded {
			all = append(all, codedShapes(name, s.Dims[0], s.Dims[1])...)
			continue
		}
		all = append(all, s)
	}
	switch l {
	case transposed:
		all = append(all, ParamShape{Name: outputWeight, Dims: []int{c.Dim, c.Vocab}, Type: kernel.F32})
	case coded:
		all = append(all, codedShapes("output", c.Dim, c.Vocab)...)
		if !c.OutputBias {
			all = append(all, ParamShape{Name: "output.bias", Dims: []int{c.Vocab}, Type: kernel.F32})
		}
	}
	slices.SortFunc(all, func(a, b ParamShape) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// projection returns the name of the projection whose weight a parameter is, if it is one.
// The embeddings are the only matrices that are not the weight of a projection.
func projection(parameter string, dims []int) (name string, ok bool) {
	name, ok = strings.CutSuffix(parameter, ".weight")
	return name, ok && len(dims) == 2 && parameter != "embedding.weight" && parameter != unembedding && parameter != sourceEmbedding
}

// codedShapes lists the weight and the scales of a projection in 8-bit codes.
func codedShapes(name string, in, out int) []ParamShape {
	dims := kernel.Packed8(in, out)
	return []ParamShape{
		{Name: name + ".weight", Dims: dims, Type: kernel.I8},
		{Name: name + ".scale", Dims: []int{out}, Type: kernel.F32},
	}
}

// Prepare returns p, a set of parameters of c, in a layout with which Greedy, Beam, Loss and
// LogProbs are faster.
//
// Without int8 their results have the same bits as with p. With int8 the model is a
// different function, which is also the same on every machine: each projection multiplies
// 8-bit codes of its weight's columns and of its input's rows, and sums them as integers.
// Embeddings, norms, attention and residual sums stay in binary32, so a row of a result
// depends on that row only. Prepare returns an error when p does not fit c, and with int8
// when a parameter is not finite.
func Prepare(c Config, p *tensor.Set, int8 bool) (*tensor.Set, error) {
	return prepare(nil, c, p, int8)
}

// PrepareOn is [Prepare] for translations on dev, in the memory in which dev computes fastest. It
// takes p over: on a processor the results share the storage of p, whose matrices then have
// another layout. [kernel.Local] still gives them row by row.
func PrepareOn(dev kernel.Device, c Config, p *tensor.Set, int8 bool) (*tensor.Set, error) {
	q, err := prepare(dev, c, p, int8)
	if err != nil {
		return nil, err
	}
	return q.On(dev), nil
}

// prepare is Prepare, or PrepareOn a processor.
func prepare(dev kernel.Device, c Config, p *tensor.Set, int8 bool) (*tensor.Set, error) {
	if err := c.Check(p); err != nil {
		return nil, err
	}
	table, own := p.Get(unembedding)
	if !own {
		table, _ = p.Get("embedding.weight")
	}
	var items []tensor.Named
	put := func(name string, t kernel.Tensor) { items = append(items, tensor.Named{Name: name, Tensor: t}) }
	if dev != nil && !dev.Host() {
		dev = nil
	}
	code := func(name string, w kernel.Tensor, t kernel.Trans) {
		packed, scales := kernel.Codes(dev, w, t)
		put(name+".weight", packed)
		put(name+".scale", scales)
	}
	var buf kernel.Tensor // a copy of the matrix that is packed
	// Projections become codes or are packed, everything else stays.
	for i := range p.Len() {
		t := p.At(i)
		if int8 && !tensor.Finite(t.Tensor) {
			return nil, fmt.Errorf("nmt: parameter %s: %w", t.Name, ErrNonFinite)
		}
		name, ok := projection(t.Name, t.Shape)
		switch w := kernel.Local(t.Tensor); { // a matrix may be packed already
		case ok && int8:
			code(name, w, kernel.NN)
		case ok && dev != nil:
			buf.Type, buf.Shape, buf.F = w.Type, w.Shape, append(buf.F[:0], w.F...)
			w = kernel.Pack(dev, w, buf, kernel.NN)
			p.Put(i, w)
			put(t.Name, w)
		default:
			put(t.Name, t.Tensor)
		}
	}
	// The output projection gets a weight of its own, and Linear8 needs a bias too.
	switch {
	case !int8:
		put(outputWeight, kernel.Pack(dev, kernel.New(kernel.F32, c.Vocab*c.Dim), table, kernel.NT))
	case !c.OutputBias:
		put("output.bias", tensor.Zeros(kernel.F32, c.Vocab))
		fallthrough
	default:
		code("output", table, kernel.NT)
	}
	return tensor.NewSet(items)
}
