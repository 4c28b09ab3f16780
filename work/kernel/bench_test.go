package kernel

import (
	"fmt"
	"testing"
)

// eachDevice runs a benchmark on every device this processor supports.
func eachDevice(b *testing.B, f func(b *testing.B, dev Device)) {
	for _, name := range Names() {
		dev, err := Open(name, 1)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) { f(b, dev) })
	}
}

func BenchmarkMatMul(b *testing.B) {
	for _, d := range [][3]int{
		{1024, 128, 128}, {1024, 512, 128}, {1024, 6000, 128}, {1024, 128, 6000}, {16, 6000, 128}, {16, 128, 128},
	} {
		for tr, name := range []string{"NN", "NT", "TN"} {
			// The three products of a layer Y = X W: forward, dX, dW.
			m, n, k := d[0], d[1], d[2]
			a, w := [2]int{m, k}, [2]int{k, n}
			switch Trans(tr) {
			case NT:
				a = [2]int{m, n}
			case TN:
				w = [2]int{m, n}
			}
			b.Run(fmt.Sprintf("%dx%dx%d/%s", m, n, k, name), func(b *testing.B) {
				s := &source{}
				c := call(Attr{Trans: Trans(tr)}, s.smooth(a[:]...), s.smooth(w[:]...))
				eachDevice(b, func(b *testing.B, dev Device) { measure(b, dev, MatMul, c) })
			})
		}
	}
}

// BenchmarkLinear8 is BenchmarkMatMul of codes.
func BenchmarkLinear8(b *testing.B) {
	for _, d := range [][3]int{
		{1024, 128, 128}, {64, 128, 128}, {1, 128, 128}, {64, 6000, 128}, {1, 6000, 128}, {64, 128, 256},
	} {
		b.Run(fmt.Sprintf("%dx%dx%d", d[0], d[1], d[2]), func(b *testing.B) {
			c := (&source{}).linear8(d[0], d[1], d[2])
			eachDevice(b, func(b *testing.B, dev Device) { measure(b, dev, Linear8, c) })
		})
	}
}

// BenchmarkTrain8 measures the products of a layer Y = X W in training with codes, and
// what makes the codes.
func BenchmarkTrain8(b *testing.B) {
	for _, d := range [][3]int{{1024, 128, 128}, {1024, 512, 512}, {1024, 2048, 512}, {1024, 512, 2048}} {
		s, t, n, k := &source{}, d[0], d[1], d[2]
		x, dy, w := s.smooth(t, k), s.smooth(t, n), s.smooth(k, n)
		for _, c := range []Call{
			withOp(Linear8, s.linear8(t, n, k)),
			withOp(Linear8WeightGrad, s.weightGrad(Attr{}, t, k, n)),
			{Op: QuantizeRows, In: []Tensor{x}},
			{Op: QuantizeScaledRows, In: []Tensor{dy, s.positive(n)}},
			{Op: QuantizeScaledColumns, In: []Tensor{dy, s.positive(t)}},
			{Op: QuantizeWeight, In: []Tensor{w}},
		} {
			b.Run(fmt.Sprintf("%dx%dx%d/%v", t, n, k, c.Op), func(b *testing.B) {
				eachDevice(b, func(b *testing.B, dev Device) {
					if dev.Name() != "portable" {
						measure(b, dev, c.Op, c)
					}
				})
			})
		}
	}
}

// BenchmarkPacked is products of a decoder with a weight that was packed for it.
func BenchmarkPacked(b *testing.B) {
	for _, d := range [][3]int{{1, 512, 2048}, {1, 2048, 512}, {60, 512, 2048}, {60, 2048, 512}, {240, 2048, 512}, {60, 256, 1024}, {60, 1024, 256}} {
		m, n, k := d[0], d[2], d[1]
		s := &source{}
		x, w := s.smooth(m, k), s.smooth(k, n)
		b.Run(fmt.Sprintf("%dx%dx%d", m, k, n), func(b *testing.B) {
			eachDevice(b, func(b *testing.B, dev Device) {
				measure(b, dev, MatMul, call(Attr{}, x, Pack(dev, New(F32, k*n), w, NN)))
			})
		})
	}
}

// BenchmarkThreads measures products on one worker and on two.
func BenchmarkThreads(b *testing.B) {
	for _, d := range [][3]int{
		{1024, 512, 512}, {1024, 512, 128}, {1024, 128, 128}, {128, 6000, 1024}, {128, 128, 128},
	} {
		m, n, k := d[0], d[1], d[2]
		s := &source{}
		c := call(Attr{}, s.smooth(m, k), s.smooth(k, n))
		for _, threads := range []int{1, 2} {
			dev, err := Open("", threads)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%dx%dx%d/%d", m, n, k, threads), func(b *testing.B) { measure(b, dev, MatMul, c) })
		}
	}
}

