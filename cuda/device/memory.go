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

// home is the [kernel.Memory] of a tensor in a block. The block is freed when no tensor refers to its
// home any more.
type home struct {
	*Device
	block *block
}

// elementBytes is the size of an element in bytes.
func elementBytes(t kernel.DType) int {
	if t == kernel.I8 {
		return 1
	}
	return 4
}

// Alloc returns a vector of n zeros in the device's memory, or false when that is full. The vector's
// slices begin at the device's address. The host has nothing at that address, because CUDA gives every
// allocation addresses that nothing else in the process has (CUDA C++ Programming Guide, "Unified
// Virtual Address Space").
func (d *Device) Alloc(t kernel.DType, n int) (kernel.Tensor, bool) {
	if d.broken != nil || n < 1 {
		return kernel.Tensor{}, false
	}
	b := &block{size: int64(n * elementBytes(t))}
	if d.given += b.size; d.given > min(d.limit/8, 1<<30) {
		d.given = 0
		runtime.GC() // which does not know of this memory, and would collect too seldom
	}
	// A full device may hold tensors that are garbage: collect and try again.
	err := d.on(func() error { return d.allocate(b) })
	for try := 0; try < collections && errors.Is(err, cu.OutOfMemory); try++ {
		runtime.GC()
		time.Sleep(time.Millisecond << try) // cleanups run a little after the collection
		err = d.on(func() error { return d.allocate(b) })
	}
	if err != nil {
		return kernel.Tensor{}, false // the caller uses the host's memory
	}
	return d.tensor(b, t, n), true
}

// collections is the number of garbage collections before the device counts as full.
const collections = 3

// allocate finds memory for b, and fills it with zeros before the calls that follow.
func (d *Device) allocate(b *block) error {
	// Spare memory of other sizes goes back to the driver only when it is needed.
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

// take returns memory that an earlier block of the same size had, or allocates it from the driver.
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

// fits reports whether bytes more are within the limit.
func (d *Device) fits(bytes int64) bool { return d.used+d.spared+d.bound.held+bytes <= d.limit }

// tensor returns a block as a tensor, and arranges that the block is freed when no tensor refers to it.
func (d *Device) tensor(b *block, t kernel.DType, n int) kernel.Tensor {
	// The cleanup runs on another goroutine, so it only notes the block.
	h := &home{d, b}
	runtime.AddCleanup(h, func(b *block) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.loose = append(d.loose, b)
	}, b)
	x := kernel.Tensor{Type: t, Shape: []int{n}, Home: h}
	p := *(*unsafe.Pointer)(unsafe.Pointer(&b.at)) // not Go's memory, so the address never changes
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

// sweep keeps the memory of blocks that no tensor refers to any more, for blocks of the same size: each
// training step allocates the same sizes as the step before. Calls on that memory that have not run yet
// come before the calls that will use it next.
func (d *Device) sweep() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.loose {
		d.release(b)
	}
	d.loose = nil
}

// release makes the memory of a block spare.
func (d *Device) release(b *block) {
	if !d.blocks[b] {
		return // the device was closed
	}
	delete(d.blocks, b)
	d.used, d.spared = d.used-b.size, d.spared+b.size
	d.spare[b.size] = append(d.spare[b.size], b.at)
}

// drain returns spare and idle memory to the driver, after all calls are done.
func (d *Device) drain() error {
	err := d.synchronize()
	for size, spare := range d.spare {
		for _, at := range spare {
			cu.MemFree(at) // fails on a lost device, which has freed it
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

// Copy copies the elements of from to to, after all calls given before. At least one of them lies in the
// device's memory.
func (d *Device) Copy(to, from kernel.Tensor) {
	if from.Home != nil && !d.mine(&from) { // in another device: by way of the host
		from = kernel.Local(from)
	}
	_, room := span(&to)
	if _, n := span(&from); to.Type != from.Type || room != n {
		panic(fmt.Sprintf("cuda: a copy of %d bytes to %d", n, room))
	}
	d.flush(func() error { return d.move(&to, &from) })
}

// move copies on the device's thread. It waits when one of the tensors is the host's.
func (d *Device) move(to, from *kernel.Tensor) error {
	dst, n := span(to)
	src, _ := span(from)
	at, stream := func(p unsafe.Pointer) cu.DevicePtr { return cu.DevicePtr(uintptr(p)) }, d.main.Stream
	// Within the device a copy is one more piece of work on the main stream.
	if d.mine(to) && d.mine(from) {
		return cu.MemcpyDtoDAsync(at(dst), at(src), int64(n), stream)
	}
	if err := d.finish(); err != nil { // the host's tensor may have a copy on the device
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
