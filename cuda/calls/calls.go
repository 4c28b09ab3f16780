// Package calls makes random calls of every operation in the table of package kernel, with awkward shapes
// and numbers. Tests, and programs that examine a device, compute each call on two devices and compare
// the results bit by bit.
//
// [Dice] makes the calls, [Clone] copies one so that it can be computed twice, and [Differ] compares the
// outputs:
//
//	d := &calls.Dice{Seed: 7}
//	c := d.Call(kernel.LayerNorm)
//	want := calls.Clone(&c, nil)
//	dev.Do(&c)
//	reference.Do(&want)
//	if at := calls.Differ(c.Out, want.Out); at != "" {
//		return fmt.Errorf("%s: %s", calls.Shapes(&c), at)
//	}
package calls

import (
	"fmt"
	"math"
	"slices"

	"github.com/alia-network/alia/work/kernel"
)

// Dice makes random calls. The same seed gives the same calls.
type Dice struct {
	Seed    uint32
	Wild    bool // tensors also have infinities and NaN
	Still   bool // tensors have only zeros, of both signs
	counter uint32

	Given []int      // the first sizes, instead of random ones
	Table [][4]int32 // the segment table, instead of a random one
}

// word returns the next random word.
func (d *Dice) word() uint32 {
	d.counter++
	return kernel.Philox([4]uint32{d.counter}, [2]uint32{d.Seed})[0]
}

// Below returns an integer in [0,n).
func (d *Dice) Below(n int) int { return int(uint64(d.word()) * uint64(n) >> 32) }

// size returns an awkward size of at most limit: near the size of a warp, a tile or a block.
func (d *Dice) size(limit int) int {
	if len(d.Given) > 0 {
		n := d.Given[0]
		d.Given = d.Given[1:]
		return n
	}
	// One element to either side of powers of two, and numbers that divide nothing.
	sizes := []int{
		1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 37, 63, 64, 65, 67, 100, 127, 128, 129, 131, 200,
		255, 256, 257, 300, 511, 512, 513, 530, 1023, 1024, 1025, 1100,
	}
	for {
		if n := sizes[d.Below(len(sizes))]; n <= limit {
			return n
		}
	}
}

// uniform returns a multiple of 2^-22 in [-2,2).
func (d *Dice) uniform() float32 { return float32(int32(d.word())>>8) / (1 << 22) }

// number returns mostly uniform numbers. Others are zeros of both signs, subnormal, tiny or large numbers,
// the negative of last, or, where d is Wild, the largest numbers, infinities and NaN.
func (d *Dice) number(last float32) float32 {
	switch kind := d.Below(24); { // three of four are uniform
	case kind == 0 || d.Still && kind < 12:
		return 0
	case kind == 1 || d.Still:
		return math.Float32frombits(1 << 31)
	case kind == 2:
		return math.Float32frombits(d.word() & 0x807fffff)
	case kind == 3:
		return math.Float32frombits(d.word()&0x80ffffff | 0x1e000000) // a product of two is subnormal
	case kind == 4:
		return d.uniform() * (1 << 20)
	case kind == 5:
		return -last
	case kind == 6:
		if d.Wild {
			extremes := []uint32{0x7f800000, 0xff800000, 0x7fc00000, 0x7f7fffff, 0xff7fffff}
			return math.Float32frombits(extremes[d.Below(len(extremes))])
		}
	}
	return d.uniform()
}

// Floats returns a tensor of numbers of all kinds.
func (d *Dice) Floats(shape ...int) kernel.Tensor {
	t := kernel.New(kernel.F32, shape...)
	last := float32(1)
	for i := range t.F {
		last = d.number(last)
		t.F[i] = last
	}
	return t
}

// few returns a tensor with at most five different numbers, so that many elements are equal. Where d is
// Wild, most of them are infinities and NaN, which TopK treats as -Inf.
func (d *Dice) few(shape ...int) kernel.Tensor {
	numbers := d.Floats(1 + d.Below(5)).F
	if d.Wild {
		copy(numbers, []float32{float32(math.Inf(-1)), float32(math.NaN()), float32(math.Inf(1))})
	}
	t := kernel.New(kernel.F32, shape...)
	for i := range t.F {
		t.F[i] = numbers[d.Below(len(numbers))]
	}
	return t
}

// Positive returns a tensor of numbers in [1/4, 9/4).
func (d *Dice) Positive(shape ...int) kernel.Tensor {
	t := kernel.New(kernel.F32, shape...)
	for i := range t.F {
		t.F[i] = float32(math.Abs(float64(d.uniform()))) + 0.25
	}
	return t
}

