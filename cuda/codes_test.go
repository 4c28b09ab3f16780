package cuda

import (
	"testing"

	"github.com/alia-network/alia/cuda/calls"
	"github.com/alia-network/alia/work/kernel"
)

// codeProduct is a product of codes, m x n outputs over k steps, and a kernel for it, whatever launches prefer.
type codeProduct struct {
	op      kernel.Op
	module  string
	side    int // of a tile, 0 for the flat one
	m, n, k int
	trans   kernel.Trans
	shift   int
}

// codeProducts are what the kernels of products of codes are tried with: edges of tiles at every place of a
// warp's outputs, steps of less than a stage, whole ones, and a tail.
func codeProducts() (list []codeProduct) {
	for i, s := range [][3]int{
		{1, 1, 16}, {17, 18, 16}, {33, 35, 32}, {64, 64, 64}, {65, 66, 80}, {31, 95, 144}, {100, 37, 128},
		{2, 134, 48}, {130, 2, 160}, {129, 131, 64}, {7, 20, 272},
	} {
		m, n, k, shift := s[0], s[1], s[2], i%3
		for trans := range kernel.Trans(2) {
			// The rows of a gradient are whole vectors, its steps need not be.
			grad := codeProduct{kernel.Linear8WeightGrad, "linear8weightgrad", 0, up(m, 16) * 16, n, k - i%5, trans, shift}
			list = append(list, grad)
			grad.module, grad.side = "linear8weightgradtensor", 64
			list = append(list, grad)
		}
		linear := codeProduct{kernel.Linear8, "linear8", 0, m, n, k, kernel.NN, shift}
		list = append(list, linear)
		linear.module, linear.side = "linear8tensor64", 64
		list = append(list, linear)
		linear.module, linear.side = "linear8tensor128", 128
		list = append(list, linear)
	}
	return list
}

// gradientEdges are gradients whose last row of X is at every place of a group and of a thread's share.
func gradientEdges() (list []codeProduct) {
	for _, rows := range []int{1, 2, 3, 6, 33, 34, 35, 40, 65, 66, 67, 72, 97, 98, 99, 104, 129} {
		for trans := range kernel.Trans(2) {
			list = append(list, codeProduct{
				kernel.Linear8WeightGrad, "linear8weightgradtensor", 64, 16, 18, rows, trans, 0,
			})
		}
	}
	return list
}

// peaks are calls of the quantisers of rows and columns in which each element is the largest of its row or
// column once, so that none can be missed.
func peaks() (list []kernel.Call) {
	const n = 290 // more than a warp reads at a time
	d := &calls.Dice{Seed: 3}
	x, f := kernel.New(kernel.F32, n, n), d.Positive(n)
	for i := range x.F {
		x.F[i] = float32(d.Below(100)) - 50
		if i/n == i%n {
			x.F[i] = float32(1000 + i)
		}
	}
	add := func(op kernel.Op, trans kernel.Trans, in ...kernel.Tensor) {
		c := kernel.Call{Op: op, Attr: kernel.Attr{Trans: trans}, In: in}
		calls.Allocate(&c)
		list = append(list, c)
	}
	add(kernel.QuantizeRows, kernel.NN, x)
	add(kernel.QuantizeScaledRows, kernel.NN, x, f)
	add(kernel.QuantizeScaledColumns, kernel.NN, x, f)
	add(kernel.QuantizeWeight, kernel.NN, x)
	add(kernel.QuantizeWeight, kernel.NT, x)
	return list
}

func (x *codeProduct) call() kernel.Call {
	d := &calls.Dice{Seed: uint32(x.m), Given: []int{1, 1, 1, x.m, x.n, x.k}}
	if x.op == kernel.Linear8WeightGrad {
		d.Given = []int{1, 1, 1, x.k, x.m, x.n}
	}
	c := d.Call(x.op)
	if c.Attr.Trans != x.trans {
		c.Attr.Trans = x.trans
		calls.Allocate(&c)
	}
	return c
}

