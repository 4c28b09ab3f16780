//go:build cuda && linux && (amd64 || arm64)

package device

import (
	"cmp"
	"runtime"
	"slices"
	"unsafe"

	"gorgonia.org/cu"

	"github.com/alia-network/alia/work/kernel"
)

// block is a piece of unified memory.
type block struct {
	at   uintptr
	size int
}

func (b *block) free() { cu.MemFree(cu.DevicePtr(b.at)) } // a lost device has freed it

// home keeps a block while tensors refer to it.
type home struct {
	*Device
	*block
}

// leastBlock is the bytes that a block has at least: smaller tensors are copied
// sooner than the driver makes room.
const leastBlock = 16 << 10

// elementBytes is the size of an element of a type.
func elementBytes(t kernel.Type) int {
	if t == kernel.I8 {
		return 1
	}
	return 4
}

// Alloc returns a vector of n zeros in unified memory. It lives on the device
// until the host looks at it.
func (d *Device) Alloc(t kernel.Type, n int) (kernel.Tensor, bool) {
	if !d.unified || d.fault != nil || n*elementBytes(t) < leastBlock {
		return kernel.Tensor{}, false
	}
	b := &block{size: n * elementBytes(t)}
	if d.given += int64(b.size); d.given > d.limit {
		d.given = 0
		runtime.GC() // which does not see this memory, and would let garbage lie
	}
	err := d.on(func() error {
		d.sweep()
		p, err := cu.MemAllocManaged(int64(b.size), cu.AttachGlobal)
		if err != nil {
			return err
		}
		b.at = uintptr(p)
		p.MemAdvise(int64(b.size), cu.SetPreferredLocation, d.ordinal) // a driver that does not take it moves more
		if err := cu.MemsetD8(p, 0, int64(b.size)); err != nil {
			b.free()
			return err
		}
		return cu.Synchronize()
	})
	if err != nil {
		return kernel.Tensor{}, false // the host's memory serves as well
	}
	d.mu.Lock()
	i, _ := d.find(b.at)
	d.blocks = slices.Insert(d.blocks, i, b)
	d.mu.Unlock()
	return d.tensor(b, t, n), true
}

// tensor is a block as a tensor, and has it freed when nothing refers to it.
func (d *Device) tensor(b *block, t kernel.Type, n int) kernel.Tensor {
	h := &home{d, b}
	runtime.AddCleanup(h, func(b *block) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.loose = append(d.loose, b)
	}, b)
	x := kernel.Tensor{Type: t, Shape: []int{n}, Home: h}
	p := *(*unsafe.Pointer)(unsafe.Pointer(&b.at)) // not Go's memory: it stays where it is
	switch t {
	case kernel.F32:
		x.F = unsafe.Slice((*float32)(p), n)
	case kernel.I32:
		x.I = unsafe.Slice((*int32)(p), n)
	case kernel.I8:
		x.B = unsafe.Slice((*int8)(p), n)
	}
	return x
}

// sweep frees what nothing refers to any more. The device's thread alone calls
// it, since freeing needs its context.
func (d *Device) sweep() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.loose {
		if i, ok := d.find(b.at); ok {
			d.blocks = slices.Delete(d.blocks, i, i+1)
			b.free()
		}
	}
	d.loose = d.loose[:0]
}

// find returns where among the blocks one of that address is or belongs.
func (d *Device) find(at uintptr) (int, bool) {
	return slices.BinarySearchFunc(d.blocks, at, func(b *block, at uintptr) int { return cmp.Compare(b.at, at) })
}

// shared reports whether all n bytes from at are unified memory.
func (d *Device) shared(at uintptr, n int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, found := d.find(at)
	if !found {
		i--
	}
	return i >= 0 && at+uintptr(n) <= d.blocks[i].at+uintptr(d.blocks[i].size)
}
