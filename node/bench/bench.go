// Package bench measures this machine: matrix products, training, translation, a ledger
// and a gateway.
//
// [Gemm] measures products beside OpenBLAS, [Train] takes training steps and times
// their operations, [Translate] decodes sentences, and [Ledger] floods a network of
// validators with claims and transfers. [GatewayBench] asks a gateway as its clients do,
// and compares a network with this machine's models. Each has a Run, which returns
// a report for JSON. [MatmulRate] and [TranslateRate] are single numbers.
//
//	b := bench.Train{Device: dev, Threads: 1, Steps: 30}
//	err := b.Configure("tiny", train.Binary32, 0) // 0: the preset's batch
//	b.Synthesise()                                // or b.Read(name, corpus)
//	report, err := b.Run(ctx)                     // report.PerCPUSecond, in target tokens
//	err = b.WriteProfile("flames.svg", "preset tiny")
package bench

import (
	"time"

	"github.com/alia-network/alia/work/kernel"
)

// MatmulShapes are [m,k,n] of products that alia bench measures.
var MatmulShapes = [][3]int{{256, 256, 256}, {1024, 128, 128}, {1024, 128, 256}, {1024, 256, 1024}, {512, 128, 6000}}

// MatmulRate is the speed of C[m,n] = A[m,k] B[k,n], in FLOP/s, where an fma
// counts as two. It is the best of repeated tries, which others disturb least.
func MatmulRate(dev kernel.Device, shape [3]int, atLeast time.Duration) float64 {
	m, k, n := shape[0], shape[1], shape[2]
	x, y := kernel.New(kernel.F32, m, k), kernel.New(kernel.F32, k, n)
	fill(x.F)
	fill(y.F)
	x, y, z := kernel.On(dev, x), kernel.On(dev, y), on(dev, m, n)
	call := kernel.Call{Op: kernel.MatMul, In: []kernel.Tensor{x, y}, Out: []kernel.Tensor{z}}
	flop := 2 * float64(m) * float64(k) * float64(n)
	best := 0.0
	for began := time.Now(); time.Since(began) < atLeast; {
		t := time.Now()
		dev.Do(&call)
		kernel.Wait(dev)
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
