// Package cuda is the kernels of work/kernel on NVIDIA devices, bit for bit.
//
// Each kernel is a C source under kernels, committed with the PTX that
// `make ptx` makes of it and that the driver compiles for the card. [Launches] turns
// a call of the one table into launches of those kernels; it is pure Go, needs no
// device, and reads shapes and attributes alone, so that it can run ahead of what
// the call's tensors will hold. Package cuda/ptx runs the same PTX without a
// device: the tests hold every kernel to the reference's bits that way.
//
//	launches, err := cuda.Launches(&call)
//	for _, l := range launches {
//		text, err := cuda.PTX(l.Module)
//		// load text, find l.Kernel in it, start it on l.Grid and l.Block with l.Args
//	}
//
// It has no driver in it in the default build, which is pure Go: gorgonia.org/cu,
// on which the CUDA build stands, exits the process in its init where there is no
// GPU.
package cuda
