package cuda

import (
	"slices"
	"testing"

	"github.com/alia-network/alia/cuda/calls"
	"github.com/alia-network/alia/cuda/ptx"
	"github.com/alia-network/alia/work/kernel"
)

// edges are the calls of a row at the ends of what is legal: one element, one
// row, one column, many of either, and widths that nothing divides; sentences of
// one token and of many, far from one another and across one another.
func edges(op kernel.Op) (list []*calls.Dice) {
	long := trials(1<<12, 1<<16)
	switch op {
	case kernel.MatMul: // TestEdgesOfProducts
	case kernel.AttnScores, kernel.AttnSoftmax, kernel.AttnSoftmaxGrad, kernel.AttnMix, kernel.AttnMixT, kernel.Attend:
		many := make([][4]int32, 70)
		for i := range many {
			many[i] = [4]int32{int32(2 * i), 1, int32(i), 1}
		}
		across := [][4]int32{{0, 2, 3, 4}, {2, 1, 0, 5}, {6, 33, 1, 40}, {40, 1, 2, 1}}
		if op == kernel.AttnMixT { // whose keys are in order
			for i, s := range across {
				across[i] = [4]int32{s[2] % 4, s[3], s[0], s[1]}
			}
		}
		for i, table := range [][][4]int32{
			{{0, 1, 0, 1}}, {{0, 1, 0, 1100}}, {{0, 1100, 0, 1}}, {{3, 2, 5, 2049}}, {{0, 65, 0, 3}}, {
				{1000, 1, 900, 1}, {1001, 1, 1100, 2}, {1500, 3, 1200, 1},
			}, many, across,
		} {
			// heads, and the width of each
			for j, s := range [][]int{{1, 1}, {1, 33}, {7, 1}, {2, 5}, {1, 3}, {1, 129}} {
				if (i+j)%trials(3, 1) == 0 {
					list = append(list, &calls.Dice{Given: s, Table: table})
				}
			}
		}
	default:
		for _, s := range [][]int{
			{1, 1}, {1, long}, {long, 1}, {2, long + 1}, {long + 1, 2}, {3, 5}, {33, 3}, {1, 31}, {31, 1}, {5, 129},
		} {
			for _, v := range []int{1, 3} {
				list = append(list, &calls.Dice{Given: []int{s[0], s[1], v, s[0], s[1], 5 * v}})
			}
		}
	}
	for i, d := range list {
		d.Seed = uint32(op)<<16 + uint32(i)
	}
	return list
}

// TestEdges compares every bit of such calls with the reference.
func TestEdges(t *testing.T) {
	dev, ref := newEmulated(t), reference(t)
	eachRow(t, func(t *testing.T, op kernel.Op) {
		for i, d := range edges(op) {
			c := d.Call(op)
			same(t, dev, ref, &c, i%2)
		}
	})
}

// TestEdgesOfProducts does so for products, on the tiles that launches take.
func TestEdgesOfProducts(t *testing.T) {
	dev, ref := newEmulated(t), reference(t)
	long := trials(1<<12, 1<<16)
	for i, s := range []sizes{
		{1, 1, 1, 0, false}, {1, 1, long, 0, false}, {1, 1, long + 1, 1, false}, {1, long, 1, 0, false},
		{long, 1, 1, 0, false}, {17, 1, 3, 0, false}, {1, 3, 5, 0, false}, {16, 65, 4, 0, false},
		{17, 8448, 1, 0, false}, {8448, 1, 2, 0, false}, {8449, 2, 5, 1, false}, {2, 8449, 31, 0, false},
		{65, 64, 12, 0, false},
	} {
		for trans := range kernel.Trans(3) {
			c := s.call(trans)
			same(t, dev, ref, &c, i%2)
		}
	}
}

// same runs c and compares it with the reference.
func same(t *testing.T, dev *emulated, ref kernel.Device, c *kernel.Call, shift int) {
	t.Helper()
	want := calls.Clone(c, nil)
	ref.Do(&want)
	dev.shift = shift
	if err := dev.run(c); err != nil {
		t.Fatalf("%s: %v", calls.Shapes(c), err)
	}
	if at := calls.Differ(c.Out, want.Out); at != "" {
		t.Fatalf("%s: %s", calls.Shapes(c), at)
	}
}

