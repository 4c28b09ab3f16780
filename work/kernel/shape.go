package kernel

import (
	"errors"
	"fmt"
	"slices"
)

// The shape rules of the table: NUMERICS.md, section 6. A rule checks the inputs and
// returns the outputs' types and shapes.

func sameShape(a, b *Tensor) bool { return slices.Equal(a.Shape, b.Shape) }

// need checks the number, types and ranks of the inputs.
func need(in []Tensor, want ...operand) error {
	if len(in) != len(want) {
		return fmt.Errorf("%d inputs, want %d", len(in), len(want))
	}
	for i, w := range want {
		if in[i].Type != w.t {
			return fmt.Errorf("input %d has element type %v, want %v", i, in[i].Type, w.t)
		}
		if w.rank != 0 && len(in[i].Shape) != w.rank {
			return fmt.Errorf("input %d has shape %v, want %d dimensions", i, in[i].Shape, w.rank)
		}
	}
	return nil
}

// operand is the type and rank that a rule wants of an input.
type operand struct {
	t    DType
	rank int // number of dimensions; 0 for any
}

var (
	array  = operand{F32, 0}
	vector = operand{F32, 1}
	matrix = operand{F32, 2}
	index  = operand{I32, 1}
)

// results is the type and shape of each output. It is a value without pointers to new
// memory, so that checking a call allocates nothing.
type results struct {
	n   int
	out [3]result
}

// result is the type and shape of one output.
type result struct {
	t    DType
	same []int  // the shape of an input, or nil if dims is the shape
	dims [3]int // up to the first 0
}

func (r *result) shape() []int {
	switch {
	case r.same != nil:
		return r.same
	case r.dims[1] == 0:
		return r.dims[:1]
	case r.dims[2] == 0:
		return r.dims[:2]
	}
	return r.dims[:]
}

// outputs is the results of a rule that holds, in the form that rules return.
func outputs(out ...result) (r results, err error) {
	r.n = copy(r.out[:], out)
	return r, nil
}

// broken is the error of a rule that does not hold, with the shapes of in.
func broken(what string, in ...*Tensor) (results, error) { return results{}, mismatch(what, in...) }

func like(t *Tensor) result                   { return result{t: t.Type, same: t.Shape} }
func shaped(t DType, rows int) result         { return result{t: t, dims: [3]int{rows}} }
func matrixOf(t DType, rows, cols int) result { return result{t: t, dims: [3]int{rows, cols}} }
func rows(t *Tensor) int                      { return t.Shape[0] }
func cols(t *Tensor) int                      { return t.Shape[len(t.Shape)-1] }

// mismatch is an error of the given text and the shapes of in.
func mismatch(what string, in ...*Tensor) error {
	for _, t := range in {
		what += fmt.Sprint(" ", t.Shape)
	}
	return errors.New(what)
}

// shapeSame is the shape rule of n inputs and one output, all of one shape.
func shapeSame(n int) func(*Attr, []Tensor) (results, error) {
	return func(_ *Attr, in []Tensor) (results, error) {
		if len(in) != n {
			return results{}, fmt.Errorf("%d inputs, want %d", len(in), n)
		}
		for i := range in {
			if err := need(in[i:i+1], array); err != nil {
				return results{}, err
			}
			if !sameShape(&in[i], &in[0]) {
				return broken("shapes differ:", &in[0], &in[i])
			}
		}
		return outputs(like(&in[0]))
	}
}

// productDims returns the sizes of a matrix product C [m,n] over k, and kb, the inner
// dimension according to B.
func productDims(t Trans, a, b *Tensor) (m, n, k, kb int) {
	// As for NN; a transposed operand exchanges its two.
	m, k, kb, n = a.Shape[0], a.Shape[1], b.Shape[0], b.Shape[1]
	if t == TN {
		m, k = k, m
	}
	if t == NT {
		n, kb = kb, n
	}
	return m, n, k, kb
}

func shapeMatMul(a *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix, matrix); err != nil {
		return results{}, err
	}
	if a.Trans > TN {
		return results{}, fmt.Errorf("unknown transposition %d", a.Trans)
	}
	m, n, k, kb := productDims(a.Trans, &in[0], &in[1])
	if k != kb {
		return broken("inner dimensions differ:", &in[0], &in[1])
	}
	return outputs(matrixOf(F32, m, n))
}

func shapeAddBias(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix, vector); err != nil {
		return results{}, err
	}
	if rows(&in[1]) != cols(&in[0]) {
		return broken("bias does not fit the rows:", &in[0], &in[1])
	}
	return outputs(like(&in[0]))
}

