package state

import (
	"slices"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

func smallSet(t *testing.T) *tensor.Set {
	t.Helper()
	s, err := tensor.NewSet([]tensor.Named{
		{Name: "b", Tensor: kernel.Tensor{Type: kernel.F32, Shape: []int{2, 3}, F: []float32{1, 2, 3, 4, 5, 6}}},
		{Name: "a", Tensor: kernel.Tensor{Type: kernel.I8, Shape: []int{3}, B: []int8{-1, 0, 7}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestForm: the record of a set is its form and leaves of the form's size.
func TestForm(t *testing.T) {
	s, b := smallSet(t), &block.MemoryStore{}
	l, err := PutSet(t.Context(), b, s)
	if err != nil {
		t.Fatal(err)
	}
	var rec SetRecord
	if err := block.GetNode(t.Context(), b, l, &rec); err != nil {
		t.Fatal(err)
	}
	form, err := Form(s)
	if err != nil {
		t.Fatal(err)
	}
	if form.Data.Size != rec.Data.Size || len(form.Data.Leaves) != 0 || len(rec.Data.Leaves) != 1 {
		t.Errorf("a form of %d bytes with %d leaves; the record has %d with %d", form.Data.Size, len(form.Data.Leaves), rec.Data.Size, len(rec.Data.Leaves))
	}
	same := func(a, b TensorRecord) bool {
		return a.Name == b.Name && a.Type == b.Type && slices.Equal(a.Shape, b.Shape)
	}
	if !slices.EqualFunc(form.Tensors, rec.Tensors, same) {
		t.Errorf("a form of %v, the record has %v", form.Tensors, rec.Tensors)
	}
	if n := form.Tensors[1].Bytes(); n != 24 {
		t.Errorf("tensor b has %d bytes, want 24", n)
	}
}

// TestGetSetRefusesShapes: no shape makes GetSet ask for memory that the record's
// leaves do not fill, not even one whose product of dimensions is 0 in 64 bits.
func TestGetSetRefusesShapes(t *testing.T) {
	for _, shape := range [][]uint32{{}, {0}, {1, 1, 1, 1, 1}, {1 << 31, 1 << 31}, {1 << 31, 8, 1 << 28}, {1 << 31, 8, 1 << 31, 1 << 31}} {
		b := &block.MemoryStore{}
		rec := SetRecord{Version: 1, Tensors: []TensorRecord{{Name: "w", Type: uint16(kernel.F32), Shape: shape}}}
		l, err := block.PutNode(t.Context(), b, rec)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := GetSet(t.Context(), b, l); err == nil {
			t.Errorf("a tensor of shape %v was read from no bytes", shape)
		}
	}
}
