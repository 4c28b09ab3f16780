package kernel

import (
	"cmp"
	"math"
	"slices"
	"testing"
)

// TestTopK compares the reference with the head of a whole row that is sorted:
// few numbers, zeros of both signs, infinities and NaN of either sign, rows of
// nothing else.
func TestTopK(t *testing.T) {
	const negInf = 0xff800000
	s := &source{}
	for _, numbers := range [][]uint32{
		{0, 1 << 31}, {0x3f800000, 0xbf800000, 0, 1 << 31, 1}, {negInf}, {0x7fc00000}, {negInf, 0x7fc00000, 0xffc00001},
		{0x7f800000, negInf}, {0x7f800000, 0x7fc00000, negInf, 0xff7fffff, 0x40490fdb},
	} {
		for _, v := range []int{1, 2, 7, 33, 300} {
			c := call(Attr{Rows: 1 + s.below(v)}, New(F32, 4, v))
			x := &c.In[0]
			for i := range x.F {
				x.F[i] = math.Float32frombits(numbers[s.below(len(numbers))])
			}
			c.Op = TopK
			allocate(&c)
			poison(c.Out)
			reference().Do(&c)
			for r := range rows(x) {
				bits, ids := make([]uint32, v), make([]int, v)
				for i, y := range row(x, r) {
					if bits[i], ids[i] = math.Float32bits(y), i; y != y {
						bits[i] = negInf
					}
				}
				value := func(i int) float32 { return math.Float32frombits(bits[i]) }
				slices.SortStableFunc(ids, func(i, j int) int { return cmp.Compare(value(j), value(i)) })
				for j, got := range row(&c.Out[0], r) {
					i, id := ids[j], int(c.Out[1].I[r*c.Attr.Rows+j])
					if id != i || math.Float32bits(got) != bits[i] {
						t.Fatalf("of %x, %d of %d: %v at %d, want %v at %d", numbers, j, v, got, id, value(i), i)
					}
				}
			}
		}
	}
}