func shapeLayerNorm(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix, vector, vector); err != nil {
		return results{}, err
	}
	if d := cols(&in[0]); rows(&in[1]) != d || rows(&in[2]) != d {
		return broken("gamma or beta does not fit the rows:", &in[0], &in[1], &in[2])
	}
	return outputs(like(&in[0]), matrixOf(F32, rows(&in[0]), 2))
}

// fitStats checks X [T,D], stats [T,2] and dY [T,D].
func fitStats(x, stats, dy *Tensor) error {
	if rows(stats) != rows(x) || cols(stats) != 2 || !sameShape(x, dy) {
		return mismatch("X, stats and dY do not fit:", x, stats, dy)
	}
	return nil
}

func shapeLayerNormGrad(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix, matrix, vector, matrix); err != nil {
		return results{}, err
	}
	if rows(&in[2]) != cols(&in[0]) {
		return broken("gamma does not fit the rows:", &in[0], &in[2])
	}
	if err := fitStats(&in[0], &in[1], &in[3]); err != nil {
		return results{}, err
	}
	return outputs(like(&in[0]))
}

func shapeGainGrad(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix, matrix, matrix); err != nil {
		return results{}, err
	}
	if err := fitStats(&in[0], &in[1], &in[2]); err != nil {
		return results{}, err
	}
	return outputs(shaped(F32, cols(&in[0])))
}

func shapeColSum(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix); err != nil {
		return results{}, err
	}
	return outputs(shaped(F32, cols(&in[0])))
}

// shapeReduce is the shape rule of a row reduction to binary32.
func shapeReduce(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix); err != nil {
		return results{}, err
	}
	return outputs(shaped(F32, rows(&in[0])))
}

func shapeArgMax(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix); err != nil {
		return results{}, err
	}
	return outputs(shaped(I32, rows(&in[0])))
}

func shapeTopK(a *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix); err != nil {
		return results{}, err
	}
	t, v, k := rows(&in[0]), cols(&in[0]), a.Rows // Rows is K here
	if k < 1 || k > v {
		return results{}, fmt.Errorf("the number K of the largest is %d, want 1 to the length of a row, %d", k, v)
	}
	return outputs(matrixOf(F32, t, k), matrixOf(I32, t, k))
}

func shapeSum(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, array); err != nil {
		return results{}, err
	}
	return outputs(shaped(F32, 1))
}

func shapeEmbed(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix, index, index, matrix); err != nil {
		return results{}, err
	}
	if cols(&in[0]) != cols(&in[3]) || rows(&in[1]) != rows(&in[2]) {
		return broken("table, ids, pos and pe do not fit:", &in[0], &in[1], &in[2], &in[3])
	}
	return outputs(matrixOf(F32, rows(&in[1]), cols(&in[0])))
}

func shapeGather(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix, index); err != nil {
		return results{}, err
	}
	return outputs(matrixOf(F32, rows(&in[1]), cols(&in[0])))
}

func shapeScatterAdd(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix, index, matrix); err != nil {
		return results{}, err
	}
	if rows(&in[1]) != rows(&in[2]) || cols(&in[0]) != cols(&in[2]) {
		return broken("base, ids and dY do not fit:", &in[0], &in[1], &in[2])
	}
	return outputs(like(&in[0]))
}

func shapeScatter(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix, index, matrix); err != nil {
		return results{}, err
	}
	if rows(&in[1]) != rows(&in[2]) || cols(&in[0]) != cols(&in[2]) {
		return broken("base, ids and X do not fit:", &in[0], &in[1], &in[2])
	}
	return outputs(like(&in[0]))
}

func shapeDropout(a *Attr, in []Tensor) (results, error) {
	if err := need(in, array, index); err != nil {
		return results{}, err
	}
	if rows(&in[1]) != 4 {
		return broken("key is not four words:", &in[1])
	}
	if !(a.Rate >= 0 && a.Rate < 1) {
		return results{}, fmt.Errorf("rate %v is not in [0,1)", a.Rate)
	}
	return outputs(like(&in[0]))
}

func shapeRowSumExp(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix, vector); err != nil {
		return results{}, err
	}
	if rows(&in[0]) != rows(&in[1]) {
		return broken("X and m do not fit:", &in[0], &in[1])
	}
	return outputs(shaped(F32, rows(&in[0])))
}

