package kernel

import (
	"errors"
	"fmt"
)

// The functions of this file work on every device. On the processor most of them do
// nothing, since its memory is the host's.

// Alloc returns a vector of n zeros in the memory that dev computes in fastest.
func Alloc(dev Device, t DType, n int) Tensor {
	if m, ok := dev.(Accelerator); ok && n > 0 {
		if x, ok := m.Alloc(t, n); ok {
			return x
		}
	}
	return New(t, n)
}

// Near returns a vector of n zeros in the memory that holds t.
func (t *Tensor) Near(n int) Tensor {
	if t.Home != nil && n > 0 {
		if x, ok := t.Home.Alloc(t.Type, n); ok {
			return x
		}
	}
	return New(t.Type, n)
}

// Copy copies the elements of from to to, whichever memories hold them, after all
// calls given before are done. Both tensors have the same type and length.
func Copy(to, from Tensor) {
	switch {
	case to.Home != nil:
		if _, ok := to.Home.(panels); !ok {
			from = Rows(from) // an accelerator knows no panels
		}
		to.Home.Copy(to, from)
	case from.Home != nil:
		from.Home.Copy(to, from)
	default:
		copy(to.F, from.F)
		copy(to.I, from.I)
		copy(to.B, from.B)
	}
}

// Local returns t in the host's memory: t itself if it lies there, or else a copy
// made after all calls given before are done.
func Local(t Tensor) Tensor {
	if t.Home == nil {
		return t
	}
	return Fetch(new(Staging), t)
}

// Staging is storage in the host's memory that [Fetch] copies to, one buffer for each
// element type. Each buffer grows to the longest tensor fetched. The zero Staging is
// ready for use.
type Staging [numTypes]Tensor

// Fetch is [Local] with a reusable buffer for the copy. The copy is valid until the
// next Fetch of the same element type.
func Fetch(buf *Staging, t Tensor) Tensor {
	if t.Home == nil {
		return t
	}
	n, r := t.Len(), &buf[t.Type]
	if r.stored() < n {
		*r = New(t.Type, n)
	}
	x := r.Part(0, n, t.Shape...)
	Copy(x, t)
	return x
}

// On returns t in the memory that dev computes in fastest: t itself if it lies there
// or if that memory is full, or else a copy.
func On(dev Device, t Tensor) Tensor {
	if m, ok := dev.(Accelerator); ok && t.Home == nil && t.stored() > 0 {
		if x, ok := m.Alloc(t.Type, t.stored()); ok {
			x.Shape = t.Shape
			m.Copy(x, t)
			return x
		}
	}
	return t
}

// BeginAsync begins an asynchronous section, which lasts until the matching
// [EndAsync]. Sections may be nested.
//
// Inside a section the host reads and writes tensors that calls use only by [Copy]
// and [Local], even tensors in its own memory. It also leaves the slices of calls
// given to Group and Stage unchanged. In return a device may postpone calls, and
// need not copy their results back after each one.
func BeginAsync(dev Device) {
	if a, ok := dev.(Accelerator); ok {
		a.BeginAsync()
	}
}

// EndAsync ends the section that the last [BeginAsync] began.
func EndAsync(dev Device) {
	if a, ok := dev.(Accelerator); ok {
		a.EndAsync()
	}
}

// Wait returns when all calls given before it are done. Only measurements need it.
func Wait(dev Device) {
	if a, ok := dev.(Accelerator); ok {
		a.Wait()
	}
}

// Watch is called before and after a thread computes a share of a call; the share is
// above 0 and at most 1. Several threads call it at the same time.
type Watch func(thread int, c *Call, share float64, before bool)

// Watched returns a device like dev that tells w what it computes. A profile gives a
// Watch that reads the clock, which the numeric packages may not do themselves. On an
// accelerator it changes dev itself, and a nil w ends the watching.
func Watched(dev Device, w Watch) Device {
	if a, ok := dev.(Accelerator); ok {
		return a.Watched(w)
	}
	d := dev.(*device)
	n := newDevice(d.name, len(d.threads), d.cells)
	n.splitCost, n.native, n.watch = d.splitCost, d.native, w
	return n
}

// Close releases an accelerator. It does nothing for the processor.
func Close(dev Device) error {
	if a, ok := dev.(Accelerator); ok {
		return a.Close()
	}
	return nil
}

// Part returns elements from to until-1 of x as a tensor of the given shape, which
// must hold as many elements. It shares x's storage.
func (t *Tensor) Part(from, until int, shape ...int) Tensor {
	x := Tensor{Type: t.Type, Shape: shape, Home: t.Home}
	switch t.Type {
	case F32:
		x.F = t.F[from:until:until]
	case I32:
		x.I = t.I[from:until:until]
	case I8:
		x.B = t.B[from:until:until]
	}
	return x
}

// ErrDevice is in the chain of an error that a broken device caused. Another device
// can do the same work.
var ErrDevice = errors.New("device out of service")

// DeviceError is the value that a broken device panics with: the driver lost it, or
// its memory is full. Calls return no errors, because no input makes a sound device
// fail. A caller that can go on without the device defers [Recover].
type DeviceError struct {
	Device string // its name, such as cuda:0
	Err    error
}

func (e *DeviceError) Error() string { return fmt.Sprintf("%v: %s: %v", ErrDevice, e.Device, e.Err) }

func (e *DeviceError) Unwrap() []error { return []error{ErrDevice, e.Err} }

// Recover sets err to the [DeviceError] that a device panicked with. It must be
// deferred. Other panics go on.
func Recover(err *error) {
	switch r := recover().(type) {
	case nil:
	case *DeviceError:
		*err = r
	default:
		panic(r)
	}
}
