package kernel

import (
	"slices"
	"testing"
)

// TestCodes compares the codes that every device makes with those of a plain loop.
func TestCodes(t *testing.T) {
	for _, d := range [][2]int{{1, 1}, {5, 17}, {64, 40}, {70, 16}, {700, 300}, {5000, 33}} {
		k, n := d[0], d[1]
		s := &source{key: [2]uint32{uint32(k)}}
		w, flipped := s.floats(k, n), New(F32, n, k)
		codes, scales := New(I8, Packed8(k, n)...), New(F32, n)
		for j := range n {
			column := row(&flipped, j)
			for i := range k {
				column[i] = w.F[i*n+j]
			}
			var inv float32
			scales.F[j], inv = rowScale(absMax(column))
			q := make([]int8, k)
			encode8(q, column, inv, 0)
			for i, code := range q {
				codes.B[((j/16*codes.Shape[1]+i/4)*16+j%16)*4+i%4] = code
			}
		}
		for _, dev := range append(opened(t, 2), nil) {
			for trans, from := range []Tensor{NN: w, NT: flipped} {
				got, by := Codes(dev, from, Trans(trans))
				if !slices.Equal(got.B, codes.B) || diff([]Tensor{by}, []Tensor{scales}) != "" {
					t.Errorf("%v, %v, way %d: other codes or scales", dev, d, trans)
				}
			}
		}
	}
}
