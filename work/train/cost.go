package train

import (
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// QuantizeCost is the canonical cost, in FLOP, of [Quantize] to any bits.
func QuantizeCost(s *tensor.Set) uint64 {
	var sum uint64
	for i := range s.Len() {
		sum += cost(kernel.Quantize, kernel.Attr{}, s.At(i).Tensor)
	}
	return sum
}

// CombineCost is the canonical cost, in FLOP, of [Combine] with n deltas. It
// counts what every combine does, which is nearly all of it.
func CombineCost(params *tensor.Set, n int) uint64 {
	var sum uint64
	for i := range params.Len() {
		p := params.At(i).Tensor
		out := infer(kernel.Quantize, kernel.Attr{}, p)
		hyper := kernel.Tensor{Type: kernel.F32, Shape: []int{3}}
		sum += uint64(n+1) * cost(kernel.AddQuantized, kernel.Attr{Scale: 1}, p, out[0], out[1])
		sum += cost(kernel.Scale, kernel.Attr{}, p) + cost(kernel.Adam, kernel.Attr{}, p, p, p, hyper) + cost(kernel.Quantize, kernel.Attr{}, p)
	}
	return sum
}

// LocalStepsCost is the canonical cost, in FLOP, of the steps of a [LocalOptimizer]
// and of its contribution, without the gradients.
func LocalStepsCost(params *tensor.Set, steps int) uint64 {
	sum := QuantizeCost(params)
	hyper := kernel.Tensor{Type: kernel.F32, Shape: []int{3}}
	for i := range params.Len() {
		p := params.At(i).Tensor
		sum += uint64(steps) * (cost(kernel.Adam, kernel.Attr{}, p, p, p, hyper) + cost(kernel.Scale, kernel.Attr{}, p) + cost(kernel.Add, kernel.Attr{}, p, p))
	}
	return sum
}

// cost is the canonical cost of one row; only the inputs' forms matter.
func cost(op kernel.Op, a kernel.Attr, in ...kernel.Tensor) uint64 {
	return kernel.Cost(&kernel.Call{Op: op, Attr: a, In: in, Out: infer(op, a, in...)})
}
