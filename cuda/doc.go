// Package cuda is the kernels of work/kernel on NVIDIA devices, bit for bit.
//
// It is empty in the default build, which is pure Go: gorgonia.org/cu, on which
// the CUDA build stands, exits the process in its init where there is no GPU.
// A device made here is a kernel.Device like any other: it fills rows of the
// one table and is held to the reference by the same digests.
package cuda
