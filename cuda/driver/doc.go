// Package driver opens the CUDA driver library at run time, under the feet of
// gorgonia.org/cu, which is linked against it.
//
// cu wants a header and a library to be built with, and ends the process in its
// init where there is no GPU. So this package brings both: include/cuda.h, our
// own; libcuda.so, a linker script; and a shim that defines each symbol as a
// jump through a slot. A binary so built needs neither toolkit nor driver, and
// starts anywhere. [Open] fills the slots from libcuda.so.1, when asked, or says
// why it cannot; [Health] reads temperature and power through NVML, where it is
// there. It is empty without the build tag cuda; `make build-cuda` sets what cgo
// needs to know.
package driver
