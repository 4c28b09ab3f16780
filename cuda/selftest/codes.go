//go:build cuda && linux && (amd64 || arm64)

package main

import (
	"fmt"
	"time"

	"github.com/alia-network/alia/cuda/calls"
	"github.com/alia-network/alia/work/kernel"
)

// codesSpeed is the speed of one projection of training, in binary32 and with codes of 8 bits.
type codesSpeed struct {
	Shape   string `json:"shape"` // tokens x inputs x outputs
	Forward versus `json:"forward"`
	Input   versus `json:"input_gradient"`
	Weight  versus `json:"weight_gradient"`

	Quantisers map[string]float64 `json:"quantisers_milliseconds"` // by operation

	// A projection's three products, as chains, and with codes and the quantisers that make them.
	Chains float64 `json:"chains_milliseconds"`
	Codes  float64 `json:"codes_milliseconds"`

	// The forward product by NVIDIA's library.
	CuBLAS float64 `json:"cublas_gflops,omitempty"`
	TF32   float64 `json:"cublas_tf32_gflops,omitempty"`
}

// versus is the speeds of a product: the chain of binary32, codes by tensor cores, and codes by dp4a.
type versus struct {
	Chain  float64 `json:"chain_gflops"`
	Tensor float64 `json:"tensor_gops"`
	DP4A   float64 `json:"dp4a_gops"`
}

// doer computes one call, and returns its outputs.
type doer func(op kernel.Op, in ...kernel.Tensor) []kernel.Tensor

// projection computes a projection of training with codes, forward and backward (NUMERICS.md, section 8.6), and
// returns all results.
func projection(dev kernel.Device, t, k, n int, do doer) (all []kernel.Tensor) {
	x, w, dy := numbers(dev, 1, t, k), numbers(dev, 2, k, n), numbers(dev, 3, t, n)
	take := func(op kernel.Op, in ...kernel.Tensor) []kernel.Tensor {
		out := do(op, in...)
		all = append(all, out...)
		return out
	}
	weight := take(kernel.QuantizeWeight, w)
	input := take(kernel.QuantizeRows, x)
	take(kernel.Linear8, input[0], input[1], weight[0], weight[1], numbers(dev, 4, n))
	back := take(kernel.QuantizeScaledRows, dy, weight[1])
	take(kernel.Linear8, back[0], back[1], weight[2], numbers(dev, 5, k), numbers(dev, 6, k))
	columns := take(kernel.QuantizeScaledColumns, dy, input[1])
	take(kernel.Linear8WeightGrad, input[0], columns[0], columns[1])
	return all
}

// prepare is a call with outputs in the device's memory.
func prepare(dev kernel.Device, op kernel.Op, attr kernel.Attr, in ...kernel.Tensor) kernel.Call {
	c := kernel.Call{Op: op, Attr: attr, In: in}
	calls.Allocate(&c)
	for i, t := range c.Out {
		c.Out[i] = kernel.On(dev, t)
	}
	return c
}

// projection compares one projection.
func (r *report) projection(dev, host kernel.Device, t, k, n int) {
	var results [2][]kernel.Tensor
	for i, d := range []kernel.Device{dev, host} {
		results[i] = projection(d, t, k, n, func(op kernel.Op, in ...kernel.Tensor) []kernel.Tensor {
			c := prepare(d, op, kernel.Attr{}, in...)
			d.Do(&c)
			return c.Out
		})
		for j, x := range results[i] {
			results[i][j] = kernel.Local(x)
		}
	}
	at := calls.Differ(results[0], results[1])
	if at != "" {
		progress("projection with codes %dx%dx%d: result %s", t, k, n, at)
	}
	r.Bits = append(r.Bits, verdict{fmt.Sprintf("projection with codes %dx%dx%d", t, k, n), at == ""})
}

// measureCodes measures a projection, each call for some time.
func measureCodes(dev kernel.Device, t, k, n int, tries time.Duration) codesSpeed {
	work := 2 * float64(t) * float64(k) * float64(n)
	s := codesSpeed{Shape: fmt.Sprintf("%dx%dx%d", t, k, n), Quantisers: map[string]float64{}}
	// The products in the sequence of projection.
	products := []*versus{&s.Forward, &s.Input, &s.Weight}
	next := products
	projection(dev, t, k, n, func(op kernel.Op, in ...kernel.Tensor) []kernel.Tensor {
		c := prepare(dev, op, kernel.Attr{}, in...)
		if op == kernel.Linear8 || op == kernel.Linear8WeightGrad {
			seconds := fastest(dev, &c, work, tries)
			next[0].Tensor = work / seconds / 1e9
			next = next[1:]
			s.Codes += 1000 * seconds
			return c.Out
		}
		// A quantiser is bound by memory. Its work decides only how many run at a time.
		ms := 1000 * fastest(dev, &c, float64(in[0].Len()), tries)
		s.Quantisers[op.String()] = ms
		s.Codes += ms
		return c.Out
	})
	// The same products as chains.
	for i, c := range []kernel.Call{
		prepare(dev, kernel.MatMul, kernel.Attr{}, numbers(dev, 1, t, k), numbers(dev, 2, k, n)),
		prepare(dev, kernel.MatMul, kernel.Attr{Trans: kernel.NT}, numbers(dev, 1, t, n), numbers(dev, 2, k, n)),
		prepare(dev, kernel.MatMul, kernel.Attr{Trans: kernel.TN}, numbers(dev, 1, t, k), numbers(dev, 2, t, n)),
	} {
		seconds := fastest(dev, &c, work, tries)
		products[i].Chain = work / seconds / 1e9
		s.Chains += 1000 * seconds
	}
	// dp4a has the products of rows of codes that are no whole vectors: four codes less.
	for i, c := range []kernel.Call{
		prepare(dev, kernel.Linear8, kernel.Attr{}, codes(dev, t, k-4), numbers(dev, 1, t),
			codes(dev, kernel.Packed8(k-4, n)...), numbers(dev, 2, n), numbers(dev, 3, n)),
		prepare(dev, kernel.Linear8, kernel.Attr{}, codes(dev, t, n-4), numbers(dev, 1, t),
			codes(dev, kernel.Packed8(n-4, k)...), numbers(dev, 2, k), numbers(dev, 3, k)),
		prepare(dev, kernel.Linear8WeightGrad, kernel.Attr{}, codes(dev, t, k-4),
			codes(dev, kernel.Packed8(t, n)...), numbers(dev, 1, (t+127)/128, n)),
	} {
		less := float64(kernel.Cost(&c))
		products[i].DP4A = less / fastest(dev, &c, less, tries) / 1e9
	}
	return s
}

// codes returns a tensor of codes of all values.
func codes(dev kernel.Device, shape ...int) kernel.Tensor {
	t := kernel.New(kernel.I8, shape...)
	for i := range t.B {
		t.B[i] = int8(i * 89)
	}
	return kernel.On(dev, t)
}
