//go:build cuda && cudaemu

package emulator

// #include "emulator.h"
import "C"

import (
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/alia-network/alia/cuda/ptx"
)

// Finder returns the C function that the shim uses to look up the driver's functions.
func Finder() unsafe.Pointer { return C.alia_emulator_finder() }

// inContext runs f if the calling thread has a context, which most functions of the driver require, and
// if the device has no sticky error.
func inContext(f func(m *machine) int) C.CUresult {
	mu.Lock()
	defer mu.Unlock()
	switch {
	case !now.threads[unix.Gettid()]:
		return invalidContext
	case now.sticky != success:
		return C.CUresult(now.sticky)
	}
	return C.CUresult(f(now))
}

//export emu_missing
func emu_missing(name *C.char) C.int {
	mu.Lock()
	defer mu.Unlock()
	if now.Missing != "" && C.GoString(name) == now.Missing {
		return 1
	}
	return 0
}

//export emu_cuInit
func emu_cuInit(C.uint) C.CUresult {
	mu.Lock()
	defer mu.Unlock()
	return C.CUresult(now.Init)
}

//export emu_cuDriverGetVersion
func emu_cuDriverGetVersion(v *C.int) C.CUresult {
	mu.Lock()
	defer mu.Unlock()
	*v = C.int(now.Driver)
	return success
}

//export emu_cuDeviceGetCount
func emu_cuDeviceGetCount(n *C.int) C.CUresult {
	mu.Lock()
	defer mu.Unlock()
	*n = C.int(now.Devices)
	return success
}

//export emu_cuDeviceGet
func emu_cuDeviceGet(d *C.CUdevice, i C.int) C.CUresult {
	mu.Lock()
	defer mu.Unlock()
	if int(i) >= now.Devices {
		return invalidDevice
	}
	*d = C.CUdevice(i)
	return success
}

//export emu_cuDeviceGetName
func emu_cuDeviceGetName(name *C.char, n C.int, _ C.CUdevice) C.CUresult {
	to := unsafe.Slice((*byte)(unsafe.Pointer(name)), n)
	to[copy(to[:n-1], "emulated device")] = 0
	return success
}

//export emu_cuDeviceTotalMem
func emu_cuDeviceTotalMem(n *C.size_t, _ C.CUdevice) C.CUresult {
	mu.Lock()
	defer mu.Unlock()
	*n = C.size_t(now.Memory)
	return success
}

//export emu_cuDeviceGetAttribute
func emu_cuDeviceGetAttribute(v *C.int, a C.CUdevice_attribute, _ C.CUdevice) C.CUresult {
	mu.Lock()
	defer mu.Unlock()
	*v = 0
	switch a {
	case C.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
		*v = C.int(now.Capability / 10)
	case C.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
		*v = C.int(now.Capability % 10)
	}
	return success
}

//export emu_cuDevicePrimaryCtxSetFlags
func emu_cuDevicePrimaryCtxSetFlags(C.CUdevice, C.uint) C.CUresult { return success }

//export emu_cuDevicePrimaryCtxRetain
func emu_cuDevicePrimaryCtxRetain(ctx *C.CUcontext, _ C.CUdevice) C.CUresult {
	mu.Lock()
	defer mu.Unlock()
	*(*uintptr)(unsafe.Pointer(ctx)) = now.handle()
	return C.CUresult(now.sticky)
}

//export emu_cuDevicePrimaryCtxRelease
func emu_cuDevicePrimaryCtxRelease(C.CUdevice) C.CUresult {
	mu.Lock()
	defer mu.Unlock()
	return C.CUresult(now.sticky)
}

//export emu_cuCtxSetCurrent
func emu_cuCtxSetCurrent(ctx C.CUcontext) C.CUresult {
	mu.Lock()
	defer mu.Unlock()
	now.threads[unix.Gettid()] = ctx != nil
	return success
}

//export emu_cuCtxSynchronize
func emu_cuCtxSynchronize() C.CUresult {
	return inContext(func(m *machine) int {
		for _, s := range m.streams {
			m.until(s, s.end())
		}
		return m.sticky
	})
}

