package kernel

import (
	"errors"
	"fmt"
)

// What follows is for devices that are not this processor.

// Allocator is a device with memory that it and the host reach at the same
// address. It computes on tensors stored there without copying them; on others
// it computes as well, and slower.
type Allocator interface {
	// Alloc returns a vector of n zeros, or false where there is no such memory.
	Alloc(t Type, n int) (Tensor, bool)
}

// Alloc returns a vector of n zeros where dev computes on it best.
func Alloc(dev Device, t Type, n int) Tensor {
	if a, ok := dev.(Allocator); ok && n > 0 {
		if x, ok := a.Alloc(t, n); ok {
			return x
		}
	}
	return New(t, n)
}

// Near returns a vector of n zeros in memory of the kind that x is in.
func (t *Tensor) Near(n int) Tensor {
	if a, ok := t.Home.(Allocator); ok {
		if x, ok := a.Alloc(t.Type, n); ok {
			return x
		}
	}
	return New(t.Type, n)
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

// Fault is what a device panics with that breaks down: it is lost, or has no
// memory. Calls have no errors, since nothing that is given to them can make a
// sound device fail; whoever can go on without the device recovers.
type Fault struct {
	Device string
	Err    error
}

func (f *Fault) Error() string { return fmt.Sprintf("%v: %s: %v", ErrDevice, f.Device, f.Err) }

func (f *Fault) Unwrap() []error { return []error{ErrDevice, f.Err} }

// Recover sets err to the fault that a device panics with, when it is deferred.
func Recover(err *error) {
	switch r := recover().(type) {
	case nil:
	case *Fault:
		*err = r
	default:
		panic(r)
	}
}

// Verify returns an error when c breaks its row's shape rule or a tensor's
// storage does not match its shape.
func (c *Call) Verify() error { return c.verify() }
