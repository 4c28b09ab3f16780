// Package state is sets of tensors as bytes: as blocks, and as safetensors files.
//
// [PutSet] stores a set of tensors as a [SetRecord] and leaves of 1 MiB, and
// gives the CID of the record; [GetSet] is its inverse. Equal sets have equal
// CIDs, whatever machine stored them. A [File] is bytes of any length, in blocks.
// [EncodeSafetensors] and [DecodeSafetensors] are for a model's directory, and
// [DecodeTorch] reads the checkpoints of PyTorch.
//
//	link, err := state.PutSet(ctx, blocks, params)
//	same, err := state.GetSet(ctx, blocks, link)
package state

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// SetRecord is a set of tensors as blocks (PROTOCOL.md, section 8.3): their
// names, types and shapes in ascending order of names, and their elements,
// little endian, end to end in one file.
type SetRecord struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Tensors []TensorRecord
	Data    File
}

// TensorRecord is the name, type and shape of one tensor of a set.
type TensorRecord struct {
	_     struct{} `cbor:",toarray"`
	Name  string
	Type  uint16 // a kernel.DType
	Shape []uint32
}

// The limits of a set from outside.
const (
	maxTensors = 1 << 14
	maxBytes   = 1 << 36
)

// size is the bytes of the tensor's elements. It fails for a type or shape that
// no tensor has.
func (t TensorRecord) size() (uint64, error) {
	var width uint64
	switch kernel.DType(t.Type) {
	case kernel.F32, kernel.I32:
		width = 4
	case kernel.I8:
		width = 1
	default:
		return 0, fmt.Errorf("tensor %.200q: type %d is unknown", t.Name, t.Type)
	}
	if len(t.Shape) == 0 || len(t.Shape) > 4 {
		return 0, fmt.Errorf("tensor %.200q: %d dimensions", t.Name, len(t.Shape))
	}
	for _, d := range t.Shape {
		if d == 0 || uint64(d) > maxBytes/width {
			return 0, fmt.Errorf("tensor %.200q: shape %v is out of range", t.Name, t.Shape)
		}
		width *= uint64(d)
	}
	return width, nil
}

// PutSet stores a set and gives its CID.
func PutSet(ctx context.Context, b block.Blocks, s *tensor.Set) (block.Link, error) {
	rec := recordOf(s)
	err := eachLeaf(s, func(leaf []byte) error {
		c, err := b.Put(ctx, block.Raw, leaf)
		rec.Data.append(leaf, c)
		return err
	})
	if err != nil {
		return block.Link{}, fmt.Errorf("store set: %w", err)
	}
	return block.PutNode(ctx, b, rec)
}

// SumSet is the CID that [PutSet] gives. It stores nothing.
func SumSet(s *tensor.Set) block.Link {
	rec := recordOf(s)
	err := eachLeaf(s, func(leaf []byte) error {
		rec.Data.append(leaf, block.Sum(block.Raw, leaf))
		return nil
	})
	node, encoding := block.Encode(rec)
	if err = errors.Join(err, encoding); err != nil {
		panic("state: a set that cannot be encoded: " + err.Error())
	}
	return block.Link{Cid: block.Sum(block.CBOR, node)}
}

// recordOf is the record of a set without its data.
func recordOf(s *tensor.Set) SetRecord {
	rec := SetRecord{Version: 1}
	for i := range s.Len() {
		t := s.At(i)
		shape := make([]uint32, len(t.Shape))
		for j, d := range t.Shape {
			shape[j] = uint32(d)
		}
		rec.Tensors = append(rec.Tensors, TensorRecord{Name: t.Name, Type: uint16(t.Type), Shape: shape})
	}
	return rec
}

// eachLeaf calls f with each leaf, in sequence, of the file of a set's elements. A
// leaf is good until f returns. Most leaves are the tensors' own memory, or a copy
// of one device tensor at a time: a set may be too large to be in memory twice.
func eachLeaf(s *tensor.Set, f func(leaf []byte) error) error {
	border := make([]byte, 0, block.LeafSize) // ends of tensors that share a leaf
	var staging kernel.Staging
	for i := range s.Len() {
		for data := elements(kernel.Fetch(&staging, s.At(i).Tensor)); len(data) > 0; {
			// A whole leaf within one tensor needs no copy.
			n := min(len(data), block.LeafSize-len(border))
			leaf := data[:n]
			if data = data[n:]; n < block.LeafSize {
				border = append(border, leaf...)
				leaf = border
			}
			if len(leaf) < block.LeafSize {
				continue
			}
			if err := f(leaf); err != nil {
				return err
			}
			border = border[:0]
		}
	}
	if len(border) == 0 {
		return nil
	}
	return f(border)
}

// check reports why a record from outside is no set's.
func (r SetRecord) check() error {
	total, err := r.size()
	if err == nil && total != r.Data.Size {
		err = fmt.Errorf("%d bytes for tensors of %d", r.Data.Size, total)
	}
	if want := (total + block.LeafSize - 1) / block.LeafSize; err == nil && uint64(len(r.Data.Leaves)) != want {
		err = fmt.Errorf("%d leaves for %d bytes, want %d", len(r.Data.Leaves), total, want)
	}
	return err
}

