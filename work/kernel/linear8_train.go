package kernel

import (
	"fmt"
	"math"
)

// Training with products of 8-bit codes: NUMERICS.md, section 8.6. Linear8 computes the
// forward product and the gradient of its input. Both read the same codes of the weight,
// in two layouts. The rows here make those codes, and the gradient of the weight, which
// reads the codes of the forward product's input again.

// block8 is the number of rows of a gradient that share a column's scale: QuantizeScaledColumns.
const block8 = 128

// packed8 is the shape of the packed codes of a matrix [k,n], as Linear8 reads its weight.
func packed8(k, n int) result {
	return result{t: I8, dims: [3]int{ceil(n, panel8), ceil(k, group8), panel8 * group8}}
}

// weightDims returns the depth K and the columns N of a weight, [K,N] or with NT [N,K].
func weightDims(t Trans, w *Tensor) (k, n int) {
	if t == NT {
		return cols(w), rows(w)
	}
	return rows(w), cols(w)
}

func shapeQuantizeScaledRows(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix, vector); err != nil {
		return results{}, err
	}
	if cols(&in[0]) != rows(&in[1]) {
		return broken("the factors do not fit the columns:", &in[0], &in[1])
	}
	return outputs(result{t: I8, same: in[0].Shape}, shaped(F32, rows(&in[0])))
}

func shapeQuantizeScaledColumns(_ *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix, vector); err != nil {
		return results{}, err
	}
	t, n := rows(&in[0]), cols(&in[0])
	if t != rows(&in[1]) {
		return broken("the factors do not fit the rows:", &in[0], &in[1])
	}
	return outputs(packed8(t, n), matrixOf(F32, ceil(t, block8), n))
}

func shapeQuantizeWeight(a *Attr, in []Tensor) (results, error) {
	if err := need(in, matrix); err != nil {
		return results{}, err
	}
	if a.Trans > NT {
		return results{}, fmt.Errorf("unknown transposition %d", a.Trans)
	}
	k, n := weightDims(a.Trans, &in[0])
	return outputs(packed8(k, n), shaped(F32, n), packed8(n, k))
}

func shapeLinear8WeightGrad(a *Attr, in []Tensor) (results, error) {
	if err := need(in, operand{I8, 2}, operand{I8, 3}, matrix); err != nil {
		return results{}, err
	}
	if a.Trans > NT {
		return results{}, fmt.Errorf("unknown transposition %d", a.Trans)
	}
	q, z, s := &in[0], &in[1], &in[2]
	t, k, n := rows(q), cols(q), cols(s)
	fits := rows(z) == ceil(n, panel8) && z.Shape[1] == ceil(t, group8) && z.Shape[2] == panel8*group8
	if !fits || rows(s) != ceil(t, block8) {
		return broken("the codes of X, the codes of dY and their scales do not fit:", q, z, s)
	}
	if a.Trans == NT {
		return outputs(matrixOf(F32, n, k))
	}
	return outputs(matrixOf(F32, k, n))
}

func flopLinear8WeightGrad(c *Call) uint64 { return 2 * uint64(c.In[0].Len()) * uint64(cols(&c.In[2])) }

// partsScaledColumns is a piece for each panel of columns of each block of rows.
func partsScaledColumns(c *Call) int { return rows(&c.Out[1]) * rows(&c.Out[0]) }

// partsWeight is a piece for each panel of columns.
func partsWeight(c *Call) int { return rows(&c.Out[0]) }

// partsLinear8WeightGrad divides the gradient by the columns of X.
func partsLinear8WeightGrad(c *Call) int { return cols(&c.In[0]) }

func refQuantizeScaledRows(c *Call, lo, hi int) {
	k, f := cols(&c.In[0]), c.In[1].F
	for t := lo; t < hi; t++ {
		x, q := row(&c.In[0], t), c.Out[0].B[t*k:(t+1)*k]
		top := uint32(0)
		for i, v := range x {
			top = max(top, magnitude(float32(v*f[i])))
		}
		s, inv := rowScale(math.Float32frombits(top))
		c.Out[1].F[t] = s
		for i, v := range x {
			q[i] = code8(float32(v*f[i]), inv)
		}
	}
}

// magnitude is the bits of x without the sign, which are in the sequence of magnitudes.
func magnitude(x float32) uint32 { return math.Float32bits(x) & 0x7fffffff }

// code8 is the code of x, given the inverse of its scale or 0.
func code8(x, inv float32) int8 {
	if inv == 0 {
		return 0
	}
	return int8(quantized(x, inv, 127))
}

func refQuantizeScaledColumns(c *Call, lo, hi int) {
	panels := rows(&c.Out[0])
	for i := lo; i < hi; i++ {
		refQuantizePanel(c, i/panels, i%panels)
	}
}

