// Package ptx runs PTX without a device: the subset that clang makes of the
// kernels beside it, and nothing else.
//
// [Parse] holds a module against an allow-list: an instruction that is not
// named there, that is approximate, that flushes subnormals, that leaves its
// rounding to the driver or that is atomic, is refused by name.
// [Kernel.Launch] runs a grid as a device may: blocks of warps of 32 threads,
// which diverge and come together again. What no run on a device would show is
// an error that names the kernel, the instruction and the thread: two threads
// that touch the same memory, one of them writing, with no barrier between them
// (or, of two blocks, at all); a barrier that some threads of the block do not
// reach; an exchange among lanes that are not together; an access outside of an
// allocation, or not aligned; a read of memory or of a register that nothing
// has written. Arithmetic is exact: each instruction rounds once, as PTX defines.
//
//	m, err := ptx.Parse(text)
//	mem := ptx.NewMemory()
//	x, y := mem.Alloc(4*n), mem.Alloc(4*n)
//	err = mem.Write(x, values)
//	err = m.Kernel("relu").Launch(mem, grid, block, params, 0)
//	values, err = mem.Read(y, 4*n)
//
// Semantics are of NVIDIA's "Parallel Thread Execution ISA", version 8.5; the
// chapter on the memory consistency model is what the races are judged by, but
// for the fences and atomics, which kernels here do not use.
package ptx