// TestEdgesOfAdam puts an output over the three numbers of the step, which is
// allowed where tensors have three elements.
func TestEdgesOfAdam(t *testing.T) {
	dev, ref := newEmulated(t), reference(t)
	for i := range 3 {
		d := &calls.Dice{Seed: uint32(i)}
		c := kernel.Call{
			Op: kernel.Adam, Attr: kernel.Attr{Beta1: 0.9, Beta2: 0.98, Eps: 1e-6},
			In: []kernel.Tensor{d.Floats(3), d.Floats(3), d.Positive(3), d.Positive(3)},
		}
		calls.Allocate(&c)
		want, got := calls.Clone(&c, nil), calls.Clone(&c, nil)
		ref.Do(&want)
		got.Out[i] = got.In[3]
		if err := dev.run(&got); err != nil {
			t.Fatalf("output %d over the step: %v", i, err)
		}
		if at := calls.Differ(got.Out, want.Out); at != "" {
			t.Fatalf("output %d over the step: %s", i, at)
		}
	}
}

// TestFar runs the last block of grids over tensors of more than 2^32 elements,
// of which only what that block should touch exists. It is the block of a small
// call, which the reference computes; the rows or columns before it are many.
func TestFar(t *testing.T) {
	dev, ref := newEmulated(t), reference(t)
	const rows, more = 7, 1 << 30
	eachRow(t, func(t *testing.T, op kernel.Op) {
		n := rows
		switch op {
		case kernel.MatMul, kernel.AttnScores, kernel.AttnSoftmax, kernel.AttnSoftmaxGrad, kernel.AttnMix,
			kernel.AttnMixT, kernel.Attend:
			return // products are below, and those of attention in TestFarSentences
		case kernel.ColSum, kernel.LayerNormGainGrad, kernel.ScatterAdd, kernel.Scatter, kernel.Sum,
			kernel.Linear8, kernel.Linear8WeightGrad, kernel.Dropout:
			return // a block goes through all rows, or there are fewer, or where elements are matters
		case kernel.AddBias, kernel.Embed, kernel.Gather, kernel.CrossEntropyGrad, kernel.TopK:
			n = 1 // a block's
		}
		// A width of 8, and a table of 3: only rows are as many as rows.
		c := (&calls.Dice{Seed: uint32(op), Given: []int{n, 8, 3}}).Call(op)
		if op == kernel.QuantizeWeight { // whose columns are the rows of a transposed weight
			c.Attr.Trans = kernel.NT
			calls.Allocate(&c)
		}
		far := c
		far.In = slices.Clone(c.In)
		for i := range far.In {
			x := &far.In[i]
			x.Shape = slices.Clone(x.Shape)
			switch {
			case op == kernel.AddQuantized && i == 2:
				x.Shape[0] += 8 * more / 1024
			case op == kernel.AddQuantized4 && i > 0:
				x.Shape[0] += x.Shape[0] * (8 * more / 64)
			case x.Shape[0] == n && !(op == kernel.CrossEntropyGrad && i == 4):
				x.Shape[0] += more
			}
		}
		farSame(t, dev, ref, Launches, &c, &far)
	})
	for _, s := range products {
		if s.m != 1 { // one of each tile size
			continue
		}
		for trans := range kernel.Trans(3) {
			// Large tiles go by rows of C, and flat ones by columns.
			m, n, k := 8, 5, 11
			at, dim := 0, 0
			if s.down < s.across {
				m, n, at, dim = 5, 8, 1, 1
			}
			if at == 0 && trans == kernel.TN || at == 1 && trans == kernel.NT {
				dim = 1 - dim
			}
			c := sizes{m: m, n: n, k: k}.call(trans)
			far := c
			far.In = slices.Clone(c.In)
			far.In[at].Shape = slices.Clone(c.In[at].Shape)
			far.In[at].Shape[dim] += more
			farSame(t, dev, ref, func(c *kernel.Call) ([]Launch, error) {
				return one(product(s.module, s.down, s.across, s.threads, c)), nil
			}, &c, &far)
		}
	}
}

// TestFarCodes does so for the products of codes by tensor cores, whose rows go along the grid.
func TestFarCodes(t *testing.T) {
	dev, ref := newEmulated(t), reference(t)
	const more = 1 << 30
	for _, x := range []codeProduct{
		{kernel.Linear8, "linear8tensor64", 64, 7, 5, 16, kernel.NN, 0},
		{kernel.Linear8, "linear8tensor128", 128, 7, 5, 16, kernel.NN, 0},
		{kernel.Linear8WeightGrad, "linear8weightgradtensor", 64, 16, 5, 7, kernel.NN, 0},
		{kernel.Linear8WeightGrad, "linear8weightgradtensor", 64, 16, 5, 7, kernel.NT, 0},
	} {
		c := x.call()
		far := c
		far.In = slices.Clone(c.In)
		if x.op == kernel.Linear8 { // more rows of codes, and their scales
			far.In[0].Shape, far.In[1].Shape = []int{7 + more, 16}, []int{7 + more}
		} else { // more columns of codes
			far.In[0].Shape = []int{7, 16 + more}
		}
		x.m += more
		farSame(t, dev, ref, x.launches, &c, &far)
	}
}

