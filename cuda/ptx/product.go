package ptx

import (
	"fmt"
	"math/bits"
)

// product makes the product of two matrices of signed bytes that the lanes of a warp hold together:
// D = A B + C, with A [8,16], B [16,8], and C and D [8,8] of 32 bits. Sums that overflow wrap.
//
// PTX ISA, "Matrix Fragments for mma.m8n8k16": lane l has the bytes 4(l%4) to 4(l%4)+3 of row l/4 of
// A and of column l/4 of B, the first in the low byte, and columns 2(l%4) and 2(l%4)+1 of row l/4 of C and D.
func (b *body) product(op string, o []operand) (exec, error) {
	if op != "mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32" {
		return nil, refusal(op)
	}
	if err := want(o, 4); err != nil {
		return nil, err
	}
	// The registers of D, A, B and C.
	var r [4][]int
	for i, n := range []int{2, 1, 1, 2} {
		if len(o[i].list) != n {
			return nil, fmt.Errorf("a vector of %d registers has %d", n, len(o[i].list))
		}
		for _, x := range o[i].list {
			at, err := b.write(x, "s32")
			if err != nil {
				return nil, err
			}
			r[i] = append(r[i], at)
		}
	}
	return func(w *warp, mask uint32) error {
		if mask != ^uint32(0) {
			return &laneError{bits.TrailingZeros32(mask), "is a product of matrices that not all lanes reach"}
		}
		known := w.known[in32]
		if bad := ^(known[r[1][0]] & known[r[2][0]] & known[r[3][0]] & known[r[3][1]]); bad != 0 {
			return unwritten(bad)
		}
		// The result may be in the registers of the operands, so it is computed first.
		a, b := &w.r32[r[1][0]], &w.r32[r[2][0]]
		var d [2]reg32
		for l := range lanes {
			for i := range d {
				row, col, sum := l/4, 2*(l%4)+i, w.r32[r[3][i]][l]
				for g := range 4 {
					sum = dot(a[4*row+g], b[4*col+g], sum)
				}
				d[i][l] = sum
			}
		}
		for i := range d {
			known[r[0][i]], w.r32[r[0][i]] = mask, d[i]
		}
		return nil
	}, nil
}
