package kernel

import (
	"fmt"
	"slices"
)

// Row is one operation of the table.
type Row struct {
	Name    string
	Version uint16 // raised when the operation's bits change

	// shapes checks the inputs' types and shapes and returns the outputs'.
	shapes func(a *Attr, in []Tensor) (results, error)
	// flop is the integer cost of a call.
	flop func(c *Call) uint64
	// parts is the number of pieces of a call: rows, columns, elements or segments
	// that may be computed in any sequence and by any thread.
	parts func(c *Call) int
	// ref computes pieces lo to hi-1. It defines the operation's result.
	ref func(c *Call, lo, hi int)
	// cases are the conformance calls, without outputs.
	cases func(s *source) []Call
}

// Ops is the table of all operations, indexed by [Op]: NUMERICS.md, section 6. Costs,
// checks, conformance and the tests of every device are derived from it.
var Ops = [numOps]Row{
	MatMul:    {"MatMul", 1, shapeMatMul, flopMatMul, partsMatMul, refMatMul, casesMatMul},
	AddBias:   {"AddBias", 1, shapeAddBias, perElement(1), firstDim, refAddBias, casesAddBias},
	Add:       {"Add", 1, shapeSame(2), perElement(1), elements, refAdd, casesPair},
	Relu:      {"Relu", 1, shapeSame(1), perElement(1), elements, refRelu, casesSingle},
	ReluGrad:  {"ReluGrad", 1, shapeSame(2), perElement(1), elements, refReluGrad, casesPair},
	LayerNorm: {"LayerNorm", 1, shapeLayerNorm, perElement(8), firstDim, refLayerNorm, casesLayerNorm},
	LayerNormGrad: {
		"LayerNormGrad", 1, shapeLayerNormGrad, perElement(12), firstDim, refLayerNormGrad, casesLayerNormGrad,
	},
	LayerNormGainGrad: {"LayerNormGainGrad", 1, shapeGainGrad, perElement(4), lastDim, refGainGrad, casesGainGrad},
	ColSum:            {"ColSum", 1, shapeColSum, perElement(1), lastDim, refColSum, casesMatrix},
	Embed:             {"Embed", 1, shapeEmbed, perOutput(2), outRows, refEmbed, casesEmbed},
	ScatterAdd:        {"ScatterAdd", 1, shapeScatterAdd, flopScatterAdd, lastDim, refScatterAdd, casesScatterAdd},
	Dropout:           {"Dropout", 1, shapeDropout, perElement(8), quads, refDropout, casesDropout},
	AttnScores:        {"AttnScores", 1, shapeScores, flopScores, segments, refScores, casesScores},
	AttnSoftmax:       {"AttnSoftmax", 1, shapeSoftmax(1), perElement(12), segments, refSoftmax, casesSoftmax},
	AttnSoftmaxGrad: {
		"AttnSoftmaxGrad", 1, shapeSoftmax(2), perElement(5), segments, refSoftmaxGrad, casesSoftmaxGrad,
	},
	AttnMix:   {"AttnMix", 1, shapeMix, flopMix, segments, refMix, casesMix},
	AttnMixT:  {"AttnMixT", 1, shapeMixT, flopMix, segments, refMixT, casesMixT},
	RowMax:    {"RowMax", 1, shapeReduce, perElement(1), firstDim, refRowMax, casesMatrix},
	RowSumExp: {"RowSumExp", 1, shapeRowSumExp, perElement(12), firstDim, refRowSumExp, casesRowSumExp},
	RowSum:    {"RowSum", 1, shapeReduce, perElement(1), firstDim, refRowSum, casesMatrix},
	CrossEntropy: {
		"CrossEntropy", 1, shapeCrossEntropy, perOutput(16), firstDim, refCrossEntropy, casesCrossEntropy,
	},
	CrossEntropyGrad: {
		"CrossEntropyGrad", 1, shapeCrossEntropyGrad, perElement(15), firstDim,
		refCrossEntropyGrad, casesCrossEntropyGrad,
	},
	Sum:      {"Sum", 1, shapeSum, perElement(1), one, refSum, casesSingle},
	ArgMax:   {"ArgMax", 1, shapeArgMax, perElement(1), firstDim, refArgMax, casesMatrix},
	Quantize: {"Quantize", 1, shapeQuantize, perElement(4), chunks, refQuantize, casesQuantize},
	AddQuantized: {
		"AddQuantized", 1, shapeAddQuantized, perElement(3), chunks, refAddQuantized, casesAddQuantized,
	},
	Scale:         {"Scale", 1, shapeSame(1), perElement(1), elements, refScale, casesSingle},
	Adam:          {"Adam", 1, shapeAdam, perElement(14), elements, refAdam, casesAdam},
	Gather:        {"Gather", 1, shapeGather, perOutput(1), outRows, refGather, casesGather},
	RowSumSquares: {"RowSumSquares", 1, shapeReduce, perElement(2), firstDim, refRowSumSquares, casesMatrix},
	Quantize4:     {"Quantize4", 1, shapeQuantize4, perElement(4), chunks4, refQuantize4, casesQuantize4},
	AddQuantized4: {
		"AddQuantized4", 1, shapeAddQuantized4, perElement(3), chunks4, refAddQuantized4, casesAddQuantized4,
	},
	Quantize2: {"Quantize2", 1, shapeQuantize2, perElement(6), chunks2, refQuantize2, casesQuantize2},
	AddQuantized2: {
		"AddQuantized2", 1, shapeAddQuantized2, perElement(3), chunks2, refAddQuantized2, casesAddQuantized2,
	},
	QuantizeRows: {
		"QuantizeRows", 1, shapeQuantizeRows, perElement(4), firstDim, refQuantizeRows, casesQuantizeRows,
	},
	Linear8:   {"Linear8", 1, shapeLinear8, flopLinear8, partsLinear8, refLinear8, casesLinear8},
	Swish:     {"Swish", 1, shapeSame(1), perElement(13), elements, refSwish, casesSingle},
	SwishGrad: {"SwishGrad", 1, shapeSame(2), perElement(18), elements, refSwishGrad, casesPair},
	Attend:    {"Attend", 1, shapeAttend, flopAttend, segments, refAttend, casesAttend},
	Scatter:   {"Scatter", 1, shapeScatter, flopScatter, firstDim, refScatter, casesScatter},
	TopK:      {"TopK", 1, shapeTopK, perElement(1), firstDim, refTopK, casesTopK},
	QuantizeScaledRows: {
		"QuantizeScaledRows", 1, shapeQuantizeScaledRows, perElement(5), firstDim,
		refQuantizeScaledRows, casesQuantizeScaledRows,
	},
	QuantizeScaledColumns: {
		"QuantizeScaledColumns", 1, shapeQuantizeScaledColumns, perElement(5), partsScaledColumns,
		refQuantizeScaledColumns, casesQuantizeScaledColumns,
	},
	QuantizeWeight: {
		"QuantizeWeight", 1, shapeQuantizeWeight, perElement(4), partsWeight, refQuantizeWeight, casesQuantizeWeight,
	},
	Linear8WeightGrad: {
		"Linear8WeightGrad", 1, shapeLinear8WeightGrad, flopLinear8WeightGrad, partsLinear8WeightGrad,
		refLinear8WeightGrad, casesLinear8WeightGrad,
	},
}

