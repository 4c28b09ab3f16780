package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// random makes a call of op with awkward shapes. Sizes go past one tile, one
// block of 32 lanes, one block of k and one quantum.
func (s *source) random(op Op) Call {
	size := func(limit int) int {
		if s.below(4) == 0 {
			return 1 + s.below(limit)
		}
		return 1 + s.below(min(limit, 70))
	}
	t, d, v := size(80), size(300), size(900)
	heads := 1 + s.below(4)
	width := heads * (1 + s.below(40))
	seg, tq, tk := s.segs(1+s.below(4), 1+s.below(50))
	if s.below(3) == 0 { // as a decoder has them: a query each
		tq = rows(&seg)
		for i := range tq {
			seg.I[4*i], seg.I[4*i+1] = int32(i), 1
		}
	}
	attn := Attr{Heads: heads, Causal: s.below(2) == 0, Scale: s.uniform()}
	same := func(n int) []Tensor {
		ts := make([]Tensor, n)
		for i := range ts {
			ts[i] = s.floats(t, d)
		}
		return ts
	}
	switch op {
	case MatMul:
		m, n, k := size(90), size(200), size(600)
		switch a := (Attr{Trans: Trans(s.below(3))}); a.Trans {
		case NT:
			return call(a, s.floats(m, k), s.floats(n, k))
		case TN:
			return call(a, s.floats(k, m), s.floats(k, n))
		default:
			return call(a, s.floats(m, k), s.floats(k, n))
		}
	case AddBias:
		return call(Attr{}, s.floats(t, d), s.floats(d))
	case Add, ReluGrad, SwishGrad:
		return call(Attr{}, same(2)...)
	case LayerNorm:
		return call(Attr{Eps: 1e-6}, s.floats(t, d), s.floats(d), s.floats(d))
	case LayerNormGrad:
		x, stats, gamma, dy := normInputs(s, t, d)
		return call(Attr{}, x, stats, gamma, dy)
	case LayerNormGainGrad:
		x, stats, _, dy := normInputs(s, t, d)
		return call(Attr{}, x, stats, dy)
	case Embed:
		return call(Attr{Scale: s.uniform()}, s.floats(v, d), s.indexes(t, v), s.indexes(t, 9), s.floats(9, d))
	case Gather:
		return call(Attr{}, s.floats(v, d), s.indexes(t, v))
	case ScatterAdd:
		return call(Attr{Scale: s.uniform()}, s.floats(v, d), s.indexes(t, v), s.floats(t, d))
	case Scatter:
		n := min(t, v)
		return call(Attr{}, s.floats(v, d), s.distinct(n, v), s.floats(n, d))
	case TopK:
		a := Attr{Rows: 1 + s.below(min(v, 24))}
		if s.below(2) == 0 {
			return call(a, s.few(t, v))
		}
		return call(a, s.floats(t, v))
	case Dropout:
		key := New(I32, 4)
		for i := range key.I {
			key.I[i] = int32(s.word())
		}
		return call(Attr{Rate: 0.4, Scale: s.uniform(), Site: s.word()}, s.floats(t, d), key)
	case AttnScores:
		return call(attn, s.floats(tq, width), s.floats(tk, width), seg)
	case AttnSoftmax:
		return call(attn, s.scores(heads, seg), seg)
	case AttnSoftmaxGrad:
		return call(attn, s.scores(heads, seg), s.scores(heads, seg), seg)
	case AttnMix:
		return call(attn, s.scores(heads, seg), s.floats(tk, width), seg)
	case Attend:
		attn.Causal = false
		return call(attn, s.floats(tq, width), s.floats(tk, width), s.floats(tk, width), seg)
	case AttnMixT:
		return call(attn, s.scores(heads, seg), s.floats(tq, width), seg)
	case RowSumExp, CrossEntropy, CrossEntropyGrad:
		x, m, sum := s.logits(t, v)
		switch op {
		case RowSumExp:
			return call(Attr{}, x, m)
		case CrossEntropy:
			return call(Attr{Eps: 0.1}, x, m, sum, s.smooth(t), s.indexes(t, v))
		}
		return call(Attr{Eps: 0.1}, x, m, sum, s.indexes(t, v), s.positive(1))
	case Quantize:
		return call(Attr{}, s.floats(t, d))
	case AddQuantized:
		q := New(I8, t, d)
		for i := range q.B {
			q.B[i] = int8(s.below(255) - 127)
		}
		return call(Attr{Scale: float32(1 - 2*s.below(2))}, s.floats(t, d), q, s.positive(quanta(&q)))
	case AddQuantized4:
		x := s.floats(t, d)
		return call(Attr{Scale: float32(1 - 2*s.below(2))}, x, s.codes4(&x), s.positive(quanta4(&x)))
	case AddQuantized2:
		x := s.floats(t, d)
		return call(Attr{Scale: float32(1 - 2*s.below(2))}, x, s.codes2(&x), s.positive(quanta2(&x)))
	case Linear8:
		return s.linear8(t, v, d)
	case QuantizeScaledRows:
		return call(Attr{}, s.floats(t, d), s.floats(d))
	case QuantizeScaledColumns:
		t = size(400)
		return call(Attr{}, s.floats(t, d), s.floats(t))
	case QuantizeWeight:
		return call(Attr{Trans: Trans(s.below(2))}, s.floats(d, v))
	case Linear8WeightGrad:
		return s.weightGrad(Attr{Trans: Trans(s.below(2))}, size(400), t, d)
	case Adam:
		in := append(same(3), s.positive(3))
		for i, x := range in[2].F {
			in[2].F[i] = max(x, -x)
		}
		return call(Attr{Beta1: 0.9, Beta2: 0.98, Eps: 1e-9}, in...)
	default: // one matrix
		return call(Attr{Scale: s.uniform()}, same(1)...)
	}
}

