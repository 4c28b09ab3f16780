package tensor

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/alia-network/alia/work/kernel"
)

// Zeros returns a tensor of zeros that shares nothing with its caller, the
// shape included.
func Zeros(t kernel.Type, shape ...int) kernel.Tensor {
	return kernel.New(t, slices.Clone(shape)...)
}

// Equal reports whether a and b have the same type, shape and bits. -0 and
// +0 differ, and a NaN equals itself.
func Equal(a, b kernel.Tensor) bool {
	return a.Type == b.Type && slices.Equal(a.Shape, b.Shape) &&
		slices.EqualFunc(a.F, b.F, func(x, y float32) bool {
			return math.Float32bits(x) == math.Float32bits(y)
		}) &&
		slices.Equal(a.I, b.I) && slices.Equal(a.B, b.B)
}

// Finite reports whether t holds neither a NaN nor an infinity.
func Finite(t kernel.Tensor) bool {
	for _, x := range t.F {
		if math.Float32bits(x)&0x7f800000 == 0x7f800000 {
			return false
		}
	}
	return true
}

// Named is a tensor and its name.
type Named struct {
	Name string
	kernel.Tensor
}

// Set is a list of named tensors in ascending order of their names:
// parameters, gradients, moments.
type Set struct {
	items []Named
}

// NewSet returns the set of items, which it sorts in place. Two items of one
// name are an error.
func NewSet(items []Named) (*Set, error) {
	slices.SortFunc(items, func(a, b Named) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(items); i++ {
		if items[i].Name == items[i-1].Name {
			return nil, fmt.Errorf("tensor: two tensors are named %q", items[i].Name)
		}
	}
	return &Set{items: items}, nil
}

// Len is the number of tensors.
func (s *Set) Len() int { return len(s.items) }

// At returns the i-th tensor in the order of names.
func (s *Set) At(i int) Named { return s.items[i] }

// Put gives the i-th name the storage and shape of t.
func (s *Set) Put(i int, t kernel.Tensor) { s.items[i].Tensor = t }

// Names returns the names, ascending.
func (s *Set) Names() []string {
	names := make([]string, len(s.items))
	for i, it := range s.items {
		names[i] = it.Name
	}
	return names
}

// Get returns the tensor called name, sharing its storage, and whether there
// is one.
func (s *Set) Get(name string) (kernel.Tensor, bool) {
	i, ok := slices.BinarySearchFunc(s.items, name, func(it Named, name string) int {
		return strings.Compare(it.Name, name)
	})
	if !ok {
		return kernel.Tensor{}, false
	}
	return s.items[i].Tensor, true
}

// Elements is the number of elements of all tensors together.
func (s *Set) Elements() int {
	n := 0
	for _, it := range s.items {
		n += len(it.F) + len(it.I) + len(it.B)
	}
	return n
}

// Zeros returns a set with the names, types and shapes of s, all zero, in the
// same kind of memory.
func (s *Set) Zeros() *Set { return s.Near(s) }

// Near returns a set with the names, types and shapes of s, whose tensors need
// no storage, all zero, in the kind of memory that t is in.
func (s *Set) Near(t *Set) *Set {
	if z, ok := s.in(t.home()); ok {
		return z
	}
	z := &Set{items: make([]Named, len(s.items))}
	for i, it := range s.items {
		z.items[i] = Named{it.Name, Zeros(it.Type, it.Shape...)}
	}
	return z
}

// Clone returns a copy that shares no storage with s, in the same kind of
// memory.
func (s *Set) Clone() *Set {
	if c, ok := s.in(s.home()); ok {
		c.copyFrom(s)
		return c
	}
	c := &Set{items: make([]Named, len(s.items))}
	for i, it := range s.items {
		c.items[i] = Named{it.Name, kernel.Tensor{
			Type: it.Type, Shape: slices.Clone(it.Shape),
			F: slices.Clone(it.F), I: slices.Clone(it.I), B: slices.Clone(it.B),
		}}
	}
	return c
}

// On returns s where dev computes on it best: s itself, or a copy in memory
// that dev gives.
func (s *Set) On(dev kernel.Device) *Set {
	if s.home() != nil {
		return s
	}
	c, ok := s.in(dev)
	if !ok {
		return s
	}
	c.copyFrom(s)
	return c
}

// home is what gave the memory of s, nil where it is Go's.
func (s *Set) home() any {
	if len(s.items) == 0 {
		return nil
	}
	return s.items[0].Home
}

// setAlign is the granularity of placement in memory that a device gave, in
// elements.
const setAlign = 256

// in returns a set of the form of s, all zero, in memory that home gives: a
// piece for each element type. It is not ok where home gives none.
func (s *Set) in(home any) (z *Set, ok bool) {
	a, ok := home.(kernel.Allocator)
	if !ok {
		return nil, false
	}
	var size, at [4]int
	round := func(n int) int { return (n + setAlign - 1) / setAlign * setAlign }
	for i := range s.items {
		t := &s.items[i]
		size[t.Type] += round(t.Len())
	}
	var piece [4]kernel.Tensor
	for t := kernel.F32; t <= kernel.I8; t++ {
		if size[t] > 0 {
			if piece[t], ok = a.Alloc(t, size[t]); !ok {
				return nil, false
			}
		}
	}
	z = &Set{items: make([]Named, len(s.items))}
	for i := range s.items {
		t := &s.items[i]
		n, from := t.Len(), at[t.Type]
		z.items[i] = Named{t.Name, piece[t.Type].Part(from, from+n, slices.Clone(t.Shape)...)}
		at[t.Type] += round(n)
	}
	return z, true
}

func (s *Set) copyFrom(t *Set) {
	for i := range s.items {
		to, from := &s.items[i], &t.items[i]
		copy(to.F, from.F)
		copy(to.I, from.I)
		copy(to.B, from.B)
	}
}

// Finite reports whether no tensor of s holds a NaN or an infinity.
func (s *Set) Finite() bool {
	for _, it := range s.items {
		if !Finite(it.Tensor) {
			return false
		}
	}
	return true
}

// Difference returns the first name, ascending, whose tensor is missing from
// one of s and t or is not [Equal] in both; ok is false when s and t are the
// same.
func (s *Set) Difference(t *Set) (name string, ok bool) {
	for i := 0; i < len(s.items) || i < len(t.items); i++ {
		switch {
		case i == len(s.items):
			return t.items[i].Name, true
		case i == len(t.items):
			return s.items[i].Name, true
		}
		a, b := s.items[i], t.items[i]
		if a.Name != b.Name {
			return min(a.Name, b.Name), true
		}
		if !Equal(a.Tensor, b.Tensor) {
			return a.Name, true
		}
	}
	return "", false
}
