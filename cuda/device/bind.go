//go:build cuda && linux && (amd64 || arm64)

package device

import (
	"errors"
	"fmt"
	"math/bits"
	"unsafe"

	"gorgonia.org/cu"

	"github.com/alia-network/alia/work/kernel"
)

// bindings is where tensors of the host's memory are on the device, from their
// first call of a stage to its end, and the last call's addresses.
type bindings struct {
	in, out []cu.DevicePtr
	copies  map[uintptr]*mirror    // by the host's address
	bytes   int64                  // of all copies
	idle    map[int][]cu.DevicePtr // by class
	last    bool                   // room must be found, at whatever cost
}

// mirror is the device's copy of a span of the host's memory.
type mirror struct {
	host   unsafe.Pointer // held by the stage's calls
	bytes  int
	class  int // its room is 1<<class bytes
	at     cu.DevicePtr
	loaded bool // the host's bytes are, or will be, there
	dirty  bool // the device has written it
}

// span is a tensor's storage.
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

// errAcross says that a tensor lies partly across one that is bound.
var errAcross = errors.New("tensors lie across one another")

// bind finds the addresses of c's tensors on the device. When what is bound is
// in the way, because there is too much of it or it lies across c's tensors, it
// is written back first. It is not ok where c's own tensors are in their way.
func (d *Device) bind(c *kernel.Call) (ok bool, err error) {
	d.bound.last = false
	if err = d.bindAll(c); errors.Is(err, errAcross) || errors.Is(err, cu.OutOfMemory) {
		if err := d.finish(); err != nil {
			return false, err
		}
		d.bound.drop()
		d.bound.last = true
		err = d.bindAll(c)
	}
	if errors.Is(err, errAcross) {
		return false, nil
	}
	return err == nil, err
}

func (d *Device) bindAll(c *kernel.Call) error {
	b := &d.bound
	b.in, b.out = b.in[:0], b.out[:0]
	moved := false
	for i := range c.In {
		at, m, err := d.locate(&c.In[i])
		if err != nil {
			return err
		}
		if m != nil && !m.loaded && !m.dirty {
			if err := cu.MemcpyHtoDAsync(m.at, m.host, int64(m.bytes), d.copies); err != nil {
				return fmt.Errorf("copy to the device: %w", err)
			}
			m.loaded, moved = true, true
		}
		b.in = append(b.in, at)
	}
	if moved {
		if err := d.copied.Record(d.copies); err != nil {
			return err
		}
		if err := d.compute.Wait(d.copied, 0); err != nil {
			return err
		}
	}
	for i := range c.Out {
		at, m, err := d.locate(&c.Out[i])
		if err != nil {
			return err
		}
		if m != nil {
			m.dirty = true
		}
		b.out = append(b.out, at)
	}
	return nil
}

// locate finds a tensor on the device, and the copy it is in unless host and
// device share its memory. It makes room for one that is not there.
func (d *Device) locate(t *kernel.Tensor) (at cu.DevicePtr, m *mirror, err error) {
	p, n := span(t)
	host := uintptr(p)
	if d.shared(host, n) {
		return cu.DevicePtr(host), nil, nil
	}
	b := &d.bound
	if m := b.around(host); m != nil && host+uintptr(n) <= uintptr(m.host)+uintptr(m.bytes) {
		return m.at + cu.DevicePtr(host-uintptr(m.host)), m, nil
	}
	for _, m := range b.copies {
		if start := uintptr(m.host); host < start+uintptr(m.bytes) && start < host+uintptr(n) {
			return 0, nil, errAcross
		}
	}
	class := max(bits.Len(uint(n-1)), leastClass)
	if !b.last && b.bytes+1<<class > d.limit {
		return 0, nil, cu.OutOfMemory
	}
	m = &mirror{host: p, bytes: n, class: class}
	if m.at, err = b.room(class); err != nil {
		return 0, nil, fmt.Errorf("room for %d bytes: %w", n, err)
	}
	if b.copies == nil {
		b.copies = map[uintptr]*mirror{}
	}
	b.copies[host] = m
	b.bytes += 1 << class
	return m.at, m, nil
}

// leastClass is of the smallest room: what the driver gives is aligned to 256
// bytes.
const leastClass = 8

// around returns the copy that the host's address lies in.
func (b *bindings) around(host uintptr) *mirror {
	if m := b.copies[host]; m != nil {
		return m
	}
	for _, m := range b.copies {
		if start := uintptr(m.host); start <= host && host < start+uintptr(m.bytes) {
			return m
		}
	}
	return nil
}

// room takes idle memory, or allocates it. Where the device is full, unified
// memory, of which a part may lie with the host, is slow but enough.
func (b *bindings) room(class int) (cu.DevicePtr, error) {
	if idle := b.idle[class]; len(idle) > 0 {
		b.idle[class] = idle[:len(idle)-1]
		return idle[len(idle)-1], nil
	}
	p, err := cu.MemAlloc(1 << class)
	if errors.Is(err, cu.OutOfMemory) && b.last {
		p, err = cu.MemAllocManaged(1<<class, cu.AttachGlobal)
	}
	return p, err
}

// finish waits for what was started, and copies back what was written. Nothing
// is bound then.
func (d *Device) finish() error {
	b := &d.bound
	for _, m := range b.copies {
		if !m.dirty {
			continue
		}
		if err := cu.MemcpyDtoHAsync(m.host, m.at, int64(m.bytes), d.compute); err != nil {
			return fmt.Errorf("copy from the device: %w", err)
		}
	}
	if err := d.copies.Synchronize(); err != nil {
		return err
	}
	if err := d.compute.Synchronize(); err != nil {
		return err
	}
	for _, m := range b.copies {
		if b.idle == nil {
			b.idle = map[int][]cu.DevicePtr{}
		}
		b.idle[m.class] = append(b.idle[m.class], m.at)
	}
	clear(b.copies)
	b.bytes = 0
	return nil
}

// drop frees what is idle.
func (b *bindings) drop() {
	for _, idle := range b.idle {
		for _, p := range idle {
			cu.MemFree(p) // a lost device has freed it
		}
	}
	clear(b.idle)
}
