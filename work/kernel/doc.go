// Package kernel has every numeric operation of ALIA: its exact rounding, its
// reference in plain Go, and its assembly.
//
// The specification is NUMERICS.md in this folder. The table [Ops] lists each
// operation once: name and version, shape rule, integer cost, reference and
// conformance cases. A [Call] is one operation applied to tensors. A [Device]
// computes calls; it may have a faster kernel for some operations and must give
// the reference's bits on every input. An [Accelerator] is a device with memory of
// its own, such as a GPU. [Check] compares a device with the published digests of
// all conformance cases; the tolerance is zero.
//
//	dev, err := kernel.Open("avx512", 1) // or "avx2", "neon", "portable", "" for the fastest
//	if err != nil {
//		return err
//	}
//	a := kernel.Tensor{Type: kernel.F32, Shape: []int{2, 3}, F: []float32{1, 2, 3, 4, 5, 6}}
//	b := kernel.Tensor{Type: kernel.F32, Shape: []int{3, 1}, F: []float32{1, 0, 2}}
//	c := kernel.New(kernel.F32, 2, 1)
//	dev.Do(&kernel.Call{Op: kernel.MatMul, In: []kernel.Tensor{a, b}, Out: []kernel.Tensor{c}})
//	fmt.Println(c.F) // [7 16]
package kernel