func shapeCrossEntropy(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix, vector, vector, vector, index); err != nil {
		return results{}, err
	}
	t := rows(&in[0])
	for i := range in {
		if rows(&in[i]) != t {
			return broken("row counts differ:", &in[0], &in[i])
		}
	}
	return outputs(shaped(F32, t), shaped(F32, t))
}

func shapeCrossEntropyGrad(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix, vector, vector, index, vector); err != nil {
		return results{}, err
	}
	for i := range in[:4] {
		if rows(&in[i]) != rows(&in[0]) {
			return broken("row counts differ:", &in[0], &in[i])
		}
	}
	if rows(&in[4]) != 1 {
		return broken("scale is not a scalar:", &in[4])
	}
	return outputs(like(&in[0]))
}

// quantum is the number of elements that share one scale of Quantize.
const quantum = 1024

func quanta(t *Tensor) int { return (t.Len() + quantum - 1) / quantum }

func shapeQuantize(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, array); err != nil {
		return results{}, err
	}
	return outputs(result{t: I8, same: in[0].Shape}, shaped(F32, quanta(&in[0])))
}

func shapeAddQuantized(a *Attr, in []Tensor) (results, error) {
	if err := need(in, array, operand{I8, 0}, vector); err != nil {
		return results{}, err
	}
	if !sameShape(&in[0], &in[1]) || rows(&in[2]) != quanta(&in[0]) {
		return broken("base, Q and scales do not fit:", &in[0], &in[1], &in[2])
	}
	if a.Scale != 1 && a.Scale != -1 {
		return results{}, fmt.Errorf("scale %v is neither 1 nor -1", a.Scale)
	}
	return outputs(like(&in[0]))
}

// quantum4 is the number of elements that share one scale of Quantize4.
const quantum4 = 64

func quanta4(t *Tensor) int { return (t.Len() + quantum4 - 1) / quantum4 }

func shapeQuantize4(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, array); err != nil {
		return results{}, err
	}
	n := quanta4(&in[0])
	return outputs(shaped(I32, n*quantum4/8), shaped(F32, n))
}

func shapeAddQuantized4(a *Attr, in []Tensor) (results, error) {
	if err := need(in, array, index, vector); err != nil {
		return results{}, err
	}
	if n := quanta4(&in[0]); rows(&in[1]) != n*quantum4/8 || rows(&in[2]) != n {
		return broken("base, Q and scales do not fit:", &in[0], &in[1], &in[2])
	}
	if a.Scale != 1 && a.Scale != -1 {
		return results{}, fmt.Errorf("scale %v is neither 1 nor -1", a.Scale)
	}
	return outputs(like(&in[0]))
}

// quantum2 is the largest number of elements of a row that share one scale of Quantize2.
const quantum2 = 128

// lastDims returns the length of t's rows, and the number of Quantize2's blocks in each.
func lastDims(t *Tensor) (length, blocks int) {
	length = t.Shape[len(t.Shape)-1]
	return length, (length + quantum2 - 1) / quantum2
}

func quanta2(t *Tensor) int {
	length, blocks := lastDims(t)
	return t.Len() / length * blocks
}

func shapeQuantize2(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, array); err != nil {
		return results{}, err
	}
	n := quanta2(&in[0])
	return outputs(matrixOf(I32, n, quantum2/16), shaped(F32, n))
}

func shapeAddQuantized2(a *Attr, in []Tensor) (results, error) {
	if err := need(in, array, operand{I32, 2}, vector); err != nil {
		return results{}, err
	}
	if n := quanta2(&in[0]); rows(&in[1]) != n || cols(&in[1]) != quantum2/16 || rows(&in[2]) != n {
		return broken("base, Q and scales do not fit:", &in[0], &in[1], &in[2])
	}
	if a.Scale != 1 && a.Scale != -1 {
		return results{}, fmt.Errorf("scale %v is neither 1 nor -1", a.Scale)
	}
	return outputs(like(&in[0]))
}

func shapeAdam(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, array, array, array, vector); err != nil {
		return results{}, err
	}
	if !sameShape(&in[0], &in[1]) || !sameShape(&in[0], &in[2]) || rows(&in[3]) != 3 {
		return broken("gradient, moments and hyper do not fit:", &in[0], &in[1], &in[2], &in[3])
	}
	return outputs(like(&in[0]), like(&in[0]), like(&in[0]))
}

var (
	errSegments = errors.New("the segment table has no storage")
	errCausal   = errors.New("attention by Attend is never causal: unset Attr.Causal")
)
