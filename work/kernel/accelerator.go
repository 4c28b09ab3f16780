package kernel

import (
	"errors"
	"fmt"
)

// What follows is for devices that are not this processor.

// Memory is a device's own, which the host does not reach. The slices of a
// tensor that lies there begin at its address on the device: they can be
// measured and cut, but whoever looks at an element ends the process. [Local]
// and [Copy] are the ways in and out. A device computes on its own tensors
// without moving them; on the host's it computes as well, and slower. The segment
// tables of the attention rows are always the host's, since shapes follow from
// them.
type Memory interface {
	// Alloc returns a vector of n zeros, or false where there is no room.
	Alloc(t DType, n int) (Tensor, bool)
	// Copy is [Copy] where one of the tensors lies in this memory.
	Copy(to, from Tensor)
}

// Alloc returns a vector of n zeros where dev computes on it best.
func Alloc(dev Device, t DType, n int) Tensor {
	if m, ok := dev.(Memory); ok && n > 0 {
		if x, ok := m.Alloc(t, n); ok {
			return x
		}
	}
	return New(t, n)
}

// Near returns a vector of n zeros in the memory that t is in.
func (t *Tensor) Near(n int) Tensor {
	if t.Home != nil && n > 0 {
		if x, ok := t.Home.Alloc(t.Type, n); ok {
			return x
		}
	}
	return New(t.Type, n)
}

// Copy copies from's elements to to, which is of its type and has as many,
// wherever both lie, when all calls before are done.
func Copy(to, from Tensor) {
	switch {
	case to.Home != nil:
		to.Home.Copy(to, from)
	case from.Home != nil:
		from.Home.Copy(to, from)
	default:
		copy(to.F, from.F)
		copy(to.I, from.I)
		copy(to.B, from.B)
	}
}

// Local returns t where the host reads it: t itself, or a copy of what it holds
// when all calls before are done.
func Local(t Tensor) Tensor {
	if t.Home == nil {
		return t
	}
	return Fetch(new(Room), t)
}

// Room is storage for what [Fetch] brings, by type, which grows to the longest.
type Room [numTypes]Tensor

// Fetch is [Local] with storage for the copy, which is good until the next one
// of its type.
func Fetch(room *Room, t Tensor) Tensor {
	if t.Home == nil {
		return t
	}
	n, r := t.Len(), &room[t.Type]
	if r.stored() < n {
		*r = New(t.Type, n)
	}
	x := r.Part(0, n, t.Shape...)
	Copy(x, t)
	return x
}

// On returns t where dev computes on it best: t itself, or a copy.
func On(dev Device, t Tensor) Tensor {
	if m, ok := dev.(Memory); ok && t.Home == nil && t.stored() > 0 {
		if x, ok := m.Alloc(t.Type, t.stored()); ok {
			x.Shape = t.Shape
			m.Copy(x, t)
			return x
		}
	}
	return t
}

// patient is a device that computes later than it is told to.
type patient interface {
	Hold()
	Release()
	Wait()
}

// Hold begins a time, to the [Release] that goes with it, in which the host
// neither changes nor looks at tensors of its own that are given to calls, but
// by [Copy] and [Local]. So a device may put calls off and need not bring back
// between them what they write. Calls given to Group and Stage must stay as they
// are too. Times may lie within one another.
func Hold(dev Device) {
	if p, ok := dev.(patient); ok {
		p.Hold()
	}
}

// Release ends what [Hold] began.
func Release(dev Device) {
	if p, ok := dev.(patient); ok {
		p.Release()
	}
}

// Wait returns when all calls before are done, for those who measure.
func Wait(dev Device) {
	if p, ok := dev.(patient); ok {
		p.Wait()
	}
}

// Part returns elements from to until-1 of x as a tensor of the given shape,
// which has as many.
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

// ErrDevice is in the chain of the error of work that a device broke down at.
// Another device can do the work.
var ErrDevice = errors.New("device out of service")

// DeviceError is what a device panics with that breaks down: it is lost, or has no
// memory. Calls have no errors, since nothing that is given to them can make a
// sound device fail; whoever can go on without the device recovers.
type DeviceError struct {
	Device string
	Err    error
}

func (f *DeviceError) Error() string { return fmt.Sprintf("%v: %s: %v", ErrDevice, f.Device, f.Err) }

func (f *DeviceError) Unwrap() []error { return []error{ErrDevice, f.Err} }

// Recover sets err to the fault that a device panics with, when it is deferred.
func Recover(err *error) {
	switch r := recover().(type) {
	case nil:
	case *DeviceError:
		*err = r
	default:
		panic(r)
	}
}

// Verify returns an error when c breaks its row's shape rule or a tensor's
// storage does not match its shape.
func (c *Call) Verify() error { return c.verify() }
