package cuda

import (
	"math"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/kernel"
)

// bare is a tensor without storage.
func bare(shape ...int) kernel.Tensor { return kernel.Tensor{Type: kernel.F32, Shape: shape} }

// TestLaunchesTiles is which tiles a product is cut in.
func TestLaunchesTiles(t *testing.T) {
	for _, c := range []struct {
		m, n, k int
		kernel  string
		grid    [3]uint32
	}{
		{4096, 4096, 4096, "matmul128_nn", [3]uint32{32, 32, 1}},
		{8192, 512, 512, "matmul128_nn", [3]uint32{64, 4, 1}},
		{2048, 512, 512, "matmul64_nn", [3]uint32{32, 8, 1}},
		{512, 512, 8192, "matmul64_nn", [3]uint32{8, 8, 1}},
		{256, 256, 8192, "matmul8_nn", [3]uint32{4, 32, 1}},
		{64, 2048, 512, "matmul8_nn", [3]uint32{32, 8, 1}},
		{64, 32000, 512, "matmul64_nn", [3]uint32{1, 500, 1}},
		{1, 32000, 512, "matmul8_nn", [3]uint32{500, 1, 1}},
		{1, 1, 1, "matmul8_nn", [3]uint32{1, 1, 1}},
	} {
		ls, err := Launches(&kernel.Call{
			Op: kernel.MatMul, In: []kernel.Tensor{bare(c.m, c.k), bare(c.k, c.n)},
			Out: []kernel.Tensor{bare(c.m, c.n)},
		})
		if err != nil || len(ls) != 1 || ls[0].Kernel != c.kernel || ls[0].Grid != c.grid {
			t.Errorf("%d x %d over %d: %+v, error %v, want %s on %v", c.m, c.n, c.k, ls, err, c.kernel, c.grid)
		}
	}
}

// TestLaunchesScatter is that a launch which may have nothing to copy stays small
// where a few elements of many are written.
func TestLaunchesScatter(t *testing.T) {
	for _, c := range []struct{ rows, n, d, copying int }{
		{2_000_000, 128, 1, 1024},
		{64 * 200, 64, 512, 1024},
		{9, 3, 70, 1},
	} {
		base, x, ids := bare(c.rows, c.d), bare(c.n, c.d), kernel.Tensor{Type: kernel.I32, Shape: []int{c.n}}
		ls, err := Launches(&kernel.Call{
			Op: kernel.Scatter, In: []kernel.Tensor{base, ids, x}, Out: []kernel.Tensor{base},
		})
		if err != nil || len(ls) != 2 || ls[0].Grid != [3]uint32{uint32(c.copying), 1, 1} ||
			ls[1].Grid != [3]uint32{uint32(c.n), 1, 1} {
			t.Errorf("%+v: %+v, error %v", c, ls, err)
		}
	}
}

// TestLaunchesRefuses gives what no grid can hold, and no kernel computes.
func TestLaunchesRefuses(t *testing.T) {
	huge := 1 << 42
	seg := kernel.Tensor{Type: kernel.I32, Shape: []int{1, 4}}
	for _, c := range []struct {
		call kernel.Call
		want string
	}{
		{kernel.Call{Op: 250}, "no CUDA kernel"},
		{
			kernel.Call{Op: kernel.Add, In: []kernel.Tensor{bare(huge), bare(huge)}, Out: []kernel.Tensor{bare(huge)}},
			"beyond a device's",
		},
		{
			kernel.Call{
				Op: kernel.MatMul, In: []kernel.Tensor{bare(17, 1), bare(1, huge)},
				Out: []kernel.Tensor{bare(17, huge)},
			},
			"beyond a device's",
		},
		{
			kernel.Call{
				Op: kernel.AttnSoftmax, Attr: kernel.Attr{Heads: 1}, In: []kernel.Tensor{bare(1 << 33), seg},
				Out: []kernel.Tensor{bare(1 << 33)},
			},
			"beyond a device's",
		},
		{
			kernel.Call{
				Op: kernel.AttnSoftmax, Attr: kernel.Attr{Heads: 1 << 17}, In: []kernel.Tensor{bare(1 << 17), seg},
				Out: []kernel.Tensor{bare(1 << 17)},
			},
			"beyond a device's",
		},
	} {
		if ls, err := Launches(&c.call); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %+v, error %v, want %q", c.call.Op, ls, err, c.want)
		}
	}
}

