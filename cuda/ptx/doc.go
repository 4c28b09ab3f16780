// Package ptx runs PTX, NVIDIA's device assembly, without a device. It knows the subset that clang
// makes from the kernels of package cuda, and nothing else.
//
// [Parse] checks a module against a list of allowed instructions. It returns an error for an
// instruction that is not on the list: one that is approximate, that flushes subnormal numbers,
// that leaves rounding to the driver, or that is atomic. [Kernel.Launch] runs a grid as a device
// may run it: blocks of warps of 32 threads, which diverge at branches and converge again.
// Arithmetic is exact: each instruction rounds once, as PTX defines.
//
// A launch also finds errors that a device would not report. They are a [Trap], which names the
// kernel, the instruction and the thread:
//
//   - a race: two threads access the same memory, one of them writes, and no barrier is between
//     them (or they are in different blocks);
//   - a barrier that some threads of the block do not reach;
//   - an exchange between lanes of which some do not reach it;
//   - an access outside of an allocation, or not aligned;
//   - a read of memory or of a register that no instruction has written.
//
// An [AddressSpace] is the device's memory:
//
//	m, err := ptx.Parse(text)
//	if err != nil {
//		return err
//	}
//	mem := ptx.NewAddressSpace()
//	x, y := mem.Alloc(4*n), mem.Alloc(4*n)
//	err = mem.Write(x, values)
//	err = m.Kernel("relu").Launch(mem, grid, block, params, 0)
//	values, err = mem.Read(y, 4*n)
//
// The semantics are those of NVIDIA's "Parallel Thread Execution ISA", version 8.5. Races are judged
// by its memory consistency model, without fences and atomics, which the kernels here do not use.
package ptx