// usable is the devices that this processor supports.
func usable() (bs []backend) {
	for _, b := range backends() {
		if b.usable() {
			bs = append(bs, b)
		}
	}
	return bs
}

// diff says where two lists of tensors first differ in a bit.
func diff(got, want []Tensor) string {
	for i := range want {
		a, b := got[i], want[i]
		for j := range b.F {
			if math.Float32bits(a.F[j]) != math.Float32bits(b.F[j]) {
				return fmt.Sprintf("output %d of shape %v, element %d is %x, want %x", i, b.Shape, j, a.F[j], b.F[j])
			}
		}
		if !slices.Equal(a.I, b.I) || !slices.Equal(a.B, b.B) {
			return fmt.Sprintf("output %d of shape %v: integers differ", i, b.Shape)
		}
	}
	return ""
}

// inputShapes prints what a failing call was made of.
func inputShapes(c *Call) (s []string) {
	for _, t := range c.In {
		s = append(s, fmt.Sprint(t.Shape))
	}
	return s
}

// poison fills the outputs with what no operation may leave or read.
func poison(ts []Tensor) {
	for _, t := range ts {
		for i := range t.F {
			t.F[i] = math.Float32frombits(0x7fc0dead)
		}
		for i := range t.I {
			t.I[i] = -1
		}
		for i := range t.B {
			t.B[i] = -128
		}
	}
}

// TestSameBits runs every row on random shapes, on every device, with one
// worker and with three, and compares every bit with the reference.
func TestSameBits(t *testing.T) {
	trials := 60
	if testing.Short() {
		trials = 10
	}
	for op := Op(1); op < numOps; op++ {
		t.Run(op.String(), func(t *testing.T) {
			for trial := range trials {
				s := &source{key: [2]uint32{uint32(op), uint32(trial + 1000)}}
				c := s.random(op)
				c.Op = op
				allocate(&c)
				reference().Do(&c)
				want := c.Out
				for _, b := range usable() {
					for _, threads := range []int{1, 3} {
						dev := newDevice(b.name, threads, b.cells())
						dev.splitCost = 0
						allocate(&c)
						poison(c.Out)
						dev.Do(&c)
						if d := diff(c.Out, want); d != "" {
							t.Fatalf("%s with %d threads, trial %d, %+v, inputs %v: %s", b.name, threads, trial,
								c.Attr, inputShapes(&c), d)
						}
					}
				}
			}
		})
	}
}

// TestSameBitsBlocks runs products past one block of B, and with columns of A
// a power of two apart; and products of codes past one copy of rows, and one
// pass over tokens and panels.
func TestSameBitsBlocks(t *testing.T) {
	s := &source{}
	for _, c := range []Call{
		call(Attr{}, s.floats(65, 300), s.floats(300, 1100)),
		call(Attr{Trans: NT}, s.floats(64, 23), s.floats(1100, 23)),
		call(Attr{Trans: TN}, s.floats(19, 1024), s.floats(19, 390)),
		withOp(Linear8, s.linear8(300, 70, 2100)),
		withOp(Linear8WeightGrad, s.weightGrad(Attr{}, 1100, 50, 2100)),
		withOp(Linear8WeightGrad, s.weightGrad(Attr{Trans: NT}, 601, 50, 2100)),
	} {
		if c.Op == 0 {
			c.Op = MatMul
		}
		allocate(&c)
		reference().Do(&c)
		want := c.Out
		for _, b := range usable() {
			allocate(&c)
			poison(c.Out)
			newDevice(b.name, 1, b.cells()).Do(&c)
			if d := diff(c.Out, want); d != "" {
				t.Errorf("%s, %+v, inputs %v: %s", b.name, c.Attr, inputShapes(&c), d)
			}
		}
	}
}

func withOp(op Op, c Call) Call {
	c.Op = op
	return c
}

// TestInPlace writes outputs over inputs, in each way that the table lists.
func TestInPlace(t *testing.T) {
	for op, ways := range InPlace { // order-free: independent subtests
		t.Run(op.String(), func(t *testing.T) {
			for trial := range 10 {
				for _, way := range ways {
					for _, b := range usable() {
						c := (&source{key: [2]uint32{uint32(op), uint32(trial)}}).random(op)
						c.Op = op
						allocate(&c)
						reference().Do(&c)
						want := c.Out
						allocate(&c)
						for o, i := range way {
							c.Out[o] = c.In[i]
						}
						dev := newDevice(b.name, 2, b.cells())
						dev.splitCost = 0
						dev.Do(&c)
						if d := diff(c.Out, want); d != "" {
							t.Fatalf("%s over inputs %v, trial %d: %s", b.name, way, trial, d)
						}
					}
				}
			}
		})
	}
}
