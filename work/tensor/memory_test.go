package tensor

import (
	"math"
	"slices"
	"testing"
	"unsafe"

	"github.com/alia-network/alia/work/kernel"
)

// vault is a device's memory as the host meets it: what tensors there seem to
// hold is nothing, and what they hold comes and goes by Copy.
type vault struct {
	kernel.Device
	blocks []vaulted
	full   bool
}

// vaulted is a block: the tensor that stands for it, and its bytes.
type vaulted struct {
	sign kernel.Tensor
	data []byte
}

func storage(t *kernel.Tensor) (at unsafe.Pointer, bytes int) {
	switch t.Type {
	case kernel.F32:
		return unsafe.Pointer(unsafe.SliceData(t.F)), 4 * len(t.F)
	case kernel.I32:
		return unsafe.Pointer(unsafe.SliceData(t.I)), 4 * len(t.I)
	}
	return unsafe.Pointer(unsafe.SliceData(t.B)), len(t.B)
}

func (v *vault) Alloc(t kernel.DType, n int) (kernel.Tensor, bool) {
	if v.full {
		return kernel.Tensor{}, false
	}
	x := kernel.New(t, n)
	for i := range x.F {
		x.F[i] = float32(math.NaN())
	}
	for i := range x.I {
		x.I[i] = math.MinInt32
	}
	for i := range x.B {
		x.B[i] = math.MinInt8
	}
	_, bytes := storage(&x)
	v.blocks = append(v.blocks, vaulted{x, make([]byte, bytes)})
	x.Home = v
	return x, true
}

func (v *vault) Host() bool                         { return false }
func (v *vault) BeginAsync()                        {}
func (v *vault) EndAsync()                          {}
func (v *vault) Wait()                              {}
func (v *vault) Watched(kernel.Watch) kernel.Device { return v }
func (v *vault) Close() error                       { return nil }

func (v *vault) Copy(to, from kernel.Tensor) {
	bytes := func(t *kernel.Tensor) []byte {
		at, n := storage(t)
		if t.Home == nil {
			return unsafe.Slice((*byte)(at), n)
		}
		for _, b := range v.blocks {
			start, all := storage(&b.sign)
			if off := uintptr(at) - uintptr(start); uintptr(at) >= uintptr(start) && off < uintptr(all) {
				return b.data[off:][:n]
			}
		}
		panic("not in the vault")
	}
	copy(bytes(&to), bytes(&from))
}

// TestSetsOnADevice moves sets to a device and back, whole and tensor by
// tensor, and compares and examines what lies there.
func TestSetsOnADevice(t *testing.T) {
	items := []Named{
		{"a", kernel.Tensor{Type: kernel.F32, Shape: []int{2, 3}, F: []float32{1, 2, 3, 4, 5, 6}}},
		{"b", kernel.Tensor{Type: kernel.I8, Shape: []int{3}, B: []int8{1, -2, 3}}},
		{"c", kernel.Tensor{Type: kernel.F32, Shape: []int{1}, F: []float32{7}}},
		{"d", kernel.Tensor{Type: kernel.I32, Shape: []int{2}, I: []int32{8, -9}}},
	}
	s, err := NewSet(items)
	if err != nil {
		t.Fatal(err)
	}
	same := func(what string, got *Set) {
		t.Helper()
		if name, differs := s.Difference(got); differs {
			t.Errorf("%s: tensor %s differs", what, name)
		}
	}
	v := &vault{}
	there := s.On(v)
	if there.At(0).Home != v || there.On(v) != there {
		t.Error("the set is not in the device's memory")
	}
	same("on the device", there)
	same("local", there.Local())
	same("a copy", there.Clone())
	if !there.Finite() {
		t.Error("finite numbers are not")
	}
	if zeros := there.Zeros(); zeros.At(0).Home != v || !slices.Equal(zeros.Local().At(0).F, make([]float32, 6)) {
		t.Error("zeros are not, or not on the device")
	}
	for i := range items {
		if Digest(there.At(i).Tensor) != Digest(s.At(i).Tensor) {
			t.Errorf("the digest of %s differs", items[i].Name)
		}
	}

	// A set of which one tensor lies elsewhere is no piece of memory any more.
	other := kernel.On(v, kernel.Tensor{Type: kernel.F32, Shape: []int{1}, F: []float32{float32(math.Inf(1))}})
	there.Put(2, other)
	if there.Finite() || there.Clone().Finite() || there.Local().Finite() {
		t.Error("an infinity is finite")
	}
	there.Put(2, s.At(2).Tensor) // the host's
	same("partly on the device", there)
	same("a copy of that", there.Clone())
	same("that, local", there.Local())

	v.full = true
	if s.On(v) != s {
		t.Error("a full device takes a set")
	}
	same("a copy for the host", there.Clone())
}

// TestFetch uses a room again for what is of its type and no longer.
func TestFetch(t *testing.T) {
	v := &vault{}
	var room kernel.Staging
	long := kernel.On(v, kernel.Tensor{Type: kernel.F32, Shape: []int{2, 2}, F: []float32{1, 2, 3, 4}})
	first := kernel.Fetch(&room, long)
	second := kernel.Fetch(&room, long.Part(1, 3, 2))
	if !slices.Equal(second.F, []float32{2, 3}) || &first.F[0] != &second.F[0] {
		t.Errorf("%v, and then %v in another place", first.F, second.F)
	}
	here := kernel.New(kernel.F32, 3)
	if x := kernel.Fetch(&room, here); &x.F[0] != &here.F[0] {
		t.Error("what the host has is copied")
	}
}

// TestPackedSet: a set with a packed matrix, moved to an accelerator or copied, is the same set row
// by row.
func TestPackedSet(t *testing.T) {
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	x := kernel.New(kernel.F32, 5, 70)
	for i := range x.F {
		x.F[i] = float32(i)
	}
	want, err := NewSet([]Named{{"x", x}})
	if err != nil {
		t.Fatal(err)
	}
	v := &vault{}
	for what, s := range map[string]*Set{"a set": want.Clone(), "a set of one block": want.On(v).Local()} {
		at := s.At(0).Tensor
		s.Put(0, kernel.Pack(dev, at, x, kernel.NN))
		for how, got := range map[string]*Set{
			"moved": s.On(v).Local(), "cloned": s.Clone(), "local": s.Local(),
		} {
			if _, differ := got.Difference(want); differ || !slices.Equal(got.At(0).F, x.F) {
				t.Errorf("%s that is %s has other elements", what, how)
			}
		}
	}
}