// String returns the operation's name.
func (op Op) String() string {
	if op == 0 || op >= numOps {
		return fmt.Sprintf("Op(%d)", uint8(op))
	}
	return Ops[op].Name
}

// Infer checks the inputs of op against its shape rule and returns the outputs' types
// and shapes, without storage. Inputs need no storage either, except the segment table
// of an attention operation: the shape of the scores follows from its elements. The
// error names the operation and the shapes that do not fit.
func Infer(op Op, a Attr, in []Tensor) ([]Tensor, error) {
	r, err := infer(op, &a, in)
	if err != nil {
		return nil, err
	}
	out := make([]Tensor, r.n)
	for i := range out {
		out[i] = Tensor{Type: r.out[i].t, Shape: slices.Clone(r.out[i].shape())}
	}
	return out, nil
}

// infer is [Infer] without allocation.
func infer(op Op, a *Attr, in []Tensor) (results, error) {
	if op == 0 || op >= numOps {
		return results{}, fmt.Errorf("unknown operation %d", uint8(op))
	}
	for i := range in {
		if len(in[i].Shape) == 0 || slices.Min(in[i].Shape) < 1 {
			return results{}, fmt.Errorf("%v: input %d has the empty shape %v", op, i, in[i].Shape)
		}
	}
	r, err := Ops[op].shapes(a, in)
	if err != nil {
		return results{}, fmt.Errorf("%v: %w", op, err)
	}
	return r, nil
}

// Cost returns the price of a call in floating-point operations: NUMERICS.md,
// section 6. It is a function of the shapes alone, 2mnk for a product and a constant
// for each element otherwise. Work is paid by it, so it never depends on a device.
func Cost(c *Call) uint64 { return Ops[c.Op].flop(c) }

// New returns a tensor of zeros with storage in the host's memory. It keeps shape.
func New(t DType, shape ...int) Tensor {
	x := Tensor{Type: t, Shape: shape}
	switch n := x.Len(); t {
	case F32:
		x.F = make([]float32, n)
	case I32:
		x.I = make([]int32, n)
	case I8:
		x.B = make([]int8, n)
	}
	return x
}

// Len returns the number of elements that the shape says: the product of the
// dimensions.
func (t *Tensor) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// stored returns the number of elements that the storage has.
func (t *Tensor) stored() int {
	switch t.Type {
	case F32:
		return len(t.F)
	case I32:
		return len(t.I)
	default:
		return len(t.B)
	}
}

// Verify returns an error when c breaks its operation's shape rule, or when a tensor's
// storage is not as long as its shape says.
func (c *Call) Verify() error {
	want, err := infer(c.Op, &c.Attr, c.In)
	if err != nil {
		return err
	}
	if len(c.Out) != want.n {
		return fmt.Errorf("%v: %d outputs, want %d", c.Op, len(c.Out), want.n)
	}
	for i := range c.In {
		if t := &c.In[i]; t.stored() != t.Len() {
			return fmt.Errorf("%v: input %d has shape %v but stores %d elements", c.Op, i, t.Shape, t.stored())
		}
	}
	for i := range c.Out {
		t, r := &c.Out[i], &want.out[i]
		if t.Type != r.t || !slices.Equal(t.Shape, r.shape()) || t.stored() != t.Len() {
			return fmt.Errorf("%v: output %d has shape %v and stores %d elements, want shape %v",
				c.Op, i, t.Shape, t.stored(), slices.Clone(r.shape()))
		}
	}
	return nil
}
