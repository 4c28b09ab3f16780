package kernel

// searchBlock is the number of elements of which [AtLeast] takes the largest at once.
const searchBlock = 128

// AtLeast returns the index of the first element of x that is bound or more, or len(x) if there
// is none. x is in the host's memory and has no NaN. A processor compares many elements at a time.
func AtLeast(dev Device, x []float32, bound float32) int {
	i := 0
	if d, ok := dev.(*device); ok && d.largest != nil {
		for i < len(x) {
			n := min(searchBlock, len(x)-i)
			if d.largest(&x[i], n) >= bound {
				break
			}
			i += n
		}
	}
	for i < len(x) && !(x[i] >= bound) {
		i++
	}
	return i
}
