package state

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/alia-network/alia/work/kernel"
)

// littleEndian reports whether this machine stores numbers little endian, as the
// files of sets do.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// elements are the elements of t, little endian. On a little-endian machine they
// are the memory of t, so that writing to them changes t.
func elements(t kernel.Tensor) []byte {
	if littleEndian {
		switch t.Type {
		case kernel.F32:
			return bytesOf(t.F)
		case kernel.I32:
			return bytesOf(t.I)
		}
		return bytesOf(t.B)
	}
	data := make([]byte, 0, 4*(len(t.F)+len(t.I))+len(t.B))
	for _, x := range t.F {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
	}
	for _, x := range t.I {
		data = binary.LittleEndian.AppendUint32(data, uint32(x))
	}
	for _, x := range t.B {
		data = append(data, byte(x))
	}
	return data
}

// bytesOf is the memory of x.
func bytesOf[T float32 | int32 | int8](x []T) []byte {
	var one T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(one)))
}

// view is the F32 tensor of a shape whose elements data begins with, little endian.
// On a little-endian machine it is the memory of data, where that is aligned.
func view(data []byte, shape []int) kernel.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	start := unsafe.Pointer(unsafe.SliceData(data))
	if littleEndian && uintptr(start)%4 == 0 {
		return kernel.Tensor{Type: kernel.F32, Shape: shape, F: unsafe.Slice((*float32)(start), n)}
	}
	t := kernel.New(kernel.F32, shape...)
	readElements(t, data)
	return t
}

// readElements fills t from data, little endian, and gives the rest of data.
func readElements(t kernel.Tensor, data []byte) (rest []byte) {
	for i := range t.F {
		t.F[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	for i := range t.I {
		t.I[i] = int32(binary.LittleEndian.Uint32(data[4*i:]))
	}
	for i := range t.B {
		t.B[i] = int8(data[i])
	}
	return data[4*len(t.F)+4*len(t.I)+len(t.B):]
}