// Indexes returns n integers in [0,limit), of which many are equal.
func (d *Dice) Indexes(n, limit int) kernel.Tensor {
	t := kernel.New(kernel.I32, n)
	for i := range t.I {
		t.I[i] = int32(d.Below(limit))
		if d.Below(3) == 0 {
			t.I[i] = int32(limit - 1)
		}
	}
	return t
}

// distinct returns n different integers in [0,limit).
func (d *Dice) distinct(n, limit int) kernel.Tensor {
	t := kernel.New(kernel.I32, limit)
	for i := range t.I {
		j := d.Below(i + 1)
		t.I[i], t.I[j] = t.I[j], int32(i)
	}
	t.Shape, t.I = []int{n}, t.I[:n]
	return t
}

// words returns a tensor of random words.
func (d *Dice) words(shape ...int) kernel.Tensor {
	t := kernel.New(kernel.I32, shape...)
	for i := range t.I {
		t.I[i] = int32(d.word())
	}
	return t
}

// codes returns a tensor of random 8-bit codes.
func (d *Dice) codes(shape ...int) kernel.Tensor {
	t := kernel.New(kernel.I8, shape...)
	for i := range t.B {
		t.B[i] = int8(d.word())
	}
	return t
}

// segments returns a segment table with gaps, and the numbers of queries, of keys, and of the scores of one
// head.
func (d *Dice) segments() (seg kernel.Tensor, tq, tk, scores int) {
	// A table that was given.
	if d.Table != nil {
		seg = kernel.New(kernel.I32, len(d.Table), 4)
		for i, s := range d.Table {
			copy(seg.I[4*i:], s[:])
			tq, tk, scores = max(tq, int(s[0]+s[1])), max(tk, int(s[2]+s[3])), scores+int(s[1]*s[3])
		}
		return seg, tq, tk, scores
	}
	// A few long segments, or many short ones: the number of segments and their longest side.
	kind := [][2]int{{1, 1}, {1, 140}, {2, 90}, {3, 70}, {5, 33}, {40, 5}, {34, 3}}[d.Below(7)]
	n, limit := kind[0], kind[1]
	seg = kernel.New(kernel.I32, n, 4)
	for i := range n {
		tq, tk = tq+d.Below(2)*d.Below(4), tk+d.Below(2)*d.Below(4) // a gap in front, or none
		nq, nk := 1+d.Below(limit), 1+d.Below(limit)
		copy(seg.I[4*i:], []int32{int32(tq), int32(nq), int32(tk), int32(nk)})
		tq, tk, scores = tq+nq, tk+nk, scores+nq*nk
	}
	return seg, tq, tk, scores
}

// Call makes a random call of op, with outputs of zeros.
func (d *Dice) Call(op kernel.Op) kernel.Call {
	c := kernel.Call{Op: op}
	switch op {
	case kernel.MatMul:
		// Small enough for the reference, with several tiles in each direction.
		m, n, k := d.size(140), d.size(260), d.size(530)
		c.Attr.Trans = kernel.Trans(d.Below(3))
		a, b := [2]int{m, k}, [2]int{k, n}
		if c.Attr.Trans == kernel.TN {
			a = [2]int{k, m}
		}
		if c.Attr.Trans == kernel.NT {
			b = [2]int{n, k}
		}
		c.In = []kernel.Tensor{d.Floats(a[:]...), d.Floats(b[:]...)}
	case kernel.AttnScores, kernel.AttnSoftmax, kernel.AttnSoftmaxGrad,
		kernel.AttnMix, kernel.AttnMixT, kernel.Attend:
		d.attention(&c)
	case kernel.RowSumExp, kernel.CrossEntropy, kernel.CrossEntropyGrad:
		d.entropy(&c)
	case kernel.Quantize4, kernel.Quantize2, kernel.Quantize,
		kernel.AddQuantized, kernel.AddQuantized4, kernel.AddQuantized2:
		d.quantized(&c)
	default:
		d.rowwise(&c)
	}
	Allocate(&c)
	return c
}

