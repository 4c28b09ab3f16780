package tensor

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/alia-network/alia/work/kernel"
)

// Zeros returns a tensor of zeros in the host's memory. Unlike [kernel.New] it copies shape.
func Zeros(t kernel.DType, shape ...int) kernel.Tensor {
	return kernel.New(t, slices.Clone(shape)...)
}

// Equal reports whether a and b have the same type, shape and bits. So -0 and +0 differ, and
// a NaN equals a NaN with the same bits.
func Equal(a, b kernel.Tensor) bool {
	a, b = kernel.Local(a), kernel.Local(b)
	return a.Type == b.Type && slices.Equal(a.Shape, b.Shape) &&
		slices.EqualFunc(a.F, b.F, func(x, y float32) bool {
			return math.Float32bits(x) == math.Float32bits(y)
		}) &&
		slices.Equal(a.I, b.I) && slices.Equal(a.B, b.B)
}

// Finite reports whether t holds neither a NaN nor an infinity.
func Finite(t kernel.Tensor) bool {
	return AllFinite(kernel.Local(t).F)
}

// AllFinite reports whether all holds neither a NaN nor an infinity.
func AllFinite(all []float32) bool {
	for _, x := range all {
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

// Set is a list of named tensors, ascending by name: the parameters, gradients or moments of
// a model. All tensors of a set lie in the same memory, except that the host's may be packed
// for products: see [kernel.Pack].
type Set struct {
	items []Named
	whole []kernel.Tensor // one for each element type, if the tensors are adjacent parts of it
}

// NewSet returns the set of items, which it sorts in place. It returns an error when two
// items have the same name.
func NewSet(items []Named) (*Set, error) {
	slices.SortFunc(items, func(a, b Named) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(items); i++ {
		if items[i].Name == items[i-1].Name {
			return nil, fmt.Errorf("tensor: two tensors are named %.200q", items[i].Name)
		}
	}
	return &Set{items: items}, nil
}

// Len is the number of tensors.
func (s *Set) Len() int { return len(s.items) }

// At returns the i-th tensor, ascending by name.
func (s *Set) At(i int) Named { return s.items[i] }

// Put replaces the tensor of the i-th name by t.
func (s *Set) Put(i int, t kernel.Tensor) {
	s.items[i].Tensor = t
	s.whole = nil
}

// Names returns the names, ascending.
func (s *Set) Names() []string {
	names := make([]string, len(s.items))
	for i, it := range s.items {
		names[i] = it.Name
	}
	return names
}

// Get returns the tensor called name, with its storage, and whether there is one.
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

// Zeros returns a set of zeros with the names, types and shapes of s, in the same memory.
func (s *Set) Zeros() *Set { return s.Near(s) }

// Near returns a set of zeros with the names, types and shapes of s, in the memory of t. The
// tensors of s need no storage.
func (s *Set) Near(t *Set) *Set {
	if z, ok := s.in(t.home()); ok {
		return z
	}
	// The host's memory: tensors by themselves, which the garbage collector can free one by
	// one.
	z := &Set{items: make([]Named, len(s.items))}
	for i, it := range s.items {
		z.items[i] = Named{it.Name, Zeros(it.Type, it.Shape...)}
	}
	return z
}

// Clone returns a copy of s with storage of its own, in the same memory.
func (s *Set) Clone() *Set {
	if c, ok := s.in(s.home()); ok {
		c.copyFrom(s)
		return c
	}
	c := &Set{items: make([]Named, len(s.items))}
	for i, it := range s.items {
		it.Tensor = kernel.Local(it.Tensor)
		c.items[i] = Named{it.Name, kernel.Tensor{
			Type: it.Type, Shape: slices.Clone(it.Shape),
			F: slices.Clone(it.F), I: slices.Clone(it.I), B: slices.Clone(it.B),
		}}
	}
	return c
}

// On returns s in the memory that dev computes in fastest: s itself, or a copy in dev's
// memory if that has room.
func (s *Set) On(dev kernel.Device) *Set {
	m, ok := dev.(kernel.Accelerator)
	if _, away := s.home().(kernel.Accelerator); !ok || away {
		return s
	}
	c, ok := s.in(m)
	if !ok {
		return s
	}
	c.copyFrom(s)
	return c
}

// Local returns s in the host's memory: s itself, or a copy.
func (s *Set) Local() *Set {
	if s.home() == nil {
		return s
	}
	c, _ := s.in(host{}) // in one piece for each type, as on the device: few copies
	c.copyFrom(s)
	return c
}

// host is the host's memory as a [kernel.Memory].
type host struct{}

func (host) Alloc(t kernel.DType, n int) (kernel.Tensor, bool) { return kernel.New(t, n), true }

func (host) Copy(to, from kernel.Tensor) { kernel.Copy(to, from) }

// home is the device memory that holds s, or nil for the host's.
func (s *Set) home() kernel.Memory {
	for i := range s.items {
		if h := s.items[i].Home; h != nil {
			return h
		}
	}
	return nil
}

// setAlign is the multiple that the offsets of a set's tensors are rounded to, in elements.
const setAlign = 256

// in returns a set of zeros with the names, types and shapes of s in the memory m, which
// allocates once for each element type. ok is false when m is nil or full.
func (s *Set) in(m kernel.Memory) (z *Set, ok bool) {
	if m == nil {
		return nil, false
	}
	// Sum the sizes of each element type, allocate them, and divide them.
	var size, at [4]int
	round := func(n int) int { return (n + setAlign - 1) / setAlign * setAlign }
	for i := range s.items {
		t := &s.items[i]
		size[t.Type] += round(t.Len())
	}
	z = &Set{items: make([]Named, len(s.items))}
	var pieces [4]kernel.Tensor
	for t := kernel.F32; t <= kernel.I8; t++ {
		if size[t] == 0 {
			continue
		}
		if pieces[t], ok = m.Alloc(t, size[t]); !ok {
			return nil, false
		}
		z.whole = append(z.whole, pieces[t])
	}
	for i := range s.items {
		t := &s.items[i]
		n, from := t.Len(), at[t.Type]
		z.items[i] = Named{t.Name, pieces[t.Type].Part(from, from+n, slices.Clone(t.Shape)...)}
		at[t.Type] += round(n)
	}
	return z, true
}

// copyFrom copies the elements of t, which has the names, types and shapes of s.
func (s *Set) copyFrom(t *Set) {
	if len(s.whole) > 0 && len(t.whole) > 0 { // one copy for each type, not for each tensor
		for i := range s.whole {
			kernel.Copy(s.whole[i], t.whole[i])
		}
		return
	}
	for i := range s.items {
		kernel.Copy(s.items[i].Tensor, t.items[i].Tensor)
	}
}

// Finite reports whether no tensor of s holds a NaN or an infinity.
func (s *Set) Finite() bool {
	var buf kernel.Staging
	for _, it := range s.items {
		if !AllFinite(kernel.Fetch(&buf, it.Tensor).F) {
			return false
		}
	}
	return true
}

// Difference returns the first name, ascending, whose tensor is missing from s or t, or is
// not [Equal] in both. ok is false when s and t are the same.
func (s *Set) Difference(t *Set) (name string, ok bool) {
	// Both are ascending by name, so the first unequal names show the missing tensor.
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