func (x *codeProduct) launches(c *kernel.Call) ([]Launch, error) {
	l := launchers[x.op](c) // for its arguments
	if x.side == 0 {
		l = flat(x.module, x.m, x.n, l[0].Args...)
	} else {
		l = square(x.module, x.side, x.m, x.n, l[0].Args...)
	}
	if x.op == kernel.Linear8WeightGrad {
		l[0].Kernel += transposed[x.trans]
	}
	return l, nil
}

// TestSameBitsCodes runs each kernel of a product of codes on all of them.
func TestSameBitsCodes(t *testing.T) {
	dev, ref := newEmulated(t), reference(t)
	for _, x := range append(codeProducts(), gradientEdges()...) {
		c := x.call()
		dev.launches = x.launches
		same(t, dev, ref, &c, x.shift)
	}
}

// TestPeaks computes scales that one element of a row or column decides, wherever that element is.
func TestPeaks(t *testing.T) {
	dev, ref := newEmulated(t), reference(t)
	for _, c := range peaks() {
		same(t, dev, ref, &c, 0)
	}
}

// TestExtremeCodes multiplies codes of -128 only, whose sums are the largest.
func TestExtremeCodes(t *testing.T) {
	dev, ref := newEmulated(t), reference(t)
	for _, x := range codeProducts() {
		c := x.call()
		for i := range c.In {
			for j := range c.In[i].B {
				c.In[i].B[j] = -128
			}
		}
		dev.launches = x.launches
		same(t, dev, ref, &c, x.shift)
	}
}

// TestLaunchesCodes is which kernels compute a product of codes.
func TestLaunchesCodes(t *testing.T) {
	for _, c := range []struct {
		m, n, k              int
		linear, grad         string
		gridLinear, gridGrad [3]uint32
	}{
		{4096, 2048, 512, "linear8tensor128", "linear8weightgradtensor_nn", [3]uint32{32, 16, 1}, [3]uint32{8, 32, 1}},
		{4096, 512, 512, "linear8tensor64", "linear8weightgradtensor_nn", [3]uint32{64, 8, 1}, [3]uint32{8, 8, 1}},
		{17, 2048, 512, "linear8tensor64", "linear8weightgradtensor_nn", [3]uint32{1, 32, 1}, [3]uint32{8, 32, 1}},
		{16, 2048, 512, "linear8", "linear8weightgradtensor_nn", [3]uint32{32, 2, 1}, [3]uint32{8, 32, 1}},
		{4096, 16, 512, "linear8tensor64", "linear8weightgrad_nn", [3]uint32{64, 1, 1}, [3]uint32{1, 64, 1}},
		{4096, 2048, 511, "linear8", "linear8weightgrad_nn", [3]uint32{32, 512, 1}, [3]uint32{32, 64, 1}},
		{1, 1, 1, "linear8", "linear8weightgrad_nn", [3]uint32{1, 1, 1}, [3]uint32{1, 1, 1}},
	} {
		for op, want := range map[kernel.Op]Launch{
			kernel.Linear8:           {Kernel: c.linear, Grid: c.gridLinear},
			kernel.Linear8WeightGrad: {Kernel: c.grad, Grid: c.gridGrad},
		} {
			call := kernel.Call{
				Op: op, In: []kernel.Tensor{bare(c.m, c.k), bare(c.m), bare(1), bare(c.n), bare(c.n)},
				Out: []kernel.Tensor{bare(c.m, c.n)},
			}
			if op == kernel.Linear8WeightGrad {
				call.In = []kernel.Tensor{bare(c.m, c.k), bare(1), bare(up(c.m, 128), c.n)}
				call.Out[0] = bare(c.k, c.n)
			}
			ls, err := Launches(&call)
			if err != nil || len(ls) != 1 || ls[0].Kernel != want.Kernel || ls[0].Grid != want.Grid {
				t.Errorf("%v of %d x %d over %d: %+v, error %v, want %s on %v", op, c.m, c.n, c.k, ls, err, want.Kernel,
					want.Grid)
			}
		}
	}
}
