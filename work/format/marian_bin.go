package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// The types of Marian's binary files that this program reads: src/common/types.h of Marian, and
// of the fork that the models of Firefox Translations and of Bergamot are for.
const (
	marianInt8    = 0x101
	marianFloat16 = 0x402
	marianFloat32 = 0x404
)

// marianCodes are the types of matrices in codes of 8 or 16 bits, by their bytes.
var marianCodes = map[uint64]int{0x4101: 1, 0x10001: 1, 0x4102: 2, 0x10002: 2}

// marianScale ends the name of an array that has the scale of a product's input. Package nmt finds
// its scales itself.
const marianScale = "_QuantMultA"

// readMarianBin reads the arrays of a binary model of Marian, of version 1: src/common/binary.cpp.
// Codes become numbers by their scale.
func readMarianBin(data []byte) (map[string]array, error) {
	r := &binReader{data: data}
	switch version := r.u64(); {
	case r.err != nil:
		return nil, r.err
	case version == 2:
		return nil, errors.New("the model is encrypted")
	case version != 1:
		return nil, errors.New("not a binary file of Marian, of version 1")
	}
	n := r.u64()
	if r.err == nil && n > uint64(len(r.data))/32 {
		return nil, fmt.Errorf("%d arrays in %d bytes: the file is cut short", n, len(data))
	}
	// All headers, then all names, all shapes, and all contents.
	type header struct{ name, kind, rank, size uint64 }
	headers := make([]header, n)
	for i := range headers {
		headers[i] = header{r.u64(), r.u64(), r.u64(), r.u64()}
	}
	list := make([]array, n)
	for i, h := range headers {
		name := r.take(h.name)
		if r.err == nil && (len(name) < 2 || strings.IndexByte(string(name), 0) != len(name)-1) {
			return nil, fmt.Errorf("array %d has the name %.200q, want one that ends with a zero byte", i, name)
		}
		list[i].name = strings.TrimRight(string(name), "\x00")
	}
	for i, h := range headers {
		if h.rank > 8 {
			return nil, fmt.Errorf("array %.200q has %d dimensions", list[i].name, h.rank)
		}
		for range h.rank {
			list[i].shape = append(list[i].shape, int(int32(binary.LittleEndian.Uint32(r.take4()))))
		}
	}
	r.take(r.u64()) // to a multiple of 256 bytes
	arrays := map[string]array{}
	for i, h := range headers {
		part := r.take(h.size)
		if r.err != nil {
			return nil, r.err
		}
		a := list[i]
		if _, twice := arrays[a.name]; twice {
			return nil, fmt.Errorf("array %.200q is there twice", a.name)
		}
		if err := a.decode(h.kind, part); err != nil {
			return nil, fmt.Errorf("array %.200q: %w", a.name, err)
		}
		if !strings.HasSuffix(a.name, marianScale) {
			arrays[a.name] = a
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	return arrays, nil
}

// decode reads the contents of an array, which may be longer than its shape says.
func (a *array) decode(kind uint64, data []byte) error {
	elements := uint64(1)
	for _, d := range a.shape {
		if d < 1 || elements*uint64(d) > uint64(len(data)) {
			return fmt.Errorf("shape %v does not fit %d bytes", a.shape, len(data))
		}
		elements *= uint64(d)
	}
	n, width := int(elements), marianCodes[kind]
	size := map[uint64]int{marianInt8: 1, marianFloat16: 2, marianFloat32: 4}[kind]
	switch {
	case width > 0:
		size = width
	case size == 0:
		return fmt.Errorf("type %#x: this program reads numbers of F32 and F16, and codes that are packed for no one processor", kind)
	}
	if n*size > len(data) || width > 0 && n*size+4 > len(data) {
		return fmt.Errorf("shape %v does not fit %d bytes", a.shape, len(data))
	}
	if kind == marianInt8 {
		a.b = data[:n]
		return nil
	}
	a.f = make([]float32, n)
	le := binary.LittleEndian
	switch {
	case width > 0:
		scale := math.Float32frombits(le.Uint32(data[n*size:]))
		inverse := 1 / scale
		if !(scale > 0) || math.IsInf(float64(inverse), 0) || inverse == 0 {
			return fmt.Errorf("its scale is %v", scale)
		}
		for i := range a.f {
			code := int16(int8(data[i*size]))
			if size == 2 {
				code = int16(le.Uint16(data[2*i:]))
			}
			a.f[i] = float32(code) * inverse
		}
		// Codes are stored by columns, except those of embeddings.
		if !strings.Contains(a.name, "Wemb") && len(a.shape) > 0 {
			cols := a.shape[len(a.shape)-1]
			a.f = turned(a.f, cols, n/cols)
		}
	case kind == marianFloat16:
		for i := range a.f {
			a.f[i] = half(le.Uint16(data[2*i:]))
		}
	default:
		for i := range a.f {
			a.f[i] = math.Float32frombits(le.Uint32(data[4*i:]))
		}
	}
	return nil
}

// turned is the transpose of a matrix [rows, cols].
func turned(x []float32, rows, cols int) []float32 {
	y := make([]float32, len(x))
	for i := range rows {
		for j := range cols {
			y[j*rows+i] = x[i*cols+j]
		}
	}
	return y
}

// half is the number of IEEE-754 binary16 bits.
func half(bits uint16) float32 {
	sign, exponent, mantissa := uint32(bits>>15)<<31, uint32(bits>>10)&31, uint32(bits)&1023
	switch exponent {
	case 0: // subnormal: a multiple of 2^-24
		return math.Float32frombits(sign | math.Float32bits(float32(mantissa)/(1<<24)))
	case 31:
		return math.Float32frombits(sign | 255<<23 | mantissa<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | mantissa<<13)
}

// binReader reads a binary file from its beginning, and keeps the first error.
type binReader struct {
	data []byte
	err  error
}

// take gives the next n bytes, or none after an error.
func (r *binReader) take(n uint64) []byte {
	if r.err == nil && n > uint64(len(r.data)) {
		r.err = fmt.Errorf("want %d more bytes, have %d: the file is cut short", n, len(r.data))
	}
	if r.err != nil {
		return nil
	}
	b := r.data[:n:n]
	r.data = r.data[n:]
	return b
}

// take4 gives the next four bytes, or zeros after an error.
func (r *binReader) take4() []byte {
	if b := r.take(4); r.err == nil {
		return b
	}
	return make([]byte, 4)
}

// u64 reads a number.
func (r *binReader) u64() uint64 {
	if b := r.take(8); r.err == nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}