// TestLaunchesCounts gives sizes that a grid can hold and a counter of 32 bits
// cannot: cut to 32 bits, each would be a small one.
func TestLaunchesCounts(t *testing.T) {
	type tensors = []kernel.Tensor
	typed := func(t kernel.DType, shape ...int) kernel.Tensor { return kernel.Tensor{Type: t, Shape: shape} }
	for _, n := range []int{1<<32 + 1, 1 << 31, math.MaxInt32} {
		ids, seg, one := typed(kernel.I32, 1), typed(kernel.I32, 1, 4), bare(1)
		for _, c := range []kernel.Call{
			{Op: kernel.MatMul, In: tensors{bare(n, 1), bare(1, 1)}, Out: tensors{bare(n, 1)}},
			{Op: kernel.MatMul, In: tensors{bare(1, n), bare(n, 1)}, Out: tensors{bare(1, 1)}},
			{Op: kernel.MatMul, In: tensors{bare(1, 1), bare(1, n)}, Out: tensors{bare(1, n)}},
			{
				Op: kernel.MatMul, Attr: kernel.Attr{Trans: kernel.TN}, In: tensors{bare(n, 1), bare(n, 1)},
				Out: tensors{bare(1, 1)},
			},
			{Op: kernel.AddBias, In: tensors{bare(1, n), bare(n)}, Out: tensors{bare(1, n)}},
			{Op: kernel.LayerNorm, In: tensors{bare(n, 1), one, one}, Out: tensors{bare(n, 1), bare(n, 2)}},
			{
				Op: kernel.LayerNormGrad, In: tensors{bare(1, n), bare(1, 2), bare(n), bare(1, n)},
				Out: tensors{bare(1, n)},
			},
			{Op: kernel.LayerNormGainGrad, In: tensors{bare(n, 1), bare(n, 2), bare(n, 1)}, Out: tensors{one}},
			{Op: kernel.ColSum, In: tensors{bare(1, n)}, Out: tensors{bare(n)}},
			{Op: kernel.Embed, In: tensors{bare(1, n), ids, ids, bare(1, n)}, Out: tensors{bare(1, n)}},
			{Op: kernel.Gather, In: tensors{bare(1, n), ids}, Out: tensors{bare(1, n)}},
			{
				Op: kernel.ScatterAdd, In: tensors{bare(1, 1), typed(kernel.I32, n), bare(n, 1)},
				Out: tensors{bare(1, 1)},
			},
			{Op: kernel.RowMax, In: tensors{bare(n, 1)}, Out: tensors{bare(n)}},
			{Op: kernel.RowSum, In: tensors{bare(n, 1)}, Out: tensors{bare(n)}},
			{Op: kernel.ArgMax, In: tensors{bare(1, n)}, Out: tensors{typed(kernel.I32, 1)}},
			{
				Op: kernel.TopK, Attr: kernel.Attr{Rows: 1}, In: tensors{bare(1, n)},
				Out: tensors{bare(1, 1), typed(kernel.I32, 1, 1)},
			},
			{Op: kernel.CrossEntropy, In: tensors{bare(1, n), one, one, one, ids}, Out: tensors{one, one}},
			{Op: kernel.CrossEntropyGrad, In: tensors{bare(1, n), one, one, ids, one}, Out: tensors{bare(1, n)}},
			{
				Op: kernel.Quantize2, In: tensors{bare(n)},
				Out: tensors{typed(kernel.I32, (n+127)/128, 8), bare((n + 127) / 128)},
			},
			{
				Op:  kernel.AddQuantized2,
				In:  tensors{bare(n), typed(kernel.I32, (n+127)/128, 8), bare((n + 127) / 128)},
				Out: tensors{bare(n)},
			},
			{Op: kernel.QuantizeRows, In: tensors{bare(1, n)}, Out: tensors{typed(kernel.I8, 1, n), one}},
			{
				Op:  kernel.Linear8,
				In:  tensors{typed(kernel.I8, 1, 1), one, typed(kernel.I8, (n+15)/16, 1, 64), bare(n), bare(n)},
				Out: tensors{bare(1, n)},
			},
			{
				Op: kernel.QuantizeScaledRows, In: tensors{bare(1, n), bare(n)},
				Out: tensors{typed(kernel.I8, 1, n), one},
			},
			{
				Op: kernel.QuantizeScaledColumns, In: tensors{bare(n, 1), bare(n)},
				Out: tensors{typed(kernel.I8, 1, (n+3)/4, 64), bare((n+127)/128, 1)},
			},
			{
				Op: kernel.QuantizeWeight, In: tensors{bare(n, 1)},
				Out: tensors{typed(kernel.I8, 1, (n+3)/4, 64), one, typed(kernel.I8, (n+15)/16, 1, 64)},
			},
			{
				Op:  kernel.Linear8WeightGrad,
				In:  tensors{typed(kernel.I8, 1, 1), typed(kernel.I8, (n+15)/16, 1, 64), bare(1, n)},
				Out: tensors{bare(1, n)},
			},
			{
				Op: kernel.AttnScores, Attr: kernel.Attr{Heads: 1}, In: tensors{bare(1, n), bare(1, n), seg},
				Out: tensors{one},
			},
			{
				Op: kernel.AttnMix, Attr: kernel.Attr{Heads: 1, Rows: n}, In: tensors{one, bare(1, 1), seg},
				Out: tensors{bare(n, 1)},
			},
			{
				Op: kernel.Attend, Attr: kernel.Attr{Heads: 1}, In: tensors{bare(n, 1), bare(1, 1), bare(1, 1), seg},
				Out: tensors{bare(n, 1)},
			},
			{
				Op: kernel.AttnSoftmax, Attr: kernel.Attr{Heads: 1}, In: tensors{bare(n), typed(kernel.I32, n, 4)},
				Out: tensors{bare(n)},
			},
		} {
			_, err := Launches(&c)
			if small := n == math.MaxInt32; (err == nil) != (small && c.Op != kernel.AttnSoftmax) {
				t.Errorf("%v of a size of %d: error %v", c.Op, n, err)
			}
		}
	}
	// What has no such counter is not held to one.
	for _, c := range []kernel.Call{
		{Op: kernel.Sum, In: tensors{bare(1 << 33)}, Out: tensors{bare(1)}},
		{Op: kernel.RowSum, In: tensors{bare(1, 1<<33)}, Out: tensors{bare(1)}},
		{Op: kernel.Add, In: tensors{bare(1 << 33), bare(1 << 33)}, Out: tensors{bare(1 << 33)}},
		{
			Op: kernel.Dropout, Attr: kernel.Attr{Site: 1<<32 - 1, Rate: 0.75},
			In: tensors{bare(1 << 33), typed(kernel.I32, 4)}, Out: tensors{bare(1 << 33)},
		},
	} {
		if ls, err := Launches(&c); err != nil {
			t.Errorf("%v of 2^33 elements: %+v, error %v", c.Op, ls, err)
		}
	}
}
