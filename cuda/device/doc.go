// Package device is NVIDIA devices as [kernel.Device]s: the launches that
// package cuda plans, through gorgonia.org/cu.
//
// A device has one goroutine, locked to an operating system's thread, that
// alone talks to the driver. What [Device.Alloc] gives lies in the device's
// memory and stays there: a training step, or a step of decoding, runs from
// tensor to tensor without the host, which is given what it asks for by
// [kernel.Copy]. Tensors of the host's are copied, while calls before them run,
// and what was written is copied back before the host looks. Calls of which none
// needs another run beside one another.
//
// A device that is full leaves tensors with the host, copies those of a call at
// a time, takes a call that does not fit in pieces of its rows, and has the host
// compute one that has none: the same bits, later.
// One that breaks down panics with a [kernel.DeviceError], then and ever after.
//
//	dev, err := device.Open("cuda:0", 1)
//
// Without the build tag cuda there are no devices, and that is the reason.
package device
