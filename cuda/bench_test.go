package cuda

import (
	"testing"

	"github.com/alia-network/alia/work/kernel"
)

// BenchmarkPlan is what a call costs the host before its kernels start.
func BenchmarkPlan(b *testing.B) {
	c := kernel.Call{
		Op: kernel.MatMul, In: []kernel.Tensor{kernel.New(kernel.F32, 64, 64), kernel.New(kernel.F32, 64, 64)},
		Out: []kernel.Tensor{kernel.New(kernel.F32, 64, 64)},
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Verify(); err != nil {
			b.Fatal(err)
		}
		if _, err := Launches(&c); err != nil {
			b.Fatal(err)
		}
	}
}
