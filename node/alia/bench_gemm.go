package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/alia-network/alia/work/kernel"
)

// newBenchGemm is alia bench gemm.
func newBenchGemm(a *app) *cobra.Command {
	var c compute
	cmd := &cobra.Command{
		Use:   "gemm",
		Short: "Measure matrix products",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			dev, err := c.open(a)
			if err != nil {
				return err
			}
			measures := []measure{}
			for _, s := range matmulShapes {
				m := measure{fmt.Sprintf("matmul %dx%dx%d", s[0], s[1], s[2]), dev.Name(), c.threads, matmulRate(dev, s, 300*time.Millisecond) / 1e9, "GFLOP/s"}
				a.note("%-28s %-9s %d threads  %12.2f %s", m.Name, m.Kernels, m.Threads, m.Value, m.Unit)
				measures = append(measures, m)
			}
			return a.result(struct {
				Measures []measure `json:"measures"`
			}{measures}, func(io.Writer) {})
		},
	}
	c.flags(cmd)
	return cmd
}

// matmulShapes are [m,k,n] of products that alia bench measures.
var matmulShapes = [][3]int{{256, 256, 256}, {1024, 128, 128}, {1024, 128, 256}, {1024, 256, 1024}, {512, 128, 6000}}

// matmulRate is the speed of C[m,n] = A[m,k] B[k,n], in FLOP/s, where an fma
// counts as two. It is the best of repeated tries, which others disturb least.
func matmulRate(dev kernel.Device, shape [3]int, atLeast time.Duration) float64 {
	m, k, n := shape[0], shape[1], shape[2]
	x, y, z := kernel.New(kernel.F32, m, k), kernel.New(kernel.F32, k, n), kernel.New(kernel.F32, m, n)
	fill(x.F)
	fill(y.F)
	call := kernel.Call{Op: kernel.MatMul, In: []kernel.Tensor{x, y}, Out: []kernel.Tensor{z}}
	flop := 2 * float64(m) * float64(k) * float64(n)
	best := 0.0
	for began := time.Now(); time.Since(began) < atLeast; {
		t := time.Now()
		dev.Do(&call)
		best = max(best, flop/time.Since(t).Seconds())
	}
	return best
}

// fill gives x values of ordinary size.
func fill(x []float32) {
	for i := range x {
		x[i] = float32(i%17)/8 - 1
	}
}