//export emu_cuModuleLoadData
func emu_cuModuleLoadData(module *C.CUmodule, image unsafe.Pointer) C.CUresult {
	text := C.GoString((*C.char)(image))
	return inContext(func(m *machine) int {
		// A module that the driver's compiler does not accept.
		if m.Refused != "" && strings.Contains(text, ".entry "+m.Refused+"(") {
			return invalidPTX
		}
		mod, err := ptx.Parse(text) // our own list of instructions is stricter than the driver's
		if err != nil {
			return m.complain(invalidPTX, err)
		}
		h := m.handle()
		m.modules[h] = mod
		*(*uintptr)(unsafe.Pointer(module)) = h
		return success
	})
}

//export emu_cuModuleUnload
func emu_cuModuleUnload(module C.CUmodule) C.CUresult {
	return inContext(func(m *machine) int {
		delete(m.modules, uintptr(unsafe.Pointer(module)))
		return success
	})
}

//export emu_cuModuleGetFunction
func emu_cuModuleGetFunction(f *C.CUfunction, module C.CUmodule, name *C.char) C.CUresult {
	want := C.GoString(name)
	return inContext(func(m *machine) int {
		mod := m.modules[uintptr(unsafe.Pointer(module))]
		if mod == nil {
			return invalidHandle
		}
		k := mod.Kernel(want)
		if k == nil {
			return notFound
		}
		h := m.handle()
		m.kernels[h] = k
		*(*uintptr)(unsafe.Pointer(f)) = h
		return success
	})
}

//export emu_cuLaunchKernel
func emu_cuLaunchKernel(
	f C.CUfunction, gx, gy, gz, bx, by, bz, shared C.uint, s C.CUstream, params, extra *unsafe.Pointer,
) C.CUresult {
	return inContext(func(m *machine) int {
		k := m.kernels[uintptr(unsafe.Pointer(f))]
		if k == nil {
			return invalidHandle
		}
		// The parameters are copied now: the caller may change them after the call.
		sizes := k.ParamSizes()
		var b []byte
		for i, p := range unsafe.Slice(params, len(sizes)) {
			for len(b)%sizes[i] != 0 { // alignment
				b = append(b, 0)
			}
			b = append(b, unsafe.Slice((*byte)(p), sizes[i])...)
		}
		grid := [3]uint32{uint32(gx), uint32(gy), uint32(gz)}
		block := [3]uint32{uint32(bx), uint32(by), uint32(bz)}
		return m.later(s, func() int { return m.launch(k, grid, block, b) })
	})
}

// later adds work to a stream, and runs it at once if the stream is early.
func (m *machine) later(s C.CUstream, f func() int) int {
	to := m.streams[uintptr(unsafe.Pointer(s))]
	if to == nil {
		return invalidHandle
	}
	to.work = append(to.work[to.done-to.base:], f) // without the work that is done
	to.base = to.done
	if to.early {
		return m.until(to, to.end())
	}
	return success
}

//export emu_cuMemGetInfo
func emu_cuMemGetInfo(free, total *C.size_t) C.CUresult {
	return inContext(func(m *machine) int {
		*free, *total = C.size_t(max(m.Memory-m.used, 0)), C.size_t(m.Memory)
		return success
	})
}

//export emu_cuMemAlloc
func emu_cuMemAlloc(p *C.CUdeviceptr, n C.size_t) C.CUresult {
	return inContext(func(m *machine) int {
		if n == 0 {
			return invalidValue
		}
		if m.used+int64(n) > m.Memory { // without fragmentation: memory is full to the byte
			return outOfMemory
		}
		addr := m.memory.Alloc(int(n))
		m.used, m.sizes[addr] = m.used+int64(n), int64(n)
		*p = C.CUdeviceptr(addr)
		return success
	})
}

//export emu_cuMemFree
func emu_cuMemFree(p C.CUdeviceptr) C.CUresult {
	return inContext(func(m *machine) int {
		addr := uint64(p)
		if err := m.memory.Free(addr); err != nil {
			return m.complain(invalidValue, err)
		}
		m.used -= m.sizes[addr]
		delete(m.sizes, addr)
		return success
	})
}

