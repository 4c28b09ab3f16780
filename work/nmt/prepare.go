package nmt

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// layout is how a set of parameters holds a model. Which it is shows in the
// weight of the output projection.
type layout uint8

const (
	trained layout = iota // as Shapes says; the output's weight is the embedding
	turned                // the embedding transposed too, [Dim, Vocab]: columns lie as products read them
	coded                 // each projection in 8-bit codes, with the scales of its columns
)

const outputWeight = "output.weight"

func layoutOf(p *tensor.Set) layout {
	switch t, ok := p.Get(outputWeight); {
	case !ok:
		return trained
	case t.Type == kernel.I8:
		return coded
	}
	return turned
}

// shapes lists the parameters in the layout l, by ascending name.
func (c Config) shapes(l layout) []ParamShape {
	var all []ParamShape
	for _, s := range c.Shapes() {
		if name, ok := projection(s.Name, s.Dims); ok && l == coded {
			all = append(all, codedShapes(name, s.Dims[0], s.Dims[1])...)
			continue
		}
		all = append(all, s)
	}
	switch l {
	case turned:
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

// projection is the name of the projection that a parameter is the weight of:
// the embedding is the only other matrix.
func projection(parameter string, dims []int) (name string, ok bool) {
	name, ok = strings.CutSuffix(parameter, ".weight")
	return name, ok && len(dims) == 2 && name != "embedding"
}

// codedShapes is the weight and the scales of a coded projection.
func codedShapes(name string, in, out int) []ParamShape {
	dims := kernel.Packed8(in, out)
	return []ParamShape{{Name: name + ".weight", Dims: dims, Type: kernel.I8}, {Name: name + ".scale", Dims: []int{out}, Type: kernel.F32}}
}

// transposed copies a matrix, some lines of the cache at a time.
func transposed(x kernel.Tensor) kernel.Tensor {
	const block = 16
	m, n := x.Shape[0], x.Shape[1]
	y := kernel.New(kernel.F32, n, m)
	for i := 0; i < m; i += block {
		for j := range n {
			for k := i; k < min(i+block, m); k++ {
				y.F[j*m+k] = x.F[k*n+j]
			}
		}
	}
	return y
}

// Prepare returns p, a set of parameters of c, in a layout that Greedy, Beam,
// Loss and LogProbs are faster with. In binary32 the results are the same bits.
// In int8 they are another function of the model, as exact: each projection
// multiplies codes, of its weight's columns and of its input's rows, and sums
// them as integers. What is looked up, normalised, attended and added stays
// binary32, so a row's result depends on the row alone.
func Prepare(c Config, p *tensor.Set, int8 bool) (*tensor.Set, error) {
	if err := c.Check(p); err != nil {
		return nil, err
	}
	table, _ := p.Get("embedding.weight")
	var items []tensor.Named
	put := func(name string, t kernel.Tensor) { items = append(items, tensor.Named{Name: name, Tensor: t}) }
	code := func(name string, w kernel.Tensor, t kernel.Trans) {
		packed, scales := kernel.Pack8(w, t)
		put(name+".weight", packed)
		put(name+".scale", scales)
	}
	for i := range p.Len() {
		t := p.At(i)
		if int8 && !tensor.Finite(t.Tensor) {
			return nil, fmt.Errorf("nmt: parameter %s: %w", t.Name, ErrNonFinite)
		}
		if name, ok := projection(t.Name, t.Shape); ok && int8 {
			code(name, t.Tensor, kernel.NN)
			continue
		}
		put(t.Name, t.Tensor)
	}
	switch {
	case !int8:
		put(outputWeight, transposed(table))
	case !c.OutputBias:
		put("output.bias", tensor.Zeros(kernel.F32, c.Vocab))
		fallthrough
	default:
		code("output", table, kernel.NT)
	}
	return tensor.NewSet(items)
}
