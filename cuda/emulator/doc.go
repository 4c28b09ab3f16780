// Package emulator is a CUDA driver without a device, for tests. It runs the kernels' PTX in package
// cuda/ptx.
//
// In a build with the tag cudaemu, package cuda/driver uses it as the driver library if the environment
// variable ALIA_CUDA is "emulator". So gorgonia.org/cu and everything above it run as with a device:
// devices, the contexts of threads, events, memory that fills up, and streams whose work runs as late as
// possible. A [Config] describes the machine and what is wrong with it:
//
//	emulator.Set(emulator.Config{Devices: 1, Memory: 1 << 20, Capability: 90, Driver: 12080, Lost: 3})
//	dev, err := device.Open("cuda:0", 1) // an error: the device is lost at its fourth launch
package emulator
