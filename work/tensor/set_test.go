package tensor

import (
	"math"
	"slices"
	"testing"

	"github.com/alia-network/alia/work/kernel"
)

func vector(x ...float32) kernel.Tensor {
	return kernel.Tensor{Type: kernel.F32, Shape: []int{len(x)}, F: x}
}

func newSet(t *testing.T, items ...Named) *Set {
	t.Helper()
	s, err := NewSet(items)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSetIsSorted(t *testing.T) {
	s := newSet(t, Named{"b", vector(1, 2)}, Named{"a.0", vector(3)}, Named{"a", vector(4)})
	if got, want := s.Names(), []string{"a", "a.0", "b"}; !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	if x, ok := s.Get("a.0"); !ok || x.F[0] != 3 {
		t.Errorf("Get(a.0) = %v, %v", x, ok)
	}
	if _, ok := s.Get("c"); ok {
		t.Error("Get found a tensor that is not there")
	}
	if n := s.Elements(); n != 4 {
		t.Errorf("%d elements, want 4", n)
	}
	if _, err := NewSet([]Named{{"a", vector(1)}, {"a", vector(2)}}); err == nil {
		t.Error("two tensors of one name were accepted")
	}
}

func TestSetDifference(t *testing.T) {
	nan, zero := float32(math.NaN()), float32(0)
	base := newSet(t, Named{"a", vector(zero, nan)}, Named{"b", vector(1)})
	for _, c := range []struct {
		name  string
		other *Set
		want  string
	}{
		{"clone", base.Clone(), ""},
		{"minus zero", newSet(t, Named{"a", vector(-1/float32(math.Inf(1)), nan)}, Named{"b", vector(1)}), "a"},
		{"missing", newSet(t, Named{"a", vector(zero, nan)}), "b"},
		{"extra", newSet(t, Named{"a", vector(zero, nan)}, Named{"aa", vector(1)}, Named{"b", vector(1)}), "aa"},
		{"shape", newSet(t, Named{"a", vector(zero, nan)}, Named{"b", kernel.New(kernel.F32, 1, 1)}), "b"},
	} {
		got, differ := base.Difference(c.other)
		if got != c.want || differ != (c.want != "") {
			t.Errorf("%s: difference %q, %v, want %q", c.name, got, differ, c.want)
		}
		if back, _ := c.other.Difference(base); back != got {
			t.Errorf("%s: the other way round %q, want %q", c.name, back, got)
		}
	}
}

func TestCloneSharesNothing(t *testing.T) {
	s := newSet(t, Named{"a", vector(1, 2)})
	c := s.Clone()
	c.At(0).F[0] = 9
	if s.At(0).F[0] != 1 {
		t.Error("a change of the clone shows in the set")
	}
}

func TestFinite(t *testing.T) {
	for _, x := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		if newSet(t, Named{"a", vector(0, x)}).Finite() {
			t.Errorf("%v passes for finite", x)
		}
	}
	if !Finite(vector(math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32)) {
		t.Error("the largest numbers do not pass for finite")
	}
}