// attention fills in a call of an attention operation. Some tensors have more rows than the segments use.
func (d *Dice) attention(c *kernel.Call) {
	heads := 1 + d.Below(3)
	if d.Table != nil {
		heads = d.size(3)
	}
	width := heads * d.size(140)
	seg, tq, tk, n := d.segments()
	c.Attr = kernel.Attr{Heads: heads, Scale: 16 * d.uniform(), Causal: d.Below(2) == 0}
	switch c.Op {
	case kernel.AttnScores:
		c.In = []kernel.Tensor{d.Floats(tq+1, width), d.Floats(tk+1, width), seg} // a row that no segment uses
	case kernel.AttnSoftmax:
		c.In = []kernel.Tensor{d.Floats(heads * n), seg}
	case kernel.AttnSoftmaxGrad:
		c.In = []kernel.Tensor{d.Floats(heads * n), d.Floats(heads * n), seg}
	case kernel.AttnMix:
		c.Attr.Rows = tq + d.Below(3) // rows of zeros behind the last segment
		c.In = []kernel.Tensor{d.Floats(heads * n), d.Floats(tk, width), seg}
	case kernel.Attend:
		c.Attr.Causal = false
		if d.Table == nil && d.Below(4) == 0 { // more keys than a block keeps in shared memory
			tq, tk = 2, 1025+d.Below(60)
			seg = kernel.Tensor{Type: kernel.I32, Shape: []int{1, 4}, I: []int32{0, int32(tq), 0, int32(tk)}}
		}
		c.In = []kernel.Tensor{d.Floats(tq+d.Below(3), width), d.Floats(tk, width), d.Floats(tk, width), seg}
	case kernel.AttnMixT:
		c.Attr.Rows = tk + d.Below(3)
		c.In = []kernel.Tensor{d.Floats(heads * n), d.Floats(tq, width), seg}
	}
}

// entropy fills in a call of a part of the cross-entropy loss.
func (d *Dice) entropy(c *kernel.Call) {
	given := d.Given != nil
	t, v := d.size(70), d.size(530)
	if !given && d.Below(2) == 0 { // many short rows
		t, v = v, 1+d.Below(3)
	}
	x, m, s := d.spread(t, v), d.Floats(t), d.Positive(t)
	if d.Wild || d.Below(2) == 0 { // sums that no exponentials have: zero, negative
		s = d.Floats(t)
	}
	c.Attr.Eps = 0.1
	switch c.Op {
	case kernel.RowSumExp:
		c.In = []kernel.Tensor{x, m}
	case kernel.CrossEntropy:
		c.In = []kernel.Tensor{x, m, s, d.Floats(t), d.Indexes(t, v)}
	default:
		c.In = []kernel.Tensor{x, m, s, d.Indexes(t, v), d.Floats(1)}
	}
}

// spread returns a tensor of numbers over the whole range of the exponential.
func (d *Dice) spread(shape ...int) kernel.Tensor {
	t := d.Floats(shape...)
	for i := range t.F {
		t.F[i] *= float32(1 + d.Below(2)*55)
	}
	return t
}

// quantized fills in a call of a quantiser or of its inverse.
func (d *Dice) quantized(c *kernel.Call) {
	x := d.Floats(d.size(9), d.size(1100))
	up := func(n, by int) int { return (n + by - 1) / by }
	n, blocks := x.Len(), x.Shape[0]*up(x.Shape[1], 128)
	c.Attr.Scale = float32(1 - 2*d.Below(2)) // a sign
	switch c.Op {
	case kernel.AddQuantized:
		c.In = []kernel.Tensor{x, d.codes(x.Shape...), d.Floats(up(n, 1024))}
	case kernel.AddQuantized4:
		c.In = []kernel.Tensor{x, d.words(up(n, 64) * 8), d.Floats(up(n, 64))}
	case kernel.AddQuantized2:
		c.In = []kernel.Tensor{x, d.words(blocks, 8), d.Floats(blocks)}
	default:
		c.In = []kernel.Tensor{x}
	}
}

