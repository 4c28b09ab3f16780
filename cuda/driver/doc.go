// Package driver opens the CUDA driver library at run time, for gorgonia.org/cu, which is linked against
// it.
//
// cu needs a header and a library to be built, and its init ends the process where there is no GPU. So
// this package provides both: include/cuda.h, a header of our own; libcuda.so, which is a linker script
// (a text); and a shim that defines each symbol as a jump through a table. A binary that is built this
// way needs neither toolkit nor driver, and starts on every machine. [Open] fills the table from
// libcuda.so.1 when asked, or returns the reason why it cannot. [Health] reads temperature and power
// through NVML, if that is installed.
//
//	if err := driver.Open(); err != nil {
//		return err // such as: no driver library: libcuda.so.1: cannot open shared object file
//	}
//	n, err := cu.NumDevices()
//
// Without the build tag cuda the package is empty. `make build-cuda` sets the flags of cgo.
package driver