// BenchmarkRow measures each row on shapes of a small model: 1024 tokens in
// 50 sentences, width 128, 4 heads, 6000 pieces.
func BenchmarkRow(b *testing.B) {
	const tokens, width, pieces, heads = 1024, 128, 6000, 4
	s := &source{}
	seg := New(I32, 50, 4)
	for i := range 50 {
		copy(seg.I[4*i:], []int32{int32(20 * i), 20, int32(20 * i), 20})
	}
	scores := s.smooth(50 * heads * 20 * 20)
	attn := Attr{Heads: heads, Scale: 0.2}
	x, y := s.smooth(tokens, width), s.smooth(tokens, width)
	stats, gamma := s.positive(tokens, 2), s.smooth(width)
	logits, m, sum := s.smooth(tokens, pieces), s.smooth(tokens), s.positive(tokens)
	ids := s.indexes(tokens, pieces)
	table := s.smooth(pieces, width)
	key := New(I32, 4)
	hyper := s.positive(3)
	q := New(I8, pieces, width)
	for _, c := range []Call{
		{Op: AddBias, In: []Tensor{x, gamma}},
		{Op: Add, In: []Tensor{x, y}},
		{Op: Relu, In: []Tensor{x}},
		{Op: ReluGrad, In: []Tensor{x, y}},
		{Op: Swish, In: []Tensor{x}},
		{Op: LayerNorm, In: []Tensor{x, gamma, gamma}},
		{Op: LayerNormGrad, In: []Tensor{x, stats, gamma, y}},
		{Op: LayerNormGainGrad, In: []Tensor{x, stats, y}},
		{Op: ColSum, In: []Tensor{x}},
		{Op: Embed, In: []Tensor{table, ids, ids, table}},
		{Op: ScatterAdd, In: []Tensor{table, ids, x}},
		{Op: Dropout, Attr: Attr{Rate: 0.1, Scale: 1.1}, In: []Tensor{x, key}},
		{Op: AttnScores, Attr: attn, In: []Tensor{x, x, seg}},
		{Op: AttnSoftmax, Attr: attn, In: []Tensor{scores, seg}},
		{Op: AttnSoftmaxGrad, Attr: attn, In: []Tensor{scores, scores, seg}},
		{Op: AttnMix, Attr: attn, In: []Tensor{scores, x, seg}},
		{Op: AttnMixT, Attr: attn, In: []Tensor{scores, x, seg}},
		{Op: RowMax, In: []Tensor{logits}},
		{Op: RowSumExp, In: []Tensor{logits, m}},
		{Op: RowSum, In: []Tensor{logits}},
		{Op: RowSumSquares, In: []Tensor{logits}},
		{Op: CrossEntropy, In: []Tensor{logits, m, sum, m, ids}},
		{Op: CrossEntropyGrad, In: []Tensor{logits, m, sum, ids, s.positive(1)}},
		{Op: ArgMax, In: []Tensor{logits}},
		{Op: TopK, Attr: Attr{Rows: 18}, In: []Tensor{logits}},
		{Op: Quantize, In: []Tensor{table}},
		{Op: AddQuantized, Attr: Attr{Scale: 1}, In: []Tensor{table, q, s.positive(quanta(&q))}},
		{Op: Quantize4, In: []Tensor{table}},
		{Op: AddQuantized4, Attr: Attr{Scale: 1}, In: []Tensor{table, s.codes4(&table), s.positive(quanta4(&table))}},
		{Op: Quantize2, In: []Tensor{table}},
		{Op: AddQuantized2, Attr: Attr{Scale: 1}, In: []Tensor{table, s.codes2(&table), s.positive(quanta2(&table))}},
		{Op: Scale, Attr: Attr{Scale: 0.3}, In: []Tensor{x}},
		{Op: Adam, Attr: Attr{Beta1: 0.9, Beta2: 0.98, Eps: 1e-9}, In: []Tensor{table, table, table, hyper}},
	} {
		b.Run(c.Op.String(), func(b *testing.B) {
			eachDevice(b, func(b *testing.B, dev Device) { measure(b, dev, c.Op, c) })
		})
	}
}

// measure reports the rate by the row's cost and the time of an element of
// the larger of the first input and the first output.
func measure(b *testing.B, dev Device, op Op, c Call) {
	c.Op = op
	allocate(&c)
	b.ReportAllocs()
	for b.Loop() {
		dev.Do(&c)
	}
	seconds := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(float64(Cost(&c))/seconds/1e9, "GFLOP/s")
	b.ReportMetric(seconds*1e9/float64(max(c.In[0].Len(), c.Out[0].Len())), "ns/elem")
}
