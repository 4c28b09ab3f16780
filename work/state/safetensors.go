package state

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// maxHeader bounds a header in bytes: [maxTensors] entries fit. The format
// itself allows 100 MB, which would take a gigabyte to read as JSON.
const maxHeader = 4 << 20

// safeTensor is an entry of the header of a safetensors file.
type safeTensor struct {
	name    string
	DType   string   `json:"dtype"`
	Shape   []uint64 `json:"shape"`
	Offsets []uint64 `json:"data_offsets"` // of the first byte, and of the byte after the last
}

// EncodeSafetensors gives a set of F32 tensors as a file of the safetensors
// format: the length of the header, the header as JSON padded with spaces to a
// multiple of eight bytes, and the elements, little endian. The header has its
// tensors by ascending name, so equal sets give equal bytes.
func EncodeSafetensors(s *tensor.Set) []byte {
	var head bytes.Buffer
	head.WriteString(`{"__metadata__":{"format":"pt"}`)
	var at uint64
	for i := range s.Len() {
		t := s.At(i)
		e := safeTensor{DType: "F32", Offsets: []uint64{at, at + 4*uint64(len(t.F))}}
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
		out = append(out, elements(kernel.Local(s.At(i).Tensor))...)
	}
	return out
}

// mustJSON is a string, or a struct of numbers, as JSON.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("state: " + err.Error())
	}
	return b
}

// DecodeSafetensors reads a safetensors file of F32 tensors, as [EncodeSafetensors]
// writes it. It refuses a header that names a tensor twice, whose tensors overlap
// or leave gaps, or that asks for more bytes than the file has, before it takes
// memory for them. The tensors share the memory of data where they can.
func DecodeSafetensors(data []byte) (*tensor.Set, error) { return decodeSafetensors(data, false) }

// DecodeSafetensorsWidened is DecodeSafetensors for files that may also have F16
// and BF16 tensors, whose values it converts to F32 without rounding.
func DecodeSafetensorsWidened(data []byte) (*tensor.Set, error) { return decodeSafetensors(data, true) }

// decodeSafetensors reads a file. Halves allows tensors of 16 bits.
func decodeSafetensors(data []byte, halves bool) (*tensor.Set, error) {
	if len(data) < 8 {
		return nil, errors.New("safetensors: shorter than its header's length")
	}
	n := binary.LittleEndian.Uint64(data)
	if n > maxHeader || n > uint64(len(data)-8) {
		return nil, fmt.Errorf("safetensors: header of %d bytes in a file of %d, at most %d are taken", n, len(data), maxHeader)
	}
	entries, err := safeHeader(data[8 : 8+n])
	if err != nil {
		return nil, fmt.Errorf("safetensors: header: %w", err)
	}
	slices.SortFunc(entries, func(a, b safeTensor) int {
		return cmp.Or(slices.Compare(a.Offsets, b.Offsets), strings.Compare(a.name, b.name))
	})
	return safeItems(entries, data[8+n:], halves)
}

// safeHeader reads a header: an object of tensors by their names.
func safeHeader(head []byte) (entries []safeTensor, err error) {
	if len(head) == 0 || head[0] != '{' || !utf8.Valid(head) {
		return nil, errors.New("not a JSON object in UTF-8")
	}
	// The decoder of encoding/json would take a key that is there twice.
	d := json.NewDecoder(bytes.NewReader(head))
	err = object(d, func(name string) error {
		if name == "__metadata__" {
			return object(d, func(string) error { return d.Decode(new(string)) })
		}
		if len(entries) == maxTensors {
			return fmt.Errorf("more than %d tensors", maxTensors)
		}
		e := safeTensor{name: name}
		err := object(d, func(field string) error {
			switch field {
			case "dtype":
				return d.Decode(&e.DType)
			case "shape":
				return d.Decode(&e.Shape)
			case "data_offsets":
				return d.Decode(&e.Offsets)
			}
			return errors.New("no such field")
		})
		entries = append(entries, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	if rest := bytes.TrimRight(head[d.InputOffset():], " "); len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes after the object", len(rest))
	}
	return entries, nil
}

// object reads a JSON object and refuses a key that is there twice. It calls field
// to read the value of each key.
func object(d *json.Decoder, field func(key string) error) error {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return cmp.Or(err, fmt.Errorf("%v where an object should be", t))
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		key := t.(string) // the decoder takes nothing else for a key
		if seen[key] {
			return fmt.Errorf("%.200q is there twice", key)
		}
		seen[key] = true
		if err := field(key); err != nil {
			return fmt.Errorf("%.200q: %w", key, err)
		}
	}
	_, err := d.Token()
	return err
}

// safeItems makes the tensors of a header's entries, which are sorted by their
// offsets, from the bytes after the header. Halves allows tensors of 16 bits.
func safeItems(entries []safeTensor, data []byte, halves bool) (*tensor.Set, error) {
	var items []tensor.Named
	var at uint64
	for _, e := range entries {
		widen, half := widened[e.DType]
		if e.DType != "F32" && !(half && halves) {
			return nil, fmt.Errorf("safetensors: tensor %.200q has type %.200q, want F32", e.name, e.DType)
		}
		if len(e.Shape) == 0 || len(e.Shape) > 4 {
			return nil, fmt.Errorf("safetensors: tensor %.200q has %d dimensions, want 1 to 4", e.name, len(e.Shape))
		}
		// Dimensions are multiplied only while the product fits the file.
		size, shape := uint64(4), make([]int, len(e.Shape))
		if half {
			size = 2
		}
		for i, d := range e.Shape {
			if d == 0 || d > uint64(len(data))/size {
				return nil, fmt.Errorf("safetensors: tensor %.200q of shape %v does not fit a file of %d bytes", e.name, e.Shape, len(data))
			}
			size, shape[i] = size*d, int(d)
		}
		if size > uint64(len(data))-at {
			return nil, fmt.Errorf("safetensors: tensor %.200q has %d bytes, and %d are left: the file is cut short", e.name, size, uint64(len(data))-at)
		}
		// Each tensor must begin where the last one ended.
		if !slices.Equal(e.Offsets, []uint64{at, at + size}) {
			return nil, fmt.Errorf("safetensors: tensor %.200q of %d bytes stands at %v, want it at %d in %d bytes", e.name, size, e.Offsets, at, len(data))
		}
		part := data[at : at+size]
		t := kernel.Tensor{}
		if half {
			t = kernel.New(kernel.F32, shape...)
			for i := range t.F {
				t.F[i] = widen(binary.LittleEndian.Uint16(part[2*i:]))
			}
		} else {
			t = view(part, shape)
		}
		items, at = append(items, tensor.Named{Name: e.name, Tensor: t}), at+size
	}
	if at != uint64(len(data)) {
		return nil, fmt.Errorf("safetensors: %d bytes after the last tensor", uint64(len(data))-at)
	}
	return tensor.NewSet(items)
}

// widened converts, by the name of a type of 16 bits, its bits to the same value
// as F32.
var widened = map[string]func(uint16) float32{
	"BF16": func(x uint16) float32 { return math.Float32frombits(uint32(x) << 16) },
	"F16": func(x uint16) float32 {
		sign, exponent, fraction := uint32(x>>15)<<31, uint32(x>>10&31), uint32(x&1023)
		switch exponent {
		case 0: // a zero or a subnormal: fraction * 2^-24
			return math.Float32frombits(sign | math.Float32bits(float32(fraction)/(1<<24)))
		case 31:
			return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
		}
		return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
	},
}
