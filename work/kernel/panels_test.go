package kernel

import (
	"slices"
	"testing"
)

// opened is every device that this processor supports.
func opened(t testing.TB, threads int) (all []Device) {
	for _, name := range Names() {
		dev, err := Open(name, threads)
		if err != nil {
			t.Fatal(err)
		}
		dev.(*device).splitCost = 0
		all = append(all, dev)
	}
	return all
}

// TestPacked multiplies with matrices that one device packed, on every device: the bits are those of
// the matrix itself.
func TestPacked(t *testing.T) {
	for _, threads := range []int{1, 3} {
		devices := opened(t, threads)
		for _, d := range [][3]int{
			{1, 130, 7}, {1, 600, 300}, {2, 16, 5}, {5, 33, 70}, {13, 96, 257}, {64, 100, 512}, {70, 47, 300}, {300, 200, 600}, {300, 5, 20}, {3, 1, 1},
		} {
			s := &source{key: [2]uint32{uint32(d[1])}}
			m, n, k := d[0], d[1], d[2]
			a, w, dy := s.floats(m, k), s.floats(k, n), s.floats(m, n)
			flipped := New(F32, n, k) // w transposed
			for i := range k {
				for j := range n {
					flipped.F[j*k+i] = w.F[i*n+j]
				}
			}
			forward := Call{Op: MatMul, In: []Tensor{a, w}}
			back := Call{Op: MatMul, Attr: Attr{Trans: NT}, In: []Tensor{dy, w}}
			for _, c := range []*Call{&forward, &back} {
				allocate(c)
				reference().Do(c)
			}
			for _, from := range devices {
				for i, packed := range []Tensor{Pack(from, New(F32, k*n), w, NN), Pack(from, New(F32, k*n), flipped, NT)} {
					if !slices.Equal(Local(packed).F, w.F) {
						t.Fatalf("%s packs %v, and Local gives another matrix", from.Name(), d)
					}
					for _, dev := range devices {
						for _, want := range []*Call{&forward, &back} {
							c := Call{Op: MatMul, Attr: want.Attr, In: []Tensor{want.In[0], packed}}
							allocate(&c)
							poison(c.Out)
							dev.Do(&c)
							if diff := diff(c.Out, want.Out); diff != "" {
								t.Fatalf("%s with %d threads, packed for %s, way %d, %v, %+v: %s", dev.Name(), threads, from.Name(), i, d, c.Attr, diff)
							}
						}
					}
				}
			}
		}
	}
}