//export emu_cuMemsetD8Async
func emu_cuMemsetD8Async(p C.CUdeviceptr, v C.uchar, n C.size_t, s C.CUstream) C.CUresult {
	return inContext(func(m *machine) int {
		return m.later(s, func() int {
			if err := m.memory.Write(uint64(p), slices.Repeat([]byte{byte(v)}, int(n))); err != nil {
				return m.complain(invalidValue, err)
			}
			return success
		})
	})
}

//export emu_cuMemcpyDtoDAsync
func emu_cuMemcpyDtoDAsync(dst, src C.CUdeviceptr, n C.size_t, s C.CUstream) C.CUresult {
	return inContext(func(m *machine) int {
		return m.later(s, func() int {
			b, err := m.memory.Read(uint64(src), int(n))
			if err == nil {
				err = m.memory.Write(uint64(dst), b)
			}
			if err != nil {
				return m.complain(invalidValue, err)
			}
			return success
		})
	})
}

//export emu_cuMemcpyHtoDAsync
func emu_cuMemcpyHtoDAsync(dst C.CUdeviceptr, src unsafe.Pointer, n C.size_t, s C.CUstream) C.CUresult {
	return inContext(func(m *machine) int {
		return m.later(s, func() int {
			if err := m.memory.Write(uint64(dst), unsafe.Slice((*byte)(src), n)); err != nil {
				return m.complain(invalidValue, err)
			}
			return success
		})
	})
}

//export emu_cuMemcpyDtoHAsync
func emu_cuMemcpyDtoHAsync(dst unsafe.Pointer, src C.CUdeviceptr, n C.size_t, s C.CUstream) C.CUresult {
	return inContext(func(m *machine) int {
		return m.later(s, func() int {
			b, err := m.memory.Read(uint64(src), int(n))
			if err != nil {
				return m.complain(invalidValue, err)
			}
			copy(unsafe.Slice((*byte)(dst), n), b)
			return success
		})
	})
}

//export emu_cuStreamCreate
func emu_cuStreamCreate(s *C.CUstream, _ C.uint) C.CUresult {
	return inContext(func(m *machine) int {
		h := m.handle()
		m.streams[h] = &stream{early: m.Early>>len(m.streams)&1 == 1} // by the stream's number
		*(*uintptr)(unsafe.Pointer(s)) = h
		return success
	})
}

//export emu_cuStreamSynchronize
func emu_cuStreamSynchronize(s C.CUstream) C.CUresult {
	return inContext(func(m *machine) int {
		of := m.streams[uintptr(unsafe.Pointer(s))]
		if of == nil {
			return invalidHandle
		}
		return m.until(of, of.end())
	})
}

//export emu_cuStreamWaitEvent
func emu_cuStreamWaitEvent(s C.CUstream, e C.CUevent, _ C.uint) C.CUresult {
	return inContext(func(m *machine) int {
		h := uintptr(unsafe.Pointer(e))
		at, known := m.events[h]
		if !known {
			return invalidHandle
		}
		if at.of == nil {
			return success // an event that was never recorded holds up nothing
		}
		return m.later(s, func() int { return m.until(at.of, at.at) })
	})
}

//export emu_cuEventCreate
func emu_cuEventCreate(e *C.CUevent, _ C.uint) C.CUresult {
	return inContext(func(m *machine) int {
		h := m.handle()
		m.events[h] = mark{}
		*(*uintptr)(unsafe.Pointer(e)) = h
		return success
	})
}

//export emu_cuEventRecord
func emu_cuEventRecord(e C.CUevent, s C.CUstream) C.CUresult {
	return inContext(func(m *machine) int {
		of := m.streams[uintptr(unsafe.Pointer(s))]
		if of == nil {
			return invalidHandle
		}
		m.events[uintptr(unsafe.Pointer(e))] = mark{of, of.end()}
		return success
	})
}