// size is the bytes of the set's elements. It fails for names, types and shapes that
// no set has.
func (r SetRecord) size() (total uint64, err error) {
	if r.Version != 1 || len(r.Tensors) == 0 || len(r.Tensors) > maxTensors {
		return 0, fmt.Errorf("version %d with %d tensors, want version 1 with 1 to %d", r.Version, len(r.Tensors), maxTensors)
	}
	for i, t := range r.Tensors {
		n, err := t.size()
		if err != nil {
			return 0, err
		}
		if total += n; total > maxBytes {
			return 0, fmt.Errorf("larger than %d bytes", uint64(maxBytes))
		}
		if i > 0 && t.Name <= r.Tensors[i-1].Name {
			return 0, fmt.Errorf("tensor %.200q follows %.200q: names must ascend", t.Name, r.Tensors[i-1].Name)
		}
	}
	return total, nil
}

// Form is the record of a set with the names, types and shapes of s and without
// leaves; Data.Size is their bytes. No tensor of s needs storage. It fails on a set
// that [GetSet] would not read.
func Form(s *tensor.Set) (SetRecord, error) {
	rec := recordOf(s)
	var err error
	rec.Data.Size, err = rec.size()
	return rec, err
}

// Bytes is the bytes of the tensor's elements; 0 for a type or shape that no tensor
// has.
func (t TensorRecord) Bytes() uint64 {
	n, err := t.size()
	if err != nil {
		return 0
	}
	return n
}

// GetSet is the inverse of [PutSet].
func GetSet(ctx context.Context, b block.Blocks, l block.Link) (*tensor.Set, error) {
	rec, err := GetSetRecord(ctx, b, l, nil)
	if err != nil {
		return nil, err
	}
	return rec.read(ctx, b, l)
}

// GetSetLike is GetSet for a set with the names, types and shapes of form, whose tensors need no
// storage. It refuses another set before it takes memory for its elements: a stranger's record of
// a small model may name a set of any size, whose leaves may all be one block.
func GetSetLike(ctx context.Context, b block.Blocks, l block.Link, form *tensor.Set) (*tensor.Set, error) {
	rec, err := GetSetRecord(ctx, b, l, form)
	if err != nil {
		return nil, err
	}
	return rec.read(ctx, b, l)
}

// GetSetRecord reads and checks the record of a set. Unless form is nil, the set must have its
// names, types and shapes.
func GetSetRecord(ctx context.Context, b block.Blocks, l block.Link, form *tensor.Set) (SetRecord, error) {
	var rec SetRecord
	if err := block.GetNode(ctx, b, l, &rec); err != nil {
		return rec, fmt.Errorf("set: %w", err)
	}
	err := rec.check()
	if err == nil && form != nil {
		err = rec.differs(recordOf(form))
	}
	if err != nil {
		return rec, fmt.Errorf("set %s: %w", l, err)
	}
	return rec, nil
}

// differs returns an error that names the first tensor in which r differs from want.
func (r SetRecord) differs(want SetRecord) error {
	for i, t := range r.Tensors[:min(len(r.Tensors), len(want.Tensors))] {
		if w := want.Tensors[i]; t.Name != w.Name || t.Type != w.Type || !slices.Equal(t.Shape, w.Shape) {
			return fmt.Errorf("tensor %.200q of type %d and shape %v, the configuration has %.200q of type %d and shape %v", t.Name, t.Type, t.Shape, w.Name, w.Type, w.Shape)
		}
	}
	if len(r.Tensors) != len(want.Tensors) {
		return fmt.Errorf("%d tensors, the configuration has %d", len(r.Tensors), len(want.Tensors))
	}
	return nil
}

// read reads the elements of the set whose record r is.
func (r SetRecord) read(ctx context.Context, b block.Blocks, l block.Link) (*tensor.Set, error) {
	items := make([]tensor.Named, len(r.Tensors))
	for i, t := range r.Tensors {
		shape := make([]int, len(t.Shape))
		for j, d := range t.Shape {
			shape[j] = int(d)
		}
		items[i] = tensor.Named{Name: t.Name, Tensor: kernel.New(kernel.DType(t.Type), shape...)}
	}
	if err := r.fill(ctx, b, items); err != nil {
		return nil, fmt.Errorf("set %s: %w", l, err)
	}
	return tensor.NewSet(items)
}

// fill reads the elements of the set's tensors.
func (r SetRecord) fill(ctx context.Context, b block.Blocks, items []tensor.Named) error {
	if !littleEndian {
		data, err := r.Data.Read(ctx, b)
		for i := 0; i < len(items) && err == nil; i++ {
			data = readElements(items[i].Tensor, data)
		}
		return err
	}
	// Each leaf is copied to where it belongs: a set is not in memory twice.
	var room []byte // of the tensor in progress, behind what it has
	return block.EachLeaf(ctx, b, r.Data.Leaves, r.Data.Size, func(leaf []byte) {
		for len(leaf) > 0 {
			if len(room) == 0 {
				room, items = elements(items[0].Tensor), items[1:]
			}
			n := copy(room, leaf)
			room, leaf = room[n:], leaf[n:]
		}
	})
}

// TensorAt names the tensor that holds a byte of the set's data.
func (r SetRecord) TensorAt(at uint64) string {
	for _, t := range r.Tensors {
		n, err := t.size()
		if err != nil || at < n {
			return t.Name
		}
		at -= n
	}
	return ""
}
