// Package device makes NVIDIA devices [kernel.Accelerator]s: it runs the launches of package cuda through
// gorgonia.org/cu.
//
// A device has one goroutine, locked to a thread of the operating system, and only this goroutine calls
// the driver. [Device.Alloc] allocates tensors in the device's memory, where they stay: a training step,
// or a step of decoding, computes from tensor to tensor without the host, which asks for results with
// [kernel.Copy]. Tensors of the host are copied to the device while earlier calls run, and results are
// copied back before the host reads them. Independent calls run at the same time.
//
// When the device's memory is full, new tensors stay in the host's memory, and the tensors of one call
// at a time are copied. A call that still does not fit is computed in pieces of its rows, and one that
// cannot be divided is computed by the processor. All ways give the same bits. A device that breaks
// down panics with a [kernel.DeviceError], then and on every later call.
//
//	dev, err := device.Open("cuda:0", 1)
//	if err != nil {
//		return err // no driver, no such device, or other bits than the published ones
//	}
//	defer kernel.Close(dev)
//
// A build without the tag cuda has no devices: [Built] is false and Open says how to build one that has.
package device
