// Package device is NVIDIA devices as [kernel.Device]s: the launches that
// package cuda plans, through gorgonia.org/cu.
//
// A device has one goroutine, locked to an operating system's thread, that
// alone talks to the driver. Where the machine has unified memory, what
// [Device.Alloc] gives is seen by host and device at one address, so a training
// step runs from tensor to tensor without copies, and a unit of work may be
// larger than the device's memory. Other tensors are copied, while calls before
// them run, and what was written is copied back before the caller goes on. A
// device that breaks down panics with a [kernel.Fault], then and ever after.
//
//	dev, err := device.Open("cuda:0", 1)
//
// Without the build tag cuda there are no devices, and that is the reason.
package device