// refQuantizePanel is panel p of block b of QuantizeScaledColumns.
func refQuantizePanel(c *Call, b, p int) {
	x, f, n := c.In[0].F, c.In[1].F, cols(&c.In[0])
	from, until := b*block8, min((b+1)*block8, rows(&c.In[0]))
	codes := c.Out[0].B[(p*c.Out[0].Shape[1]+from/group8)*panel8*group8:]
	clear(codes[:ceil(until-from, group8)*panel8*group8])
	for j := p * panel8; j < min((p+1)*panel8, n); j++ {
		top := uint32(0)
		for t := from; t < until; t++ {
			top = max(top, magnitude(float32(x[t*n+j]*f[t])))
		}
		s, inv := rowScale(math.Float32frombits(top))
		c.Out[1].F[b*n+j] = s
		for t := from; t < until; t++ {
			codes[packedAt(t-from, j%panel8, 0)] = code8(float32(x[t*n+j]*f[t]), inv)
		}
	}
}

// packedAt is the index at which the code of row i and column j lies in panels of the given number of
// groups.
func packedAt(i, j, groups int) int {
	return (j/panel8*groups+i/group8)*panel8*group8 + j%panel8*group8 + i%group8
}

func refQuantizeWeight(c *Call, lo, hi int) {
	k, n := weightDims(c.Attr.Trans, &c.In[0])
	packed, turned := &c.Out[0], &c.Out[2]
	groups, turnedGroups := packed.Shape[1], turned.Shape[1]
	for j := lo * panel8; j < hi*panel8; j++ {
		s, inv := float32(0), float32(0) // beyond N
		if j < n {
			top := uint32(0)
			for i := range k {
				top = max(top, magnitude(weightAt(c, i, j)))
			}
			s, inv = rowScale(math.Float32frombits(top))
			c.Out[1].F[j] = s
		}
		// The codes beyond K and N are 0 in both layouts.
		for i := range max(groups*group8, rows(turned)*panel8) {
			code := int8(0)
			if i < k && inv != 0 {
				code = code8(weightAt(c, i, j), inv)
			}
			if i < groups*group8 {
				packed.B[packedAt(i, j, groups)] = code
			}
			if j < turnedGroups*group8 {
				turned.B[packedAt(j, i, turnedGroups)] = code
			}
		}
	}
}

// weightAt is row i and column j of the weight of a QuantizeWeight.
func weightAt(c *Call, i, j int) float32 {
	if c.Attr.Trans == NT {
		return row(&c.In[0], j)[i]
	}
	return row(&c.In[0], i)[j]
}

func refLinear8WeightGrad(c *Call, lo, hi int) {
	q, z, scales, y := &c.In[0], &c.In[1], &c.In[2], c.Out[0].F
	n, k := cols(scales), cols(q)
	toK, toN := n, 1
	if c.Attr.Trans == NT {
		toK, toN = 1, k
	}
	size := z.Shape[1] * panel8 * group8
	for i := lo; i < hi; i++ {
		for j := range n {
			at := z.B[j/panel8*size+j%panel8*group8:]
			acc := float32(0)
			for b := range rows(scales) {
				sum := int32(0)
				for t := b * block8; t < min((b+1)*block8, rows(q)); t++ {
					sum += int32(q.B[t*k+i]) * int32(at[t/group8*panel8*group8+t%group8])
				}
				acc = Fma(float32(sum), scales.F[b*n+j], acc)
			}
			y[i*toK+j*toN] = acc
		}
	}
}

func casesQuantizeScaledRows(s *source) []Call {
	return []Call{
		call(Attr{}, s.floats(3, 1), s.floats(1)), call(Attr{}, s.smooth(7, 53), s.positive(53)),
		call(Attr{}, s.floats(5, 261), s.floats(261)), call(Attr{}, New(F32, 2, 40), s.smooth(40)),
	}
}

func casesQuantizeScaledColumns(s *source) []Call {
	return []Call{
		call(Attr{}, s.floats(1, 3), s.floats(1)), call(Attr{}, s.smooth(7, 53), s.positive(7)),
		call(Attr{}, s.floats(261, 19), s.floats(261)), call(Attr{}, s.smooth(256, 32), s.positive(256)),
		call(Attr{}, New(F32, 6, 40), s.smooth(6)),
	}
}

func casesQuantizeWeight(s *source) []Call {
	var cs []Call
	for _, d := range [][2]int{{1, 1}, {5, 33}, {33, 5}, {64, 32}, {19, 70}} {
		cs = append(cs, call(Attr{}, s.smooth(d[0], d[1])), call(Attr{Trans: NT}, s.floats(d[0], d[1])))
	}
	return cs
}

func casesLinear8WeightGrad(s *source) []Call {
	var cs []Call
	for _, d := range [][3]int{{1, 1, 1}, {37, 13, 5}, {300, 33, 19}, {256, 32, 64}} {
		cs = append(cs, s.weightGrad(Attr{}, d[0], d[1], d[2]), s.weightGrad(Attr{Trans: NT}, d[0], d[1], d[2]))
	}
	return cs
}

// weightGrad is a call of Linear8WeightGrad with codes of all values.
func (s *source) weightGrad(a Attr, t, k, n int) Call {
	q, z := New(I8, t, k), New(I8, ceil(n, panel8), ceil(t, group8), panel8*group8)
	for _, x := range [][]int8{q.B, z.B} {
		for i := range x {
			x[i] = int8(s.word())
		}
	}
	return call(a, q, z, s.smooth(ceil(t, block8), n))
}