// farSame runs the last block of far, whose tensors end with c's, or all blocks of
// a sentence.
func farSame(
	t *testing.T, dev *emulated, ref kernel.Device, launcher func(*kernel.Call) ([]Launch, error),
	c, far *kernel.Call,
) {
	t.Helper()
	out, err := kernel.Infer(far.Op, far.Attr, far.In)
	if err != nil {
		t.Fatal(err)
	}
	far.Out = out
	launches, err := launcher(far)
	if err != nil {
		t.Fatal(err)
	}
	want := calls.Clone(c, nil)
	ref.Do(&want)
	mem := ptx.NewAddressSpace()
	list := func(small, large, held []kernel.Tensor, first uint64) (bases []uint64) {
		for i := range small {
			base := (first + uint64(i)) << 44
			for _, p := range tails(&small[i], &large[i]) {
				from, n := p.at*elementSize(&small[i]), p.n*elementSize(&small[i])
				if err := mem.Map(base+p.far*uint64(elementSize(&small[i])),
					encode(&held[i])[from:from+n]); err != nil {
					t.Fatal(err)
				}
			}
			bases = append(bases, base)
		}
		return bases
	}
	ins, outs := list(c.In, far.In, far.In, 1), list(c.Out, far.Out, c.Out, 101)
	for _, l := range launches {
		k, args := dev.modules[l.Module].Kernel(l.Kernel), parameters(&l, ins, outs)
		last := [3]uint32{l.Grid[0] - 1, l.Grid[1] - 1, l.Grid[2] - 1}
		if last[0] == 0 { // a few, of one sentence
			err = k.Launch(mem, l.Grid, l.Block, args, 0)
		} else {
			err = k.LaunchBlock(mem, l.Grid, l.Block, last, args, 0)
		}
		if err != nil {
			t.Fatalf("%s: %v", calls.Shapes(far), err)
		}
	}
	for i := range c.Out {
		x := &c.Out[i]
		var b []byte
		for _, p := range tails(x, &far.Out[i]) {
			piece, err := mem.Read(outs[i]+p.far*uint64(elementSize(x)), p.n*elementSize(x))
			if err != nil {
				t.Fatal(err)
			}
			b = append(b, piece...)
		}
		decode(x, b)
	}
	if at := calls.Differ(c.Out, want.Out); at != "" {
		t.Fatalf("%s: %s", calls.Shapes(far), at)
	}
}

// tail is n elements from at on of a small tensor, which are far in a large one.
type tail struct {
	at, n int
	far   uint64
}

// tails are where the elements of small are in large, which has more rows before
// them, or more columns.
func tails(small, large *kernel.Tensor) (list []tail) {
	if last := len(small.Shape) - 1; last == 1 && small.Shape[1] != large.Shape[1] {
		n, far := small.Shape[1], large.Shape[1]
		for i := range small.Shape[0] {
			list = append(list, tail{i * n, n, uint64((i+1)*far - n)})
		}
		return list
	}
	return []tail{{0, small.Len(), uint64(large.Len() - small.Len())}}
}

// TestFarSentences runs the products of attention on queries or keys that are far
// from the beginning of their tensors.
func TestFarSentences(t *testing.T) {
	dev, ref := newEmulated(t), reference(t)
	const more = 1 << 30
	for _, x := range []struct {
		op   kernel.Op
		far  []int // inputs
		move []int // columns of the table
	}{
		{
			kernel.AttnScores, []int{0, 1}, []int{0, 2},
		}, {kernel.AttnMix, []int{1}, []int{2}}, {kernel.AttnMixT, []int{1}, []int{0}}, {
			kernel.Attend, []int{1, 2}, []int{2},
		},
	} {
		c := (&calls.Dice{Seed: uint32(x.op), Given: []int{1, 5}, Table: [][4]int32{{0, 3, 0, 2}}}).Call(x.op)
		far := c
		far.In = slices.Clone(c.In)
		for _, i := range x.far {
			far.In[i].Shape = []int{c.In[i].Shape[0] + more, c.In[i].Shape[1]}
		}
		seg := &far.In[len(far.In)-1]
		seg.I = slices.Clone(seg.I)
		for _, i := range x.move {
			seg.I[i] += more
		}
		farSame(t, dev, ref, Launches, &c, &far)
	}
}
