//go:build cuda && linux && (amd64 || arm64)

package device

import (
	"errors"
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"gorgonia.org/cu"

	"github.com/alia-network/alia/work/kernel"
)

// block is a piece of the device's memory.
type block struct {
	at   cu.DevicePtr
	size int64
}

// home is where a tensor lies. Its block is freed when nothing refers to it.
type home struct {
	*Device
	block *block
}

// elementBytes is the size of an element of a type.
func elementBytes(t kernel.DType) int {
	if t == kernel.I8 {
		return 1
	}
	return 4
}

// Alloc returns a vector of n zeros in the device's memory. Its slices begin at
// the device's address, which is no address of the host's: CUDA gives every
// allocation addresses that nothing else of the process has (CUDA C++
// Programming Guide, "Unified Virtual Address Space").
func (d *Device) Alloc(t kernel.DType, n int) (kernel.Tensor, bool) {
	if d.broken != nil || n < 1 {
		return kernel.Tensor{}, false
	}
	b := &block{size: int64(n * elementBytes(t))}
	if d.given += b.size; d.given > min(d.limit/8, 1<<30) {
		d.given = 0
		runtime.GC() // which does not see this memory, and would let garbage lie
	}
	err := d.on(func() error { return d.allocate(b) })
	for try := 0; try < collections && errors.Is(err, cu.OutOfMemory); try++ {
		runtime.GC()
		time.Sleep(time.Millisecond << try) // what the collection found is told a little later
		err = d.on(func() error { return d.allocate(b) })
	}
	if err != nil {
		return kernel.Tensor{}, false // the host's memory serves as well
	}
	return d.tensor(b, t, n), true
}

// collections are tried before the device counts as full.
const collections = 3

// allocate makes room for b, and fills it with zeros ahead of the calls that
// follow.
func (d *Device) allocate(b *block) error {
	d.sweep()
	var err error
	if b.at, err = d.take(b.size); errors.Is(err, cu.OutOfMemory) {
		if err = d.drain(); err == nil {
			b.at, err = d.take(b.size)
		}
	}
	if err != nil {
		return err
	}
	d.used += b.size
	d.blocks[b] = true
	return cu.MemsetD8Async(b.at, 0, b.size, d.main.Stream)
}

// take gives memory that a block as large had before, or the driver's.
func (d *Device) take(size int64) (cu.DevicePtr, error) {
	if spare := d.spare[size]; len(spare) > 0 {
		d.spare[size] = spare[:len(spare)-1]
		d.spared -= size
		return spare[len(spare)-1], nil
	}
	if !d.fits(size) {
		return 0, cu.OutOfMemory
	}
	return cu.MemAlloc(size)
}

// fits reports whether the device may take so many bytes more.
func (d *Device) fits(bytes int64) bool { return d.used+d.spared+d.bound.held+bytes <= d.limit }

// tensor is a block as a tensor, and has it freed when nothing refers to it.
func (d *Device) tensor(b *block, t kernel.DType, n int) kernel.Tensor {
	h := &home{d, b}
	runtime.AddCleanup(h, func(b *block) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.loose = append(d.loose, b)
	}, b)
	x := kernel.Tensor{Type: t, Shape: []int{n}, Home: h}
	p := *(*unsafe.Pointer)(unsafe.Pointer(&b.at)) // no memory of Go's: it stays where it is
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

// sweep keeps the memory of what nothing refers to any more for blocks as large:
// a training step allocates what the one before did. Calls on it that the device
// has not come to yet are ahead of what is done with it next.
func (d *Device) sweep() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.loose {
		d.release(b)
	}
	d.loose = nil
}

func (d *Device) release(b *block) {
	if !d.blocks[b] {
		return // the device was closed
	}
	delete(d.blocks, b)
	d.used, d.spared = d.used-b.size, d.spared+b.size
	d.spare[b.size] = append(d.spare[b.size], b.at)
}

// drain gives the driver back what is spare and idle, when nothing computes on
// it.
func (d *Device) drain() error {
	err := d.synchronize()
	for size, spare := range d.spare {
		for _, at := range spare {
			cu.MemFree(at) // a lost device has freed it
			d.spared -= size
		}
	}
	clear(d.spare)
	d.bound.drop()
	return err
}

// mine reports whether t lies in this device's memory.
func (d *Device) mine(t *kernel.Tensor) bool {
	h, ok := t.Home.(*home)
	return ok && h.Device == d
}

// Copy copies from to to, one of which at least lies in the device's memory,
// when all calls before are done.
func (d *Device) Copy(to, from kernel.Tensor) {
	if from.Home != nil && !d.mine(&from) { // another device's
		from = kernel.Local(from)
	}
	_, room := span(&to)
	if _, n := span(&from); to.Type != from.Type || room != n {
		panic(fmt.Sprintf("cuda: copy of %d bytes to %d", n, room))
	}
	d.flush(func() error { return d.move(&to, &from) })
}

// move copies on the device's thread. Where the host is one side it waits.
func (d *Device) move(to, from *kernel.Tensor) error {
	dst, n := span(to)
	src, _ := span(from)
	at, stream := func(p unsafe.Pointer) cu.DevicePtr { return cu.DevicePtr(uintptr(p)) }, d.main.Stream
	if d.mine(to) && d.mine(from) {
		return cu.MemcpyDtoDAsync(at(dst), at(src), int64(n), stream)
	}
	if err := d.finish(); err != nil { // the host's side may be bound
		return err
	}
	copied := cu.MemcpyDtoHAsync
	if d.mine(to) {
		copied = func(_ unsafe.Pointer, _ cu.DevicePtr, n int64, s cu.Stream) error {
			return cu.MemcpyHtoDAsync(at(dst), src, n, s)
		}
	}
	if err := copied(dst, at(src), int64(n), stream); err != nil {
		return fmt.Errorf("copy %d bytes: %w", n, err)
	}
	return stream.Synchronize()
}
