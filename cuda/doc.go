// Package cuda computes the operations of work/kernel on NVIDIA devices, bit for bit.
//
// Each kernel is a C source in the folder kernels. It is committed with its PTX, the device
// code that `make ptx` makes from it and that the driver compiles for the card. [Launches]
// turns a call of the table of operations into launches of these kernels. It is pure Go, needs
// no device, and reads only shapes and attributes, so it can run before the call's tensors have
// their elements. Package cuda/ptx runs the same PTX without a device: the tests compare every
// kernel with the reference that way. Package cuda/device runs it on a device.
//
//	launches, err := cuda.Launches(&call)
//	if err != nil {
//		return err // no kernel for this operation or shape
//	}
//	for _, l := range launches {
//		text, err := cuda.PTX(l.Module)
//		if err != nil {
//			return err
//		}
//		// load text, find l.Kernel in it, start it on l.Grid and l.Block with l.Args
//	}
//
// The default build has no driver and is pure Go. The CUDA build uses gorgonia.org/cu, whose
// init ends the process where there is no GPU, so the default build must not import it.
package cuda
