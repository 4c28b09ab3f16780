package state_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
)

// sample is a set of every type, whose elements take more than one leaf.
func sample(t testing.TB) *tensor.Set {
	t.Helper()
	large := tensor.Zeros(kernel.F32, 3, 100_000)
	codes := tensor.Zeros(kernel.I8, 7)
	packed := tensor.Zeros(kernel.I32, 2, 2)
	for i := range large.F {
		large.F[i] = float32(i) / 3
	}
	codes.B[6], packed.I[3] = -3, 1<<30
	s, err := tensor.NewSet([]tensor.Named{{Name: "b", Tensor: large}, {Name: "a", Tensor: codes}, {Name: "c", Tensor: packed}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSetGolden: a set comes back as it was, under the CID that SumSet tells. The CID is
// the same on every machine.
func TestSetGolden(t *testing.T) {
	blocks, s := &block.MemoryStore{}, sample(t)
	link, err := state.PutSet(t.Context(), blocks, s)
	if err != nil {
		t.Fatal(err)
	}
	if sum := state.SumSet(s); sum != link {
		t.Errorf("SumSet is %s, PutSet %s", sum, link)
	}
	const want = "bafyreib7ptticdubwqiglowhluun6lelnteh43mdqnhfvo5ezog2rbptdi"
	if link.String() != want {
		t.Errorf("the set is %s, want %s", link, want)
	}
	back, err := state.GetSet(t.Context(), blocks, link)
	if err != nil {
		t.Fatal(err)
	}
	if name, differs := s.Difference(back); differs {
		t.Errorf("tensor %s came back changed", name)
	}
}

// TestGetSetRefuses: a record that a stranger wrote is refused, with the reason,
// before memory is taken for its tensors.
func TestGetSetRefuses(t *testing.T) {
	blocks := &block.MemoryStore{}
	good, err := state.PutSet(t.Context(), blocks, sample(t))
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*state.SetRecord){
		"version 2":        func(r *state.SetRecord) { r.Version = 2 },
		"0 tensors":        func(r *state.SetRecord) { r.Tensors = nil },
		"16385 tensors":    func(r *state.SetRecord) { r.Tensors = make([]state.TensorRecord, 1<<14+1) },
		"type 9":           func(r *state.SetRecord) { r.Tensors[0].Type = 9 },
		"0 dimensions":     func(r *state.SetRecord) { r.Tensors[0].Shape = nil },
		"5 dimensions":     func(r *state.SetRecord) { r.Tensors[0].Shape = make([]uint32, 5) },
		"[0] is out":       func(r *state.SetRecord) { r.Tensors[0].Shape = []uint32{0} },
		"4294967295] is o": func(r *state.SetRecord) { r.Tensors[1].Shape = []uint32{1 << 31, 1<<32 - 1} },
		"bytes for":        func(r *state.SetRecord) { r.Tensors[0].Shape[0]++ },
		"leaves for":       func(r *state.SetRecord) { r.Data.Leaves = append(r.Data.Leaves, r.Data.Leaves[0]) },
		"must ascend":      func(r *state.SetRecord) { r.Tensors[0].Name = "b" },
	} {
		var rec state.SetRecord
		if err := block.GetNode(t.Context(), blocks, good, &rec); err != nil {
			t.Fatal(err)
		}
		change(&rec)
		bad, err := block.PutNode(t.Context(), blocks, rec)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := state.GetSet(t.Context(), blocks, bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

// TestTensorAt: a byte of the data belongs to the tensor whose elements are there.
func TestTensorAt(t *testing.T) {
	blocks := &block.MemoryStore{}
	link, err := state.PutSet(t.Context(), blocks, sample(t))
	if err != nil {
		t.Fatal(err)
	}
	var rec state.SetRecord
	if err := block.GetNode(t.Context(), blocks, link, &rec); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[uint64]string{0: "a", 6: "a", 7: "b", 1_200_006: "b", 1_200_007: "c", 1_200_022: "c", 1_200_023: ""} {
		if got := rec.TensorAt(at); got != want {
			t.Errorf("byte %d is of tensor %q, want %q", at, got, want)
		}
	}
}

func TestFile(t *testing.T) {
	blocks, data := &block.MemoryStore{}, bytes.Repeat([]byte("alia"), 300_000)
	f, err := state.PutFile(t.Context(), blocks, data)
	if err != nil {
		t.Fatal(err)
	}
	if f.Size != uint64(len(data)) || len(f.Leaves) != 2 {
		t.Errorf("a file of %d bytes in %d leaves, want %d in 2", f.Size, len(f.Leaves), len(data))
	}
	if got, err := f.Read(t.Context(), blocks); err != nil || !bytes.Equal(got, data) {
		t.Errorf("came back as %d bytes, %v", len(got), err)
	}
	f.Size--
	if _, err := f.Read(t.Context(), blocks); err == nil {
		t.Error("a file of another size than its record says is read")
	}
}

func Example() {
	ctx, blocks := context.Background(), &block.MemoryStore{}
	weight := tensor.Zeros(kernel.F32, 2, 3)
	weight.F[4] = 1.5
	params, err := tensor.NewSet([]tensor.Named{{Name: "weight", Tensor: weight}})
	if err != nil {
		panic(err)
	}
	link, err := state.PutSet(ctx, blocks, params)
	if err != nil {
		panic(err)
	}
	same, err := state.GetSet(ctx, blocks, link)
	if err != nil {
		panic(err)
	}
	got, _ := same.Get("weight")
	fmt.Println(got.Shape, got.F)
	fmt.Println(state.SumSet(same) == link)
	// Output:
	// [2 3] [0 0 0 0 1.5 0]
	// true
}

// TestGetSetLike: a set of another form than the configuration's is refused before any of its
// leaves is read. The leaves of a stranger's set may all be one block, and its elements gigabytes.
func TestGetSetLike(t *testing.T) {
	blocks := &block.MemoryStore{}
	form, err := tensor.NewSet([]tensor.Named{
		{Name: "a", Tensor: kernel.Tensor{Type: kernel.F32, Shape: []int{2, 3}}},
		{Name: "b", Tensor: kernel.Tensor{Type: kernel.F32, Shape: []int{4}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	good, err := tensor.NewSet([]tensor.Named{{Name: "a", Tensor: tensor.Zeros(kernel.F32, 2, 3)}, {Name: "b", Tensor: tensor.Zeros(kernel.F32, 4)}})
	if err != nil {
		t.Fatal(err)
	}
	link, err := state.PutSet(t.Context(), blocks, good)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := state.GetSetLike(t.Context(), blocks, link, form); err != nil || state.SumSet(s) != link {
		t.Errorf("the set itself: %v", err)
	}
	leaf := block.Link{Cid: block.Sum(block.Raw, make([]byte, block.LeafSize))} // which nobody has
	f32 := func(name string, shape ...uint32) state.TensorRecord {
		return state.TensorRecord{Name: name, Type: uint16(kernel.F32), Shape: shape}
	}
	for what, c := range map[string]struct {
		tensors []state.TensorRecord
		says    string
	}{
		"8 GiB":          {[]state.TensorRecord{f32("a", 2, 3), f32("b", 1<<31-6)}, `tensor "b" of type`},
		"a name":         {[]state.TensorRecord{f32("a", 2, 3), f32("c", 4)}, `"c"`},
		"a tensor fewer": {[]state.TensorRecord{f32("a", 2, 3)}, "1 tensors"},
		"a tensor more":  {[]state.TensorRecord{f32("a", 2, 3), f32("b", 4), f32("c", 1)}, "3 tensors"},
		"transposed":     {[]state.TensorRecord{f32("a", 3, 2), f32("b", 4)}, "[3 2]"},
	} {
		rec := state.SetRecord{Version: 1, Tensors: c.tensors}
		for _, x := range c.tensors {
			rec.Data.Size += x.Bytes()
		}
		for range (rec.Data.Size + block.LeafSize - 1) / block.LeafSize {
			rec.Data.Leaves = append(rec.Data.Leaves, leaf)
		}
		bad, err := block.PutNode(t.Context(), blocks, rec)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := state.GetSetLike(t.Context(), blocks, bad, form); err == nil || errors.Is(err, block.ErrNotFound) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want it to say %s", what, err, c.says)
		}
	}
}
