package work

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sort"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// maxHeader is the format's own limit of a header, in bytes.
const maxHeader = 100 << 20

// safeTensor is an entry of the header of a safetensors file.
type safeTensor struct {
	DType   string    `json:"dtype"`
	Shape   []uint64  `json:"shape"`
	Offsets [2]uint64 `json:"data_offsets"`
}

// EncodeSafetensors gives a set of F32 tensors as a file of the
// safetensors format: the header's length, the header as
// JSON padded with spaces to eight bytes, and the elements, little endian.
// The header stands in ascending order of names, so that equal sets give
// equal bytes.
func EncodeSafetensors(s *tensor.Set) []byte {
	var head bytes.Buffer
	head.WriteString(`{"__metadata__":{"format":"pt"}`)
	var at uint64
	for i := range s.Len() {
		t := s.At(i)
		e := safeTensor{DType: "F32", Offsets: [2]uint64{at, at + 4*uint64(len(t.F))}}
		for _, d := range t.Shape {
			e.Shape = append(e.Shape, uint64(d))
		}
		at = e.Offsets[1]
		name, entry := mustJSON(t.Name), mustJSON(e)
		fmt.Fprintf(&head, ",%s:%s", name, entry)
	}
	head.WriteByte('}')
	for head.Len()%8 != 0 {
		head.WriteByte(' ')
	}
	out := make([]byte, 0, 8+uint64(head.Len())+at)
	out = binary.LittleEndian.AppendUint64(out, uint64(head.Len()))
	out = append(out, head.Bytes()...)
	for i := range s.Len() {
		out = appendElements(out, s.At(i).Tensor)
	}
	return out
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("work: " + err.Error()) // a string, or a struct of numbers
	}
	return b
}

// DecodeSafetensors reads a safetensors file of F32 tensors. Headers that
// overlap, leave gaps, or name elements the file does not hold are refused
// before memory is taken for them.
func DecodeSafetensors(data []byte) (*tensor.Set, error) {
	if len(data) < 8 {
		return nil, errors.New("safetensors: shorter than its header's length")
	}
	n := binary.LittleEndian.Uint64(data)
	if n > maxHeader || n > uint64(len(data)-8) {
		return nil, fmt.Errorf("safetensors: header of %d bytes in a file of %d", n, len(data))
	}
	var head map[string]json.RawMessage
	if err := json.Unmarshal(data[8:8+n], &head); err != nil {
		return nil, fmt.Errorf("safetensors: header: %w", err)
	}
	delete(head, "__metadata__")
	names := make([]string, 0, len(head))
	entries := map[string]safeTensor{}
	for name, raw := range head { // order-free: sorted below
		var e safeTensor
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, fmt.Errorf("safetensors: tensor %q: %w", name, err)
		}
		names, entries[name] = append(names, name), e
	}
	sort.Slice(names, func(i, j int) bool {
		a, b := entries[names[i]].Offsets, entries[names[j]].Offsets
		if a != b {
			return a[0] < b[0] || a[0] == b[0] && a[1] < b[1]
		}
		return names[i] < names[j]
	})
	return safeItems(names, entries, data[8+n:])
}

func safeItems(names []string, entries map[string]safeTensor, data []byte) (*tensor.Set, error) {
	var items []tensor.Named
	var at uint64
	for _, name := range names {
		e := entries[name]
		if e.DType != "F32" {
			return nil, fmt.Errorf("safetensors: tensor %q has type %q, want F32", name, e.DType)
		}
		if len(e.Shape) == 0 || len(e.Shape) > 4 {
			return nil, fmt.Errorf("safetensors: tensor %q has %d dimensions, want 1 to 4", name, len(e.Shape))
		}
		size, shape := uint64(4), make([]int, len(e.Shape))
		for i, d := range e.Shape {
			if d == 0 || d > uint64(len(data)) || size*d > uint64(len(data)) {
				return nil, fmt.Errorf("safetensors: tensor %q of shape %v does not fit a file of %d bytes", name, e.Shape, len(data))
			}
			size, shape[i] = size*d, int(d)
		}
		if e.Offsets[0] != at || e.Offsets[1] != at+size || at+size > uint64(len(data)) {
			return nil, fmt.Errorf("safetensors: tensor %q of %d bytes stands at %v, want it at %d in %d bytes", name, size, e.Offsets, at, len(data))
		}
		t := tensor.Zeros(kernel.F32, shape...)
		readElements(t, data[at:])
		items, at = append(items, tensor.Named{Name: name, Tensor: t}), at+size
	}
	if at != uint64(len(data)) {
		return nil, fmt.Errorf("safetensors: %d bytes after the last tensor", uint64(len(data))-at)
	}
	return tensor.NewSet(items)
}
