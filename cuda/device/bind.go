//go:build cuda && linux && (amd64 || arm64)

package device

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"unsafe"

	"gorgonia.org/cu"

	"github.com/alia-network/alia/work/kernel"
)

// bindings is the copies of the host's tensors on the device, which last from a tensor's first call
// until the host reads it, and the addresses for the last call.
type bindings struct {
	in, out []cu.DevicePtr
	written []*mirror              // by output: its copy, nil for a tensor in the device's memory
	copies  []*mirror              // ascending by the host's addresses
	idle    map[int][]cu.DevicePtr // free memory for copies, by class
	held    int64                  // bytes of copies and of idle memory
	last    bool                   // memory may be allocated beyond the limit
}

// mirror is the device's copy of a span of the host's memory.
type mirror struct {
	host   unsafe.Pointer // kept alive by the calls
	bytes  int
	class  int // its memory has 1<<class bytes
	at     cu.DevicePtr
	loaded bool // the host's bytes are there, or a copy of them is under way
	dirty  bool // the device has written it
}

func (m *mirror) start() uintptr { return uintptr(m.host) }
func (m *mirror) end() uintptr   { return m.start() + uintptr(m.bytes) }

// span returns the address and the bytes of a tensor's storage.
func span(t *kernel.Tensor) (p unsafe.Pointer, bytes int) {
	switch t.Type {
	case kernel.F32:
		return unsafe.Pointer(unsafe.SliceData(t.F)), 4 * len(t.F)
	case kernel.I32:
		return unsafe.Pointer(unsafe.SliceData(t.I)), 4 * len(t.I)
	default:
		return unsafe.Pointer(unsafe.SliceData(t.B)), len(t.B)
	}
}

// errAcross is the error of a tensor that overlaps a copy only partly, or lies in another device.
var errAcross = errors.New("tensors overlap partly")

// bind finds the addresses of c's tensors on the device, for a kernel on the stream s. If earlier copies
// are too many, or overlap c's tensors partly, they are written back first. It returns errAcross when
// c's own tensors overlap partly, and OutOfMemory when they are larger than the device's memory.
func (d *Device) bind(c *kernel.Call, s *stream) (err error) {
	d.bound.last = false
	if err = d.bindAll(c); errors.Is(err, errAcross) || errors.Is(err, cu.OutOfMemory) {
		if err := d.finish(); err != nil {
			return err
		}
		if err := d.drain(); err != nil {
			return err
		}
		d.bound.last = true
		err = d.bindAll(c)
	}
	if err == nil && s.seen < d.loads { // there are copies that the stream does not wait for yet
		s.seen = d.loads
		err = s.Wait(d.loaded, 0)
	}
	return err
}

// bindAll finds the addresses of c's tensors once, and copies its inputs to the device.
func (d *Device) bindAll(c *kernel.Call) error {
	b := &d.bound
	b.in, b.out, b.written = b.in[:0], b.out[:0], b.written[:0]
	// Inputs. The copies run on a stream of their own, beside the calls before.
	moved := false
	for i := range c.In {
		at, m, err := d.locate(&c.In[i])
		if err != nil {
			return err
		}
		if m != nil && !m.loaded && !m.dirty {
			if err := cu.MemcpyHtoDAsync(m.at, m.host, int64(m.bytes), d.copies.Stream); err != nil {
				return fmt.Errorf("copy to the device: %w", err)
			}
			m.loaded, moved = true, true
		}
		b.in = append(b.in, at)
	}
	if moved {
		d.loads++
		if err := d.loaded.Record(d.copies.Stream); err != nil {
			return err
		}
	}
	// Outputs need memory but no copy.
	for i := range c.Out {
		at, m, err := d.locate(&c.Out[i])
		if err != nil {
			return err
		}
		b.out, b.written = append(b.out, at), append(b.written, m)
	}
	for _, m := range b.written { // only now is it certain that the call will run
		if m != nil {
			m.dirty = true
		}
	}
	return nil
}

// locate returns the address of a tensor on the device, and for a tensor of the host also the copy that
// contains it, which locate makes if there is none.
func (d *Device) locate(t *kernel.Tensor) (at cu.DevicePtr, m *mirror, err error) {
	p, n := span(t)
	host := uintptr(p)
	if t.Home != nil {
		if !d.mine(t) {
			return 0, nil, errAcross
		}
		return cu.DevicePtr(host), nil, nil
	}
	b := &d.bound
	// A copy that begins at or before the tensor must contain all of it, and no copy may begin
	// inside.
	i, found := slices.BinarySearchFunc(b.copies, host, func(m *mirror, host uintptr) int {
		return cmp.Compare(m.start(), host)
	})
	if found {
		i++
	}
	if i > 0 && host < b.copies[i-1].end() {
		m := b.copies[i-1]
		if host+uintptr(n) > m.end() {
			return 0, nil, errAcross
		}
		return m.at + cu.DevicePtr(host-m.start()), m, nil
	}
	if i < len(b.copies) && b.copies[i].start() < host+uintptr(n) {
		return 0, nil, errAcross
	}
	// A new copy, in memory of a power of two, so that another copy can use it later.
	class := max(bits.Len(uint(n-1)), leastClass)
	m = &mirror{host: p, bytes: n, class: class}
	if m.at, err = d.room(class); err != nil {
		return 0, nil, fmt.Errorf("allocate %d bytes: %w", n, err)
	}
	b.copies = slices.Insert(b.copies, i, m)
	return m.at, m, nil
}

// leastClass is the class of the smallest memory: the driver aligns allocations to 256 bytes.
const leastClass = 8

// room returns idle memory of a class, or allocates it.
func (d *Device) room(class int) (cu.DevicePtr, error) {
	b := &d.bound
	if idle := b.idle[class]; len(idle) > 0 {
		b.idle[class] = idle[:len(idle)-1]
		return idle[len(idle)-1], nil
	}
	if !b.last && !d.fits(1<<class) {
		return 0, cu.OutOfMemory
	}
	p, err := cu.MemAlloc(1 << class)
	if err == nil {
		b.held += 1 << class
	}
	return p, err
}

// finish copies written copies back to the host's tensors, and frees all copies. It waits for the calls
// that use them. Without copies it does nothing.
func (d *Device) finish() error {
	b := &d.bound
	if len(b.copies) == 0 {
		return nil
	}
	if err := d.join(); err != nil {
		return err
	}
	for _, m := range b.copies {
		if !m.dirty {
			continue
		}
		if err := cu.MemcpyDtoHAsync(m.host, m.at, int64(m.bytes), d.main.Stream); err != nil {
			return fmt.Errorf("copy from the device: %w", err)
		}
	}
	if err := d.synchronize(); err != nil {
		return err
	}
	// Keep the memory for other copies.
	for _, m := range b.copies {
		if b.idle == nil {
			b.idle = map[int][]cu.DevicePtr{}
		}
		b.idle[m.class] = append(b.idle[m.class], m.at)
	}
	clear(b.copies) // otherwise they would keep the host's memory from being collected
	b.copies = b.copies[:0]
	return nil
}

// drop frees the idle memory.
func (b *bindings) drop() {
	for class, idle := range b.idle {
		for _, p := range idle {
			cu.MemFree(p) // fails on a lost device, which has freed it
			b.held -= 1 << class
		}
	}
	clear(b.idle)
}
