package kernel

import "math"

// lanes is the number of partial results of a row reduction: lane l takes elements l,
// l+32, ... in ascending sequence, and then the lanes are folded in halves (NUMERICS.md,
// section 3). Thirty-two lanes are two AVX-512 registers, four AVX2 registers, eight
// NEON registers or one warp of a GPU.
const lanes = 32

// laneArray is the partial results of one row.
type laneArray [lanes]float32

// foldSum adds the lanes: for w = 16, 8, 4, 2, 1, lane l takes lane l+w.
func (a *laneArray) foldSum() float32 {
	for w := lanes / 2; w > 0; w /= 2 {
		for l := range w {
			a[l] += a[l+w]
		}
	}
	return a[0]
}

// laneSum returns the lane sum of x.
func laneSum(x []float32) float32 {
	var a laneArray
	for i, v := range x {
		a[i%lanes] += v
	}
	return a.foldSum()
}

// laneDot returns the lane sum of x*y, each step one fma.
func laneDot(x, y []float32) float32 {
	var a laneArray
	y = y[:len(x)]
	for i, v := range x {
		a[i%lanes] = Fma(v, y[i], a[i%lanes])
	}
	return a.foldSum()
}

// laneMax returns the lane maximum of x, from -Inf, by a>b ? a : b.
func laneMax(x []float32) float32 {
	var a laneArray
	for l := range a {
		a[l] = math.Float32frombits(0xff800000)
	}
	for i, v := range x {
		// Written as the instruction MAXPS computes it, which decides for NaN and for
		// zeros of both signs.
		if l := i % lanes; !(a[l] > v) {
			a[l] = v
		}
	}
	for w := lanes / 2; w > 0; w /= 2 {
		for l := range w {
			if !(a[l] > a[l+w]) {
				a[l] = a[l+w]
			}
		}
	}
	return a[0]
}