// rowwise fills in a call of an operation on elements, rows or columns.
func (d *Dice) rowwise(c *kernel.Call) {
	t, n, v := d.size(70), d.size(530), d.size(70)
	switch c.Op {
	case kernel.ColSum, kernel.LayerNormGainGrad, kernel.QuantizeScaledColumns: // down columns: more rows
		t, n = d.size(300), d.size(100)
	}
	// x is the input of most operations, same another one of its shape.
	x := d.Floats(t, n)
	same := func() kernel.Tensor { return d.Floats(t, n) }
	c.Attr = kernel.Attr{Scale: d.uniform(), Eps: 1e-6, Beta1: 0.9, Beta2: 0.98}
	switch c.Op {
	case kernel.AddBias:
		c.In = []kernel.Tensor{x, d.Floats(n)}
	case kernel.Swish:
		c.In = []kernel.Tensor{d.spread(t, n)}
	case kernel.SwishGrad:
		c.In = []kernel.Tensor{d.spread(t, n), same()}
	case kernel.Add, kernel.ReluGrad:
		c.In = []kernel.Tensor{x, same()}
	case kernel.LayerNorm:
		c.In = []kernel.Tensor{x, d.Floats(n), d.Floats(n)}
	case kernel.LayerNormGrad:
		c.In = []kernel.Tensor{x, d.Floats(t, 2), d.Floats(n), same()}
	case kernel.LayerNormGainGrad:
		c.In = []kernel.Tensor{x, d.Floats(t, 2), same()}
	case kernel.Embed:
		c.In = []kernel.Tensor{d.Floats(v, n), d.Indexes(t, v), d.Indexes(t, 9), d.Floats(9, n)}
	case kernel.Gather:
		c.In = []kernel.Tensor{d.Floats(v, n), d.Indexes(t, v)}
	case kernel.ScatterAdd:
		c.In = []kernel.Tensor{d.Floats(v, n), d.Indexes(t, v), x}
	case kernel.Scatter:
		m := min(t, v)
		c.In = []kernel.Tensor{d.Floats(v, n), d.distinct(m, v), d.Floats(m, n)}
	case kernel.TopK:
		if d.Given == nil && d.Below(4) == 0 { // more elements than a block reads at a time
			t, n = 1+d.Below(3), 2049+d.Below(2100)
			x = d.Floats(t, n)
		}
		if d.Below(2) == 0 {
			x = d.few(t, n)
		}
		c.Attr.Rows = 1 + d.Below(min(n, 24))
		c.In = []kernel.Tensor{x}
	case kernel.Dropout:
		c.Attr.Rate, c.Attr.Site = []float32{0, 0.1, 0.5, 0.999}[d.Below(4)], d.word()
		c.In = []kernel.Tensor{x, d.words(4)}
	case kernel.Adam:
		c.In = []kernel.Tensor{x, same(), d.Positive(t, n), d.Positive(3)}
	case kernel.Linear8:
		m, n, k := d.size(20), d.size(140), d.size(530)
		c.In = []kernel.Tensor{d.codes(m, k), d.Floats(m), d.codes(kernel.Packed8(k, n)...), d.Floats(n), d.Floats(n)}
	case kernel.QuantizeScaledRows:
		c.In = []kernel.Tensor{x, d.Floats(n)}
	case kernel.QuantizeScaledColumns:
		c.In = []kernel.Tensor{x, d.Floats(t)}
	case kernel.QuantizeWeight:
		c.Attr.Trans = kernel.Trans(d.Below(2))
		c.In = []kernel.Tensor{x}
	case kernel.Linear8WeightGrad:
		c.Attr.Trans = kernel.Trans(d.Below(2))
		t, k, n := d.size(530), d.size(70), d.size(140)
		c.In = []kernel.Tensor{d.codes(t, k), d.codes(kernel.Packed8(t, n)...), d.Floats((t+127)/128, n)}
	default:
		c.In = []kernel.Tensor{x}
	}
}

// Allocate gives c outputs of zeros. It panics when c breaks its operation's shape rule.
func Allocate(c *kernel.Call) {
	out, err := kernel.Infer(c.Op, c.Attr, c.In)
	if err != nil {
		panic(err)
	}
	c.Out = make([]kernel.Tensor, len(out))
	for i, t := range out {
		c.Out[i] = kernel.New(t.Type, t.Shape...)
	}
}

// Clone copies c and its tensors. With shared, a way of [kernel.InPlace], output i then uses the storage of
// input shared[i].
func Clone(c *kernel.Call, shared []int) kernel.Call {
	y := *c
	y.In, y.Out = slices.Clone(c.In), slices.Clone(c.Out)
	for _, list := range [][]kernel.Tensor{y.In, y.Out} {
		for i := range list {
			t := &list[i]
			t.F, t.I, t.B = slices.Clone(t.F), slices.Clone(t.I), slices.Clone(t.B)
		}
	}
	for i, from := range shared {
		y.Out[i] = y.In[from]
	}
	return y
}

// Differ returns the first place where tensors differ in a bit, or "" if they do not. All NaN count as equal.
func Differ(got, want []kernel.Tensor) string {
	for i := range want {
		for j, x := range want[i].F {
			y := got[i].F[j] // a NaN's bits may differ between processors
			if math.Float32bits(x) != math.Float32bits(y) && (x == x || y == y) {
				return fmt.Sprintf("output %d of shape %v, element %d is %x, want %x", i, want[i].Shape, j, y, x)
			}
		}
		if !slices.Equal(got[i].I, want[i].I) || !slices.Equal(got[i].B, want[i].B) {
			return fmt.Sprintf("output %d of shape %v: integers differ", i, want[i].Shape)
		}
	}
	return ""
}

// Shapes describes a call: its operation, its attributes and the shapes of its inputs.
func Shapes(c *kernel.Call) (s string) {
	for _, t := range c.In {
		s += fmt.Sprint(t.Shape)
	}
	return fmt.Sprintf("%v %+v of %s", c.Op, c.Attr, s)
}
