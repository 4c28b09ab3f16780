package kernel

import "testing"

// TestAtLeast compares every device with a plain loop.
func TestAtLeast(t *testing.T) {
	s := &source{}
	for _, n := range []int{0, 1, 7, 128, 129, 300, 1000} {
		x := make([]float32, n)
		for i := range x {
			x[i] = s.uniform()
		}
		for _, bound := range []float32{-3, 0, 1.5, 1.99, 3} {
			want := 0
			for want < n && x[want] < bound {
				want++
			}
			for _, dev := range opened(t, 1) {
				if got := AtLeast(dev, x, bound); got != want {
					t.Errorf("%s: of %d elements, %d is the first of at least %v, want %d", dev.Name(), n, got, bound, want)
				}
			}
		}
	}
}
