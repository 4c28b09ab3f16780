//go:build !unix

package machine

// CPUSeconds is 0: this system does not say what processor time was taken.
func CPUSeconds() float64 { return 0 }

// PeakMemory is 0: this system does not say how much memory was taken.
func PeakMemory() int64 { return 0 }
