// Package emulator is a CUDA driver without a device, for tests: it runs the
// kernels' PTX in package cuda/ptx.
//
// In a build with the tag cudaemu, package cuda/driver takes it for the driver
// library where the environment's ALIA_CUDA is "emulator". So gorgonia.org/cu
// and all that is built on it run as they would with a device: devices, contexts
// of threads, streams that run as late as they may, events, memory that is full,
// and the faults that [Config] asks for.
package emulator
